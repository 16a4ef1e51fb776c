//! When to ask for a template: a pure schedule. Times are monotonic milliseconds, passed in.

use crate::chain::Hash;

/// Time that a template costs. One may be asked for ahead of its time, so that a new tip never
/// waits for the refresh just before it: at most 5 a second, whatever notices arrive.
const COST_MS: u64 = 250;
/// After a notice the daemons are probed so often ...
const CHASE_STEP_MS: u64 = 50;
/// ... for so long, or until the new tip is there.
const CHASE_MS: u64 = 2_000;
#[derive(Debug, Clone, Copy)]
struct Chase {
    until: u64,
    next: u64,
}

/// The schedule of one coin.
#[derive(Debug)]
pub(super) struct Refresh {
    /// A job at least so often.
    every: u64,
    /// What the last work builds on.
    previous: Option<Hash>,
    worked_at: Option<u64>,
    /// When all templates asked for so far are paid for with [`COST_MS`] each.
    paid_at: u64,
    chase: Option<Chase>,
}

impl Refresh {
    /// A schedule that gives a job at least every `every` milliseconds.
    pub(super) fn new(every: u64) -> Self {
        Self { every, previous: None, worked_at: None, paid_at: 0, chase: None }
    }

    /// Somebody says that there is a new block. Nothing to do when it is the one that is being
    /// built on.
    pub(super) fn notice(&mut self, now: u64, hash: Option<Hash>) {
        if hash.is_some() && hash == self.previous {
            return;
        }
        let next = self.chase.map_or(now, |chase| chase.next);
        self.chase = Some(Chase { until: now + CHASE_MS, next });
    }

    /// Whether all daemons are to be probed now because of a notice.
    pub(super) fn chases(&mut self, now: u64) -> bool {
        let Some(chase) = &mut self.chase else { return false };
        if now >= chase.until {
            self.chase = None;
            return false;
        }
        let due = now >= chase.next;
        if due {
            chase.next = now + CHASE_STEP_MS;
        }
        due
    }

    /// Whether a notice is being followed up: the loop turns faster.
    pub(super) fn is_chasing(&self) -> bool {
        self.chase.is_some()
    }

    /// Whether to ask the chosen daemon, which stands on `tip`, for a template now.
    pub(super) fn is_due(&self, now: u64, tip: &Hash) -> bool {
        self.is_news(now, tip) && self.may_ask(now)
    }

    /// Whether a template that builds on `previous` is worth a job now: a new tip, or time for new
    /// transactions. What comes by another way after the first one is not.
    pub(super) fn is_news(&self, now: u64, previous: &Hash) -> bool {
        let old = self.worked_at.is_none_or(|at| now.saturating_sub(at) >= self.every);
        self.wants(previous) || old
    }

    /// Whether the work at hand builds on something else than `tip`.
    pub(super) fn wants(&self, tip: &Hash) -> bool {
        self.previous.as_ref() != Some(tip)
    }

    /// Whether one more template may be had.
    pub(super) fn may_ask(&self, now: u64) -> bool {
        self.paid_at.saturating_sub(now) <= COST_MS
    }

    /// A template has been asked for.
    pub(super) fn asked(&mut self, now: u64) {
        self.paid_at = self.paid_at.max(now).saturating_add(COST_MS);
    }

    /// Work was made that builds on `previous`. Whether miners must drop what they have.
    pub(super) fn worked(&mut self, now: u64, previous: Hash) -> bool {
        let clean = self.previous != Some(previous);
        if clean && self.previous.is_some() {
            self.chase = None;
        }
        self.previous = Some(previous);
        self.worked_at = Some(now);
        clean
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const A: Hash = Hash([1; 32]);
    const B: Hash = Hash([2; 32]);

    fn working() -> Refresh {
        let mut refresh = Refresh::new(20_000);
        assert!(refresh.is_due(0, &A));
        refresh.asked(0);
        assert!(refresh.worked(1, A), "the first work is clean");
        refresh
    }

    #[test]
    fn asks_for_new_tips_and_for_new_transactions() {
        let mut refresh = working();
        assert!(!refresh.is_due(20_000, &A));
        assert!(refresh.is_due(20_001, &A));
        refresh.asked(20_001);
        assert!(!refresh.worked(20_002, A), "new transactions do not make older work worthless");
        assert!(refresh.is_due(20_500, &B));
        refresh.asked(20_500);
        assert!(refresh.worked(20_501, B));
    }

    #[test]
    fn asks_at_most_five_times_a_second() {
        let mut refresh = working();
        let mut asked = 0;
        for now in 1_000..2_000 {
            refresh.notice(now, None);
            if refresh.is_due(now, &B) {
                refresh.asked(now);
                asked += 1;
            }
        }
        assert_eq!(asked, 5);
    }

    #[test]
    fn a_new_tip_does_not_wait_for_the_refresh_before_it() {
        let mut refresh = working();
        refresh.asked(20_001);
        assert!(!refresh.worked(20_002, A));
        assert!(refresh.is_due(20_003, &B));
        refresh.asked(20_003);
        assert!(refresh.worked(20_004, B));
        assert!(!refresh.is_due(20_005, &A), "the second ahead of its time");
        assert!(refresh.is_due(20_251, &A));
    }

    #[test]
    fn a_notice_probes_fast_for_a_while() {
        let mut refresh = working();
        refresh.notice(100, Some(A));
        assert!(!refresh.is_chasing(), "the block that is being built on already");
        refresh.notice(100, Some(B));
        let probes = (100..5_000).filter(|now| refresh.chases(*now)).count();
        assert_eq!(probes, 40);
        assert!(!refresh.is_chasing());
    }

    #[test]
    fn a_second_template_on_one_tip_is_no_news_until_it_is_time() {
        let mut refresh = working();
        assert!(!refresh.is_news(20_000, &A));
        assert!(refresh.is_news(20_000, &B));
        assert!(refresh.is_news(20_001, &A));
        refresh.notice(100, Some(B));
        assert!(refresh.is_chasing());
        assert!(refresh.worked(110, B));
        assert!(!refresh.is_chasing(), "found");
    }

    #[test]
    fn a_storm_of_notices_does_not_multiply_probes() {
        let mut refresh = working();
        let mut probes = 0;
        for now in 1_000..2_000 {
            refresh.notice(now, None);
            probes += u32::from(refresh.chases(now));
        }
        assert_eq!(probes, 20);
    }
}
