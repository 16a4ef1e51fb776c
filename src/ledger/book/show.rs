//! What the web site shows of the book. Reads only, and never more rows than were asked for.

use super::blocks::{COLUMNS, block};
use super::payouts::payout;
use super::{Book, BookBlock, BookError, Payout, PayoutState, State, amount, natural, number};
use crate::chain::Hash;
use crate::rewards::Amount;
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// Sums over all accounts, in the smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Owed to accounts that can be paid.
    pub owed: u128,
    /// Set aside.
    pub held: u128,
    /// Accounts whose money is set aside.
    pub holders: u64,
    /// Payouts that are not settled.
    pub open: u64,
    /// When the oldest of them was made, unix ms.
    pub open_since: Option<u64>,
    /// Intended, signed or sent, not confirmed.
    pub in_flight: u128,
    /// Confirmed.
    pub paid: u128,
}

/// What payouts pay to accounts, kept from one look to the next: once signed it never changes.
#[derive(Debug, Default)]
pub struct Sums(BTreeMap<i64, (u64, u128)>);

impl Sums {
    /// How many accounts a payout pays, and how much, in the smallest unit; `None`: not seen yet.
    #[must_use]
    pub fn of(&self, payout: i64) -> Option<(u64, u128)> {
        self.0.get(&payout).copied()
    }
}

/// A payment to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Transaction id.
    pub txid: Hash,
    /// What became of it.
    pub state: PayoutState,
    /// When it was signed, unix ms.
    pub time: u64,
    /// Confirmations when it was last looked at.
    pub depth: u64,
    /// What the account gets of it.
    pub amount: Amount,
}

/// What a block brought to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// Height of the block.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
    /// When it was found, unix ms.
    pub time: u64,
    /// What it brought.
    pub amount: Amount,
}

fn hash(text: &str) -> Hash {
    Hash::from_display(text).unwrap_or(Hash([0; 32]))
}

/// From `txid, state, time, depth, amount`.
pub(super) fn paid(row: &Row<'_>) -> rusqlite::Result<Paid> {
    let state = row.get::<_, String>(1)?;
    let known = PayoutState::ALL.into_iter().find(|known| known.name() == state);
    Ok(Paid {
        txid: hash(&row.get::<_, String>(0)?),
        state: known.unwrap_or(PayoutState::Signed),
        time: row.get(2).map(natural)?,
        depth: row.get(3).map(natural)?,
        amount: amount(row, 4)?,
    })
}

/// From `height, hash, time, amount`.
pub(super) fn earned(row: &Row<'_>) -> rusqlite::Result<Earned> {
    Ok(Earned {
        height: row.get(0).map(natural)?,
        hash: hash(&row.get::<_, String>(1)?),
        time: row.get(2).map(natural)?,
        amount: amount(row, 3)?,
    })
}

impl Book {
    /// So many blocks below a height, the highest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn blocks_below(&self, height: u64, most: u32) -> Result<Vec<BookBlock>, BookError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM block WHERE height < ?1 ORDER BY height DESC, hash LIMIT ?2"
        );
        self.read(|book| {
            let height = i64::try_from(height).unwrap_or(i64::MAX);
            book.prepare(&sql)?.query_map(params![height, most], block)?.collect()
        })
    }

    /// How many blocks are in each state.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn counts(&self) -> Result<BTreeMap<String, u64>, BookError> {
        let sql = "SELECT state, COUNT(*) FROM block GROUP BY state";
        self.read(|book| {
            let count = |row: &Row<'_>| Ok((row.get(0)?, row.get(1).map(natural)?));
            book.prepare(sql)?.query_map([], count)?.collect()
        })
    }

    /// When the blocks since a moment (unix ms) were found, and what is known of them.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn found_since(&self, since: u64) -> Result<Vec<(u64, State)>, BookError> {
        let sql = "SELECT time, state FROM block WHERE time >= ?1 ORDER BY time";
        self.read(|book| {
            let found = |row: &Row<'_>| {
                let state = row.get::<_, String>(1)?;
                let known = State::ALL.into_iter().find(|known| known.name() == state);
                Ok((row.get(0).map(natural)?, known.unwrap_or(State::Found)))
            };
            book.prepare(sql)?.query_map([number(since)?], found)?.collect()
        })
    }

    /// How many blocks' work was carried into the round of another.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn carried(&self) -> Result<u64, BookError> {
        let sql = "SELECT COUNT(*) FROM block WHERE carried IS NOT NULL";
        self.read(|book| book.query_row(sql, [], |row| row.get(0).map(natural)))
    }

    /// Sums over all accounts. `sums`: what earlier calls for this book have added up.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn totals(&self, sums: &mut Sums) -> Result<Totals, BookError> {
        let mut totals = Totals::default();
        let payouts: Vec<(i64, String)> = self.read(|book| {
            let mut query = book.prepare("SELECT balance, held IS NOT NULL FROM account")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let balance = u128::from(amount(row, 0)?.0);
                if row.get(1)? {
                    totals.held += balance;
                    totals.holders += u64::from(balance > 0);
                } else {
                    totals.owed += balance;
                }
            }
            // Both columns are in an index: the transactions' bytes are not read.
            let mut query = book.prepare("SELECT id, state FROM payout WHERE state <> 'void'")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        for (id, state) in payouts {
            let sum = match sums.of(id) {
                Some((_, known)) => known,
                None => {
                    let new = self.paid_by(id)?;
                    // An intent may be taken back, and its number go to another.
                    if state != "intended" {
                        sums.0.insert(id, new);
                    }
                    new.1
                }
            };
            if state == PayoutState::Confirmed.name() {
                totals.paid += sum;
            } else {
                totals.in_flight += sum;
                totals.open += 1;
            }
        }
        let sql = "SELECT MIN(time) FROM payout WHERE state IN ('intended', 'signed', 'sent')";
        let since = |row: &Row<'_>| row.get(0).map(|time: Option<i64>| time.map(natural));
        totals.open_since = self.read(|book| book.query_row(sql, [], since))?;
        Ok(totals)
    }

    /// So many payouts with numbers below one, newest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn payouts_below(&self, id: i64, most: u32) -> Result<Vec<Payout>, BookError> {
        // The transaction's bytes are long, and nobody here reads them.
        let sql = "SELECT id, txid, '', fee, state, time, depth, words FROM payout
            WHERE txid IS NOT NULL AND id < ?1 ORDER BY id DESC LIMIT ?2";
        self.read(|book| book.prepare(sql)?.query_map(params![id, most], payout)?.collect())
    }

    /// What a payout pays to accounts.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn paid_by(&self, payout: i64) -> Result<(u64, u128), BookError> {
        let sql = "SELECT amount FROM output WHERE payout = ?1";
        self.read(|book| {
            let mut query = book.prepare_cached(sql)?;
            let mut rows = query.query([payout])?;
            let (mut count, mut sum) = (0, 0);
            while let Some(row) = rows.next()? {
                count += 1;
                sum += u128::from(amount(row, 0)?.0);
            }
            Ok((count, sum))
        })
    }

    /// So many payments to an account, newest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn paid_to(&self, name: &str, most: u32) -> Result<Vec<Paid>, BookError> {
        let sql = "SELECT txid, state, time, depth, amount FROM account
            CROSS JOIN output ON output.account = account.id
            CROSS JOIN payout ON payout.id = output.payout
            WHERE name = ?1 AND txid IS NOT NULL ORDER BY output.payout DESC LIMIT ?2";
        self.read(|book| book.prepare(sql)?.query_map(params![name, most], paid)?.collect())
    }

    /// What so many blocks brought to an account, newest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn earned_by(&self, name: &str, most: u32) -> Result<Vec<Earned>, BookError> {
        // In the order in which the book took them in, which an index has.
        let sql = "SELECT height, hash, block.time, amount FROM account
            CROSS JOIN credit ON credit.account = account.id
            CROSS JOIN block ON block.id = credit.block
            WHERE name = ?1 ORDER BY credit.block DESC LIMIT ?2";
        self.read(|book| {
            let mut all: Vec<Earned> = book
                .prepare(sql)?
                .query_map(params![name, most], earned)?
                .collect::<rusqlite::Result<_>>()?;
            all.sort_by_key(|earned| std::cmp::Reverse(earned.height));
            Ok(all)
        })
    }
}
