//! Days of mining in milliseconds, with random arrivals that are the same every time.

use super::*;
use crate::stratum::Unit;

const UNIT: Unit = Unit(-10);
const HOUR: u64 = 3_600_000;

fn rules() -> VarDiffRules {
    VarDiffRules {
        min: Difficulty::nearest(0.01, UNIT),
        max: Difficulty::nearest(1e9, UNIT),
        target_time: 15.0,
        retarget_time: 90.0,
        variance_percent: 30.0,
        x2_mode: false,
    }
}

/// A miner that finds shares as a Poisson process, ticked every second, whose changes arrive at
/// once.
struct Miner {
    vardiff: VarDiff,
    difficulty: Difficulty,
    rules: VarDiffRules,
    now: u64,
    random: u64,
    changes: Vec<(u64, f64)>,
    shares: u64,
}

impl Miner {
    fn new(start: f64, rules: VarDiffRules) -> Self {
        let mut vardiff = VarDiff::default();
        vardiff.offered(0);
        let difficulty = Difficulty::nearest(start, UNIT);
        Self { vardiff, difficulty, rules, now: 0, random: 1, changes: vec![], shares: 0 }
    }

    /// A number in 0..1 (Knuth's MMIX generator).
    fn random(&mut self) -> f64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.random >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn take(&mut self, change: Option<Difficulty>) {
        if let Some(difficulty) = change {
            self.difficulty = difficulty;
            self.changes.push((self.now, difficulty.as_f64()));
            self.vardiff.offered(self.now);
        }
    }

    fn share(&mut self) {
        self.shares += 1;
        let change = self.vardiff.share(true, self.difficulty, &self.rules, self.now);
        self.take(change);
    }

    /// Mines for a time; `rate` is the difficulty that gives a share a second.
    fn mine(&mut self, rate: f64, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            // In steps of at most 20 ms, the chance of a share in each.
            let step = 20;
            self.now += step;
            let chance = rate / self.difficulty.as_f64() * millis(step) / 1000.0;
            if self.random() < chance {
                self.share();
            }
            if self.now % 1000 < step {
                let change = self.vardiff.tick(self.difficulty, &self.rules, self.now);
                self.take(change);
            }
        }
    }

    fn is_within(&self, ideal: f64, factor: f64) -> bool {
        let ratio = self.difficulty.as_f64() / ideal;
        (1.0 / factor..=factor).contains(&ratio)
    }
}

#[test]
fn a_miner_1000_times_too_fast_is_raised_within_two_minutes() {
    let mut miner = Miner::new(1.0, rules());
    miner.mine(1000.0 / 15.0, 120_000);
    assert!(miner.is_within(1000.0, 3.0), "{:?}", miner.changes);
    assert!(miner.changes.len() <= 10, "{:?}", miner.changes);
    // NOMP would have had 66 a second for 45 s.
    assert!(miner.shares < 150, "{}", miner.shares);
    miner.mine(1000.0 / 15.0, HOUR);
    assert!(miner.is_within(1000.0, 2.0), "{:?}", miner.changes);
}

#[test]
fn a_miner_1000_times_too_slow_is_lowered_within_ten_minutes() {
    let mut miner = Miner::new(1000.0, rules());
    miner.mine(1.0 / 15.0, 600_000);
    assert!(miner.is_within(1.0, 4.0), "{:?}", miner.changes);
    miner.mine(1.0 / 15.0, HOUR);
    assert!(miner.is_within(1.0, 2.0), "{:?}", miner.changes);
}

#[test]
fn silence_lowers_a_settled_miner_down_to_the_minimum() {
    let mut miner = Miner::new(1000.0, rules());
    miner.mine(1000.0 / 15.0, HOUR);
    miner.mine(0.0, 600_000);
    assert!(miner.difficulty.as_f64() <= 1.0, "{:?}", miner.changes);
    miner.mine(0.0, 24 * HOUR);
    assert_eq!(miner.difficulty.weight, miner.rules.min.weight);
    let changes = miner.changes.len();
    miner.mine(0.0, HOUR);
    assert_eq!(miner.changes.len(), changes, "silent at the minimum");
}

#[test]
fn chance_hardly_moves_a_settled_miner() {
    let (mut changes, mut shares) = (0, 0);
    for seed in 1..=6 {
        let mut miner = Miner::new(1000.0, rules());
        miner.random = seed;
        miner.mine(1000.0 / 15.0, HOUR);
        let before = (miner.changes.len(), miner.shares);
        for _ in 0..48 {
            miner.mine(1000.0 / 15.0, HOUR / 2);
            assert!(miner.is_within(1000.0, 4.0), "{:?}", miner.changes.last());
        }
        changes += miner.changes.len() - before.0;
        shares += miner.shares - before.1;
    }
    // Six days: 34,560 shares were wanted.
    assert!((27_000..=43_000).contains(&shares), "{shares} shares");
    assert!(changes <= 6 * 30, "{changes} changes");
}

#[test]
fn even_gaps_inside_the_band_change_nothing() {
    for gap in [11_000, 15_000, 19_000] {
        let mut miner = Miner::new(32.0, rules());
        for _ in 0..2000 {
            miner.now += gap;
            miner.share();
        }
        assert!(miner.changes.is_empty(), "{gap}: {:?}", miner.changes);
    }
}

#[test]
fn even_gaps_outside_the_band_end_inside_it() {
    for gap in [100.0, 2000.0, 8000.0, 24_000.0, 50_000.0] {
        let mut miner = Miner::new(32.0, rules());
        for _ in 0..2000 {
            let ms = gap * miner.difficulty.as_f64() / 32.0;
            let end = miner.now + (ms as u64).max(1);
            while miner.now + 1000 < end {
                miner.now += 1000;
                let change = miner.vardiff.tick(miner.difficulty, &miner.rules, miner.now);
                miner.take(change);
            }
            miner.now = end;
            miner.share();
        }
        let ideal = 32.0 * 15_000.0 / gap;
        assert!(miner.is_within(ideal, 1.5), "{gap}: {:?}", miner.changes);
        assert!(miner.changes.len() < 12, "{gap}: {:?}", miner.changes);
    }
}

#[test]
fn bounds_hold() {
    let narrow = VarDiffRules {
        min: Difficulty::nearest(8.0, UNIT),
        max: Difficulty::nearest(64.0, UNIT),
        ..rules()
    };
    let mut miner = Miner::new(32.0, narrow);
    miner.mine(1000.0, 60_000);
    assert_eq!(miner.difficulty, narrow.max);
    assert_eq!(miner.changes.len(), 1);
    miner.mine(0.0, HOUR);
    assert_eq!(miner.difficulty, narrow.min);
}

#[test]
fn x2_mode_doubles_and_halves() {
    let mut miner = Miner::new(32.0, VarDiffRules { x2_mode: true, ..rules() });
    miner.mine(1000.0 / 15.0, 120_000);
    miner.mine(0.0, 600_000);
    assert!(miner.changes.len() > 5);
    let mut before = 32.0;
    for &(_, difficulty) in &miner.changes {
        let ratio: f64 = difficulty / before;
        assert!(ratio == 2.0 || ratio == 0.5, "{:?}", miner.changes);
        before = difficulty;
    }
}

#[test]
fn a_burst_after_a_stall_raises_nothing() {
    let mut miner = Miner::new(32.0, rules());
    for _ in 0..100 {
        miner.now += 15_000;
        miner.share();
    }
    // The link stalls for 90 s, then six shares come in one packet.
    miner.now += 90_000;
    for _ in 0..6 {
        miner.share();
    }
    assert!(miner.changes.is_empty(), "{:?}", miner.changes);
}

#[test]
fn late_shares_of_the_old_difficulty_do_not_raise_twice() {
    let mut miner = Miner::new(1.0, rules());
    for _ in 0..4 {
        miner.now += 10;
        miner.share();
    }
    assert_eq!(miner.changes.len(), 1);
    for _ in 0..100 {
        let change = miner.vardiff.share(false, miner.difficulty, &miner.rules, miner.now);
        assert_eq!(change, None);
    }
}

#[test]
fn nothing_is_measured_while_a_change_waits_for_its_job() {
    let mut miner = Miner::new(1.0, rules());
    miner.vardiff.pause();
    for _ in 0..100 {
        assert_eq!(miner.vardiff.share(true, miner.difficulty, &miner.rules, 5), None);
    }
    assert_eq!(miner.vardiff.tick(miner.difficulty, &miner.rules, HOUR), None);
}

#[test]
fn the_good_difficulty_is_one_with_shares() {
    let mut miner = Miner::new(1000.0, rules());
    assert_eq!(miner.vardiff.good(), None);
    miner.mine(1000.0 / 15.0, HOUR);
    let good = miner.vardiff.good().unwrap().as_f64();
    miner.mine(0.0, HOUR);
    assert_eq!(miner.vardiff.good().unwrap().as_f64(), good, "silence is not remembered");
    assert!((200.0..5000.0).contains(&good));
}
