//! The SQLite file: its tables, and what is said when it fails.

use super::HistoryError;
use crate::journal;
use crate::ledger::{advice, open_at_rest};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the writer waits for another process's lock.
const BUSY: Duration = Duration::from_secs(1);
/// How long a reader does: it may have a page to show.
const BUSY_READER: Duration = Duration::from_millis(250);
/// `PRAGMA user_version` of the schema below.
const VERSION: i64 = 3;
/// Slots are sorted by time, so that what is written and removed at once lies together; within a
/// slot by account, so that all workers of an address lie together.
pub(super) const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE position (stream TEXT PRIMARY KEY, offset INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE account (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE worker (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE slot (length INTEGER, at INTEGER, account INTEGER, worker INTEGER, weight INTEGER NOT NULL, shares INTEGER NOT NULL, rejected INTEGER NOT NULL, PRIMARY KEY (length, at, account, worker)) STRICT, WITHOUT ROWID;
CREATE TABLE pool (length INTEGER, at INTEGER, weight INTEGER NOT NULL, shares INTEGER NOT NULL, rejected INTEGER NOT NULL, workers INTEGER NOT NULL, PRIMARY KEY (length, at)) STRICT, WITHOUT ROWID;
";

/// What version 2 has beyond that. A file of version 1 gets it when the bookkeeper opens it; a
/// reader that comes before finds no reasons there.
const LATER: &str = "
ALTER TABLE slot ADD COLUMN reasons BLOB;
ALTER TABLE pool ADD COLUMN reasons BLOB;
ALTER TABLE account ADD COLUMN names INTEGER;
ALTER TABLE account ADD COLUMN hour INTEGER;
CREATE TABLE last (worker INTEGER PRIMARY KEY, at INTEGER NOT NULL, weight INTEGER NOT NULL) STRICT;
CREATE TABLE block (hash TEXT PRIMARY KEY, time INTEGER NOT NULL, height INTEGER NOT NULL, difficulty REAL NOT NULL, weight INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX worker_account ON worker (account);
CREATE INDEX block_time ON block (time);
CREATE TABLE network (length INTEGER, at INTEGER, difficulty REAL NOT NULL, PRIMARY KEY (length, at)) STRICT, WITHOUT ROWID;
";

/// What version 3 has beyond that: the addresses of a slot. Of older slots nobody knows them.
const LATEST: &str = "ALTER TABLE pool ADD COLUMN miners INTEGER;";

/// The file of a coin's history.
pub(super) fn path(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("history").join(format!("{coin}.sqlite"))
}

/// What goes wrong inside a transaction.
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Words(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// In words for the operator.
    pub(super) fn at(self, path: &Path) -> HistoryError {
        let words = match self {
            Self::Words(words) => words,
            Self::Sql(error) => explain(&error),
        };
        HistoryError { place: path.display().to_string(), words }
    }
}

fn explain(error: &rusqlite::Error) -> String {
    const DAMAGED: &str =
        "the file is damaged. Delete it: it is made anew from the journals that are left";
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
            format!("{error}: {DAMAGED}")
        }
        Some(code) => match advice(code) {
            Some(advice) => format!("{error}: {advice}"),
            None => error.to_string(),
        },
        // An error of the library itself: a column that is not what was stored.
        None => format!("{error}: {DAMAGED}"),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check(version: i64) -> Result<(), Fault> {
    match version {
        1..=VERSION => Ok(()),
        other => Err(Fault::Words(format!(
            "has schema {other}, this program knows {VERSION}: run the release that wrote it, or \
             delete the file; it is made anew from the journals that are left"
        ))),
    }
}

/// Opens a file for writing, or makes it.
///
/// `synchronous=NORMAL`: a power cut may take the last transactions, each with the positions that
/// stand in it, so the journals fill it again.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    if let Some(folder) = path.parent() {
        journal::make_folder(folder)
            .map_err(|error| Fault::Words(format!("cannot make its folder: {error}")))?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", 1)?;
    }
    if version(&transaction)? == 1 {
        transaction.execute_batch(LATER)?;
        transaction.pragma_update(None, "user_version", 2)?;
    }
    if version(&transaction)? == 2 {
        transaction.execute_batch(LATEST)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    check(version(&transaction)?)?;
    transaction.commit()?;
    Ok(connection)
}

/// Opens a file for reading, and tells its version; `None` when there is none, or nothing in it yet.
pub(super) fn open_for_reading(path: &Path) -> Result<Option<(Connection, i64)>, Fault> {
    if !path.exists() {
        return Ok(None);
    }
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(
        |connection| {
            connection.busy_timeout(BUSY_READER)?;
            Ok((version(&connection)?, connection))
        },
    );
    let (version, connection) = opened.or_else(|error| open_at_rest(path).unwrap_or(Err(error)))?;
    if version == 0 {
        return Ok(None);
    }
    check(version).map(|()| Some((connection, version)))
}

/// A number that stands beside the tables.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// As SQLite keeps it. What is larger stays at the largest: a picture of the past need not stop for
/// a sum that the tally refuses.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From what SQLite keeps.
pub(super) fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
