//! `/metrics`: the text format of Prometheus.
//!
//! Written by hand. Libraries for it keep counters of their own process and show those; here all
//! numbers are other processes', read from the board, from the master and from ledgers, and the
//! format is `family`'s fifty lines.

mod coins;
mod family;
mod fleet;
mod ledgers;
#[cfg(test)]
mod tests;

use super::forwarded::Asker;
use super::reply::{Kind, send};
use super::routes::Site;
use super::snapshot::Snapshot;
use crate::sys::clock::unix_ms;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use family::Family;
use serde_json::{Map, Value};
use std::sync::Arc;

/// `/metrics`, for those who may read it.
pub(super) async fn metrics(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
) -> Response {
    if !site.settings.shows_metrics_to(&asker.address) {
        return (StatusCode::FORBIDDEN, "not for this address (website.metricsAllow)\n")
            .into_response();
    }
    send(&headers, Kind::Text, text(&site.now(), unix_ms()))
}

fn number(of: &Value, key: &str) -> Option<f64> {
    of.get(key).and_then(Value::as_f64)
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn object<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    of.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

const fn yes(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// All of it. Every family stands there, also one without a sample, as long as the master answers.
pub(super) fn text(snapshot: &Snapshot, now: u64) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let help = "Which romp serves this.";
    Family::new(&mut out, "romp_build_info", "gauge", help)
        .put(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let help = "Age of these numbers.";
    Family::new(&mut out, "romp_snapshot_age_seconds", "gauge", help)
        .put(&[], seconds(now.saturating_sub(snapshot.at)));
    let help = "How long it took to gather them.";
    Family::new(&mut out, "romp_snapshot_duration_seconds", "gauge", help)
        .put(&[], seconds(snapshot.took));
    let up = snapshot.master.trouble.is_none() && snapshot.master.value.is_some();
    Family::new(&mut out, "romp_master_up", "gauge", "Whether the master answers.")
        .put(&[], yes(up));
    if let Some(status) = snapshot.master.value.as_ref().filter(|_| up) {
        fleet::write(&mut out, status);
        coins::write(&mut out, status, now);
    }
    fleet::write_machine(&mut out, &snapshot.machine);
    ledgers::write(&mut out, snapshot, now);
    out
}
