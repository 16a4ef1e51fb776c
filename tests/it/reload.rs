//! HUP: a new generation of workers begins with a good configuration and takes the miners over; a
//! broken one changes nothing.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::net::TcpStream;

const EASY: f64 = 1e-9;

#[test]
fn a_reload_keeps_miners_and_opens_and_closes_ports() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stays, goes, comes) = (free_port(), free_port(), free_port());
    let ports =
        |a: u16, b: u16| json!({a.to_string(): {"diff": EASY}, b.to_string(): {"diff": EASY}});
    let pool = Pool::new("bitcoin", stays, json!({"diff": EASY}), stub.daemons());
    let pool = pool.with("ports", ports(stays, goes));
    let mut romp = Romp::start(2, &[&pool]);
    let workers = romp.pids("worker");
    let mut client = Client::login(stays, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    assert!(TcpStream::connect(("127.0.0.1", goes)).is_ok());

    let pool = pool.with("ports", ports(stays, comes));
    pool.write(romp.path());
    romp.process().signal(Signal::SIGHUP);
    wait_for("the new port to serve", seconds(20), || Client::login(comes, ADDRESS).ok());
    wait_until("the removed port to close", seconds(20), || {
        TcpStream::connect(("127.0.0.1", goes)).is_err()
    });
    romp.wait_ready(2);
    for _ in 0..10 {
        assert!(client.mine().expect("the miner stays connected").0);
    }
    wait_until("the old workers to leave", seconds(20), || {
        romp.pids("worker").iter().all(|pid| !workers.contains(pid))
    });
    romp.wait_ready(2);
    let workers = romp.pids("worker");

    // A broken file changes nothing and says why.
    let file = romp.path().join("pool_configs/bitcoin.json");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"daemons\"", "\"demons\"")).unwrap();
    let said = romp.output().len();
    romp.process().signal(Signal::SIGHUP);
    wait_until("the log to name the wrong key", seconds(30), || {
        romp.output()[said..].contains("demons")
    });
    assert!(client.mine().expect("the miner stays connected").0);
    Client::login(comes, ADDRESS).expect("newcomers are served");
    assert_eq!(romp.pids("worker"), workers);

    // And the next good one is taken again.
    std::fs::write(&file, good).unwrap();
    let pool = pool.with("ports", ports(stays, goes));
    pool.write(romp.path());
    romp.process().signal(Signal::SIGHUP);
    wait_for("the old port to be back", seconds(20), || Client::login(goes, ADDRESS).ok());
    assert!(client.mine().expect("the miner stays connected").0);
}

#[test]
fn a_new_coin_joins_without_a_restart() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::start(2, &[&pool]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    let (other_stub, other_port) = (Stub::start(&["mweb", "segwit"]), free_port());
    let other = Pool::new("litecoin", other_port, json!({"diff": 1}), other_stub.daemons());
    other.write(romp.path());
    romp.process().signal(Signal::SIGHUP);
    wait_for("the new coin to be served", seconds(30), || Client::login(other_port, ADDRESS).ok());
    assert!(client.mine().expect("the miner stays connected").0);
}
