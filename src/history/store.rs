//! The writing end: sums and the journals' positions in one transaction.

use super::file::{self, Fault, meta, natural, stored};
use super::level::{LAST, LEVELS};
use super::{Batch, HistoryError, Sum};
use crate::ledger::identity;
use crate::stratum::address_part;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A coin's history, for its one writer.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Device and inode of the file.
    file: Option<(u64, u64)>,
    /// Seconds that days are kept.
    retention: u64,
}

impl Store {
    /// Opens a coin's history, or makes it. `retention`: how long days are kept.
    ///
    /// # Errors
    /// [`HistoryError`]; try again later.
    pub fn open(data_dir: &Path, coin: &str, retention: Duration) -> Result<Self, HistoryError> {
        let path = file::path(data_dir, coin);
        let connection = file::open(&path).map_err(|fault| fault.at(&path))?;
        let file = identity(&path);
        Ok(Self { connection, path, file, retention: retention.as_secs() })
    }

    /// How far each stream has been added: byte offsets by stream name.
    ///
    /// # Errors
    /// [`HistoryError`]: after any error drop the store and open it anew.
    pub fn positions(&mut self) -> Result<BTreeMap<String, u64>, HistoryError> {
        self.transact(|transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT stream, offset FROM position")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, natural(row.get(1)?))))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Adds a batch: all of it, or nothing. `false`, and nothing was added: a stream is not where
    /// the batch begins.
    ///
    /// # Errors
    /// As [`Store::positions`].
    pub fn apply(&mut self, batch: &Batch) -> Result<bool, HistoryError> {
        let retention = self.retention;
        self.transact(|transaction| {
            if !advance(transaction, batch)? {
                return Ok(false);
            }
            keep_unit(transaction, batch)?;
            let trimmed = meta(transaction, "trimmed")?.map_or(0, natural);
            let mut known = BTreeMap::new();
            for level in &LEVELS {
                let oldest = level.oldest(trimmed, retention);
                let mut slots: BTreeMap<u64, BTreeMap<&str, Sum>> = BTreeMap::new();
                for (minute, workers) in &batch.minutes {
                    let at = level.begin(*minute);
                    if at < oldest {
                        continue;
                    }
                    let slot = slots.entry(at).or_default();
                    for (worker, sum) in workers {
                        slot.entry(worker).or_default().add(*sum);
                    }
                }
                for (at, workers) in &slots {
                    add(transaction, (level.length, *at), workers, &mut known)?;
                }
            }
            Ok(true)
        })
    }

    /// Removes slots that are too old at a moment, unix seconds, and the names that are in none.
    ///
    /// # Errors
    /// As [`Store::positions`].
    pub fn trim(&mut self, now: u64) -> Result<(), HistoryError> {
        let retention = self.retention;
        self.transact(|transaction| {
            let set = "INSERT INTO meta VALUES ('trimmed', ?1) \
                       ON CONFLICT DO UPDATE SET value = ?1";
            transaction.prepare_cached(set)?.execute([stored(now)])?;
            for level in &LEVELS {
                let old = [stored(level.length), stored(level.oldest(now, retention))];
                let sql = "DELETE FROM slot WHERE length = ?1 AND at < ?2";
                let gone = transaction.prepare_cached(sql)?.execute(old)?;
                let sql = "DELETE FROM pool WHERE length = ?1 AND at < ?2";
                transaction.prepare_cached(sql)?.execute(old)?;
                // Once a day: it looks at all days of all workers.
                if *level == LAST && gone > 0 {
                    transaction.execute(
                        "DELETE FROM worker WHERE id NOT IN \
                         (SELECT worker FROM slot WHERE length = ?1)",
                        [stored(LAST.length)],
                    )?;
                    transaction.execute(
                        "DELETE FROM account WHERE id NOT IN (SELECT account FROM worker)",
                        [],
                    )?;
                }
            }
            Ok(())
        })
    }

    /// Forgets the positions of deleted streams.
    ///
    /// # Errors
    /// As [`Store::positions`].
    pub fn forget(&mut self, streams: &[String]) -> Result<(), HistoryError> {
        self.transact(|transaction| {
            let mut statement =
                transaction.prepare_cached("DELETE FROM position WHERE stream = ?1")?;
            for stream in streams {
                statement.execute([stream])?;
            }
            Ok(())
        })
    }

    /// Runs a transaction on the file that has the name; an error rolls it back.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, HistoryError> {
        // SQLite would go on writing to a file that nobody can open again.
        if self.file.is_none() || identity(&self.path) != self.file {
            let words = "the file was deleted or replaced; history goes on with the one that is \
                         there, or a new one, from the journals that are left";
            return Err(Fault::Words(words.to_owned()).at(&self.path));
        }
        let done = (|| {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|fault: Fault| fault.at(&self.path))
    }
}

/// Moves each stream's position; `false`: one is not where the batch begins.
fn advance(transaction: &Transaction<'_>, batch: &Batch) -> Result<bool, Fault> {
    let mut find = transaction.prepare_cached("SELECT offset FROM position WHERE stream = ?1")?;
    let mut set = transaction.prepare_cached(
        "INSERT INTO position VALUES (?1, ?2) ON CONFLICT DO UPDATE SET offset = ?2",
    )?;
    for (stream, (from, _)) in &batch.moves {
        let offset: Option<i64> = find.query_row([stream], |row| row.get(0)).optional()?;
        if offset.map_or(0, natural) != *from {
            return Ok(false);
        }
    }
    for (stream, (_, to)) in &batch.moves {
        set.execute(params![stream, stored(*to)])?;
    }
    Ok(true)
}

/// Stores the unit of the first batch; all others must have the same.
fn keep_unit(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Fault> {
    let wanted = i64::from(batch.unit.0);
    match meta(transaction, "unit")? {
        None => {
            transaction.execute("INSERT INTO meta VALUES ('unit', ?1)", [wanted])?;
        }
        Some(unit) if unit != wanted => {
            return Err(Fault::Words(format!(
                "counts in units of 2^{unit}, the journals in units of 2^{wanted}: move it aside, \
                 and a new one is begun"
            )));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Adds work by worker name to a slot: its length and begin.
fn add<'b>(
    transaction: &Transaction<'_>,
    (length, at): (u64, u64),
    workers: &BTreeMap<&'b str, Sum>,
    known: &mut BTreeMap<&'b str, (i64, i64)>,
) -> Result<(), Fault> {
    let (length, at) = (stored(length), stored(at));
    let (mut all, mut new) = (Sum::default(), 0);
    // A sum beyond 64 bits becomes a float within the expression, and `min` the integer again.
    let mut more = transaction.prepare_cached(
        "UPDATE slot SET weight = min(weight + ?5, 9223372036854775807), shares = shares + ?6, \
         rejected = rejected + ?7 WHERE length = ?1 AND at = ?2 AND account = ?3 AND worker = ?4",
    )?;
    let mut first =
        transaction.prepare_cached("INSERT INTO slot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (name, sum) in workers {
        all.add(*sum);
        if name.is_empty() {
            continue;
        }
        let (account, worker) = match known.get(name) {
            Some(numbers) => *numbers,
            None => *known.entry(name).or_insert(numbers(transaction, name)?),
        };
        let (weight, shares, rejected) = columns(sum);
        let row = params![length, at, account, worker, weight, shares, rejected];
        if more.execute(row)? == 0 {
            first.execute(row)?;
            new += 1;
        }
    }
    let (weight, shares, rejected) = columns(&all);
    transaction
        .prepare_cached(
            "INSERT INTO pool VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET \
             weight = min(weight + ?3, 9223372036854775807), shares = shares + ?4, \
             rejected = rejected + ?5, workers = workers + ?6",
        )?
        .execute(params![length, at, weight, shares, rejected, new])?;
    Ok(())
}

fn columns(sum: &Sum) -> (i64, i64, i64) {
    (stored(sum.weight), stored(sum.shares), stored(sum.rejected))
}

/// Numbers of a worker's account and of the worker; new names get one.
fn numbers(transaction: &Transaction<'_>, name: &str) -> Result<(i64, i64), Fault> {
    let find = "SELECT account, id FROM worker WHERE name = ?1";
    let known = transaction
        .prepare_cached(find)?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some(numbers) = known {
        return Ok(numbers);
    }
    let address = address_part(name);
    transaction
        .prepare_cached("INSERT INTO account (address) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([address])?;
    let account: i64 = transaction
        .prepare_cached("SELECT id FROM account WHERE address = ?1")?
        .query_row([address], |row| row.get(0))?;
    transaction
        .prepare_cached("INSERT INTO worker (account, name) VALUES (?1, ?2)")?
        .execute(params![account, name])?;
    Ok((account, transaction.last_insert_rowid()))
}
