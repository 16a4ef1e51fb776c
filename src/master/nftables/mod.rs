//! Bans for the kernel, where that is wanted: it drops what begins a connection from there, so that
//! whoever is banned costs nothing. It is told by nft(8), one transaction at a time; the master
//! never waits for it. What goes wrong is said, and tried again: workers ban all the same.

mod plan;

use super::Master;
use crate::config::{self, Config};
use crate::net::bans::MOST;
use crate::special;
use crate::sys::clock::unix_ms;
use crate::sys::fork::{self, Ended};
use crate::sys::log::escape;
use crate::sys::signals::SIGKILL;
use crate::sys::{memfd, privileges};
use ipnet::IpNet;
use plan::{Frame, Wide};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::process::{Command, Stdio};

/// Milliseconds that a transaction may take. 100,000 bans take one second.
const PATIENCE_MS: u64 = 10_000;
/// Milliseconds until what has failed is tried again.
const RETRY_MS: u64 = 30_000;
/// Changes that a dry run logs at a time.
const MOST_LINES: usize = 20;
/// Bytes of what the program says that are read, and letters of its first line that are shown.
const LONGEST_WORDS: u64 = 4096;
const LONGEST_LINE: usize = 200;
/// The name under which `romp status` shows what is wrong.
const PART: &str = "nftables";

/// What the kernel was told, and what is to be told.
#[derive(Debug, Default)]
pub(super) struct Nftables {
    /// Networks whose ban is new, longer or lifted.
    changed: BTreeSet<IpNet>,
    /// Intervals that were told.
    wide: Wide,
    /// The configuration that the whole table was last told for; 0: it must be told.
    generation: u32,
    /// The table that this process has made.
    table: Option<String>,
    running: Option<Running>,
    /// After a failure not before, with the configuration that was tried.
    retry_at: u64,
    tried: u32,
    trouble: Option<String>,
}

/// What a transaction is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    /// Another table than this is wanted, or none.
    Remove(String),
    /// The table is as is written; in a dry run it would be.
    Write { whole: bool, dry_run: bool },
}

/// The program at work.
#[derive(Debug)]
struct Running {
    pid: u32,
    since: u64,
    is_killed: bool,
    job: Job,
    /// What it says.
    said: File,
}

impl Nftables {
    /// A network is banned, banned for longer, or no more.
    pub(super) fn has_changed(&mut self, network: IpNet) {
        // Nobody may read this for a while. The whole table is told then.
        if self.changed.len() >= MOST {
            self.generation = 0;
            self.changed.clear();
        }
        self.changed.insert(network);
    }
}

fn frame(config: &Config, settings: &config::Nftables) -> Frame {
    let ports = config.pools.values().flat_map(|pool| pool.ports.keys().copied()).collect();
    Frame { table: settings.table.clone(), ports, exempt: config.limits.exempt().collect() }
}

impl Master {
    /// Tells what is new, when nothing else is being told.
    pub(super) fn tell_nftables(&mut self, now: u64) {
        let nft = &mut self.court.nftables;
        if let Some(running) = &mut nft.running {
            if now.saturating_sub(running.since) >= PATIENCE_MS && !running.is_killed {
                running.is_killed = true;
                fork::signal(running.pid, SIGKILL);
            }
            return;
        }
        if now < nft.retry_at && nft.tried == self.generation {
            return;
        }
        nft.tried = self.generation;
        let settings = self.config.nftables.clone();
        let real = settings.as_ref().filter(|settings| !settings.dry_run);
        let stranger = |table: &String| real.is_none_or(|real| real.table != *table);
        let program = settings.as_ref().map_or("nft", |settings| &settings.program).to_owned();
        if let Some(table) = nft.table.take_if(|table| stranger(table)) {
            nft.generation = 0;
            let script = plan::removal(&table);
            return self.start_nft(&program, &script, Job::Remove(table), now);
        }
        let Some(settings) = settings else {
            nft.changed.clear();
            nft.trouble = None;
            return;
        };
        let whole = nft.generation != self.generation;
        let unix = unix_ms();
        let ended = nft.wide.values().any(|until| *until <= unix);
        if !whole && nft.changed.is_empty() && !ended {
            return;
        }
        let (bans, changed) = (&self.kept.bans, std::mem::take(&mut nft.changed));
        let wide = plan::wide(bans, unix);
        let script = if whole || settings.dry_run {
            plan::whole(&frame(&self.config, &settings), bans, &wide, unix)
        } else {
            plan::change(&settings.table, &changed, bans, (&nft.wide, &wide), unix)
        };
        nft.wide = wide;
        nft.generation = self.generation;
        if settings.dry_run && !whole {
            for network in changed.iter().take(MOST_LINES) {
                let what = match bans.until(network, unix) {
                    Some(u64::MAX) => "dropped until the ban is lifted".to_owned(),
                    Some(until) => format!("dropped for {} s", (until - unix) / 1000),
                    None => "let in again".to_owned(),
                };
                special!("nftables, dry run: {network} would be {what}");
            }
            if changed.len() > MOST_LINES {
                special!("nftables, dry run: and {} more", changed.len() - MOST_LINES);
            }
        }
        if script.is_empty() {
            return;
        }
        let job = Job::Write { whole, dry_run: settings.dry_run };
        self.start_nft(&program, &script, job, now);
    }

    fn start_nft(&mut self, program: &str, script: &str, job: Job, now: u64) {
        privileges::lend_firewall();
        let is_dry = matches!(job, Job::Write { dry_run: true, .. });
        match start(program, script, is_dry) {
            Ok((pid, said)) => {
                let running = Running { pid, since: now, is_killed: false, job, said };
                self.court.nftables.running = Some(running);
            }
            Err(error) => {
                let words = format!(
                    "cannot run `{program}`: {error}; install the package nftables, or name the \
                     program in `nftables.program`"
                );
                self.nftables_failed(words, job, now);
            }
        }
    }

    /// A child that is not of the fleet has ended: the program, if it is that.
    pub(super) fn nftables_ended(&mut self, pid: u32, how: Ended, now: u64) {
        let running = self.court.nftables.running.take_if(|running| running.pid == pid);
        let Some(Running { job, mut said, is_killed, .. }) = running else { return };
        if how == Ended::Exit(0) {
            return self.nftables_told(job);
        }
        let mut words = Vec::new();
        let read = said.rewind().and_then(|()| said.take(LONGEST_WORDS).read_to_end(&mut words));
        let words = String::from_utf8_lossy(&words);
        let line = words.lines().next().unwrap_or_default().trim();
        let line = &*escape(&line.chars().take(LONGEST_LINE).collect::<String>());
        let words = match (is_killed, line, read) {
            (true, ..) => format!("took longer than {} s", PATIENCE_MS / 1000),
            (_, "", _) | (.., Err(_)) => how.to_string(),
            _ if line.contains("not permitted") => format!(
                "{line}: give the pool CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN of systemd), \
                 or start it as root",
            ),
            _ => line.to_owned(),
        };
        self.nftables_failed(words, job, now);
    }

    fn nftables_told(&mut self, job: Job) {
        let nft = &mut self.court.nftables;
        (nft.trouble, nft.retry_at) = (None, 0);
        if let Some(parts) = self.kept.troubles.get_mut("") {
            parts.remove(PART);
        }
        let settings = self.config.nftables.as_ref();
        match (job, settings) {
            (Job::Remove(table), _) => special!("nftables: table inet {table} is gone"),
            (Job::Write { whole: true, dry_run }, Some(settings)) => {
                let table = &settings.table;
                let count = self.kept.bans.living(unix_ms()).count();
                if dry_run {
                    special!("nftables, dry run: table inet {table} is sound, bans in it: {count}");
                } else {
                    nft.table = Some(table.clone());
                    special!("nftables: table inet {table} is in use, bans in it: {count}");
                }
            }
            _ => {}
        }
    }

    /// Whatever is in the table now: it is told as a whole next time.
    fn nftables_failed(&mut self, words: String, job: Job, now: u64) {
        let nft = &mut self.court.nftables;
        if nft.trouble.as_ref() != Some(&words) {
            log::warn!("nftables: {words}; tried again every 30 s, workers refuse the banned");
        }
        nft.generation = 0;
        nft.retry_at = now.saturating_add(RETRY_MS);
        if let Job::Remove(table) = job {
            nft.table = Some(table);
        }
        let parts = self.kept.troubles.entry(String::new()).or_default();
        parts.insert(PART.to_owned(), words.clone());
        nft.trouble = Some(words);
    }

    /// For `romp bans`: `null` when it is off.
    pub(super) fn show_nftables(&self) -> Value {
        let Some(settings) = &self.config.nftables else { return Value::Null };
        let trouble = &self.court.nftables.trouble;
        json!({ "table": settings.table, "dry_run": settings.dry_run, "trouble": trouble })
    }
}

/// Starts the program with the script on its standard input. Its process id, and what it says.
fn start(program: &str, script: &str, is_dry: bool) -> io::Result<(u32, File)> {
    let mut input = File::from(memfd::sealed("nft", script.as_bytes())?);
    input.rewind()?;
    let said = memfd::empty("nft")?;
    // Ordinary users do not always have the folders in PATH in which it is.
    let folders: &[&str] =
        if program.contains('/') { &[""] } else { &["", "/usr/sbin/", "/sbin/"] };
    let mut missing = io::Error::from(ErrorKind::NotFound);
    for folder in folders {
        let mut command = Command::new(format!("{folder}{program}"));
        command.args(is_dry.then_some("--check")).args(["-f", "-"]);
        command.stdin(input.try_clone()?).stdout(Stdio::null()).stderr(said.try_clone()?);
        match command.spawn() {
            Ok(child) => return Ok((child.id(), said)),
            Err(error) if error.kind() == ErrorKind::NotFound => missing = error,
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}
