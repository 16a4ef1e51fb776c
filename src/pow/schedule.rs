//! What N a header's own time asks for: the coins whose proof of work takes more memory by the year.

use serde::{Deserialize, Serialize};

/// log2 of the least N in a [`TimeTable`].
const LEAST: u8 = 10;

/// scrypt-n: from which Unix time each N holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeTable {
    /// By log2 of N, 1024 first, 524288 last; 0 where an N is not used.
    starts: [u32; 10],
}

impl TimeTable {
    /// Vertcoin's, which NOMP has for every coin that says nothing. NOMP's own has two larger N
    /// behind these, with times before theirs: no chain can have used them.
    pub const VERTCOIN: Self = Self {
        starts: [
            0,
            1_389_306_217,
            1_456_415_081,
            1_506_746_729,
            1_557_078_377,
            1_657_741_673,
            1_859_068_265,
            2_060_394_857,
            0,
            0,
        ],
    };

    /// A table of pairs of N and Unix time in seconds. A larger N cannot begin before a smaller one:
    /// one that does, as NOMP's last two do, is left out. An error names what cannot be used.
    ///
    /// # Errors
    /// An N that is no power of two from 1024 to 524288; no N at all.
    pub fn new(pairs: impl IntoIterator<Item = (u64, u32)>) -> Result<Self, BadN> {
        let mut starts = [0_u32; 10];
        for (n, time) in pairs {
            let at = n.checked_ilog2().and_then(|log| log.checked_sub(LEAST.into()));
            let start = at.and_then(|at| starts.get_mut(at as usize));
            match start {
                // 0 is how an unused N is written; nobody mined in 1970.
                Some(start) if n.is_power_of_two() => *start = time.max(1),
                _ => return Err(BadN(n)),
            }
        }
        let mut latest = 0;
        for start in &mut starts {
            if *start < latest {
                *start = 0;
            }
            latest = latest.max(*start);
        }
        if latest == 0 { Err(BadN(0)) } else { Ok(Self { starts }) }
    }

    /// log2 of N at that time: of the largest one that has begun; before any has, of the first.
    #[must_use]
    pub fn log_n(&self, time: u32) -> u8 {
        let used = || (LEAST..).zip(self.starts).filter(|(_, start)| *start > 0);
        let begun = used().filter(|(_, start)| *start <= time).last();
        begun.or_else(|| used().next()).map_or(LEAST, |(log, _)| log)
    }
}

/// An N that a [`TimeTable`] cannot have; 0 for a table without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadN(pub u64);

/// scrypt-jane: how the N factor grows. N is 2^(factor + 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Growth {
    /// When the chain began, Unix time in seconds; 0: before all times.
    pub start: u32,
    /// The least factor after that.
    pub least: u8,
    /// The greatest factor.
    pub most: u8,
}

impl Growth {
    /// The factor up to the chain's beginning, whatever the least one is.
    const FIRST: u8 = 4;

    /// The greatest factor that a coin may have.
    pub const LARGEST: u8 = 32;

    /// YaCoin's, which NOMP has for every coin that says nothing.
    pub const YACOIN: Self = Self { start: 1_367_991_200, least: 4, most: 30 };

    /// The factor at that Unix time.
    #[must_use]
    pub fn factor(&self, time: u32) -> u8 {
        if self.start > 0 && time <= self.start {
            return Self::FIRST;
        }
        let elapsed = time - self.start;
        // A number of three bits, and how often it was halved to be one.
        let halved = elapsed.checked_ilog2().unwrap_or_default().saturating_sub(2);
        let hundredths = 170 * halved + 25 * (elapsed >> halved & 3);
        let factor = u8::try_from(hundredths.saturating_sub(2320) / 100).unwrap_or(u8::MAX);
        factor.max(self.least).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_is_the_largest_that_has_begun() {
        let table = TimeTable::VERTCOIN;
        for (time, log_n) in [
            (0, 11),
            (1_389_306_217, 11),
            (1_456_415_080, 11),
            (1_456_415_081, 12),
            (1_600_000_000, 14),
            (1_800_000_000, 15),
            (u32::MAX, 17),
        ] {
            assert_eq!(table.log_n(time), log_n, "{time}");
        }
    }

    /// NOMP's own table, whose last two times belong to no chain.
    #[test]
    fn an_n_cannot_begin_before_a_smaller_one() {
        let pairs = [
            (2048, 1_389_306_217),
            (4096, 1_456_415_081),
            (8192, 1_506_746_729),
            (16384, 1_557_078_377),
            (32768, 1_657_741_673),
            (65536, 1_859_068_265),
            (131_072, 2_060_394_857),
            (262_144, 1_722_307_603),
            (524_288, 1_769_642_992),
        ];
        assert_eq!(TimeTable::new(pairs), Ok(TimeTable::VERTCOIN));
    }

    #[test]
    fn a_table_needs_powers_of_two() {
        for n in [0, 1, 512, 1000, 3000, 1 << 20, u64::MAX] {
            assert_eq!(TimeTable::new([(n, 5)]), Err(BadN(n)), "{n}");
        }
        assert_eq!(TimeTable::new([]), Err(BadN(0)));
        assert_eq!(TimeTable::new([(1024, 0)]).map(|table| table.log_n(0)), Ok(10));
    }

    /// Where each factor begins, in seconds after the chain's beginning.
    #[test]
    fn factors_grow_as_yacoins_do() {
        let growth = Growth::YACOIN;
        let factor = |elapsed| growth.factor(growth.start + elapsed);
        let steps = [
            (524_288, 5),
            (786_432, 6),
            (1_048_576, 7),
            (1_835_008, 8),
            (2_097_152, 9),
            (4_194_304, 10),
            (5_242_880, 11),
            (8_388_608, 12),
            (12_582_912, 13),
            (16_777_216, 14),
            (33_554_432, 15),
            (41_943_040, 16),
            (67_108_864, 17),
            (100_663_296, 18),
            (134_217_728, 19),
            (234_881_024, 20),
            (268_435_456, 21),
            (536_870_912, 22),
            (805_306_368, 23),
            (1_073_741_824, 24),
        ];
        assert_eq!((factor(1), factor(524_287)), (4, 4));
        for (elapsed, n) in steps {
            assert_eq!((factor(elapsed - 1), factor(elapsed)), (n - 1, n), "{elapsed}");
        }
    }

    #[test]
    fn factors_stay_between_least_and_most() {
        let growth = Growth { start: 1_375_801_200, least: 6, most: 12 };
        assert_eq!(growth.factor(0), 4);
        assert_eq!(growth.factor(growth.start), 4);
        assert_eq!(growth.factor(growth.start + 1), 6);
        assert_eq!(growth.factor(u32::MAX), 12);
        let always = Growth { start: 0, least: 9, most: 9 };
        assert_eq!([0, 1, u32::MAX].map(|time| always.factor(time)), [9; 3]);
    }
}
