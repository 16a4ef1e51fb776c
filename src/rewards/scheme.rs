//! What a share earns, and what a block's reward is split over.

use serde::{Deserialize, Serialize};

/// How shares earn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// PROP: a block's reward is split over the work since the block before.
    #[default]
    Prop,
    /// PPLNS: it is split over the last work before the block, whichever blocks were found
    /// meanwhile.
    Pplns {
        /// How much work, in the unit of the coin's weights, at most 2^62.
        window: u64,
    },
    /// SOLO: it is the finder's.
    Solo,
}

impl Scheme {
    /// Its name in the configuration, in the book and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prop => "prop",
            Self::Pplns { .. } => "pplns",
            Self::Solo => "solo",
        }
    }
}
