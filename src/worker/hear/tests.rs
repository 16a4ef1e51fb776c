//! Names that only a daemon can check, while the daemons are away.

use super::super::hasher::{Cost, TURN_NS};
use super::super::jobs::Posted;
use super::super::tests::{config, work};
use super::super::{Channel, Now, Seat, Worker};
use super::{PATIENCE_MS, Pace, TRY_AGAIN, in_turn};
use crate::chain::{Plan, Work};
use crate::config::Config;
use crate::ipc::board::Board;
use crate::ipc::{Listener, Message, Received, Role};
use crate::pow::Algorithm;
use crate::sys::memfd;
use mio::Events;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker, and its master's end of the channel.
fn worker(config: Config, listeners: Vec<Listener>) -> (Channel, Worker) {
    let (master, channel) = Channel::pair().unwrap();
    let seat = Seat {
        role: Role::Worker,
        slot: 0,
        lane: 0,
        generation: 1,
        channel,
        board: Board::new().unwrap(),
        config: Arc::new(config),
        listeners,
        opens: true,
        remembered: String::new(),
    };
    (master, Worker::new(seat).unwrap())
}

/// Nobody knows the coin's network yet, or nobody can be asked for the address (the daemon's port
/// is closed): the miner hears nothing for a while, then that it may try again, and stays.
fn is_told_to_try_again(has_work: bool) {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut config = config(dir.path(), port, "");
    config.pools.values_mut().for_each(|pool| pool.validate_username = true);
    let (_master, mut worker) = worker(config, vec![Listener { port, socket }]);
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

#[test]
fn everybody_is_heard_once_a_round() {
    let mut keys = vec![5, 1, 9, 5, 3];
    in_turn(&mut keys, 3);
    assert_eq!(keys, [5, 9, 1, 3]);
}

/// One who is to be heard.
struct Client(TcpStream, String);

impl Client {
    fn new(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nonblocking(true).unwrap();
        let hello = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n\
                     {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"me\",\"\"]}\n";
        stream.write_all(hello.as_bytes()).unwrap();
        Self(stream, String::new())
    }

    /// The id of its job, once it has come.
    fn job(&mut self) -> Option<String> {
        let mut bytes = [0; 4096];
        if let Ok(count) = self.0.read(&mut bytes) {
            self.1.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        let notify = self.1.lines().find(|line| line.contains(r#""method":"mining.notify""#))?;
        Some(notify.split('"').nth(9)?.to_owned())
    }

    /// Submits so many shares, in one piece.
    fn submit(&mut self, job: &str, count: u32) {
        let line = |nonce| {
            format!(
                "{{\"id\":3,\"method\":\"mining.submit\",\
                 \"params\":[\"me\",\"{job}\",\"00000000\",\"53724dff\",\"{nonce:08x}\"]}}\n"
            )
        };
        let lines: String = (0..count).map(line).collect();
        self.0.write_all(lines.as_bytes()).unwrap();
    }
}

/// Two slow miners and a quick one, and time for two slow shares a turn.
#[test]
fn quick_miners_do_not_wait_for_slow_ones_who_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (quick, slow) = (listen(), listen());
    let port = |socket: &TcpListener| socket.local_addr().unwrap().port();
    let (quick_port, slow_port) = (port(&quick), port(&slow));
    let mut config = config(dir.path(), quick_port, "");
    let mut pool = config.pools["goldcoin"].clone();
    pool.coin.id = "silvercoin".to_owned();
    pool.coin.algorithm = Algorithm::Scrypt;
    let rules = pool.ports.remove(&quick_port).unwrap();
    pool.ports.insert(slow_port, rules);
    config.pools.insert("silvercoin".to_owned(), pool);
    let listeners = vec![
        Listener { port: quick_port, socket: quick },
        Listener { port: slow_port, socket: slow },
    ];
    let (_master, mut worker) = worker(config, listeners);
    let plan = Plan { coin: "silvercoin".into(), algorithm: Algorithm::Scrypt, ..work().plan };
    for work in [work(), Work { plan, ..work() }] {
        let body = memfd::sealed("body", b"").unwrap();
        let now = worker.now();
        worker.post(Posted { work, body }, None, now);
    }
    let mut clients = [slow_port, slow_port, quick_port].map(Client::new);
    let end = Instant::now() + Duration::from_secs(20);
    let listen = |worker: &mut Worker| {
        assert!(Instant::now() < end, "it takes too long");
        let mut events = Events::with_capacity(64);
        worker.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        events.iter().for_each(|event| worker.note(event));
    };
    let jobs = clients.each_mut().map(|client| {
        loop {
            listen(&mut worker);
            let now = worker.now();
            worker.turn(now);
            if let Some(job) = client.job() {
                break job;
            }
        }
    });
    for ((client, job), shares) in clients.iter_mut().zip(jobs).zip([6, 6, 1]) {
        client.submit(&job, shares);
    }
    // All of it is there to be read, but no turn was taken with it.
    while worker.ready.iter().collect::<BTreeSet<_>>().len() < 3 {
        listen(&mut worker);
    }
    worker.hasher.suppose(Algorithm::Scrypt, Cost::each(TURN_NS / 2));
    let now = worker.now();
    let shares = |said: Vec<super::Said>| -> Vec<(String, usize)> {
        said.into_iter().map(|said| (said.coin.clone(), said.shares())).collect()
    };
    assert_eq!(shares(worker.hear(Pace::Quick, now)), [("goldcoin".to_owned(), 1)]);
    let first = worker.hear(Pace::Slow, now);
    let second = worker.hear(Pace::Slow, now);
    let keys = |said: &[super::Said]| said.iter().map(|said| said.key).collect::<Vec<_>>();
    assert_ne!(keys(&first), keys(&second), "they take turns");
    assert_eq!(keys(&first), keys(&worker.hear(Pace::Slow, now)), "round and round");
    for said in [first, second] {
        assert_eq!(shares(said), [("silvercoin".to_owned(), 2)]);
    }
}

/// The master may have had no room for a socket: it is offered again, once in ten minutes.
#[test]
fn sockets_are_offered_again() {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let config = config(dir.path(), port, "");
    let (mut master, mut worker) = worker(config, vec![Listener { port, socket }]);
    let body = memfd::sealed("body", b"").unwrap();
    let now = worker.now();
    worker.post(Posted { work: work(), body }, None, now);
    let _client = Client::new(port);
    let mut offers = || {
        let mut offers = 0;
        while let Received::Message(message, fds) = master.receive().unwrap() {
            if let Message::Holds { tickets } = *message {
                assert_eq!((tickets.len(), fds.len()), (1, 1));
                offers += 1;
            }
        }
        offers
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !worker.miners.iter().any(|(_, miner)| miner.kept) {
        assert!(Instant::now() < end, "it is not offered");
        let mut events = Events::with_capacity(64);
        worker.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
        events.iter().for_each(|event| worker.note(event));
        let now = worker.now();
        worker.turn(now);
    }
    assert_eq!(offers(), 1);
    for _ in 0..600 {
        worker.keep_for_heirs(0..1, None);
    }
    assert_eq!(offers(), 0, "in rounds only");
    for round in 1..=600 {
        worker.keep_for_heirs(0..1, Some(round));
    }
    assert_eq!(offers(), 1);
}
