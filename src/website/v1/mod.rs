//! `/api/v1`: romp's own API. Amounts are coins as text, times unix seconds, hash rates H/s.

mod lists;
mod miner;
mod names;
mod openapi;
mod operation;
mod pools;
mod query;
mod series;
mod shapes;
mod sheet;

pub(super) use openapi::{document, resolved};

use super::reply::{Kind, Prepared, error_json};
use super::routes::Site;
use super::snapshot::Snapshot;
use super::text::tame;
use crate::config::{Config, Pool};
use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use operation::{Operation, Source};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What `/api/v1/pools` says of a snapshot.
pub(super) fn pools_at(config: &Config, snapshot: &Snapshot) -> Prepared {
    let text = serde_json::to_string(&pools::all(config, snapshot)).unwrap_or_default();
    Prepared::new(Kind::Json, tame(&text))
}

/// What stands behind the `?` of a path of the API; `Err`: the refusal.
pub(super) fn asked<Q: DeserializeOwned>(uri: &Uri) -> Result<Q, Box<Response>> {
    operation::query(uri).map_err(|failure| Box::new(failure.into_response()))
}

/// What the pool keeps, parts per million: in the coinbase, or of the credits.
pub(super) fn fee(pool: &Pool) -> u32 {
    let coinbase: u32 = pool.recipients.iter().map(|recipient| recipient.ppm).sum();
    coinbase.saturating_add(pool.payments.as_ref().map_or(0, |payments| payments.fee_ppm))
}

/// Every path of the API: what is served, and what the document says.
#[rustfmt::skip]
fn operations() -> Vec<Operation> {
    use Source::{Disk, Snapshot};
    vec![
        Operation::new("/api/v1/pools", "pools", Snapshot,
            "Every pool: state, rates, shares, round, blocks, ports, fee.", pools::pools),
        Operation::new("/api/v1/pools/{coin}", "pool", Snapshot,
            "One of them.", pools::pool),
        Operation::new("/api/v1/pools/{coin}/blocks", "blocks", Disk,
            "Found blocks, the highest first.", lists::blocks),
        Operation::new("/api/v1/pools/{coin}/rounds", "rounds", Disk,
            "Rounds that a block closed, the highest first: how long, how much work, by how many.",
            lists::rounds),
        Operation::new("/api/v1/pools/{coin}/payouts", "payouts", Disk,
            "Payouts, the newest first.", lists::payouts),
        Operation::new("/api/v1/pools/{coin}/miners", "miners", Snapshot,
            "Who mines, or has work in this round, by address.", names::miners),
        Operation::new("/api/v1/pools/{coin}/workers", "workers", Snapshot,
            "The same by rig.", names::workers),
        Operation::new("/api/v1/pools/{coin}/history", "history", Disk,
            "The pool over time.", series::pool),
        Operation::new("/api/v1/pools/{coin}/miners/{address}", "miner", Disk,
            "A miner: balance, workers, the newest payments and credits. 404: it is not known.",
            miner::miner),
        Operation::new("/api/v1/pools/{coin}/miners/{address}/payments", "payments", Disk,
            "Payments to a miner, the newest first.", miner::payments),
        Operation::new("/api/v1/pools/{coin}/miners/{address}/payments.csv", "paymentsFile", Disk,
            "The same for spreadsheets: CSV as in RFC 4180, the newest 10,000.",
            miner::payments_csv),
        Operation::new("/api/v1/pools/{coin}/miners/{address}/earnings", "earnings", Disk,
            "What each block brought to a miner, the highest first.", miner::earnings),
        Operation::new("/api/v1/pools/{coin}/miners/{address}/history", "minerHistory", Disk,
            "A miner over time, rig by rig.", series::miner),
        Operation::new("/api/v1/coins", "coins", Snapshot,
            "The coins that are mined here, and how their addresses and keys are written.",
            pools::coins),
        Operation::new("/api/v1/openapi.json", "openapi", Snapshot,
            "This description, as OpenAPI 3.1.", openapi::openapi),
    ]
}

/// All paths below `/api/v1`.
pub(super) fn router() -> Router<Arc<Site>> {
    let mut router = Router::new();
    for operation in operations() {
        router = router.route(operation.path, operation.route);
    }
    router
}

/// Below `/api/` there is nothing of that name.
pub(super) fn nothing() -> Response {
    error_json(StatusCode::NOT_FOUND, "there is nothing here; /api/v1/openapi.json has all paths")
}

#[cfg(test)]
mod tests;
