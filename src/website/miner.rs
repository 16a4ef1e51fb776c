//! One miner: what ledger, book and history say of an address. What concerns all miners was worked
//! out when the snapshot was made; here only rows of this one are read.

use super::coin::{CoinView, WorkerView, hashes};
use super::payday::{Hold, holds};
use super::routes::Site;
use crate::config::Pool;
use crate::history::{History, Last, Point, Sum};
use crate::ledger::book::{Balance, Book, BookError, Earned, Paid};
use crate::rewards::Amount;
use crate::stratum::Reject;
use crate::sys::clock::unix_ms;
use serde_json::Value;
use std::collections::BTreeMap;

/// Payments and credits that are shown.
const NEWEST: u32 = 100;
/// How far back a worker's hash rates go, seconds, their step, and that of somebody with few rigs.
const SERIES: (u64, u64, u64) = (86_400, 1800, 600);
/// So many rigs are few.
const FEW: usize = 20;
/// Rigs of one answer.
pub(super) const RIGS: usize = 500;

/// A worker of an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rig {
    pub(super) name: String,
    pub(super) window: WorkerView,
    /// Work in the current round, as difficulty.
    pub(super) round: f64,
    /// Hash rates by time (unix s, H/s).
    pub(super) series: Vec<(u64, f64)>,
    /// All of the last day: weight, shares, refused shares and their reasons.
    pub(super) day: Sum,
    /// When its last accepted share came, unix seconds; `None`: not known.
    pub(super) last: Option<u64>,
    /// Difficulty of that share.
    pub(super) difficulty: Option<f64>,
}

/// A miner.
#[derive(Debug, Clone, Default)]
pub(super) struct Miner {
    /// At most [`RIGS`]: those that mine now, the fastest; then those that mined within a day. By
    /// name.
    pub(super) rigs: Vec<Rig>,
    /// Rigs beyond that.
    pub(super) more: usize,
    /// All its rigs within `hashrateWindow`, also those that are not shown.
    pub(super) window: WorkerView,
    pub(super) balance: Option<Balance>,
    /// What the software before this one had paid.
    pub(super) before: Amount,
    /// From which debt on it is paid.
    pub(super) minimum: Option<Amount>,
    /// What immature blocks will bring if they stay, about.
    pub(super) immature: u128,
    /// About what its present hash rate brings in a day, in the smallest unit; `None`: not known.
    pub(super) daily: Option<u128>,
    /// What its next payout waits for, the weightiest first.
    pub(super) holds: Vec<Hold>,
    pub(super) payments: Vec<Paid>,
    pub(super) earned: Vec<Earned>,
}

impl Miner {
    /// Whether anything is known of it.
    pub(super) fn is_known(&self) -> bool {
        !self.rigs.is_empty() || self.balance.is_some() || self.immature > 0
    }

    /// Hashes a second of all its workers.
    pub(super) fn rate(&self) -> f64 {
        self.window.rate + 0.0
    }
}

/// Why shares are refused, in words for the miner, and what to do.
pub(super) const fn why(reject: Reject) -> &'static str {
    match reject {
        Reject::Malformed => "not written as the protocol wants it: look at the miner's software",
        Reject::UnknownJob => "for work that this pool never gave out",
        Reject::Stale => "too late: a new block had come. A few are normal",
        Reject::Duplicate => "sent twice: look at the miner's software or overclocking",
        Reject::LowDifficulty => {
            "too easy: the miner did not take over the difficulty, or its \
             hardware counts wrong"
        }
        Reject::Unauthorized => "under a name that was not logged in",
        Reject::NotSubscribed => "before the miner had subscribed",
        Reject::Time => "with a time outside of what the work allows",
        Reject::Version => "with version bits that were not agreed on",
        Reject::TooMany => "too many for one block: the difficulty is far too low",
        Reject::Storage => "the pool could not store them: the operator's affair",
    }
}

/// Asks; blocks.
pub(super) fn ask(site: &Site, pool: &Pool, address: &str) -> Result<Miner, String> {
    let snapshot = site.now();
    let none = CoinView::default();
    let coin = snapshot.coins.get(&pool.coin.id).unwrap_or(&none);
    let mut miner = Miner::default();
    let mut rigs = known(coin, address, &mut miner);
    add_series(site, pool, address, &mut miner, &mut rigs)?;
    miner.rigs = rigs.into_values().collect();
    miner.daily = coin.daily(pool, miner.rate());
    miner.immature = coin.unripe(address);
    let words = |error: BookError| error.to_string();
    if let Some(book) =
        Book::open_for_reading(&site.config.data_dir, &pool.coin.id).map_err(words)?
    {
        add_money(&mut miner, &book, pool, address).map_err(words)?;
    }
    let master = snapshot.master.value.as_deref();
    let waits = master.and_then(|it| it.get("coins")?.get(&pool.coin.id)?.get("waits"));
    let waits = waits.unwrap_or(&Value::Null);
    miner.holds = holds(pool, miner.balance.as_ref(), miner.minimum, miner.immature, waits);
    Ok(miner)
}

/// The rigs that the snapshot knows, at most [`RIGS`] of them.
fn known(coin: &CoinView, address: &str, miner: &mut Miner) -> BTreeMap<String, Rig> {
    let mut all: Vec<_> = coin.rigs.owned(address).collect();
    if let Some(owner) = coin.rigs.owners.get(address) {
        miner.window = owner.window;
    }
    if all.len() > RIGS {
        all.sort_by(|a, b| b.window.rate.total_cmp(&a.window.rate));
        miner.more = all.len() - RIGS;
        all.truncate(RIGS);
    }
    let rig = |it: &&super::rigs::Known| {
        let rig = Rig {
            name: it.name.clone(),
            window: it.window,
            round: it.round,
            last: it.window.last,
            difficulty: it.window.difficulty,
            ..Rig::default()
        };
        (it.name.clone(), rig)
    };
    all.iter().map(rig).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn add_series(
    site: &Site,
    pool: &Pool,
    address: &str,
    miner: &mut Miner,
    rigs: &mut BTreeMap<String, Rig>,
) -> Result<(), String> {
    let words = |error: crate::history::HistoryError| error.to_string();
    let history = History::open_for_reading(&site.config.data_dir, &pool.coin.id);
    let Some(history) = history.map_err(words)? else { return Ok(()) };
    let Some(unit) = history.unit().map_err(words)? else { return Ok(()) };
    let now = unix_ms() / 1000;
    let step = if rigs.len() <= FEW { SERIES.2 } else { SERIES.1 };
    let series = history.miner(address, now.saturating_sub(SERIES.0), now, step);
    let last: BTreeMap<String, Last> = history.last(address).map_err(words)?;
    let full = miner.more > 0;
    for (name, points) in series.map_err(words)? {
        let rate = |point: &Point| {
            let work = point.sum.weight as f64 * unit.as_f64() * hashes(pool);
            (point.at, work / passed(point, now) as f64)
        };
        let room = rigs.len() < RIGS;
        let rig = match rigs.get_mut(&name) {
            Some(known) => known,
            None if room => rigs
                .entry(name.clone())
                .or_insert_with(|| Rig { name: name.clone(), ..Rig::default() }),
            // Those that the snapshot knows are counted already.
            None => {
                miner.more += usize::from(!full);
                continue;
            }
        };
        rig.series = points.iter().map(rate).collect();
        points.iter().for_each(|point| rig.day.add(point.sum));
        if let Some(last) = last.get(&name).filter(|last| rig.last.is_none_or(|at| at <= last.at)) {
            rig.last = Some(last.at);
            rig.difficulty = Some(last.weight as f64 * unit.as_f64());
        }
    }
    Ok(())
}

/// Seconds of a slot that have passed: the running one is not over. At least a quarter: one share in
/// its first seconds is no peak.
pub(super) fn passed(point: &Point, now: u64) -> u64 {
    point.length.min(now.saturating_sub(point.at)).max(point.length / 4).max(1)
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
    Ok(())
}
