#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
//! Days of two and three daemons in microseconds.

use super::*;
use proptest::prelude::*;

const FRESH: u64 = 5_000;

fn tip(height: u64) -> Seen {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&height.to_le_bytes());
    Seen { height, tip: Hash(hash), headers: height, initial_download: false, test_chain: false }
}

fn judge(heights: &[u64]) -> Judge {
    let mut judge = Judge::new(heights.len(), FRESH);
    for (daemon, height) in heights.iter().enumerate() {
        judge.probed(daemon, 0, Ok(tip(*height)), 1);
    }
    judge
}

fn down() -> Result<Seen, String> {
    Err("down".to_owned())
}

#[test]
fn takes_the_first_of_equals_and_the_highest_of_others() {
    assert_eq!(judge(&[7, 7]).choose(0), Some(0));
    assert_eq!(judge(&[7, 8]).choose(CATCH_UP_MS), Some(1));
    assert_eq!(judge(&[]).choose(0), None);
    assert_eq!(Judge::new(2, FRESH).choose(0), None);
}

#[test]
fn waits_for_the_chosen_to_catch_up_then_leaves_it() {
    let mut judge = judge(&[7, 7]);
    judge.probed(1, 100, Ok(tip(8)), 1);
    assert_eq!(judge.choose(100), Some(0));
    judge.probed(0, 100 + CATCH_UP_MS - 1, Ok(tip(7)), 1);
    assert_eq!(judge.choose(100 + CATCH_UP_MS - 1), Some(0));
    assert_eq!(judge.standing(0, 100 + CATCH_UP_MS), Standing::Behind { by: 1 });
    assert_eq!(judge.choose(100 + CATCH_UP_MS), Some(1));
    // Back on the tip it is as good as the other, which stays.
    judge.probed(0, 3_000, Ok(tip(8)), 1);
    assert_eq!(judge.choose(3_000), Some(1));
}

#[test]
fn leaves_a_failing_one_and_takes_the_preferred_back_later() {
    let mut judge = judge(&[7, 7]);
    judge.probed(0, 1_000, down(), 1);
    assert_eq!(judge.choose(1_000), Some(1));
    assert_eq!(judge.standing(0, 1_000), Standing::Failing("down".to_owned()));
    for second in 2..=70 {
        for daemon in 0..2 {
            judge.probed(daemon, second * 1_000, Ok(tip(7)), 1);
        }
        let expected = if second * 1_000 >= 2_000 + TAKE_BACK_MS { 0 } else { 1 };
        assert_eq!(judge.choose(second * 1_000), Some(expected), "{second}");
    }
}

#[test]
fn a_hanging_one_is_left_when_its_last_answer_is_old() {
    let mut judge = judge(&[7, 7]);
    judge.probed(1, FRESH, Ok(tip(7)), 1);
    assert_eq!(judge.choose(FRESH), Some(0));
    assert_eq!(judge.choose(FRESH + 1), Some(1));
}

#[test]
fn never_goes_back_to_a_lower_tip_at_once() {
    let mut judge = judge(&[8, 7]);
    judge.probed(0, 1_000, down(), 1);
    judge.probed(1, 1_000, Ok(tip(7)), 1);
    assert_eq!(judge.choose(1_000), None);
    judge.probed(1, REMEMBER_MS, Ok(tip(7)), 1);
    assert_eq!(judge.choose(REMEMBER_MS), None);
    assert_eq!(judge.choose(REMEMBER_MS + 1), Some(1));
    // A daemon that reorganises to a lower tip itself has taken its word back.
    let mut judge = super::tests::judge(&[8]);
    judge.probed(0, 1_000, Ok(tip(6)), 1);
    assert_eq!(judge.choose(1_000), Some(0));
}

#[test]
fn a_refusing_one_is_spared_longer_each_time() {
    let mut judge = judge(&[7]);
    for (at, until) in [(0, 1_000), (1_000, 3_000), (3_000, 7_000)] {
        judge.refused(0, at, "no peers".to_owned());
        judge.probed(0, until - 1, Ok(tip(7)), 1);
        assert_eq!(judge.choose(until - 1), None);
        assert_eq!(judge.choose(until), Some(0));
        assert_eq!(judge.standing(0, until), Standing::Failing("no peers".to_owned()));
    }
    judge.probed(0, 7_000 + REFUSAL_MS, Ok(tip(7)), 1);
    assert_eq!(judge.standing(0, 7_000 + REFUSAL_MS), Standing::Fresh, "forgotten in the end");
    judge.worked(0, 7_000);
    assert_eq!(judge.standing(0, 7_000), Standing::Fresh);
    judge.refused(0, 7_000, String::new());
    assert_eq!(judge.choose(8_000), Some(0));
}

#[test]
fn knows_when_a_daemon_syncs() {
    let state = |seen: Seen, now| {
        let mut judge = Judge::new(1, FRESH);
        judge.probed(0, 0, Ok(seen), 1);
        judge.probed(0, now, Ok(seen), 1);
        judge.standing(0, now)
    };
    let syncing = Standing::Syncing { blocks: 7, headers: 20 };
    let base = Seen { headers: 20, ..tip(7) };
    assert_eq!(state(base, 0), syncing);
    assert_eq!(state(base, PROGRESS_MS), Standing::Fresh);
    assert_eq!(state(Seen { initial_download: true, ..base }, PROGRESS_MS), syncing);
    assert_eq!(state(Seen { headers: 9, ..base }, 0), Standing::Fresh);
    // A regtest that has slept for a day says that it downloads until a block is mined.
    let asleep = Seen { initial_download: true, test_chain: true, ..tip(7) };
    assert_eq!(state(asleep, 0), Standing::Fresh);
    assert!(matches!(state(Seen { test_chain: false, ..asleep }, 0), Standing::Syncing { .. }));
}

#[test]
fn a_syncing_daemon_does_not_hide_a_good_one() {
    let mut judge = judge(&[7, 7]);
    judge.probed(0, 10, Ok(Seen { headers: 900, ..tip(8) }), 1);
    assert_eq!(judge.choose(10), Some(1));
}

#[test]
fn tells_of_a_fork_that_lasts() {
    let mut judge = Judge::new(2, FRESH);
    let other = Seen { tip: Hash([9; 32]), ..tip(7) };
    for second in 0..=60 {
        judge.probed(0, second * 1_000, Ok(tip(7)), 1);
        judge.probed(1, second * 1_000, Ok(other), 1);
        assert_eq!(judge.choose(second * 1_000), Some(0));
        assert_eq!(judge.forked(second * 1_000), second * 1_000 >= FORK_MS);
    }
    judge.probed(1, 61_000, Ok(tip(7)), 1);
    assert!(!judge.forked(200_000));
    // Nobody is left to say so.
    judge.probed(1, 200_000, Ok(other), 1);
    judge.probed(0, 200_000, Ok(tip(7)), 1);
    assert_eq!(judge.choose(400_000), None);
    assert!(!judge.forked(400_000));
}

#[test]
fn probes_failing_daemons_less_often() {
    let mut judge = judge(&[7, 7]);
    assert_eq!(judge.probe_back_off(0), None);
    let waits: Vec<_> = (0..7)
        .map(|_| {
            judge.probed(0, 0, down(), 1);
            judge.probe_back_off(0).unwrap()
        })
        .collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    judge.probed(1, 0, down(), 1);
    // With nobody left it matters to notice at once that one is back.
    assert_eq!(judge.probe_back_off(0), Some(2_000));
}

proptest! {
    /// Whatever happens, the chosen daemon answered lately, is not syncing, and is at most
    /// `CATCH_UP_MS` behind; and the choice changes only when there is a reason.
    #[test]
    fn the_choice_is_always_a_good_one(
        steps in proptest::collection::vec((0_usize..3, 0_u8..8, 0_u64..1_500), 1..200),
    ) {
        let mut judge = Judge::new(3, FRESH);
        let mut now = 0;
        let mut height = 100;
        for (daemon, what, wait) in steps {
            now += wait;
            // Time alone may change the choice; here only what the event does is looked at.
            let before = judge.choose(now);
            match what {
                0 => judge.probed(daemon, now, down(), 1),
                1 => judge.refused(daemon, now, "x".to_owned()),
                2 => { height += 1; judge.probed(daemon, now, Ok(tip(height)), 1); }
                3 => judge.probed(daemon, now, Ok(tip(height - 1)), 1),
                4 => judge.worked(daemon, now),
                _ => judge.probed(daemon, now, Ok(tip(height)), 1),
            }
            let chosen = judge.choose(now);
            prop_assert_eq!(chosen, judge.clone().choose(now), "deciding twice changes nothing");
            if let Some(index) = chosen {
                let entry = &judge.entries[index];
                prop_assert!(judge.is_healthy(entry, now));
                prop_assert!(entry.behind_since.is_none_or(|since| now - since < CATCH_UP_MS));
                if let Some(old) = before.filter(|old| *old != index) {
                    let left = &judge.entries[old];
                    let late = left.behind_since.is_some_and(|since| now - since >= CATCH_UP_MS);
                    prop_assert!(!judge.is_healthy(left, now) || late || index < old);
                }
            }
        }
    }
}

/// A daemon far ahead whose templates are of no use (a fork of its own, a wrong coin) does not keep
/// the others from working.
#[test]
fn a_tip_without_work_is_forgotten() {
    let mut judge = judge(&[9, 7]);
    assert_eq!(judge.choose(0), Some(0));
    for second in 0..20 {
        let now = second * 1_000;
        judge.probed(0, now, Ok(tip(9)), 1);
        judge.probed(1, now, Ok(tip(7)), 1);
        if judge.choose(now) == Some(0) {
            judge.refused(0, now, "bad".to_owned());
        }
        let expected = (now > REMEMBER_MS).then_some(1);
        assert_eq!(judge.choose(now), expected, "{second}");
    }
    judge.worked(0, 20_000);
    judge.probed(0, 20_000, Ok(tip(9)), 1);
    assert_eq!(judge.choose(20_000 + CATCH_UP_MS), Some(0));
}
