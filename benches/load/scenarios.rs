//! What is measured, one function each.

use super::clients::{Counts, Load, now};
use super::report::{Report, percentile};
use super::server::{Cpu, Server, Setting, running};
use super::stub::Stub;
use std::path::PathBuf;
use std::time::Duration;

/// A name, and what is done.
type Scenario = (&'static str, fn(&mut Bench));

/// Every scenario by its name.
pub(crate) const ALL: [Scenario; 18] = [
    ("shares", Bench::shares),
    ("scrypt", Bench::scrypt),
    ("x11", Bench::x11),
    ("mixed", Bench::mixed),
    ("miners", Bench::miners),
    ("workers", Bench::workers),
    ("coins", Bench::coins),
    ("growth", Bench::growth),
    ("latency", Bench::latency),
    ("memory", Bench::memory),
    ("block", Bench::block),
    ("connect", Bench::connect),
    ("idle", Bench::idle),
    ("rounds", Bench::rounds),
    ("site", Bench::site),
    ("slow", Bench::slow),
    ("tls", Bench::tls),
    ("moving", Bench::moving),
];

/// The run.
#[derive(Debug)]
pub(crate) struct Bench {
    binary: PathBuf,
    quick: bool,
    pub(crate) redis: bool,
    pub(crate) report: Report,
}

/// A running pool with a daemon and miners.
pub(crate) struct Scene {
    pub(crate) load: Load,
    pub(crate) server: Server,
    pub(crate) stub: Stub,
    pub(crate) processes: Vec<(u32, String)>,
    /// Shares that were answered with true so far.
    accepted: u64,
}

impl Scene {
    /// Gives every miner a new tip, so that the shares before it no longer count towards the 65,536
    /// that a connection may have on one.
    fn new_block(&mut self) {
        self.load.take();
        self.server.notify(&self.stub.new_tip());
        self.load.wait_for_jobs(self.load.len());
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl Bench {
    pub(crate) fn new(binary: PathBuf, quick: bool, redis: bool, report: Report) -> Self {
        Self { binary, quick, redis, report }
    }

    /// One of two numbers: for a quick look, or for the full measurement.
    pub(crate) fn pick(&self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }

    pub(crate) fn time(&self, quick: u64, full: u64) -> Duration {
        seconds(if self.quick { quick } else { full })
    }

    pub(crate) fn scene(
        &self,
        algorithms: &'static [&'static str],
        workers: usize,
        coins: usize,
    ) -> Scene {
        let stub = Stub::start();
        let server = Server::start(&Setting { workers, coins, algorithms, ..self.setting(&stub) });
        let processes = server.processes();
        Scene { load: Load::new(), server, stub, processes, accepted: 0 }
    }

    /// A pool with a web site and a year of history, no miners yet.
    pub(crate) fn site_scene(&self, miners: usize) -> (Load, Server, Stub) {
        let stub = Stub::start();
        let server = Server::start(&Setting { site: Some(miners), ..self.setting(&stub) });
        (Load::new(), server, stub)
    }

    /// One worker and one coin.
    pub(crate) fn setting(&self, stub: &Stub) -> Setting {
        Setting {
            binary: self.binary.clone(),
            workers: 1,
            coins: 1,
            algorithms: &["sha256"],
            redis: self.redis,
            daemon_port: stub.port,
            site: None,
            tls: false,
        }
    }

    /// Mines with so many miners and shares in flight; microseconds of CPU for each accepted share.
    fn mine(
        &mut self,
        scene: &mut Scene,
        what: &str,
        miners: usize,
        flight: usize,
        time: Duration,
    ) {
        let Scene { load, server, processes, accepted, .. } = scene;
        load.connect(miners - load.len(), &server.ports);
        load.mine(flight, Duration::from_millis(500));
        load.rest();
        *accepted += load.take().accepted;
        server.wait_for_books(*accepted);
        let before = server.cpu(processes);
        let begun = now();
        load.mine(flight, time);
        load.rest();
        let elapsed = (now() - begun) as f64 / 1e9;
        let counts = load.take();
        *accepted += counts.accepted;
        let booked = server.wait_for_books(*accepted);
        let after = server.cpu(processes);
        check(&counts);
        assert_eq!(booked, *accepted, "the books differ from what was answered");
        let mut figures = share_cost(&before, &after, counts.accepted);
        figures.push(("shares/s", counts.accepted as f64 / elapsed));
        figures.extend(latencies(counts));
        let workers = processes.iter().filter(|(_, role)| role == "worker").count();
        let setting = format!(
            "{miners} miners x {flight}, {workers} workers, {} coins{}",
            server.ports.len(),
            if self.redis { ", redis" } else { "" },
        );
        self.report.add(what, setting, figures);
    }

    fn shares(&mut self) {
        let mut scene = self.scene(&["sha256"], 1, 1);
        let time = self.time(1, 5);
        for (what, fresh) in [("sha256", false), ("sha256, each its extranonce2", true)] {
            scene.load.fresh = fresh;
            for flight in [2, 16] {
                self.mine(&mut scene, what, 100, flight, time);
                scene.new_block();
            }
        }
    }

    fn scrypt(&mut self) {
        let mut scene = self.scene(&["scrypt"], 1, 1);
        let time = self.time(2, 10);
        self.mine(&mut scene, "scrypt", 100, 2, time);
    }

    fn x11(&mut self) {
        let mut scene = self.scene(&["x11"], 1, 1);
        let time = self.time(1, 5);
        self.mine(&mut scene, "x11", 100, 2, time);
    }

    fn miners(&mut self) {
        let mut scene = self.scene(&["sha256"], 1, 1);
        let time = self.time(1, 2);
        let sizes = [20, 100, 1000, 10_000];
        for miners in sizes.into_iter().skip(self.pick(2, 0)).take(self.pick(1, 4)) {
            self.mine(&mut scene, "miners", miners, 2, time);
            scene.new_block();
        }
    }

    fn workers(&mut self) {
        let time = self.time(1, 5);
        for workers in [1, 2, 4].into_iter().skip(self.pick(1, 0)).take(self.pick(1, 3)) {
            let mut scene = self.scene(&["sha256"], workers, 1);
            self.mine(&mut scene, "workers", 100, 2, time);
        }
    }

    fn coins(&mut self) {
        let time = self.time(1, 5);
        for coins in [1, 4, 16].into_iter().skip(self.pick(1, 0)).take(self.pick(1, 3)) {
            let mut scene = self.scene(&["sha256"], 1, coins);
            self.mine(&mut scene, "coins", 96, 2, time);
        }
    }

    /// Shares on one job: their number grows, their cost must not. Ends well below the 6,500,000
    /// that a hundred connections may have on one tip.
    fn growth(&mut self) {
        let Scene { mut load, server, processes, stub: _stub, .. } = self.scene(&["sha256"], 1, 1);
        load.connect(100, &server.ports);
        let (mut on_job, mut counted) = (0, 0);
        while on_job < self.pick(100_000, 4_000_000) as u64 {
            let before = server.cpu(&processes);
            load.mine(16, self.time(1, 2));
            load.rest();
            let counts = load.take();
            check(&counts);
            counted = server.wait_for_books(counted + counts.accepted);
            let figures = share_cost(&before, &server.cpu(&processes), counts.accepted);
            self.report.add("growth", format!("after {on_job} shares on the job"), figures);
            on_job += counts.accepted;
        }
    }

    /// Many miners with few shares, first undisturbed, then with a new job every second.
    fn latency(&mut self) {
        let Scene { mut load, server, processes, stub, .. } = self.scene(&["sha256"], 1, 1);
        let miners = self.pick(1000, 5000);
        load.connect(miners, &server.ports);
        load.listen(Duration::from_millis(500));
        load.take();
        let before = server.cpu(&processes);
        load.trickle(300, self.time(3, 20));
        let counts = load.take();
        check(&counts);
        let mut figures = share_cost(&before, &server.cpu(&processes), counts.accepted);
        figures.extend(latencies(counts));
        self.report.add("latency", format!("{miners} miners, 300 shares/s together"), figures);
        for _ in 0..self.pick(2, 10) {
            server.notify(&stub.new_tip());
            load.trickle(300, seconds(1));
        }
        let counts = load.take();
        assert_eq!(counts.rejected, 0, "{}", counts.words);
        let mut figures = vec![("stale", counts.stale as f64)];
        figures.extend(latencies(counts));
        self.report.add("latency", "the same with a new block every second".into(), figures);
    }

    fn memory(&mut self) {
        let Scene { mut load, server, processes, stub, .. } = self.scene(&["sha256"], 1, 1);
        let miners = self.pick(1000, 10_000);
        // What the first connections bring once for all is not each connection's.
        load.connect(100, &server.ports);
        load.listen(seconds(1));
        let empty = server.memory(&processes, "worker");
        load.connect(miners, &server.ports);
        load.listen(seconds(2));
        let each = |bytes: u64| bytes.saturating_sub(empty) as f64 / miners as f64;
        let fresh = each(server.memory(&processes, "worker"));
        load.take();
        // Work is given out four times a second at most.
        for job in 1..=self.pick(20, 100) {
            server.notify(&stub.new_tip());
            load.wait_for_jobs(job * load.len());
        }
        load.listen(seconds(1));
        let jobs = load.take().jobs as f64 / load.len() as f64;
        let aged = each(server.memory(&processes, "worker"));
        load.mine(1, seconds(2));
        load.rest();
        load.listen(seconds(2));
        let mined = each(server.memory(&processes, "worker"));
        let figures = vec![
            ("B fresh", fresh),
            ("B after jobs", aged),
            ("jobs", jobs),
            ("B after shares", mined),
        ];
        self.report.add("memory", format!("{miners} idle connections, worker's PSS"), figures);
    }

    /// From a block notice to the last miner's job.
    fn block(&mut self) {
        for workers in [1, 2] {
            let Scene { mut load, server, stub, processes, .. } =
                self.scene(&["sha256"], workers, 1);
            let miners = self.pick(2000, 10_000);
            load.connect(miners, &server.ports);
            load.listen(self.time(1, 2));
            let (mut first, mut last, mut daemon) = (Vec::new(), Vec::new(), Vec::new());
            let rounds = self.pick(2, 15);
            let mut spent = 0;
            for _ in 0..rounds {
                load.take();
                let before = running(&processes);
                stub.template_times();
                let hash = stub.new_tip();
                let begun = now();
                server.notify(&hash);
                // The kernel stamps what arrives: the miners, who stand elsewhere in real life,
                // need no processor meanwhile.
                std::thread::sleep(Duration::from_millis(500));
                spent += running(&processes)["worker"] - before["worker"];
                load.wait_for_jobs(miners);
                let counts = load.take();
                let times = stub.template_times();
                daemon.push(times.first().map_or(0, |time| time.as_nanos() as u64));
                first.push(counts.first_job - begun);
                last.push(counts.last_job - begun);
            }
            let spread: Vec<u64> = first.iter().zip(&last).map(|(one, two)| two - one).collect();
            let own: Vec<u64> = last.iter().zip(&daemon).map(|(one, two)| one - two).collect();
            let middle = |mut values: Vec<u64>| {
                values.sort_unstable();
                percentile(&values, 0.5) / 1e6
            };
            let figures = vec![
                ("ms to the last", middle(last)),
                ("of it the daemon's", middle(daemon)),
                ("without it", middle(own)),
                ("from the first miner to the last", middle(spread)),
                ("workers' us CPU a miner", spent as f64 / 1e3 / (rounds * miners) as f64),
            ];
            self.report.add("block", format!("{miners} miners, {workers} workers"), figures);
        }
    }

    fn connect(&mut self) {
        for workers in [1, 2] {
            let Scene { mut load, server, processes, stub: _stub, .. } =
                self.scene(&["sha256"], workers, 1);
            let miners = self.pick(2000, 10_000);
            let before = server.cpu(&processes);
            let time = load.connect(miners, &server.ports);
            let spent = sum(&server.cpu(&processes)) - sum(&before);
            let figures = vec![
                ("s", time.as_secs_f64()),
                ("connects/s", miners as f64 / time.as_secs_f64()),
                ("us CPU each", spent as f64 / 1e3 / miners as f64),
            ];
            self.report.add("connect", format!("{miners} miners, {workers} workers"), figures);
        }
    }

    fn idle(&mut self) {
        let settings = [(1, 0), (8, 0), (2, 0), (1, 1000), (1, 10_000)];
        for (workers, miners) in settings.into_iter().take(self.pick(2, 5)) {
            let Scene { mut load, server, processes, stub: _stub, .. } =
                self.scene(&["sha256"], workers, 1);
            load.connect(miners, &server.ports);
            load.listen(self.time(1, 2));
            let before = running(&processes);
            let time = self.time(2, 20);
            std::thread::sleep(time);
            let after = running(&processes);
            let rate = |role: &str| {
                let spent =
                    after.get(role).copied().unwrap_or(0) - before.get(role).copied().unwrap_or(0);
                spent as f64 / 1e6 / time.as_secs_f64()
            };
            let figures = vec![
                ("ms/s", (sum(&after) - sum(&before)) as f64 / 1e6 / time.as_secs_f64()),
                ("master", rate("master")),
                ("workers", rate("worker")),
                ("templates", rate("templates")),
                ("bookkeeper", rate("bookkeeper")),
            ];
            self.report.add("idle", format!("{workers} workers, {miners} silent miners"), figures);
        }
    }
}

fn sum(cpu: &Cpu) -> u64 {
    cpu.values().sum()
}

/// Nothing was refused that should not have been.
pub(crate) fn check(counts: &Counts) {
    assert!(counts.accepted > 0, "no share was accepted");
    assert_eq!((counts.rejected, counts.lost), (0, 0), "{}", counts.words);
}

/// CPU microseconds for each share: all, and the part of each role.
fn share_cost(before: &Cpu, after: &Cpu, shares: u64) -> Vec<(&'static str, f64)> {
    let each = |nanoseconds: u64| nanoseconds as f64 / 1e3 / shares.max(1) as f64;
    let of = |role: &str| {
        let at = |cpu: &Cpu| cpu.get(role).copied().unwrap_or(0);
        each(at(after).saturating_sub(at(before)))
    };
    vec![
        ("us/share", each(sum(after) - sum(before))),
        ("worker", of("worker")),
        ("bookkeeper", of("bookkeeper")),
    ]
}

/// Reply latencies, milliseconds.
pub(crate) fn latencies(counts: Counts) -> Vec<(&'static str, f64)> {
    let mut all = counts.latencies;
    all.sort_unstable();
    let at = |share: f64| percentile(&all, share) / 1e6;
    vec![("ms p50", at(0.5)), ("p99", at(0.99)), ("p99.9", at(0.999)), ("max", at(1.0))]
}
