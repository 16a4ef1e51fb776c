//! The shapes that other people's programs read, field by field.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::coin::{BookView, CoinView, HistoryView, Ledger, WorkerView};
use super::nomp;
use super::snapshot::{Kept, Snapshot};
use crate::config::{Config, OwnFiles, Website};
use crate::history::{Point, Sum};
use crate::ledger::Overview;
use crate::ledger::book::{State, Totals};
use crate::stratum::{Reject, Unit};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

mod away;
mod numbers;
mod speed;

const NAME: &str = "<script>alert(1)</script>\"\u{202e}";

pub(super) fn config() -> Config {
    let second = json!({"secs": 1, "nanos": 0});
    serde_json::from_value(json!({
        "dir": "/srv/pool", "data_dir": "/srv/pool/data",
        "logging": {"level": "debug", "colors": false, "file": null, "json": false},
        "forks": {"count": 2}, "bind": "127.0.0.1", "notify": [],
        "user": null, "group": null, "instance": 0, "fsync": false,
        "template_fallback": second, "shutdown_timeout": second,
        "pools": {"litecoin": {
            "coin": {"id": "litecoin", "name": "Litecoin", "symbol": "LTC",
                "algorithm": "scrypt", "addresses": {}, "magic": {}, "tx_messages": false,
                "has_get_info": false, "template_rules": ["mweb", "segwit"],
                "block_time": 150, "explorer": {}},
            "file": "litecoin.json", "address": "x", "recipients": [],
            "ports": {"3032": {"diff": 8.0, "var_diff": null}},
            "daemons": [{"host": "127.0.0.1", "port": 19332, "user": "u", "password": "hush"}],
            "store": "sqlite", "unit": -7, "block_refresh": second, "job_refresh": second,
            "stale_work": second, "connection_timeout": second, "validate_username": false,
            "banning": null, "proxy_protocol": false, "extranonce2_size": 4,
            "version_mask": 0, "tag": "/romp/", "daemon_timeout": second,
            "payments": null, "doctor": true, "long_poll": true, "p2p": null
        }}
    }))
    .unwrap()
}

/// A site's settings; seconds: between two looks, of history, and of the window of rates.
pub(super) fn settings([interval, retention, window]: [u64; 3]) -> Website {
    Website {
        address: "127.0.0.1:80".parse().unwrap(),
        title: "romp".to_owned(),
        stratum_host: None,
        interval: Duration::from_secs(interval),
        retention: Duration::from_secs(retention),
        window: Duration::from_secs(window),
        folder: None,
        own: OwnFiles::default(),
        tls: None,
        admin: None,
        metrics: None,
    }
}

pub(super) fn kept<T>(value: T) -> Kept<T> {
    Kept { value: Some(Arc::new(value)), at: 1_400_000_000_000, trouble: None }
}

/// One coin: 96 of scrypt difficulty within 300 s, as in NOMP's example.
pub(super) fn snapshot() -> Snapshot {
    let overview = Overview {
        unit: Some(Unit(0)),
        accepted: 12,
        rejected: [(Reject::Stale, 2)].into(),
        blocks_found: 5,
        ..Overview::default()
    };
    let worker = WorkerView {
        work: 96.0,
        shares: 12,
        rejected: 1,
        rate: 20_971.52,
        ..WorkerView::default()
    };
    let sum = Sum { weight: 96, shares: 12, rejected: 1, ..Sum::default() };
    let book = BookView {
        counts: [("found", 1), ("immature", 1), ("mature", 2), ("orphaned", 1)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        totals: Totals { paid: 1_250_000_000, ..Totals::default() },
        found: vec![(1_399_999_000_000, State::Mature), (1_399_999_950_000, State::Found)],
        ..BookView::default()
    };
    let history = HistoryView {
        workers: [(NAME.to_owned(), worker)].into(),
        points: vec![
            Point { at: 1_399_999_600, length: 300, sum, workers: 3, miners: Some(2) },
            Point { at: 1_399_999_900, length: 300, sum, workers: 3, miners: Some(2) },
        ],
        hashes: 65_536.0,
        ..HistoryView::default()
    };
    let coin = CoinView {
        ledger: kept(Ledger { overview, ..Ledger::default() }),
        book: kept(Some(book)),
        history: kept(Some(history)),
        ..CoinView::default()
    };
    let coins = [("litecoin".to_owned(), coin)].into();
    Snapshot { at: 1_400_000_000_000, coins, ..Snapshot::default() }
}

#[test]
fn stats_have_nomps_shape_and_right_numbers() {
    let text = nomp::stats(&snapshot(), &config());
    assert!(!text.contains('<') && !text.contains('\u{202e}'), "{text}");
    let wanted = json!({
        "time": 1_400_000_000,
        // NOMP: 0, never filled.
        "global": {"workers": 1, "hashrate": 20_971.52},
        "algos": {"scrypt": {"workers": 1, "hashrate": 20_971.52, "hashrateString": "20.97 KH"}},
        "pools": {"litecoin": {
            "name": "litecoin", "symbol": "LTC", "algorithm": "scrypt",
            "poolStats": {"validShares": "12", "validBlocks": "5", "invalidShares": "2",
                "totalPaid": "12.5"},
            // NOMP: the size of blocksKicked.
            "blocks": {"pending": 2, "confirmed": 2, "orphaned": 1},
            "workers": {NAME: {"shares": 96.0, "invalidshares": 1, "hashrateString": "20.97 KH"}},
            "hashrate": 20_971.52, "workerCount": 1, "hashrateString": "20.97 KH",
        }},
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), wanted);
}

#[test]
fn stats_of_a_new_pool_have_zeros_where_nomp_has() {
    let coins = [("litecoin".to_owned(), CoinView::default())].into();
    let new = Snapshot { at: 1000, coins, ..Snapshot::default() };
    let stats: Value = serde_json::from_str(&nomp::stats(&new, &config())).unwrap();
    let pool = &stats["pools"]["litecoin"];
    let zeros = json!({"validShares": 0, "validBlocks": 0, "invalidShares": 0, "totalPaid": 0});
    assert_eq!(pool["poolStats"], zeros);
    assert_eq!(pool["hashrateString"], json!("0.00 KH"));
    assert_eq!(pool["workers"], json!({}));
}

#[test]
fn pool_stats_go_from_old_to_new() {
    let stats: Value = serde_json::from_str(&nomp::pool_stats(&snapshot())).unwrap();
    let pool = |rate: f64, workers: u64, blocks: Value| json!({"litecoin": {"hashrate": rate, "workerCount": workers, "blocks": blocks}});
    let wanted = json!([
        // The block that was found 50 s before the end was not there yet.
        {"time": 1_399_999_900,
            "pools": pool(20_971.52, 3, json!({"pending": 1, "confirmed": 2, "orphaned": 1}))},
        {"time": 1_400_000_000,
            "pools": pool(20_971.52, 1, json!({"pending": 2, "confirmed": 2, "orphaned": 1}))},
    ]);
    assert_eq!(stats, wanted);
}

#[test]
fn what_is_away_keeps_its_last_numbers() {
    let mut kept = Kept::default();
    kept.take::<String>("it", Ok(7), 1000);
    kept.take("it", Err("gone"), 2000);
    assert_eq!(kept.value.as_deref(), Some(&7));
    assert_eq!((kept.at, kept.trouble.as_deref()), (1000, Some("gone")));
    let mut snapshot = snapshot();
    let at = snapshot.at;
    assert!(snapshot.missing(45_000, at + 45_000).is_empty());
    let all = ["the numbers are 45 s old", "the ledger of litecoin cannot be read (since 45 s)"];
    assert_eq!(snapshot.missing(45_000, at + 45_001), all);
    let ledger = &mut snapshot.coins.get_mut("litecoin").unwrap().ledger;
    ledger.at -= 45_001;
    assert_eq!(snapshot.missing(45_000, at), all[1..]);
    let ledger = &mut snapshot.coins.get_mut("litecoin").unwrap().ledger;
    ledger.at = 0;
    assert_eq!(snapshot.missing(45_000, at), ["the ledger of litecoin has not been read yet"]);
    assert_eq!(Snapshot::default().missing(45_000, at), ["no numbers yet"]);
}

#[test]
fn a_rounds_effort_is_counted_in_hashes() {
    let config = config();
    let pool = &config.pools["litecoin"];
    let round = [("a".to_owned(), 65_536.0), ("b".to_owned(), 32_768.0)].into();
    let coin =
        CoinView { ledger: kept(Ledger { round, ..Ledger::default() }), ..CoinView::default() };
    // A scrypt share of difficulty 1 is 2^16 hashes, the network's difficulty 1 is 2^32.
    assert_eq!(coin.effort(pool, 1.0), Some(150.0));
    assert_eq!(coin.effort(pool, 0.0), None);
}
