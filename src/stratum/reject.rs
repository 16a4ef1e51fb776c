//! Why a share is refused: NOMP's codes, and words that dashboards know.

use serde::{Deserialize, Serialize};

/// Why a share was refused. The discriminant is stored in journals: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Reject {
    /// Malformed parameters (20).
    Malformed = 1,
    /// No such job (21): never issued here.
    UnknownJob = 2,
    /// A job of an older tip (21).
    Stale = 3,
    /// The same header again (22).
    Duplicate = 4,
    /// Above the share target of its job (23).
    LowDifficulty = 5,
    /// Not authorised under that name (24).
    Unauthorized = 6,
    /// Not subscribed (25).
    NotSubscribed = 7,
    /// Header time outside the job's range (20).
    Time = 8,
    /// Version bits outside the negotiated mask (20).
    Version = 9,
    /// Duplicate table full for this tip (20).
    TooMany = 10,
    /// The share could not be recorded (20).
    Storage = 11,
}

impl Reject {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::UnknownJob,
        Self::Stale,
        Self::Duplicate,
        Self::LowDifficulty,
        Self::Unauthorized,
        Self::NotSubscribed,
        Self::Time,
        Self::Version,
        Self::TooMany,
        Self::Storage,
    ];

    /// The stratum error code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Malformed | Self::Time | Self::Version | Self::TooMany | Self::Storage => 20,
            Self::UnknownJob | Self::Stale => 21,
            Self::Duplicate => 22,
            Self::LowDifficulty => 23,
            Self::Unauthorized => 24,
            Self::NotSubscribed => 25,
        }
    }

    /// The words sent to the miner, those that ckpool and public-pool use where they have them.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Malformed => "Malformed share",
            Self::UnknownJob => "Job not found",
            Self::Stale => "Stale",
            Self::Duplicate => "Duplicate share",
            Self::LowDifficulty => "Difficulty too low",
            Self::Unauthorized => "Unauthorized worker",
            Self::NotSubscribed => "Not subscribed",
            Self::Time => "Ntime out of range",
            Self::Version => "Invalid version mask",
            Self::TooMany => "Too many shares",
            Self::Storage => "Pool storage unavailable",
        }
    }

    /// The stable name in ledgers and JSON, e.g. `low-difficulty`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownJob => "unknown-job",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::LowDifficulty => "low-difficulty",
            Self::Unauthorized => "unauthorized",
            Self::NotSubscribed => "not-subscribed",
            Self::Time => "time",
            Self::Version => "version",
            Self::TooMany => "too-many",
            Self::Storage => "storage",
        }
    }

    /// From the stored discriminant.
    #[must_use]
    pub fn from_code(stored: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reject| *reject as u8 == stored)
    }

    /// Whether it counts towards a ban: never work that was merely late (NOMP A10).
    #[must_use]
    pub const fn is_misbehaviour(self) -> bool {
        !matches!(self, Self::Stale | Self::UnknownJob | Self::Storage | Self::TooMany)
    }
}
