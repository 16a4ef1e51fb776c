//! One miner: what ledger, book and history say of an address.

use super::coin::{WorkerView, hashes, owner};
use super::routes::Site;
use crate::config::Pool;
use crate::history::{History, Point};
use crate::ledger::book::{Balance, Book, BookError, Earned, Paid, State};
use crate::rewards::Amount;
use crate::sys::clock::unix_ms;
use std::collections::BTreeMap;

/// Payments and credits that are shown.
const NEWEST: u32 = 100;
/// Immature blocks that an estimate looks at.
const IMMATURE: usize = 100;
/// How far back a worker's hash rates go, seconds, and their step.
const SERIES: (u64, u64) = (86_400, 1800);

/// A worker of an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rig {
    pub(super) name: String,
    pub(super) window: WorkerView,
    /// Work in the current round, as difficulty.
    pub(super) round: f64,
    /// Hash rates by time (unix s, H/s).
    pub(super) series: Vec<(u64, f64)>,
}

/// A miner.
#[derive(Debug, Clone, Default)]
pub(super) struct Miner {
    pub(super) rigs: Vec<Rig>,
    pub(super) balance: Option<Balance>,
    /// What the software before this one had paid.
    pub(super) before: Amount,
    /// From which debt on it is paid.
    pub(super) minimum: Option<Amount>,
    /// What immature blocks will bring if they stay, about.
    pub(super) immature: u128,
    pub(super) payments: Vec<Paid>,
    pub(super) earned: Vec<Earned>,
}

impl Miner {
    /// Whether anything is known of it.
    pub(super) fn is_known(&self) -> bool {
        !self.rigs.is_empty() || self.balance.is_some()
    }

    /// Hashes a second of all its workers.
    pub(super) fn rate(&self) -> f64 {
        self.rigs.iter().map(|rig| rig.window.rate).sum::<f64>() + 0.0
    }
}

/// Asks; blocks.
pub(super) fn ask(site: &Site, pool: &Pool, address: &str) -> Result<Miner, String> {
    let mut miner = Miner::default();
    let mut rigs: BTreeMap<String, Rig> = BTreeMap::new();
    let snapshot = site.now();
    if let Some(coin) = snapshot.coins.get(&pool.coin.id) {
        for (name, window) in coin.workers().into_iter().filter(|(name, _)| owner(name) == address)
        {
            let (rig, round) = (name.to_owned(), coin.in_round(name));
            rigs.insert(rig.clone(), Rig { name: rig, window, round, series: Vec::new() });
        }
    }
    add_series(site, pool, address, &mut rigs)?;
    miner.rigs = rigs.into_values().collect();
    let words = |error: BookError| error.to_string();
    if let Some(book) =
        Book::open_for_reading(&site.config.data_dir, &pool.coin.id).map_err(words)?
    {
        add_money(&mut miner, &book, pool, address).map_err(words)?;
    }
    Ok(miner)
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn add_series(
    site: &Site,
    pool: &Pool,
    address: &str,
    rigs: &mut BTreeMap<String, Rig>,
) -> Result<(), String> {
    let history = History::open_for_reading(&site.config.data_dir, &pool.coin.id);
    let Some(history) = history.map_err(|error| error.to_string())? else { return Ok(()) };
    let Some(unit) = history.unit().map_err(|error| error.to_string())? else { return Ok(()) };
    let now = unix_ms() / 1000;
    let series = history.miner(address, now.saturating_sub(SERIES.0), now, SERIES.1);
    for (name, points) in series.map_err(|error| error.to_string())? {
        let rate = |point: &Point| {
            let work = point.sum.weight as f64 * unit.as_f64() * hashes(pool);
            (point.at, work / passed(point, now) as f64)
        };
        let rig = rigs.entry(name.clone()).or_insert_with(|| Rig { name, ..Rig::default() });
        rig.series = points.iter().map(rate).collect();
    }
    Ok(())
}

/// Seconds of a slot that have passed: the running one is not over.
pub(super) fn passed(point: &Point, now: u64) -> u64 {
    point.length.min(now.saturating_sub(point.at)).max(1)
}

fn add_money(miner: &mut Miner, book: &Book, pool: &Pool, address: &str) -> Result<(), BookError> {
    miner.balance = book.balance(address)?;
    if miner.balance.is_some() {
        miner.before = book.paid_before(address)?;
        miner.payments = book.paid_to(address, NEWEST)?;
        miner.earned = book.earned_by(address, NEWEST)?;
    }
    if let Some(payments) = &pool.payments {
        let written = payments.minimums.get(address).copied();
        miner.minimum = book.minimum(address)?.or(written).or(Some(payments.minimum));
    }
    let fee = pool.payments.as_ref().map_or(0, |payments| payments.fee_ppm);
    // Who was never heard of has no work in them; it is costly to look.
    if miner.balance.is_none() && miner.rigs.is_empty() {
        return Ok(());
    }
    for block in book.blocks(&[State::Immature])?.iter().rev().take(IMMATURE) {
        let work = book.work_of(&block.hash)?;
        let all: u128 = work.values().sum();
        let mine: u128 =
            work.iter().filter(|(name, _)| owner(name) == address).map(|(_, weight)| weight).sum();
        let rest =
            u128::from(block.value.0) * u128::from(1_000_000 - fee.min(1_000_000)) / 1_000_000;
        miner.immature += rest.saturating_mul(mine).checked_div(all).unwrap_or(0);
    }
    Ok(())
}
