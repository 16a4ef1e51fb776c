//! `getblocktemplate`'s answer (BIP 22, 23, 145), parsed and checked.

use super::{Hash, Target};
use crate::rewards::Amount;

/// A block template as the daemon gave it, every field checked for shape.
#[derive(Debug, Clone)]
pub struct Template {
    /// Header version.
    pub version: u32,
    /// Hash of the block to build on.
    pub previous: Hash,
    /// Height of the block to build.
    pub height: u64,
    /// Daemon's time, unix seconds.
    pub time: u32,
    /// Earliest allowed header time, unix seconds.
    pub min_time: u32,
    /// Compact target.
    pub bits: u32,
    /// The target (from `target`, or from `bits` when absent).
    pub target: Target,
    /// Reward and fees available to the coinbase.
    pub coinbase_value: Amount,
    // ... transactions, witness commitment, aux flags, payload, payees, mweb: private to `chain`.
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not JSON of the expected shape.
    #[error("the template is not usable: {0}")]
    Shape(String),
}

impl Template {
    /// Parses the `result` of `getblocktemplate`.
    ///
    /// # Errors
    /// [`TemplateError`] naming the field that is missing or malformed.
    pub fn parse(json: &str) -> Result<Self, TemplateError> {
        let _ = json;
        unimplemented!()
    }
}
