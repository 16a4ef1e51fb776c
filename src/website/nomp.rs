//! NOMP's API: its shapes, its strings, and the numbers right where its own were wrong: orphans are
//! orphans, the sum of hash rates is filled, units go on beyond `PH`. Pure.

use super::coin::Blocks;
use super::snapshot::Snapshot;
use super::text::{nomp_rate, short_coins, tame};
use crate::config::Config;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A counter as Redis has it: text, or the number 0 where there is none yet.
fn counter(count: u64) -> Value {
    if count == 0 { json!(0) } else { json!(count.to_string()) }
}

fn blocks(blocks: Blocks) -> Value {
    json!({
        "pending": blocks.pending, "confirmed": blocks.confirmed, "orphaned": blocks.orphaned,
    })
}

/// `/api/stats`.
pub(super) fn stats(snapshot: &Snapshot, config: &Config) -> String {
    let mut algos: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut pools = Map::new();
    for (id, pool) in &config.pools {
        let Some(coin) = snapshot.coins.get(id) else { continue };
        let window = coin.window().map(|history| &history.workers);
        let workers: Map<String, Value> = window
            .into_iter()
            .flatten()
            .map(|(name, worker)| {
                let shown = json!({
                    "shares": worker.work,
                    "invalidshares": worker.rejected,
                    "hashrateString": nomp_rate(worker.rate),
                });
                (name.clone(), shown)
            })
            .collect();
        let (rate, count) = (coin.rate(), workers.len() as u64);
        let algorithm = pool.coin.algorithm.name();
        let sum = algos.entry(algorithm).or_default();
        *sum = (sum.0 + count, sum.1 + rate);
        let ledger = coin.ledger.value.as_ref().map(|ledger| &ledger.overview);
        let paid = coin.booked().map_or(0, |book| book.totals.paid);
        pools.insert(
            id.clone(),
            json!({
                "name": pool.coin.id,
                "symbol": pool.coin.symbol,
                "algorithm": algorithm,
                "poolStats": {
                    "validShares": counter(ledger.map_or(0, |ledger| ledger.accepted)),
                    "validBlocks": counter(ledger.map_or(0, |ledger| ledger.blocks_found)),
                    "invalidShares": counter(ledger.map_or(0, |it| it.rejected_total())),
                    "totalPaid": if paid == 0 { json!(0) } else { json!(short_coins(paid)) },
                },
                "blocks": blocks(coin.blocks()),
                "workers": workers,
                "hashrate": rate,
                "workerCount": count,
                "hashrateString": nomp_rate(rate),
            }),
        );
    }
    let all = algos.values().fold((0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let algos: Map<String, Value> = algos
        .into_iter()
        .map(|(name, (workers, rate))| {
            let shown = json!({
                "workers": workers, "hashrate": rate, "hashrateString": nomp_rate(rate),
            });
            (name.to_owned(), shown)
        })
        .collect();
    let stats = json!({
        "time": snapshot.at / 1000,
        "global": { "workers": all.0, "hashrate": all.1 },
        "algos": algos,
        "pools": pools,
    });
    tame(&stats.to_string())
}

/// `/api/pool_stats`: oldest first, the present last.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(super) fn pool_stats(snapshot: &Snapshot) -> String {
    let mut times: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let entry = |rate: f64, workers: u64, found: Blocks| json!({ "hashrate": rate, "workerCount": workers, "blocks": blocks(found) });
    for (id, coin) in &snapshot.coins {
        let Some(history) = coin.window() else { continue };
        for point in &history.points {
            let end = point.at + point.length;
            // One that is not over yet would show too little.
            if end * 1000 > snapshot.at {
                continue;
            }
            let rate = point.sum.weight as f64 * history.hashes / point.length.max(1) as f64;
            let found = coin.blocks_until(end * 1000);
            let pools = times.entry(end).or_default();
            pools.insert(id.clone(), entry(rate, point.workers.into(), found));
        }
    }
    let now = times.entry(snapshot.at / 1000).or_default();
    for (id, coin) in &snapshot.coins {
        let count = coin.window().map_or(0, |history| history.workers.len());
        now.insert(id.clone(), entry(coin.rate(), count as u64, coin.blocks()));
    }
    let all: Vec<Value> =
        times.into_iter().map(|(time, pools)| json!({ "time": time, "pools": pools })).collect();
    tame(&Value::from(all).to_string())
}
