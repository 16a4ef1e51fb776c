//! The end of a campaign: everything is repaired, then the books are compared.

use crate::books::{self, Balance, COIN, Journals, Ledger};
use crate::harness::{is_alive, seconds};
use crate::load::Report;
use crate::options::Store;
use crate::scene::{DIFFICULTIES, ENDING, Master, Scene};
use crate::vitals::{self, Vitals};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

impl Scene {
    /// Waits for something while faults are undone and the master is looked after. A deadline
    /// that passes is a broken promise.
    fn until(&mut self, what: &str, deadline: Duration, mut holds: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() > deadline {
                self.diary.broke(format!("waited {deadline:?} in vain for {what}"));
                return;
            }
            self.turn();
            std::thread::sleep(Duration::from_millis(50));
        }
        self.diary.note(&format!("{what}: after {:?}", start.elapsed()));
    }

    /// Every miner has had a share accepted from now on.
    pub(crate) fn all_served(&mut self, deadline: Duration) {
        let before = self.shared.served();
        self.until("every miner to be served", deadline, |scene| {
            let now = scene.shared.served();
            now.iter().zip(&before).all(|(now, before)| now > before)
        });
    }

    /// Undoes every fault and waits until pool and nodes are well.
    pub(crate) fn calm(&mut self) {
        self.diary.note("faults end");
        self.until("every fault to be undone", seconds(120), |scene| {
            for (at, _) in &mut scene.undo {
                *at = Instant::now();
            }
            scene.undo.is_empty() && scene.master == Master::Up
        });
        let workers = self.workers;
        self.romp.set("clustering", Some(json!({"enabled": true, "forks": workers})));
        self.write_pool(DIFFICULTIES[0], None);
        // Not before it is able to hear it.
        self.until("the master to answer", seconds(30), |scene| scene.status().is_some());
        self.hup();
        for index in [0, 1] {
            self.until("the nodes to answer", seconds(60), |scene| {
                scene.ask(index, "setnetworkactive", json!([true])).is_some()
            });
            self.pair.meet(index);
        }
        self.until("the nodes to have one tip", seconds(60), |scene| {
            // Equal branches only end when one grows.
            let script = format!("raw(6a08{:016x})", scene.random.next());
            scene.ask(2, "generatetodescriptor", json!([1, script]));
            std::thread::sleep(Duration::from_millis(700));
            let tips = [0, 1, 2].map(|index| scene.ask(index, "getbestblockhash", json!([])));
            tips[0].is_some() && tips.iter().all(|tip| *tip == tips[0])
        });
        self.until("the pool to be well", seconds(90), |scene| {
            let status = scene.status().unwrap_or_default();
            let children = status["children"].as_array().cloned().unwrap_or_default();
            // And of the master that is there after an upgrade.
            status["pid"] == json!(scene.romp.process().pid())
                && children.len() == usize::from(scene.workers) + 2
                && children.iter().all(|child| child["state"] == json!("ready"))
                && status["coins"][COIN]["state"] == json!("fresh")
        });
    }

    /// Compares, reports, and says whether all promises were kept.
    pub(crate) fn reckon(&mut self, report: &Report, mut vitals: Vitals) -> ExitCode {
        let mut last = Value::Null;
        self.until("the journals to be booked", seconds(60), |scene| {
            last = scene.romp.json(&["shares", COIN, "--json"]).unwrap_or_default();
            last["pending_bytes"] == json!(0)
        });
        let vault = self.data().join("vault").join(COIN);
        let open = |vault: &std::path::Path| {
            let files = std::fs::read_dir(vault).into_iter().flatten().flatten();
            files.filter(|file| file.path().extension().is_some_and(|end| end == "json")).count()
        };
        // A block that nobody can take is kept for hours, so this is no promise.
        let patience = Instant::now() + (self.options.length / 10).min(seconds(12));
        while open(&vault) > 0 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(100));
        }
        let unsettled = open(&vault);
        // Work of older tips, a descriptor each, is forgotten with the second new one.
        for _ in 0..2 {
            let script = format!("raw(6a08{:016x})", self.random.next());
            self.ask(2, "generatetodescriptor", json!([1, script]));
            std::thread::sleep(seconds(1));
        }
        let processes = self.processes();
        vitals.end(&processes);
        let chain = self.chain();
        self.stop(&processes);

        let journals = Journals::read(&self.data());
        let ledger = match self.options.store {
            Store::Sqlite => Ledger::sqlite(&self.ledger_file()).expect("the ledger"),
            Store::Redis => {
                let mut connection = self.redis_connection().expect("redis");
                Ledger::redis(&mut connection).expect("the ledger")
            }
        };
        let balance = books::compare(report, &journals, &ledger, &chain, &self.full);
        for finding in balance.findings.iter().chain(&vitals.findings(self.workers)) {
            self.diary.broke(finding.clone());
        }
        if balance.acknowledged == 0 {
            self.diary.broke("no share was accepted".to_owned());
        }
        self.read_log();
        self.tell(report, &journals, &ledger, &balance, &vitals, unsettled);
        if self.diary.broken.is_empty() {
            self.diary.say("Every promise was kept.");
            return ExitCode::SUCCESS;
        }
        let kept = self.options.log.with_extension("folder");
        let _ = std::fs::remove_dir_all(&kept);
        let copied = Command::new("cp").arg("-r").arg(self.romp.path()).arg(&kept).status();
        for finding in self.diary.broken.clone() {
            self.diary.say(&format!("BROKEN  {finding}"));
        }
        if copied.is_ok_and(|status| status.success()) {
            self.diary.say(&format!("the pool's folder is kept in {}", kept.display()));
        }
        ExitCode::FAILURE
    }

    /// The hashes of the main chain.
    fn chain(&mut self) -> BTreeSet<String> {
        let height = self.pair.third.height();
        let hash = |height| self.pair.third.text("getblockhash", json!([height]));
        (440..=height).map(hash).collect()
    }

    /// Ends the pool; nothing of it may be left.
    fn stop(&mut self, processes: &[(i32, String)]) {
        self.romp.process().signal(Signal::SIGTERM);
        self.master = Master::Ending(Instant::now());
        let status = self.romp.process().wait("the master's end", ENDING);
        if status.code() != Some(0) {
            self.diary.broke(format!("the master ended with {status}"));
        }
        for (pid, role) in processes.iter().filter(|(pid, _)| is_alive(*pid)) {
            self.diary.broke(format!("{role} {pid} outlives the master"));
        }
        for pid in vitals::naming(self.romp.path()) {
            self.diary.broke(format!("process {pid} of the pool is left"));
        }
        if self.data().join("romp.sock").exists() {
            self.diary.broke("the control socket's file is left".to_owned());
        }
    }

    /// A process that panicked is a defect, whatever came of it.
    pub(crate) fn read_log(&mut self) {
        for name in ["romp.log", "output"] {
            let text = std::fs::read(self.romp.path().join(name)).unwrap_or_default();
            for line in String::from_utf8_lossy(&text).lines() {
                if line.contains("panicked") || line.contains("this is a bug") {
                    let line = format!("the log says: {line}");
                    if !self.diary.broken.contains(&line) {
                        self.diary.broke(line);
                    }
                }
            }
        }
    }

    fn tell(
        &mut self,
        report: &Report,
        journals: &Journals,
        ledger: &Ledger,
        balance: &Balance,
        vitals: &Vitals,
        unsettled: usize,
    ) {
        let mut lines = vec![format!(
            "seed {}, {} s, {} faults:",
            self.options.seed,
            self.diary.elapsed().as_secs(),
            self.diary.counts.values().sum::<u64>()
        )];
        for (kind, count) in &self.diary.counts {
            lines.push(format!("  {count:6}  {kind}"));
        }
        if !self.disk {
            lines.push("          the disk was never full: it takes a mount namespace".into());
        }
        let refused: u64 = report.refused.values().sum();
        lines.push("shares".into());
        for (what, count) in [
            ("sent", report.sent),
            ("acknowledged", balance.acknowledged),
            ("refused", refused),
            ("in the journals", journals.count),
            (Ledger::place(self.options.store), ledger.accepted),
            ("lost", balance.lost),
            ("counted twice or never sent", balance.double),
            ("counted, the answer never read", balance.unread),
            ("counted, refused for a full disk", balance.unrecorded),
        ] {
            lines.push(format!("  {count:9}  {what}"));
        }
        for (words, count) in &report.refused {
            lines.push(format!("  {count:9}  refused: {words}"));
        }
        lines.push(format!(
            "  {:9}  connections, {} of them not ended by the miner",
            report.connections, report.cut_off
        ));
        lines.push("blocks".into());
        for (what, count) in [
            ("sent", report.finds.len() as u64),
            ("acknowledged", balance.found),
            ("recorded", ledger.blocks.len() as u64),
            ("in the chain", balance.in_chain),
            ("in the vault without an answer", unsettled as u64),
        ] {
            lines.push(format!("  {count:9}  {what}"));
        }
        lines.push("memory (kB) and descriptors: at the start, most, at the end".into());
        for (role, vital) in &vitals.roles {
            let ((a, x), (b, y), (c, z)) = (vital.start, vital.most, vital.end);
            lines.push(format!("  {role:10} {a:7} {b:7} {c:7}   {x:4} {y:4} {z:4}"));
        }
        for line in lines {
            self.diary.say(&line);
        }
    }
}
