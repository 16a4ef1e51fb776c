//! A running romp and what its processes cost.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A main network's address (of the all-zero key hash): names under it are checked without a daemon.
pub(crate) const ADDRESS: &str = "1111111111111111111114oLvT2";
const NOTIFY_PASSWORD: &str = "bench";
/// So small a difficulty that every hash meets it, whatever the algorithm.
const DIFFICULTY: f64 = 1e-10;

/// What is started.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) binary: PathBuf,
    pub(crate) workers: usize,
    pub(crate) coins: usize,
    /// Of the coins in turn.
    pub(crate) algorithms: &'static [&'static str],
    pub(crate) redis: bool,
    pub(crate) daemon_port: u16,
    /// With a web site, and a year of history for so many miners.
    pub(crate) site: Option<usize>,
    /// Ports speak TLS, too.
    pub(crate) tls: bool,
}

/// romp in a folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    redis: Option<Child>,
    dir: tempfile::TempDir,
    binary: PathBuf,
    notify_port: u16,
    site_port: u16,
    /// One port for each coin.
    pub(crate) ports: Vec<u16>,
}

/// CPU time by role, nanoseconds.
pub(crate) type Cpu = BTreeMap<String, u64>;

/// A port that was free just now, below the ephemeral ones.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(27_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The limits on miners, out of the way: all clients come from this machine and never pause. 0 is
/// no limit. A release without the keys would refuse them.
fn limits(binary: &Path, config: &mut Value) {
    let schema = Command::new(binary).args(["schema", "config"]).output().expect("romp schema");
    if String::from_utf8_lossy(&schema.stdout).contains("\"connectionsPerAddress\"") {
        config["limits"] = json!({
            "allow": ["127.0.0.0/8"],
            "connectionsPerAddress": 0, "connectsPerSecond": 0, "requestsPerSecond": 0,
            "authorizesPerMinute": 0, "submitsPerSecond": 0, "refusedPerSecond": 0,
            "rigsPerAddress": 0,
        });
    }
}

/// A certificate that it signed itself.
fn certify(dir: &Path) {
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).expect("a certificate");
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).expect("a key");
}

fn write(path: &Path, value: &Value) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, value.to_string()).expect("a file of the configuration");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
}

impl Server {
    /// Starts it, and waits until all workers serve and all coins have work.
    pub(crate) fn start(setting: &Setting) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for folder in ["coins", "pool_configs"] {
            std::fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        let notify_port = free_port();
        let mut config = json!({
            "logLevel": "warning", "logColors": false,
            "clustering": {"enabled": true, "forks": setting.workers},
            "blockNotifyListener": {
                "enabled": true, "host": "127.0.0.1", "port": notify_port,
                "password": NOTIFY_PASSWORD,
            },
        });
        limits(&setting.binary, &mut config);
        let site_port = free_port();
        if setting.site.is_some() {
            config["website"] = json!({
                "enabled": true, "port": site_port, "stats": {"updateInterval": 5},
            });
        }
        if setting.tls {
            certify(dir.path());
            config["tls"] = json!({"cert": "cert.pem", "key": "key.pem"});
        }
        let redis = setting.redis.then(|| {
            let port = free_port();
            config["redis"] = json!({"host": "127.0.0.1", "port": port});
            start_redis(dir.path(), port)
        });
        write(&dir.path().join("config.json"), &config);
        let mut ports = Vec::new();
        for (coin, algorithm) in (0..setting.coins).zip(setting.algorithms.iter().cycle()) {
            let port = free_port();
            ports.push(port);
            let coin = format!("bench{coin}");
            let keys = json!({
                "name": coin, "symbol": "BNC", "algorithm": algorithm,
                "templateRules": ["segwit"],
                "networks": {"main": {"pubkeyHash": 0, "scriptHash": 5, "segwitHrp": "bc"}},
            });
            write(&dir.path().join(format!("coins/{coin}.json")), &keys);
            let mut rules = json!({"diff": DIFFICULTY});
            if setting.tls {
                rules["tls"] = json!(true);
            }
            let pool = json!({
                "enabled": true, "coin": format!("{coin}.json"), "address": ADDRESS,
                "ports": {port.to_string(): rules},
                "daemons": [{"host": "127.0.0.1", "port": setting.daemon_port, "user": "bench",
                    "password": "bench"}],
                "jobRebroadcastTimeout": 3600, "staleWorkTimeout": 7200,
                "banning": {"enabled": false}, "validateWorkerUsername": setting.site.is_none(),
            });
            write(&dir.path().join(format!("pool_configs/{coin}.json")), &pool);
        }
        if let Some(miners) = setting.site {
            super::site::remember(&dir.path().join("data"), "bench0", miners);
        }
        let output = std::fs::File::create(dir.path().join("output")).expect("a log");
        // Of its own, so that it can be replaced.
        let program = dir.path().join("romp");
        std::fs::copy(&setting.binary, &program).expect("a copy of the binary");
        let child = Command::new(&program)
            .arg("-C")
            .arg(dir.path())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log"))
            .stderr(output)
            .spawn()
            .expect("romp");
        let binary = setting.binary.clone();
        let server = Self { child, redis, dir, binary, notify_port, site_port, ports };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !server.is_ready(setting) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(server.dir.path().join("output"));
                panic!("romp does not get ready; its log:\n{}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn is_ready(&self, setting: &Setting) -> bool {
        let Some(status) = self.ask(&["status", "--json"]) else { return false };
        let fresh = status["coins"]
            .as_object()
            .map_or(0, |coins| coins.values().filter(|coin| coin["state"] == "fresh").count());
        let processes = setting.workers + 3 + usize::from(setting.site.is_some());
        fresh == setting.coins && self.processes().len() == processes
    }

    /// The certificate of the ports, PEM.
    pub(crate) fn certificate(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("cert.pem")).expect("a certificate")
    }

    /// Port of the web site.
    pub(crate) fn site(&self) -> u16 {
        self.site_port
    }

    /// Waits until the web site knows everything.
    pub(crate) fn wait_for_site(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let path = format!("http://127.0.0.1:{}/ready", self.site_port);
        while !ureq::get(&path).call().is_ok_and(|answer| answer.status().as_u16() == 200) {
            assert!(Instant::now() < deadline, "the site does not get ready");
            std::thread::sleep(Duration::from_millis(200));
        }
        // One more look, at what the last shares were.
        std::thread::sleep(Duration::from_secs(6));
    }

    /// Bytes in memory of the web site's process.
    pub(crate) fn site_memory(&self) -> u64 {
        let processes = self.processes();
        let pid = processes.iter().find(|(_, role)| role == "website").map(|(pid, _)| *pid);
        pid.and_then(romp::sys::process::cost).map_or(0, |cost| cost.resident)
    }

    fn ask(&self, arguments: &[&str]) -> Option<Value> {
        let output = Command::new(&self.binary)
            .arg("-C")
            .arg(self.dir.path())
            .args(arguments)
            .stderr(Stdio::null())
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Waits until the ledgers have counted so many shares; the count when it is right.
    pub(crate) fn wait_for_books(&self, shares: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let counted = (0..self.ports.len())
                .filter_map(|coin| self.ask(&["shares", &format!("bench{coin}"), "--json"]))
                .filter_map(|answer| answer["accepted"].as_u64())
                .sum::<u64>();
            if counted >= shares || Instant::now() > deadline {
                return counted;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Tells of a block, as a daemon's blocknotify does.
    pub(crate) fn notify(&self, hash: &str) {
        for coin in 0..self.ports.len() {
            let mut stream =
                TcpStream::connect(("127.0.0.1", self.notify_port)).expect("the notice port");
            let line =
                json!({"password": NOTIFY_PASSWORD, "coin": format!("bench{coin}"), "hash": hash});
            stream.write_all(format!("{line}\n").as_bytes()).expect("a notice");
            // The connection must live until the master has read it.
            stream.read_exact(&mut [0]).ok();
        }
    }

    /// The master's process id: by the lock of its folder, for the binary may have been replaced.
    pub(crate) fn pid(&self) -> u32 {
        let lock = std::fs::read_to_string(self.dir.path().join("data/romp.lock"));
        lock.ok().and_then(|pid| pid.trim().parse().ok()).unwrap_or_else(|| self.child.id())
    }

    /// Replaces the binary by a good one or by one that ends at once, tells the pool, and waits until
    /// that says what came of it.
    pub(crate) fn upgrade(&self, is_good: bool) {
        let reloads = || {
            let status = self.ask(&["status", "--json"])?;
            let reloaded = &status["reloaded"];
            Some((reloaded["count"].as_u64()?, reloaded["done"] == json!(true)))
        };
        let before = reloads().expect("a status").0;
        let new = self.dir.path().join("romp.new");
        std::fs::copy(&self.binary, &new).expect("a copy of the binary");
        if !is_good {
            std::fs::write(&new, "#!/bin/sh\nexit 1\n").expect("a script");
        }
        std::fs::rename(&new, self.dir.path().join("romp")).expect("in its place");
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGUSR2).expect("a signal");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match reloads() {
                Some((count, done)) if count > before => {
                    assert_eq!(done, is_good, "the upgrade");
                    return;
                }
                _ => assert!(Instant::now() < deadline, "no word of the upgrade"),
            }
            // Seldom: each question costs the pool's processor a little.
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Process ids with their roles.
    pub(crate) fn processes(&self) -> Vec<(u32, String)> {
        let master = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
        let children: Vec<u32> =
            children.unwrap_or_default().split(' ').filter_map(|pid| pid.parse().ok()).collect();
        let status = self.ask(&["status", "--json"]).unwrap_or_default();
        let role = |pid: u32| {
            let children = status["children"].as_array()?;
            let found = children.iter().find(|child| child["pid"] == json!(pid))?;
            Some(found["role"].as_str()?.to_owned())
        };
        let mut all = vec![(master, "master".to_owned())];
        all.extend(children.into_iter().filter_map(|pid| Some((pid, role(pid)?))));
        all
    }

    /// CPU time so far of all processes, also of children that have ended. `processes` is from
    /// [`Server::processes`].
    pub(crate) fn cpu(&self, processes: &[(u32, String)]) -> Cpu {
        let mut all = Cpu::new();
        for (pid, role) in processes {
            *all.entry(role.clone()).or_default() += ticks(*pid, 13..15);
        }
        *all.entry("ended".into()).or_default() += ticks(self.pid(), 15..17);
        all
    }

    /// Proportional set size of all processes of a role, bytes.
    pub(crate) fn memory(&self, processes: &[(u32, String)], role: &str) -> u64 {
        let pids = processes.iter().filter(|(_, is)| is == role).map(|(pid, _)| pid);
        pids.map(|pid| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            let text = text.unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kilobytes =
                line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
            kilobytes.unwrap_or(0) * 1024
        })
        .sum()
    }
}

/// Running time of all threads that live, nanoseconds: finer than [`Server::cpu`].
pub(crate) fn running(processes: &[(u32, String)]) -> Cpu {
    let mut all = Cpu::new();
    for (pid, role) in processes {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let sum = tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
            .sum::<u64>();
        *all.entry(role.clone()).or_default() += sum;
    }
    all
}

/// Fields of /proc/PID/stat (counted from 0) that are clock ticks of 10 ms, as nanoseconds. The
/// kernel scales their sum to what the scheduler measured.
fn ticks(pid: u32, fields: std::ops::Range<usize>) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = text.rsplit_once(") ") else { return 0 };
    let fields = rest.split(' ').skip(fields.start - 2).take(fields.len());
    fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10_000_000
}

pub(crate) fn start_redis(dir: &Path, port: u16) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(dir)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server");
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Drop for Server {
    fn drop(&mut self) {
        // The children see that the master is gone and end by themselves; there are no books to
        // keep.
        if let Ok(pid) = i32::try_from(self.pid()) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(mut redis) = self.redis.take() {
            redis.kill().ok();
            redis.wait().ok();
        }
    }
}
