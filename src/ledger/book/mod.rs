//! The book: what blocks earned, whose it is, and what was paid. One SQLite file per coin, written
//! by the `payments` process; an operator's commands (`romp payouts`) change it beside that.
//!
//! Each step is one transaction with `synchronous=FULL`. A balance is never stored without the rows
//! that it comes from: credits of mature blocks, fees that name the account, and what was imported,
//! less the outputs of payouts that are not void.

pub mod audit;
mod blocks;
mod claim;
mod fee;
mod imports;
mod intents;
mod paged;
mod payouts;
mod record;
mod show;
mod thresholds;
mod transfer;
mod work;

pub use blocks::{BookBlock, State};
pub use claim::{ADOPTED, Turn};
pub use fee::Fee;
pub use imports::{Import, ImportKind, Imported};
pub use intents::{Intent, Made};
pub use paged::{Place, Round};
pub use payouts::{Balance, Due, Held, NewPayout, Payout, PayoutState};
pub use record::{Line, Record};
pub use show::{Earned, Paid, Sums, Totals};
pub use thresholds::Minimums;
pub use transfer::REFUSED;
pub use work::Work;

use crate::chain::{hex_decode, hex_encode};
use crate::rewards::Amount;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another process's lock is waited for: readers only.
const BUSY: Duration = Duration::from_secs(5);
/// `PRAGMA user_version` of the schema below.
const VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE block (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, height INTEGER NOT NULL,
    time INTEGER NOT NULL, coinbase TEXT NOT NULL,
    value INTEGER NOT NULL CHECK (value >= 0), finder TEXT NOT NULL, stale INTEGER NOT NULL,
    scheme TEXT NOT NULL,
    state TEXT NOT NULL, since INTEGER NOT NULL, depth INTEGER NOT NULL, words TEXT NOT NULL,
    carried TEXT, fee INTEGER CHECK (fee >= 0), fee_account INTEGER) STRICT;
CREATE INDEX block_state ON block (state, depth);
CREATE INDEX block_carried ON block (carried);
CREATE TABLE worker (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE work (
    block INTEGER NOT NULL, worker INTEGER NOT NULL, weight INTEGER NOT NULL CHECK (weight >= 0),
    PRIMARY KEY (block, worker)) STRICT, WITHOUT ROWID;
CREATE TABLE account (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, script TEXT NOT NULL, held TEXT,
    balance INTEGER NOT NULL CHECK (balance >= 0), since INTEGER NOT NULL,
    minimum INTEGER CHECK (minimum > 0)) STRICT;
CREATE INDEX account_script ON account (script);
CREATE TABLE credit (
    block INTEGER NOT NULL, account INTEGER NOT NULL, weight TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (block, account)) STRICT, WITHOUT ROWID;
CREATE TABLE payout (
    id INTEGER PRIMARY KEY, txid TEXT UNIQUE, bytes TEXT,
    fee INTEGER NOT NULL CHECK (fee >= 0), state TEXT NOT NULL, time INTEGER NOT NULL,
    depth INTEGER NOT NULL, words TEXT NOT NULL, mark TEXT UNIQUE, tip TEXT,
    CHECK ((txid IS NULL) = (bytes IS NULL)),
    CHECK (txid IS NOT NULL OR (mark IS NOT NULL AND state IN ('intended', 'void')))) STRICT;
CREATE INDEX payout_state ON payout (state, depth);
CREATE UNIQUE INDEX payout_intended ON payout (state) WHERE state = 'intended';
CREATE TABLE output (
    payout INTEGER NOT NULL, n INTEGER NOT NULL, account INTEGER NOT NULL, script TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payout, n), UNIQUE (payout, account)) STRICT, WITHOUT ROWID;
CREATE INDEX output_account ON output (account);
CREATE TABLE transfer (
    n INTEGER PRIMARY KEY, time INTEGER NOT NULL, source INTEGER NOT NULL, target INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0)) STRICT;
CREATE TABLE trace (
    n INTEGER PRIMARY KEY, time INTEGER NOT NULL, subject TEXT NOT NULL, words TEXT NOT NULL) STRICT;
";
/// Indexes that books of before do not have: what the web site shows in the order of height or time,
/// and of one account, is found without looking at all. The last one is in place of one by account
/// and amount.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS block_height ON block (height);
CREATE INDEX IF NOT EXISTS block_time ON block (time, state);
CREATE INDEX IF NOT EXISTS credit_newest ON credit (account, block, amount);
DROP INDEX IF EXISTS credit_account;
";

/// Who earns: an output script, or a name that is no address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The address as the coin writes it, or `?NAME` for a name that nothing can be paid to.
    pub name: String,
    /// Output script; empty when there is none.
    pub script: Vec<u8>,
}

/// Why the book did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// SQLite refuses.
    #[error("{place}: {error}; payments of the coin wait. Look at disk, rights and the file")]
    Sql {
        /// The file.
        place: String,
        /// What it said.
        error: rusqlite::Error,
    },
    /// The file or its folder cannot be used.
    #[error("{place}: {error}")]
    File {
        /// The file.
        place: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process pays this coin.
    #[error("{0}: another process has the book open for writing; one pays a coin")]
    Taken(String),
    /// What is stored is not what romp stores.
    #[error("{place}: {words}; nothing was changed. Bring a backup back")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong.
        words: String,
    },
}

/// The file of a coin's book.
#[must_use]
pub fn path(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("book").join(format!("{coin}.sqlite"))
}

/// A coin's book.
#[derive(Debug)]
pub struct Book {
    connection: Connection,
    place: String,
    /// Held as long as this process may write.
    _lock: Option<File>,
}

impl Account {
    /// What makes it the one that it is: the script, or the name where there is none.
    fn key(&self) -> (&[u8], &str) {
        (&self.script, if self.script.is_empty() { &self.name } else { "" })
    }
}

impl Book {
    /// Opens a coin's book for writing, and makes it if need be. One process at a time.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open(data_dir: &Path, coin: &str) -> Result<Self, BookError> {
        let path = path(data_dir, coin);
        let place = path.display().to_string();
        let file = |error| BookError::File { place: place.clone(), error };
        if let Some(folder) = path.parent() {
            crate::journal::make_folder(folder).map_err(file)?;
        }
        let lock = File::create(path.with_extension("lock")).map_err(file)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(BookError::Taken(place)),
            Err(std::fs::TryLockError::Error(error)) => return Err(file(error)),
        }
        let opened = Connection::open(&path).and_then(|mut connection| {
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if version(&change)? == 0 {
                change.execute_batch(SCHEMA)?;
                change.execute_batch(imports::SCHEMA)?;
                change.pragma_update(None, "user_version", VERSION)?;
            }
            if version(&change)? == VERSION {
                change.execute_batch(INDEXES)?;
            }
            change.commit()?;
            Ok(connection)
        });
        Self::checked(opened, place, Some(lock))
    }

    /// Opens a coin's book for reading; `None` when there is none.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_for_reading(data_dir: &Path, coin: &str) -> Result<Option<Self>, BookError> {
        let path = path(data_dir, coin);
        if !path.exists() {
            return Ok(None);
        }
        let opened = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection));
        Self::checked(opened, path.display().to_string(), None).map(Some)
    }

    /// Opens a coin's book for an operator's command, beside the process that pays: each
    /// change is a transaction of its own.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_for_operator(data_dir: &Path, coin: &str) -> Result<Self, BookError> {
        let path = path(data_dir, coin);
        let opened = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|connection| {
                connection.busy_timeout(BUSY)?;
                connection.pragma_update(None, "synchronous", "FULL")?;
                Ok(connection)
            });
        Self::checked(opened, path.display().to_string(), None)
    }

    fn checked(
        opened: rusqlite::Result<Connection>,
        place: String,
        lock: Option<File>,
    ) -> Result<Self, BookError> {
        let opened = opened.and_then(|connection| Ok((version(&connection)?, connection)));
        match opened {
            Ok((VERSION, connection)) => Ok(Self { connection, place, _lock: lock }),
            Ok((other, _)) => Err(BookError::Damaged {
                place,
                words: format!("has schema {other}, this program knows {VERSION}"),
            }),
            Err(error) => Err(BookError::Sql { place, error }),
        }
    }

    /// What is noted under a name; `None`: nothing yet.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn noted(&self, name: &str) -> Result<Option<String>, BookError> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        self.read(|book| book.query_row(sql, [name], |row| row.get(0)).optional())
    }

    /// Notes something once and for ever: what is there stays.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note_once(&mut self, name: &str, value: &str) -> Result<(), BookError> {
        let sql = "INSERT OR IGNORE INTO meta VALUES (?1, ?2)";
        self.change(|change| change.execute(sql, [name, value])).map(drop)
    }

    /// Notes something in place of what is there.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note_anew(&mut self, name: &str, value: &str) -> Result<(), BookError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
        self.change(|change| change.execute(sql, [name, value])).map(drop)
    }

    fn sql(&self, error: rusqlite::Error) -> BookError {
        BookError::Sql { place: self.place.clone(), error }
    }

    fn damaged(&self, words: impl Into<String>) -> BookError {
        BookError::Damaged { place: self.place.clone(), words: words.into() }
    }

    /// Reads, at one moment.
    fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, BookError> {
        look(&self.connection).map_err(|error| self.sql(error))
    }

    /// Changes all, or nothing.
    fn change<T>(
        &mut self,
        alter: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, BookError> {
        let place = &self.place;
        self.connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|change| {
                let result = alter(&change)?;
                change.commit()?;
                Ok(result)
            })
            .map_err(|error| BookError::Sql { place: place.clone(), error })
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// A trace of what was done to `subject`, for ever.
fn trace(change: &Connection, now: u64, subject: &str, words: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO trace (time, subject, words) VALUES (?1, ?2, ?3)";
    change.execute(sql, params![number(now)?, subject, words]).map(drop)
}

/// A number as SQLite stores it: 63 bits.
fn number(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A stored number that is never below zero.
fn natural(value: i64) -> u64 {
    value.max(0).unsigned_abs()
}

/// The number of an account; makes it if it is new.
fn account(change: &Connection, account: &Account, now: u64) -> rusqlite::Result<i64> {
    // Two spellings of an address are one account: its script.
    let script = hex_encode(&account.script);
    let (sql, key) = match script.is_empty() {
        true => ("SELECT id FROM account WHERE name = ?1", &account.name),
        false => ("SELECT id FROM account WHERE script = ?1", &script),
    };
    let known = change.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let held = account.script.is_empty().then_some("its name is no address of the coin");
    let sql = "INSERT INTO account (name, script, held, balance, since) VALUES (?1, ?2, ?3, 0, ?4)";
    change.execute(sql, params![account.name, script, held, number(now)?])?;
    Ok(change.last_insert_rowid())
}

fn script(text: &str) -> Vec<u8> {
    hex_decode(text).unwrap_or_default()
}

fn amount(row: &rusqlite::Row<'_>, place: usize) -> rusqlite::Result<Amount> {
    row.get(place).map(|value: i64| Amount(natural(value)))
}

#[cfg(test)]
pub(crate) mod tests;
