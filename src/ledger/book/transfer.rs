//! What an operator does beside the process that pays: money of a name that is no address, payouts
//! that can never happen, and new tries.

use super::payouts::give_back;
use super::{Account, Book, BookError, Payout, account, amount, number, script, trace};
use crate::rewards::Amount;
use rusqlite::{OptionalExtension, params};

/// How the reason begins for which payments itself sets an account aside.
pub const REFUSED: &str = "the daemon does not take a payment to it: ";
/// What is noted when payments shall try at once.
const RETRY: &str = "retry";

impl Book {
    /// Moves all that `from` is owed to another account, which is made if need be. `from` is a name
    /// that nothing can be paid to. `None`: there is no such account, or it is owed nothing.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn assign(
        &mut self,
        from: &str,
        to: &Account,
        now: u64,
    ) -> Result<Option<Amount>, BookError> {
        self.change(|change| {
            let sql = "SELECT id, balance FROM account
                WHERE name = ?1 AND script = '' AND balance > 0";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, amount(row, 1)?));
            let Some((source, moved)) = change.query_row(sql, [from], read).optional()? else {
                return Ok(None);
            };
            let target = account(change, to, now)?;
            let sql = "INSERT INTO transfer (time, source, target, amount) VALUES (?1, ?2, ?3, ?4)";
            change.execute(sql, params![number(now)?, source, target, number(moved.0)?])?;
            let sql = "UPDATE account SET balance = 0 WHERE id = ?1";
            change.execute(sql, [source])?;
            let sql = "UPDATE account SET balance = balance + ?2,
                since = CASE balance WHEN 0 THEN ?3 ELSE since END WHERE id = ?1";
            change.execute(sql, params![target, number(moved.0)?, number(now)?])?;
            trace(change, now, from, &format!("its {moved} go to {}", to.name))?;
            trace(change, now, &to.name, &format!("has {moved} of {from}"))?;
            Ok(Some(moved))
        })
    }

    /// Makes a payout void: its amounts are owed again. `false`: it is not in the state any more, or
    /// not the transaction, that was judged.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn void(&mut self, payout: &Payout, words: &str, now: u64) -> Result<bool, BookError> {
        self.change(|change| {
            let sql = "UPDATE payout SET state = 'void', depth = 0, words = ?4
                WHERE id = ?1 AND txid = ?2 AND state = ?3 AND state <> 'void'";
            let (txid, state) = (payout.txid.to_string(), payout.state.name());
            if change.execute(sql, params![payout.id, txid, state, words])? == 0 {
                return Ok(false);
            }
            give_back(change, payout.id)?;
            trace(change, now, &txid, &format!("{state} -> void: {words}"))?;
            Ok(true)
        })
    }

    /// Names and scripts of the accounts that a payout pays.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn payees(&self, payout: i64) -> Result<Vec<(String, Vec<u8>)>, BookError> {
        let sql = "SELECT name, account.script FROM output JOIN account ON account.id = account
            WHERE payout = ?1 ORDER BY n";
        self.read(|book| {
            let payee =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, script(&row.get::<_, String>(1)?)));
            book.prepare(sql)?.query_map([payout], payee)?.collect()
        })
    }

    /// Lets payments try at once, also those that a daemon refused to pay. Returns their names.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn retry(&mut self, now: u64) -> Result<Vec<String>, BookError> {
        self.change(|change| {
            let sql = "UPDATE account SET held = NULL
                WHERE script <> '' AND substr(held, 1, length(?1)) = ?1 RETURNING name";
            let released = change
                .prepare(sql)?
                .query_map([REFUSED], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()?;
            for name in &released {
                trace(change, now, name, "released for another try")?;
            }
            change.execute("INSERT OR REPLACE INTO meta VALUES (?1, '1')", [RETRY])?;
            Ok(released)
        })
    }

    /// Whether payments shall try at once; it is told once.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn take_retry(&mut self) -> Result<bool, BookError> {
        self.forget(RETRY).map(|asked| asked.is_some())
    }

    /// Takes back what is noted under a name, and returns it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn forget(&mut self, name: &str) -> Result<Option<String>, BookError> {
        if self.noted(name)?.is_none() {
            return Ok(None); // without a write: it is asked in each cycle
        }
        let sql = "DELETE FROM meta WHERE name = ?1 RETURNING value";
        self.change(|change| change.query_row(sql, [name], |row| row.get(0)).optional())
    }
}
