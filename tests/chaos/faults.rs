//! What is broken at random.

use crate::harness::kill;
use crate::options::Store;
use crate::scene::{DIFFICULTIES, Master, Scene, Undo};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Kinds of faults with their weights.
const COMMON: [(Fault, usize); 24] = [
    (Fault::Kill("master"), 3),
    (Fault::Kill("worker"), 7),
    (Fault::Kill("templates"), 4),
    (Fault::Kill("bookkeeper"), 5),
    (Fault::Stop("master"), 2),
    (Fault::Stop("worker"), 4),
    (Fault::Stop("templates"), 3),
    (Fault::Stop("bookkeeper"), 3),
    (Fault::End(Signal::SIGTERM), 2),
    (Fault::End(Signal::SIGINT), 1),
    (Fault::Reload, 4),
    (Fault::Upgrade, 4),
    (Fault::BadReload, 1),
    (Fault::HupStorm, 1),
    (Fault::MoreWorkers, 1),
    (Fault::FewerWorkers, 1),
    (Fault::Rotate, 1),
    (Fault::KillNode, 2),
    (Fault::StopNode, 3),
    (Fault::SplitNodes, 2),
    (Fault::Block, 7),
    (Fault::OwnBlock, 12),
    (Fault::Reorganise, 3),
    (Fault::FullDisk, 2),
];
const SQLITE: [(Fault, usize); 4] = [
    (Fault::LockLedger, 4),
    (Fault::RemoveLedger, 2),
    (Fault::SetLedgerBack, 3),
    (Fault::TruncateLedger, 1),
];
const REDIS: [(Fault, usize); 8] = [
    (Fault::StopRedis, 3),
    (Fault::KillRedis, 3),
    (Fault::FlushRedis, 2),
    (Fault::FlushScripts, 2),
    (Fault::FillRedis, 2),
    (Fault::ReadOnlyRedis, 2),
    (Fault::CutRedis, 2),
    (Fault::BusyRedis, 1),
];

/// Blocks of a campaign: the subsidy of a regtest chain is gone at about 4,900.
const HIGHEST: u64 = 4500;

/// One kind of fault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// kill -9 of one process of a role.
    Kill(&'static str),
    /// SIGSTOP, and SIGCONT later.
    Stop(&'static str),
    /// The master is asked to end, and is started again.
    End(Signal),
    Reload,
    /// The binary is replaced (by itself).
    Upgrade,
    BadReload,
    HupStorm,
    MoreWorkers,
    FewerWorkers,
    Rotate,
    KillNode,
    StopNode,
    SplitNodes,
    /// Somebody else's block.
    Block,
    /// Miners may find some.
    OwnBlock,
    Reorganise,
    FullDisk,
    LockLedger,
    RemoveLedger,
    SetLedgerBack,
    TruncateLedger,
    StopRedis,
    KillRedis,
    FlushRedis,
    FlushScripts,
    FillRedis,
    ReadOnlyRedis,
    CutRedis,
    BusyRedis,
}

impl Scene {
    /// Breaks something.
    pub(crate) fn fault(&mut self) {
        let special: &[(Fault, usize)] =
            if self.options.store == Store::Sqlite { &SQLITE } else { &REDIS };
        let all: Vec<_> = COMMON.iter().chain(special).copied().collect();
        let sum = all.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.below(sum);
        for (fault, weight) in all {
            if left < weight {
                self.break_it(fault);
                return;
            }
            left -= weight;
        }
    }

    fn break_it(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(role) => self.kill_one(role),
            Fault::Stop(role) => self.stop_one(role),
            Fault::End(signal) => {
                if self.can_signal_master() {
                    self.romp.process().signal(signal);
                    self.master = Master::Ending(Instant::now());
                    self.diary.did("master asked to end", signal.as_str());
                }
            }
            Fault::Reload => self.reload(),
            Fault::Upgrade => self.signal_master(Signal::SIGUSR2, "upgrade"),
            Fault::BadReload => {
                let path = self.romp.path().join("pool_configs/litecoin.json");
                std::fs::write(path, "{\"enabled\": true, \"coin\": 7").expect("a broken file");
                self.hup();
                self.later(Duration::from_millis(1500), Undo::GoodConfig);
                self.diary.did("broken configuration", "");
            }
            Fault::HupStorm => {
                (0..50).for_each(|_| self.hup());
                self.diary.did("storm of HUP", "");
            }
            Fault::MoreWorkers => self.signal_master(Signal::SIGTTIN, "one worker more"),
            Fault::FewerWorkers => self.signal_master(Signal::SIGTTOU, "one worker less"),
            Fault::Rotate => {
                self.read_log();
                let log = self.romp.path().join("romp.log");
                std::fs::rename(&log, log.with_extension("log.1")).ok();
                self.signal_master(Signal::SIGUSR1, "log rotated");
            }
            Fault::KillNode => self.kill_node(),
            Fault::StopNode => {
                let index = self.random.below(2);
                if let Some(pid) = self.pair.pid(index) {
                    self.sleep(pid, 100, 20_000);
                    self.diary.did("node stopped", &index.to_string());
                }
            }
            Fault::SplitNodes => self.split(),
            Fault::Block => {
                if self.generate(2, 1) {
                    self.diary.did("block of others", "");
                }
            }
            Fault::OwnBlock => {
                if self.below_highest() {
                    let count = 1 + self.random.below(3) as u64;
                    self.shared.tickets.fetch_add(count, Ordering::Relaxed);
                    self.diary.did("tickets for blocks", &count.to_string());
                }
            }
            Fault::Reorganise => self.reorganise(),
            Fault::FullDisk => self.fill_disk(),
            Fault::LockLedger => {
                let locked = Connection::open(self.ledger_file()).and_then(|connection| {
                    connection.execute_batch("BEGIN EXCLUSIVE")?;
                    Ok(connection)
                });
                if let Ok(connection) = locked {
                    let time = self.random.time(300, 15_000);
                    self.later(time, Undo::Unlock(connection));
                    self.diary.did("ledger locked", &format!("{time:?}"));
                }
            }
            Fault::RemoveLedger => {
                self.remove_ledger();
                self.diary.did("ledger removed", "");
            }
            Fault::SetLedgerBack => self.set_ledger_back(),
            Fault::TruncateLedger => {
                if let Ok(file) = File::options().write(true).open(self.ledger_file()) {
                    let length = file.metadata().map_or(0, |facts| facts.len());
                    let keep = self.random.below(usize::try_from(length).unwrap_or_default());
                    file.set_len(keep as u64).ok();
                    let time = self.random.time(500, 4000);
                    self.later(time, Undo::RemoveLedger);
                    self.diary.did("ledger truncated", &format!("{keep} of {length}"));
                }
            }
            Fault::StopRedis
            | Fault::KillRedis
            | Fault::FlushRedis
            | Fault::FlushScripts
            | Fault::FillRedis
            | Fault::ReadOnlyRedis
            | Fault::CutRedis
            | Fault::BusyRedis => self.break_redis(fault),
        }
    }

    fn can_signal_master(&mut self) -> bool {
        let pid = self.romp.process().pid();
        self.master == Master::Up && !self.asleep.contains(&pid)
    }

    fn signal_master(&mut self, signal: Signal, kind: &'static str) {
        if self.can_signal_master() {
            self.romp.process().signal(signal);
            self.diary.did(kind, "");
        }
    }

    fn victim(&mut self, role: &str) -> Option<i32> {
        let processes = self.processes();
        let pids: Vec<i32> =
            processes.iter().filter(|(_, is)| is == role).map(|(pid, _)| *pid).collect();
        self.random.pick(&pids).copied()
    }

    fn kill_one(&mut self, role: &'static str) {
        if role == "master" {
            if !matches!(self.master, Master::Up | Master::Starting(_)) {
                return;
            }
            let pid = self.romp.process().pid();
            // So that its end is what was asked for.
            self.romp.process().signal(Signal::SIGKILL);
            self.romp.process().wait("the killed master's end", Duration::from_secs(10));
            self.master = Master::Down;
            let time = self.random.time(20, 2000);
            self.later(time, Undo::RunMaster);
            self.diary.did("master killed", &format!("{pid}, back in {time:?}"));
            return;
        }
        let Some(pid) = self.victim(role) else { return };
        kill(pid, Signal::SIGKILL);
        let kind = match role {
            "worker" => "worker killed",
            "templates" => "templates killed",
            _ => "bookkeeper killed",
        };
        self.diary.did(kind, &pid.to_string());
    }

    fn stop_one(&mut self, role: &'static str) {
        let Some(pid) = self.victim(role).filter(|pid| !self.asleep.contains(pid)) else { return };
        self.sleep(pid, 100, 20_000);
        let kind = match role {
            "master" => "master stopped",
            "worker" => "worker stopped",
            "templates" => "templates stopped",
            _ => "bookkeeper stopped",
        };
        self.diary.did(kind, &pid.to_string());
    }

    pub(crate) fn sleep(&mut self, pid: i32, least: u64, most: u64) {
        if self.asleep.insert(pid) {
            kill(pid, Signal::SIGSTOP);
            let time = self.random.time(least, most);
            self.later(time, Undo::Wake(pid));
            self.diary.note(&format!("stopped {pid} for {time:?}"));
        }
    }

    fn reload(&mut self) {
        let first = *self.random.pick(&DIFFICULTIES).unwrap_or(&DIFFICULTIES[0]);
        let second = self.random.once_in(2).then_some(DIFFICULTIES[1]);
        let workers = self.workers + u16::from(self.random.once_in(3));
        self.romp.set("clustering", Some(json!({"enabled": true, "forks": workers})));
        self.write_pool(first, second);
        self.hup();
        self.diary.did("reload", &format!("{first} {second:?} {workers} workers"));
    }

    fn healthy(&self, index: usize) -> bool {
        index == 2 || self.pair.pid(index).is_some_and(|pid| !self.asleep.contains(&pid))
    }

    fn kill_node(&mut self) {
        let index = self.random.below(2);
        if self.pair.pid(0).is_none() || self.pair.pid(1).is_none() || !self.healthy(index) {
            return;
        }
        self.pair.kill(index);
        let time = self.random.time(100, 10_000);
        self.later(time, Undo::RunNode(index));
        self.later(time + Duration::from_secs(3), Undo::Connect(index));
        self.diary.did("node killed", &format!("{index}, back in {time:?}"));
    }

    /// One of the pair is alone for a while, and both sides get blocks.
    fn split(&mut self) {
        let index = self.random.below(2);
        if !self.healthy(index) || !self.below_highest() {
            return;
        }
        if self.ask(index, "setnetworkactive", json!([false])).is_some() {
            let time = self.random.time(200, 8000);
            self.later(time, Undo::Connect(index));
            self.diary.did("network split", &format!("{index} for {time:?}"));
            let (mine, theirs) = (self.random.below(3), self.random.below(3));
            self.generate(index, mine);
            self.generate(2, theirs);
        }
    }

    fn below_highest(&mut self) -> bool {
        let height = self.ask(2, "getblockcount", json!([]));
        height.and_then(|height| height.as_u64()).is_some_and(|height| height < HIGHEST)
    }

    /// Blocks of others, each different from all before.
    fn generate(&mut self, index: usize, count: usize) -> bool {
        if count == 0 || !self.below_highest() {
            return false;
        }
        // OP_RETURN and eight bytes.
        let script = format!("raw(6a08{:016x})", self.random.next());
        self.ask(index, "generatetodescriptor", json!([count, script])).is_some()
    }

    fn reorganise(&mut self) {
        let index = self.random.below(3);
        if !self.healthy(index) || !self.below_highest() {
            return;
        }
        let depth = 1 + self.random.below(3);
        let height = self.ask(index, "getblockcount", json!([])).and_then(|it| it.as_u64());
        // Never below where MWEB began: its peg-in is in one block only.
        let Some(height) = height.filter(|&height| height > 440 + depth as u64) else { return };
        let from = height + 1 - depth as u64;
        let Some(hash) = self.ask(index, "getblockhash", json!([from])) else { return };
        self.ask(index, "invalidateblock", json!([hash]));
        self.generate(index, depth + 1);
        self.ask(index, "reconsiderblock", json!([hash]));
        self.diary.did("reorganisation", &format!("node {index}, {depth} deep"));
    }

    /// Fills the data's disk to the last byte.
    fn fill_disk(&mut self) {
        if !self.disk || self.data().join("ballast").exists() {
            return;
        }
        let Ok(mut file) = File::create(self.data().join("ballast")) else { return };
        for size in [1 << 20, 4096, 1] {
            let chunk = vec![b'b'; size];
            while file.write(&chunk).is_ok_and(|count| count > 0) {}
        }
        let time = self.random.time(200, 6000);
        let now = Instant::now();
        self.full.push((now - Duration::from_secs(2), now + time + Duration::from_secs(10)));
        self.later(time, Undo::FreeDisk);
        self.diary.did("disk full", &format!("{time:?}"));
    }
}
