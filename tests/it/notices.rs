//! Each way of hearing of a block brings the work by itself: the poll comes too late in these.

use crate::harness::{Client, Pair, Pool, Romp, alone, free_port, seconds, wait_for, wait_until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// A pool without polling for blocks.
fn pool(port: u16, pair: &Pair) -> Pool {
    Pool::new("litecoin", port, json!({"diff": 1}), pair.daemons())
        .with("address", json!(pair.wallet))
        .with("blockRefreshInterval", json!(0))
        .with("longPoll", json!(false))
}

/// Mines blocks until `source` alone has told of three, and miners have their work.
fn tells_by_itself(pair: &Pair, romp: &Romp, port: u16, source: &str, mut told: impl FnMut(&str)) {
    let mut client = Client::login(port, &pair.wallet).expect("login");
    let status = || romp.status().unwrap_or_default()["coins"]["litecoin"].clone();
    let start = Instant::now();
    let first = |status: Value| status["notices_by"][source]["first"].as_u64().unwrap_or_default();
    let goal = first(status()) + 3;
    // The asking whether the daemon is there, each 10 s, may win once or twice.
    while first(status()) < goal {
        assert!(start.elapsed() < seconds(60), "{source} tells nothing: {}", status());
        let before = client.job.as_ref().unwrap().previous.clone();
        let mined = pair.first.must("generatetoaddress", json!([1, pair.wallet]));
        told(mined[0].as_str().expect("a hash"));
        while client.job.as_ref().unwrap().previous == before {
            assert!(start.elapsed() < seconds(60), "the new block's work never came");
            client.pump(seconds(1)).expect("the miner stays connected");
        }
    }
    wait_until("status to show the way to the workers", seconds(20), || {
        status()["notice_to_work"]["last"].is_u64()
    });
    let table = romp.command(&["status"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains(&format!("{source} ")), "{table}");
}

#[test]
fn a_real_daemons_inv_and_long_poll_each_bring_the_work() {
    let _alone = alone();
    let mut pair = Pair::start(None);
    pair.mine_to(110);
    let port = free_port();
    let peer = json!({"enabled": true, "port": pair.peer_port(), "disableTransactions": true});
    let p2p = pool(port, &pair).with("p2p", peer);
    let mut romp = Romp::start(1, &[&p2p]);
    wait_until("the daemon to have us as a peer", seconds(20), || {
        let peers = pair.first.must("getpeerinfo", json!([]));
        peers.as_array().is_some_and(|peers| {
            peers.iter().any(|peer| {
                peer["subver"].as_str().is_some_and(|name| name.starts_with("/romp:"))
                    && peer["relaytxes"] == Value::Bool(false)
            })
        })
    });
    tells_by_itself(&pair, &romp, port, "p2p", |_| {});
    romp.stop(nix::sys::signal::Signal::SIGTERM);

    let only = json!([pair.daemons()[0]]);
    pool(port, &pair).with("longPoll", json!(true)).with("daemons", only).write(romp.path());
    romp.run();
    romp.wait_ready(1);
    waits_for_a_block(&pair);
    tells_by_itself(&pair, &romp, port, "longpoll", |_| {});

    // The daemon is restarted while it lets the pool wait.
    pair.kill_first();
    pair.run(0);
    waits_for_a_block(&pair);
    tells_by_itself(&pair, &romp, port, "longpoll", |_| {});

    // F51: its clock jumps, and back.
    let mut client = Client::login(port, &pair.wallet).expect("login");
    for jump in [-7_000, 7_500, 0] {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        let then = if jump == 0 { 0 } else { now.saturating_add_signed(jump) };
        pair.first.must("setmocktime", json!([then]));
        let before = client.job.as_ref().unwrap().previous.clone();
        pair.first.must("generatetoaddress", json!([1, pair.wallet]));
        wait_until("work on the new block", seconds(60), || {
            // Peers that were silent for so long are dropped, and without any there is no work.
            pair.meet(0);
            client.pump(seconds(1)).expect("the miner stays connected");
            client.job.as_ref().unwrap().previous != before
        });
    }
}

/// Until the first daemon has a long poll.
fn waits_for_a_block(pair: &Pair) {
    wait_until("the daemon to wait for a block", seconds(60), || {
        pair.meet(0);
        let info = pair.first.call("getrpcinfo", json!([])).unwrap_or_default();
        let calls = info["active_commands"].as_array().cloned().unwrap_or_default();
        calls.iter().any(|call| {
            call["method"] == "getblocktemplate" && call["duration"].as_u64() > Some(1_000_000)
        })
    });
}

/// What libzmq's publisher sends until it may publish.
const GREETING: &[u8] = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const READY: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB";

/// Accepts a subscriber and shakes hands.
fn subscriber(server: &TcpListener) -> TcpStream {
    let (mut stream, _) = server.accept().expect("the pool subscribes");
    stream.set_read_timeout(Some(seconds(20))).expect("a deadline");
    stream.write_all(&[GREETING, READY].concat()).expect("the greeting is sent");
    let mut said = vec![0; 64 + 27 + 12];
    stream.read_exact(&mut said).expect("greeting, READY and subscription");
    assert!(said.ends_with(b"\0\x0a\x01hashblock"), "{said:?}");
    stream
}

/// Publishes a block; `hash` as RPC prints it.
fn publish(stream: &mut TcpStream, hash: &str, number: u32) {
    let hash: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let message =
        [b"\x01\x09hashblock\x01\x20", &hash[..], b"\x00\x04", &number.to_le_bytes()].concat();
    stream.write_all(&message).expect("the pool listens");
}

/// The daemon here is built without ZMQ: the publisher is the test's, with libzmq's bytes.
#[test]
fn a_publishers_hashblock_brings_the_work_also_after_it_was_gone() {
    let _alone = alone();
    let pair = Pair::start(None);
    pair.mine_to(110);
    let server = TcpListener::bind(("127.0.0.1", free_port())).expect("publisher");
    let address = format!("tcp://{}", server.local_addr().expect("its address"));
    let port = free_port();
    let mut daemons = pair.daemons();
    daemons[0]["zmq"] = json!(address);
    let zmq = pool(port, &pair).with("daemons", daemons);
    let romp = Romp::start(1, &[&zmq]);
    // The first connection ends as when a daemon is restarted.
    drop(subscriber(&server));
    let mut stream = subscriber(&server);
    let mut number = 0;
    tells_by_itself(&pair, &romp, port, "zmq", |hash| {
        publish(&mut stream, hash, number);
        // Two are lost after each.
        number += 3;
    });
    wait_for("status to show what was lost", seconds(20), || {
        let status = romp.status()?;
        (status["coins"]["litecoin"]["notices_by"]["zmq"]["missed"].as_u64()? >= 4).then_some(())
    });
}
