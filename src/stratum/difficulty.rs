//! Share difficulty as an exact number: an integer weight in units of a power of two.

use crate::chain::Target;
use ethnum::U256;
use serde::{Deserialize, Serialize};

/// The power of two in which a coin's ledger counts work: one weight is difficulty 2^exponent.
///
/// Fixed per coin when its ledger is made, so that sums of weights are exact for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(pub i8);

/// Work of shares as an integer: difficulty / 2^unit.
pub type Weight = u64;

impl Unit {
    /// The largest weight of a difficulty: a few of them still add up.
    pub const MOST: Weight = 1 << 62;

    /// The unit of a coin whose smallest configured difficulty is `smallest`: the power of two at
    /// or below smallest / 1024, so that each difficulty sent is exact to 0.1 % or better.
    #[must_use]
    pub fn for_smallest(smallest: f64) -> Self {
        let exponent = (smallest / 1024.0).log2().floor().clamp(-100.0, 100.0);
        #[expect(clippy::cast_possible_truncation, reason = "clamped to ±100 above")]
        Self(exponent as i8)
    }

    /// A difficulty, such as the network's, in whole units: at least 1, at most [`Self::MOST`].
    #[must_use]
    pub fn weight_of(self, difficulty: f64) -> Weight {
        let units = (difficulty / self.as_f64()).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let weight = units as Weight;
        weight.clamp(1, Self::MOST)
    }

    /// The difficulty of one weight.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0).exp2()
    }

    /// Hashes a second of who does some work, in weights, within some seconds. `shift` is the
    /// algorithm's `multiplier_shift`: a share of difficulty 1 stands for 2^(32 - shift) hashes.
    #[must_use]
    pub fn hash_rate(self, weight: f64, shift: u32, seconds: f64) -> f64 {
        let hashes = (32.0 - f64::from(shift)).exp2();
        weight * self.as_f64() * hashes / seconds
    }
}

/// A share difficulty that is a whole number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difficulty {
    /// In units; at least 1.
    pub weight: Weight,
    /// The unit.
    pub unit: Unit,
}

impl Difficulty {
    /// The nearest whole number of units, at least one, at most 2^53 (so that it prints exactly).
    #[must_use]
    pub fn nearest(difficulty: f64, unit: Unit) -> Self {
        const MOST: f64 = 9_007_199_254_740_992.0;
        let units = (difficulty / unit.as_f64()).round();
        let units = if units.is_nan() { 1.0 } else { units.clamp(1.0, MOST) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        Self { weight: units as Weight, unit }
    }

    /// The largest whole number of units that is not above a difficulty, at least one. A billionth
    /// is taken off first, so that the rounding of the float never lifts it above.
    #[must_use]
    pub fn at_most(difficulty: f64, unit: Unit) -> Self {
        let units = (difficulty * (1.0 - 1e-9) / unit.as_f64()).floor();
        Self::nearest(units * unit.as_f64(), unit)
    }

    /// As the number that miners are told. Exact: the weight is at most 2^53.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        let weight = self.weight as f64;
        weight * self.unit.as_f64()
    }

    /// The target that a share of this difficulty must meet: `diff1 · 2^shift / difficulty`,
    /// rounded down, at most 2^256 - 1. `shift` is the algorithm's `multiplier_shift`.
    #[must_use]
    pub fn target(self, shift: u32) -> Target {
        /// Bits that 0xffff can be shifted by within 256 bits.
        const ROOM: u32 = 240;
        let weight = U256::from(self.weight.max(1));
        // At least 208 - 127.
        let bits = (208 + shift.min(256)).saturating_add_signed(-i32::from(self.unit.0));
        let numerator = U256::from(0xffff_u32) << bits.min(ROOM);
        let (mut quotient, mut rest) = (numerator / weight, numerator % weight);
        // The numerator's bits past 2^256 one by one; at most 64 until the quotient is full.
        for _ in ROOM..bits {
            if quotient >> 255 != U256::ZERO {
                return Target(U256::MAX);
            }
            rest <<= 1;
            let carry = rest >= weight;
            if carry {
                rest -= weight;
            }
            quotient = quotient << 1 | U256::from(carry);
        }
        Target(quotient.max(U256::ONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(weight: Weight, unit: i8, shift: u32) -> U256 {
        Difficulty { weight, unit: Unit(unit) }.target(shift).0
    }

    #[test]
    fn difficulty_1_has_the_algorithms_own_target() {
        assert_eq!(target(1, 0, 0), Target::DIFFICULTY_1.0);
        assert_eq!(target(1024, -10, 16), Target::DIFFICULTY_1.0 << 16);
        assert_eq!(target(3, 0, 0), Target::DIFFICULTY_1.0 / U256::from(3_u32));
    }

    #[test]
    fn the_easiest_targets_saturate() {
        assert_eq!(target(1, -128, 16), U256::MAX);
        assert_eq!(target(0, -128, u32::MAX), U256::MAX);
        // 0xffff * 2^240 fits, twice that does not.
        assert_eq!(target(1, -32, 0), U256::from(0xffff_u32) << 240);
        assert_eq!(target(1, -33, 0), U256::MAX);
        // ... and a numerator past 2^256 divided back into 256 bits is exact.
        assert_eq!(target(6, -33, 0), (U256::from(0xffff_u32) << 240) / U256::from(3_u32));
    }

    #[test]
    fn the_nearest_unit_is_kept_within_its_bounds() {
        let unit = Unit::for_smallest(0.001);
        assert_eq!(unit, Unit(-20));
        assert_eq!(Difficulty::nearest(f64::NAN, unit).weight, 1);
        assert_eq!(Difficulty::nearest(-1.0, unit).weight, 1);
        assert_eq!(Difficulty::nearest(f64::INFINITY, unit).weight, 1 << 53);
        assert!((Difficulty::nearest(0.001, unit).as_f64() / 0.001 - 1.0).abs() < 0.001);
    }

    proptest! {
        /// q = floor(n / w) exactly when q * w <= n < (q + 1) * w, here with n = 0xffff << bits
        /// chosen so that all of it fits 256 bits.
        #[test]
        fn is_the_exact_floor(weight in 1_u64.., unit in -15_i8..=127, shift in 0_u32..=17) {
            let bits = 208 + i64::from(shift) - i64::from(unit);
            let numerator = U256::from(0xffff_u32) << u32::try_from(bits).unwrap_or(0);
            let quotient = target(weight, unit, shift);
            let low = quotient * U256::from(weight);
            prop_assert!(low <= numerator && numerator - low < U256::from(weight));
        }

        #[test]
        fn agrees_with_floating_point(weight in 1_u64.., unit: i8, shift in 0_u32..=16) {
            let exponent = 208.0 + f64::from(shift) - f64::from(unit);
            #[expect(clippy::cast_precision_loss, reason = "an approximation is wanted")]
            let wanted = (65_535.0_f64.log2() + exponent - (weight as f64).log2()).min(256.0);
            prop_assert!((target(weight, unit, shift).as_f64().log2() - wanted).abs() < 1e-9);
        }

        #[test]
        fn more_difficulty_is_never_an_easier_target(weight in 1_u64..u64::MAX, unit: i8) {
            prop_assert!(target(weight, unit, 16) >= target(weight + 1, unit, 16));
        }
    }
}
