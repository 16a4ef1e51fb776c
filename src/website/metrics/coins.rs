//! Each coin as the master knows it: miners, shares, work, notices, daemons.

use super::family::Family;
use super::{list, number, object, seconds, yes};
use serde_json::Value;

/// What the master's status says of coins at `now`, unix ms.
pub(super) fn write(out: &mut String, status: &Value, now: u64) {
    let each: [(&str, &str, &str, &str); 7] = [
        ("romp_pool_miners", "gauge", "Connected miners.", "miners"),
        ("romp_pool_accepted_shares_total", "counter", "Accepted shares since start.", "accepted"),
        ("romp_pool_blocks_total", "counter", "Block candidates since start.", "blocks"),
        ("romp_pool_height", "gauge", "Height of the tip.", "height"),
        ("romp_pool_network_difficulty", "gauge", "Difficulty of the network.", "difficulty"),
        ("romp_pool_notices_total", "counter", "Block notices that workers heard.", "notices"),
        (
            "romp_pool_fallbacks_total",
            "counter",
            "Times that a worker had to ask a daemon itself.",
            "fallbacks",
        ),
    ];
    for (name, kind, help, key) in each {
        Family::new(out, name, kind, help).put_each(coins(status, |of| number(of, key)));
    }
    let help = "Whether a coin can be mined.";
    Family::new(out, "romp_pool_fresh", "gauge", help).put_each(coins(status, |of| {
        Some(yes(of.get("state").and_then(Value::as_str) == Some("fresh")))
    }));
    let help = "Age of the last work that was sent to the workers.";
    Family::new(out, "romp_pool_work_age_seconds", "gauge", help).put_each(coins(status, |of| {
        Some(seconds(now.saturating_sub(of.get("work_at").and_then(Value::as_u64)?)))
    }));
    let help = "Refused shares since start, by reason.";
    let mut family = Family::new(out, "romp_pool_rejected_shares_total", "counter", help);
    for (coin, of) in object(status, "coins") {
        for (reason, count) in object(of, "rejected") {
            let labels = [("coin", &**coin), ("reason", reason)];
            family.put(&labels, count.as_f64().unwrap_or_default());
        }
    }
    let mut family = Family::new(out, "romp_pool_waits", "gauge", "Parts of a coin that wait.");
    for (coin, of) in object(status, "coins") {
        for (part, _) in object(of, "waits") {
            family.put(&[("coin", coin), ("part", part)], 1.0);
        }
    }
    notices(out, status);
    daemons(out, status);
}

/// A number of each coin.
fn coins<'s>(
    status: &'s Value,
    look: impl Fn(&'s Value) -> Option<f64>,
) -> impl Iterator<Item = ([(&'s str, &'s str); 1], Option<f64>)> {
    object(status, "coins").map(move |(coin, of)| ([("coin", coin.as_str())], look(of)))
}

fn notices(out: &mut String, status: &Value) {
    let each: [(&str, &str, &str); 3] = [
        ("romp_notice_blocks_total", "Blocks that a way of telling told of.", "blocks"),
        ("romp_notice_first_total", "Of them those of which it was the first.", "first"),
        ("romp_notice_missed_total", "Messages that were lost on the way.", "missed"),
    ];
    for (name, help, key) in each {
        let mut family = Family::new(out, name, "counter", help);
        for (coin, of) in object(status, "coins") {
            for (source, notice) in object(of, "notices_by") {
                if let Some(value) = number(notice, key) {
                    family.put(&[("coin", coin), ("source", source)], value);
                }
            }
        }
    }
    let help = "Whether a way of telling blocks works now.";
    let mut family = Family::new(out, "romp_notice_up", "gauge", help);
    for (coin, of) in object(status, "coins") {
        for (source, notice) in object(of, "notices_by") {
            let works = notice.get("problem").is_none_or(Value::is_null);
            family.put(&[("coin", coin), ("source", source)], yes(works));
        }
    }
}

fn daemons(out: &mut String, status: &Value) {
    let each: [(&str, &str, &str, f64); 4] = [
        ("romp_daemon_fresh", "Whether it may give work.", "fresh", 1.0),
        ("romp_daemon_chosen", "Whether work comes from it.", "chosen", 1.0),
        ("romp_daemon_height", "Its height.", "height", 1.0),
        ("romp_daemon_latency_seconds", "How long its last answer took.", "latency", 0.001),
    ];
    for (name, help, key, scale) in each {
        let mut family = Family::new(out, name, "gauge", help);
        for (coin, of) in object(status, "coins") {
            for (n, daemon) in list(of, "daemons").iter().enumerate() {
                let value = match daemon.get(key) {
                    Some(Value::Bool(is)) => Some(yes(*is)),
                    _ => number(daemon, key),
                };
                if let Some(value) = value {
                    // Addresses of daemons are nobody's business: their place in the pool's file.
                    let n = (n + 1).to_string();
                    family.put(&[("coin", coin), ("daemon", &n)], value * scale);
                }
            }
        }
    }
}
