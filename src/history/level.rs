//! How long slots are, and how long they are kept.

/// Slots of one length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// Seconds of one slot.
    pub(super) length: u64,
    /// Seconds that slots are kept, at least.
    keep: u64,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest slots; they may be kept longer than their level says.
pub(super) const LAST: Level = Level { length: DAY, keep: 30 * DAY };
/// All levels, the finest first. Each is kept at least as long as the ones before it, so that a
/// worker that is in any slot is in one of a day.
pub(super) const LEVELS: [Level; 4] = [
    Level { length: MINUTE, keep: 2 * HOUR },
    Level { length: 10 * MINUTE, keep: 2 * DAY },
    Level { length: HOUR, keep: 30 * DAY },
    LAST,
];

impl Level {
    /// Begin of the slot that a moment lies in, unix seconds.
    pub(super) const fn begin(&self, moment: u64) -> u64 {
        moment - moment % self.length
    }

    /// Begin of the oldest slot that is kept at a moment. `retention`: how long days are kept.
    pub(super) fn oldest(&self, now: u64, retention: u64) -> u64 {
        let keep = if *self == LAST { self.keep.max(retention) } else { self.keep };
        self.begin(now.saturating_sub(keep))
    }
}

/// The finest level with slots of at least `step` seconds that has all since `from`; of days when
/// there is none. `trimmed`: when old slots were removed last.
pub(super) fn covering(from: u64, step: u64, trimmed: u64) -> &'static Level {
    let covers = |level: &&Level| {
        level.length >= step && level.begin(from) >= level.oldest(trimmed, LAST.keep)
    };
    LEVELS.iter().find(covers).unwrap_or(&LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finest_level_that_has_it_all_is_chosen() {
        let now = 1_700_000_123;
        let chosen = |ago: u64, step: u64| covering(now - ago, step, now).length;
        assert_eq!(chosen(2 * HOUR, 0), MINUTE);
        assert_eq!(chosen(2 * HOUR, 61), 10 * MINUTE);
        assert_eq!(chosen(2 * HOUR + MINUTE, 0), 10 * MINUTE);
        assert_eq!(chosen(2 * DAY, MINUTE), 10 * MINUTE);
        assert_eq!(chosen(3 * DAY, MINUTE), HOUR);
        assert_eq!(chosen(31 * DAY, MINUTE), DAY);
        assert_eq!(chosen(400 * DAY, MINUTE), DAY);
        assert_eq!(chosen(HOUR, 7 * DAY), DAY);
        assert_eq!(covering(now - 400 * DAY, 0, 0).length, MINUTE, "nothing was removed yet");
    }

    #[test]
    fn days_are_kept_as_long_as_was_asked_for_and_thirty_at_least() {
        let now = 1_700_006_400 + 5;
        let kept = |retention| (now - LAST.oldest(now, retention)) / DAY;
        assert_eq!([kept(0), kept(43_200), kept(365 * DAY)], [30, 30, 365]);
        assert_eq!(LEVELS[0].oldest(now, 365 * DAY), LEVELS[0].oldest(now, 0));
    }

    #[test]
    fn a_longer_slot_is_never_removed_before_the_shorter_ones_in_it() {
        for now in (1_700_000_000..1_700_100_000).step_by(997) {
            for (fine, coarse) in LEVELS.iter().zip(LEVELS.iter().skip(1)) {
                assert!(coarse.oldest(now, 0) <= coarse.begin(fine.oldest(now, 0)));
            }
        }
    }
}
