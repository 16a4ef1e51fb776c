//! What systemd is told, if it wants to hear: ready, reloading, stopping, alive, how it is, and
//! which sockets it shall keep for the next process. Called once a turn; never waits.
//! `docs/systemd.md` says what is sent when.

use super::fleet::Stop;
use super::passed::name;
use super::succession::NOT_REPLACED;
use super::{Master, clock};
use crate::ipc::TipState;
use crate::sys::systemd::Manager;
use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

/// How often (ms) the status is looked at.
const STATUS: u64 = 10_000;
/// After so long (ms) miners being served is enough to be ready, whoever else is missing.
const PATIENCE: u64 = 15_000;
/// Time (ms) beyond what two rounds of `shutdownTimeout` take: workers end first, then the others.
const TO_STOP: u64 = 10_000;
/// Messages that wait while systemd is busy.
const MOST_WAITING: usize = 64;
/// Longest status, in letters.
const LONGEST: usize = 300;

/// What is known of how the master is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    /// Milliseconds that a stop may take, when there is one.
    stopping: Option<u64>,
    /// Every child that is wanted serves, with the configuration in use.
    whole: bool,
    /// All workers serve.
    serving: bool,
    /// In words.
    status: String,
}

/// What has been said. Pure: facts and times come in, messages go out.
#[derive(Debug, Default)]
struct Said {
    ready: bool,
    /// Since when it is waited for being ready.
    since: u64,
    stopping: bool,
    status: String,
    looked: u64,
    alive: u64,
}

impl Said {
    /// A new configuration is about to be read.
    fn reloading(&mut self, now: u64) -> String {
        (self.ready, self.since) = (false, now);
        self.status = "reading the configuration".to_owned();
        // Of the same clock, systemd compares it with its own.
        let us = now.saturating_mul(1000);
        format!("RELOADING=1\nMONOTONIC_USEC={us}\nSTATUS={}", self.status)
    }

    /// One turn. `facts` are asked for when they are needed.
    fn turn(
        &mut self,
        watchdog: Option<u64>,
        is_stopping: bool,
        facts: impl FnOnce() -> Facts,
        now: u64,
    ) -> Vec<String> {
        let mut messages = Vec::new();
        if let Some(watchdog) = watchdog
            && now.saturating_sub(self.alive) >= watchdog / 2
        {
            self.alive = now;
            messages.push("WATCHDOG=1".to_owned());
        }
        let due = now.saturating_sub(self.looked) >= STATUS;
        if self.stopping || (self.ready && !is_stopping && !due) {
            return messages;
        }
        self.looked = now;
        let facts = facts();
        let waited = now.saturating_sub(self.since) >= PATIENCE;
        if let Some(time) = facts.stopping {
            self.stopping = true;
            let usec = (time.saturating_mul(2) + TO_STOP).saturating_mul(1000);
            messages.push(format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={usec}\nSTATUS=stopping"));
        } else if !self.ready && (facts.whole || waited && facts.serving) {
            (self.ready, self.status) = (true, facts.status);
            messages.push(format!(
                "READY=1\nMAINPID={}\nSTATUS={}",
                std::process::id(),
                self.status
            ));
        } else if self.ready && self.status != facts.status {
            messages.push(format!("STATUS={}", facts.status));
            self.status = facts.status;
        }
        messages
    }
}

/// The line to systemd.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    manager: Option<Manager>,
    /// Whether this is the process that it listens to.
    is_heard: bool,
    said: Said,
    waiting: VecDeque<String>,
    /// The last message was not heard.
    deaf: bool,
    /// Sockets that systemd keeps, by their name there.
    stored: BTreeMap<String, SocketAddr>,
    /// Generation and count of reloads that `stored` is of.
    stored_at: Option<(u32, u64)>,
}

impl Systemd {
    /// `forgotten`: names of sockets in its store that are of no use.
    /// Until it `is_heard` everything waits: another process is still the master.
    pub(super) fn new(forgotten: Vec<String>, is_heard: bool, now: u64) -> Self {
        let manager = Manager::from_environment().unwrap_or_else(|error| {
            log::warn!("systemd is not told anything: {error}");
            None
        });
        let said = Said { since: now, ..Said::default() };
        let mut systemd = Self { manager, is_heard, said, ..Self::default() };
        let named = forgotten.iter().filter(|name| !name.is_empty());
        named.for_each(|name| systemd.say(format!("FDSTOREREMOVE=1\nFDNAME={name}")));
        systemd
    }

    /// A reload begins.
    pub(super) fn reloading(&mut self, now: u64) {
        let message = self.said.reloading(now);
        self.say(message);
    }

    /// Says something, in its turn.
    pub(super) fn say(&mut self, message: String) {
        if self.manager.is_some() && self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(message);
        }
        self.flush();
    }

    /// This process is the one that it listens to, from now on.
    pub(super) fn is_heard(&mut self, now: u64) {
        if !std::mem::replace(&mut self.is_heard, true) {
            self.said.since = now;
            self.flush();
        }
    }

    /// Whether nothing waits to be said.
    pub(super) fn has_said_all(&mut self) -> bool {
        self.flush();
        self.waiting.is_empty()
    }

    fn flush(&mut self) {
        if !self.is_heard {
            return;
        }
        while let (Some(manager), Some(message)) = (&self.manager, self.waiting.front()) {
            match manager.tell(message, &[]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Once, and again when it has heard something meanwhile.
                Err(error) if !self.deaf => {
                    self.deaf = true;
                    log::warn!("systemd does not hear: {error}");
                }
                told => self.deaf = told.is_err(),
            }
            self.waiting.pop_front();
        }
    }

    /// Has systemd keep exactly these sockets.
    fn store(&mut self, sockets: &[(SocketAddr, BorrowedFd<'_>)], at: (u32, u64)) {
        let Some(manager) = &self.manager else { return };
        let names: BTreeMap<String, SocketAddr> =
            sockets.iter().map(|(address, _)| (name(*address), *address)).collect();
        for name in self.stored.keys().filter(|name| !names.contains_key(*name)) {
            self.waiting.push_back(format!("FDSTOREREMOVE=1\nFDNAME={name}"));
        }
        for (address, socket) in sockets {
            // One that it has already it does not keep twice.
            let message = format!("FDSTORE=1\nFDNAME={}", name(*address));
            match manager.tell(&message, &[*socket]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => log::debug!("systemd does not keep {address}: {error}"),
                Ok(()) => {}
            }
        }
        (self.stored, self.stored_at) = (names, Some(at));
        self.flush();
    }
}

impl Master {
    /// Tells systemd what there is to tell.
    pub(super) fn tell_systemd(&mut self, now: u64) {
        let Some(manager) = &self.systemd.manager else { return };
        if !self.systemd.is_heard || self.succession.is_over() {
            return;
        }
        let watchdog = manager.watchdog.map(clock::ms);
        self.systemd.flush();
        let mut systemd = std::mem::take(&mut self.systemd);
        let at = (self.generation, self.reloaded.count);
        if systemd.stored_at != Some(at) && self.stop == Stop::No {
            systemd.store(&self.sockets(), at);
        }
        let is_stopping = self.stop > Stop::No;
        for message in systemd.said.turn(watchdog, is_stopping, || self.facts(now), now) {
            systemd.say(message);
        }
        self.systemd = systemd;
    }

    /// Every listening TCP socket.
    pub(super) fn sockets(&self) -> Vec<(SocketAddr, BorrowedFd<'_>)> {
        let site = self.site.iter().map(|(_, listener)| listener);
        let ours = self.ports.values().chain(site);
        let ours = ours.filter_map(|it| Some((it.local_addr().ok()?, it.as_fd())));
        ours.chain(self.desk.notify_sockets()).collect()
    }

    fn facts(&self, now: u64) -> Facts {
        let serving = self.workers_that_serve() >= self.workers;
        Facts {
            stopping: (self.stop > Stop::No).then(|| clock::ms(self.config.shutdown_timeout)),
            whole: self.is_whole(),
            serving,
            status: self.in_words(now),
        }
    }

    fn workers_that_serve(&self) -> usize {
        self.fleet.serving().count()
    }

    /// How the pool is, in one line.
    fn in_words(&self, now: u64) -> String {
        let up = self.workers_that_serve();
        let workers = match self.workers {
            all if up == all => format!("{all} workers"),
            all => format!("{up} of {all} workers"),
        };
        let miners: u64 =
            self.board.rows().map(|(_, row)| u64::from(row.miners.load(Ordering::Relaxed))).sum();
        let attended = self.is_attended(now);
        let is_fresh = |coin: &&String| {
            let state = self.kept.coins.get(*coin).map(|status| &status.state);
            attended && state == Some(&TipState::Fresh)
        };
        let coins: Vec<_> = self.config.pools.keys().collect();
        let stale: Vec<_> = coins.iter().filter(|coin| !is_fresh(coin)).map(|it| &***it).collect();
        let coins = match stale.as_slice() {
            [] if coins.is_empty() => "no pool".to_owned(),
            [] if coins.len() == 1 => "coin fresh".to_owned(),
            [] => format!("{} coins fresh", coins.len()),
            stale => format!("no fresh work: {}", stale.join(", ")),
        };
        let mut words = format!("{workers}, {miners} miners, {coins}");
        if self.reloaded.count > 0 && !self.reloaded.done {
            let why = self.reloaded.words.first().map_or("", String::as_str);
            words = match why.starts_with(NOT_REPLACED) {
                true => format!("{words}; {why}"),
                false => format!("{words}; configuration not changed: {why}"),
            };
        }
        // One line, whatever a file's name has in it.
        words.chars().map(|it| if it.is_control() { ' ' } else { it }).take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests;
