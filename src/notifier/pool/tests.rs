//! What a status brings about.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use serde_json::json;

const AFTER: u64 = 30_000;

fn status(fresh: bool, deaths: u64) -> Value {
    json!({
        "pid": 7,
        "children": [{"role": "worker", "slot": 0, "deaths": deaths, "restarts": deaths + 9}],
        "coins": {"litecoin": {
            "state": if fresh { "fresh" } else { "stale" },
            "daemons": [
                {"address": "127.0.0.1:1", "fresh": true},
                {"address": "127.0.0.1:2", "fresh": fresh, "problem": "refused\r\n\u{202e}"},
            ],
            "waits": {},
        }},
    })
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.name()).collect()
}

#[test]
fn a_daemon_that_stays_away_is_told_once_and_its_return_too() {
    let mut known = Known::default();
    assert_eq!(known.look(&status(true, 0), 1_000_000, AFTER), []);
    let mut told = Vec::new();
    for second in (0..120).step_by(5) {
        let now = 2_000_000 + second * 1000;
        // As after a restart: what was known is on disk.
        known = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
        told.extend(known.look(&status(second >= 60, 0), now, AFTER));
    }
    assert_eq!(kinds(&told), ["daemon-down", "pool-down", "daemon-up", "pool-up"]);
    assert_eq!(told[0].data["daemon"], json!("127.0.0.1:2"));
    assert_eq!(told[0].data["since"], json!(2000));
    assert!(told[0].text.ends_with("refused\\u{d}\\u{a}\\u{202e}"), "{}", told[0].text);
    let ids: BTreeSet<&str> = told.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(known.daemons.len() + known.pools.len(), 0);
}

#[test]
fn a_daemon_that_nobody_looks_after_is_neither_up_nor_down() {
    let mut known = Known::default();
    let mut away = status(false, 0);
    away["coins"]["litecoin"]["state"] = json!("unattended");
    for second in 0..100 {
        assert_eq!(known.look(&away, second * 1000, AFTER), []);
    }
}

#[test]
fn deaths_are_gathered_for_a_minute_and_the_past_is_not_told() {
    let mut known = Known::default();
    assert_eq!(known.look(&status(true, 5), 1_000_000, AFTER), []);
    let first = known.look(&status(true, 6), 1_005_000, AFTER);
    assert_eq!(kinds(&first), ["process-died"]);
    assert_eq!(first[0].data["processes"], json!({"worker": 1}));
    assert_eq!(known.look(&status(true, 8), 1_010_000, AFTER), []);
    assert_eq!(known.look(&status(true, 9), 1_060_000, AFTER), []);
    let more = known.look(&status(true, 9), 1_065_000, AFTER);
    assert_eq!(more[0].data["processes"], json!({"worker": 3}));
    // A restart of the pool is none, and what has died since is.
    let mut other = status(true, 1);
    other["pid"] = json!(8);
    assert_eq!(kinds(&known.look(&other, 1_200_000, AFTER)), ["process-died"]);
    assert_eq!(known.look(&other, 1_300_000, AFTER), []);
}

#[test]
fn payments_that_wait_are_told_after_a_minute() {
    let mut known = Known::default();
    let mut waits = status(true, 0);
    waits["coins"]["litecoin"]["waits"] = json!({"payments": "the wallet is locked"});
    assert_eq!(known.look(&waits, 0, AFTER), []);
    assert_eq!(known.look(&waits, 59_000, AFTER), []);
    let told = known.look(&waits, 60_000, AFTER);
    assert_eq!(kinds(&told), ["payout-held"]);
    assert_eq!(told[0].data["reason"], json!("the wallet is locked"));
}

#[test]
fn no_status_panics() {
    let mut known = Known::default();
    for odd in [json!(null), json!([]), json!({"coins": 1}), json!({"children": [1, {}]})] {
        known.look(&odd, 0, AFTER);
    }
    let odd = json!({"pid": "x", "coins": {"": {"daemons": [null, {"address": 7}], "waits": []}}});
    known.look(&odd, u64::MAX, 0);
}
