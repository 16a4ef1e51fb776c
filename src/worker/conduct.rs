//! How a connection, or all departed ones of a network, have behaved, and whether that is enough
//! for a charge. Pure; times are monotonic milliseconds.

use crate::config::Banning;
use serde::{Deserialize, Serialize};

/// Milliseconds of the fast count: a flood of bad shares is noticed at once.
const FAST_MS: u64 = 10_000;
/// Bad acts that a flood of requests counts for: the second one within ten seconds is enough.
const FLOOD: u32 = 25;

/// Counts of good acts (accepted shares) and of bad ones (shares refused for misbehaviour, never
/// for being late; lines that are none).
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Conduct {
    good: u32,
    bad: u32,
    /// The same since `since`, at most ten seconds ago.
    fast_good: u32,
    fast_bad: u32,
    since: u64,
    /// The same since ever.
    all_good: u32,
    all_bad: u32,
}

impl Conduct {
    pub(crate) fn good(&mut self, now: u64) {
        self.begin(now);
        self.good = self.good.saturating_add(1);
        self.fast_good = self.fast_good.saturating_add(1);
        self.all_good = self.all_good.saturating_add(1);
    }

    pub(crate) fn bad(&mut self, now: u64) {
        self.many_bad(1, now);
    }

    /// A flood of requests that ended the connection.
    pub(crate) fn flood(&mut self, now: u64) {
        self.many_bad(FLOOD, now);
    }

    fn many_bad(&mut self, count: u32, now: u64) {
        self.begin(now);
        self.bad = self.bad.saturating_add(count);
        self.fast_bad = self.fast_bad.saturating_add(count);
        self.all_bad = self.all_bad.saturating_add(count);
    }

    fn begin(&mut self, now: u64) {
        if now.saturating_sub(self.since) >= FAST_MS {
            (self.fast_good, self.fast_bad, self.since) = (0, 0, now);
        }
    }

    /// Whether anything was done at all.
    pub(crate) fn is_blank(&self) -> bool {
        self.all_good == 0 && self.all_bad == 0
    }

    /// Whether a share of it was accepted.
    pub(crate) fn has_worked(&self) -> bool {
        self.all_good > 0
    }

    /// Whether more of its shares were accepted than not.
    pub(crate) fn is_useful(&self) -> bool {
        self.all_good > self.all_bad
    }

    /// Adds what another connection of the same network did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.good = self.good.saturating_add(other.good);
        self.bad = self.bad.saturating_add(other.bad);
        self.all_good = self.all_good.saturating_add(other.all_good);
        self.all_bad = self.all_bad.saturating_add(other.all_bad);
        if self.since.abs_diff(other.since) < FAST_MS {
            self.fast_good = self.fast_good.saturating_add(other.fast_good);
            self.fast_bad = self.fast_bad.saturating_add(other.fast_bad);
            self.since = self.since.min(other.since);
        } else if other.since > self.since {
            (self.fast_good, self.fast_bad, self.since) =
                (other.fast_good, other.fast_bad, other.since);
        }
    }

    /// Whether it is enough for a charge. A window ends after `checkThreshold` acts; the next one
    /// begins with clean hands.
    pub(crate) fn judge(&mut self, banning: &Banning, now: u64) -> bool {
        self.begin(now);
        if banning.burst > 0
            && self.fast_bad >= banning.burst
            && is_mostly(self.fast_bad, self.fast_good, banning)
        {
            (self.fast_good, self.fast_bad, self.since) = (0, 0, now);
            return true;
        }
        if self.good.saturating_add(self.bad) < banning.check_threshold.max(1) {
            return false;
        }
        let (good, bad) = (self.good, self.bad);
        (self.good, self.bad) = (0, 0);
        is_mostly(bad, good, banning)
    }

    /// Whether it is mostly bad, over all its time.
    pub(crate) fn is_mostly_bad(&self, banning: &Banning) -> bool {
        is_mostly(self.all_bad, self.all_good, banning)
    }

    /// Whether real work came, and little else.
    pub(crate) fn is_good(&self, banning: &Banning) -> bool {
        self.has_worked() && !self.is_mostly_bad(banning)
    }
}

fn is_mostly(bad: u32, good: u32, banning: &Banning) -> bool {
    let acts = f64::from(bad) + f64::from(good);
    f64::from(bad) * 100.0 >= banning.invalid_percent * acts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BANNING: Banning = Banning {
        time: Duration::from_secs(600),
        invalid_percent: 50.0,
        check_threshold: 10,
        purge_interval: Duration::from_secs(300),
        max_time: Duration::from_secs(86_400),
        burst: 0,
    };

    fn acts(conduct: &mut Conduct, good: u32, bad: u32, now: u64) {
        (0..good).for_each(|_| conduct.good(now));
        (0..bad).for_each(|_| conduct.bad(now));
    }

    #[test]
    fn only_a_bad_window_is_charged_and_windows_start_afresh() {
        let mut conduct = Conduct::default();
        acts(&mut conduct, 0, 9, 0);
        assert!(!conduct.judge(&BANNING, 0), "too few acts");
        conduct.bad(0);
        assert!(conduct.judge(&BANNING, 0));
        acts(&mut conduct, 6, 4, 0);
        assert!(!conduct.judge(&BANNING, 0), "40 %");
        acts(&mut conduct, 5, 5, 0);
        assert!(conduct.judge(&BANNING, 0), "counted afresh: 50 %, not 9 of 20");
    }

    #[test]
    fn a_flood_of_bad_acts_needs_no_full_window() {
        let banning = Banning { check_threshold: 500, burst: 50, ..BANNING };
        let mut conduct = Conduct::default();
        acts(&mut conduct, 0, 49, 20_000);
        assert!(!conduct.judge(&banning, 29_000));
        conduct.bad(29_000);
        assert!(conduct.judge(&banning, 29_000));
        acts(&mut conduct, 0, 49, 40_000);
        conduct.bad(50_000);
        assert!(!conduct.judge(&banning, 50_000), "49, then one in the next ten seconds");
        acts(&mut conduct, 60, 50, 60_000);
        assert!(!conduct.judge(&banning, 60_000), "a fast miner with some bad shares");
    }

    #[test]
    fn floods_and_departed_connections_add_up() {
        let banning = Banning { check_threshold: 500, burst: 50, ..BANNING };
        let (mut departed, mut one) = (Conduct::default(), Conduct::default());
        one.flood(20_000);
        departed.add(&one);
        assert!(!departed.judge(&banning, 21_000));
        departed.add(&one);
        assert!(departed.judge(&banning, 21_000), "two floods in ten seconds");
        let (mut departed, mut late) = (one, Conduct::default());
        late.flood(40_000);
        departed.add(&late);
        assert!(!departed.judge(&banning, 41_000), "twenty seconds apart");
    }

    #[test]
    fn standing_needs_real_work() {
        let mut conduct = Conduct::default();
        assert!(conduct.is_blank() && !conduct.is_good(&BANNING));
        acts(&mut conduct, 3, 2, 0);
        assert!(conduct.is_good(&BANNING) && !conduct.is_blank());
        acts(&mut conduct, 0, 2, 0);
        assert!(!conduct.is_good(&BANNING) && conduct.is_mostly_bad(&BANNING));
        assert!(conduct.has_worked() && !conduct.is_useful());
        acts(&mut conduct, 2, 0, 0);
        assert!(conduct.is_useful());
    }
}
