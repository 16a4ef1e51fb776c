//! The writing end: sums and the journals' positions in one transaction.

use super::batch::Kind;
use super::file::{self, Fault, meta, natural, stored};
use super::level::{LAST, LEVELS};
use super::names::Names;
use super::{Batch, HistoryError, Last, Reasons, Sum};
use crate::ledger::identity;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most blocks that are kept.
const BLOCKS: u32 = 10_000;

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
            let newest = batch.minutes.keys().next_back().copied().unwrap_or(0);
            let mut names = Names::new(transaction, newest)?;
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
                    let works = |name: &str| batch.last.contains_key(name);
                    add(transaction, (level.length, *at), workers, (&mut names, &works))?;
                }
            }
            for (worker, last) in &batch.last {
                // Who is in no slot is too old.
                if let Some((_, worker)) = names.known(worker) {
                    note_last(transaction, worker, *last)?;
                }
            }
            names.keep()?;
            note_blocks(transaction, batch)?;
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
                    transaction.execute(
                        "DELETE FROM last WHERE worker NOT IN (SELECT id FROM worker)",
                        [],
                    )?;
                }
                let sql = "DELETE FROM network WHERE length = ?1 AND at < ?2";
                transaction.prepare_cached(sql)?.execute(old)?;
            }
            let oldest = LAST.oldest(now, retention).saturating_mul(1000);
            let sql = "DELETE FROM block WHERE time < max(?1, coalesce(\
                 (SELECT time FROM block ORDER BY time DESC LIMIT 1 OFFSET ?2), 0))";
            transaction.prepare_cached(sql)?.execute(params![stored(oldest), BLOCKS])?;
            Ok(())
        })
    }

    /// Notes the network's difficulty at a moment, unix seconds.
    ///
    /// # Errors
    /// As [`Store::positions`].
    pub fn note_difficulty(&mut self, now: u64, difficulty: f64) -> Result<(), HistoryError> {
        self.transact(|transaction| {
            let mut set = transaction.prepare_cached(
                "INSERT INTO network VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET difficulty = ?3",
            )?;
            for level in &LEVELS {
                set.execute(params![stored(level.length), stored(level.begin(now)), difficulty])?;
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

/// Adds work by worker name to a slot: its length and begin. `works`: whether a name has an accepted
/// share.
fn add<'b>(
    transaction: &Transaction<'_>,
    (length, at): (u64, u64),
    workers: &BTreeMap<&'b str, Sum>,
    (names, works): (&mut Names<'_, 'b>, &dyn Fn(&str) -> bool),
) -> Result<(), Fault> {
    let (length, at) = (stored(length), stored(at));
    let (mut all, mut new, mut miners) = (Sum::default(), 0, 0);
    // A sum beyond 64 bits becomes a float within the expression, and `min` the integer again.
    let mut more = transaction.prepare_cached(
        "UPDATE slot SET weight = min(weight + ?5, 9223372036854775807), shares = shares + ?6, \
         rejected = rejected + ?7 WHERE length = ?1 AND at = ?2 AND account = ?3 AND worker = ?4",
    )?;
    let mut first = transaction.prepare_cached(
        "INSERT INTO slot (length, at, account, worker, weight, shares, rejected) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut find = transaction.prepare_cached(
        "SELECT 1 FROM slot WHERE length = ?1 AND at = ?2 AND account = ?3 LIMIT 1",
    )?;
    for (name, sum) in workers {
        all.add(*sum);
        if name.is_empty() {
            continue;
        }
        let (account, worker) = names.numbers(name, works(name))?;
        let (weight, shares, rejected) = columns(sum);
        let row = params![length, at, account, worker, weight, shares, rejected];
        if more.execute(row)? == 0 {
            miners += i64::from(!find.exists(params![length, at, account])?);
            first.execute(row)?;
            new += 1;
        }
        let key = params![length, at, account, worker];
        let of = "slot WHERE length = ?1 AND at = ?2 AND account = ?3 AND worker = ?4";
        let set = "UPDATE slot SET reasons = ?5 \
             WHERE length = ?1 AND at = ?2 AND account = ?3 AND worker = ?4";
        if let Some(reasons) = merged(transaction, of, key, &sum.reasons)? {
            let row = params![length, at, account, worker, reasons];
            transaction.prepare_cached(set)?.execute(row)?;
        }
    }
    let (weight, shares, rejected) = columns(&all);
    transaction
        .prepare_cached(
            // Miners stay unknown in a slot that was begun without them.
            "INSERT INTO pool (length, at, weight, shares, rejected, workers, miners) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
             weight = min(weight + ?3, 9223372036854775807), shares = shares + ?4, \
             rejected = rejected + ?5, workers = workers + ?6, miners = miners + ?7",
        )?
        .execute(params![length, at, weight, shares, rejected, new, miners])?;
    let of = "pool WHERE length = ?1 AND at = ?2";
    if let Some(reasons) = merged(transaction, of, params![length, at], &all.reasons)? {
        let set = "UPDATE pool SET reasons = ?3 WHERE length = ?1 AND at = ?2";
        transaction.prepare_cached(set)?.execute(params![length, at, reasons])?;
    }
    Ok(())
}

/// The reasons of a row with more, as they are stored; `None`: there are no more.
fn merged(
    transaction: &Transaction<'_>,
    of: &str,
    key: &[&dyn ToSql],
    more: &Reasons,
) -> Result<Option<Vec<u8>>, Fault> {
    if *more == Reasons::default() {
        return Ok(None);
    }
    let known: Option<Vec<u8>> = transaction
        .prepare_cached(&format!("SELECT reasons FROM {of}"))?
        .query_row(key, |row| row.get(0))?;
    let mut reasons = known.as_deref().map(Reasons::from_stored).unwrap_or_default();
    reasons.add(more);
    Ok(reasons.stored())
}

fn columns(sum: &Sum) -> (i64, i64, i64) {
    (stored(sum.weight), stored(sum.shares), stored(sum.rejected))
}

/// Notes a worker's last share, unless a later one is known.
fn note_last(transaction: &Transaction<'_>, worker: i64, last: Last) -> Result<(), Fault> {
    let sql = "INSERT INTO last VALUES (?1, ?2, ?3) \
         ON CONFLICT DO UPDATE SET at = ?2, weight = ?3 WHERE at <= ?2";
    let row = params![worker, stored(last.at), stored(last.weight)];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Stores blocks with the work that each took, and the work since the last ones.
fn note_blocks(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Fault> {
    let mut rounds = BTreeMap::new();
    for kind in Kind::ALL {
        rounds.insert(kind, meta(transaction, kind.meta())?.map(natural));
    }
    let sql = "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    for (kind, mined) in &batch.blocks {
        // What came before this file was begun is not known.
        let before = rounds.insert(*kind, Some(0)).flatten();
        let work = before.zip(mined.work).map(|(before, work)| stored(before.saturating_add(work)));
        transaction.prepare_cached(sql)?.execute(params![
            mined.hash.to_string(),
            stored(mined.time),
            stored(mined.height),
            mined.difficulty,
            work
        ])?;
    }
    for (kind, work) in rounds {
        let Some(before) = work else { continue };
        let open = before.saturating_add(batch.open.get(&kind).copied().unwrap_or(0));
        transaction
            .prepare_cached(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            )?
            .execute(params![kind.meta(), stored(open)])?;
    }
    Ok(())
}
