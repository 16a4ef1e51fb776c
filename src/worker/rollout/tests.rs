//! What may happen while work is on its way. The worker is turned by hand, so each test knows who
//! has been told: two miners a turn.

use super::super::tests::{config, work};
use super::super::{Channel, Config, Seat};
use super::*;
use crate::chain::{Hash, Work};
use crate::ipc::board::Board;
use crate::ipc::{Listener, Role};
use crate::sys::memfd;
use mio::Events;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Miners of a scene. The last of them is told in the fourth turn.
const MINERS: usize = 7;

struct Scene {
    worker: Worker,
    config: Config,
    port: u16,
    clients: Vec<Client>,
    /// The masters' ends: a worker ends with its master's.
    masters: Vec<Channel>,
    _dir: tempfile::TempDir,
}

struct Client {
    stream: TcpStream,
    heard: String,
}

impl Client {
    fn new(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, heard: String::new() }
    }

    fn say(&mut self, method: &str, params: &str) {
        let line = format!("{{\"id\":7,\"method\":\"mining.{method}\",\"params\":[{params}]}}\n");
        self.stream.write_all(line.as_bytes()).unwrap();
    }

    fn share(&mut self, job: &str, nonce: u32) {
        self.say("submit", &format!("\"me\",\"{job}\",\"00000000\",\"53724dff\",\"{nonce:08x}\""));
    }

    /// All that has arrived so far.
    fn hear(&mut self) -> &str {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(count) => self.heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return &self.heard,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Job ids that have arrived, and whether they were clean; they are forgotten.
    fn jobs(&mut self) -> Vec<(String, bool)> {
        self.hear();
        let heard = std::mem::take(&mut self.heard);
        let jobs = heard.lines().filter(|line| line.contains("mining.notify\",\"params"));
        jobs.map(|line| (line.split('"').nth(9).unwrap().to_owned(), line.ends_with("true]}")))
            .collect()
    }
}

impl Scene {
    /// A worker with work and miners who have it.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let config = config(dir.path(), port, "");
        let (master, channel) = Channel::pair().unwrap();
        let seat = Seat {
            role: Role::Worker,
            slot: 0,
            lane: 0,
            generation: 1,
            channel,
            board: Board::new().unwrap(),
            config: Arc::new(config.clone()),
            listeners: vec![Listener { port, socket }],
            opens: true,
            remembered: String::new(),
        };
        let worker = Worker::new(seat).unwrap();
        let (clients, masters, _dir) = (Vec::new(), vec![master], dir);
        let mut scene = Self { worker, config, port, clients, masters, _dir };
        scene.post(0);
        scene.finish();
        for place in 0..MINERS {
            scene.join();
            assert_eq!(scene.clients[place].jobs().len(), 1);
        }
        scene
    }

    /// Another worker of the same pool, with work of the tip 1.
    fn second(&mut self, lane: u8) -> Worker {
        let (master, channel) = Channel::pair().unwrap();
        self.masters.push(master);
        let seat = Seat {
            role: Role::Worker,
            slot: 1,
            lane,
            generation: 2,
            channel,
            board: Arc::clone(&self.worker.board),
            config: Arc::new(self.config.clone()),
            listeners: vec![Listener {
                port: self.port,
                socket: TcpListener::bind("127.0.0.1:0").unwrap(),
            }],
            opens: false,
            remembered: String::new(),
        };
        let mut worker = Worker::new(seat).unwrap();
        worker.pid += 1;
        let work = Work { previous: Hash([1; 32]), ..work() };
        let body = memfd::sealed("body", b"").unwrap();
        let now = worker.now();
        worker.post(super::super::jobs::Posted { work, body }, Some(now.mono), now);
        worker.go_on_rolling_out(now);
        worker
    }

    /// One more miner, with the present work.
    fn join(&mut self) {
        let mut client = Client::new(self.port);
        client.say("subscribe", "");
        client.say("authorize", "\"me\",\"\"");
        self.clients.push(client);
        let place = self.clients.len() - 1;
        self.turn_until(|scene| {
            let heard = scene.clients[place].hear();
            heard.contains("\"result\":true") && heard.contains("mining.notify\",\"params")
        });
    }

    /// Posts the work of a tip.
    fn post(&mut self, tip: u8) {
        let work = Work { previous: Hash([tip; 32]), ..work() };
        let body = memfd::sealed("body", b"").unwrap();
        let now = self.worker.now();
        self.worker.post(super::super::jobs::Posted { work, body }, Some(now.mono), now);
    }

    /// A part of what is on its way, and nothing else.
    fn part(&mut self) {
        let now = self.worker.now();
        self.worker.go_on_rolling_out(now);
        self.worker.flush(now);
    }

    /// Id of the newest job.
    fn newest(&self) -> String {
        self.worker.coins.values().next().unwrap().jobs.latest().unwrap().id.to_string()
    }

    /// Hears miners and answers, with what is on its way held back.
    fn turn_until(&mut self, done: impl Fn(&mut Self) -> bool) {
        let held = std::mem::take(&mut self.worker.rollouts);
        let end = Instant::now() + Duration::from_secs(20);
        let mut events = Events::with_capacity(64);
        while !done(self) {
            assert!(Instant::now() < end, "it does not happen");
            self.worker.poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
            events.iter().for_each(|event| self.worker.note(event));
            let now = self.worker.now();
            self.worker.turn(now);
        }
        assert!(self.worker.rollouts.is_empty());
        self.worker.rollouts = held;
    }

    /// Sends a miner's share; the answer.
    fn answer(&mut self, place: usize, job: &str, nonce: u32) -> String {
        self.clients[place].heard.clear();
        self.clients[place].share(job, nonce);
        let line =
            |heard: &str| heard.lines().find(|it| it.contains("\"id\":7")).map(str::to_owned);
        self.turn_until(|scene| line(scene.clients[place].hear()).is_some());
        line(&self.clients[place].heard).unwrap()
    }

    fn finish(&mut self) {
        while !self.worker.rollouts.is_empty() {
            self.part();
        }
    }
}

#[test]
fn a_second_tip_overtakes_the_first() {
    let mut scene = Scene::new();
    scene.post(1);
    scene.part();
    let first = scene.newest();
    // New transactions on that tip: no reason by themselves to drop what was given before.
    scene.post(1);
    let second = scene.newest();
    scene.finish();
    for (place, client) in scene.clients.iter_mut().enumerate() {
        // Who has heard of the tip keeps what he does for it.
        let mut expected = vec![(second.clone(), place >= 2)];
        if place < 2 {
            expected.insert(0, (first.clone(), true));
        }
        assert_eq!(client.jobs(), expected, "miner {place}");
    }
    scene.post(2);
    scene.part();
    scene.post(3);
    let last = scene.newest();
    scene.finish();
    for (place, client) in scene.clients.iter_mut().enumerate() {
        let jobs = client.jobs();
        assert_eq!(jobs.len(), if place < 2 { 2 } else { 1 }, "miner {place}");
        assert_eq!(jobs.last(), Some(&(last.clone(), true)), "miner {place}");
    }
}

/// One time for each new tip, when its last miner has it; none for new transactions on the same tip.
#[test]
fn the_last_miner_ends_what_is_measured() {
    let mut scene = Scene::new();
    let changes = |scene: &Scene| scene.worker.cell("goldcoin").unwrap().changes.read();
    let before = changes(&scene).count();
    scene.post(1);
    scene.part();
    assert_eq!(changes(&scene).count(), before, "some lack it");
    // Overtaken by the same tip: that is what the others are waiting for.
    scene.post(1);
    scene.finish();
    assert_eq!(changes(&scene).count(), before + 1);
    scene.post(1);
    scene.finish();
    assert_eq!(changes(&scene).count(), before + 1, "the same tip");
    assert!(changes(&scene).sum_us < (before + 1) * 20_000_000, "since it was told of");
}

#[test]
fn shares_are_answered_meanwhile() {
    let mut scene = Scene::new();
    let old = scene.newest();
    // The same tip: who has not heard of the new work goes on with the old.
    scene.post(0);
    scene.part();
    let same = scene.newest();
    for (place, job) in [(0, &same), (0, &old), (6, &old)] {
        let answer = scene.answer(place, job, 1);
        assert!(answer.contains("\"result\":true"), "{place} {job}: {answer}");
    }
    assert!(scene.answer(6, &same, 2).contains("[21,"), "a job that it was not given");
    scene.finish();
    // Another tip: who has not heard of it is late all the same, and nobody waits for its answer.
    scene.post(1);
    scene.part();
    let new = scene.newest();
    assert!(scene.answer(0, &new, 3).contains("\"result\":true"));
    for place in [0, 6] {
        let answer = scene.answer(place, &same, 4);
        assert!(answer.contains("\"Stale\""), "{place}: {answer}");
    }
    assert_eq!(scene.worker.rollouts.len(), 1, "all that while it was on its way");
    scene.clients[6].heard.clear();
    scene.finish();
    assert_eq!(scene.clients[6].jobs(), [(new.clone(), true)]);
    assert!(scene.answer(6, &new, 5).contains("\"result\":true"));
}

#[test]
fn who_comes_meanwhile_gets_the_job_once() {
    let mut scene = Scene::new();
    scene.post(1);
    scene.part();
    let new = scene.newest();
    scene.join();
    scene.finish();
    assert_eq!(scene.clients.last_mut().unwrap().jobs(), [(new, true)]);
}

/// A wish makes a job of its own. It must be clean, as what is on its way was to be; and the older
/// one must not come after it.
#[test]
fn who_has_a_wish_meanwhile_hears_of_the_tip() {
    let mut scene = Scene::new();
    let old = scene.newest();
    scene.post(1);
    scene.part();
    let first = scene.newest();
    for place in [0, 6] {
        scene.clients[place].say("authorize", "\"me\",\"d=0.0001\"");
        scene.turn_until(|scene| {
            scene.clients[place].hear().matches("mining.notify\",\"params").count()
                == if place == 0 { 2 } else { 1 }
        });
    }
    let wished = scene.newest();
    assert_ne!(wished, first);
    scene.finish();
    assert_eq!(scene.clients[0].jobs(), [(first.clone(), true), (wished.clone(), false)]);
    assert_eq!(scene.clients[6].jobs(), [(wished.clone(), true)]);
    assert_eq!(scene.clients[5].jobs(), [(first, true)]);
    assert!(scene.answer(6, &old, 1).contains("[21,"));
}

/// The first worker gives its miners to a second one while a new tip is on its way: two of seven have
/// heard of it. Half a line and an unsettled name go along.
#[test]
fn who_changes_the_worker_meanwhile_goes_on_there() {
    let mut scene = Scene::new();
    scene.post(1);
    scene.part();
    let told = scene.newest();
    let share = format!(
        "{{\"id\":7,\"method\":\"mining.submit\",\"params\":[\"me\",\"{told}\",\"00000000\",\"53724dff\",\
         \"00000009\"]}}\n"
    );
    assert!(scene.answer(0, &told, 5).contains("\"result\":true"), "before it moves");
    let (half, rest) = share.split_at(40);
    scene.clients[1].stream.write_all(half.as_bytes()).unwrap();
    scene.turn_until(|scene| scene.worker.miners.iter().any(|(_, miner)| !miner.input.is_empty()));

    scene.worker.rollouts.clear();
    let mut second = scene.second(5);
    let now = scene.worker.now();
    let (giver, taker) = crate::sys::descriptors::pair().unwrap();
    second.take_over(scene.worker.pid, false, Some(taker));
    scene.worker.hand_over((vec![scene.port], usize::MAX, true), Some(giver), now);
    let end = Instant::now() + Duration::from_secs(20);
    while !scene.worker.has_left() {
        assert!(Instant::now() < end, "{} stay", scene.worker.miners.len());
        for worker in [&mut scene.worker, &mut second] {
            worker.turn(worker.now());
        }
    }
    assert_eq!(second.miners.len(), MINERS);
    assert!(scene.worker.board.roster.of(scene.worker.pid).is_empty());
    assert_eq!(scene.worker.board.roster.of(second.pid).len(), MINERS);
    scene.worker = second;
    let own = scene.newest();
    assert_ne!(own, told);
    scene.clients[1].heard.clear();
    scene.clients[1].stream.write_all(rest.as_bytes()).unwrap();
    scene.turn_until(|scene| scene.clients[1].hear().contains("\"id\":7"));
    assert!(scene.clients[1].heard.contains("true"), "half a line: {}", scene.clients[1].heard);
    for place in 0..MINERS {
        let jobs = scene.clients[place].jobs();
        match place {
            1 => {}
            0 => assert_eq!(jobs, [(told.clone(), true)], "has the tip already"),
            _ => assert_eq!(jobs, [(own.clone(), true)], "miner {place}"),
        }
        let job = if place < 2 { &told } else { &own };
        let answer = scene.answer(place, job, 1);
        assert!(answer.contains("\"result\":true"), "miner {place}: {answer}");
        assert!(scene.answer(place, job, 1).contains("[22,"), "what was seen is known");
    }
    assert!(scene.answer(1, &told, 9).contains("[22,"));
    assert!(scene.answer(0, &told, 5).contains("[22,"), "also by the worker before");
}
