//! Miners change their process under load: at reloads, at upgrades of the binary, and when workers
//! are killed.

use super::scenarios::{Bench, Scene, latencies};
use super::server::Server;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// Shares of all miners, a second.
const SHARES: u64 = 2000;
/// Reloads, upgrades, and kills.
const RELOADS: usize = 20;
const UPGRADES: usize = 10;
const KILLS: usize = 60;
/// Time between two reloads: the least is a second.
const A_RELOAD: Duration = Duration::from_millis(1200);
/// Time between two upgrades, which take about a second.
const AN_UPGRADE: Duration = Duration::from_millis(3000);

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("a signal");
}

fn reload(server: &Server, count: usize) {
    for _ in 0..count {
        send(server.pid(), Signal::SIGHUP);
        sleep(A_RELOAD);
    }
}

/// One of them, in the middle, is of a binary that is broken.
fn upgrade(server: &Server, count: usize) {
    for turn in 0..count {
        let begun = Instant::now();
        server.upgrade(turn != count / 2);
        sleep(AN_UPGRADE.saturating_sub(begun.elapsed()));
    }
}

/// One worker a second, the first and the last of the list in turn.
fn kill_workers(server: &Server, count: usize) {
    for turn in 0..count {
        let all = server.processes();
        let mut workers = all.iter().filter(|(_, role)| role == "worker").map(|(pid, _)| *pid);
        let victim = if turn % 2 == 0 { workers.next() } else { workers.next_back() };
        if let Some(pid) = victim {
            send(pid, Signal::SIGKILL);
        }
        sleep(Duration::from_secs(1));
    }
}

impl Bench {
    /// Thousands of miners on two workers: alone, with one reload after the other, with one upgrade
    /// after the other, and with a worker killed each second. Disconnects, refused shares,
    /// unanswered ones, and what the ledger has beyond what miners were told (never less).
    pub(crate) fn moving(&mut self) {
        let miners = self.pick(1000, 5000);
        let (reloads, kills) = (self.pick(5, RELOADS), self.pick(10, KILLS));
        let upgrades = self.pick(3, UPGRADES);
        let Scene { mut load, server, stub: _stub, .. } = self.scene(&["sha256"], 2, 1);
        load.connect(miners, &server.ports);
        load.trickle(SHARES, Duration::from_secs(3));
        let mut told = load.take().accepted;
        type Work = fn(&Server, usize);
        let parts: [(&str, Work, usize, Duration); 4] = [
            ("alone", |_, _| {}, 0, Duration::from_secs(5)),
            ("reloads", reload, reloads, A_RELOAD),
            ("upgrades, one of them broken", upgrade, upgrades, AN_UPGRADE),
            ("kill -9 of a worker each second", kill_workers, kills, Duration::from_secs(1)),
        ];
        for (what, work, count, each) in parts {
            load.lenient = count == kills;
            let time = each * u32::try_from(count.max(1)).expect("few") + Duration::from_secs(2);
            let before = server.wait_for_books(told);
            let counts = scope(|threads| {
                threads.spawn(|| work(&server, count));
                load.trickle(SHARES, time);
                load.take()
            });
            told += counts.accepted;
            let booked = server.wait_for_books(told);
            let mut figures = vec![
                ("disconnects", counts.lost as f64),
                ("rejected", counts.rejected as f64),
                ("stale", counts.stale as f64),
                ("unanswered", counts.unanswered as f64),
                ("accepted", counts.accepted as f64),
                ("in the ledger beyond that", (booked - before) as f64 - counts.accepted as f64),
            ];
            told = booked;
            // Without some answers it cannot be told which share the next one is for.
            if counts.unanswered == 0 {
                figures.extend(latencies(counts));
            }
            let setting = format!("{miners} miners, {SHARES} shares/s, {what} ({count})");
            self.report.add("moving", setting, figures);
        }
    }
}
