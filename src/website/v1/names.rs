//! Who mines now: miners and workers, in parts.

use super::super::coin::{WorkerView, owner};
use super::super::rigs::{Known, Owner};
use super::super::routes::Site;
use super::lists::cut;
use super::operation::{Failure, OfCoin};
use super::query;
use super::shapes::{Address, Count, Next, Rate, Time, WorkDone, WorkerName, by_reason};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What somebody does now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Doing {
    /// Hashes a second over `hashrateWindow`.
    hashrate: Rate,
    /// Accepted shares within `hashrateWindow`.
    shares: Count,
    /// Refused shares within `hashrateWindow`.
    rejected: Count,
    /// The same by reason, as far as reasons are known.
    rejected_by_reason: BTreeMap<&'static str, u64>,
    /// When the last accepted share came, unix seconds. Null: unknown.
    last_share: Option<Time>,
    /// Difficulty of that share. Null: unknown.
    #[schemars(extend("examples" = [32.0], "minimum" = 0))]
    difficulty: Option<f64>,
    /// Work in the current round, as difficulty.
    round_work: WorkDone,
}

impl Doing {
    fn new(window: &WorkerView, round: f64) -> Self {
        Self {
            hashrate: Rate(window.rate),
            shares: Count(window.shares),
            rejected: Count(window.rejected),
            rejected_by_reason: by_reason(&window.reasons),
            last_share: window.last.map(Time),
            difficulty: window.difficulty,
            round_work: WorkDone(round),
        }
    }
}

/// Miners.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Miners {
    /// When the numbers were read, unix seconds.
    time: Time,
    /// How many there are in all parts.
    count: Count,
    /// Who mined within `hashrateWindow` or has work in the current round, by address.
    miners: Vec<MinerRow>,
    /// What to give as `after` for more. Null: there are no more.
    next: Option<Next>,
}

/// A miner: all workers of one address.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "MinerInList")]
struct MinerRow {
    /// The address.
    address: Address,
    /// Its workers.
    workers: Count,
    #[serde(flatten)]
    doing: Doing,
}

/// `/api/v1/pools/COIN/miners`.
pub(super) fn miners(site: &Site, at: &OfCoin, asked: query::Names) -> Result<Miners, Failure> {
    let most = asked.limit()?;
    let snapshot = site.now();
    let coin = snapshot.coins.get(&at.0.coin.id);
    let rigs = coin.map(|coin| coin.rigs.clone()).unwrap_or_default();
    let count = Count(rigs.owners.len() as u64);
    let left = rigs.owners.range::<str, _>((asked.after(), Bound::Unbounded));
    let row = |(address, owner): (&String, &Owner)| MinerRow {
        address: Address(address.clone()),
        workers: Count(owner.rigs.len() as u64),
        doing: Doing::new(&owner.window, owner.round),
    };
    let mut miners: Vec<MinerRow> = left.take(most + 1).map(row).collect();
    let next = cut(&mut miners, most).map(|miner| Next(miner.address.0.clone()));
    Ok(Miners { time: Time::of_ms(snapshot.at), count, miners, next })
}

/// Workers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Workers {
    /// When the numbers were read, unix seconds.
    time: Time,
    /// How many there are in all parts.
    count: Count,
    /// Who mined within `hashrateWindow` or has work in the current round, by name.
    workers: Vec<WorkerRow>,
    /// What to give as `after` for more. Null: there are no more.
    next: Option<Next>,
}

/// A worker: one rig.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "WorkerInList")]
struct WorkerRow {
    /// Its whole name.
    name: WorkerName,
    /// The address that it mines for.
    address: Address,
    #[serde(flatten)]
    doing: Doing,
}

/// `/api/v1/pools/COIN/workers`.
pub(super) fn workers(site: &Site, at: &OfCoin, asked: query::Names) -> Result<Workers, Failure> {
    let most = asked.limit()?;
    let snapshot = site.now();
    let coin = snapshot.coins.get(&at.0.coin.id);
    let rigs = coin.map(|coin| coin.rigs.clone()).unwrap_or_default();
    let count = Count(rigs.all.len() as u64);
    let row = |rig: &Known| WorkerRow {
        name: WorkerName(rig.name.clone()),
        address: Address(owner(&rig.name).to_owned()),
        doing: Doing::new(&rig.window, rig.round),
    };
    let first = rigs.all.partition_point(|rig| !asked.is_left(&rig.name));
    let left = rigs.all.iter().skip(first);
    let mut workers: Vec<WorkerRow> = left.take(most + 1).map(row).collect();
    let next = cut(&mut workers, most).map(|worker| Next(worker.name.0.clone()));
    Ok(Workers { time: Time::of_ms(snapshot.at), count, workers, next })
}
