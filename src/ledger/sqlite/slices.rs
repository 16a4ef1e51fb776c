//! The PPLNS window: the newest work in slices, each with its sum.

use super::{Fault, natural, natural_map, stored};
use crate::ledger::Batch;
use crate::ledger::batch::SLICES_KEPT;
use crate::stratum::Weight;
use rusqlite::{Connection, Transaction, params};
use std::collections::BTreeMap;

/// Slices by number: work by worker name.
pub(super) type Slices = BTreeMap<u64, BTreeMap<String, Weight>>;

/// Adds a batch to the newest slice, before it is added to the round: where PPLNS begins, the open
/// round is the first slice. One that has reached `size` is followed by another, and those
/// go that no window needs.
pub(super) fn add(transaction: &Transaction<'_>, batch: &Batch, size: Weight) -> Result<(), Fault> {
    let newest = "SELECT MAX(n) FROM slice";
    let n: Option<i64> = transaction.query_row(newest, [], |row| row.get(0))?;
    if n.is_none() {
        let round = natural_map(transaction, "SELECT worker, weight FROM round", [])?;
        put(transaction, 0, &round)?;
    }
    let n = n.unwrap_or(0);
    put(transaction, n, &batch.credits)?;
    let sql = "SELECT weight FROM slice WHERE n = ?1";
    let weight: i64 = transaction.query_row(sql, [n], |row| row.get(0))?;
    if natural(weight) < size {
        return Ok(());
    }
    let sql = "INSERT INTO slice VALUES (?1, 0)";
    transaction.execute(sql, [n.saturating_add(1)])?;
    let oldest = oldest(transaction, size.saturating_mul(SLICES_KEPT))?;
    transaction.execute("DELETE FROM slice WHERE n < ?1", [oldest])?;
    transaction.execute("DELETE FROM slice_work WHERE n < ?1", [oldest])?;
    Ok(())
}

fn put(
    transaction: &Transaction<'_>,
    n: i64,
    work: &BTreeMap<String, Weight>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO slice_work VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET weight = weight + ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut sum = 0_u64;
    for (worker, &weight) in work {
        statement.execute(params![n, worker, stored(weight, "the work of a slice")?])?;
        sum = sum.saturating_add(weight);
    }
    let sql = "INSERT INTO slice VALUES (?1, ?2) ON CONFLICT DO UPDATE SET weight = weight + ?2";
    transaction.execute(sql, params![n, stored(sum, "a slice")?])?;
    Ok(())
}

/// The oldest of the newest slices that together hold `wanted`, or the oldest there is.
fn oldest(connection: &Connection, wanted: Weight) -> rusqlite::Result<i64> {
    let mut query = connection.prepare_cached("SELECT n, weight FROM slice ORDER BY n DESC")?;
    let mut rows = query.query([])?;
    let (mut oldest, mut sum) = (0, 0_u64);
    while let Some(row) = rows.next()? {
        oldest = row.get(0)?;
        sum = sum.saturating_add(natural(row.get(1)?));
        if sum >= wanted {
            break;
        }
    }
    Ok(oldest)
}

/// Copies a window of at least `wanted`, in whole slices, for a block; returns its workers' number.
pub(super) fn close(
    transaction: &Transaction<'_>,
    block: &str,
    wanted: Weight,
) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO closed_round
        SELECT ?1, worker, SUM(weight) FROM slice_work WHERE n >= ?2 GROUP BY worker";
    transaction.prepare_cached(sql)?.execute(params![block, oldest(transaction, wanted)?])
}

/// All slices.
pub(super) fn read(transaction: &Transaction<'_>) -> rusqlite::Result<Slices> {
    let mut slices = Slices::new();
    // One without work, too: the numbers go on from the newest.
    let mut query = transaction.prepare_cached(
        "SELECT n, worker, slice_work.weight FROM slice LEFT JOIN slice_work USING (n)",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let slice = slices.entry(natural(row.get(0)?)).or_default();
        if let Some(worker) = row.get::<_, Option<String>>(1)? {
            slice.insert(worker, natural(row.get(2)?));
        }
    }
    Ok(slices)
}

/// Fills a tally without slices.
pub(super) fn restore(transaction: &Transaction<'_>, slices: &Slices) -> Result<(), Fault> {
    transaction.execute("DELETE FROM slice", [])?;
    transaction.execute("DELETE FROM slice_work", [])?;
    for (&n, work) in slices {
        put(transaction, stored(n, "a slice's number")?, work)?;
    }
    Ok(())
}
