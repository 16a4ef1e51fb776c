//! A whole worker in a thread, with a real socket on one side and a channel on the other.

#![allow(clippy::unwrap_used)]

use super::judge::tests::sha256_work;
use super::*;
use crate::chain::{Hash, Network, Target, Work};
use crate::ipc::{Listener, Received, Role};
use crate::journal;
use crate::net::helper;
use crate::rewards::Scheme;
use crate::sys::memfd;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// A configuration with one pool on the port; `more` are further lines of `config.json`.
pub(super) fn config(dir: &Path, port: u16, more: &str) -> Config {
    for folder in ["coins", "pool_configs"] {
        fs::create_dir(dir.join(folder)).unwrap();
    }
    let coin = r#"{"name": "Goldcoin", "symbol": "GLD", "algorithm": "sha256"}"#;
    // A difficulty below 2^-32: every hash meets its target, whatever the job id is.
    let pool = format!(
        r#"{{"enabled": true, "coin": "goldcoin.json",
            "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
            "validateWorkerUsername": false,
            "ports": {{"{port}": {{"diff": 0.0000000001}}}},
            "daemons": [{{"host": "127.0.0.1", "port": 1, "user": "u", "password": "p"}}]}}"#
    );
    fs::write(dir.join("coins/goldcoin.json"), coin).unwrap();
    fs::write(dir.join("pool_configs/goldcoin.json"), pool).unwrap();
    fs::write(dir.join("config.json"), format!("{{\"dataDir\": \"data\"{more}}}")).unwrap();
    let loaded = crate::config::load(dir);
    assert_eq!(loaded.errors, Vec::<String>::new());
    loaded.config.unwrap()
}

/// Work on which nothing is a block.
pub(super) fn work() -> Work {
    Work { target: Target(ethnum::U256::ZERO), ..sha256_work() }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, lines: &str) {
        self.0.get_mut().write_all(lines.as_bytes()).unwrap();
    }

    /// The next line that holds the text.
    fn line_with(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "closed before {text}");
        }
        line
    }
}

/// A worker in a thread, and what its master would have.
struct Running {
    port: u16,
    config: Arc<Config>,
    /// The master's end: the worker ends with it.
    master: Channel,
    board: Arc<Board>,
    /// Tells the worker's exit code.
    told: std::sync::mpsc::Receiver<u8>,
}

fn start(dir: &Path, more: &str) -> Running {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let config = Arc::new(config(dir, port, more));
    let (master, channel) = Channel::pair().unwrap();
    let board = Board::new().unwrap();
    let seat = Seat {
        role: Role::Worker,
        slot: 3,
        lane: 9,
        generation: 1,
        channel,
        board: Arc::clone(&board),
        config: Arc::clone(&config),
        listeners: vec![Listener { port, socket }],
        opens: true,
        remembered: String::new(),
    };
    let (tell, told) = std::sync::mpsc::channel();
    helper::spawn("worker-test", move || tell.send(run(seat)).unwrap()).unwrap();
    Running { port, config, master, board, told }
}

/// A share is answered when it is in the journal, once; what was asked before an end is answered.
fn a_share_is_recorded_and_answered(more: &str) {
    let dir = tempfile::tempdir().unwrap();
    let Running { port, config, mut master, board, told } = start(dir.path(), more);
    let mut client = Client::new(port);
    client.send("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
    let subscribed = client.line_with("\"id\":1");
    client.send("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"me\",\"\"]}\n");
    client.line_with("\"id\":2");
    // The first work comes later than the miner.
    let body = memfd::sealed("body", b"").unwrap();
    let message = Message::Work { work: Box::new(work()), told: None };
    master.send(&message, &[body.as_fd()]).unwrap();
    let notify = client.line_with("mining.notify");
    assert!(subscribed.contains("\"03000001\""), "extranonce1 is of its row: {subscribed}");
    assert!(notify.contains("true]}"), "the first job is clean: {notify}");
    let job = notify.split('"').nth(9).unwrap().to_owned();
    let submit = |id: u8, nonce: &str| {
        format!(
            "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"me\",\"{job}\",\"00000000\",\
             \"53724dff\",\"{nonce}\"]}}\n"
        )
    };
    // Both spellings of one share, and a ping, in one packet; then the miner's side ends.
    let ping = "{\"id\":6,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}\n";
    client.send(&[submit(4, "000000ab"), submit(5, "000000AB"), ping.to_owned()].concat());
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    let answers = ["\"id\":4", "\"id\":5", "\"id\":6"].map(|id| client.line_with(id));
    assert!(answers[0].contains("true"), "{answers:?}");
    assert!(answers[1].contains("[22,"), "{answers:?}");
    let mut end = String::new();
    client.0.read_line(&mut end).unwrap();
    assert_eq!(end, "", "the end is seen, and answered with one");
    let row = board.row(3).unwrap();
    assert_eq!(row.accepted.load(Ordering::Relaxed), 1);
    assert_eq!(row.rejected.load(Ordering::Relaxed), 1);
    let times = row.replies.read();
    assert_eq!(times.count(), 2, "both shares' answers: {times:?}");
    assert!(times.sum_us < 2 * 20_000_000, "since they could be read: {times:?}");

    let stream = crate::journal::streams(&config.data_dir, "goldcoin").unwrap().remove(0);
    let path = crate::journal::path(&config.data_dir, "goldcoin", &stream.name);
    let mut reader = crate::journal::Reader::open(&path, 0).unwrap();
    let mut records = Vec::new();
    while matches!(reader.peek(), Ok(crate::journal::Peek::Record(_))) {
        records.extend(reader.take());
    }
    let shares = |record: &&crate::journal::Record| {
        matches!(record, crate::journal::Record::Share { worker, weight, .. }
            if worker == "me" && *weight > 0)
    };
    assert_eq!(records.iter().filter(shares).count(), 1, "{records:?}");

    // The master's end is the worker's.
    assert!(
        matches!(master.receive(), Ok(Received::Message(message, _)) if *message == Message::Ready)
    );
    drop(master);
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(0));
}

#[test]
fn a_share_is_recorded_before_it_is_answered() {
    a_share_is_recorded_and_answered("");
}

#[test]
fn with_fsync_it_is_on_the_disk_first() {
    a_share_is_recorded_and_answered(", \"fsync\": true");
}

/// A handshake has no line end: without a word its sender would wait for a minute.
#[test]
fn a_tls_handshake_is_closed_at_once() {
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    // The deadline of the handshake, which would end it too, is far away.
    let running = start(dir.path(), r#", "limits": {"subscribeTimeout": 3600}"#);
    let mut client = Client::new(running.port);
    client.0.get_mut().write_all(&[0x16, 0x03, 0x01, 0x00, 0xa5, 0x01]).unwrap();
    assert_eq!(client.0.read(&mut [0; 64]).unwrap(), 0, "the end within the read's timeout");
    drop(running.master);
    assert_eq!(running.told.recv_timeout(Duration::from_secs(20)), Ok(0));
}

/// Two blocks in one turn: each closes a round that holds its own finder's share.
#[test]
fn a_turn_is_recorded_in_the_order_of_things() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), 30_000, "");
    let pool = config.pools.values().next().unwrap().clone();
    let mut coin = coin::Coin::new(pool, &config, 3, 0).unwrap();
    let share = |worker: &str| journal::Record::Share {
        time: 5,
        worker: worker.into(),
        weight: 1,
        scheme: Scheme::Prop,
    };
    let block = |number: u8| {
        journal::Record::Block(Box::new(journal::BlockFound {
            time: 5,
            hash: Hash([number; 32]),
            height: 9,
            previous: Hash::default(),
            coinbase_txid: Hash::default(),
            coinbase_value: crate::rewards::Amount(1),
            pool_value: crate::rewards::Amount(1),
            worker: "w".to_owned(),
            difficulty: 1.0,
            stale: false,
            scheme: Scheme::Prop,
        }))
    };
    let happened = [share("one"), block(1), share("two"), block(2)];
    happened.iter().for_each(|record| coin.record(record.clone()));
    coin.commit(0, 5).1.unwrap();
    let stream = journal::streams(&config.data_dir, coin.id()).unwrap().remove(0);
    let path = journal::path(&config.data_dir, coin.id(), &stream.name);
    let mut reader = journal::Reader::open(&path, 0).unwrap();
    let mut read = Vec::new();
    while let journal::Peek::Record(_) = reader.peek().unwrap() {
        read.extend(reader.take());
    }
    assert_eq!(read, happened);
}

/// A difficulty above the network's would throw blocks away; on regtest that is the point of it.
#[test]
fn no_difficulty_is_above_the_network_but_on_regtest() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), 30_000, "");
    let pool = config.pools.values().next().unwrap().clone();
    let unit = crate::stratum::Unit(-20);
    for (network, expected) in [(Network::Main, 0.5), (Network::Test, 0.5), (Network::Regtest, 8.0)]
    {
        let mut coin = coin::Coin::new(pool.clone(), &config, 3, 0).unwrap();
        coin.unit = unit;
        let mut work = sha256_work();
        work.plan.network = network;
        work.target = Target(Target::DIFFICULTY_1.0 * 2);
        let body = memfd::sealed("body", b"").unwrap();
        let mut numbers = jobs::Numbers::new(1, 0);
        coin.jobs.post(jobs::Posted { work: work.clone(), body }, &mut numbers);
        let rules = coin.rules(&crate::config::Port {
            diff: 8.0,
            var_diff: None,
            scheme: crate::config::RewardScheme::Prop,
            tls: crate::config::PortTls::Off,
        });
        assert!((rules.start.as_f64() - expected).abs() < 1e-5, "{network:?}: {:?}", rules.start);
        assert!(network == Network::Regtest || rules.start.target(0) >= work.target);
    }
}

/// What was mined on the tip before earns nothing, but a block is a block: it is recorded and kept.
#[test]
fn a_block_on_a_stale_job_is_recorded_and_refused() {
    let dir = tempfile::tempdir().unwrap();
    let Running { port, config, mut master, told, .. } = start(dir.path(), "");
    let mut client = Client::new(port);
    client.send("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
    client.send("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"me\",\"\"]}\n");
    let mut post = |work: Work| {
        let body = memfd::sealed("body", b"").unwrap();
        master.send(&Message::Work { work: Box::new(work), told: None }, &[body.as_fd()]).unwrap();
    };
    // Every hash is a block on the first.
    let easy = Work { target: Target(ethnum::U256::MAX), ..sha256_work() };
    let next = Work { previous: Hash([7; 32]), height: easy.height + 1, ..work() };
    client.line_with("\"id\":2");
    post(easy.clone());
    let job = client.line_with("\"method\":\"mining.notify").split('"').nth(9).unwrap().to_owned();
    post(next);
    client.line_with("\"method\":\"mining.notify");
    client.send(&format!(
        "{{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"me\",\"{job}\",\"00000000\",\
         \"53724dff\",\"000000ab\"]}}\n"
    ));
    let answer = client.line_with("\"id\":3");
    assert!(answer.contains("[21,\"Stale"), "{answer}");
    let stream = journal::streams(&config.data_dir, "goldcoin").unwrap().remove(0);
    let path = journal::path(&config.data_dir, "goldcoin", &stream.name);
    let mut reader = journal::Reader::open(&path, 0).unwrap();
    let mut records = Vec::new();
    while matches!(reader.peek(), Ok(journal::Peek::Record(_))) {
        records.extend(reader.take());
    }
    let [journal::Record::Block(found)] = &records[..] else { unreachable!("{records:?}") };
    assert_eq!((found.stale, found.height), (true, easy.height));
    drop(master);
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(0));
}
