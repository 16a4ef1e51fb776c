//! Newcomers are shared out fairly, and a stopped worker keeps none of them waiting; those
//! who leave do not fill the log.

use crate::harness::{Client, Pool, Romp, Stub, alone, free_port, kill, seconds, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

const WORKERS: u16 = 4;
const NEWCOMERS: usize = 400;

#[test]
fn a_stopped_worker_leaves_no_newcomer_hanging_and_the_others_share_them() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1}), stub.daemons());
    let romp = Romp::start(WORKERS, &[&pool]);
    let stopped = romp.pids("worker")[0];
    kill(stopped, Signal::SIGSTOP);
    // All of them connect before anybody is answered.
    let mut clients: Vec<Client> =
        (0..NEWCOMERS).map(|_| Client::connect(port).expect("the port takes everybody")).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        if let Err(error) = client.subscribe() {
            panic!("newcomer {index} of {NEWCOMERS} was left hanging: {error}");
        }
    }
    let mut seen = Vec::new();
    wait_until("the board to show all miners", seconds(30), || {
        seen = romp.miners();
        seen.retain(|(pid, _)| *pid != stopped);
        seen.iter().map(|(_, miners)| miners).sum::<u64>() >= NEWCOMERS as u64
    });
    kill(stopped, Signal::SIGCONT);
    let most = seen.iter().map(|(_, miners)| *miners).max().unwrap();
    let mean = NEWCOMERS as f64 / f64::from(WORKERS - 1);
    assert!(most as f64 <= 1.25 * mean, "the fullest has {most}, the mean is {mean}: {seen:?}");
    // All leave at once: that must not be as many lines in the log.
    drop(clients);
    wait_until("the log to count who left", seconds(30), || {
        romp.output().contains(" more left within a second")
    });
}
