//! What a coin's ledger and book tell of: blocks, payouts, money set aside, how far the ledger is
//! behind. Pure.

use super::event::{Event, start};
use super::level::{Level, Turn};
use super::memory::Memory;
use crate::chain::sha256d;
use crate::config::EventKind;
use crate::journal::BlockFound;
use crate::ledger::book::{BookBlock, Held, Payout, PayoutState, State};
use crate::ledger::{BlockRow, BlockState};
use crate::stratum::shown;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// What is older (ms) is no news: as long as a message is tried.
pub(super) const NEWS: u64 = 3 * 86_400_000;
/// How long (ms) a found block may be without an answer of a daemon before it is told all the same.
const ANSWER: u64 = 30_000;

/// What a ledger says.
#[derive(Debug, Clone, Default)]
pub(super) struct LedgerSeen {
    /// Its newest blocks, newest first.
    pub(super) blocks: Vec<BlockRow>,
    /// How far it is behind the journals, ms.
    pub(super) lag: u64,
}

/// What a book says.
#[derive(Debug, Clone, Default)]
pub(super) struct BookSeen {
    /// Its highest blocks.
    pub(super) blocks: Vec<BookBlock>,
    /// Its newest payouts, each with how many it pays and how much.
    pub(super) payouts: Vec<(Payout, u64, u128)>,
    /// What is set aside.
    pub(super) held: Vec<Held>,
}

/// What was seen last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    /// Blocks of the ledger; `None`: it was never read.
    found: Option<Memory>,
    /// What the book said; `None`: there was none.
    book: Option<KnownBook>,
    ledger: Level,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct KnownBook {
    blocks: Memory,
    payouts: Memory,
    /// Whose money is set aside.
    held: BTreeSet<String>,
}

/// A coin as messages name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coin<'a> {
    pub(super) id: &'a str,
    pub(super) symbol: &'a str,
}

impl Coin<'_> {
    fn amount(self, units: u128) -> String {
        format!("{} {}", coins(units), shown(self.symbol))
    }

    fn event(self, kind: EventKind, what: &str, now: u64, words: &str) -> Event {
        Event::new(kind, self.id, what, now, start(self.id) + words)
    }
}

/// Coins, from the smallest unit.
fn coins(units: u128) -> String {
    format!("{}.{:08}", units / 100_000_000, units % 100_000_000)
}

impl Known {
    /// What is to be told of a ledger at `now`, unix ms; an error: why it cannot be read. `after`
    /// (ms): how far it may be behind.
    pub(super) fn look_at_ledger(
        &mut self,
        coin: Coin<'_>,
        seen: Result<&LedgerSeen, &str>,
        now: u64,
        after: u64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if let Ok(seen) = seen {
            self.look_at_found(coin, &seen.blocks, now, &mut events);
        }
        // Behind is bad at once: its age says for how long. Away is bad after as long.
        let (bad, patience, words) = match seen {
            Ok(seen) => {
                let words = format!("the ledger is {} s behind", seen.lag / 1000);
                // Once told, it has caught up when it is less than half as far behind.
                let most = if self.ledger.is_well() { after } else { after / 2 };
                (seen.lag > most, 0, words)
            }
            Err(error) => (true, after, format!("the ledger cannot be read: {}", shown(error))),
        };
        if let Some(turn) = self.ledger.step(bad, now, patience) {
            let (kind, since, words) = match turn {
                Turn::Bad(since) => {
                    let words = words + "; shares wait in the journals, nothing is lost";
                    (EventKind::LedgerBehind, since, words)
                }
                Turn::Well(since) => {
                    (EventKind::LedgerCaughtUp, since, "the ledger has caught up".to_owned())
                }
            };
            let event = coin.event(kind, &now.to_string(), now, &words);
            events.push(event.with("since", since / 1000));
        }
        events
    }

    fn look_at_found(
        &mut self,
        coin: Coin<'_>,
        blocks: &[BlockRow],
        now: u64,
        events: &mut Vec<Event>,
    ) {
        let is_first = self.found.is_none();
        let memory = self.found.get_or_insert_default();
        for row in blocks.iter().rev() {
            let found = &row.found;
            let open = matches!(row.state, BlockState::Found | BlockState::Unknown);
            // One of the future (a clock that went back) holds up nobody.
            let is_young = found.time <= now && now - found.time < ANSWER;
            if open && !is_first && is_young {
                // Nor what was found after it: blocks are told in their order.
                break;
            }
            // Which of these it is makes no difference to the operator.
            let state = if row.state == BlockState::Rejected { "refused" } else { "found" };
            let Some(before) = memory.note(&found.hash.to_string(), state) else { continue };
            if is_first || now.saturating_sub(found.time) > NEWS {
                continue;
            }
            events.push(match (state, before) {
                ("found", _) => found_event(coin, found, now),
                _ => refused_event(coin, row, now),
            });
        }
    }

    /// What is to be told of a book at `now`, unix ms; `None`: there is none.
    pub(super) fn look_at_book(
        &mut self,
        coin: Coin<'_>,
        seen: Option<&BookSeen>,
        now: u64,
    ) -> Vec<Event> {
        let Some(seen) = seen else { return Vec::new() };
        let is_first = self.book.is_none();
        let known = self.book.get_or_insert_default();
        let mut events = Vec::new();
        for block in seen.blocks.iter().rev() {
            let before = known.blocks.note(&block.hash.to_string(), block.state.name());
            // A block that was found is told from the ledger.
            if before.is_some() && now.saturating_sub(block.since) <= NEWS {
                events.extend(block_event(coin, block, now));
            }
        }
        for (payout, count, sum) in seen.payouts.iter().rev() {
            // Confirmed or only sent makes no difference: it was told when it was sent.
            let state = match payout.state {
                PayoutState::Sent | PayoutState::Confirmed => "sent",
                other => other.name(),
            };
            let is_old = state == "sent" && now.saturating_sub(payout.time) > NEWS;
            if known.payouts.note(&payout.txid.to_string(), state).is_some() && !is_old {
                events.extend(payout_event(coin, payout, *count, *sum, now));
            }
        }
        let mut held = BTreeSet::new();
        for money in seen.held.iter().filter(|money| money.balance.0 > 0) {
            let digest = sha256d(money.name.as_bytes()).to_string();
            let key: String = digest.chars().take(16).collect();
            if !known.held.contains(&key) {
                events.push(held_event(coin, money, &key, now));
            }
            held.insert(key);
        }
        known.held = held;
        if is_first { Vec::new() } else { events }
    }
}

fn with_block(event: Event, height: u64, hash: &str) -> Event {
    event.with("height", height).with("hash", hash)
}

fn found_event(coin: Coin<'_>, found: &BlockFound, now: u64) -> Event {
    let value = u128::from(found.pool_value.0);
    let words =
        format!("block {} found by {}, {}", found.height, shown(&found.worker), coin.amount(value));
    let hash = found.hash.to_string();
    let event = coin.event(EventKind::BlockFound, &hash, now, &words);
    with_block(event, found.height, &hash)
        .with("worker", found.worker.as_str())
        .with("value", coins(value))
        .with("found", found.time / 1000)
}

fn refused_event(coin: Coin<'_>, row: &BlockRow, now: u64) -> Event {
    let said = row.answers.iter().map(|answer| shown(&answer.words));
    let said = said.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
    let words = format!("block {} was refused by every daemon: {said}", row.found.height);
    let hash = row.found.hash.to_string();
    let event = coin.event(EventKind::BlockOrphaned, &hash, now, &words);
    with_block(event, row.found.height, &hash)
        .with("worker", row.found.worker.as_str())
        .with("reason", "refused")
}

fn block_event(coin: Coin<'_>, block: &BookBlock, now: u64) -> Option<Event> {
    let (height, hash) = (block.height, block.hash.to_string());
    let value = u128::from(block.value.0);
    let (kind, words) = match block.state {
        State::Mature => (
            EventKind::BlockMatured,
            format!("block {height} is mature: {} credited", coin.amount(value)),
        ),
        State::Orphaned => (
            EventKind::BlockOrphaned,
            format!("block {height} is an orphan: its work goes into a later round"),
        ),
        State::Lost => (
            EventKind::BlockOrphaned,
            format!(
                "block {height} was credited and has left the chain: {} are the pool's loss",
                coin.amount(value)
            ),
        ),
        State::Found | State::Immature | State::Before => return None,
    };
    // An orphan may come back, and go again.
    let event = coin.event(kind, &format!("{hash}:{}", block.since), now, &words);
    let event = with_block(event, height, &hash).with("value", coins(value));
    Some(event.with("worker", block.finder.as_str()).with("reason", block.state.name()))
}

fn payout_event(coin: Coin<'_>, payout: &Payout, count: u64, sum: u128, now: u64) -> Option<Event> {
    let txid = payout.txid.to_string();
    let amount = coin.amount(sum);
    let (kind, words) = match payout.state {
        PayoutState::Sent | PayoutState::Confirmed => (
            EventKind::PayoutSent,
            format!("a payout of {amount} to {count} addresses was sent: {txid}"),
        ),
        PayoutState::Void => (
            EventKind::PayoutHeld,
            format!(
                "a payout of {amount} to {count} addresses came to nothing and is owed again: {txid}"
            ),
        ),
        PayoutState::Signed => return None,
    };
    let event = coin.event(kind, &txid, now, &words).with("txid", txid.as_str());
    Some(
        event
            .with("amount", coins(sum))
            .with("addresses", count)
            .with("reason", payout.words.as_str()),
    )
}

fn held_event(coin: Coin<'_>, money: &Held, key: &str, now: u64) -> Event {
    let amount = u128::from(money.balance.0);
    let words = format!(
        "{} of {} are set aside: {}",
        coin.amount(amount),
        shown(&money.name),
        shown(&money.reason)
    );
    let event = coin.event(EventKind::PayoutHeld, &format!("{key}:{now}"), now, &words);
    let event = event.with("address", money.name.as_str()).with("amount", coins(amount));
    event.with("reason", Value::from(money.reason.as_str()))
}

#[cfg(test)]
#[path = "coin/tests.rs"]
mod tests;
