//! What Prometheus reads, and that documentation, dashboard and alerts name what there is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::super::machine::Machine;
use super::super::snapshot::Snapshot;
use super::super::tests::{kept, snapshot};
use super::text;
use crate::chain::Hash;
use crate::ipc::histogram::{BOUNDS_US, Histogram};
use crate::ledger::book::{Payout, PayoutState};
use crate::rewards::Amount;
use crate::sys::process::Cost;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pool of which everything is known.
fn full() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.master = kept(json!({
        "uptime_seconds": 7, "generation": 2, "bans": 0, "wrong_passwords": 1,
        "refused": {"banned": 3}, "nofile": {"soft": 20000, "hard": 20000},
        "children": [
            {"role": "worker", "slot": 0, "state": "ready", "miners": 3, "accepted": 10,
                "rejected": 2, "restarts": 1, "generation": 1, "uptime_seconds": 6,
                "tick_ms_ago": 250},
            {"role": "templates", "slot": 120, "state": "starting", "miners": 0, "accepted": 0,
                "rejected": 0, "restarts": 0, "generation": 1},
        ],
        "coins": {"litecoin": {"state": "fresh", "height": 431, "difficulty": 1.5, "miners": 3,
            "work_at": snapshot.at - 2000, "accepted": 10, "blocks": 1, "notices": 4,
            "fallbacks": 0, "rejected": {"stale": 2}, "waits": {"pay\"ments": "x"},
            "notices_by": {"zmq": {"blocks": 4, "first": 3, "lag": null, "missed": 0,
                "problem": "127.0.0.1:1: gone"}},
            "daemons": [{"address": "secret:1", "fresh": true, "chosen": true, "height": 431,
                "latency": 5}]}},
    }));
    let times = Histogram::default();
    times.add(60, 7);
    times.add(3_000, 2);
    times.add(60_000_000, 1);
    let cost = Cost { resident: 4096, cpu: 1500, files: Some(9) };
    snapshot.machine = Machine {
        costs: vec![("master", None, cost), ("worker", Some(0), cost)],
        replies: vec![(0, times.read())],
        changes: vec![("litecoin".to_owned(), 0, times.read())],
    };
    let at = snapshot.at;
    let book = snapshot.coins.get_mut("litecoin").unwrap().book.value.as_mut().unwrap();
    let book = Arc::make_mut(book).as_mut().unwrap();
    (book.totals.open, book.totals.open_since) = (1, Some(at - 30_000));
    let payout = Payout {
        id: 1,
        txid: Hash([1; 32]),
        hex: String::new(),
        fee: Amount(1),
        state: PayoutState::Sent,
        time: at - 30_000,
        depth: 0,
        words: String::new(),
    };
    book.payouts = vec![(payout, 1, 1)];
    snapshot
}

/// A family: its kind, and its samples by what stands before the value.
#[derive(Debug, Default)]
struct Read {
    kind: String,
    samples: BTreeMap<String, f64>,
}

/// Reads a page as strictly as Prometheus and `promtool check metrics` do.
fn read(page: &str) -> BTreeMap<String, Read> {
    let mut families: BTreeMap<String, Read> = BTreeMap::new();
    let mut current = String::new();
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && !families.contains_key(name), "{name} twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name.to_owned(), Read { kind: kind.to_owned(), ..Read::default() });
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite(), "{line}");
            let name = series.split('{').next().unwrap();
            let family = families.get_mut(&current).unwrap();
            let suffix = name.strip_prefix(&*current).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[&str] = match &*family.kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            labels(series);
            let before = family.samples.insert(series.to_owned(), value);
            assert_eq!(before, None, "{line} twice");
        }
    }
    families
}

/// Labels of a series, in their order.
fn labels(series: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = series.split_once('{') else { return Vec::new() };
    let mut rest = rest.strip_suffix('}').unwrap();
    let mut found = Vec::new();
    loop {
        let (key, after) = rest.split_once("=\"").unwrap();
        assert!(key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{key}");
        let (mut value, mut letters) = (String::new(), after.char_indices());
        let end = loop {
            match letters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => match letters.next().unwrap().1 {
                    'n' => value.push('\n'),
                    letter => value.push(letter),
                },
                (_, letter) => value.push(letter),
            }
        };
        found.push((key.to_owned(), value));
        match after[end + 1..].strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                assert_eq!(after.len(), end + 1);
                return found;
            }
        }
    }
}

#[test]
fn prometheus_reads_every_line() {
    let snapshot = full();
    let page = text(&snapshot, snapshot.at + 1500);
    let families = read(&page);
    for (line, value) in [
        ("romp_snapshot_age_seconds", 1.5),
        ("romp_master_up", 1.0),
        ("romp_process_up{role=\"worker\",slot=\"0\"}", 1.0),
        ("romp_process_up{role=\"templates\",slot=\"120\"}", 0.0),
        ("romp_process_miners{role=\"worker\",slot=\"0\"}", 3.0),
        ("romp_process_turn_age_seconds{role=\"worker\",slot=\"0\"}", 0.25),
        ("romp_process_cpu_seconds_total{role=\"master\"}", 1.5),
        ("romp_refused_connections_total{cause=\"banned\"}", 3.0),
        ("romp_pool_rejected_shares_total{coin=\"litecoin\",reason=\"stale\"}", 2.0),
        ("romp_pool_waits{coin=\"litecoin\",part=\"pay\\\"ments\"}", 1.0),
        ("romp_pool_work_age_seconds{coin=\"litecoin\"}", 3.5),
        ("romp_notice_up{coin=\"litecoin\",source=\"zmq\"}", 0.0),
        ("romp_daemon_latency_seconds{coin=\"litecoin\",daemon=\"1\"}", 0.005),
        ("romp_ledger_up{coin=\"litecoin\"}", 1.0),
        ("romp_pool_hashrate{coin=\"litecoin\"}", 20_971.52),
        ("romp_payments_oldest_waiting_seconds{coin=\"litecoin\"}", 31.5),
        ("romp_payments_paid_coins_total{coin=\"litecoin\"}", 12.5),
        ("romp_pool_blocks{coin=\"litecoin\",state=\"mature\"}", 2.0),
        ("romp_share_reply_seconds_bucket{slot=\"0\",le=\"0.00005\"}", 0.0),
        ("romp_share_reply_seconds_bucket{slot=\"0\",le=\"0.0001\"}", 7.0),
        ("romp_share_reply_seconds_bucket{slot=\"0\",le=\"0.005\"}", 9.0),
        ("romp_share_reply_seconds_bucket{slot=\"0\",le=\"10\"}", 9.0),
        ("romp_share_reply_seconds_bucket{slot=\"0\",le=\"+Inf\"}", 10.0),
        ("romp_share_reply_seconds_sum{slot=\"0\"}", 60.006_42),
        ("romp_share_reply_seconds_count{slot=\"0\"}", 10.0),
    ] {
        let found = families.values().find_map(|family| family.samples.get(line));
        assert_eq!(found, Some(&value), "{line} in\n{page}");
    }
    assert!(!page.contains("secret"));
    for (name, family) in families {
        assert!(!family.samples.is_empty(), "{name} has no sample");
        let buckets = family.samples.keys().filter(|key| key.contains("_bucket{")).count();
        assert_eq!(buckets, if family.kind == "histogram" { BOUNDS_US.len() + 1 } else { 0 });
    }
}

/// Without master and ledgers it is still a page, with the same families where they are known.
#[test]
fn what_is_away_has_no_samples() {
    let page = text(&Snapshot::default(), 1500);
    let families = read(&page);
    assert_eq!(families["romp_master_up"].samples["romp_master_up"], 0.0);
    assert!(!families.contains_key("romp_process_up"));
    assert!(families["romp_ledger_up"].samples.is_empty());
}

/// The part of a file of this project that stands before its tests.
fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_documentation_has_every_metric_and_no_other() {
    let families = read(&text(&full(), 1_400_000_001_000));
    let there: BTreeMap<String, (String, String)> = families
        .iter()
        .map(|(name, family)| {
            let names = family.samples.keys().flat_map(|series| labels(series));
            let names: BTreeSet<String> = names.map(|(key, _)| format!("`{key}`")).collect();
            let names: Vec<String> = names.into_iter().filter(|name| name != "`le`").collect();
            (name.clone(), (family.kind.clone(), names.join(" ")))
        })
        .collect();
    let documented = file("docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `romp_"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            assert!(!cells[3].is_empty(), "romp_{row}");
            let name = format!("romp_{}", cells[0].trim_end_matches('`'));
            (name, (cells[1].to_owned(), cells[2].to_owned()))
        })
        .collect::<BTreeMap<_, _>>();
    assert_eq!(documented, there);
}

/// Every `romp_...` in a text.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("romp_") {
        let end = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
        let rest = &text[at..];
        names.insert(rest[..rest.find(end).unwrap_or(rest.len())].to_owned());
    }
    names
}

#[test]
fn dashboard_and_alerts_ask_for_what_there_is() {
    let mut there = BTreeSet::new();
    for (name, family) in read(&text(&full(), 1_400_000_001_000)) {
        match &*family.kind {
            "histogram" => {
                there.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
            }
            _ => drop(there.insert(name)),
        }
    }
    let dashboard: Value = serde_json::from_str(&file("docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions = |panel: &Value| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.iter().map(|it| it["expr"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut asked = 0;
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let expressions = expressions(panel);
        assert!(!expressions.is_empty(), "{}", panel["title"]);
        asked += expressions.len();
        for expression in expressions {
            let names = named(&expression);
            assert!(!names.is_empty() && names.is_subset(&there), "{}: {names:?}", panel["title"]);
        }
        assert_eq!(panel["datasource"]["uid"], json!("${datasource}"), "{}", panel["title"]);
    }
    assert!(asked > 20, "{asked}");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<&str> = variables.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "coin"]);
    let alerts = named(&file("docs/alerts.yml"));
    assert!(alerts.len() > 5 && alerts.is_subset(&there), "{alerts:?}");
}
