//! The doctor, at will and before the start, against real daemons and against none.

use crate::harness::{Mood, Pair, Pool, Romp, Stub, alone, free_port, kill, seconds, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;

/// Main-network address of Litecoin (pay to the all-zero public key hash).
const MAIN_ADDRESS: &str = "LKDxGDJq5fF4FohAB8zJH24mDDNHDNtqsE";

/// Runs the server, which must not come to its ports; what it said.
fn refused(romp: &mut Romp) -> String {
    romp.run();
    let status = romp.process().wait("romp to refuse the start", seconds(60));
    assert_eq!(status.code(), Some(78), "{}", romp.output());
    let said = romp.output();
    assert!(!said.contains("cannot listen"), "it came to its ports: {said}");
    assert!(said.contains("nothing started"), "{said}");
    said
}

fn findings(romp: &Romp) -> Vec<Value> {
    let output = romp.command(&["doctor", "--json"]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn contradictions_stop_the_start_before_any_port_is_bound() {
    let _alone = alone();
    let pair = Pair::start(None);
    pair.mine_to(30);
    let wallet = pair.wallet.clone();
    // Held: whoever tries to listen here fails with other words and another exit code.
    let port = free_port();
    let _held = TcpListener::bind(("0.0.0.0", port)).expect("the stratum port");
    let pool = |address: &str| {
        Pool::new("litecoin", port, json!({"diff": 1e-6}), pair.daemons())
            .with("address", json!(address))
            .with("paymentProcessing", json!({"enabled": true}))
    };
    let good = pool(&wallet);
    let mut romp = Romp::prepare(1, &[&good]);

    let output = romp.command(&["doctor"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let found = findings(&romp);
    for check in ["rpc", "sync", "peers", "address", "wallet", "algorithm", "template", "block"] {
        let mut of = found.iter().filter(|finding| finding["check"] == json!(check));
        let first = of.next().unwrap_or_else(|| panic!("no {check}: {told}"));
        assert_eq!(first["verdict"], json!("ok"), "{told}");
    }
    assert_eq!(romp.command(&["doctor", "nocoin"]).status.code(), Some(2));

    pool(MAIN_ADDRESS).write(romp.path());
    let said = refused(&mut romp);
    let part = "is no address of the `regtest` network";
    assert!(said.contains(part) && said.contains("Litecoin's main network"), "{said}");
    assert!(said.contains("pool_configs/litecoin.json:"), "{said}");

    let mut daemons = pair.daemons();
    for daemon in daemons.as_array_mut().expect("daemons") {
        daemon["password"] = json!("wrong");
    }
    good.write(romp.path());
    pool(&wallet).with("daemons", daemons).write(romp.path());
    let said = refused(&mut romp);
    assert!(said.contains("refuses user name and password (HTTP 401)"), "{said}");

    good.write(romp.path());
    let file = romp.path().join("coins/litecoin.json");
    let coin = std::fs::read_to_string(&file).expect("the coin file");
    let with = |from: &str, to: &str| {
        assert!(coin.contains(from), "{from}");
        std::fs::write(&file, coin.replace(from, to)).expect("the coin file");
    };
    with("\"scrypt\"", "\"sha256\"");
    let said = refused(&mut romp);
    assert!(said.contains("coins/litecoin.json:4:18: the coin file of litecoin says `sha256`"));
    assert!(said.contains("does not meet its target with it; with `scrypt`"), "{said}");

    with("\"mweb\", \"segwit\"", "\"segwit\"");
    assert!(refused(&mut romp).contains("gives no template under the rules"));

    // The daemon itself judges a block that romp would build.
    with("\"symbol\"", "\"txMessages\": true, \"symbol\"");
    assert!(refused(&mut romp).contains("bad-txnmrklroot"));
    let output = romp.command(&["doctor", "litecoin"]);
    assert_eq!(output.status.code(), Some(78));

    // Left out, the ports are next.
    pool(&wallet).with("doctor", json!(false)).write(romp.path());
    romp.run();
    let status = romp.process().wait("romp to find its port taken", seconds(30));
    assert_eq!(status.code(), Some(1), "{}", romp.output());
    assert!(romp.output().contains("cannot listen"));
}

#[test]
fn a_daemon_that_is_away_does_not_keep_the_pool_from_starting() {
    let _alone = alone();
    let nobody = json!([{"host": "127.0.0.1", "port": free_port(), "user": "u", "password": "p"}]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1e-9}), nobody);
    let mut romp = Romp::prepare(1, &[&pool]);
    assert_eq!(romp.command(&["doctor"]).status.code(), Some(1), "nobody to examine");
    romp.run();
    wait_until("romp to serve", seconds(30), || romp.pids("worker").len() == 1);
    assert!(romp.output().contains("not examined, it will be when it answers"));
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

#[test]
fn a_reload_while_the_daemons_are_examined_ends_nothing() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1e-9}), stub.daemons())
        .with("daemonTimeout", json!(2));
    let mut romp = Romp::prepare(1, &[&pool]);
    stub.set_mood(Mood::Hangs);
    romp.run();
    wait_until("the start", seconds(30), || romp.output().contains("starts, pid"));
    romp.process().signal(Signal::SIGHUP);
    stub.set_mood(Mood::Well);
    romp.wait_ready(1);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

#[test]
fn status_does_not_call_fresh_what_nobody_looks_after() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1e-9}), stub.daemons());
    let romp = Romp::start(1, &[&pool]);
    let state = || romp.status().unwrap_or_default()["coins"]["bitcoin"]["state"].clone();
    let templates = romp.pids("templates")[0];
    kill(templates, Signal::SIGSTOP);
    wait_until("status to tell", seconds(20), || state() == json!("unattended"));
    kill(templates, Signal::SIGCONT);
    wait_until("status to be fresh again", seconds(20), || state() == json!("fresh"));
}
