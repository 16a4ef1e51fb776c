//! A running `romp` in a folder of its own.

use super::{Process, free_port, is_alive, kill, seconds, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A regtest address of Bitcoin and Litecoin: pay to the all-zero public key hash.
pub(crate) const ADDRESS: &str = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8";
/// The password of `blockNotifyListener`.
pub(crate) const NOTIFY_PASSWORD: &str = "notify-secret";

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_romp");

/// Runs a command of the binary to its end.
pub(crate) fn romp(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).output().expect("the romp binary")
}

/// What a pool file says, with the values that tests vary.
pub(crate) struct Pool {
    coin: String,
    keys: Map<String, Value>,
}

impl Pool {
    /// A pool of `coins/<coin>.json` with one port.
    pub(crate) fn new(coin: &str, port: u16, port_rules: Value, daemons: Value) -> Self {
        let Value::Object(keys) = json!({
            "enabled": true,
            "coin": format!("{coin}.json"),
            "address": ADDRESS,
            "ports": {port.to_string(): port_rules},
            "daemons": daemons,
            "blockRefreshInterval": 200,
            "banning": {"enabled": false},
        }) else {
            unreachable!("an object")
        };
        Self { coin: coin.to_owned(), keys }
    }

    /// With another key, or another value for one.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.keys.insert(key.to_owned(), value);
        self
    }

    /// Its coin's id.
    pub(crate) fn coin(&self) -> &str {
        &self.coin
    }

    pub(crate) fn write(&self, dir: &Path) {
        let path = dir.join("pool_configs").join(format!("{}.json", self.coin));
        let text = serde_json::to_string_pretty(&self.keys).expect("JSON");
        write_private(&path, &text);
    }
}

/// The server, its folder and its blocknotify port.
pub(crate) struct Romp {
    /// `None` between a stop and the next start.
    process: Option<Process>,
    dir: TempDir,
    /// What is started: by its path, or by its name where `PATH` leads to it.
    pub(crate) program: String,
    pub(crate) notify_port: u16,
    config: Map<String, Value>,
}

impl Romp {
    /// Writes the folder; nothing runs yet.
    pub(crate) fn prepare(forks: u16, pools: &[&Pool]) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let notify_port = free_port();
        for folder in ["coins", "pool_configs"] {
            std::fs::create_dir(dir.path().join(folder)).expect("folder");
        }
        let coins = Path::new(env!("CARGO_MANIFEST_DIR")).join("coins");
        for coin in std::fs::read_dir(coins).expect("coins/").flatten() {
            std::fs::copy(coin.path(), dir.path().join("coins").join(coin.file_name()))
                .expect("coin file");
        }
        let Value::Object(config) = json!({
            "logLevel": "debug",
            "logColors": false,
            "clustering": {"enabled": true, "forks": forks},
            "blockNotifyListener": {
                "enabled": true, "port": notify_port, "password": NOTIFY_PASSWORD,
            },
        }) else {
            unreachable!("an object")
        };
        let program = BINARY.to_owned();
        let romp = Self { process: None, dir, program, notify_port, config };
        romp.write_config();
        for pool in pools {
            pool.write(romp.path());
        }
        romp
    }

    /// Prepares and starts, and waits until every worker serves and every coin has work.
    pub(crate) fn start(forks: u16, pools: &[&Pool]) -> Self {
        let mut romp = Self::prepare(forks, pools);
        romp.run();
        romp.wait_ready(usize::from(forks));
        romp
    }

    /// Starts the server in the folder as it is.
    pub(crate) fn run(&mut self) {
        self.run_by("env", &[]);
    }

    /// The same by way of `env` or another program that sets something, with its arguments.
    pub(crate) fn run_by(&mut self, program: &str, args: &[&str]) {
        let dir = self.path().display().to_string();
        let output = self.path().join("output");
        let points = format!("ROMP_FAIL_POINTS={}", self.fail_points().display());
        let args = [args, &["env", &points, &self.program, "-C", &dir, "run"]].concat();
        self.process = Some(Process::start(program, &args, &output));
    }

    /// Waits until `workers` workers, `templates` and `bookkeeper` are there and coins are fresh.
    pub(crate) fn wait_ready(&mut self, workers: usize) {
        wait_for("romp to be ready", seconds(40), || {
            if let Some(status) = self.process().ended() {
                panic!("romp ended with {status}");
            }
            let status = self.status()?;
            let up = |role: &str, count: usize| pids_in(&status, role).len() == count;
            let pools = std::fs::read_dir(self.path().join("pool_configs")).ok()?.count();
            let coins = status["coins"].as_object()?;
            let fresh = coins.values().filter(|coin| coin["state"] == json!("fresh")).count();
            (up("worker", workers) && up("templates", 1) && up("bookkeeper", 1) && fresh == pools)
                .then_some(())
        });
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Whoever comes to a point that a file in here is named after is killed there.
    fn fail_points(&self) -> PathBuf {
        self.path().join("fail-points")
    }

    /// The next process that comes to this point is killed there.
    pub(crate) fn arm(&self, point: &str) {
        std::fs::create_dir_all(self.fail_points()).expect("folder");
        std::fs::write(self.fail_points().join(point), "").expect("fail point");
    }

    /// Points that nobody has come to yet.
    pub(crate) fn armed(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.fail_points()).into_iter().flatten().flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("romp was started")
    }

    /// Sets a key of `config.json`, or removes it.
    pub(crate) fn set(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.config.insert(key.to_owned(), value),
            None => self.config.remove(key),
        };
        self.write_config();
    }

    fn write_config(&self) {
        let text = serde_json::to_string_pretty(&self.config).expect("JSON");
        write_private(&self.path().join("config.json"), &text);
    }

    /// Writes `coins/<id>.json`.
    pub(crate) fn write_coin(&self, id: &str, coin: &Value) {
        let path = self.path().join("coins").join(format!("{id}.json"));
        std::fs::write(path, coin.to_string()).expect("coin file");
    }

    /// A command in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        let dir = self.path().display().to_string();
        romp(&[&["-C", &dir], args].concat())
    }

    /// What a command prints as JSON, when it succeeds.
    pub(crate) fn json(&self, args: &[&str]) -> Option<Value> {
        let output = self.command(args);
        if !output.status.success() {
            return None;
        }
        Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stdout))
        }))
    }

    /// `romp status --json`, while the server runs.
    pub(crate) fn status(&self) -> Option<Value> {
        self.json(&["status", "--json"])
    }

    /// `romp shares COIN --json`: (accepted, rejected, the round's difficulty by miner).
    pub(crate) fn shares(&self, coin: &str) -> (u64, u64, Map<String, Value>) {
        let shares = self.json(&["shares", coin, "--json"]).unwrap_or_default();
        (
            shares["accepted"].as_u64().unwrap_or_default(),
            shares["rejected"].as_u64().unwrap_or_default(),
            shares["round"]["miners"].as_object().cloned().unwrap_or_default(),
        )
    }

    /// Process ids of a role's living children.
    pub(crate) fn pids(&self, role: &str) -> Vec<i32> {
        self.status().map(|status| pids_in(&status, role)).unwrap_or_default()
    }

    /// Miners of each worker, by process id.
    pub(crate) fn miners(&self) -> Vec<(i32, u64)> {
        let status = self.status().unwrap_or_default();
        children_in(&status, "worker")
            .iter()
            .map(|child| (pid_of(child), child["miners"].as_u64().unwrap_or_default()))
            .collect()
    }

    /// Kills -9 one child of a role, and waits until another one stands in its slot.
    pub(crate) fn kill_child(&self, role: &str) {
        let before = self.pids(role);
        let victim = *before.first().unwrap_or_else(|| panic!("no {role} to kill"));
        kill(victim, Signal::SIGKILL);
        wait_until(&format!("{role} to be refilled"), seconds(20), || {
            let now = self.pids(role);
            now.len() == before.len() && !now.contains(&victim)
        });
    }

    /// Every child of the master, from the kernel.
    pub(crate) fn children(&mut self) -> Vec<i32> {
        let pid = self.process().pid();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(path).unwrap_or_default();
        children.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect()
    }

    /// Every process that was started as `romp -C` this folder, and what it has forked, from the
    /// kernel.
    pub(crate) fn everyone(&self) -> Vec<i32> {
        let mark = format!("\0-C\0{}\0run\0", self.path().display());
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&mark)
        })
        .collect()
    }

    /// The server's output so far.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.path().join("output")).unwrap_or_default()
    }

    /// Signals the master, and waits for its end; the exit code.
    pub(crate) fn stop(&mut self, signal: Signal) -> Option<i32> {
        let children = self.children();
        self.process().signal(signal);
        let status = self.process().wait("romp to end", seconds(30));
        self.process = None;
        assert!(!children.iter().any(|&pid| is_alive(pid)), "children outlive the master");
        status.code()
    }
}

impl Drop for Romp {
    fn drop(&mut self) {
        // Its output is printed by `Process` when the test fails.
        self.process = None;
        // Children, and a binary that has replaced it or was about to.
        for _ in 0..500 {
            let left = self.everyone();
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(|pid| kill(pid, Signal::SIGKILL));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Writes a file with passwords in it.
fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("configuration file");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
}

/// The objects of a status that describe a serving child of that role.
fn children_in(status: &Value, role: &str) -> Vec<Value> {
    let serves = |child: &&Value| child["role"] == json!(role) && child["state"] == json!("ready");
    status["children"].as_array().into_iter().flatten().filter(serves).cloned().collect()
}

fn pid_of(child: &Value) -> i32 {
    child["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
}

fn pids_in(status: &Value, role: &str) -> Vec<i32> {
    children_in(status, role).iter().map(pid_of).filter(|&pid| is_alive(pid)).collect()
}

/// `romp miner` against a port until the test drops it, or for some seconds.
pub(crate) fn start_miner(
    algorithm: &str,
    port: u16,
    user: &str,
    seconds: Option<u64>,
    output: &Path,
) -> Process {
    let url = format!("stratum+tcp://127.0.0.1:{port}");
    let mut args = vec!["miner", "-a", algorithm, "-t", "1", "-o", &url, "-u", user, "-p", "x"];
    let text = seconds.map(|seconds| seconds.to_string());
    if let Some(text) = &text {
        args.extend(["--seconds", text]);
    }
    Process::start(BINARY, &args, output)
}

/// (accepted, rejected) of the last progress line of `romp miner`.
pub(crate) fn miner_counts(printed: &str) -> Option<(u64, u64)> {
    let line = printed
        .rsplit(['\n', '\r'])
        .find(|line| line.contains("accepted") && line.contains("rejected"))?;
    let words: Vec<&str> = line
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let beside = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        let parse = |at: Option<usize>| words.get(at?)?.parse::<u64>().ok();
        parse(Some(at + 1)).or_else(|| parse(at.checked_sub(1)))
    };
    Some((beside("accepted")?, beside("rejected")?))
}
