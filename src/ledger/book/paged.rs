//! Lists of the book in parts, for readers that come back for the rest: what they have seen neither
//! moves nor comes again, whatever is added meanwhile.

use super::blocks::{COLUMNS, block};
use super::show::{earned, paid};
use super::{Book, BookBlock, BookError, Earned, Paid, natural};
use crate::chain::Hash;
use rusqlite::params;

/// A place in a list of blocks, the highest first; blocks of one height by their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Height: what comes after is lower,
    pub height: u64,
    /// or, with a hash, as high with a greater hash.
    pub hash: Option<Hash>,
}

impl Place {
    /// As SQLite compares it: no hash comes after `g`.
    fn columns(self) -> (i64, String) {
        let height = i64::try_from(self.height).unwrap_or(i64::MAX);
        (height, self.hash.map_or_else(|| "g".to_owned(), |hash| hash.to_string()))
    }
}

/// A block that closed a round, with the work that its reward is split over.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The block.
    pub block: BookBlock,
    /// When the round before it was closed, unix ms; `None`: it is the first.
    pub from: Option<u64>,
    /// Work in the coin's unit, without what orphans brought along. A float: for display.
    pub weight: f64,
    /// Workers that did it.
    pub workers: u64,
}

impl Book {
    /// So many blocks after a place.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn blocks_after(&self, place: Place, most: u32) -> Result<Vec<BookBlock>, BookError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM block WHERE height < ?1 OR (height = ?1 AND hash > ?2)
            ORDER BY height DESC, hash LIMIT ?3"
        );
        let (height, hash) = place.columns();
        self.read(|book| {
            book.prepare(&sql)?.query_map(params![height, hash, most], block)?.collect()
        })
    }

    /// So many rounds that ended in a block after a place. Blocks of solo miners close none.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn rounds_after(&self, place: Place, most: u32) -> Result<Vec<Round>, BookError> {
        // Only the rounds that are shown are summed up.
        let sql = format!(
            "WITH part AS MATERIALIZED (SELECT * FROM block
                WHERE scheme <> 'solo' AND (height < ?1 OR (height = ?1 AND hash > ?2))
                ORDER BY height DESC, hash LIMIT ?3)
            SELECT {COLUMNS}, (SELECT MAX(time) FROM block AS earlier
                WHERE earlier.time < part.time AND earlier.scheme <> 'solo'),
            (SELECT TOTAL(weight) FROM work WHERE work.block = part.id),
            (SELECT COUNT(*) FROM work WHERE work.block = part.id)
            FROM part ORDER BY height DESC, hash"
        );
        let (height, hash) = place.columns();
        self.read(|book| {
            let round = |row: &rusqlite::Row<'_>| {
                Ok(Round {
                    block: block(row)?,
                    from: row.get::<_, Option<i64>>(12)?.map(natural),
                    weight: row.get(13)?,
                    workers: row.get(14).map(natural)?,
                })
            };
            book.prepare(&sql)?.query_map(params![height, hash, most], round)?.collect()
        })
    }

    /// So many payments to an account with numbers of payouts below one, newest first, each with
    /// that number.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn paid_to_below(
        &self,
        name: &str,
        below: i64,
        most: u32,
    ) -> Result<Vec<(i64, Paid)>, BookError> {
        let sql = "SELECT txid, state, time, depth, amount, payout.id FROM account
            CROSS JOIN output ON output.account = account.id
            CROSS JOIN payout ON payout.id = output.payout
            WHERE name = ?1 AND txid IS NOT NULL AND output.payout < ?2
            ORDER BY output.payout DESC LIMIT ?3";
        self.read(|book| {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(5)?, paid(row)?));
            book.prepare(sql)?.query_map(params![name, below, most], row)?.collect()
        })
    }

    /// What so many blocks after a place brought to an account.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn earned_after(
        &self,
        name: &str,
        place: Place,
        most: u32,
    ) -> Result<Vec<Earned>, BookError> {
        let sql = "SELECT height, hash, block.time, amount FROM account
            CROSS JOIN credit ON credit.account = account.id
            CROSS JOIN block ON block.id = credit.block
            WHERE name = ?1 AND (height < ?2 OR (height = ?2 AND hash > ?3))
            ORDER BY height DESC, hash LIMIT ?4";
        let (height, hash) = place.columns();
        self.read(|book| {
            book.prepare(sql)?.query_map(params![name, height, hash, most], earned)?.collect()
        })
    }
}
