//! Secrets are in the operator's files and nowhere else.

use crate::harness::{
    ADDRESS, Client, NOTIFY_PASSWORD, Pool, Redis, Romp, Stub, alone, free_port, kill, seconds,
    wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;

const DAEMON_PASSWORD: &str = "daemon-password-in-a-file";

#[test]
fn no_secret_in_log_status_or_arguments() {
    let _alone = alone();
    let (stub, redis) = (Stub::start(&["segwit"]), Redis::start());
    let port = free_port();
    let mut daemons = stub.daemons();
    daemons[0]["password"] = json!({"file": "rpc-password"});
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), daemons)
        .with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    let mut romp = Romp::prepare(1, &[&pool]);
    std::fs::write(romp.path().join("rpc-password"), format!("{DAEMON_PASSWORD}\n")).unwrap();
    romp.run();
    romp.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    // A miner's password, too, is his own.
    client.request("mining.authorize", &json!([ADDRESS, "miner-password"])).expect("an answer");
    // Errors are what leaks: a daemon that fails, a wrong notice, a reload.
    stub.set_mood(crate::harness::Mood::Fails);
    wait_until("the failing daemon to be logged", seconds(20), || {
        romp.output().contains(&stub.port.to_string())
    });
    kill(romp.process().pid(), Signal::SIGHUP);
    let notify = format!("127.0.0.1:{}", romp.notify_port);
    crate::harness::romp(&["blocknotify", &notify, "guess-password", "bitcoin", "00"]);
    let mut told = romp.output();
    for args in [&["status"][..], &["status", "--json"], &["check"], &["shares", "bitcoin"]] {
        let output = romp.command(args);
        told.push_str(&String::from_utf8_lossy(&output.stdout));
        told.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let mut all = romp.children();
    all.push(romp.process().pid());
    for pid in all {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        told.push_str(&String::from_utf8_lossy(&arguments));
    }
    for secret in [DAEMON_PASSWORD, NOTIFY_PASSWORD, "miner-password", "guess-password"] {
        assert!(!told.contains(secret), "`{secret}` was told:\n{told}");
    }
}

/// A secret that only the pool's environment has hides nothing from an operator's shell.
#[test]
fn who_only_asks_needs_no_secret() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let mut daemons = stub.daemons();
    daemons[0]["password"] = json!({"env": "ROMP_TEST_UNSET"});
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), daemons);
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("dataDir", Some(json!("elsewhere")));
    // The pool has it, whoever asks has not.
    romp.run_by("env", &["ROMP_TEST_UNSET=x"]);
    wait_until("a worker", seconds(40), || romp.pids("worker").len() == 1);
    wait_until("a login", seconds(40), || Client::login(port, ADDRESS).is_ok());
    for args in [
        &["status"][..],
        &["bans"],
        &["bans", "add", "192.0.2.1"],
        &["shares", "bitcoin"],
        &["blocks", "bitcoin"],
        &["history", "bitcoin"],
    ] {
        let output = romp.command(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{args:?}: {said}");
    }
    assert!(romp.status().unwrap()["coins"]["bitcoin"]["ledger"]["accepted"].is_u64());
    for args in [&["check"][..], &["doctor"], &["audit", "bitcoin"]] {
        let output = romp.command(args);
        let all = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&all);
        assert_eq!(output.status.code(), Some(78), "{args:?}: {said}");
        assert!(said.contains("the environment variable is not set"), "{args:?}: {said}");
    }
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
