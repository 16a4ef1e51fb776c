//! Work over time, of a pool and of each worker, in slots that grow longer with age: one SQLite file
//! a coin, `dataDir/history/<coin>.sqlite`. See `docs/history.md`.
//!
//! Each record is added to one slot of every level, for its worker and for the pool, in one
//! transaction with the journals' positions: it counts exactly once.

mod batch;
mod file;
mod level;
mod store;

pub use batch::Batch;
pub use store::Store;

use crate::stratum::{Unit, Weight, address_part};
use file::{Fault, meta, natural, stored};
use level::{Level, covering};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

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

impl Sum {
    /// Adds more. What leaves 64 bits stays at the largest number.
    pub fn add(&mut self, more: Self) {
        self.weight = self.weight.saturating_add(more.weight);
        self.shares = self.shares.saturating_add(more.shares);
        self.rejected = self.rejected.saturating_add(more.rejected);
    }
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

/// A coin's history, for its readers. Opening is cheap: do it for each question, so that a file that
/// was deleted and made anew is seen.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
}

impl History {
    /// Opens a coin's history for reading; `None` when there is none.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open_for_reading(data_dir: &Path, coin: &str) -> Result<Option<Self>, HistoryError> {
        let path = file::path(data_dir, coin);
        let connection = file::open_for_reading(&path).map_err(|fault| fault.at(&path))?;
        Ok(connection.map(|connection| Self { connection, path }))
    }

    /// Unit of all weights; `None` before the first share.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn unit(&self) -> Result<Option<Unit>, HistoryError> {
        let exponent = self.explained(|connection| meta(connection, "unit"))?;
        Ok(exponent.and_then(|exponent| i8::try_from(exponent).ok()).map(Unit))
    }

    /// Work by worker name since a moment, unix seconds. Slots are whole: the span begins with the
    /// minute that the moment lies in, or where minutes do not reach back, ten minutes, hour or day.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn workers(&self, since: u64) -> Result<BTreeMap<String, Sum>, HistoryError> {
        let level = self.level(since, 0)?;
        self.explained(|connection| {
            // Not summed up by SQLite, which would fail beyond 64 bits.
            let mut sums: HashMap<i64, Sum> = HashMap::new();
            let mut statement = connection.prepare_cached(
                "SELECT worker, weight, shares, rejected FROM slot WHERE length = ?1 AND at >= ?2",
            )?;
            let mut rows =
                statement.query(params![stored(level.length), stored(level.begin(since))])?;
            while let Some(row) = rows.next()? {
                sums.entry(row.get(0)?).or_default().add(sum(row, 1)?);
            }
            let mut name = connection.prepare_cached("SELECT name FROM worker WHERE id = ?1")?;
            let mut named = BTreeMap::new();
            for (worker, sum) in sums {
                // Removed in between: it was too old.
                if let Some(name) = name.query_row([worker], |row| row.get(0)).optional()? {
                    named.insert(name, sum);
                }
            }
            Ok(named)
        })
    }

    /// Work of the pool from a moment until another, unix seconds, in steps of at least `step`
    /// seconds, oldest first; slots without work are left out. The finest slots are taken that are
    /// kept since `from`, and whole: the first may begin before it.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn pool(&self, from: u64, to: u64, step: u64) -> Result<Vec<Point>, HistoryError> {
        let level = self.level(from, step)?;
        self.explained(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at, weight, shares, rejected, workers FROM pool \
                 WHERE length = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
            )?;
            let span = params![stored(level.length), stored(level.begin(from)), stored(to)];
            let rows = statement.query_map(span, |row| {
                let workers = u32::try_from(row.get::<_, i64>(4)?).unwrap_or(u32::MAX);
                let (at, length) = (natural(row.get(0)?), level.length);
                Ok(Point { at, length, sum: sum(row, 1)?, workers })
            })?;
            rows.collect()
        })
    }

    /// Likewise, by worker name, of all workers of an address (what stands before the first `.`,
    /// `_` or `/` of a name).
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn miner(
        &self,
        address: &str,
        from: u64,
        to: u64,
        step: u64,
    ) -> Result<BTreeMap<String, Vec<Point>>, HistoryError> {
        let level = self.level(from, step)?;
        self.explained(|connection| {
            // By the pool's slots: a slot's workers of one address lie together.
            let mut statement = connection.prepare_cached(
                "SELECT pool.at, slot.weight, slot.shares, slot.rejected, name \
                 FROM account CROSS JOIN pool CROSS JOIN slot \
                 ON slot.length = pool.length AND slot.at = pool.at AND slot.account = account.id \
                 CROSS JOIN worker ON worker.id = slot.worker \
                 WHERE address = ?1 AND pool.length = ?2 AND pool.at >= ?3 AND pool.at < ?4 \
                 ORDER BY pool.at",
            )?;
            let (begin, length) = (stored(level.begin(from)), level.length);
            let span = params![address_part(address), stored(length), begin, stored(to)];
            let mut rows = statement.query(span)?;
            let mut found: BTreeMap<String, Vec<Point>> = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let at = natural(row.get(0)?);
                let point = Point { at, length, sum: sum(row, 1)?, workers: 1 };
                found.entry(row.get(4)?).or_default().push(point);
            }
            Ok(found)
        })
    }

    fn level(&self, from: u64, step: u64) -> Result<&'static Level, HistoryError> {
        let trimmed = self.explained(|connection| meta(connection, "trimmed"))?;
        Ok(covering(from, step, trimmed.map_or(0, natural)))
    }

    fn explained<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        ask(&self.connection).map_err(|error| Fault::from(error).at(&self.path))
    }
}

/// Three columns of a row.
fn sum(row: &Row<'_>, first: usize) -> rusqlite::Result<Sum> {
    let [weight, shares, rejected] = [row.get(first)?, row.get(first + 1)?, row.get(first + 2)?];
    Ok(Sum { weight: natural(weight), shares: natural(shares), rejected: natural(rejected) })
}

#[cfg(test)]
mod tests;
