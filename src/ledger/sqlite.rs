//! The embedded tally: one SQLite file per coin.
//!
//! Write-ahead log with `synchronous=FULL`: a batch that was applied survives a power cut, so the
//! journals it came from may be deleted. Tables are `STRICT`: a sum that leaves 64 bits is an
//! error, never a float.

mod backup;
mod claim;
mod slices;

use super::checkpoint::{Closed, Sums};
use super::{Applied, Batch, BlockRow, BlockState, Claim, Claimed, Minute, Overview, Round};
use super::{Tally, TallyError};
use crate::chain::Hash;
use crate::journal::BlockFound;
use crate::rewards::Scheme;
use crate::stratum::{Reject, Unit, Weight};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for another process's lock.
const BUSY: Duration = Duration::from_secs(5);
/// `PRAGMA user_version` of the schema below.
const VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (name = 'unit' OR value >= 0)) STRICT, WITHOUT ROWID;
CREATE TABLE position (stream TEXT PRIMARY KEY, offset INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rejected (reason TEXT PRIMARY KEY, count INTEGER NOT NULL CHECK (count >= 0)) STRICT, WITHOUT ROWID;
CREATE TABLE round (worker TEXT PRIMARY KEY, weight INTEGER NOT NULL CHECK (weight >= 0)) STRICT, WITHOUT ROWID;
CREATE TABLE closed_round (block TEXT, worker TEXT, weight INTEGER NOT NULL, PRIMARY KEY (block, worker)) STRICT, WITHOUT ROWID;
CREATE TABLE block (hash TEXT PRIMARY KEY, time INTEGER NOT NULL, found TEXT NOT NULL) STRICT;
CREATE INDEX block_time ON block (time);
CREATE TABLE outcome (hash TEXT PRIMARY KEY, state TEXT NOT NULL, rank INTEGER NOT NULL, answers TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE minute (minute INTEGER PRIMARY KEY, weight INTEGER NOT NULL CHECK (weight >= 0), shares INTEGER NOT NULL) STRICT;
";
/// Tables that files of before do not have.
const LATER: &str = "
CREATE TABLE IF NOT EXISTS slice (n INTEGER PRIMARY KEY, weight INTEGER NOT NULL CHECK (weight >= 0)) STRICT;
CREATE TABLE IF NOT EXISTS slice_work (n INTEGER, worker TEXT, weight INTEGER NOT NULL CHECK (weight >= 0), PRIMARY KEY (n, worker)) STRICT, WITHOUT ROWID;
";

/// A coin's SQLite file.
pub(super) struct Sqlite {
    connection: Connection,
    place: String,
    /// Device and inode of the file.
    file: Option<(u64, u64)>,
}

/// Device and inode of a file, while it is there.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

/// What goes wrong inside a transaction.
enum Fault {
    Sql(rusqlite::Error),
    Tally(TallyError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Numbers are stored as `i64`.
fn stored(number: u64, what: &str) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| {
        Fault::Tally(TallyError::Overflow { place: String::new(), what: what.to_owned() })
    })
}

impl Sqlite {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, TallyError> {
        let place = path.display().to_string();
        if let Some(folder) = path.parent() {
            crate::journal::make_folder(folder).map_err(|error| TallyError::Unavailable {
                place: place.clone(),
                words: format!("cannot make its folder: {error}"),
            })?;
        }
        let opened = Connection::open(path).and_then(|mut connection| {
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if version(&transaction)? == 0 {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            if version(&transaction)? == VERSION {
                transaction.execute_batch(LATER)?;
            }
            transaction.commit()?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| explain(&place, &error))?;
        Self { connection, place, file: identity(path) }.checked()
    }

    /// Opens the file for reading; `None` when there is none.
    pub(super) fn open_for_reading(path: &Path) -> Result<Option<Self>, TallyError> {
        if !path.exists() {
            return Ok(None);
        }
        let place = path.display().to_string();
        let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|connection| {
                connection.busy_timeout(BUSY)?;
                Ok((version(&connection)?, connection))
            })
            .or_else(|error| open_at_rest(path).unwrap_or(Err(error)));
        let (version, connection) = opened.map_err(|error| explain(&place, &error))?;
        if version == 0 {
            return Ok(None);
        }
        Self { connection, place, file: identity(path) }.checked().map(Some)
    }

    fn checked(self) -> Result<Self, TallyError> {
        match version(&self.connection).map_err(|error| explain(&self.place, &error))? {
            VERSION => Ok(self),
            other => Err(TallyError::Damaged {
                words: format!("has schema {other}, this program knows {VERSION}"),
                place: self.place,
            }),
        }
    }

    /// Sets how long another process's lock is waited for.
    #[cfg(test)]
    pub(super) fn wait_for_locks(&self, wait: Duration) {
        self.connection.busy_timeout(wait).unwrap_or_default();
    }

    /// Sets how large the file may grow.
    #[cfg(test)]
    pub(super) fn most_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap_or_default();
    }

    /// Whether the open file is still the one of its name.
    fn in_place(&self) -> Result<(), TallyError> {
        if self.file.is_some() && identity(Path::new(&self.place)) == self.file {
            return Ok(());
        }
        // SQLite would go on writing to a file that nobody can open again.
        let words = "the file was deleted or replaced; counting goes on with the one that is \
                     there, or a new one, from the journals"
            .to_owned();
        Err(TallyError::Unavailable { place: self.place.clone(), words })
    }

    /// Runs a transaction; an error rolls it back.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, TallyError> {
        self.with(TransactionBehavior::Immediate, work)
    }

    /// Runs reads that belong together.
    fn read<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, TallyError> {
        self.with(TransactionBehavior::Deferred, work)
    }

    fn with<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, TallyError> {
        let result = (|| {
            let transaction = self.connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|fault| match fault {
            Fault::Sql(error) => explain(&self.place, &error),
            Fault::Tally(TallyError::Overflow { what, .. }) => {
                TallyError::Overflow { place: self.place.clone(), what }
            }
            Fault::Tally(error) => error,
        })
    }
}

/// Opens a file that nobody writes, for a reader who may not write beside it: even to read, SQLite
/// makes files for the write-ahead log. `None` when there is a log, so that the file alone would
/// tell old numbers.
pub(crate) fn open_at_rest(path: &Path) -> Option<rusqlite::Result<(i64, Connection)>> {
    let text = path.to_str()?;
    if Path::new(&format!("{text}-wal")).exists() {
        return None;
    }
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags);
    Some(opened.and_then(|connection| Ok((version(&connection)?, connection))))
}

/// Moves a file with its log aside; `None` when there is none. `now` is for the new name.
pub(super) fn set_aside(path: &Path, now: u64) -> std::io::Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    let named = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let aside = named(&format!(".before-{now}"));
    // The log first: alone it is nothing, but beside a new file it would be taken for its own.
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(named(suffix), format!("{}{suffix}", aside.display())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, &aside)?;
    Ok(Some(aside))
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn explain(place: &str, error: &rusqlite::Error) -> TallyError {
    let (place, words) = (place.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => {
            TallyError::Overflow { place, what: format!("a sum ({words})") }
        }
        Some(
            rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::NotADatabase
            | rusqlite::ErrorCode::TypeMismatch,
        ) => TallyError::Damaged { place, words },
        Some(code) if advice(code).is_some() => {
            let advice = advice(code).unwrap_or_default();
            TallyError::Unavailable { place, words: format!("{words}: {advice}") }
        }
        // An error of the library itself: a column that is not what was stored.
        None if !matches!(error, rusqlite::Error::QueryReturnedNoRows) => {
            TallyError::Damaged { place, words }
        }
        _ => TallyError::Unavailable { place, words },
    }
}

/// What to do about an error that is none of the data.
pub(crate) fn advice(code: rusqlite::ErrorCode) -> Option<&'static str> {
    use rusqlite::ErrorCode;
    Some(match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another program, perhaps a `sqlite3` shell, holds it inside a transaction: end that"
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            "the pool's user may not write it or its folder: give both to that user"
        }
        ErrorCode::DiskFull => "the disk is full: make room",
        ErrorCode::SystemIoFailure => {
            "the disk gives errors, or is full, or a limit on file sizes is reached"
        }
        ErrorCode::CannotOpen => "it, or its folder, cannot be opened or made",
        _ => return None,
    })
}

fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn add_meta(connection: &Connection, name: &str, number: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2",
        )?
        .execute(params![name, number])
        .map(drop)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn natural_map(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<BTreeMap<String, u64>> {
    connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| Ok((row.get(0)?, natural(row.get(1)?))))?
        .collect()
}

fn unit_of(connection: &Connection) -> rusqlite::Result<Option<Unit>> {
    Ok(meta(connection, "unit")?.and_then(|exponent| i8::try_from(exponent).ok()).map(Unit))
}

/// The row of a block and the work that its reward is split over, unless the block is known. A solo
/// block leaves the round of the others alone.
fn cut(transaction: &Transaction<'_>, block: &BlockFound) -> Result<(), Fault> {
    let hash = block.hash.to_string();
    let found = serde_json::to_string(block)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let time = stored(block.time, "the time of a block")?;
    let new = transaction
        .prepare_cached("INSERT INTO block VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![hash, time, found])?;
    if new == 0 {
        return Ok(());
    }
    add_meta(transaction, "blocks", 1)?;
    match block.scheme {
        Scheme::Prop => transaction
            .prepare_cached("INSERT INTO closed_round SELECT ?1, worker, weight FROM round")?
            .execute([&hash])?,
        Scheme::Pplns { window } => slices::close(transaction, &hash, window)?,
        Scheme::Solo => {
            let sql = "INSERT INTO closed_round VALUES (?1, ?2, 1)";
            transaction.prepare_cached(sql)?.execute([&hash, &block.worker])?;
            return Ok(());
        }
    };
    transaction.prepare_cached("DELETE FROM round")?.execute([])?;
    transaction
        .prepare_cached(
            "INSERT INTO meta VALUES ('round_started', ?1) ON CONFLICT DO UPDATE SET value = ?1",
        )?
        .execute([time])?;
    Ok(())
}

fn add(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Fault> {
    if let Some(size) = batch.slice {
        slices::add(transaction, batch, size)?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT INTO round VALUES (?1, ?2) ON CONFLICT DO UPDATE SET weight = weight + ?2",
    )?;
    for (worker, &weight) in &batch.credits {
        statement.execute(params![worker, stored(weight, &format!("the work of {worker}"))?])?;
    }
    add_meta(transaction, "accepted", stored(batch.accepted, "accepted shares")?)?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO rejected VALUES (?1, ?2) ON CONFLICT DO UPDATE SET count = count + ?2",
    )?;
    for (reject, &count) in &batch.rejected {
        statement.execute(params![reject.name(), stored(count, "refused shares")?])?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT INTO minute VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET weight = weight + ?2, shares = shares + ?3",
    )?;
    for (&minute, work) in &batch.minutes {
        let (weight, shares) = (stored(work.weight, "a minute")?, stored(work.shares, "a minute")?);
        statement.execute(params![stored(minute, "a time")?, weight, shares])?;
    }
    if let Some(block) = &batch.cut {
        cut(transaction, block)?;
    }
    for outcome in &batch.outcomes {
        let state = BlockState::from(outcome.verdict);
        let answers = serde_json::to_string(&outcome.answers)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        transaction
            .prepare_cached(
                "INSERT INTO outcome VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET state = ?2, rank = ?3, answers = ?4 WHERE ?3 >= rank",
            )?
            .execute(params![outcome.hash.to_string(), state.name(), state as i64, answers])?;
    }
    Ok(())
}

impl Tally for Sqlite {
    fn unit(&mut self) -> Result<Option<Unit>, TallyError> {
        self.read(|transaction| Ok(unit_of(transaction)?))
    }

    fn positions(&mut self) -> Result<BTreeMap<String, u64>, TallyError> {
        self.read(|transaction| {
            Ok(natural_map(transaction, "SELECT stream, offset FROM position", [])?)
        })
    }

    fn apply(&mut self, batch: &Batch) -> Result<Applied, TallyError> {
        self.in_place()?;
        let place = self.place.clone();
        self.transact(|transaction| {
            let begun = "SELECT EXISTS (SELECT 1 FROM position)";
            match unit_of(transaction)? {
                Some(unit) if unit != batch.unit => {
                    let (stored, wanted) = (unit.0, batch.unit.0);
                    return Err(Fault::Tally(TallyError::Unit { place, stored, wanted }));
                }
                Some(_) => {}
                None if transaction.query_row(begun, [], |row| row.get(0))? => {
                    let words = "the unit is gone from table `meta`, but table `position` is \
                                 filled: a part of the ledger was deleted"
                        .to_owned();
                    return Err(Fault::Tally(TallyError::Damaged { place, words }));
                }
                // Emptied since it was looked at.
                None if !batch.first => return Ok(Applied::Moved(BTreeMap::new())),
                None => add_meta(transaction, "unit", i64::from(batch.unit.0))?,
            }
            let mut known = BTreeMap::new();
            let mut statement =
                transaction.prepare_cached("SELECT offset FROM position WHERE stream = ?1")?;
            for stream in batch.moves.keys() {
                let offset = statement.query_row([stream], |row| row.get(0)).optional()?;
                known.insert(stream.clone(), natural(offset.unwrap_or(0)));
            }
            if batch.moves.iter().any(|(stream, (from, _))| known.get(stream) != Some(from)) {
                return Ok(Applied::Moved(known));
            }
            add(transaction, batch)?;
            let mut statement = transaction.prepare_cached(
                "INSERT INTO position VALUES (?1, ?2) ON CONFLICT DO UPDATE SET offset = ?2",
            )?;
            for (stream, &(_, to)) in &batch.moves {
                statement.execute(params![stream, stored(to, "a position")?])?;
            }
            Ok(Applied::Done)
        })
    }

    fn forget(&mut self, instance: u16, streams: &[String]) -> Result<u64, TallyError> {
        self.transact(|transaction| {
            let mut gone = 0;
            for stream in streams {
                gone += transaction
                    .prepare_cached("DELETE FROM position WHERE stream = ?1")?
                    .execute([stream])?;
            }
            let name = format!("deleted-{instance:04x}");
            add_meta(transaction, &name, stored(gone as u64, "deleted streams")?)?;
            Ok(natural(meta(transaction, &name)?.unwrap_or(0)))
        })
    }

    fn forgotten(&mut self, instance: u16) -> Result<u64, TallyError> {
        self.read(|transaction| {
            let count = meta(transaction, &format!("deleted-{instance:04x}"))?;
            Ok(natural(count.unwrap_or(0)))
        })
    }

    fn trim(&mut self, oldest_minute: u64) -> Result<(), TallyError> {
        self.in_place()?;
        self.transact(|transaction| {
            transaction
                .prepare_cached("DELETE FROM minute WHERE minute < ?1")?
                .execute([stored(oldest_minute, "a time")?])?;
            Ok(())
        })
    }

    fn overview(&mut self, blocks: u32) -> Result<Overview, TallyError> {
        self.read(|transaction| {
            let number = |name: &str| meta(transaction, name).map(|n| n.map(natural));
            let counts = natural_map(transaction, "SELECT reason, count FROM rejected", [])?;
            let rejected = Reject::ALL
                .into_iter()
                .filter_map(|reject| Some((reject, *counts.get(reject.name())?)))
                .collect();
            let rows = transaction
                .prepare_cached(
                    "SELECT found, state, answers FROM block LEFT JOIN outcome USING (hash)
                     ORDER BY time DESC, block.rowid DESC LIMIT ?1",
                )?
                .query_map([blocks.max(1)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .map(|row| block_row(row?))
                .collect::<rusqlite::Result<Vec<BlockRow>>>()?;
            let minutes = transaction
                .prepare_cached("SELECT minute, weight, shares FROM minute")?
                .query_map([], |row| {
                    let work =
                        Minute { weight: natural(row.get(1)?), shares: natural(row.get(2)?) };
                    Ok((natural(row.get(0)?), work))
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Overview {
                unit: unit_of(transaction)?,
                accepted: number("accepted")?.unwrap_or(0),
                rejected,
                round: Round {
                    height: rows.first().map(|row| row.found.height.saturating_add(1)),
                    started: number("round_started")?,
                    miners: natural_map(transaction, "SELECT worker, weight FROM round", [])?,
                },
                blocks_found: number("blocks")?.unwrap_or(0),
                blocks: rows.into_iter().take(blocks as usize).collect(),
                minutes,
            })
        })
    }

    fn round(&mut self, block: &Hash) -> Result<BTreeMap<String, Weight>, TallyError> {
        self.read(|transaction| {
            let sql = "SELECT worker, weight FROM closed_round WHERE block = ?1";
            Ok(natural_map(transaction, sql, [block.to_string()])?)
        })
    }

    fn sums(&mut self) -> Result<Sums, TallyError> {
        self.read(backup::sums)
    }

    fn restore(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError> {
        self.transact(|transaction| backup::restore(transaction, sums, rounds))
    }

    fn claim(&mut self, claim: Claim) -> Result<Claimed, TallyError> {
        self.transact(|transaction| claim::claim(transaction, claim))
    }

    fn claimed(&mut self) -> Result<Option<Claim>, TallyError> {
        self.read(|transaction| Ok(claim::read(transaction)?))
    }
}

type RawBlock = (String, Option<String>, Option<String>);

fn block_row((found, state, answers): RawBlock) -> rusqlite::Result<BlockRow> {
    let json = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    };
    Ok(BlockRow {
        found: serde_json::from_str(&found).map_err(json)?,
        state: state.map_or(BlockState::Found, |name| BlockState::from_name(&name)),
        answers: serde_json::from_str(answers.as_deref().unwrap_or("[]")).map_err(json)?,
    })
}
