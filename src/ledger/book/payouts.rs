//! Payouts: what is owed, signed transactions, and what became of them.

use super::{Book, BookError, Minimums, amount, natural, number, script, trace};
use crate::chain::transaction::Output;
use crate::chain::{Hash, hex_encode};
use crate::rewards::Amount;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

/// Somebody who is owed money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Number of the account.
    pub account: i64,
    /// Its address.
    pub name: String,
    /// Its output script.
    pub script: Vec<u8>,
    /// What it is owed.
    pub balance: Amount,
}

/// Money that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Address or name.
    pub name: String,
    /// What it is owed.
    pub balance: Amount,
    /// Why it is not paid.
    pub reason: String,
}

/// A signed transaction that is not in the book yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayout {
    /// Its id.
    pub txid: Hash,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the pool's wallet pays for it.
    pub fee: Amount,
    /// Its first outputs: account, script, amount, in their order.
    pub outputs: Vec<(i64, Vec<u8>, Amount)>,
}

/// What became of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutState {
    /// In the book; no daemon has taken it yet.
    Signed,
    /// A daemon has taken it.
    Sent,
    /// Deep enough in the chain.
    Confirmed,
    /// It can never happen, since its money was spent elsewhere, deep in the chain; or it was never
    /// sent. Its amounts are owed again.
    Void,
}

impl PayoutState {
    /// Those that are not settled.
    pub const OPEN: [Self; 2] = [Self::Signed, Self::Sent];
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Signed, Self::Sent, Self::Confirmed, Self::Void];

    /// Its name in the book and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Void => "void",
        }
    }

    fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.name() == name).unwrap_or(Self::Signed)
    }
}

/// A payout of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its number.
    pub id: i64,
    /// Transaction id.
    pub txid: Hash,
    /// The transaction, hex.
    pub hex: String,
    /// What the pool's wallet paid for it.
    pub fee: Amount,
    /// What became of it.
    pub state: PayoutState,
    /// When it was signed, unix ms.
    pub time: u64,
    /// Confirmations when it was last looked at.
    pub depth: u64,
    /// What it waits for, in words; empty when all is well.
    pub words: String,
}

pub(super) fn payout(row: &Row<'_>) -> rusqlite::Result<Payout> {
    Ok(Payout {
        id: row.get(0)?,
        txid: Hash::from_display(&row.get::<_, String>(1)?).unwrap_or(Hash([0; 32])),
        hex: row.get(2)?,
        fee: amount(row, 3)?,
        state: PayoutState::from_name(&row.get::<_, String>(4)?),
        time: row.get(5).map(natural)?,
        depth: row.get(6).map(natural)?,
        words: row.get(7)?,
    })
}

impl Book {
    /// Accounts that are owed at least their minimum and can be paid, the oldest debt first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn due(&self, minimums: impl Into<Minimums>) -> Result<Vec<Due>, BookError> {
        let minimums = minimums.into();
        let sql = "SELECT id, name, script, balance, minimum FROM account
            WHERE balance > 0 AND held IS NULL ORDER BY since, id";
        self.read(|book| {
            let mut query = book.prepare(sql)?;
            let mut rows = query.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let due = Due {
                    account: row.get(0)?,
                    name: row.get(1)?,
                    script: script(&row.get::<_, String>(2)?),
                    balance: amount(row, 3)?,
                };
                let own: Option<i64> = row.get(4)?;
                let own = own.map(|units| Amount(natural(units)));
                if due.balance >= minimums.of(&due.script, own) {
                    all.push(due);
                }
            }
            Ok(all)
        })
    }

    /// What is set aside, and why.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn held(&self) -> Result<Vec<Held>, BookError> {
        let sql = "SELECT name, balance, held FROM account WHERE held IS NOT NULL ORDER BY name";
        self.read(|book| {
            let mut query = book.prepare(sql)?;
            let held = |row: &Row<'_>| {
                Ok(Held { name: row.get(0)?, balance: amount(row, 1)?, reason: row.get(2)? })
            };
            query.query_map([], held)?.collect()
        })
    }

    /// Sets an account's money aside for `reason`, or lets it go with `None`. `false`: there is no
    /// such account.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn hold(&mut self, name: &str, reason: Option<&str>, now: u64) -> Result<bool, BookError> {
        self.change(|change| {
            let sql = "UPDATE account SET held = ?2 WHERE name = ?1 AND (script <> '' OR ?2 <> '')";
            let known = change.execute(sql, params![name, reason])? > 0;
            if known {
                let words =
                    reason.map_or_else(|| "released".to_owned(), |why| format!("held: {why}"));
                trace(change, now, name, &words)?;
            }
            Ok(known)
        })
    }

    /// Writes a signed transaction into the book and takes its amounts off the balances, in one
    /// step. From here on it may be sent, as often as needed.
    ///
    /// # Errors
    /// [`BookError`]; nothing is changed, also when a balance does not cover its output, or is set
    /// aside.
    pub fn sign(&mut self, new: &NewPayout, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let sql = "INSERT INTO payout (txid, bytes, fee, state, time, depth, words)
                VALUES (?1, ?2, ?3, 'signed', ?4, 0, '')";
            let (name, hex) = (new.txid.to_string(), hex_encode(&new.bytes));
            change.execute(sql, params![name, hex, number(new.fee.0)?, number(now)?])?;
            let id = change.last_insert_rowid();
            take(change, id, &new.outputs)?;
            trace(change, now, &name, &format!("signed, {} outputs", new.outputs.len()))
        })
    }

    /// The scripts and amounts that a payout's transaction pays first, in their order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn outputs(&self, payout: i64) -> Result<Vec<Output>, BookError> {
        let sql = "SELECT script, amount FROM output WHERE payout = ?1 ORDER BY n";
        self.read(|book| {
            let output = |row: &Row<'_>| {
                Ok(Output { script: script(&row.get::<_, String>(0)?), value: amount(row, 1)? })
            };
            book.prepare_cached(sql)?.query_map([payout], output)?.collect()
        })
    }

    /// Payouts in these states whose transactions are known, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn payouts(&self, states: &[PayoutState]) -> Result<Vec<Payout>, BookError> {
        let sql = "SELECT id, txid, bytes, fee, state, time, depth, words FROM payout
            WHERE state = ?1 AND txid IS NOT NULL ORDER BY id";
        let mut payouts = Vec::new();
        for state in states {
            payouts.extend(self.read(|book| {
                let mut query = book.prepare_cached(sql)?;
                query.query_map([state.name()], payout)?.collect::<rusqlite::Result<Vec<_>>>()
            })?);
        }
        payouts.sort_by_key(|payout| payout.id);
        Ok(payouts)
    }

    /// So many payouts whose transactions are known, newest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn newest_payouts(&self, most: u32) -> Result<Vec<Payout>, BookError> {
        let sql = "SELECT id, txid, bytes, fee, state, time, depth, words FROM payout
            WHERE txid IS NOT NULL ORDER BY id DESC LIMIT ?1";
        self.read(|book| book.prepare(sql)?.query_map([most], payout)?.collect())
    }

    /// Payouts that are confirmed, but less deep than `depth`, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn shallow(&self, depth: u64) -> Result<Vec<Payout>, BookError> {
        let sql = "SELECT id, txid, bytes, fee, state, time, depth, words FROM payout
            WHERE state = 'confirmed' AND depth < ?1 ORDER BY id";
        self.read(|book| book.prepare_cached(sql)?.query_map([number(depth)?], payout)?.collect())
    }

    /// Notes what became of a payout that is not void, and does not become that:
    /// [`Book::void`] gives amounts back.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn settle(
        &mut self,
        id: i64,
        state: PayoutState,
        depth: u64,
        words: &str,
        now: u64,
    ) -> Result<(), BookError> {
        self.change(|change| {
            let sql = "SELECT txid, state, depth, words FROM payout WHERE id = ?1";
            let read = |row: &Row<'_>| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get(2).map(natural)?,
                    row.get::<_, String>(3)?,
                ))
            };
            let Some((txid, before, was_deep, said)) =
                change.query_row(sql, [id], read).optional()?
            else {
                return Ok(());
            };
            let is_void = before == PayoutState::Void.name() || state == PayoutState::Void;
            if is_void || (before == state.name() && was_deep == depth && said == words) {
                return Ok(());
            }
            let sql = "UPDATE payout SET state = ?2, depth = ?3, words = ?4 WHERE id = ?1";
            change.execute(sql, params![id, state.name(), number(depth)?, words])?;
            if before == state.name() {
                return Ok(());
            }
            trace(change, now, &txid, &format!("{before} -> {}", state.name()))
        })
    }

    /// What an account has earned, is owed, and has been paid or is being paid; `None`: unknown.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn balance(&self, name: &str) -> Result<Option<Balance>, BookError> {
        // By state: the few payouts that are not confirmed are found by an index, and of the others
        // only the outputs are read, not the transactions' bytes.
        let of = |states| {
            format!(
                "(SELECT COALESCE(SUM(amount), 0) FROM payout CROSS JOIN output
                    ON output.payout = payout.id AND output.account = account.id
                    WHERE payout.state IN ({states}))"
            )
        };
        let sql = format!(
            "SELECT balance, held, {}, {},
                (SELECT COALESCE(SUM(amount), 0) FROM output WHERE output.account = account.id)
            FROM account WHERE name = ?1",
            of("'intended', 'signed', 'sent'"),
            of("'void'")
        );
        self.read(|book| {
            let read = |row: &Row<'_>| {
                let [in_flight, void, all] = [amount(row, 2)?, amount(row, 3)?, amount(row, 4)?];
                Ok(Balance {
                    unpaid: amount(row, 0)?,
                    held: row.get(1)?,
                    in_flight,
                    paid: Amount(all.0.saturating_sub(in_flight.0).saturating_sub(void.0)),
                })
            };
            book.query_row(&sql, [name], read).optional()
        })
    }
}

/// Writes a payout's outputs, and takes them off the balances.
pub(super) fn take(
    change: &Transaction<'_>,
    payout: i64,
    outputs: &[(i64, Vec<u8>, Amount)],
) -> rusqlite::Result<()> {
    for (n, (account, script, amount)) in outputs.iter().enumerate() {
        let sql = "INSERT INTO output VALUES (?1, ?2, ?3, ?4, ?5)";
        let amount = number(amount.0)?;
        change.execute(
            sql,
            params![payout, number(n as u64)?, account, hex_encode(script), amount],
        )?;
        // The balance's own check refuses what is not covered.
        let sql = "UPDATE account SET balance = balance - ?2 WHERE id = ?1 AND held IS NULL";
        if change.execute(sql, params![account, amount])? != 1 {
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
    }
    Ok(())
}

/// Gives the amounts of a payout back to the balances.
pub(super) fn give_back(change: &Connection, payout: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE account SET balance = balance + output.amount
        FROM output WHERE output.payout = ?1 AND output.account = account.id";
    change.execute(sql, [payout]).map(drop)
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Owed.
    pub unpaid: Amount,
    /// Intended, signed or sent, not confirmed yet.
    pub in_flight: Amount,
    /// Confirmed.
    pub paid: Amount,
    /// Why it is not paid.
    pub held: Option<String>,
}
