//! What was seen and what is still to be told, on disk: one SQLite file. What a look has seen and the
//! messages that come of it are one transaction, so that a restart neither forgets nor repeats.

use super::event::Event;
use super::fold::Fold;
use crate::config::EventKind;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another process's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// `PRAGMA user_version` of the schema below.
const VERSION: i64 = 1;
const SCHEMA: &str = "
CREATE TABLE seen (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE message (
    n INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, id TEXT NOT NULL,
    event TEXT NOT NULL, time INTEGER NOT NULL, UNIQUE (target, id)) STRICT;
CREATE INDEX message_target ON message (target, n);
CREATE TABLE target (
    name TEXT PRIMARY KEY, failures INTEGER NOT NULL, next INTEGER NOT NULL,
    error TEXT NOT NULL, since INTEGER NOT NULL, sent INTEGER NOT NULL, sent_at INTEGER NOT NULL,
    dropped INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";
/// Messages that may wait for one target.
const MOST: i64 = 10_000;
/// Longest wait (ms) of a target.
pub(super) const LONGEST_WAIT: u64 = 3_600_000;
/// Under which what storms have passed is kept.
const FOLD: &str = "fold";

/// Why the outbox did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// SQLite refuses.
    #[error("{place}: {error}; nobody is told anything. Look at disk, rights and the file")]
    Sql {
        /// The file.
        place: String,
        /// What it said.
        error: rusqlite::Error,
    },
    /// The folder cannot be made.
    #[error("{0}: {1}")]
    Folder(String, std::io::Error),
    /// It is another version's.
    #[error("{0}: has schema {1}, this program knows {VERSION}; move the file away")]
    Version(String, i64),
}

/// The outbox.
#[derive(Debug)]
pub struct Outbox {
    connection: Connection,
    place: String,
}

/// The oldest message to a target.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    /// Its number.
    pub(super) n: i64,
    /// When it was put in, unix ms.
    pub(super) time: u64,
    /// What is told; `None`: it cannot be read, for instance since another version wrote it.
    pub(super) event: Option<Event>,
}

/// How a target does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its name in the outbox.
    pub name: String,
    /// Messages that wait for it.
    pub waiting: u64,
    /// Failures in a row.
    pub failures: u64,
    /// When it is tried again, unix ms.
    pub next: u64,
    /// What it last said, when it failed.
    pub error: String,
    /// Since when it fails, unix ms; 0: it does not.
    pub since: u64,
    /// Messages that it took.
    pub sent: u64,
    /// When it last took one, unix ms; 0: never.
    pub sent_at: u64,
    /// Messages that were given up.
    pub dropped: u64,
}

fn natural(value: i64) -> u64 {
    value.max(0).unsigned_abs()
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The file of the outbox.
fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("notifier").join("outbox.sqlite")
}

impl Outbox {
    /// Opens the outbox, and makes it if need be.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn open(data_dir: &Path) -> Result<Self, OutboxError> {
        let path = path(data_dir);
        let place = path.display().to_string();
        if let Some(folder) = path.parent() {
            crate::journal::make_folder(folder)
                .map_err(|error| OutboxError::Folder(folder.display().to_string(), error))?;
        }
        let opened = Connection::open(&path).and_then(|mut connection| {
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            let change = connection.transaction()?;
            if version(&change)? == 0 {
                change.execute_batch(SCHEMA)?;
                change.pragma_update(None, "user_version", VERSION)?;
            }
            change.commit()?;
            Ok(connection)
        });
        Self::checked(opened, place)
    }

    /// Opens the outbox for reading; `None`: there is none.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn open_for_reading(data_dir: &Path) -> Result<Option<Self>, OutboxError> {
        let path = path(data_dir);
        if !path.exists() {
            return Ok(None);
        }
        let opened = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection));
        Self::checked(opened, path.display().to_string()).map(Some)
    }

    fn checked(opened: rusqlite::Result<Connection>, place: String) -> Result<Self, OutboxError> {
        match opened.and_then(|connection| Ok((version(&connection)?, connection))) {
            Ok((VERSION, connection)) => Ok(Self { connection, place }),
            Ok((other, _)) => Err(OutboxError::Version(place, other)),
            Err(error) => Err(OutboxError::Sql { place, error }),
        }
    }

    fn sql(&self, error: rusqlite::Error) -> OutboxError {
        OutboxError::Sql { place: self.place.clone(), error }
    }

    fn change<T>(
        &mut self,
        alter: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, OutboxError> {
        let place = &self.place;
        let changed = self.connection.transaction().and_then(|change| {
            let result = alter(&change)?;
            change.commit()?;
            Ok(result)
        });
        changed.map_err(|error| OutboxError::Sql { place: place.clone(), error })
    }

    /// What was noted under a name; the default: nothing yet, or nothing that can be read.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn seen<T: Default + DeserializeOwned>(&self, name: &str) -> Result<T, OutboxError> {
        seen(&self.connection, name).map_err(|error| self.sql(error))
    }

    /// Whether a summary of a storm is due at `now`, unix ms.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn owes_summary(&self, now: u64) -> Result<bool, OutboxError> {
        self.seen::<Fold>(FOLD).map(|fold| fold.owes_summary(now))
    }

    /// Notes what was seen, and puts what is to be told of it into the targets' queues: all, or
    /// nothing. A target's queue that is full loses its oldest message. How many messages there are.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn record(
        &mut self,
        name: &str,
        what: &impl Serialize,
        events: Vec<Event>,
        targets: &[(String, Vec<EventKind>)],
        now: u64,
    ) -> Result<usize, OutboxError> {
        self.change(|change| {
            note(change, name, what)?;
            let before: Fold = seen(change, FOLD)?;
            let mut fold = before.clone();
            let told = fold.pass(events, now);
            if fold != before {
                note(change, FOLD, &fold)?;
            }
            let mut count = 0;
            for event in &told {
                let json = serde_json::to_string(event).unwrap_or_default();
                for (target, _) in targets.iter().filter(|(_, kinds)| kinds.contains(&event.event))
                {
                    let sql = "INSERT OR IGNORE INTO message (target, id, event, time)
                        VALUES (?1, ?2, ?3, ?4)";
                    count += change.execute(sql, params![target, event.id, json, number(now)])?;
                    make_room(change, target)?;
                }
            }
            Ok(count)
        })
    }

    /// Forgets targets that are no more, and that any has failed: their names.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn keep_only(&mut self, targets: &[String]) -> Result<Vec<String>, OutboxError> {
        self.change(|change| {
            let sql = "SELECT target FROM message UNION SELECT name FROM target";
            let mut query = change.prepare(sql)?;
            let names: Vec<String> =
                query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let gone: Vec<String> =
                names.into_iter().filter(|name| !targets.contains(name)).collect();
            for name in &gone {
                change.execute("DELETE FROM message WHERE target = ?1", [name])?;
                change.execute("DELETE FROM target WHERE name = ?1", [name])?;
            }
            // Whoever starts the pool anew has perhaps mended it.
            change.execute("UPDATE target SET next = 0", [])?;
            Ok(gone)
        })
    }

    /// The oldest message to a target, if it is due at `now` (unix ms); else when to look again.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn head(&self, target: &str, now: u64) -> Result<Result<Head, u64>, OutboxError> {
        let standing = self.standing(target)?;
        // Further away than any wait is: the clock was set back.
        if standing.next > now && standing.next - now <= LONGEST_WAIT {
            return Ok(Err(standing.next));
        }
        let sql = "SELECT n, time, event FROM message WHERE target = ?1 ORDER BY n LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1).map(natural)?, row.get::<_, String>(2)?))
        };
        let found = self.connection.prepare_cached(sql);
        let found = found.and_then(|mut query| query.query_row([target], read).optional());
        let Some((n, time, json)) = found.map_err(|error| self.sql(error))? else {
            return Ok(Err(u64::MAX));
        };
        Ok(Ok(Head { n, time, event: serde_json::from_str(&json).ok() }))
    }

    /// A target took a message.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn took(&mut self, target: &str, n: i64, now: u64) -> Result<(), OutboxError> {
        self.change(|change| {
            change.execute("DELETE FROM message WHERE n = ?1", [n])?;
            let sql = "INSERT INTO target VALUES (?1, 0, 0, '', 0, 1, ?2, 0) ON CONFLICT DO UPDATE
                SET failures = 0, next = 0, error = '', since = 0, sent = sent + 1, sent_at = ?2";
            change.execute(sql, params![target, number(now)]).map(drop)
        })
    }

    /// A target did not take its message, and is tried again at `next`, unix ms.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn failed(
        &mut self,
        target: &str,
        error: &str,
        next: u64,
        now: u64,
    ) -> Result<(), OutboxError> {
        self.change(|change| {
            let sql = "INSERT INTO target VALUES (?1, 1, ?3, ?2, ?4, 0, 0, 0) ON CONFLICT DO UPDATE
                SET failures = failures + 1, next = ?3, error = ?2,
                since = CASE since WHEN 0 THEN ?4 ELSE since END";
            let values = params![target, error, number(next), number(now)];
            change.execute(sql, values).map(drop)
        })
    }

    /// Gives a message up, so that the next one has its turn at once; without a number all of a
    /// target.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub(super) fn drop_of(&mut self, target: &str, n: Option<i64>) -> Result<u64, OutboxError> {
        self.change(|change| {
            let sql = "DELETE FROM message WHERE target = ?1 AND (?2 IS NULL OR n = ?2)";
            let count = change.execute(sql, params![target, n])? as u64;
            if count > 0 {
                count_dropped(change, target, count)?;
            }
            if n.is_some() {
                let sql = "UPDATE target SET failures = 0, next = 0 WHERE name = ?1";
                change.execute(sql, [target])?;
            }
            Ok(count)
        })
    }

    /// How a target does.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn standing(&self, target: &str) -> Result<Standing, OutboxError> {
        let look = || {
            let sql = "SELECT failures, next, error, since, sent, sent_at, dropped FROM target
                WHERE name = ?1";
            let standing = self.connection.prepare_cached(sql)?.query_row([target], |row| {
                let number = |place| row.get(place).map(natural);
                Ok(Standing {
                    name: target.to_owned(),
                    waiting: 0,
                    failures: number(0)?,
                    next: number(1)?,
                    error: row.get(2)?,
                    since: number(3)?,
                    sent: number(4)?,
                    sent_at: number(5)?,
                    dropped: number(6)?,
                })
            });
            let standing = standing.optional()?.unwrap_or_default();
            let sql = "SELECT COUNT(*) FROM message WHERE target = ?1";
            let mut query = self.connection.prepare_cached(sql)?;
            let waiting = query.query_row([target], |row| row.get(0).map(natural))?;
            Ok(Standing { name: target.to_owned(), waiting, ..standing })
        };
        look().map_err(|error| self.sql(error))
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn seen<T: Default + DeserializeOwned>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    let sql = "SELECT value FROM seen WHERE name = ?1";
    let mut query = connection.prepare_cached(sql)?;
    let json: Option<String> = query.query_row([name], |row| row.get(0)).optional()?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
}

fn note(change: &Connection, name: &str, what: &impl Serialize) -> rusqlite::Result<()> {
    let json = serde_json::to_string(what)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO seen VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
    change.prepare_cached(sql)?.execute([name, &json]).map(drop)
}

fn make_room(change: &Connection, target: &str) -> rusqlite::Result<()> {
    let sql = "SELECT COUNT(*) FROM message WHERE target = ?1";
    let count: i64 = change.prepare_cached(sql)?.query_row([target], |row| row.get(0))?;
    if count <= MOST {
        return Ok(());
    }
    let sql = "DELETE FROM message WHERE n IN
        (SELECT n FROM message WHERE target = ?1 ORDER BY n LIMIT ?2)";
    let count = change.execute(sql, params![target, count - MOST])? as u64;
    count_dropped(change, target, count)
}

fn count_dropped(change: &Connection, target: &str, count: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO target VALUES (?1, 0, 0, '', 0, 0, 0, ?2) ON CONFLICT DO UPDATE
        SET dropped = dropped + ?2";
    change.execute(sql, params![target, number(count)]).map(drop)
}

#[cfg(test)]
#[path = "outbox/tests.rs"]
mod tests;
