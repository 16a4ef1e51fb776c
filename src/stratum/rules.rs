//! What the operator decided about one port, as far as sessions need it.

use super::{Difficulty, Rate, Unit};
use serde::{Deserialize, Serialize};

/// A port's vardiff (`varDiff` in the configuration).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarDiffRules {
    /// Lowest difficulty.
    pub min: Difficulty,
    /// Highest difficulty.
    pub max: Difficulty,
    /// Wanted seconds between shares.
    pub target_time: f64,
    /// Seconds between looks at a settled miner.
    pub retarget_time: f64,
    /// How far the time between shares may be off before the difficulty changes, in per cent.
    pub variance_percent: f64,
    /// Change by exactly 2 or 1/2.
    pub x2_mode: bool,
}

/// A port's rules.
#[derive(Debug, Clone, PartialEq)]
pub struct PortRules {
    /// Unit of the coin's ledger: each difficulty is a whole number of it.
    pub unit: Unit,
    /// The algorithm's `multiplier_shift`: what a difficulty means as a target.
    pub shift: u32,
    /// Difficulty of a newcomer.
    pub start: Difficulty,
    /// Vardiff; without it the difficulty is `start`.
    pub var_diff: Option<VarDiffRules>,
    /// Bytes of extranonce2, 4..=8.
    pub extranonce2_size: u8,
    /// Version bits that miners may roll (BIP 310); 0 refuses rolling.
    pub version_mask: u32,
    /// Close a miner that had no share for so long, milliseconds; 0 never does.
    pub connection_timeout_ms: u64,
    /// What a connection may do.
    pub limits: SessionLimits,
}

/// What one connection may do (`limits` in the configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// Lines in a row that are no requests, after which the connection is closed.
    pub bad_lines: u8,
    /// Requests other than shares.
    pub requests: Rate,
    /// `mining.authorize` alone.
    pub authorizes: Rate,
    /// Shares.
    pub submits: Rate,
    /// Shares that are refused, for whatever reason but the pool's own.
    pub refused: Rate,
    /// Milliseconds after the connection is made until `mining.subscribe` must have come.
    pub subscribe_ms: u64,
    /// Milliseconds after the connection is made until a name must be authorised.
    pub authorize_ms: u64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            bad_lines: 3,
            requests: Rate::per_second(100, 300),
            authorizes: Rate { per_minute: 60, burst: 100 },
            submits: Rate::per_second(2000, 10_000),
            refused: Rate::per_second(50, 1000),
            subscribe_ms: 20_000,
            authorize_ms: 60_000,
        }
    }
}

impl PortRules {
    /// What a miner gets who asks for a difficulty: within vardiff's bounds; on a port without
    /// vardiff never less than the port's own.
    #[must_use]
    pub fn grant(&self, wanted: Difficulty) -> Difficulty {
        let wanted = Difficulty::nearest(wanted.as_f64(), self.unit);
        match &self.var_diff {
            Some(var_diff) => var_diff.clamp(wanted),
            None if wanted.weight < self.start.weight => self.start,
            None => wanted,
        }
    }

    /// The difficulty of a newcomer who asks for nothing.
    #[must_use]
    pub fn newcomer(&self) -> Difficulty {
        self.grant(self.start)
    }
}

impl VarDiffRules {
    /// The nearest difficulty within the bounds. Bounds the wrong way round: `min` wins.
    #[must_use]
    pub fn clamp(&self, wanted: Difficulty) -> Difficulty {
        Difficulty { weight: wanted.weight.min(self.max.weight).max(self.min.weight), ..wanted }
    }
}
