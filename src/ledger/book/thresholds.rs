//! From which debt on an account is paid.

use super::{Book, BookError, amount, number, trace};
use crate::rewards::Amount;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// What the configuration says; what is set in the book for an account comes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minimums {
    /// For all accounts.
    pub all: Amount,
    /// For single output scripts, in its place.
    pub by_script: BTreeMap<Vec<u8>, Amount>,
}

impl From<Amount> for Minimums {
    fn from(all: Amount) -> Self {
        Self { all, by_script: BTreeMap::new() }
    }
}

impl Minimums {
    /// The one of an account; `own`: what is set in the book for it.
    #[must_use]
    pub fn of(&self, script: &[u8], own: Option<Amount>) -> Amount {
        own.or_else(|| self.by_script.get(script).copied()).unwrap_or(self.all)
    }
}

impl Book {
    /// Sets an account's own minimum, or takes it away with `None`. `false`: there is no such
    /// account, or nothing can be paid to it.
    ///
    /// # Errors
    /// [`BookError`]; a minimum of 0 is refused.
    pub fn set_minimum(
        &mut self,
        name: &str,
        minimum: Option<Amount>,
        now: u64,
    ) -> Result<bool, BookError> {
        self.change(|change| {
            let units = minimum.map(|minimum| number(minimum.0)).transpose()?;
            let sql = "UPDATE account SET minimum = ?2 WHERE name = ?1 AND script <> ''";
            let known = change.execute(sql, params![name, units])? > 0;
            if known {
                let words = minimum.map_or_else(
                    || "its minimum is the configuration's".to_owned(),
                    |minimum| format!("its minimum is {minimum}"),
                );
                trace(change, now, name, &words)?;
            }
            Ok(known)
        })
    }

    /// An account's own minimum, if it has one.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn minimum(&self, name: &str) -> Result<Option<Amount>, BookError> {
        let sql = "SELECT minimum FROM account WHERE name = ?1 AND minimum IS NOT NULL";
        self.read(|book| book.query_row(sql, [name], |row: &Row<'_>| amount(row, 0)).optional())
    }
}
