//! Which of several books pays a coin: what this one says of itself, and whom it has to give way to.

use super::{Book, BookError, trace};
use crate::chain::{Hash, hex_encode};
use crate::ledger::Claim;
use crate::ledger::claim::MOST;
use rusqlite::{Connection, OptionalExtension, params};

/// The book's random number. Copies of a book have the same one.
const ID: &str = "id";
const FENCE: &str = "fence";
/// How many claims it has made.
const CLAIMS: &str = "claims";
/// The claim that it gave way to.
const SUPERSEDED: &str = "superseded";
/// Noted when an operator has adopted the book, begun it or imported into it, until payments have
/// seen it: what the wallet paid until then counts as settled.
pub const ADOPTED: &str = "adopted";
/// What traces of claims are about.
const SUBJECT: &str = "claim";

/// Under which name the book has a payment of the wallet that is none of its payouts.
fn known(txid: &Hash) -> String {
    format!("known {txid}")
}

/// What the wallet paid until now counts as settled.
pub(super) fn settle_past(change: &Connection) -> rusqlite::Result<()> {
    put(change, ADOPTED, "1")
}

/// A book's turn to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// What it says; never said before, unless it has given way.
    pub own: Claim,
    /// What it has given way to. It pays nobody until an operator adopts it.
    pub superseded: Option<Claim>,
}

/// Notes a number; what is there goes.
fn put(change: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    change.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [name, value]).map(drop)
}

fn noted(book: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    book.query_row(sql, [name], |row| row.get(0)).optional()
}

/// What the book says of itself, as it last said it.
fn own(book: &Connection) -> rusqlite::Result<Claim> {
    // SQLite's own random numbers come from the system's, in each process anew.
    let sql = "INSERT OR IGNORE INTO meta VALUES (?1, CAST(random() & ?2 AS TEXT))";
    book.execute(sql, params![ID, MOST.cast_signed()])?;
    let number = |name, otherwise| {
        noted(book, name).map(|text| text.and_then(|text| text.parse().ok()).unwrap_or(otherwise))
    };
    Ok(Claim { book: number(ID, 0)?, fence: number(FENCE, 1)?, number: number(CLAIMS, 0)? })
}

fn superseded(book: &Connection) -> rusqlite::Result<Option<Claim>> {
    let Some(text) = noted(book, SUPERSEDED)? else { return Ok(None) };
    let mut numbers = text.split(' ').map(|word| word.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Ok(Some(Claim { book: next(), fence: next(), number: next() }))
}

impl Book {
    /// What the book claims next. Each number is given once, whatever becomes of the claim: so a
    /// lost answer is no harm, and two copies of a book notice each other.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn next_claim(&mut self) -> Result<Turn, BookError> {
        self.change(|change| {
            let mut own = own(change)?;
            let superseded = superseded(change)?;
            if superseded.is_none() {
                own.number += 1;
                put(change, CLAIMS, &own.number.to_string())?;
            }
            Ok(Turn { own, superseded })
        })
    }

    /// Gives way to another claim, until [`Book::adopt`]: whatever becomes of the tally.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn give_way(&mut self, other: Claim, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let Claim { book, fence, number } = other;
            put(change, SUPERSEDED, &format!("{book} {fence} {number}"))?;
            let words = format!("gives way to claim {number} of book {book}, fence {fence}");
            trace(change, now, SUBJECT, &words)
        })
    }

    /// Makes this the book that pays, above whatever it gave way to and what is `stored`. Returns
    /// what it will claim.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn adopt(&mut self, stored: Option<Claim>, now: u64) -> Result<Claim, BookError> {
        self.change(|change| {
            let mut own = own(change)?;
            for other in [stored, superseded(change)?].into_iter().flatten() {
                own.fence = own.fence.max(other.fence);
                if other.book == own.book {
                    own.number = own.number.max(other.number);
                }
            }
            own.fence = own.fence.saturating_add(1).min(MOST);
            put(change, FENCE, &own.fence.to_string())?;
            put(change, CLAIMS, &own.number.to_string())?;
            settle_past(change)?;
            change.execute("DELETE FROM meta WHERE name = ?1", [SUPERSEDED])?;
            trace(change, now, SUBJECT, &format!("adopted by the operator, fence {}", own.fence))?;
            Ok(own)
        })
    }

    /// Notes something in place of what is there.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note_last(&mut self, name: &str, value: &str) -> Result<(), BookError> {
        self.change(|change| put(change, name, value))
    }

    /// The operator begins a new book beside a ledger with old blocks: notes `value` under `name`,
    /// and that what the wallet paid until now is settled.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn begin(&mut self, name: &str, value: &str) -> Result<(), BookError> {
        self.change(|change| {
            put(change, name, value)?;
            settle_past(change)
        })
    }

    /// Notes a payment of the wallet that is none of the payouts, and counts as settled.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn know(&mut self, txid: &Hash, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let sql = "INSERT OR IGNORE INTO meta VALUES (?1, '')";
            if change.execute(sql, [known(txid)])? > 0 {
                trace(change, now, &txid.to_string(), "counts as settled")?;
            }
            Ok(())
        })
    }

    /// Whether a payment of the wallet counts as settled.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn knows(&self, txid: &Hash) -> Result<bool, BookError> {
        Ok(self.noted(&known(txid))?.is_some())
    }

    /// Id of the newest payout.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn newest_payout(&self) -> Result<Option<Hash>, BookError> {
        let sql = "SELECT txid FROM payout WHERE txid IS NOT NULL ORDER BY id DESC LIMIT 1";
        let newest: Option<String> =
            self.read(|book| book.query_row(sql, [], |row| row.get(0)).optional())?;
        Ok(newest.and_then(|txid| Hash::from_display(&txid)))
    }

    /// Whether a transaction is a payout of the book.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn has_payout(&self, txid: &Hash) -> Result<bool, BookError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM payout WHERE txid = ?1)";
        self.read(|book| book.query_row(sql, [txid.to_string()], |row| row.get(0)))
    }

    /// The name of the account that an output script pays.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn name_of(&self, script: &[u8]) -> Result<Option<String>, BookError> {
        let sql = "SELECT name FROM account WHERE script = ?1 AND script <> ''";
        self.read(|book| book.query_row(sql, [hex_encode(script)], |row| row.get(0)).optional())
    }
}
