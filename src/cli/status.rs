//! `romp status`: asks the master over its control socket, adds hash rates from the ledger. While
//! the pool is down the ledger's numbers are shown alone.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

mod notices;

use super::{DONE, FAILED, NOT_RUNNING};
use crate::config::{self, Config};
pub(super) use crate::ipc::control::command;
use crate::sys::{clock, log::escape};
use crate::{journal, ledger, master};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Shows how the pool is. The exit code.
#[must_use]
pub fn run(dir: &Path, as_json: bool) -> u8 {
    // A file that is being edited just now must not hide a running pool.
    let loaded = config::load_sparing_secrets(dir);
    if loaded.config.is_none() {
        eprintln!("the configuration has errors (`romp check` shows them)");
    }
    let config = loaded.config;
    let data_dir = config.as_ref().map_or_else(|| dir.join("data"), |it| it.data_dir.clone());
    let socket = master::control_socket(&data_dir);
    match ask(&socket) {
        Ok(mut status) => {
            if let Some(config) = &config {
                add_ledgers(&mut status, config);
            }
            print(&status, as_json);
            DONE
        }
        Err(error) if is_down(&error) => {
            let mut status = json!({ "running": false, "coins": {} });
            if let Some(config) = &config {
                add_ledgers(&mut status, config);
            }
            eprintln!("the pool is not running (nobody at {})", socket.display());
            print(&status, as_json);
            NOT_RUNNING
        }
        Err(error) => {
            eprintln!("{}", unanswered(&socket, &error));
            FAILED
        }
    }
}

pub(super) fn is_down(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Why a pool that may be running was not asked.
pub(super) fn unanswered(socket: &Path, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as the pool's user",
        _ => "",
    };
    format!("{}: {error}{advice}", socket.display())
}

/// What a running pool says of itself.
pub(super) fn ask(socket: &Path) -> io::Result<Value> {
    let mut status = command(socket, &json!({ "command": "status" }))?;
    if let Some(object) = status.as_object_mut() {
        object.insert("running".to_owned(), json!(true));
    }
    Ok(status)
}

/// Adds to each coin what its ledger says: hash rate, shares since ever, blocks since ever.
fn add_ledgers(status: &mut Value, config: &Config) {
    let Some(coins) = status.get_mut("coins").and_then(Value::as_object_mut) else { return };
    for (coin, pool) in &config.pools {
        let entry = coins.entry(coin.clone()).or_insert_with(|| Value::Object(Map::new()));
        let Some(entry) = entry.as_object_mut() else { continue };
        match ledger::overview_with_positions(pool, &config.data_dir) {
            Ok((overview, positions)) => {
                let lag = journal::lag(&config.data_dir, coin, &positions, clock::unix_ms());
                let shift = pool.coin.algorithm.multiplier_shift();
                // A sum of nothing is -0.
                let rate = overview.hash_rate(clock::unix_ms(), shift) + 0.0;
                entry.insert("hashrate".to_owned(), json!(rate));
                entry.insert(
                    "ledger".to_owned(),
                    json!({
                        "accepted": overview.accepted,
                        "rejected": overview.rejected_total(),
                        "blocks": overview.blocks_found,
                        "pending_bytes": lag.bytes,
                        "pending_ms": lag.ms,
                    }),
                );
            }
            Err(error) => {
                entry.insert("ledger".to_owned(), json!({ "error": error.to_string() }));
            }
        }
    }
}

fn print(status: &Value, as_json: bool) {
    if as_json { println!("{status}") } else { print!("{}", table(status)) }
}

/// The status as a table for people.
fn table(status: &Value) -> String {
    let mut out = String::new();
    if status.get("pid").is_some() {
        let _ = writeln!(
            out,
            "romp {}, pid {}, up {}, configuration {}, {} bans",
            text(status, "version"),
            text(status, "pid"),
            duration(number(status, "uptime_seconds")),
            text(status, "generation"),
            text(status, "bans"),
        );
        let refused = list_of_counts(status.get("refused"), false);
        if !refused.is_empty() {
            let sum = list_of_counts(status.get("refused"), true);
            let _ = writeln!(out, "connections refused or ended: {sum}{refused}");
        }
        for (part, words) in status.get("waits").and_then(Value::as_object).into_iter().flatten() {
            let words = escape(words.as_str().unwrap_or_default());
            let _ = writeln!(out, "{}: {words}", escape(part));
        }
        let _ = writeln!(
            out,
            "\n{:<12} {:>4} {:>8} {:<9} {:>8} {:>12} {:>10} {:>8} {:>8}",
            "role", "slot", "pid", "state", "miners", "accepted", "rejected", "restarts", "turn"
        );
        for child in list(status, "children") {
            let turn = match child.get("tick_ms_ago").and_then(Value::as_u64) {
                Some(ms) => format!("{ms} ms"),
                None => "-".to_owned(),
            };
            let _ = writeln!(
                out,
                "{:<12} {:>4} {:>8} {:<9} {:>8} {:>12} {:>10} {:>8} {:>8}",
                text(child, "role"),
                text(child, "slot"),
                text(child, "pid"),
                text(child, "state"),
                text(child, "miners"),
                text(child, "accepted"),
                text(child, "rejected"),
                text(child, "restarts"),
                turn,
            );
        }
    }
    for (coin, of) in status.get("coins").and_then(Value::as_object).into_iter().flatten() {
        coin_table(&mut out, coin, of, status);
    }
    out
}

fn coin_table(out: &mut String, coin: &str, of: &Value, status: &Value) {
    let _ = write!(out, "\n{}", escape(coin));
    if of.get("state").is_some() {
        let ports: Vec<String> = list(status, "ports")
            .iter()
            .filter(|port| text(port, "coin") == coin)
            .map(|port| text(port, "port"))
            .collect();
        let _ = writeln!(out, ": {}, port {}", tip(of), ports.join(", "));
        if text(of, "state") == "fresh" {
            let difficulty = of.get("difficulty").and_then(Value::as_f64).unwrap_or_default();
            let _ = writeln!(out, "  tip {}, difficulty {}", text(of, "tip"), short(difficulty));
        }
        let _ = writeln!(
            out,
            "  {} miners, {}, {} accepted, {} rejected{}, {} blocks since start",
            text(of, "miners"),
            hash_rate_of(of),
            text(of, "accepted"),
            list_of_counts(of.get("rejected"), true),
            list_of_counts(of.get("rejected"), false),
            text(of, "blocks"),
        );
        for daemon in list(of, "daemons") {
            let problem = daemon.get("problem").and_then(Value::as_str).map(escape);
            let _ = writeln!(
                out,
                "  daemon {}: {}{}, height {}, {} ms{}",
                text(daemon, "address"),
                if flag(daemon, "fresh") { "fresh" } else { "not usable" },
                if flag(daemon, "chosen") { ", chosen" } else { "" },
                text(daemon, "height"),
                text(daemon, "latency"),
                problem.map(|problem| format!(" ({problem})")).unwrap_or_default(),
            );
        }
        notices::table(out, of);
        for (part, words) in of.get("waits").and_then(Value::as_object).into_iter().flatten() {
            let words = escape(words.as_str().unwrap_or_default());
            let _ = writeln!(out, "  {}: {words}", escape(part));
        }
    } else {
        let _ = writeln!(out, ": {}", hash_rate_of(of));
    }
    let ledger = of.get("ledger").unwrap_or(&Value::Null);
    if let Some(error) = ledger.get("error").and_then(Value::as_str) {
        let _ = writeln!(out, "  ledger: {}", escape(error));
    } else if ledger.is_object() {
        let _ = writeln!(
            out,
            "  ledger since ever: {} accepted, {} rejected, {} blocks",
            text(ledger, "accepted"),
            text(ledger, "rejected"),
            text(ledger, "blocks"),
        );
        // Counting takes at most 4 s when all is well.
        if let Some(ms) = ledger.get("pending_ms").and_then(Value::as_u64)
            && ms > 10_000
        {
            let _ = writeln!(
                out,
                "  ledger is behind by {}, {} bytes of journals: see the log",
                duration(ms / 1000),
                text(ledger, "pending_bytes")
            );
        }
    }
}

fn tip(of: &Value) -> String {
    match text(of, "state").as_str() {
        "waiting" => "waiting for a daemon".to_owned(),
        "syncing" => {
            let detail = of.get("detail").unwrap_or(&Value::Null);
            let (blocks, headers) = (number(detail, "blocks"), number(detail, "headers"));
            let percent = blocks.saturating_mul(100).checked_div(headers).unwrap_or(0);
            format!("daemon is syncing, block {blocks} of {headers} ({percent} %)")
        }
        "unattended" => format!(
            "templates is not running: workers ask the daemons themselves. Last heard of: height \
             {}, last work {}",
            text(of, "height"),
            work_age(of)
        ),
        "stale" => {
            let since = number(of.get("detail").unwrap_or(&Value::Null), "since");
            let ago = clock::unix_ms().saturating_sub(since) / 1000;
            format!("no usable daemon since {}", duration(ago))
        }
        state => format!("{state}, height {}, last work {}", text(of, "height"), work_age(of),),
    }
}

/// How old the last work is.
fn work_age(of: &Value) -> String {
    match of.get("work_at").and_then(Value::as_u64) {
        Some(at) => format!("{} ago", duration(clock::unix_ms().saturating_sub(at) / 1000)),
        None => "never".to_owned(),
    }
}

/// ` (stale 3, duplicate 1)`, or the sum alone.
fn list_of_counts(counts: Option<&Value>, sum: bool) -> String {
    let counts = counts.and_then(Value::as_object);
    let each = || counts.into_iter().flatten();
    if sum {
        return each().filter_map(|(_, count)| count.as_u64()).sum::<u64>().to_string();
    }
    let words: Vec<String> = each().map(|(reason, count)| format!("{reason} {count}")).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

/// A difficulty of at most five digits that count: they span twenty powers of ten.
fn short(difficulty: f64) -> String {
    match difficulty {
        small if small < 1e-3 => format!("{small:.2e}"),
        large if large >= 100.0 => format!("{large:.0}"),
        other => ((other * 1000.0).round() / 1000.0).to_string(),
    }
}

fn hash_rate_of(of: &Value) -> String {
    let rate = of.get("hashrate").and_then(Value::as_f64);
    rate.map_or_else(|| "hash rate unknown".to_owned(), hash_rate)
}

pub(super) fn hash_rate(mut rate: f64) -> String {
    for unit in ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s"] {
        if rate < 1000.0 {
            return format!("{rate:.2} {unit}");
        }
        rate /= 1000.0;
    }
    format!("{rate:.2} EH/s")
}

pub(super) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(of: &Value, key: &str) -> u64 {
    of.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn flag(of: &Value, key: &str) -> bool {
    of.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn text(of: &Value, key: &str) -> String {
    match of.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => escape(text),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_counts() {
        let status = json!({
            "running": true, "pid": 7, "version": "0.1.0", "generation": 2, "bans": 1,
            "refused": {"banned": 3, "http": 1}, "uptime_seconds": 3700,
            "children": [{"role": "worker", "slot": 0, "pid": 8, "state": "ready", "miners": 3,
                "accepted": 10, "rejected": 2, "restarts": 1, "tick_ms_ago": 40}],
            "ports": [{"port": 3032, "coin": "litecoin"}],
            "coins": {"litecoin": {"state": "fresh", "height": 431, "tip": "00ab",
                "difficulty": 1.5, "daemons": [{"address": "127.0.0.1:19332", "fresh": false,
                "chosen": false, "height": null, "latency": null, "problem": "refused\u{1b}"}],
                "miners": 3, "accepted": 10, "rejected": {"stale": 2}, "blocks": 1,
                "hashrate": 1234567.0, "waits": {"payments": "locked"},
                "ledger": {"accepted": 12, "rejected": 2, "blocks": 1}}},
        });
        let table = table(&status);
        for part in [
            "pid 7, up 1 h 1 min, configuration 2, 1 bans",
            "connections refused or ended: 4 (banned 3, http 1)",
            "litecoin: fresh, height 431, last work never, port 3032\n  tip 00ab, difficulty 1.5\n",
            "3 miners, 1.23 MH/s, 10 accepted, 2 rejected (stale 2), 1 blocks since start",
            "daemon 127.0.0.1:19332: not usable, height -, - ms (refused\\u{1b})",
            "  payments: locked",
            "ledger since ever: 12 accepted, 2 rejected, 1 blocks",
        ] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
    }

    #[test]
    fn a_pool_that_is_down_shows_its_ledger() {
        let down = json!({"running": false, "coins": {"litecoin": {"hashrate": 0.0,
            "ledger": {"accepted": 12, "rejected": 2, "blocks": 1}}}});
        assert_eq!(
            table(&down),
            "\nlitecoin: 0.00 H/s\n  ledger since ever: 12 accepted, 2 rejected, 1 blocks\n"
        );
    }

    #[test]
    fn nothing_is_called_fresh_that_nobody_looks_after() {
        let at = clock::unix_ms().saturating_sub(130_000);
        let of = json!({"state": "unattended", "height": 431, "work_at": at});
        let shown = tip(&of);
        assert!(shown.contains("templates is not running"), "{shown}");
        assert!(shown.contains("last work 2 min ago"), "{shown}");
    }

    #[test]
    fn syncing_shows_progress() {
        let of = json!({"state": "syncing", "detail": {"blocks": 50, "headers": 200}});
        assert_eq!(tip(&of), "daemon is syncing, block 50 of 200 (25 %)");
    }
}
