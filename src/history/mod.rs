//! Work over time, of a pool and of each worker, in slots that grow longer with age: one SQLite file
//! a coin, `dataDir/history/<coin>.sqlite`. See `docs/history.md`.
//!
//! Each record is added to one slot of every level, for its worker and for the pool, in one
//! transaction with the journals' positions: it counts exactly once.

mod batch;
mod file;
mod level;
mod names;
mod reasons;
mod store;

pub use batch::Batch;
pub use reasons::Reasons;
pub use store::Store;

use crate::chain::Hash;
use crate::stratum::{Reject, Unit, Weight, address_part};
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
    /// Those of them whose reason is known: earlier releases kept none.
    pub reasons: Reasons,
}

impl Sum {
    /// Shares that were refused.
    #[must_use]
    pub fn refused(reject: Reject, count: u32) -> Self {
        let rejected = u64::from(count);
        Self { rejected, reasons: Reasons::of(reject, rejected), ..Self::default() }
    }

    /// Adds more. What leaves 64 bits stays at the largest number.
    pub fn add(&mut self, more: Self) {
        self.weight = self.weight.saturating_add(more.weight);
        self.shares = self.shares.saturating_add(more.shares);
        self.rejected = self.rejected.saturating_add(more.rejected);
        self.reasons.add(&more.reasons);
    }
}

/// A worker's last accepted share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Last {
    /// When, unix seconds.
    pub at: u64,
    /// What it was credited with: its difficulty, in units.
    pub weight: Weight,
}

/// What a worker did of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Its work.
    pub sum: Sum,
    /// Its last accepted share; `None`: none since the file knows them.
    pub last: Option<Last>,
}

/// A found block, and what it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mined {
    /// Block hash.
    pub hash: Hash,
    /// Height.
    pub height: u64,
    /// When, unix ms.
    pub time: u64,
    /// Network difficulty.
    pub difficulty: f64,
    /// Accepted work since the block before it: of all solo miners for a solo block, else of all
    /// others; `None`: this history did not see all of it.
    pub work: Option<Weight>,
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
    /// Addresses that they work for; `None`: unknown, as of slots that an earlier release began.
    pub miners: Option<u32>,
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
    /// Of the file's schema.
    version: i64,
}

impl History {
    /// Opens a coin's history for reading; `None` when there is none.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn open_for_reading(data_dir: &Path, coin: &str) -> Result<Option<Self>, HistoryError> {
        let path = file::path(data_dir, coin);
        let opened = file::open_for_reading(&path).map_err(|fault| fault.at(&path))?;
        Ok(opened.map(|(connection, version)| Self { connection, path, version }))
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
    pub fn workers(&self, since: u64) -> Result<BTreeMap<String, Recent>, HistoryError> {
        let level = self.level(since, 0)?;
        self.explained(|connection| {
            // Not summed up by SQLite, which would fail beyond 64 bits.
            let mut sums: HashMap<i64, Sum> = HashMap::new();
            let sql = format!(
                "SELECT worker, weight, shares, rejected, {} FROM slot \
                 WHERE length = ?1 AND at >= ?2",
                self.reasons()
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows =
                statement.query(params![stored(level.length), stored(level.begin(since))])?;
            while let Some(row) = rows.next()? {
                sums.entry(row.get(0)?).or_default().add(sum(row, 1)?);
            }
            let sql = match self.is_old() {
                true => "SELECT name, NULL, NULL FROM worker WHERE id = ?1",
                false => {
                    "SELECT name, at, weight FROM worker LEFT JOIN last ON worker = id \
                     WHERE id = ?1"
                }
            };
            let mut find = connection.prepare_cached(sql)?;
            let mut named = BTreeMap::new();
            for (worker, sum) in sums {
                let read = |row: &Row<'_>| Ok((row.get(0)?, last(row, 1)?));
                // Removed in between: it was too old.
                if let Some((name, last)) = find.query_row([worker], read).optional()? {
                    named.insert(name, Recent { sum, last });
                }
            }
            Ok(named)
        })
    }

    /// The last accepted shares of an address's workers, by name.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn last(&self, address: &str) -> Result<BTreeMap<String, Last>, HistoryError> {
        if self.is_old() {
            return Ok(BTreeMap::new());
        }
        self.explained(|connection| {
            let sql = "SELECT name, at, weight FROM account \
                 CROSS JOIN worker ON worker.account = account.id \
                 CROSS JOIN last ON last.worker = worker.id WHERE address = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([address_part(address)], |row| {
                Ok((row.get(0)?, last(row, 1)?.unwrap_or_default()))
            })?;
            rows.collect()
        })
    }

    /// So many found blocks, newest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn blocks(&self, most: u32) -> Result<Vec<Mined>, HistoryError> {
        if self.is_old() {
            return Ok(Vec::new());
        }
        self.explained(|connection| {
            let sql = "SELECT hash, height, time, difficulty, weight FROM block \
                 ORDER BY time DESC LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([most], |row| {
                let hash = Hash::from_display(&row.get::<_, String>(0)?);
                Ok(Mined {
                    hash: hash.unwrap_or(Hash([0; 32])),
                    height: natural(row.get(1)?),
                    time: natural(row.get(2)?),
                    difficulty: row.get(3)?,
                    work: row.get::<_, Option<i64>>(4)?.map(natural),
                })
            })?;
            rows.collect()
        })
    }

    /// The network's difficulty over time (begin of the slot, unix seconds; the last that was heard
    /// in it), of the slots that [`Self::pool`] takes.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn network(&self, from: u64, to: u64, step: u64) -> Result<Vec<(u64, f64)>, HistoryError> {
        if self.is_old() {
            return Ok(Vec::new());
        }
        let level = self.level(from, step)?;
        self.explained(|connection| {
            let sql = "SELECT at, difficulty FROM network \
                 WHERE length = ?1 AND at >= ?2 AND at < ?3 ORDER BY at";
            let mut statement = connection.prepare_cached(sql)?;
            let span = params![stored(level.length), stored(level.begin(from)), stored(to)];
            let rows = statement.query_map(span, |row| Ok((natural(row.get(0)?), row.get(1)?)))?;
            rows.collect()
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
            let sql = format!(
                "SELECT at, weight, shares, rejected, {}, workers, {} FROM pool \
                 WHERE length = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
                self.reasons(),
                if self.version < 3 { "NULL" } else { "miners" }
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let span = params![stored(level.length), stored(level.begin(from)), stored(to)];
            let rows = statement.query_map(span, |row| {
                let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
                let workers = count(row.get(5)?);
                let miners = row.get::<_, Option<i64>>(6)?.map(count);
                let (at, length) = (natural(row.get(0)?), level.length);
                Ok(Point { at, length, sum: sum(row, 1)?, workers, miners })
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
            let mut found: BTreeMap<String, Vec<Point>> = BTreeMap::new();
            let find = "SELECT id FROM account WHERE address = ?1";
            let account = connection
                .prepare_cached(find)?
                .query_row([address_part(address)], |row| row.get::<_, i64>(0));
            let Some(account) = account.optional()? else { return Ok(found) };
            // One by one of the pool's slots: a slot's workers of one address lie together, and no
            // planner of joins can take it into its head to look at those of all others.
            let mut slots = connection.prepare_cached(
                "SELECT at FROM pool WHERE length = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
            )?;
            let sql = format!(
                "SELECT weight, shares, rejected, {}, name FROM slot \
                 CROSS JOIN worker ON worker.id = slot.worker \
                 WHERE length = ?1 AND at = ?2 AND slot.account = ?3",
                self.reasons()
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let (begin, length) = (stored(level.begin(from)), level.length);
            let mut begins = slots.query(params![stored(length), begin, stored(to)])?;
            while let Some(slot) = begins.next()? {
                let at: i64 = slot.get(0)?;
                let mut rows = statement.query(params![stored(length), at, account])?;
                while let Some(row) = rows.next()? {
                    let (at, sum) = (natural(at), sum(row, 0)?);
                    let point = Point { at, length, sum, workers: 1, miners: Some(1) };
                    found.entry(row.get(4)?).or_default().push(point);
                }
            }
            Ok(found)
        })
    }

    /// Whether the file is of an earlier release, and no bookkeeper has opened it since.
    const fn is_old(&self) -> bool {
        self.version < 2
    }

    /// The column with reasons.
    const fn reasons(&self) -> &'static str {
        if self.is_old() { "NULL" } else { "reasons" }
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

/// Four columns of a row.
fn sum(row: &Row<'_>, first: usize) -> rusqlite::Result<Sum> {
    let [weight, shares, rejected] = [row.get(first)?, row.get(first + 1)?, row.get(first + 2)?];
    let reasons = row.get_ref(first + 3)?.as_blob_or_null()?;
    Ok(Sum {
        weight: natural(weight),
        shares: natural(shares),
        rejected: natural(rejected),
        reasons: reasons.map(Reasons::from_stored).unwrap_or_default(),
    })
}

/// Two columns of a row.
fn last(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Last>> {
    let at: Option<i64> = row.get(first)?;
    let weight: Option<i64> = row.get(first + 1)?;
    Ok(at.zip(weight).map(|(at, weight)| Last { at: natural(at), weight: natural(weight) }))
}

#[cfg(test)]
pub(crate) mod tests;
