//! What ledgers and books bring about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::chain::Hash;
use crate::journal::{Answer, Verdict};
use crate::rewards::{Amount, Scheme};
use serde_json::json;

const COIN: Coin<'_> = Coin { id: "litecoin", symbol: "LTC" };
const AFTER: u64 = 60_000;
const NOW: u64 = 1_800_000_000_000;
const HOSTILE: &str = "<b>\r\nBcc: x@y\u{202e}@everyone";

fn hash(n: u8) -> Hash {
    Hash([n; 32])
}

fn row(n: u8, time: u64, state: BlockState) -> BlockRow {
    let found = BlockFound {
        time,
        hash: hash(n),
        height: 100 + u64::from(n),
        previous: hash(0),
        coinbase_txid: hash(0),
        coinbase_value: Amount(1_250_000_000),
        pool_value: Amount(1_250_000_000),
        worker: HOSTILE.to_owned(),
        difficulty: 1.0,
        stale: false,
        scheme: Scheme::default(),
    };
    let answer = Answer {
        daemon: "127.0.0.1:1".to_owned(),
        verdict: Verdict::Rejected,
        words: "high-hash".to_owned(),
    };
    BlockRow { found, state, answers: vec![answer] }
}

fn ledger(blocks: Vec<BlockRow>) -> LedgerSeen {
    LedgerSeen { blocks, lag: 0 }
}

fn block(n: u8, state: State, since: u64) -> BookBlock {
    BookBlock {
        hash: hash(n),
        height: 100 + u64::from(n),
        time: since,
        coinbase: hash(0),
        value: Amount(1_250_000_000),
        finder: HOSTILE.to_owned(),
        scheme: "prop".to_owned(),
        state,
        since,
        depth: 1,
        words: String::new(),
        carried: None,
    }
}

fn payout(n: u8, state: PayoutState) -> (Payout, u64, u128) {
    let payout = Payout {
        id: i64::from(n),
        txid: hash(n),
        hex: String::new(),
        fee: Amount(1),
        state,
        time: NOW,
        depth: 0,
        words: String::new(),
    };
    (payout, 3, 123_456_789)
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.name()).collect()
}

#[test]
fn the_past_is_not_told_and_each_block_once() {
    let mut known = Known::default();
    let mut blocks = vec![row(1, NOW - 1, BlockState::Accepted)];
    let look = |known: &mut Known, blocks: &[BlockRow], now| {
        known.look_at_ledger(COIN, Ok(&ledger(blocks.to_vec())), now, AFTER)
    };
    assert_eq!(look(&mut known, &blocks, NOW), []);
    blocks.insert(0, row(2, NOW, BlockState::Accepted));
    // Old, for instance from journals that were counted anew.
    blocks.insert(0, row(3, NOW - 4 * 86_400_000, BlockState::Accepted));
    let told = look(&mut known, &blocks, NOW);
    assert_eq!(kinds(&told), ["block-found"]);
    assert_eq!(told[0].id, format!("block-found:litecoin:{}", hash(2)));
    assert_eq!(
        told[0].text,
        "litecoin: block 102 found by <b>\\u{d}\\u{a}Bcc: x@y\\u{202e}@everyone, 12.50000000 LTC"
    );
    assert_eq!(told[0].data["worker"], json!(HOSTILE));
    known = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
    assert_eq!(look(&mut known, &blocks, NOW + 1), []);
    // A ledger that was emptied and filled again tells nothing twice.
    assert_eq!(look(&mut known, &[], NOW + 2), []);
    assert_eq!(look(&mut known, &blocks, NOW + 3), []);
}

#[test]
fn a_block_is_told_when_a_daemon_took_it_or_none_answers() {
    let mut known = Known::default();
    let mut look = |state, now| {
        let seen = ledger(vec![row(1, NOW, state)]);
        kinds(&known.look_at_ledger(COIN, Ok(&seen), now, AFTER))
    };
    let none: [&str; 0] = [];
    let nothing = ledger(Vec::new());
    let mut other = Known::default();
    assert_eq!(other.look_at_ledger(COIN, Ok(&nothing), NOW, AFTER), []);
    let seen = ledger(vec![row(1, NOW, BlockState::Rejected)]);
    let told = other.look_at_ledger(COIN, Ok(&seen), NOW, AFTER);
    assert_eq!(kinds(&told), ["block-orphaned"]);
    assert!(told[0].text.ends_with("was refused by every daemon: high-hash"), "{}", told[0].text);

    // The first look.
    assert_eq!(look(BlockState::Rejected, NOW), none);
    assert_eq!(look(BlockState::Found, NOW + ANSWER - 1), none);
    assert_eq!(look(BlockState::Unknown, NOW + ANSWER), ["block-found"]);
    assert_eq!(look(BlockState::Accepted, NOW + ANSWER), none);
    assert_eq!(look(BlockState::Rejected, NOW + ANSWER), ["block-orphaned"]);
}

#[test]
fn a_ledger_that_is_behind_or_away_is_told_once() {
    for away in [false, true] {
        let mut known = Known::default();
        let behind = |now: u64| LedgerSeen { blocks: Vec::new(), lag: now - NOW };
        let mut told = Vec::new();
        for second in (0..400).step_by(5) {
            let now = NOW + second * 1000;
            let seen = match second {
                0..200 => behind(now),
                _ => behind(NOW),
            };
            let seen = if away && second < 200 { Err("refused") } else { Ok(&seen) };
            told.extend(known.look_at_ledger(COIN, seen, now, AFTER));
        }
        assert_eq!(kinds(&told), ["ledger-behind", "ledger-caught-up"], "{away}");
        let words = if away { "cannot be read: refused" } else { "65 s behind" };
        assert!(told[0].text.contains(words), "{}", told[0].text);
    }
}

#[test]
fn what_becomes_of_blocks_payouts_and_money_is_told_once() {
    let mut known = Known::default();
    let held = |name: &str| Held {
        name: name.to_owned(),
        balance: Amount(7),
        reason: "asked for".to_owned(),
    };
    let mut book = BookSeen {
        blocks: vec![block(1, State::Mature, NOW), block(0, State::Before, NOW)],
        payouts: vec![payout(1, PayoutState::Confirmed)],
        held: vec![held("old")],
    };
    assert_eq!(known.look_at_book(COIN, None, NOW), []);
    assert_eq!(known.look_at_book(COIN, Some(&book), NOW), []);
    let later = NOW + 1;
    book.blocks.insert(0, block(2, State::Immature, later));
    book.blocks.insert(0, block(3, State::Found, later));
    book.payouts.insert(0, payout(2, PayoutState::Signed));
    assert_eq!(known.look_at_book(COIN, Some(&book), later), []);

    book.blocks[0] = block(3, State::Orphaned, later);
    book.blocks[1] = block(2, State::Mature, later);
    book.payouts[0] = payout(2, PayoutState::Sent);
    book.held.push(held(HOSTILE));
    let told = known.look_at_book(COIN, Some(&book), later);
    assert_eq!(kinds(&told), ["block-matured", "block-orphaned", "payout-sent", "payout-held"]);
    assert!(told[2].text.contains("1.23456789 LTC to 3 addresses"), "{}", told[2].text);
    assert!(!told[3].text.contains(['\n', '\u{202e}']), "{:?}", told[3].text);
    assert_eq!(known.look_at_book(COIN, Some(&book), later), []);

    book.blocks[1] = block(2, State::Lost, later + 1);
    book.payouts[0] = payout(2, PayoutState::Confirmed);
    assert_eq!(kinds(&known.look_at_book(COIN, Some(&book), later)), ["block-orphaned"]);
    book.payouts[0] = payout(2, PayoutState::Void);
    book.held.retain(|money| money.name == "old");
    assert_eq!(kinds(&known.look_at_book(COIN, Some(&book), later)), ["payout-held"]);
    // Set aside anew.
    book.held.push(held(HOSTILE));
    assert_eq!(kinds(&known.look_at_book(COIN, Some(&book), later + 5)), ["payout-held"]);
}
