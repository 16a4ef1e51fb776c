//! The record of a credited block, which anybody may compute again.

use super::{Book, BookError, amount};
use crate::chain::{Hash, sha256d};
use crate::rewards::{self, Amount};
use rusqlite::{OptionalExtension, Row};
use std::collections::BTreeMap;

/// A credited block: who had which work, and what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name of the scheme: what its reward is split over.
    pub scheme: String,
    /// What its coinbase pays to the pool.
    pub value: Amount,
    /// The pool's fee of it: kept in the wallet, or credited to an account.
    pub fee: Amount,
    /// In the order of names.
    pub lines: Vec<Line>,
}

/// A line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Address.
    pub name: String,
    /// Work in the coin's unit.
    pub weight: u128,
    /// What it brought.
    pub amount: Amount,
}

impl Record {
    /// Double SHA-256 over the lines `NAME WEIGHT AMOUNT\n`, amounts in the smallest unit: two who
    /// see the same digest see the same record.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let lines = self.lines.iter();
        let text: String = lines
            .map(|line| format!("{} {} {}\n", line.name, line.weight, line.amount.0))
            .collect();
        sha256d(text.as_bytes())
    }

    /// Whether each line has what the split of the reward over all work gives. Which of equal
    /// remainders has the last unit is not looked at.
    #[must_use]
    pub fn is_fair(&self) -> bool {
        let work: BTreeMap<&str, u128> =
            self.lines.iter().map(|line| (line.name.as_str(), line.weight)).collect();
        let rest = Amount(self.value.0.saturating_sub(self.fee.0));
        rewards::split(rest, &work).is_some_and(|parts| {
            self.lines.iter().all(|line| {
                let part = parts.get(line.name.as_str()).map_or(0, |part| part.0);
                part.abs_diff(line.amount.0) <= 1
            })
        })
    }
}

impl Book {
    /// The record of a credited block; `None`: it was not credited.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn record(&self, hash: &Hash) -> Result<Option<Record>, BookError> {
        let name = hash.to_string();
        self.read(|book| {
            let sql = "SELECT value, fee, scheme FROM block WHERE hash = ?1 AND fee IS NOT NULL";
            let read = |row: &Row<'_>| Ok((amount(row, 0)?, amount(row, 1)?, row.get(2)?));
            let Some((value, fee, scheme)) = book.query_row(sql, [&name], read).optional()? else {
                return Ok(None);
            };
            let sql = "SELECT name, weight, amount FROM credit JOIN account ON account = account.id
                WHERE block = (SELECT id FROM block WHERE hash = ?1) ORDER BY name";
            let line = |row: &Row<'_>| {
                let weight: String = row.get(1)?;
                let weight = weight.parse().unwrap_or_default();
                Ok(Line { name: row.get(0)?, weight, amount: amount(row, 2)? })
            };
            let mut query = book.prepare(sql)?;
            let lines = query.query_map([&name], line)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some(Record { scheme, value, fee, lines }))
        })
    }
}
