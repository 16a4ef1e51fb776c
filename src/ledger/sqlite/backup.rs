//! The embedded tally as a checkpoint holds it.

use super::{Fault, natural, natural_map, stored};
use crate::ledger::checkpoint::{Closed, Sums};
use crate::ledger::{Minute, TallyError};
use rusqlite::{Transaction, params};

/// All but the closed rounds.
pub(super) fn sums(transaction: &Transaction<'_>) -> Result<Sums, Fault> {
    let mut sums = Sums {
        unit: super::unit_of(transaction)?.map(|unit| unit.0),
        positions: natural_map(transaction, "SELECT stream, offset FROM position", [])?,
        rejected: natural_map(transaction, "SELECT reason, count FROM rejected", [])?,
        round: natural_map(transaction, "SELECT worker, weight FROM round", [])?,
        slices: super::slices::read(transaction)?,
        ..Sums::default()
    };
    let meta = "SELECT name, value FROM meta WHERE name <> 'unit'";
    for (name, value) in natural_map(transaction, meta, [])? {
        sums.take_meta(&name, value);
    }
    sums.minutes = transaction
        .prepare_cached("SELECT minute, weight, shares FROM minute")?
        .query_map([], |row| {
            let work = Minute { weight: natural(row.get(1)?), shares: natural(row.get(2)?) };
            Ok((natural(row.get(0)?), work))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(sums)
}

/// Fills an empty tally; `false`: it is not empty.
pub(super) fn restore(
    transaction: &Transaction<'_>,
    sums: &Sums,
    rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
) -> Result<bool, Fault> {
    let used = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'unit')
                    OR EXISTS (SELECT 1 FROM position)";
    if transaction.query_row(used, [], |row| row.get::<_, bool>(0))? {
        return Ok(false);
    }
    let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
    let mut weight =
        transaction.prepare_cached("INSERT OR REPLACE INTO closed_round VALUES (?1, ?2, ?3)")?;
    for closed in rounds {
        let Closed { block, miners, .. } = closed.map_err(Fault::Tally)?;
        let hash = block.found.hash.to_string();
        let time = stored(block.found.time, "the time of a block")?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3)")?
            .execute(params![hash, time, serde_json::to_string(&block.found).map_err(json)?])?;
        let answers = serde_json::to_string(&block.answers).map_err(json)?;
        if block.state != crate::ledger::BlockState::Found {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO outcome VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![hash, block.state.name(), block.state as i64, answers])?;
        }
        for (worker, &work) in &miners {
            weight.execute(params![hash, worker, stored(work, "a closed round")?])?;
        }
    }
    let mut meta = transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    if let Some(unit) = sums.unit {
        meta.execute(params!["unit", unit])?;
    }
    meta.execute(params!["accepted", stored(sums.accepted, "accepted shares")?])?;
    meta.execute(params!["blocks", stored(sums.blocks, "found blocks")?])?;
    if let Some(started) = sums.round_started {
        meta.execute(params!["round_started", stored(started, "a time")?])?;
    }
    for (instance, &count) in &sums.deleted {
        meta.execute(params![format!("deleted-{instance}"), stored(count, "deleted streams")?])?;
    }
    let tables = [
        ("INSERT OR REPLACE INTO position VALUES (?1, ?2)", &sums.positions),
        ("INSERT OR REPLACE INTO rejected VALUES (?1, ?2)", &sums.rejected),
        ("INSERT OR REPLACE INTO round VALUES (?1, ?2)", &sums.round),
    ];
    for (sql, rows) in tables {
        let mut statement = transaction.prepare_cached(sql)?;
        for (name, &number) in rows {
            statement.execute(params![name, stored(number, name)?])?;
        }
    }
    super::slices::restore(transaction, &sums.slices)?;
    let mut minute =
        transaction.prepare_cached("INSERT OR REPLACE INTO minute VALUES (?1, ?2, ?3)")?;
    for (&at, work) in &sums.minutes {
        let (weight, shares) = (stored(work.weight, "a minute")?, stored(work.shares, "a minute")?);
        minute.execute(params![stored(at, "a time")?, weight, shares])?;
    }
    Ok(true)
}
