//! Journals: append-only files, one per worker and coin, that say what was accepted; and the vault
//! of found blocks.
//!
//! `dataDir/journal/<coin>/<stream>.log`; `dataDir/vault/<coin>/<hash>.json`.

mod record;
pub mod vault;

pub use record::{Answer, BlockFound, Outcome, Record, Verdict};
