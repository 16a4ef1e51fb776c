//! Tests of the tally of notices.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

const A: Hash = Hash([1; 32]);
const B: Hash = Hash([2; 32]);
const C: Hash = Hash([3; 32]);

fn begun() -> Tally {
    let mut tally = Tally::default();
    tally.told(0, Source::P2p, Some(A));
    assert_eq!(tally.shown(1, A), None, "the tip at start is no news");
    tally
}

fn of(tally: &Tally, source: Source) -> (u64, u64, Option<u64>) {
    tally.show().get(source.name()).map_or((0, 0, None), |status| {
        (status.blocks, status.first, status.lag.map(|lag| lag.last))
    })
}

#[test]
fn the_first_is_counted_and_the_others_lag() {
    let mut tally = begun();
    tally.told(100, Source::P2p, Some(B));
    tally.told(101, Source::Zmq, Some(B));
    tally.told(102, Source::P2p, Some(B));
    assert_eq!(tally.shown(103, B), Some((Source::P2p, 100)));
    tally.told(130, Source::Blocknotify, Some(B));
    assert_eq!(of(&tally, Source::P2p), (1, 1, Some(0)));
    assert_eq!(of(&tally, Source::Zmq), (1, 0, Some(1)));
    assert_eq!(of(&tally, Source::Blocknotify), (1, 0, Some(30)));
    assert_eq!(of(&tally, Source::Poll), (0, 0, None));
    assert_eq!(tally.shown(140, A), None, "a tip that comes back is not counted again");
    assert_eq!(tally.firsts(), BTreeMap::from([("p2p".to_owned(), 1)]));
}

#[test]
fn a_tip_that_nobody_told_is_the_polls() {
    let mut tally = begun();
    assert_eq!(tally.shown(50, B), Some((Source::Poll, 50)));
    tally.told(60, Source::Zmq, Some(B));
    assert_eq!(of(&tally, Source::Zmq), (1, 0, Some(10)));
}

#[test]
fn a_notice_without_a_hash_means_the_block_around_it() {
    let mut tally = begun();
    tally.told(100, Source::Blocknotify, None);
    assert_eq!(tally.shown(200, B), Some((Source::Blocknotify, 100)));
    tally.told(10_000, Source::Zmq, Some(C));
    tally.shown(10_001, C);
    tally.told(10_040, Source::Blocknotify, None);
    assert_eq!(of(&tally, Source::Blocknotify), (2, 1, Some(40)));
    // Long before a block: another one, or none.
    tally.told(20_000, Source::Blocknotify, None);
    assert_eq!(tally.shown(30_000, Hash([4; 32])), Some((Source::Poll, 30_000)));
}

#[test]
fn forged_notices_count_for_nothing_and_drive_nothing_out() {
    let mut tally = begun();
    tally.told(100, Source::Zmq, Some(B));
    tally.shown(101, B);
    for number in 0..10_000_u64 {
        let mut forged = [9; 32];
        forged[..8].copy_from_slice(&number.to_le_bytes());
        tally.told(200, Source::Blocknotify, Some(Hash(forged)));
    }
    assert_eq!(of(&tally, Source::Blocknotify), (0, 0, None));
    assert_eq!(tally.blocks.len(), BLOCKS);
    assert_eq!(tally.shown(300, B), None, "still known");
    assert_eq!(tally.shown(300, A), None, "still known");
}

#[test]
fn the_median_is_of_the_last_hundred() {
    let mut lags = Lags::default();
    assert_eq!(lags.show(), None);
    (0..1_000).for_each(|_| lags.add(900));
    (0..LAGS as u64).for_each(|ms| lags.add(ms));
    assert_eq!(lags.show(), Some(Lag { last: 100, median: 50 }));
    assert_eq!(lags.0.len(), LAGS);
}

#[test]
fn problems_are_shown_by_source_and_said_once() {
    let mut tally = begun();
    assert!(tally.problem(Source::Zmq, 0, Some("refused".to_owned())));
    assert!(!tally.problem(Source::Zmq, 0, Some("refused".to_owned())));
    assert_eq!(tally.show()["zmq"].problem.as_deref(), Some("refused"));
    assert!(tally.problem(Source::Zmq, 0, None));
    assert!(!tally.problem(Source::Zmq, 0, None));
    assert_eq!(tally.show()["zmq"].problem, None);
}
