//! Tests of what the operator and the master are told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::chain::Hash;
use crate::daemon::choice::Seen;

fn seen(height: u64, headers: u64) -> Seen {
    Seen { height, tip: Hash::default(), headers, initial_download: false, test_chain: false }
}

struct Desk {
    judge: Judge,
    teller: Teller,
    work_at: Option<u64>,
}

impl Desk {
    fn new() -> Self {
        Self { judge: Judge::new(1, 5_000), teller: Teller::new("coin"), work_at: None }
    }

    fn at(&mut self, now: u64, problem: Option<&str>) -> Option<CoinStatus> {
        self.judge.choose(now);
        let notices = &Notices::new(crate::ipc::board::Board::new().unwrap());
        let numbers = Numbers { work_at: self.work_at, difficulty: None, notices };
        self.teller.status(&self.judge, &["d:1"], now, problem, numbers)
    }
}

#[test]
fn sends_changes_at_once_and_the_rest_every_two_seconds() {
    let mut desk = Desk::new();
    assert_eq!(desk.at(0, None).unwrap().state, TipState::Waiting);
    assert_eq!(desk.at(1, None), None);
    desk.judge.probed(0, 10, Ok(seen(5, 5)), 3);
    let status = desk.at(10, None).unwrap();
    assert_eq!((status.state, status.height), (TipState::Fresh, Some(5)));
    desk.judge.probed(0, 20, Ok(seen(5, 5)), 99);
    assert_eq!(desk.at(20, None), None, "a latency is no change");
    assert_eq!(desk.at(10 + EVERY_MS, None).unwrap().daemons[0].latency, Some(99));
}

#[test]
fn tells_waiting_from_syncing_from_stale() {
    let mut desk = Desk::new();
    desk.judge.probed(0, 0, Ok(seen(50, 200)), 1);
    let state = desk.at(0, None).unwrap().state;
    assert_eq!(state, TipState::Syncing { blocks: 50, headers: 200 });
    desk.judge.probed(0, 1_000, Ok(seen(200, 200)), 1);
    // A chosen daemon is not enough while the coin has no plan.
    let status = desk.at(1_000, Some("wrong address")).unwrap();
    assert_eq!(status.state, TipState::Waiting);
    assert_eq!(status.daemons[0].problem.as_deref(), Some("wrong address"));
    desk.work_at = Some(1);
    assert_eq!(desk.at(1_001, None).unwrap().state, TipState::Fresh);
    desk.judge.probed(0, 2_000, Err("down".to_owned()), 1);
    let status = desk.at(2_000, None).unwrap();
    let TipState::Stale { since } = status.state else { panic!("{:?}", status.state) };
    let later = desk.at(9_000, None).unwrap().state;
    assert_eq!(later, TipState::Stale { since }, "the beginning stays");
}

#[test]
fn a_percentage_reaches_100_only_at_the_end() {
    assert_eq!(percent(0, 0), "0.00");
    assert_eq!(percent(1, 3), "33.33");
    assert_eq!(percent(2_999_999, 3_000_000), "99.99");
    assert_eq!(percent(3, 3), "100.00");
    assert_eq!(percent(u64::MAX, 1), "100.00");
}
