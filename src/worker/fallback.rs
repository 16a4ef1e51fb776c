//! When a worker asks a daemon itself: no work came for a block that somebody told of, or none at
//! all for long. Pure; the asking is in `ask`.

mod ask;

pub(crate) use ask::work;

/// A worker's patience with the templates process, for one coin. Monotonic milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Fallback {
    due: Option<u64>,
    /// The first word of the block that work is waited for.
    noticed: Option<u64>,
    asking: bool,
    /// The last question brought nothing.
    failing: bool,
    /// Not before: a daemon that cannot answer is not asked each turn.
    not_before: u64,
}

/// Milliseconds between questions when the answers bring nothing.
const PAUSE_MS: u64 = 1000;

impl Fallback {
    /// Somebody told of a new block: work for it is expected within `wait`.
    pub(crate) fn expect(&mut self, now: u64, wait: u64) {
        self.due.get_or_insert(now.saturating_add(wait));
        self.noticed.get_or_insert(now);
    }

    /// Whether work is waited for, by a deadline that may be near.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.due.is_some()
    }

    /// Work for a new tip came. When somebody first told of it, if anybody did.
    pub(crate) fn arrived(&mut self) -> Option<u64> {
        self.due = None;
        self.failing = false;
        self.noticed.take()
    }

    /// Whether to ask now; the question is then under way until [`Fallback::answered`].
    /// `too_old`: the present work should have been refreshed long ago, and nobody is there to.
    pub(crate) fn begin(&mut self, now: u64, too_old: bool) -> bool {
        let due = self.due.is_some_and(|due| due <= now) || too_old;
        let begin = due && !self.asking && self.not_before <= now;
        if begin {
            self.asking = true;
            self.due = None;
            self.not_before = now.saturating_add(PAUSE_MS);
        }
        begin
    }

    /// The question has ended. Without a usable answer it is asked again, after a pause. Returns
    /// whether this is the first failure in a row, which the operator is told of.
    pub(crate) fn answered(&mut self, now: u64, usable: bool) -> bool {
        let first = !usable && !self.failing;
        self.failing = !usable;
        self.asking = false;
        if !usable {
            self.not_before = now.saturating_add(PAUSE_MS);
            self.due.get_or_insert(now.saturating_add(PAUSE_MS));
        }
        first
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn asks_once_when_no_work_came_in_time() {
        let mut fallback = Fallback::default();
        assert!(!fallback.begin(0, false));
        fallback.expect(100, 1000);
        fallback.expect(900, 1000);
        assert!(!fallback.begin(1099, false));
        assert!(fallback.begin(1100, false), "the first notice counts");
        assert!(!fallback.begin(1200, true), "under way");
        assert!(!fallback.answered(1300, true));
        assert!(!fallback.begin(9999, false));
    }

    #[test]
    fn work_that_came_ends_the_wait() {
        let mut fallback = Fallback::default();
        fallback.expect(0, 1000);
        fallback.expect(10, 1000);
        assert_eq!(fallback.arrived(), Some(0), "the first notice");
        assert_eq!(fallback.arrived(), None);
        assert!(!fallback.begin(5000, false));
    }

    #[test]
    fn no_answer_is_asked_again_after_a_pause() {
        let mut fallback = Fallback::default();
        assert!(fallback.begin(10_000, true));
        assert!(fallback.answered(10_100, false), "told once");
        assert!(!fallback.begin(11_000, true));
        assert!(fallback.begin(11_100, false));
        assert!(!fallback.answered(11_200, false), "told already");
        fallback.arrived();
        assert!(fallback.begin(13_000, true));
        assert!(fallback.answered(13_100, false), "another time");
    }
}
