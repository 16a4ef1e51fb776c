//! All that a campaign runs and breaks, and what has to be undone when.

use crate::books::COIN;
use crate::diary::Diary;
use crate::harness::{
    ADDRESS, BINARY, NOTIFY_PASSWORD, Pair, Pool, Redis, Romp, Rpc, free_port, is_alive, is_mine,
    kill, take_orphans,
};
use crate::load::Shared;
use crate::options::{Options, Store};
use crate::random::Random;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Difficulties of a port. A regtest block's is 0.0000305: half of all hashes reach it, and what
/// is below leaves room for shares that are no block.
pub(crate) const DIFFICULTIES: [f64; 4] = [1.6e-5, 1.7e-5, 1.85e-5, 2e-5];
/// Bytes of the disk that the pool's data is on, when it may be filled.
const DISK: &str = "size=1g";
/// How long the master may take to end after TERM: `shutdownTimeout` and some.
pub(crate) const ENDING: Duration = Duration::from_secs(30);

/// How long a process that was woken may take to let go of its ports.
const WAKING: Duration = Duration::from_secs(3);

/// What must be done later.
#[derive(Debug)]
pub(crate) enum Undo {
    Wake(i32),
    RunMaster,
    RunRedis,
    RunNode(usize),
    Connect(usize),
    Unlock(Connection),
    FreeDisk,
    RemoveLedger,
    RedisMemory,
    RedisWrites,
    GoodConfig,
}

/// The master, as far as the campaign knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Master {
    /// It was started, and does not answer yet.
    Starting(Instant),
    Up,
    /// It was asked to end.
    Ending(Instant),
    /// It was killed, or has ended; it will be started again.
    Down,
}

/// Everything.
pub(crate) struct Scene {
    pub(crate) options: Options,
    pub(crate) random: Random,
    pub(crate) diary: Diary,
    pub(crate) romp: Romp,
    pub(crate) pair: Pair,
    pub(crate) redis: Option<Redis>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) master: Master,
    pub(crate) undo: Vec<(Instant, Undo)>,
    /// Processes that are stopped now.
    pub(crate) asleep: BTreeSet<i32>,
    /// When those that were stopped were woken.
    woken: BTreeMap<i32, Instant>,
    pub(crate) ports: [u16; 2],
    /// Whether the data is on a small disk of its own.
    pub(crate) disk: bool,
    /// When it was full, and some seconds more.
    pub(crate) full: Vec<(Instant, Instant)>,
    pub(crate) workers: u16,
}

impl Scene {
    pub(crate) fn start(options: Options) -> Self {
        let mut diary = Diary::new(&options.log);
        let mut random = Random::new(options.seed);
        take_orphans();
        let notify = free_port();
        let command =
            format!("{BINARY} blocknotify 127.0.0.1:{notify} {NOTIFY_PASSWORD} {COIN} %s");
        let pair = Pair::start(Some(&command));
        diary.note("the nodes run");
        // Beyond height 431, where MWEB begins.
        pair.mine_to(431);
        pair.peg_in();
        pair.mine_to(440);
        diary.note("the chain is there");
        let redis = (options.store == Store::Redis).then(Redis::start);
        let ports = [free_port(), free_port()];
        let mut romp = Romp::prepare(options.workers, &[]);
        let disk = small_disk(romp.path());
        let listener = json!({"enabled": true, "port": notify, "password": NOTIFY_PASSWORD});
        romp.notify_port = notify;
        romp.set("blockNotifyListener", Some(listener));
        romp.set("logFile", Some(json!("romp.log")));
        // The books are kept by connection, and each has a name of its own.
        romp.set("limits", Some(json!({"rigsPerAddress": 0})));
        let shared = Arc::new(Shared::new(options.clients, ports[0]));
        let workers = options.workers;
        let _ = random.next();
        let mut scene = Self {
            options,
            random,
            diary,
            romp,
            pair,
            redis,
            shared,
            master: Master::Up,
            undo: Vec::new(),
            asleep: BTreeSet::new(),
            woken: BTreeMap::new(),
            ports,
            disk,
            full: Vec::new(),
            workers,
        };
        scene.write_pool(DIFFICULTIES[0], None);
        scene.romp.run();
        scene.romp.wait_ready(usize::from(workers));
        scene.diary.note("the pool serves");
        scene
    }

    /// Writes the pool's file, with a second port of a difficulty or without.
    pub(crate) fn write_pool(&mut self, first: f64, second: Option<f64>) {
        let pool = Pool::new(COIN, self.ports[0], json!({"diff": first}), self.pair.daemons())
            .with("address", json!(ADDRESS))
            .with("jobRebroadcastTimeout", json!(5))
            .with("daemonTimeout", json!(2))
            .with("banning", json!({"enabled": true}));
        let mut ports = json!({self.ports[0].to_string(): {"diff": first}});
        if let Some(second) = second {
            let bounds = json!({"minDiff": DIFFICULTIES[0], "maxDiff": DIFFICULTIES[3],
                "targetTime": 1, "retargetTime": 3, "variancePercent": 30});
            ports[self.ports[1].to_string()] = json!({"diff": second, "varDiff": bounds});
        }
        let mut pool = pool.with("ports", ports);
        if let Some(redis) = &self.redis {
            pool = pool.with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
        }
        pool.write(self.romp.path());
        let open = if second.is_some() { self.ports[1] } else { 0 };
        self.shared.second_port.store(open, Ordering::Relaxed);
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.romp.path().join("data")
    }

    pub(crate) fn ledger_file(&self) -> PathBuf {
        self.data().join("ledger").join(format!("{COIN}.sqlite"))
    }

    /// A node's RPC; 2 is the company, which nobody breaks.
    pub(crate) fn node(&self, index: usize) -> &Rpc {
        match index {
            0 => &self.pair.first,
            1 => &self.pair.second,
            _ => &self.pair.third,
        }
    }

    /// `status` from the control socket, without waiting long for a master that is stopped.
    pub(crate) fn status(&self) -> Option<Value> {
        let stream = UnixStream::connect(self.data().join("romp.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        (&stream).write_all(b"{\"command\":\"status\"}\n").ok()?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// The pool's processes with their roles, the master among them.
    pub(crate) fn processes(&mut self) -> Vec<(i32, String)> {
        let master = self.romp.process().pid();
        if matches!(self.master, Master::Down | Master::Starting(_))
            || self.asleep.contains(&master)
        {
            return Vec::new();
        }
        let status = self.status().unwrap_or_default();
        let mut found = vec![(master, "master".to_owned())];
        for child in status["children"].as_array().into_iter().flatten() {
            let pid = child["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
            if let (Some(pid), Some(role)) = (pid, child["role"].as_str())
                && is_alive(pid)
            {
                found.push((pid, role.to_owned()));
            }
        }
        found
    }

    pub(crate) fn later(&mut self, after: Duration, undo: Undo) {
        self.undo.push((Instant::now() + after, undo));
    }

    /// Undoes what is due, and looks after the master as systemd would.
    pub(crate) fn turn(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        let mut rest = Vec::new();
        for (at, undo) in self.undo.drain(..) {
            if at <= now { due.push(undo) } else { rest.push((at, undo)) }
        }
        self.undo = rest;
        for undo in due {
            self.perform(undo);
        }
        self.look_after_master();
    }

    fn look_after_master(&mut self) {
        if self.master == Master::Down {
            return;
        }
        if let Some(status) = self.romp.process().ended() {
            if self.go_on_with_heir() {
                return;
            }
            match self.master {
                // A stopped child of a killed master holds the ports for longer than the 10 s that
                // the next one waits for them; systemd would start it again.
                Master::Starting(_) if status.code() == Some(1) && self.sleeper_has_port() => {
                    self.diary.did("ports held by a stopped process", "");
                }
                Master::Up | Master::Starting(_) => {
                    self.diary.broke(format!("the master ended by itself: {status}"));
                }
                _ if status.code() != Some(0) => {
                    self.diary.broke(format!("the master ended with {status} when asked to"));
                }
                _ => self.diary.note("the master has ended"),
            }
            self.master = Master::Down;
            let after = self.random.time(50, 2000);
            self.later(after, Undo::RunMaster);
        } else if let Master::Starting(since) = self.master {
            let pid = self.romp.process().pid();
            let of_it = |status: Value| status["pid"].as_i64() == Some(i64::from(pid));
            if self.status().is_some_and(of_it) {
                self.master = Master::Up;
            } else if since.elapsed() > ENDING && !self.asleep.contains(&pid) {
                self.diary.broke(format!("the master does not answer {ENDING:?} after its start"));
                self.master = Master::Up;
            }
        } else if let Master::Ending(since) = self.master
            && since.elapsed() > ENDING
        {
            self.diary.broke(format!("the master has not ended within {ENDING:?}"));
            self.romp.process().signal(Signal::SIGKILL);
            self.master = Master::Ending(Instant::now());
        }
    }

    /// After an upgrade the lock names another master; whoever was asked to end, that one is up.
    fn go_on_with_heir(&mut self) -> bool {
        let before = self.romp.process().pid();
        let heir = self.romp.master().filter(|&pid| pid != before && is_alive(pid) && is_mine(pid));
        let Some(pid) = heir else { return false };
        self.romp.process().adopt(pid);
        self.master = Master::Starting(Instant::now());
        self.diary.note(&format!("the master is {pid} now"));
        true
    }

    /// Whether the master that has just ended names a process as the holder of a port that is
    /// stopped, or was until a moment ago.
    fn sleeper_has_port(&self) -> bool {
        let read = |name| std::fs::read(self.romp.path().join(name)).unwrap_or_default();
        let text = [read("romp.log"), read("output")].concat();
        let text = String::from_utf8_lossy(&text);
        let mut named =
            text.lines().filter(|line| line.contains("cannot listen on")).filter_map(|it| {
                let (pid, _) = it.split_once("Process ")?.1.split_once(' ')?;
                pid.parse::<i32>().ok()
            });
        let just_now = |pid: &i32| self.woken.get(pid).is_some_and(|at| at.elapsed() < WAKING);
        named.any(|pid| self.asleep.contains(&pid) || just_now(&pid))
    }

    pub(crate) fn perform(&mut self, undo: Undo) {
        self.diary.note(&format!("undo {undo:?}"));
        match undo {
            Undo::Wake(pid) => {
                kill(pid, Signal::SIGCONT);
                self.asleep.remove(&pid);
                self.woken.insert(pid, Instant::now());
                if self.romp.process().pid() == pid
                    && let Master::Ending(since) | Master::Starting(since) = &mut self.master
                {
                    *since = Instant::now();
                }
            }
            Undo::RunMaster => {
                // Killed in the middle of an upgrade, it has an heir.
                if self.go_on_with_heir() {
                    return;
                }
                // It would not start with a broken configuration, and is right.
                if self.undo.iter().any(|(_, undo)| matches!(undo, Undo::GoodConfig)) {
                    self.write_pool(DIFFICULTIES[0], None);
                }
                self.romp.run();
                self.master = Master::Starting(Instant::now());
            }
            Undo::RunRedis => self.redis.iter_mut().for_each(Redis::run),
            Undo::RunNode(index) => self.pair.run(index),
            Undo::Connect(index) => {
                self.ask(index, "setnetworkactive", json!([true]));
                self.pair.meet(index);
            }
            Undo::Unlock(connection) => drop(connection),
            Undo::FreeDisk => drop(std::fs::remove_file(self.data().join("ballast"))),
            Undo::RemoveLedger => self.remove_ledger(),
            Undo::RedisMemory => self.tell_redis(&["CONFIG", "SET", "maxmemory", "0"]),
            Undo::RedisWrites => self.tell_redis(&["REPLICAOF", "NO", "ONE"]),
            Undo::GoodConfig => {
                self.write_pool(DIFFICULTIES[0], None);
                self.hup();
            }
        }
    }

    pub(crate) fn hup(&mut self) {
        if self.master == Master::Up {
            self.romp.process().signal(Signal::SIGHUP);
        }
    }

    /// As an operator would after the log said that the file is damaged.
    pub(crate) fn remove_ledger(&mut self) {
        let file = self.ledger_file();
        for end in ["-wal", "-shm", ""] {
            let name = format!("{}{end}", file.display());
            std::fs::remove_file(name).ok();
        }
    }

    /// A call whose failure is one more fault.
    pub(crate) fn ask(&mut self, index: usize, method: &str, params: Value) -> Option<Value> {
        let answer = self.node(index).call_within(Duration::from_secs(10), method, params);
        if let Err(words) = &answer {
            let brief: String = words.chars().take(120).collect();
            self.diary.note(&format!("node {index}: {method}: {brief}"));
        }
        answer.ok()
    }

    pub(crate) fn redis_connection(&self) -> Option<redis::Connection> {
        let port = self.redis.as_ref()?.port;
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).ok()?;
        let connection = client.get_connection_with_timeout(Duration::from_secs(2)).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        Some(connection)
    }

    /// A command whose failure is one more fault.
    pub(crate) fn tell_redis(&mut self, words: &[&str]) {
        let said = self.redis_connection().map(|mut connection| {
            redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut connection)
        });
        self.diary.note(&format!("redis: {words:?}: {said:?}"));
    }
}

/// Mounts a small disk at `data`, if this is a namespace of the campaign's own.
fn small_disk(folder: &Path) -> bool {
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("the data folder");
    std::env::var_os("ROMP_CHAOS_MOUNT").is_some()
        && Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(&data)
            .status()
            .is_ok_and(|status| status.success())
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A stopped process would not notice that its master is gone.
        for &pid in &self.asleep {
            kill(pid, Signal::SIGCONT);
        }
        if self.disk {
            Command::new("umount").arg("-l").arg(self.data()).status().ok();
        }
    }
}
