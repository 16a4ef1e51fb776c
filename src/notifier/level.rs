//! Something that is well or not, told when it has been so for a while. Pure.

use serde::{Deserialize, Serialize};

/// How long (ms) what was down must be well before that is told.
const STEADY: u64 = 10_000;

/// How it was when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Level {
    /// Since when it has been bad, unix ms; `None`: it is well.
    bad: Option<u64>,
    /// Since when it has been well again after it was told, unix ms.
    well: Option<u64>,
    /// Whether it was told that it is bad.
    told: bool,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is bad, since then (unix ms).
    Bad(u64),
    /// It is well, after it was told that it is bad; it was bad since then (unix ms).
    Well(u64),
}

impl Level {
    /// One look at `now`, unix ms: it is bad or not; bad is told after so many ms.
    pub(super) fn step(&mut self, bad: bool, now: u64, after: u64) -> Option<Turn> {
        if bad {
            self.well = None;
            // A clock that was set back begins anew.
            let since = self.bad.filter(|since| *since <= now).unwrap_or(now);
            self.bad = Some(since);
            if !self.told && now - since >= after {
                self.told = true;
                return Some(Turn::Bad(since));
            }
            return None;
        }
        if !self.told {
            *self = Self::default();
            return None;
        }
        let since = self.well.filter(|since| *since <= now).unwrap_or(now);
        self.well = Some(since);
        if now - since < STEADY {
            return None;
        }
        let bad = self.bad.unwrap_or(since);
        *self = Self::default();
        Some(Turn::Well(bad))
    }

    /// Whether there is nothing to remember of it.
    pub(super) fn is_well(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_blinks_is_not_told_and_what_lasts_is_told_once() {
        let mut level = Level::default();
        for now in (0..100_000).step_by(5000) {
            // Bad for 25 s, well for 5 s, again and again.
            assert_eq!(level.step(now % 30_000 != 0, 1_000_000 + now, 30_000), None);
        }
        level = Level::default();
        let mut told = Vec::new();
        for now in (0..100_000).step_by(5000) {
            told.extend(level.step(now < 60_000, 2_000_000 + now, 30_000));
        }
        assert_eq!(told, [Turn::Bad(2_000_000), Turn::Well(2_000_000)]);
        assert!(level.is_well());
    }

    proptest! {
        /// Down and up take turns, whatever happens and whatever the clock does.
        #[test]
        fn down_and_up_take_turns(looks in proptest::collection::vec((any::<bool>(), 0_u64..200_000), 0..200)) {
            let mut level = Level::default();
            let mut last = false;
            for (bad, now) in looks {
                if let Some(turn) = level.step(bad, now, 30_000) {
                    let down = matches!(turn, Turn::Bad(_));
                    prop_assert_ne!(down, last);
                    last = down;
                }
            }
        }
    }
}
