//! kill -9 of every kind of child under load: the port never refuses, the slot is refilled, and
//! the ledger equals what miners were told.

use crate::harness::{
    Connector, Load, Pool, Redis, Romp, Stub, alone, free_port, seconds, wait_until,
};
use serde_json::{Value, json};

/// sha256d difficulty at which about four hashes make a share.
const EASY: f64 = 1e-9;
const MINERS: usize = 8;

fn killed_under_load(role: &str, store: Option<&Redis>) {
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let mut pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    if let Some(redis) = store {
        pool = pool.with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    }
    let romp = Romp::start(2, &[&pool]);
    let connector = Connector::start(port);
    let load = Load::start(port, MINERS);
    let more = |count: u64| {
        let goal = load.accepted() + count;
        wait_until("the load to go on", seconds(40), || load.accepted() >= goal);
    };
    more(400);
    // Twice, and the second time with a new tip right before it.
    romp.kill_child(role);
    more(400);
    stub.new_tip();
    romp.kill_child(role);
    more(400);
    let (tries, refusals) = connector.finish();
    let counts = load.finish();
    assert_eq!(refusals, 0, "the port refused {refusals} of {tries} newcomers");
    assert!(tries > 50, "only {tries} newcomers");

    let told = counts.accepted_sum();
    let mut last = Default::default();
    wait_until("the ledger to have every share", seconds(30), || {
        last = romp.shares("bitcoin");
        last.0 >= told
    });
    // Only a killed worker may have taken a share whose answer no miner read.
    let spare = if role == "worker" { counts.unanswered } else { 0 };
    assert_eq!(counts.disconnects, 0, "killing {role} cut off miners");
    if role != "worker" {
        assert_eq!(counts.unanswered, 0, "killing {role} left shares unanswered");
        // Late for the new tip, nothing else.
        assert!(counts.rejected.iter().all(|it| it.contains("[21,")), "{:?}", counts.rejected);
    }
    let settled = settle(&romp);
    assert!(
        (told..=told + spare).contains(&settled.0),
        "miners were told of {told} shares (and {spare} answers were lost), the ledger has {}",
        settled.0
    );
    // No block was found, so the round holds every share that was ever accepted, by name.
    let booked =
        |name: &str| settled.2.get(name).and_then(Value::as_f64).unwrap_or_default() / EASY;
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    for (name, &accepted) in &counts.accepted {
        let (booked, accepted) = (booked(name), accepted as f64);
        // Difficulties are whole ledger units: at most 0.1 % beside what was asked for.
        let low = accepted * 0.998 - 0.5;
        let high = (accepted + spare as f64) * 1.002 + 0.5;
        assert!((low..=high).contains(&booked), "{name}: told {accepted}, booked {booked}");
    }
}

/// The ledger when two looks at it, with all records of the journals in between, are the same.
fn settle(romp: &Romp) -> (u64, u64, serde_json::Map<String, Value>) {
    // A graceful stop books everything; `romp shares` reads the ledger of a stopped pool too.
    let mut last = romp.shares("bitcoin");
    let mut same = 0;
    wait_until("the ledger to come to rest", seconds(30), || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = romp.shares("bitcoin");
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same >= 10
    });
    last
}

#[test]
fn killed_children_cost_no_share_on_sqlite() {
    let _alone = alone();
    for role in ["worker", "templates", "bookkeeper"] {
        killed_under_load(role, None);
    }
}

#[test]
fn killed_children_cost_no_share_on_redis() {
    let _alone = alone();
    for role in ["worker", "templates", "bookkeeper"] {
        let redis = Redis::start();
        killed_under_load(role, Some(&redis));
    }
}

#[test]
fn a_stopped_pool_starts_again_with_every_share() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::start(2, &[&pool]);
    let load = Load::start(port, MINERS);
    wait_until("some shares", seconds(40), || load.accepted() >= 500);
    let told = load.finish().accepted_sum();
    assert_eq!(romp.stop(nix::sys::signal::Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, told, "a graceful stop leaves shares unbooked");
    romp.run();
    romp.wait_ready(2);
    assert_eq!(settle(&romp).0, told, "a new start books shares again");
}

#[test]
fn a_dead_redis_is_not_noticed_and_costs_no_share() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let mut redis = Redis::start();
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons())
        .with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    let romp = Romp::start(2, &[&pool]);
    let load = Load::start(port, MINERS);
    let more = |count: u64| {
        let goal = load.accepted() + count;
        wait_until("the load to go on", seconds(40), || load.accepted() >= goal);
    };
    more(300);
    redis.kill();
    more(300);
    redis.run();
    more(300);
    let counts = load.finish();
    assert_eq!((counts.unanswered, counts.rejected), (0, Vec::new()), "miners noticed");
    let told: u64 = counts.accepted.values().sum();
    wait_until("the ledger to have every share", seconds(60), || romp.shares("bitcoin").0 >= told);
    assert_eq!(settle(&romp).0, told);
}
