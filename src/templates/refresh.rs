//! When to ask for a template: a pure schedule. Times are monotonic milliseconds, passed in.

use crate::chain::Hash;
use std::collections::VecDeque;

/// Time that a template costs. One may be asked for ahead of its time, so that a new tip never
/// waits for the refresh just before it: at most 5 a second, whatever notices arrive.
const COST_MS: u64 = 250;
/// After a notice the daemons are probed so often ...
const CHASE_STEP_MS: u64 = 50;
/// ... for so long, or until the new tip is there.
const CHASE_MS: u64 = 2_000;
/// Tips remembered, to tell a new one from one that comes back.
const TIPS: usize = 32;

/// What told of a new tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A probe of this process.
    Poll,
    /// `romp blocknotify`, through the master.
    Blocknotify,
    /// A worker found a block.
    BlockFound,
}

impl Source {
    /// The key in `CoinStatus::noticed`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Blocknotify => "blocknotify",
            Self::BlockFound => "block-found",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Chase {
    source: Source,
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
    tips: VecDeque<Hash>,
}

impl Refresh {
    /// A schedule that gives a job at least every `every` milliseconds.
    pub(super) fn new(every: u64) -> Self {
        Self {
            every,
            previous: None,
            worked_at: None,
            paid_at: 0,
            chase: None,
            tips: VecDeque::new(),
        }
    }

    /// Somebody says that there is a new block. Nothing to do when it is the one that is being
    /// built on.
    pub(super) fn notice(&mut self, now: u64, source: Source, hash: Option<Hash>) {
        if hash.is_some() && hash == self.previous {
            return;
        }
        let next = self.chase.map_or(now, |chase| chase.next);
        let source = self.chase.map_or(source, |chase| chase.source);
        self.chase = Some(Chase { source, until: now + CHASE_MS, next });
    }

    /// A daemon has this tip. The source that told of it first, when it is a new one.
    pub(super) fn tip(&mut self, tip: Hash) -> Option<Source> {
        if self.tips.contains(&tip) {
            return None;
        }
        let first = self.tips.is_empty();
        self.tips.push_back(tip);
        if self.tips.len() > TIPS {
            self.tips.pop_front();
        }
        (!first).then(|| self.chase.map_or(Source::Poll, |chase| chase.source))
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
        let old = self.worked_at.is_none_or(|at| now.saturating_sub(at) >= self.every);
        (self.wants(tip) || old) && self.may_ask(now)
    }

    /// Whether the work at hand builds on something else than `tip`.
    pub(super) fn wants(&self, tip: &Hash) -> bool {
        self.previous.as_ref() != Some(tip)
    }

    fn may_ask(&self, now: u64) -> bool {
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
        assert_eq!(refresh.tip(A), None, "the tip at start is no news");
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
        assert_eq!(refresh.tip(B), Some(Source::Poll));
        refresh.asked(20_500);
        assert!(refresh.worked(20_501, B));
        assert_eq!(refresh.tip(A), None, "a tip that comes back is not counted again");
    }

    #[test]
    fn asks_at_most_five_times_a_second() {
        let mut refresh = working();
        let mut asked = 0;
        for now in 1_000..2_000 {
            refresh.notice(now, Source::Blocknotify, None);
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
        refresh.notice(100, Source::Blocknotify, Some(A));
        assert!(!refresh.is_chasing(), "the block that is being built on already");
        refresh.notice(100, Source::Blocknotify, Some(B));
        let probes = (100..5_000).filter(|now| refresh.chases(*now)).count();
        assert_eq!(probes, 40);
        assert!(!refresh.is_chasing());
    }

    #[test]
    fn the_first_notice_of_a_tip_is_counted() {
        let mut refresh = working();
        refresh.notice(100, Source::BlockFound, Some(B));
        refresh.notice(101, Source::Blocknotify, Some(B));
        assert_eq!(refresh.tip(B), Some(Source::BlockFound));
        assert!(refresh.worked(110, B));
        assert!(!refresh.is_chasing());
        assert_eq!(refresh.tip(Hash([3; 32])), Some(Source::Poll));
    }

    #[test]
    fn a_storm_of_notices_does_not_multiply_probes() {
        let mut refresh = working();
        let mut probes = 0;
        for now in 1_000..2_000 {
            refresh.notice(now, Source::Blocknotify, None);
            probes += u32::from(refresh.chases(now));
        }
        assert_eq!(probes, 20);
    }
}
