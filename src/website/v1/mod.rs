//! `/api/v1`: romp's own API. Amounts are coins as text, times unix seconds, hash rates H/s.

use super::coin::{CoinView, WorkerView, hashes, owner};
use super::miner::{self, Miner, passed};
use super::reply::{error_json, json};
use super::routes::Site;
use super::text::{amount, coins};
use crate::config::Pool;
use crate::history::History;
use crate::ledger::BlockRow;
use crate::ledger::book::{Book, BookBlock, Payout};
use crate::sys::clock::unix_ms;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of a list where nothing is said, and at most.
const LIMIT: (u32, u32) = (50, 500);
/// Points of a history at most.
const POINTS: u64 = 2000;

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    limit: Option<u32>,
    /// Blocks: below this height; payouts: below this number.
    before: Option<u64>,
    /// Miners: after this address.
    after: Option<String>,
}

impl Page {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIMIT.0).clamp(1, LIMIT.1)
    }
}

/// Which part of a history, unix seconds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Span {
    from: Option<u64>,
    to: Option<u64>,
    step: Option<u64>,
}

fn no_coin() -> Response {
    error_json(StatusCode::NOT_FOUND, "no pool of that name; /api/v1/pools lists them")
}

/// What is away, and since when its numbers stand still.
fn away(coin: &CoinView) -> Value {
    let of = |trouble: &Option<String>, at: u64| trouble.as_ref().map(|_| at / 1000);
    json!({
        "ledger": of(&coin.ledger.trouble, coin.ledger.at),
        "book": of(&coin.book.trouble, coin.book.at),
        "history": of(&coin.history.trouble, coin.history.at),
    })
}

fn summary(site: &Site, id: &str, pool: &Pool) -> Value {
    let snapshot = site.now();
    let none = CoinView::default();
    let coin = snapshot.coins.get(id).unwrap_or(&none);
    let master = snapshot.master.value.as_ref();
    let status = master.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null);
    let network = status.get("difficulty").and_then(Value::as_f64);
    let ledger = coin.ledger.value.as_ref();
    let totals = coin.booked().map(|book| book.totals);
    let blocks = coin.blocks();
    json!({
        "id": id,
        "name": pool.coin.name,
        "symbol": pool.coin.symbol,
        "algorithm": pool.coin.algorithm.name(),
        "state": status.get("state"),
        "height": status.get("height"),
        "tip": status.get("tip"),
        "difficulty": network,
        "hashrate": coin.rate(),
        "connections": status.get("miners"),
        "workers": coin.window().map(|history| history.workers.len()),
        "shares": {
            "accepted": ledger.map(|ledger| ledger.overview.accepted),
            "rejected": ledger.map(|ledger| ledger.overview.rejected.iter()
                .map(|(reason, count)| (reason.name(), *count)).collect::<BTreeMap<_, _>>()),
        },
        "round": {
            "started": ledger.and_then(|ledger| ledger.overview.round.started).map(|at| at / 1000),
            "work": ledger.map(|ledger| ledger.round.values().sum::<f64>() + 0.0),
            "effort_percent": network.and_then(|network| coin.effort(pool, network)),
        },
        "blocks": {
            "found": ledger.map(|ledger| ledger.overview.blocks_found),
            "pending": blocks.pending, "confirmed": blocks.confirmed,
            "orphaned": blocks.orphaned,
        },
        "paid": totals.map(|totals| coins(totals.paid)),
        "owed": totals.map(|totals| coins(totals.owed)),
        "fee_ppm": fee(pool),
        "minimum_payment": pool.payments.as_ref().map(|payments| amount(payments.minimum)),
        "ports": pool.ports.iter().map(|(port, rules)| json!({
            "port": port, "difficulty": rules.diff, "variable": rules.var_diff.is_some(),
            "scheme": rules.scheme.name(),
        })).collect::<Vec<_>>(),
        "updated": coin.ledger.at / 1000,
        "away_since": away(coin),
    })
}

/// What the pool keeps, parts per million: in the coinbase, or of the credits.
pub(super) fn fee(pool: &Pool) -> u32 {
    let coinbase: u32 = pool.recipients.iter().map(|recipient| recipient.ppm).sum();
    coinbase.saturating_add(pool.payments.as_ref().map_or(0, |payments| payments.fee_ppm))
}

/// `/api/v1/pools`.
pub(super) async fn pools(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let pools: Vec<Value> =
        site.config.pools.iter().map(|(id, pool)| summary(&site, id, pool)).collect();
    json(&headers, &json!({ "time": site.now().at / 1000, "pools": pools }))
}

/// `/api/v1/pools/COIN`.
pub(super) async fn pool(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(pool) = site.config.pools.get(&id) else { return no_coin() };
    json(&headers, &summary(&site, &id, pool))
}

fn booked(block: &BookBlock) -> Value {
    json!({
        "height": block.height, "hash": block.hash, "time": block.time / 1000,
        "state": block.state.name(), "confirmations": block.depth, "value": amount(block.value),
        "finder": block.finder, "scheme": block.scheme, "coinbase": block.coinbase,
    })
}

fn tallied(row: &BlockRow) -> Value {
    let found = &row.found;
    json!({
        "height": found.height, "hash": found.hash, "time": found.time / 1000,
        "state": row.state.name(), "confirmations": null, "value": amount(found.pool_value),
        "finder": found.worker, "scheme": found.scheme.name(), "coinbase": found.coinbase_txid,
    })
}

/// `/api/v1/pools/COIN/blocks`.
pub(super) async fn blocks(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    if !site.config.pools.contains_key(&id) {
        return no_coin();
    }
    let (most, below) = (page.limit(), page.before.unwrap_or(u64::MAX));
    let asked = site.ask(move |site| {
        let book = Book::open_for_reading(&site.config.data_dir, &id);
        if let Some(book) = book.map_err(|error| error.to_string())? {
            let blocks = book.blocks_below(below, most).map_err(|error| error.to_string())?;
            return Ok(blocks.iter().map(booked).collect::<Vec<_>>());
        }
        let snapshot = site.now();
        let ledger = snapshot.coins.get(&id).and_then(|coin| coin.ledger.value.as_ref());
        let rows = ledger.into_iter().flat_map(|ledger| &ledger.overview.blocks);
        let rows = rows.filter(|row| row.found.height < below);
        Ok(rows.take(most as usize).map(tallied).collect())
    });
    match asked.await {
        Ok(blocks) => json(&headers, &json!({ "blocks": blocks })),
        Err(response) => response,
    }
}

/// `/api/v1/pools/COIN/payouts`.
pub(super) async fn payouts(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    if !site.config.pools.contains_key(&id) {
        return no_coin();
    }
    let below = page.before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
    let most = page.limit();
    let asked = site.ask(move |site| {
        let words = |error: crate::ledger::book::BookError| error.to_string();
        let book = Book::open_for_reading(&site.config.data_dir, &id).map_err(words)?;
        let Some(book) = book else { return Ok(Vec::new()) };
        let one = |payout: Payout| {
            let (count, sum) = book.paid_by(payout.id).map_err(words)?;
            Ok(json!({
                "id": payout.id, "txid": payout.txid, "time": payout.time / 1000,
                "state": payout.state.name(), "confirmations": payout.depth,
                "addresses": count, "amount": coins(sum), "network_fee": amount(payout.fee),
            }))
        };
        book.payouts_below(below, most).map_err(words)?.into_iter().map(one).collect()
    });
    match asked.await {
        Ok(payouts) => json(&headers, &json!({ "payouts": payouts })),
        Err(response) => response,
    }
}

/// `/api/v1/pools/COIN/miners`.
pub(super) async fn miners(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    if !site.config.pools.contains_key(&id) {
        return no_coin();
    }
    let snapshot = site.now();
    let mut miners: BTreeMap<&str, (u64, WorkerView, f64)> = BTreeMap::new();
    let workers = snapshot.coins.get(&id).map(CoinView::workers).unwrap_or_default();
    for (name, worker) in &workers {
        let (count, sum, round) = miners.entry(owner(name)).or_default();
        *count += 1;
        sum.rate += worker.rate;
        sum.shares += worker.shares;
        sum.rejected += worker.rejected;
        *round += snapshot.coins.get(&id).map_or(0.0, |coin| coin.in_round(name));
    }
    let after = page.after.as_deref().unwrap_or_default();
    let shown = miners.iter().filter(|(address, _)| **address > after);
    let shown = shown.take(page.limit() as usize).map(|(address, (count, sum, round))| {
        json!({
            "address": address, "workers": count, "hashrate": sum.rate, "shares": sum.shares,
            "rejected": sum.rejected, "round_work": round,
        })
    });
    let shown: Vec<Value> = shown.collect();
    json(&headers, &json!({ "time": snapshot.at / 1000, "count": miners.len(), "miners": shown }))
}

fn show_miner(address: &str, miner: &Miner) -> Value {
    let balance = miner.balance.as_ref().map(|balance| {
        json!({
            "immature_estimate": coins(miner.immature),
            "unpaid": amount(balance.unpaid), "in_flight": amount(balance.in_flight),
            "paid": amount(balance.paid), "paid_before": amount(miner.before),
            // Why is the operator's affair.
            "held": balance.held.is_some(),
            "minimum_payment": miner.minimum.map(amount),
        })
    });
    json!({
        "address": address,
        "hashrate": miner.rate(),
        "balance": balance,
        "workers": miner.rigs.iter().map(|rig| json!({
            "name": rig.name, "hashrate": rig.window.rate, "shares": rig.window.shares,
            "rejected": rig.window.rejected, "round_work": rig.round,
            "history": rig.series.iter().map(|(at, rate)| json!({ "time": at, "hashrate": rate }))
                .collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "payouts": miner.payments.iter().map(|paid| json!({
            "txid": paid.txid, "time": paid.time / 1000, "state": paid.state.name(),
            "confirmations": paid.depth, "amount": amount(paid.amount),
        })).collect::<Vec<_>>(),
        "credits": miner.earned.iter().map(|earned| json!({
            "height": earned.height, "hash": earned.hash, "time": earned.time / 1000,
            "amount": amount(earned.amount),
        })).collect::<Vec<_>>(),
    })
}

/// `/api/v1/pools/COIN/miners/ADDRESS`.
pub(super) async fn miner(
    State(site): State<Arc<Site>>,
    Path((id, address)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(pool) = site.config.pools.get(&id).cloned() else { return no_coin() };
    let name = address.clone();
    match site.ask(move |site| miner::ask(site, &pool, &name)).await {
        Ok(miner) if miner.is_known() => json(&headers, &show_miner(&address, &miner)),
        Ok(_) => error_json(StatusCode::NOT_FOUND, "nothing is known of this address"),
        Err(response) => response,
    }
}

/// `/api/v1/pools/COIN/history`.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(super) async fn history(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(span): Query<Span>,
    headers: HeaderMap,
) -> Response {
    let Some(pool) = site.config.pools.get(&id).cloned() else { return no_coin() };
    let to = span.to.unwrap_or(unix_ms() / 1000);
    let from = span.from.unwrap_or(to.saturating_sub(86_400));
    let step = span.step.unwrap_or(0).max(to.saturating_sub(from) / POINTS).max(60);
    let asked = site.ask(move |site| {
        let words = |error: crate::history::HistoryError| error.to_string();
        let history = History::open_for_reading(&site.config.data_dir, &id).map_err(words)?;
        let Some(history) = history else { return Ok(Vec::new()) };
        let Some(unit) = history.unit().map_err(words)? else { return Ok(Vec::new()) };
        let points = history.pool(from, to, step).map_err(words)?;
        let shown = points.iter().map(|point| {
            let work = point.sum.weight as f64 * unit.as_f64();
            json!({
                "time": point.at, "length": point.length,
                "hashrate": work * hashes(&pool) / passed(point, unix_ms() / 1000) as f64,
                "shares": point.sum.shares, "rejected": point.sum.rejected,
                "workers": point.workers,
            })
        });
        Ok(shown.collect())
    });
    match asked.await {
        Ok(points) => {
            json(&headers, &json!({ "from": from, "to": to, "step": step, "points": points }))
        }
        Err(response) => response,
    }
}
