//! The vault: found blocks on disk before they are submitted.

use super::BlockFound;
use serde::{Deserialize, Serialize};

/// A found block with its bytes: enough to submit it by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Coin id.
    pub coin: String,
    /// What the ledger is told.
    pub found: BlockFound,
    /// The whole block, as for `submitblock`.
    #[serde(with = "crate::chain::hex_bytes")]
    pub block: Vec<u8>,
}
