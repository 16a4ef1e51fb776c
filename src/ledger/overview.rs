//! What a tally tells its readers.

use crate::journal::{Answer, BlockFound, Verdict};
use crate::stratum::{Reject, Unit, Weight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All sums of a coin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// Unit of the weights; `None` before the first share.
    pub unit: Option<Unit>,
    /// Shares accepted since ever.
    pub accepted: u64,
    /// Shares refused since ever, by reason.
    pub rejected: BTreeMap<Reject, u64>,
    /// The current round.
    pub round: Round,
    /// Found blocks since ever.
    pub blocks_found: u64,
    /// Found blocks, newest first.
    pub blocks: Vec<BlockRow>,
    /// Accepted weight and shares by minute since 1970, a day at most.
    pub minutes: BTreeMap<u64, super::Minute>,
}

/// The current round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// The first height that it can end at: one above the last found block; `None` before that.
    pub height: Option<u64>,
    /// When it began (the last found block), unix milliseconds.
    pub started: Option<u64>,
    /// Work by worker name.
    pub miners: BTreeMap<String, Weight>,
}

/// A found block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockRow {
    /// What was found.
    pub found: BlockFound,
    /// What became of it.
    pub state: BlockState,
    /// Each daemon's last words about it.
    pub answers: Vec<Answer>,
}

/// What became of a found block, as far as the daemons said at submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockState {
    /// Nothing known yet.
    Found,
    /// Submitted; no daemon has said yes or no.
    Unknown,
    /// Every daemon that answered refused it.
    Rejected,
    /// A daemon took it. Never taken back here: orphans are the payments' affair.
    Accepted,
}

impl BlockState {
    /// Its name in ledgers and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Accepted => "accepted",
        }
    }

    /// From its stored name; what is not known is `Found`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        [Self::Unknown, Self::Rejected, Self::Accepted]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Found)
    }
}

impl From<Verdict> for BlockState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => Self::Accepted,
            Verdict::Rejected => Self::Rejected,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl Overview {
    /// Refused shares for all reasons.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// A weight as difficulty. Exact up to 2^53 units.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub fn difficulty(&self, weight: Weight) -> f64 {
        weight as f64 * self.unit.map_or(1.0, Unit::as_f64)
    }

    /// Hashes a second over the last ten minutes before `now`, unix milliseconds; of a pool that
    /// began within them, since the minute of its first share. `shift` is the algorithm's
    /// `multiplier_shift`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub fn hash_rate(&self, now: u64, shift: u32) -> f64 {
        let minute = now / 60_000;
        let began = self.minutes.keys().next().copied().unwrap_or(0);
        let first = began.clamp(minute.saturating_sub(9), minute);
        let seconds = now.saturating_sub(first * 60_000).max(1000) as f64 / 1000.0;
        let weight: f64 =
            self.minutes.range(first..=minute).map(|(_, work)| work.weight as f64).sum();
        self.unit.unwrap_or(Unit(0)).hash_rate(weight, shift, seconds)
    }
}
