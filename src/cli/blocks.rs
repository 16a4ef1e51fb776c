//! `romp blocks COIN`: the found blocks, newest first, from the ledger; also while the pool is
//! down.

use super::shares::{print, print_json, printable, with_ledger};
use crate::chain::Hash;
use crate::journal::Answer;
use crate::ledger::{BlockRow, BlockState};
use crate::rewards::Amount;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Block<'a> {
    hash: Hash,
    height: u64,
    state: BlockState,
    /// Unix milliseconds.
    time: u64,
    worker: &'a str,
    /// Of the network.
    difficulty: f64,
    /// In the coin's smallest unit, like `pool_value`.
    coinbase_value: Amount,
    pool_value: Amount,
    coinbase_txid: Hash,
    /// Found on a job for the tip before.
    stale: bool,
    /// What its reward is split over.
    scheme: &'static str,
    answers: &'a [Answer],
}

impl<'a> From<&'a BlockRow> for Block<'a> {
    fn from(row: &'a BlockRow) -> Self {
        let found = &row.found;
        Self {
            hash: found.hash,
            height: found.height,
            state: row.state,
            time: found.time,
            worker: &found.worker,
            difficulty: found.difficulty,
            coinbase_value: found.coinbase_value,
            pool_value: found.pool_value,
            coinbase_txid: found.coinbase_txid,
            stale: found.stale,
            scheme: found.scheme.name(),
            answers: &row.answers,
        }
    }
}

/// Prints the found blocks of a coin. Returns the exit code.
#[must_use]
pub fn run(dir: &Path, coin: &str, json: bool) -> u8 {
    with_ledger(dir, coin, |pool, _, tally| {
        let rows = match tally {
            Some(mut tally) => tally.overview(u32::MAX)?.blocks,
            None => Vec::new(),
        };
        if json {
            print_json(&rows.iter().map(Block::from).collect::<Vec<_>>());
            return Ok(());
        }
        print(&format!("{}: {} blocks found", pool.coin.id, rows.len()));
        for row in &rows {
            let (found, state) = (&row.found, row.state.name());
            print(&format!(
                "{:>9}  {state:<8}  {}  {} {}  {}  by {}{}",
                found.height,
                found.hash,
                found.coinbase_value,
                pool.coin.symbol,
                found.scheme.name(),
                printable(&found.worker),
                if found.stale { ", on a job for the tip before" } else { "" }
            ));
            if row.state != BlockState::Accepted {
                for answer in &row.answers {
                    let (daemon, words) = (printable(&answer.daemon), printable(&answer.words));
                    print(&format!("           {daemon}: {words}"));
                }
            }
        }
        Ok(())
    })
}
