//! What may stand behind the `?`.

use super::operation::Failure;
use crate::chain::Hash;
use crate::ledger::book::Place;
use crate::sys::clock::unix_ms;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Bound;

/// Entries of a list where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);
/// Rigs of a history at most.
const RIGS: u32 = 100;
/// Points of a pool's history at most.
const POINTS: u64 = 2000;
/// Points of each rig's at most.
const RIG_POINTS: u64 = 500;
/// The last second of the year 9999: later times are slips of the pen, such as milliseconds.
const LAST: u64 = 253_402_300_799;

const fn fifty() -> u32 {
    LIMIT.0
}

fn limit(asked: u32, most: u32) -> Result<u32, Failure> {
    match (1..=most).contains(&asked) {
        true => Ok(asked),
        false => Err(Failure::Bad(format!("limit must be from 1 to {most}"))),
    }
}

/// Which part of a list of blocks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Blocks {
    /// Entries at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// A height: only lower blocks. Or the `next` of an answer: what comes after it.
    #[serde(default)]
    #[schemars(extend("pattern" = "^[0-9]{1,18}(-[0-9a-f]{64})?$"))]
    before: Option<String>,
}

impl Blocks {
    pub(super) fn limit(&self) -> Result<u32, Failure> {
        limit(self.limit, LIMIT.1)
    }

    /// Where the list goes on.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let Some(text) = &self.before else { return Ok(Place { height: u64::MAX, hash: None }) };
        let place = match text.split_once('-') {
            None => number(text).map(|height| Place { height, hash: None }),
            Some((height, hash)) => number(height).and_then(|height| {
                let hash = hash_of(hash)?;
                Some(Place { height, hash: Some(hash) })
            }),
        };
        place.ok_or_else(|| Failure::Bad("before must be a height, or a `next`".to_owned()))
    }
}

/// Up to 18 digits, which fit into every store.
fn number(text: &str) -> Option<u64> {
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A hash in lower case: as it is stored.
fn hash_of(text: &str) -> Option<Hash> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| Hash::from_display(text)).flatten()
}

/// The `next` behind a block.
pub(super) fn after_block(height: u64, hash: Hash) -> String {
    format!("{height}-{hash}")
}

/// Which part of a list of payouts, or payments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Payouts {
    /// Entries at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// Only payouts with a lower `id`; the `next` of an answer is such a number.
    #[serde(default)]
    #[schemars(extend("pattern" = "^[0-9]{1,18}$"))]
    before: Option<String>,
}

impl Payouts {
    pub(super) fn limit(&self) -> Result<u32, Failure> {
        limit(self.limit, LIMIT.1)
    }

    pub(super) fn below(&self) -> Result<i64, Failure> {
        below(self.before.as_deref())
    }
}

fn below(before: Option<&str>) -> Result<i64, Failure> {
    let Some(text) = before else { return Ok(i64::MAX) };
    let id = number(text).and_then(|id| i64::try_from(id).ok());
    id.ok_or_else(|| Failure::Bad("before must be an `id`, or a `next`".to_owned()))
}

/// Which payments a file has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sheet {
    /// Only payouts with a lower `id`: the header `Link` of an answer has it where more are left.
    #[serde(default)]
    #[schemars(extend("pattern" = "^[0-9]{1,18}$"))]
    before: Option<String>,
}

impl Sheet {
    pub(super) fn below(&self) -> Result<i64, Failure> {
        below(self.before.as_deref())
    }
}

/// Which part of a list of names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// Entries at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
    /// Only names behind this one, in the order of bytes; the `next` of an answer is such a name.
    #[serde(default)]
    after: String,
}

impl Names {
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        limit(self.limit, LIMIT.1).map(|limit| limit as usize)
    }

    /// Where this part begins: behind a name, if any.
    pub(super) fn after(&self) -> Bound<&str> {
        if self.after.is_empty() { Bound::Unbounded } else { Bound::Excluded(&self.after) }
    }

    /// Whether a name is in this part, or a later one.
    pub(super) fn is_left(&self, name: &str) -> bool {
        self.after.is_empty() || name > self.after.as_str()
    }
}

/// Which part of a history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// From when on, unix seconds; a day before `to` where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    from: Option<u64>,
    /// Until when, unix seconds; now where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    to: Option<u64>,
    /// Seconds of one point at least: 60, 600, 3,600 and 86,400 are kept, the longer the older. It
    /// is raised so far that there are 2,000 points at most.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    step: u64,
}

impl Span {
    /// From, to and step.
    pub(super) fn bounds(&self) -> Result<(u64, u64, u64), Failure> {
        bounds((self.from, self.to, self.step), POINTS)
    }
}

fn bounds(
    (from, to, step): (Option<u64>, Option<u64>, u64),
    points: u64,
) -> Result<(u64, u64, u64), Failure> {
    let to = to.unwrap_or(unix_ms() / 1000);
    let from = from.unwrap_or(to.saturating_sub(86_400));
    for (name, value) in [("from", from), ("to", to), ("step", step)] {
        if value > LAST {
            return Err(Failure::Bad(format!("{name} must be seconds, at most {LAST}")));
        }
    }
    Ok((from, to, step.max(to.saturating_sub(from).div_ceil(points)).max(60)))
}

/// Which part of the history of a miner's rigs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RigSpan {
    /// From when on, unix seconds; a day before `to` where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    from: Option<u64>,
    /// Until when, unix seconds; now where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    to: Option<u64>,
    /// Seconds of one point at least: 60, 600, 3,600 and 86,400 are kept, the longer the older. It
    /// is raised so far that each rig has 500 points at most.
    #[serde(default)]
    #[schemars(range(min = 0, max = 253_402_300_799_u64))]
    step: u64,
    /// Rigs at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Only rigs with names behind this one; the `next` of an answer is such a name.
    #[serde(default)]
    after: String,
}

impl RigSpan {
    /// From, to and step.
    pub(super) fn bounds(&self) -> Result<(u64, u64, u64), Failure> {
        bounds((self.from, self.to, self.step), RIG_POINTS)
    }

    pub(super) fn limit(&self) -> Result<usize, Failure> {
        limit(self.limit, RIGS).map(|limit| limit as usize)
    }

    /// Whether a rig is in this part, or a later one.
    pub(super) fn is_left(&self, name: &str) -> bool {
        self.after.is_empty() || name > self.after.as_str()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(before: &str) -> Result<Place, Failure> {
        Blocks { limit: 1, before: Some(before.to_owned()) }.place()
    }

    #[test]
    fn places_are_heights_or_what_an_answer_said() {
        let hash = Hash([7; 32]);
        let place = blocks(&after_block(431, hash)).unwrap();
        assert_eq!(place, Place { height: 431, hash: Some(hash) });
        assert_eq!(blocks("431").unwrap(), Place { height: 431, hash: None });
        for bad in ["", "-1", "+1", "1-", "1-x", "x", "1 ", "9999999999999999999", "0x1"] {
            assert!(blocks(bad).is_err(), "{bad}");
        }
        assert!(blocks(&format!("1-{}", "A".repeat(64))).is_err(), "hashes are lower case");
    }

    proptest! {
        #[test]
        fn no_words_are_too_odd(before in "\\PC{0,80}") {
            let _ = blocks(&before);
            let _ = below(Some(&before));
        }

        #[test]
        fn a_history_has_no_more_points_than_it_may(from in 0..=LAST, to in 0..=LAST, step in 0..=LAST) {
            let span = Span { from: Some(from), to: Some(to), step };
            let (from, to, step) = span.bounds().unwrap();
            prop_assert!(to.saturating_sub(from) / step <= POINTS);
        }
    }
}
