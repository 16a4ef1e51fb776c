//! Work over time, of a pool and of each worker, in slots that grow longer with age.

use crate::stratum::{Unit, Weight};
use std::collections::BTreeMap;
use std::path::Path;

/// Work of a while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sum {
    /// Accepted work, in the coin's unit.
    pub weight: Weight,
    /// Accepted shares.
    pub shares: u64,
    /// Refused shares.
    pub rejected: u64,
}

/// Work of one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Point {
    /// Its begin, unix seconds.
    pub at: u64,
    /// Its length, seconds.
    pub length: u64,
    /// What was done in it.
    pub sum: Sum,
    /// Workers that did it.
    pub workers: u32,
}

/// Why history cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {words}")]
pub struct HistoryError {
    /// The file.
    pub place: String,
    /// What is wrong.
    pub words: String,
}

/// A coin's history.
#[derive(Debug)]
pub struct History {}

impl History {
    /// Opens a coin's history for reading; `None` when there is none.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open_for_reading(_data_dir: &Path, _coin: &str) -> Result<Option<Self>, HistoryError> {
        Ok(None)
    }

    /// Unit of all weights; `None` before the first share.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn unit(&self) -> Result<Option<Unit>, HistoryError> {
        Ok(None)
    }

    /// Work by worker name since a moment, unix seconds.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn workers(&self, _since: u64) -> Result<BTreeMap<String, Sum>, HistoryError> {
        Ok(BTreeMap::new())
    }

    /// Work of the pool from a moment until another, unix seconds, in steps of at least `step`
    /// seconds, oldest first; slots without work are left out.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn pool(&self, _from: u64, _to: u64, _step: u64) -> Result<Vec<Point>, HistoryError> {
        Ok(Vec::new())
    }

    /// Likewise, by worker name, of all workers of an address (what stands before the first `.`,
    /// `_` or `/` of a name).
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn miner(
        &self,
        _address: &str,
        _from: u64,
        _to: u64,
        _step: u64,
    ) -> Result<BTreeMap<String, Vec<Point>>, HistoryError> {
        Ok(BTreeMap::new())
    }
}
