//! What one connection leaves behind for the worker's next one.

use super::{Difficulty, PortRules, Session};
use serde::{Deserialize, Serialize};

/// The difficulty that a connection came to, and what it has measured there so far. Handed
/// to the next connection, so that leaving early gains nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub(super) difficulty: Difficulty,
    pub(super) measured: Measured,
}

/// Shares at one difficulty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) shares: u32,
    /// In how many milliseconds.
    pub(super) elapsed: u64,
    /// Milliseconds without a share at the end.
    pub(super) silent: u64,
    /// Milliseconds since the rate was last looked at.
    pub(super) looked: u64,
    /// Whether any share came, at whatever difficulty.
    pub(super) heard: bool,
}

impl Start {
    /// A difficulty of which nothing else is known.
    #[must_use]
    pub fn at(difficulty: Difficulty) -> Self {
        Self { difficulty, measured: Measured::default() }
    }

    /// What was measured, as far as it holds at a difficulty.
    pub(super) fn measured_at(&self, difficulty: Difficulty) -> Measured {
        if difficulty == self.difficulty {
            return self.measured;
        }
        Measured { heard: self.measured.heard, ..Measured::default() }
    }

    /// Whether any share came on the connection.
    #[must_use]
    pub const fn has_shares(&self) -> bool {
        self.measured.heard
    }

    /// The difficulty.
    #[must_use]
    pub const fn difficulty(&self) -> Difficulty {
        self.difficulty
    }
}

impl Session {
    /// What to remember of this connection at its end; `None` when nobody mined on it.
    #[must_use]
    pub fn parting(&self, now: u64) -> Option<Start> {
        self.workers().next()?;
        let present = self.difficulty();
        let difficulty = self.vardiff.good().unwrap_or(present);
        Some(Start { difficulty, measured: self.vardiff.measured(difficulty == present, now) })
    }

    /// What was remembered of this worker's last connection ([`Session::parting`]). Call before
    /// [`Session::authorized`]. What the miner itself asks for goes before it, and so does the name
    /// that a connection already mines under.
    pub fn remembered(&mut self, start: Start, rules: &PortRules) {
        if self.names.is_empty() && rules.var_diff.is_some() {
            self.remembered = Some(start);
        }
    }
}
