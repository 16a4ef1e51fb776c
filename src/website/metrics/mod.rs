//! `/metrics`: the text format of Prometheus, written by hand; it is short.

use super::reply::{Kind, send};
use super::routes::Site;
use super::snapshot::Snapshot;
use crate::sys::clock::unix_ms;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;

/// `/metrics`.
pub(super) async fn metrics(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    send(&headers, Kind::Text, text(&site.now(), unix_ms()))
}

/// A family of samples.
struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        let escaped =
            |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let braces =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{}{braces} {value}", self.name);
    }
}

fn number(of: &Value, key: &str) -> Option<f64> {
    of.get(key).and_then(Value::as_f64)
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// The whole of it.
pub(super) fn text(snapshot: &Snapshot, now: u64) -> String {
    let mut out = String::new();
    let mut age =
        Family::new(&mut out, "romp_snapshot_age_seconds", "gauge", "Age of these numbers.");
    age.put(&[], seconds(now.saturating_sub(snapshot.at)));
    let mut took = Family::new(
        &mut out,
        "romp_snapshot_duration_seconds",
        "gauge",
        "How long it took to gather them.",
    );
    took.put(&[], seconds(snapshot.took));
    let up = snapshot.master.trouble.is_none() && snapshot.master.value.is_some();
    Family::new(&mut out, "romp_master_up", "gauge", "Whether the master answers.")
        .put(&[], f64::from(u8::from(up)));
    if let Some(status) = snapshot.master.value.as_ref().filter(|_| up) {
        fleet(&mut out, status);
        coins(&mut out, status);
    }
    ledgers(&mut out, snapshot, now);
    out
}

fn fleet(out: &mut String, status: &Value) {
    let children = list(status, "children");
    let each: [(&str, &str, &str, &str); 5] = [
        ("romp_process_miners", "gauge", "Connected miners of a worker.", "miners"),
        ("romp_process_accepted_shares_total", "counter", "Accepted shares.", "accepted"),
        ("romp_process_rejected_shares_total", "counter", "Refused shares.", "rejected"),
        ("romp_process_restarts_total", "counter", "How often it was started again.", "restarts"),
        ("romp_process_generation", "gauge", "Its configuration.", "generation"),
    ];
    let label = |child: &Value, key: &str| match child.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut family = Family::new(out, "romp_process_up", "gauge", "Whether a process serves.");
    for child in children {
        let up = child.get("state").and_then(Value::as_str) == Some("ready");
        let labels = [("role", &*label(child, "role")), ("slot", &*label(child, "slot"))];
        family.put(&labels, f64::from(u8::from(up)));
    }
    for (name, kind, help, key) in each {
        let mut family = Family::new(out, name, kind, help);
        for child in children {
            let labels = [("role", &*label(child, "role")), ("slot", &*label(child, "slot"))];
            family.put(&labels, number(child, key).unwrap_or_default());
        }
    }
    Family::new(out, "romp_uptime_seconds", "counter", "Age of the master.")
        .put(&[], number(status, "uptime_seconds").unwrap_or_default());
    Family::new(out, "romp_bans", "gauge", "Living bans.")
        .put(&[], number(status, "bans").unwrap_or_default());
    let mut family = Family::new(
        out,
        "romp_refused_connections_total",
        "counter",
        "Connections refused or ended, by cause.",
    );
    for (cause, count) in status.get("refused").and_then(Value::as_object).into_iter().flatten() {
        family.put(&[("cause", cause)], count.as_f64().unwrap_or_default());
    }
}

fn coins(out: &mut String, status: &Value) {
    let all = || status.get("coins").and_then(Value::as_object).into_iter().flatten();
    let each: [(&str, &str, &str, &str); 5] = [
        ("romp_pool_miners", "gauge", "Connected miners.", "miners"),
        ("romp_pool_accepted_shares_total", "counter", "Accepted shares since start.", "accepted"),
        ("romp_pool_blocks_total", "counter", "Block candidates since start.", "blocks"),
        ("romp_pool_height", "gauge", "Height of the tip.", "height"),
        ("romp_pool_network_difficulty", "gauge", "Difficulty of the network.", "difficulty"),
    ];
    for (name, kind, help, key) in each {
        let mut family = Family::new(out, name, kind, help);
        for (coin, of) in all() {
            if let Some(value) = number(of, key) {
                family.put(&[("coin", coin)], value);
            }
        }
    }
    let mut family = Family::new(out, "romp_pool_fresh", "gauge", "Whether a coin can be mined.");
    for (coin, of) in all() {
        let fresh = of.get("state").and_then(Value::as_str) == Some("fresh");
        family.put(&[("coin", coin)], f64::from(u8::from(fresh)));
    }
    let mut family = Family::new(
        out,
        "romp_pool_rejected_shares_total",
        "counter",
        "Refused shares since start, by reason.",
    );
    for (coin, of) in all() {
        for (reason, count) in of.get("rejected").and_then(Value::as_object).into_iter().flatten() {
            let labels = [("coin", &**coin), ("reason", reason)];
            family.put(&labels, count.as_f64().unwrap_or_default());
        }
    }
    let mut family = Family::new(out, "romp_pool_waits", "gauge", "Parts of a coin that wait.");
    for (coin, of) in all() {
        for part in of.get("waits").and_then(Value::as_object).into_iter().flat_map(|it| it.keys())
        {
            family.put(&[("coin", &**coin), ("part", part)], 1.0);
        }
    }
    let each: [(&str, &str, &str, f64); 3] = [
        ("romp_daemon_fresh", "Whether it may give work.", "fresh", 1.0),
        ("romp_daemon_height", "Its height.", "height", 1.0),
        ("romp_daemon_latency_seconds", "How long its last answer took.", "latency", 0.001),
    ];
    for (name, help, key, scale) in each {
        let mut family = Family::new(out, name, "gauge", help);
        for (coin, of) in all() {
            for (n, daemon) in list(of, "daemons").iter().enumerate() {
                let value = match daemon.get(key) {
                    Some(Value::Bool(yes)) => Some(f64::from(u8::from(*yes))),
                    _ => number(daemon, key),
                };
                if let Some(value) = value {
                    // Addresses of daemons are nobody's business: their place in the pool's file.
                    let n = (n + 1).to_string();
                    family.put(&[("coin", &**coin), ("daemon", &n)], value * scale);
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn ledgers(out: &mut String, snapshot: &Snapshot, now: u64) {
    type Look = fn(&super::coin::CoinView, u64) -> Option<f64>;
    let each: [(&str, &str, &str, Look); 9] = [
        ("romp_ledger_up", "gauge", "Whether the ledger can be read.", |coin, _| {
            Some(f64::from(u8::from(coin.ledger.at > 0 && coin.ledger.trouble.is_none())))
        }),
        ("romp_ledger_age_seconds", "gauge", "Age of what the ledger said.", |coin, now| {
            (coin.ledger.at > 0).then(|| seconds(now.saturating_sub(coin.ledger.at)))
        }),
        ("romp_ledger_lag_seconds", "gauge", "How far it is behind the journals.", |coin, _| {
            Some(seconds(coin.ledger.value.as_ref()?.lag.ms.unwrap_or(0)))
        }),
        ("romp_ledger_lag_bytes", "gauge", "Bytes of journals that it lacks.", |coin, _| {
            Some(coin.ledger.value.as_ref()?.lag.bytes as f64)
        }),
        ("romp_pool_hashrate", "gauge", "Hashes a second.", |coin, _| Some(coin.rate())),
        ("romp_pool_blocks_pending", "gauge", "Blocks that are not settled.", |coin, _| {
            Some(coin.blocks().pending as f64)
        }),
        ("romp_payments_waiting", "gauge", "Payouts that are not confirmed.", |coin, _| {
            Some(coin.booked()?.totals.open as f64)
        }),
        ("romp_payments_owed_coins", "gauge", "Owed to accounts that can be paid.", |coin, _| {
            Some(coin.booked()?.totals.owed as f64 / 1e8)
        }),
        ("romp_payments_held_accounts", "gauge", "Accounts with money set aside.", |coin, _| {
            Some(coin.booked()?.totals.holders as f64)
        }),
    ];
    for (name, kind, help, look) in each {
        let mut family = Family::new(out, name, kind, help);
        for (id, coin) in &snapshot.coins {
            if let Some(value) = look(coin, now) {
                family.put(&[("coin", id)], value);
            }
        }
    }
}
