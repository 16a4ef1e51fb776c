//! A block notice from litecoind's own `-blocknotify=` brings the new job to every miner at once.

use crate::harness::{
    BINARY, Client, NOTIFY_PASSWORD, Pair, Pool, Romp, alone, free_port, romp, seconds, wait_until,
};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn litecoinds_notice_beats_the_poll_at_every_worker() {
    let _alone = alone();
    let notify_port = free_port();
    let command =
        format!("{BINARY} blocknotify 127.0.0.1:{notify_port} {NOTIFY_PASSWORD} litecoin %s");
    let pair = Pair::start(Some(&command));
    pair.mine_to(110);
    let port = free_port();
    // A poll once a minute cannot be what brings the job within seconds.
    let pool = Pool::new("litecoin", port, json!({"diff": 1}), pair.daemons())
        .with("address", json!(pair.wallet))
        .with("blockRefreshInterval", json!(60_000));
    let mut server = Romp::prepare(3, &[&pool]);
    server.set(
        "blockNotifyListener",
        Some(json!({"enabled": true, "port": notify_port, "password": NOTIFY_PASSWORD})),
    );
    server.run();
    server.wait_ready(3);
    let mut clients: Vec<Client> =
        (0..12).map(|_| Client::login(port, &pair.wallet).expect("login")).collect();
    wait_until("miners at every worker", seconds(30), || {
        server.miners().iter().all(|(_, miners)| *miners > 0)
    });
    for _ in 0..3 {
        let before: Vec<String> =
            clients.iter().map(|client| client.job.as_ref().unwrap().previous.clone()).collect();
        pair.first.must("generatetoaddress", json!([1, pair.wallet]));
        let start = Instant::now();
        for (client, before) in clients.iter_mut().zip(&before) {
            while &client.job.as_ref().unwrap().previous == before {
                assert!(start.elapsed() < seconds(30), "a miner still has the old block's work");
                client.pump(Duration::from_millis(200)).expect("the connection stays");
            }
            assert!(client.job.as_ref().unwrap().clean, "a new block's first job is clean");
        }
    }
}

#[test]
fn the_command_ends_at_once_with_a_telling_exit_code() {
    let _alone = alone();
    let hash = "00".repeat(32);
    let nobody = format!("127.0.0.1:{}", free_port());
    let start = Instant::now();
    let output = romp(&["blocknotify", &nobody, "x", "litecoin", &hash]);
    assert_eq!(output.status.code(), Some(3), "exit code while the pool is down: {output:?}");
    assert!(start.elapsed() < seconds(10), "a daemon waits for its blocknotify command");
    assert_eq!(romp(&["blocknotify", "no-port", "x", "y"]).status.code(), Some(2));
}

#[test]
fn a_wrong_password_is_refused_and_a_right_one_taken() {
    let _alone = alone();
    let stub = crate::harness::Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons());
    let server = Romp::start(1, &[&pool]);
    let address = format!("127.0.0.1:{}", server.notify_port);
    let hash = "ab".repeat(32);
    let wrong = romp(&["blocknotify", &address, "guess", "bitcoin", &hash]);
    assert_eq!(wrong.status.code(), Some(1), "a wrong password: {wrong:?}");
    let right = romp(&["blocknotify", &address, NOTIFY_PASSWORD, "bitcoin", &hash]);
    assert_eq!(right.status.code(), Some(0), "the right password: {right:?}");
}
