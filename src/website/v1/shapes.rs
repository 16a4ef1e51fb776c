//! What answers are made of: each kind of value is written in one way.

use super::super::text::coins;
use crate::history::Reasons;
use crate::rewards::Amount;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Coins as text, with eight places.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("pattern" = r"^[0-9]+\.[0-9]{8}$", "examples" = ["12.50000000"]))]
pub(super) struct Coins(String);

impl From<Amount> for Coins {
    fn from(amount: Amount) -> Self {
        Self(coins(amount.0.into()))
    }
}

impl From<u128> for Coins {
    fn from(units: u128) -> Self {
        Self(coins(units))
    }
}

/// Unix seconds.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = [1_700_000_000]))]
pub(super) struct Time(pub(super) u64);

impl Time {
    /// From unix milliseconds.
    pub(super) const fn of_ms(ms: u64) -> Self {
        Self(ms / 1000)
    }
}

/// Hashes a second.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = [20_971.52], "minimum" = 0))]
pub(super) struct Rate(pub(super) f64);

/// Work as difficulty: the sum of the difficulties of accepted shares.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = [1024.5], "minimum" = 0))]
pub(super) struct WorkDone(pub(super) f64);

/// A hash as explorers write it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("pattern" = "^[0-9a-f]{64}$",
    "examples" = ["12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"]))]
pub(super) struct HashText(String);

impl From<crate::chain::Hash> for HashText {
    fn from(hash: crate::chain::Hash) -> Self {
        Self(hash.to_string())
    }
}

/// A count.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = [7]))]
pub(super) struct Count(pub(super) u64);

/// What a pool, or a worker, calls itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9.rig1"]))]
pub(super) struct WorkerName(pub(super) String);

/// Who is paid.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9"]))]
pub(super) struct Address(pub(super) String);

/// Counts by the name of a reason.
pub(super) fn by_reason(reasons: &Reasons) -> BTreeMap<&'static str, u64> {
    reasons.each().map(|(reason, count)| (reason.name(), count)).collect()
}

/// What to ask for next.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["431"]))]
pub(super) struct Next(pub(super) String);

/// What is wrong: every answer that is not 200 or 304.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct Wrong {
    /// What is wrong, in words.
    #[schemars(extend("examples" = ["no pool of that name; /api/v1/pools lists them"]))]
    pub(super) error: String,
}
