//! How far a ledger is behind the journals.

use super::{HEADER_LEN, Peek, Reader};
use std::collections::BTreeMap;
use std::path::Path;

/// What of the journals is not in the ledger yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Bytes.
    pub bytes: u64,
    /// Age of the oldest such record, milliseconds; `None` when there is none.
    pub ms: Option<u64>,
}

/// How far a coin's ledger is behind at `now`, unix milliseconds: `positions` says how far each
/// stream has been added.
#[must_use]
pub fn lag(data_dir: &Path, coin: &str, positions: &BTreeMap<String, u64>, now: u64) -> Lag {
    let mut lag = Lag { bytes: 0, ms: None };
    for stream in super::streams(data_dir, coin).unwrap_or_default() {
        let path = super::path(data_dir, coin, &stream.name);
        let length = std::fs::metadata(&path).map_or(0, |facts| facts.len());
        let done = positions.get(&stream.name).copied().unwrap_or(0).max(HEADER_LEN);
        if length <= done {
            continue;
        }
        lag.bytes += length - done;
        let Ok(mut reader) = Reader::open(&path, done) else { continue };
        if let Ok(Peek::Record(record)) = reader.peek() {
            lag.ms = lag.ms.max(Some(now.saturating_sub(record.time())));
        }
    }
    lag
}
