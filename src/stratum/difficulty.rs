//! Share difficulty as an exact number: an integer weight in units of a power of two.

use crate::chain::Target;
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
    /// The unit of a coin whose smallest configured difficulty is `smallest`: the power of two at
    /// or below smallest / 1024, so that each difficulty sent is exact to 0.1 % or better.
    #[must_use]
    pub fn for_smallest(smallest: f64) -> Self {
        let exponent = (smallest / 1024.0).log2().floor().clamp(-100.0, 100.0);
        #[expect(clippy::cast_possible_truncation, reason = "clamped to ±100 above")]
        Self(exponent as i8)
    }

    /// The difficulty of one weight.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0).exp2()
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
        let _ = shift;
        unimplemented!()
    }
}
