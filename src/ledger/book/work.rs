//! The work that a block's reward is split over.

use super::{natural, number};
use crate::stratum::Weight;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Work by worker name.
pub type Work = BTreeMap<String, u128>;

/// Writes the work of a block, by the numbers of workers: their names are long, and come again with
/// each block.
pub(super) fn put(
    change: &Connection,
    block: i64,
    work: &BTreeMap<String, Weight>,
) -> rusqlite::Result<()> {
    let mut known = change.prepare_cached("SELECT id FROM worker WHERE name = ?1")?;
    let mut meet = change.prepare_cached("INSERT INTO worker (name) VALUES (?1)")?;
    let mut insert = change.prepare_cached("INSERT INTO work VALUES (?1, ?2, ?3)")?;
    for (worker, &weight) in work {
        let id = match known.query_row([worker], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => meet.insert([worker])?,
        };
        insert.execute(params![block, id, number(weight)?])?;
    }
    Ok(())
}

/// A block's own work and all that was carried into it, over any number of orphans, or imported.
pub(super) fn of(book: &Connection, block: &str) -> rusqlite::Result<Work> {
    let sql = "WITH RECURSIVE part (id, hash) AS (
            SELECT id, hash FROM block WHERE hash = ?1
            UNION SELECT block.id, block.hash FROM block, part WHERE block.carried = part.hash)
        SELECT name, weight FROM part
            JOIN work ON work.block = part.id JOIN worker ON worker.id = work.worker
        UNION ALL SELECT worker, weight FROM opening, part WHERE opening.block = part.hash";
    let mut sum = Work::new();
    let mut query = book.prepare_cached(sql)?;
    let mut rows = query.query([block])?;
    while let Some(row) = rows.next()? {
        let weight: i64 = row.get(1)?;
        *sum.entry(row.get(0)?).or_default() += u128::from(natural(weight));
    }
    Ok(sum)
}
