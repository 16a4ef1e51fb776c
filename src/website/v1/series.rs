//! Work over time, of a pool and of the rigs of a miner.

use super::super::coin::hashes;
use super::super::miner::passed;
use super::super::routes::Site;
use super::lists::{cut, history_of};
use super::operation::{Failure, OfCoin, OfMiner};
use super::query::{RigSpan, Span};
use super::shapes::{Count, Next, Rate, Time, WorkerName, by_reason};
use crate::config::Pool;
use crate::history::Point;
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A pool over time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(super) struct PoolHistory {
    /// Begin, unix seconds.
    from: Time,
    /// End, unix seconds.
    to: Time,
    /// Seconds of a point at least.
    #[schemars(extend("examples" = [600]))]
    step: u64,
    /// The oldest first; times without work are left out.
    points: Vec<PoolPoint>,
}

/// A pool at one time.
#[derive(Debug, Serialize, JsonSchema)]
struct PoolPoint {
    /// Begin, unix seconds. The first may begin before `from`.
    time: Time,
    /// Seconds.
    #[schemars(extend("examples" = [600]))]
    length: u64,
    /// Hashes a second.
    hashrate: Rate,
    /// Accepted shares.
    shares: Count,
    /// Refused shares.
    rejected: Count,
    /// The same by reason, as far as reasons are known.
    rejected_by_reason: BTreeMap<&'static str, u64>,
    /// Workers that did it.
    workers: Count,
    /// Addresses that they work for. Null: unknown, as of times before this release.
    miners: Option<Count>,
    /// Difficulty of the network then, in 2^32 hashes a block. Null: unknown.
    #[schemars(extend("examples" = [35_000_000.5], "minimum" = 0))]
    network_difficulty: Option<f64>,
}

/// A miner over time.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MinerHistory {
    /// Begin, unix seconds.
    from: Time,
    /// End, unix seconds.
    to: Time,
    /// Seconds of a point at least.
    #[schemars(extend("examples" = [600]))]
    step: u64,
    /// By name, who worked in that time.
    workers: Vec<WorkerHistory>,
    /// What to give as `after` for more. Null: there are no more.
    next: Option<Next>,
}

/// A worker over time.
#[derive(Debug, Serialize, JsonSchema)]
struct WorkerHistory {
    /// Its whole name.
    name: WorkerName,
    /// The oldest first; times without work are left out.
    points: Vec<WorkerPoint>,
}

/// A worker at one time.
#[derive(Debug, Serialize, JsonSchema)]
struct WorkerPoint {
    /// Begin, unix seconds. The first may begin before `from`.
    time: Time,
    /// Seconds.
    #[schemars(extend("examples" = [600]))]
    length: u64,
    /// Hashes a second.
    hashrate: Rate,
    /// Accepted shares.
    shares: Count,
    /// Refused shares.
    rejected: Count,
    /// The same by reason, as far as reasons are known.
    rejected_by_reason: BTreeMap<&'static str, u64>,
    /// Mean difficulty of its accepted shares. Null: it had none.
    #[schemars(extend("examples" = [32.0], "minimum" = 0))]
    difficulty: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn rate(pool: &Pool, unit: Unit, point: &Point) -> Rate {
    let work = point.sum.weight as f64 * unit.as_f64();
    Rate(work * hashes(pool) / passed(point, unix_ms() / 1000) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn difficulty(unit: Unit, point: &Point) -> Option<f64> {
    let work = point.sum.weight as f64 * unit.as_f64();
    (point.sum.shares > 0).then(|| work / point.sum.shares as f64)
}

/// `/api/v1/pools/COIN/history`.
pub(super) fn pool(site: &Site, at: &OfCoin, span: Span) -> Result<PoolHistory, Failure> {
    let (from, to, step) = span.bounds()?;
    let found = match history_of(site, &at.0)? {
        Some((history, unit)) => {
            let network: BTreeMap<u64, f64> =
                history.network(from, to, step)?.into_iter().collect();
            let point = |point: &Point| PoolPoint {
                network_difficulty: network.get(&point.at).copied(),
                time: Time(point.at),
                length: point.length,
                hashrate: rate(&at.0, unit, point),
                shares: Count(point.sum.shares),
                rejected: Count(point.sum.rejected),
                rejected_by_reason: by_reason(&point.sum.reasons),
                workers: Count(point.workers.into()),
                miners: point.miners.map(|miners| Count(miners.into())),
            };
            history.pool(from, to, step)?.iter().map(point).collect()
        }
        None => Vec::new(),
    };
    Ok(PoolHistory { from: Time(from), to: Time(to), step, points: found })
}

/// `/api/v1/pools/COIN/miners/ADDRESS/history`.
pub(super) fn miner(site: &Site, at: &OfMiner, span: RigSpan) -> Result<MinerHistory, Failure> {
    let (from, to, step) = span.bounds()?;
    let most = span.limit()?;
    let mut workers: Vec<WorkerHistory> = match history_of(site, &at.pool)? {
        Some((history, unit)) => {
            let point = |point: &Point| WorkerPoint {
                time: Time(point.at),
                length: point.length,
                hashrate: rate(&at.pool, unit, point),
                shares: Count(point.sum.shares),
                rejected: Count(point.sum.rejected),
                rejected_by_reason: by_reason(&point.sum.reasons),
                difficulty: difficulty(unit, point),
            };
            let found = history.miner(&at.address, from, to, step)?.into_iter();
            let worker = |(name, points): (String, Vec<Point>)| WorkerHistory {
                name: WorkerName(name),
                points: points.iter().map(point).collect(),
            };
            let left = found.filter(|(name, _)| span.is_left(name));
            left.take(most + 1).map(worker).collect()
        }
        None => Vec::new(),
    };
    let next = cut(&mut workers, most).map(|worker| Next(worker.name.0.clone()));
    Ok(MinerHistory { from: Time(from), to: Time(to), step, workers, next })
}
