//! How a coin is read, and what is remembered from one look to the next.

use super::coin::{BookView, CoinView, HistoryView, Ledger, WorkerView, hashes};
use super::immature::Immature;
use super::luck::{Luck, Network, Rounds};
use super::rigs::Rigs;
use crate::config::{Config, Pool, Website};
use crate::history::{History, HistoryError, Recent};
use crate::journal;
use crate::ledger::book::{Book, BookError, Sums};
use crate::ledger::{self, TallyError};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Blocks and payouts that a snapshot holds.
const NEWEST: u32 = 50;
/// Points of `/api/pool_stats`.
const POINTS: u64 = 720;
/// What the charts of a pool show: seconds before now, and of a slot.
const DAY: (u64, u64) = (86_400, 600);
/// Blocks whose luck is told.
const MINED: u32 = 100;

/// What one look leaves to the next of a coin: sums that change seldom.
#[derive(Debug, Default)]
pub(super) struct Memory {
    immature: Immature,
    sums: Sums,
    rounds: Rounds,
}

impl Memory {
    /// Reads everything anew; what cannot be read stays as it was. `status`: what the master says of
    /// the coin.
    pub(super) fn refresh(
        &mut self,
        coin: &mut CoinView,
        pool: &Pool,
        (config, site): (&Config, &Website),
        status: &Value,
        now: u64,
    ) {
        let id = &pool.coin.id;
        let dir = &config.data_dir;
        coin.ledger.take(&format!("the ledger of {id}"), read_ledger(pool, dir, now), now);
        let book = self.read_book(coin, pool, dir, site, now);
        coin.book.take(&format!("the book of {id}"), book, now);
        coin.history.take(&format!("the history of {id}"), read_history(pool, dir, site, now), now);
        coin.network = Network::of(pool, status);
        self.rounds.read(coin, pool, dir);
        coin.luck = Arc::new(Luck::of(coin, &self.rounds, pool));
        coin.rigs = Arc::new(Rigs::of(coin));
    }

    fn read_book(
        &mut self,
        coin: &mut CoinView,
        pool: &Pool,
        dir: &Path,
        site: &Website,
        now: u64,
    ) -> Result<Option<BookView>, BookError> {
        let Some(book) = Book::open_for_reading(dir, &pool.coin.id)? else { return Ok(None) };
        let retention = crate::sys::clock::ms(site.retention);
        let totals = book.totals(&mut self.sums)?;
        let mut payouts = Vec::new();
        for payout in book.payouts_below(i64::MAX, NEWEST)? {
            let (count, sum) = match self.sums.of(payout.id) {
                Some(known) => known,
                None => book.paid_by(payout.id)?,
            };
            payouts.push((payout, count, sum));
        }
        if let Some(shares) = self.immature.read(&book, pool)? {
            coin.immature = Arc::new(shares);
            coin.ripening = self.immature.blocks();
        }
        Ok(Some(BookView {
            counts: book.counts()?,
            totals,
            blocks: book.blocks_below(u64::MAX, NEWEST)?,
            payouts,
            found: book.found_since(now.saturating_sub(retention))?,
        }))
    }
}

fn read_ledger(pool: &Pool, dir: &Path, now: u64) -> Result<Ledger, TallyError> {
    let (mut overview, positions) = ledger::overview_with_positions(pool, dir)?;
    let miners = std::mem::take(&mut overview.round.miners);
    let round = miners.into_iter().map(|(name, weight)| {
        let work = overview.difficulty(weight);
        (name, work)
    });
    let round = round.collect();
    Ok(Ledger {
        rate: overview.hash_rate(now, pool.coin.algorithm.multiplier_shift()),
        lag: journal::lag(dir, &pool.coin.id, &positions, now),
        round,
        overview,
    })
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn read_history(
    pool: &Pool,
    dir: &Path,
    site: &Website,
    now: u64,
) -> Result<Option<HistoryView>, HistoryError> {
    let Some(history) = History::open_for_reading(dir, &pool.coin.id)? else { return Ok(None) };
    let Some(unit) = history.unit()? else { return Ok(None) };
    let now = now / 1000;
    // History's slots are whole minutes: from the begin of one.
    let since = now.saturating_sub(site.window.as_secs().max(60)) / 60 * 60;
    let window = now.saturating_sub(since).max(1);
    let view = |recent: Recent| {
        let work = recent.sum.weight as f64 * unit.as_f64();
        WorkerView {
            work,
            shares: recent.sum.shares,
            rejected: recent.sum.rejected,
            rate: work * hashes(pool) / window as f64,
            reasons: recent.sum.reasons,
            last: recent.last.map(|last| last.at),
            difficulty: recent.last.map(|last| last.weight as f64 * unit.as_f64()),
        }
    };
    let workers = history.workers(since)?;
    let workers = workers.into_iter().map(|(name, recent)| (name, view(recent))).collect();
    let retention = site.retention.as_secs();
    let step = (retention / POINTS).max(60);
    let points = history.pool(now.saturating_sub(retention), now, step)?;
    let day = history.pool(now.saturating_sub(DAY.0), now, DAY.1)?;
    let (mined, hashes) = (history.blocks(MINED)?, unit.as_f64() * hashes(pool));
    Ok(Some(HistoryView { workers, points, day, hashes, mined }))
}
