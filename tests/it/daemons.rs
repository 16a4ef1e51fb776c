//! Daemons hang, fail and come back; found blocks outlive the pool that found them.

use crate::harness::{
    ADDRESS, Client, Mood, Pool, Romp, Stub, alone, free_port, is_alive, seconds, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A new tip at both daemons must reach the miner.
fn new_work_comes(client: &mut Client, daemons: &[&Stub]) {
    let before = client.job.as_ref().unwrap().previous.clone();
    for daemon in daemons {
        daemon.new_tip();
    }
    let start = Instant::now();
    while client.job.as_ref().unwrap().previous == before {
        assert!(start.elapsed() < seconds(30), "the new block's work never came");
        client.pump(Duration::from_millis(200)).expect("the miner stays connected");
    }
}

#[test]
fn a_daemon_that_hangs_or_fails_is_left_and_taken_back() {
    let _alone = alone();
    let (first, second) = (Stub::start(&["segwit"]), Stub::start(&["segwit"]));
    let both = |stub: &Stub| stub.daemons().as_array().cloned().unwrap_or_default();
    let daemons = Value::from([both(&first), both(&second)].concat());
    let port = free_port();
    let pool =
        Pool::new("bitcoin", port, json!({"diff": 1e-9}), daemons).with("daemonTimeout", json!(1));
    let _romp = Romp::start(1, &[&pool]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    new_work_comes(&mut client, &[&first, &second]);
    first.set_mood(Mood::Hangs);
    new_work_comes(&mut client, &[&first, &second]);
    first.set_mood(Mood::Well);
    second.set_mood(Mood::Fails);
    new_work_comes(&mut client, &[&first, &second]);
    assert!(client.mine().expect("an answer").0, "mining goes on");
}

#[test]
fn a_found_block_is_submitted_by_the_next_pool_when_the_first_could_not() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    stub.make_easy();
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), stub.daemons());
    let mut romp = Romp::start(1, &[&pool]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    stub.set_mood(Mood::HoldsBlocks);
    assert!(client.mine().expect("an answer").0);
    let vault = romp.path().join("data/vault/bitcoin");
    wait_until("the block on disk", seconds(30), || {
        std::fs::read_dir(&vault).is_ok_and(|files| files.flatten().count() > 0)
    });
    let children = romp.children();
    romp.process().signal(Signal::SIGKILL);
    romp.process().wait("the master's end", seconds(30));
    wait_until("the children's end", seconds(20), || !children.iter().any(|&pid| is_alive(pid)));
    assert!(stub.submitted().is_empty(), "the stub held it");
    stub.set_mood(Mood::Well);
    romp.run();
    wait_until("the block to be submitted", seconds(30), || !stub.submitted().is_empty());
    romp.wait_ready(1);
    wait_until("the share in the ledger", seconds(20), || romp.shares("bitcoin").0 == 1);
}

/// F41, NOMP M7, M8: what the ledger says of a block, for pairs of answers to it.
#[test]
fn the_ledger_has_each_block_as_both_daemons_answers_say() {
    let _alone = alone();
    let (first, second) = (Stub::start(&["segwit"]), Stub::start(&["segwit"]));
    let both = |stub: &Stub| stub.daemons().as_array().cloned().unwrap_or_default();
    let daemons = Value::from([both(&first), both(&second)].concat());
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), daemons);
    first.make_easy();
    second.make_easy();
    let romp = Romp::start(1, &[&pool]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    let word = |word: &str| Ok(json!(word));
    let refusal = || Err((-25, "it is not good".to_owned()));
    let queue = || Err((-32601, "Method not found".to_owned()));
    let pairs = [
        (Ok(Value::Null), word("high-hash"), "accepted"),
        (word("bad-txnmrklroot"), word("duplicate"), "accepted"),
        (refusal(), Ok(Value::Null), "accepted"),
        (queue(), word("duplicate"), "accepted"),
        (word("duplicate-invalid"), refusal(), "rejected"),
        (word("inconclusive"), word("bad-cb-amount"), "unknown"),
    ];
    for (number, (one, other, verdict)) in pairs.into_iter().enumerate() {
        let told = format!("{one:?} and {other:?}");
        first.judge_blocks(one);
        second.judge_blocks(other);
        new_work_comes(&mut client, &[&first, &second]);
        let height = json!(102 + number);
        let states = || -> Vec<Value> {
            let blocks = romp.json(&["blocks", "bitcoin", "--json"]).unwrap_or_default();
            let blocks = blocks.as_array().cloned().unwrap_or_default();
            let ours = blocks.into_iter().filter(|block| block["height"] == height);
            ours.map(|block| block["state"].clone()).collect()
        };
        // Every second hash is a block here.
        wait_until("a block", seconds(60), || {
            client.mine().expect("an answer");
            !states().is_empty()
        });
        wait_until(&format!("{verdict} for {told}"), seconds(30), || {
            states().iter().all(|state| *state == json!(verdict))
        });
    }
}

#[test]
fn a_syncing_daemon_is_shown_and_the_pool_begins_when_it_is_done() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    stub.set_syncing(true);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.run();
    wait_until("status to show the sync", seconds(20), || {
        let status = romp.status().unwrap_or_default();
        let coin = &status["coins"]["bitcoin"];
        coin["state"] == json!("syncing") && coin["detail"]["headers"] == json!(600)
    });
    stub.set_syncing(false);
    romp.wait_ready(1);
    assert!(Client::login(port, ADDRESS).expect("login").mine().expect("an answer").0);
}

#[test]
fn miners_get_no_stale_work_for_long() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), stub.daemons())
        .with("daemonTimeout", json!(1))
        .with("jobRebroadcastTimeout", json!(1))
        .with("staleWorkTimeout", json!(3));
    let mut romp = Romp::start(1, &[&pool]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    stub.set_mood(Mood::Fails);
    wait_until("the miner to be sent away", seconds(60), || {
        client.pump(Duration::from_millis(200)).is_err()
    });
    stub.set_mood(Mood::Well);
    romp.wait_ready(1);
    wait_until("the pool to serve again", seconds(20), || Client::login(port, ADDRESS).is_ok());
}
