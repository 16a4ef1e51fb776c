//! History holds what the ledger does, by worker and of the pool, whatever is killed, stopped,
//! damaged or deleted.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, kill, seconds, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const EASY: f64 = 1e-9;

/// Work in difficulty, accepted and refused shares.
type Sum = (f64, u64, u64);

fn sum(points: &Value) -> Sum {
    let points = points.as_array().expect("points");
    let number = |field: &str| points.iter().filter_map(|it| it[field].as_u64()).sum();
    let work = points.iter().filter_map(|point| point["work"].as_f64()).sum();
    (work, number("shares"), number("rejected"))
}

fn of_pool(romp: &Romp) -> Sum {
    sum(&romp.json(&["history", "bitcoin", "--json"]).expect("a history")["points"])
}

fn of_workers(romp: &Romp, hours: &str) -> BTreeMap<String, Sum> {
    let command = ["history", "bitcoin", ADDRESS, "--hours", hours, "--json"];
    let history = romp.json(&command).expect("a history");
    let workers = history["workers"].as_object().expect("workers");
    workers.iter().map(|(name, points)| (name.clone(), sum(points))).collect()
}

/// Floats that were summed up in another order.
fn alike(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs()
}

/// Waits until history holds `accepted` and `refused` shares; then it agrees with the ledger.
fn agrees(romp: &Romp, told: &BTreeMap<String, (u64, u64)>) {
    let (accepted, refused) = told.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    wait_until("all shares in ledger and history", seconds(30), || {
        let (_, shares, rejected) = of_pool(romp);
        (shares, rejected) >= (accepted, refused) && romp.shares("bitcoin").0 >= accepted
    });
    let ledger = romp.shares("bitcoin");
    assert_eq!((ledger.0, ledger.1), (accepted, refused));
    let all = of_pool(romp);
    assert_eq!((all.1, all.2), (accepted, refused));
    // By minutes, ten minutes, hours and days.
    for hours in ["1", "12", "24", "700"] {
        let workers = of_workers(romp, hours);
        let counts = |(name, sum): (&String, &Sum)| (name.clone(), (sum.1, sum.2));
        assert_eq!(&workers.iter().map(counts).collect::<BTreeMap<_, _>>(), told);
        for (name, (work, ..)) in &workers {
            let booked = ledger.2[name].as_f64().expect("work");
            assert!(alike(*work, booked), "{name}: {work} in history, {booked} in the ledger");
        }
        assert!(alike(workers.values().map(|sum| sum.0).sum(), all.0));
    }
}

/// Both miners mine, and send a share again.
fn work(miners: &mut [Client], told: &mut BTreeMap<String, (u64, u64)>) {
    for (index, miner) in miners.iter_mut().enumerate() {
        let sums = told.entry(miner.user.clone()).or_default();
        for _ in 0..=index {
            assert!(miner.mine().expect("an answer").0);
            sums.0 += 1;
        }
        let share = miner.share();
        for accepted in [true, false] {
            let answer = miner.request("mining.submit", &share).expect("an answer");
            assert_eq!(answer["result"] == json!(true), accepted, "{answer}");
        }
        sums.0 += 1;
        sums.1 += 1;
    }
}

#[test]
fn history_is_the_ledger_over_time_whatever_is_killed() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::start(1, &[&pool]);
    let none = romp.command(&["history", "bitcoin"]);
    assert!(String::from_utf8_lossy(&none.stdout).contains("no work in this time"));
    let login = |name: &str| Client::login(port, &format!("{ADDRESS}.{name}")).expect("login");
    let mut miners = [login("one"), login("two")];
    let mut told = BTreeMap::new();
    for _ in 0..4 {
        work(&mut miners, &mut told);
        let victim = romp.pids("bookkeeper")[0];
        kill(victim, Signal::SIGKILL);
        work(&mut miners, &mut told);
        wait_until("another bookkeeper", seconds(20), || {
            let now = romp.pids("bookkeeper");
            now.len() == 1 && now[0] != victim
        });
    }
    agrees(&romp, &told);
    // Deleted while it is written: made anew from the journals.
    let file = romp.path().join("data/history/bitcoin.sqlite");
    std::fs::remove_file(&file).expect("the history");
    work(&mut miners, &mut told);
    agrees(&romp, &told);
    // A stop leaves nothing behind.
    work(&mut miners, &mut told);
    drop(miners);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    agrees(&romp, &told);
    let table = romp.command(&["history", "bitcoin", ADDRESS]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("refused") && table.contains(&format!("{ADDRESS}.two")), "{table}");
    // Damaged: said once, and nothing else minds.
    for beside in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", file.display()));
    }
    std::fs::write(&file, [7; 8192]).expect("damage");
    romp.run();
    romp.wait_ready(1);
    let mut miners = [login("one"), login("two")];
    work(&mut miners, &mut told);
    let accepted: u64 = told.values().map(|sums| sums.0).sum();
    wait_until("the ledger to go on", seconds(30), || romp.shares("bitcoin").0 == accepted);
    let waits =
        |romp: &Romp| romp.status().unwrap_or_default()["coins"]["bitcoin"]["waits"].clone();
    wait_until("the trouble to be told", seconds(30), || waits(&romp)["history"].is_string());
    assert_eq!(romp.command(&["history", "bitcoin"]).status.code(), Some(1));
    std::fs::remove_file(&file).expect("the history");
    agrees(&romp, &told);
    wait_until("the trouble to be over", seconds(30), || waits(&romp) == json!({}));
    assert_eq!(romp.output().matches("the file is damaged").count(), 1, "said more than once");
}
