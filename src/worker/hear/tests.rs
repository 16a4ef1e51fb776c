//! Names that only a daemon can check, while the daemons are away.

use super::super::jobs::Posted;
use super::super::tests::{config, work};
use super::super::{Channel, Now, Seat, Worker};
use super::{PATIENCE_MS, TRY_AGAIN};
use crate::ipc::board::Board;
use crate::ipc::{Listener, Role};
use crate::sys::memfd;
use mio::Events;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Nobody knows the coin's network yet, or nobody can be asked for the address (the daemon's port
/// is closed): the miner hears nothing for a while, then that it may try again, and stays.
fn is_told_to_try_again(has_work: bool) {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut config = config(dir.path(), port, "");
    config.pools.values_mut().for_each(|pool| pool.validate_username = true);
    let (_master, channel) = Channel::pair().unwrap();
    let mut worker = Worker::new(Seat {
        role: Role::Worker,
        slot: 0,
        lane: 0,
        generation: 1,
        channel,
        board: Board::new().unwrap(),
        config: Arc::new(config),
        listeners: vec![Listener { port, socket }],
        remembered: String::new(),
    })
    .unwrap();
    if has_work {
        let body = memfd::sealed("body", b"").unwrap();
        let now = worker.now();
        worker.post(Posted { work: work(), body }, None, now);
    }
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_nonblocking(true).unwrap();
    let ask = "{\"id\":7,\"method\":\"mining.authorize\",\
               \"params\":[\"mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc\",\"\"]}\n";
    client.write_all(ask.as_bytes()).unwrap();

    let mut heard = String::new();
    let mut turn = |later: u64| {
        let mut events = Events::with_capacity(64);
        worker.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        events.iter().for_each(|event| worker.note(event));
        let Now { mono, unix } = worker.now();
        worker.turn(Now { mono: mono + later, unix });
        let waits = worker.miners.iter().any(|(_, miner)| miner.waiting.is_some());
        let mut bytes = [0; 4096];
        match client.read(&mut bytes) {
            Ok(count) => heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        (waits, heard.clone(), worker.miners.len())
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !turn(0).0 {
        assert!(Instant::now() < end, "it does not wait");
    }
    assert_eq!(turn(0).1, "", "not at once");
    loop {
        let (waits, heard, miners) = turn(PATIENCE_MS);
        if heard.contains('\n') {
            assert!(heard.contains("\"id\":7") && heard.contains("false"), "{heard}");
            assert!(heard.contains(TRY_AGAIN), "{heard}");
            assert!(!waits && miners == 1, "the connection stays");
            return;
        }
        assert!(Instant::now() < end, "it waits for ever");
    }
}

#[test]
fn who_cannot_be_checked_is_told_to_try_again() {
    is_told_to_try_again(true);
    is_told_to_try_again(false);
}
