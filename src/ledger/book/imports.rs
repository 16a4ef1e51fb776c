//! What was brought from another pool's software: opening balances, what it had paid before, its
//! pending blocks, and the work of its open round. Each key of a source counts once.

use super::blocks::enter;
use super::claim::settle_past;
use super::fee::earn;
use super::{Account, Book, BookError, account, amount, natural, number, trace};
use crate::journal::BlockFound;
use crate::rewards::Amount;
use crate::stratum::Weight;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// `import.amount`: the smallest unit of a balance or payment, or weight. Where it is NULL the key
/// was refused, and may be taken later. `opening`: work that waits for the block whose round it
/// goes into.
pub(super) const SCHEMA: &str = "
CREATE TABLE import (
    source TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, account INTEGER,
    amount INTEGER CHECK (amount >= 0), time INTEGER NOT NULL,
    PRIMARY KEY (source, kind, key)) STRICT, WITHOUT ROWID;
CREATE INDEX import_account ON import (account, kind);
CREATE TABLE opening (
    n INTEGER PRIMARY KEY, worker TEXT NOT NULL, weight INTEGER NOT NULL CHECK (weight > 0),
    since INTEGER NOT NULL, block TEXT) STRICT;
CREATE INDEX opening_block ON opening (block);
";

/// What kind of thing was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportKind {
    /// What an account is owed.
    Balance,
    /// What an account was paid before, for display.
    Paid,
    /// A found block with its work.
    Block,
    /// Work of the round that is open.
    Work,
}

impl ImportKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Balance, Self::Paid, Self::Block, Self::Work];

    /// Its name in the book and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Paid => "paid",
            Self::Block => "block",
            Self::Work => "work",
        }
    }
}

/// The row that says that a source was imported.
const SOURCE: &str = "source";

/// What is to be imported from one source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Import {
    /// Where it comes from: names the rows of this source for ever.
    pub source: String,
    /// Owed: key, account, amount.
    pub balances: Vec<(String, Account, Amount)>,
    /// Paid before: key, account, amount.
    pub paid: Vec<(String, Account, Amount)>,
    /// Found blocks and the work of their rounds.
    pub blocks: Vec<(BlockFound, BTreeMap<String, Weight>)>,
    /// Work of the open round that is new, by worker.
    pub work: BTreeMap<String, Weight>,
    /// All of the open round's work that has been taken with that, by worker; `None`: as it was.
    pub open_round: Option<BTreeMap<String, Weight>>,
    /// What was refused, and may be taken later.
    pub refused: Vec<(ImportKind, String)>,
}

/// What was imported from a source before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// When it was first, unix ms; `None`: never.
    pub since: Option<u64>,
    /// Amount or weight by kind and key; `None`: it was refused.
    pub keys: BTreeMap<(ImportKind, String), Option<u64>>,
}

impl Book {
    /// Imports all of it, or nothing. What was taken of the source before stays as it is.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn import(&mut self, import: &Import, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let source = import.source.as_str();
            row(change, source, SOURCE, "", None, None, now)?;
            // The old software paid these accounts from the same wallet.
            settle_past(change)?;
            // What is still refused stands there again below.
            let sql = "DELETE FROM import WHERE source = ?1 AND amount IS NULL AND kind <> ?2";
            change.execute(sql, [source, SOURCE])?;
            for (kind, key) in &import.refused {
                row(change, source, kind.name(), key, None, None, now)?;
            }
            for (key, owner, owed) in &import.balances {
                let id = account(change, owner, now)?;
                let kind = ImportKind::Balance.name();
                if row(change, source, kind, key, Some(id), Some(owed.0), now)? {
                    earn(change, id, *owed, now)?;
                }
            }
            for (key, owner, paid) in &import.paid {
                let id = account(change, owner, now)?;
                row(change, source, ImportKind::Paid.name(), key, Some(id), Some(paid.0), now)?;
            }
            for (found, work) in &import.blocks {
                let name = found.hash.to_string();
                let kind = ImportKind::Block.name();
                if row(change, source, kind, &name, None, Some(found.pool_value.0), now)? {
                    // Work of orphans and of the open round stays where it is: that was done after
                    // this block's round was closed, or waits for a block of this pool's own.
                    if enter(change, found, work, now)? {
                        trace(change, now, &name, "imported")?;
                    }
                }
            }
            for (worker, &weight) in &import.work {
                let sql = "INSERT INTO opening (worker, weight, since) VALUES (?1, ?2, ?3)";
                change.execute(sql, params![worker, number(weight)?, number(now)?])?;
            }
            if let Some(open) = &import.open_round {
                let kind = ImportKind::Work.name();
                let sql = "DELETE FROM import WHERE source = ?1 AND kind = ?2";
                change.execute(sql, [source, kind])?;
                for (worker, &weight) in open {
                    row(change, source, kind, worker, None, Some(weight), now)?;
                }
            }
            let words = format!(
                "imported: {} balances, {} blocks, work of {} workers",
                import.balances.len(),
                import.blocks.len(),
                import.work.len()
            );
            trace(change, now, source, &words)
        })
    }

    /// What was imported from a source.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn imported(&self, source: &str) -> Result<Imported, BookError> {
        self.read(|book| {
            let mut imported = Imported::default();
            let sql = "SELECT kind, key, amount, time FROM import WHERE source = ?1";
            let mut query = book.prepare(sql)?;
            let mut rows = query.query([source])?;
            while let Some(row) = rows.next()? {
                let kind: String = row.get(0)?;
                if kind == SOURCE {
                    imported.since = Some(row.get(3).map(natural)?);
                }
                let known = ImportKind::ALL.into_iter().find(|known| known.name() == kind);
                if let Some(kind) = known {
                    let amount: Option<i64> = row.get(2)?;
                    imported.keys.insert((kind, row.get(1)?), amount.map(natural));
                }
            }
            Ok(imported)
        })
    }

    /// The sources that anything was imported from.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn import_sources(&self) -> Result<Vec<String>, BookError> {
        let sql = "SELECT source FROM import WHERE kind = ?1 ORDER BY source";
        self.read(|book| book.prepare(sql)?.query_map([SOURCE], |row| row.get(0))?.collect())
    }

    /// What an account was paid before it was imported.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn paid_before(&self, name: &str) -> Result<Amount, BookError> {
        let sql = "SELECT COALESCE(SUM(amount), 0) FROM import JOIN account ON account.id = account
            WHERE kind = 'paid' AND name = ?1";
        let sum = |row: &Row<'_>| amount(row, 0);
        self.read(|book| Ok(book.query_row(sql, [name], sum).optional()?.unwrap_or_default()))
    }
}

/// Enters a key; `false`: it was taken before. One that was refused before is taken now.
fn row(
    change: &Connection,
    source: &str,
    kind: &str,
    key: &str,
    account: Option<i64>,
    amount: Option<u64>,
    now: u64,
) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO import VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT DO UPDATE SET account = excluded.account, amount = excluded.amount,
            time = excluded.time
        WHERE import.amount IS NULL AND excluded.amount IS NOT NULL";
    let amount = amount.map(number).transpose()?;
    let mut insert = change.prepare_cached(sql)?;
    Ok(insert.execute(params![source, kind, key, account, amount, number(now)?])? > 0)
}

/// Lets the opening work go into the round of a block that was found after it came. (What came in
/// the future came while the clock was wrong.)
pub(super) fn carry(
    change: &Connection,
    block: &str,
    found: u64,
    now: u64,
) -> rusqlite::Result<()> {
    let sql = "UPDATE opening SET block = ?1 WHERE block IS NULL AND (since <= ?2 OR since > ?3)";
    change.execute(sql, params![block, number(found)?, number(now)?]).map(drop)
}

/// Takes back what was carried into a block that nobody is credited for.
pub(super) fn release(change: &Connection, block: &str) -> rusqlite::Result<()> {
    change.execute("UPDATE opening SET block = NULL WHERE block = ?1", [block])?;
    change.execute("UPDATE block SET carried = NULL WHERE carried = ?1", [block]).map(drop)
}
