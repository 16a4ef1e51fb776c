//! The master is killed -9: nothing of it stays, and a new one takes the ports at once.

use crate::harness::{
    Client, Pool, Romp, Stub, alone, free_port, is_alive, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;

#[test]
fn children_of_a_killed_master_end_and_a_new_one_takes_over() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-9}), stub.daemons());
    let mut romp = Romp::start(3, &[&pool]);
    let mut client = Client::login(port, crate::harness::ADDRESS).expect("login");
    let mut told = 0;
    for _ in 0..50 {
        told += u64::from(client.mine().expect("an answer").0);
    }
    let orphans = romp.children();
    assert_eq!(orphans.len(), 5, "three workers, templates, bookkeeper");
    romp.process().signal(Signal::SIGKILL);
    romp.process().wait("the master's end", seconds(30));
    // At once: the old children may still be about to notice.
    romp.run();
    wait_for("the new master to serve", seconds(20), || {
        Client::login(port, crate::harness::ADDRESS).ok()
    });
    wait_until("the orphans to end by themselves", seconds(20), || {
        !orphans.iter().any(|&pid| is_alive(pid))
    });
    romp.wait_ready(3);
    wait_until("the ledger to have what miners were told", seconds(20), || {
        romp.shares("bitcoin").0 == told
    });
}

#[test]
fn a_second_server_in_the_same_folder_refuses_to_start() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons());
    let mut romp = Romp::start(1, &[&pool]);
    let dir = romp.path().display().to_string();
    let output = romp.path().join("second");
    let mut second =
        crate::harness::Process::start(crate::harness::BINARY, &["-C", &dir, "run"], &output);
    let status = second.wait("the second server to give up", seconds(30));
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(!second.printed().is_empty(), "it gives up without a word");
    assert!(romp.process().ended().is_none(), "the first one runs on");
    romp.wait_ready(1);
}
