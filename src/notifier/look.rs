//! The threads that look: one at the master's status, one at each coin's ledger and book.

use super::coin::{self, BookSeen, Coin, LedgerSeen};
use super::deliver::Shared;
use super::event::Event;
use super::outbox::OutboxError;
use super::pool;
use crate::config::{Config, EventKind, Pool};
use crate::ipc::control;
use crate::journal;
use crate::ledger::book::{Book, BookError};
use crate::ledger::{self, TallyError};
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Shortest time (ms) between two looks.
const LOOK: u64 = 5000;
/// A look that took long is followed by a rest so many times as long: large rounds and books are
/// read whole.
const REST: u64 = 20;
/// Newest blocks that are looked at: what may come about between two looks, also when
/// this process was away for long.
const BLOCKS: u32 = 500;
/// Likewise; each is read with all its outputs.
const PAYOUTS: u32 = 100;

/// What a look needs.
#[derive(Debug, Clone)]
pub(super) struct Looker {
    pub(super) config: Arc<Config>,
    pub(super) shared: Shared,
    /// Targets' names, and what they are told of.
    pub(super) targets: Arc<Vec<(String, Vec<EventKind>)>>,
}

/// Again and again, with a rest between.
fn forever(mut look: impl FnMut()) {
    loop {
        let begun = monotonic_ms();
        look();
        let took = monotonic_ms().saturating_sub(begun);
        std::thread::sleep(Duration::from_millis(LOOK.max(took.saturating_mul(REST)).min(120_000)));
    }
}

/// Says trouble when it begins, and that it is over.
#[derive(Debug, Default)]
struct Nag(bool);

impl Nag {
    fn say(&mut self, what: &str, trouble: Option<String>) {
        match &trouble {
            Some(words) if !self.0 => log::warn!("{what} cannot be read: {words}"),
            None if self.0 => log::info!("{what} can be read again"),
            _ => {}
        }
        self.0 = trouble.is_some();
    }
}

impl Looker {
    /// Looks at the master's status for ever.
    pub(super) fn look_at_pool(self) {
        let socket = control::socket(&self.config.data_dir);
        let after = self.config.notifications.as_ref().map_or(0, |it| ms(it.daemon_down_after));
        let mut nag = Nag::default();
        forever(|| match control::command(&socket, &json!({ "command": "status" })) {
            Ok(status) => {
                nag.say("the master's status", None);
                let now = unix_ms();
                self.tell("status", now, |known: &mut pool::Known| known.look(&status, now, after));
            }
            Err(error) => nag.say("the master's status", Some(error.to_string())),
        });
    }

    /// Looks at a coin's ledger and book for ever.
    pub(super) fn look_at_coin(self, id: &str) {
        let Some(pool) = self.config.pools.get(id) else { return };
        let dir = &self.config.data_dir;
        let after = self.config.notifications.as_ref().map_or(0, |it| ms(it.ledger_behind_after));
        let coin = Coin { id, symbol: &pool.coin.symbol };
        let (mut ledger_nag, mut book_nag) = (Nag::default(), Nag::default());
        forever(|| {
            let ledger = read_ledger(pool, dir, unix_ms()).map_err(|error| error.to_string());
            ledger_nag.say(&format!("the ledger of {id}"), ledger.as_ref().err().cloned());
            let book = read_book(id, dir).map_err(|error| error.to_string());
            book_nag.say(&format!("the book of {id}"), book.as_ref().err().cloned());
            let now = unix_ms();
            self.tell(&format!("coin {id}"), now, |known: &mut coin::Known| {
                let seen = ledger.as_ref().map_err(String::as_str);
                let mut events = known.look_at_ledger(coin, seen, now, after);
                events.extend(known.look_at_book(coin, book.ok().flatten().as_ref(), now));
                events
            });
        });
    }

    /// Compares with what was seen last, and puts what is to be told into the outbox.
    fn tell<K>(&self, name: &str, now: u64, look: impl FnOnce(&mut K) -> Vec<Event>)
    where
        K: Default + Clone + PartialEq + Serialize + DeserializeOwned,
    {
        let mut outbox = self.shared.lock();
        let attempt = || -> Result<usize, OutboxError> {
            let before: K = outbox.seen(name)?;
            let mut known = before.clone();
            let events = look(&mut known);
            if events.is_empty() && known == before && !outbox.owes_summary(now)? {
                return Ok(0);
            }
            outbox.record(name, &known, events, &self.targets, now)
        };
        let told = attempt();
        drop(outbox);
        match told {
            Ok(0) => {}
            Ok(_) => self.shared.wake(),
            Err(error) => log::error!("{error}"),
        }
    }
}

fn read_ledger(pool: &Pool, dir: &Path, now: u64) -> Result<LedgerSeen, TallyError> {
    let Some(mut tally) = ledger::open_for_reading(pool, dir)? else {
        return Ok(LedgerSeen::default());
    };
    let blocks = tally.overview(BLOCKS)?.blocks;
    let positions = tally.positions()?;
    let lag = journal::lag(dir, &pool.coin.id, &positions, now);
    Ok(LedgerSeen { blocks, lag: lag.ms.unwrap_or(0) })
}

fn read_book(coin: &str, dir: &Path) -> Result<Option<BookSeen>, BookError> {
    let Some(book) = Book::open_for_reading(dir, coin)? else { return Ok(None) };
    let mut payouts = Vec::new();
    for payout in book.payouts_below(i64::MAX, PAYOUTS)? {
        let (count, sum) = book.paid_by(payout.id)?;
        payouts.push((payout, count, sum));
    }
    let blocks = book.blocks_below(u64::MAX, 2 * BLOCKS)?;
    Ok(Some(BookSeen { blocks, payouts, held: book.held()? }))
}
