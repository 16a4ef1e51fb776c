//! What every signal does, seen from outside. HUP has its own file: `reload`.

use crate::harness::{Client, Pool, Romp, Stub, alone, free_port, seconds, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

fn start(forks: u16) -> (Stub, u16, Romp) {
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), stub.daemons());
    let romp = Romp::start(forks, &[&pool]);
    (stub, port, romp)
}

#[test]
fn term_stops_with_all_shares_booked() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let mut client = Client::login(port, crate::harness::ADDRESS).expect("login");
    for _ in 0..20 {
        assert!(client.mine().expect("an answer").0);
    }
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 20);
    assert_eq!(romp.command(&["status"]).status.code(), Some(3), "status of a stopped pool");
}

#[test]
fn int_and_quit_stop_fast() {
    let _alone = alone();
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let (_stub, port, mut romp) = start(2);
        let _client = Client::login(port, crate::harness::ADDRESS).expect("login");
        romp.stop(signal);
    }
}

#[test]
fn usr1_reopens_the_log_file() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("logFile", Some(json!("romp.log")));
    romp.run();
    romp.wait_ready(1);
    let (log, rotated) = (romp.path().join("romp.log"), romp.path().join("romp.log.1"));
    wait_until("the log file", seconds(30), || log.metadata().is_ok_and(|log| log.len() > 0));
    std::fs::rename(&log, &rotated).expect("rotate");
    romp.process().signal(Signal::SIGUSR1);
    wait_until("a new log file", seconds(30), || log.exists());
    // What happens from now on is written to the new file by the children too.
    let before = log.metadata().unwrap().len();
    stub.new_tip();
    wait_until("lines in the new log file", seconds(30), || {
        stub.new_tip();
        log.metadata().unwrap().len() > before
    });
}

#[test]
fn ttin_and_ttou_add_and_remove_a_worker() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let count = |romp: &Romp, wanted: usize| {
        wait_until(&format!("{wanted} workers"), seconds(20), || {
            romp.pids("worker").len() == wanted
        });
    };
    romp.process().signal(Signal::SIGTTIN);
    count(&romp, 3);
    romp.process().signal(Signal::SIGTTOU);
    count(&romp, 2);
    romp.process().signal(Signal::SIGTTOU);
    count(&romp, 1);
    Client::login(port, crate::harness::ADDRESS).expect("the last worker serves");
}

#[test]
fn a_storm_of_signals_costs_nothing() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let mut client = Client::login(port, crate::harness::ADDRESS).expect("login");
    for _ in 0..100 {
        for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGPIPE, Signal::SIGCHLD] {
            romp.process().signal(signal);
        }
    }
    for _ in 0..5 {
        assert!(client.mine().expect("an answer").0);
    }
    assert!(!romp.output().contains("has died"), "{}", romp.output());
    // Perhaps while the bookkeeper is being replaced: the last shares are booked all the same.
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 5);
}

#[test]
fn a_starting_master_keeps_signals_for_later() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let occupied = std::net::TcpListener::bind(("0.0.0.0", port)).expect("the port");
    romp.run();
    let lock = romp.path().join("data/romp.lock");
    wait_until("the lock", seconds(30), || {
        std::fs::read_to_string(&lock).is_ok_and(|pid| !pid.trim().is_empty())
    });
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGTTIN] {
        romp.process().signal(signal);
    }
    drop(occupied);
    // The reload, if it comes last, takes the second worker back.
    wait_until("the pool and the reload", seconds(40), || {
        assert_eq!(romp.process().ended(), None, "a signal has ended it");
        romp.status().is_some_and(|status| status["generation"] == json!(2))
    });
}
