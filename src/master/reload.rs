//! `SIGHUP`: everything is read again. What is wrong changes nothing. A new generation of workers
//! begins with what is right; when all of them are ready the old ones give them their miners and
//! leave. What needs a restart is said.

use super::changes::{self, Changes};
use super::{Master, RELOADS_APART, ports, roles};
use crate::config::{self, Config, NotifyListener};
use crate::ipc::Message;
use crate::sys::fork;
use crate::sys::signals::SIGKILL;
use crate::sys::{clock, log as pool_log};
use crate::{config::Logging, special};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Milliseconds that a new generation of workers may take to begin.
const BEGIN_MS: u64 = 10_000;

/// A new configuration whose workers are beginning.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) config: Arc<Config>,
    pub(super) sockets: NewSockets,
    words: Vec<String>,
    restart: Vec<String>,
    /// Monotonic milliseconds.
    deadline: u64,
}

/// Sockets that a new configuration needs.
#[derive(Debug)]
pub(super) struct NewSockets {
    pub(super) ports: BTreeMap<u16, TcpListener>,
    notify: Vec<(NotifyListener, TcpListener)>,
    site: Vec<(SocketAddr, TcpListener)>,
}

/// Lines of what came of a reload that `status` shows.
const MOST_LINES: usize = 200;

/// What came of the last reload.
#[derive(Debug, Default, Serialize)]
pub(super) struct Reloaded {
    /// How many there were.
    pub(super) count: u64,
    /// When, unix ms; 0: never.
    pub(super) at: u64,
    /// Whether the new configuration is in use.
    pub(super) done: bool,
    /// What changed, what waits for a restart, or what is wrong.
    pub(super) words: Vec<String>,
}

impl Master {
    pub(super) fn reload_if_wanted(&mut self, now: u64) {
        if self.trial.is_some() {
            return self.go_on_with_trial(now);
        }
        let due = self.reloaded_at == 0 || now.saturating_sub(self.reloaded_at) >= RELOADS_APART;
        let due = due && self.succession.may_change();
        if self.reload_wanted && due && self.stop == super::Stop::No {
            self.reload_wanted = false;
            self.reloaded_at = now;
            self.systemd.reloading(now);
            match self.read_again(now) {
                Ok(trial) => self.trial = Some(trial),
                Err(lines) => self.not_reloaded(lines),
            }
        }
    }

    fn not_reloaded(&mut self, lines: Vec<String>) {
        lines.iter().for_each(|line| log::error!("{line}"));
        self.tell_reloaded(false, lines);
    }

    pub(super) fn tell_reloaded(&mut self, done: bool, mut words: Vec<String>) {
        words.truncate(MOST_LINES);
        let count = self.reloaded.count + 1;
        self.reloaded = Reloaded { count, at: clock::unix_ms(), done, words };
    }

    /// Reads everything again, and begins workers with it; or why nothing changes.
    fn read_again(&mut self, now: u64) -> Result<Trial, Vec<String>> {
        let loaded = config::load(&self.config.dir);
        for text in &loaded.warnings {
            lines(text, "warning: ").for_each(|line| log::warn!("{line}"));
        }
        let Some(new) = loaded.config else {
            let errors = loaded.errors.iter().flat_map(|text| lines(text, "error: "));
            let last = "configuration not changed: correct the files and send SIGHUP again";
            return Err(errors.chain([last]).map(str::to_owned).collect());
        };
        let Changes { config, words, restart } = changes::between(&self.config, new);
        for line in &restart {
            log::warn!("{line}");
        }
        let sockets = self.bind_new(&config).map_err(|mut errors| {
            errors.push("configuration not changed: these ports cannot be had".to_owned());
            errors
        })?;
        if let Err(error) = set_log(&self.config.logging, &config.logging) {
            self.keep_site(sockets);
            return Err(vec![format!("{error}; configuration not changed")]);
        }
        if !self.fleet.begin_heirs(roles::configured_workers(&config)) {
            self.keep_site(sockets);
            self.keep_log(&config);
            let line = "configuration not changed: workers of earlier reloads still say goodbye to \
                        their last miners; send SIGHUP again in a minute";
            return Err(vec![line.to_owned()]);
        }
        let deadline = now.saturating_add(BEGIN_MS);
        Ok(Trial { config: Arc::new(config), sockets, words, restart, deadline })
    }

    fn go_on_with_trial(&mut self, now: u64) {
        if self.stop > super::Stop::No {
            return self.trial_failed("the pool stops", now);
        }
        if self.fleet.heirs_are_ready() {
            return self.commit(now);
        }
        if self.trial.as_ref().is_some_and(|trial| now >= trial.deadline) {
            self.trial_failed("not all of them were ready in time", now);
        }
    }

    /// The new generation is not to be: all is left as it was.
    pub(super) fn trial_failed(&mut self, why: &str, now: u64) {
        let Some(trial) = self.trial.take() else { return };
        for pid in self.fleet.disinherit(now) {
            fork::signal(pid, SIGKILL);
        }
        self.keep_log(&trial.config);
        self.keep_site(trial.sockets);
        self.not_reloaded(vec![format!(
            "configuration not changed: workers cannot begin with it: {why}; what they said stands \
             above; send SIGHUP again"
        )]);
    }

    /// The log goes on as before a configuration that is not to be.
    fn keep_log(&self, config: &Config) {
        if let Err(error) = set_log(&config.logging, &self.config.logging) {
            log::error!("{error}");
        }
    }

    /// The new generation is ready: from now on it takes the newcomers, and the old one's miners.
    fn commit(&mut self, now: u64) {
        let Some(Trial { config, sockets, mut words, restart, .. }) = self.trial.take() else {
            return;
        };
        for line in &words {
            special!("changed: {line}");
        }
        self.adopt(config, sockets, now);
        for row in self.fleet.enthrone() {
            self.send(row, &Message::Open, &[]);
        }
        let changes = if words.is_empty() { "no".to_owned() } else { words.len().to_string() };
        special!("configuration {} is in use: {changes} changes", self.generation);
        words.extend(restart);
        self.tell_reloaded(true, words);
    }

    /// Binds what is new; all or nothing.
    fn bind_new(&self, config: &Config) -> Result<NewSockets, Vec<String>> {
        let mut sockets =
            NewSockets { ports: BTreeMap::new(), notify: Vec::new(), site: Vec::new() };
        let mut errors = Vec::new();
        let open = self.ports.keys().copied().collect();
        let wanted: BTreeSet<u16> = ports::stratum_ports(config).into_keys().collect();
        for port in ports::diff(&open, &wanted).new {
            match ports::listen(SocketAddr::new(config.bind, port)) {
                Ok(listener) => drop(sockets.ports.insert(port, listener)),
                Err(error) => errors.push(self.refused(port, &error)),
            }
        }
        let open = self.desk.notify_addresses();
        for setting in config.notify.iter().filter(|it| !open.contains(&it.address)) {
            match ports::listen(setting.address) {
                Ok(listener) => sockets.notify.push((setting.clone(), listener)),
                Err(error) => errors.push(self.refused(setting.address.port(), &error)),
            }
        }
        let before = self.config.website.iter();
        let wanted_before: Vec<_> = before.flat_map(|site| site.addresses()).collect();
        for address in self.new_addresses(config) {
            match self.listen_for_site(address, errors.is_empty()) {
                Ok(listener) => sockets.site.push((address, listener)),
                // It could not be had before either: no reason to keep the old configuration.
                Err(error) if wanted_before.contains(&address) => {
                    log::error!("the web site: {error}");
                }
                Err(error) => errors.push(self.refused(address.port(), &error)),
            }
        }
        if errors.is_empty() {
            return Ok(sockets);
        }
        // First what is new: it may stand on the port that the old one listens on.
        drop(sockets);
        self.resume_site();
        Err(errors)
    }

    /// Addresses of the web site that are not open.
    fn new_addresses(&self, config: &Config) -> Vec<SocketAddr> {
        let mut wanted: Vec<_> = config.website.iter().flat_map(|site| site.addresses()).collect();
        wanted.retain(|address| self.site.iter().all(|(open, _)| open != address));
        wanted
    }

    /// Binds a new address of the web site. One on the same port makes room for it.
    fn listen_for_site(
        &self,
        address: SocketAddr,
        fine: bool,
    ) -> Result<TcpListener, ports::BindError> {
        let bound = ports::listen(address);
        match self.site.iter().find(|(old, _)| old.port() == address.port()) {
            Some((_, socket)) if bound.is_err() && fine => {
                ports::pause(socket);
                ports::listen(address).inspect_err(|_| ports::resume(socket))
            }
            _ => bound,
        }
    }

    /// The web site's old addresses are used on, whatever [`Self::listen_for_site`] has done.
    fn keep_site(&self, sockets: NewSockets) {
        if !sockets.site.is_empty() {
            drop(sockets);
            self.resume_site();
        }
    }

    fn resume_site(&self) {
        self.site.iter().for_each(|(_, socket)| ports::resume(socket));
    }

    /// Why a port cannot be had. Until the reload is done its old use counts, too.
    fn refused(&self, port: u16, error: &ports::BindError) -> String {
        let notify = self.desk.notify_addresses();
        let site = self.site.iter().any(|(open, _)| open.port() == port);
        if site || self.ports.contains_key(&port) || notify.iter().any(|open| open.port() == port) {
            return format!(
                "port {port} still has its old use in this pool; take that away first, send \
                 SIGHUP, then give the port its new use and send SIGHUP again"
            );
        }
        error.to_string()
    }

    fn adopt(&mut self, config: Arc<Config>, sockets: NewSockets, now: u64) {
        let had_bans = self.config.pools.values().any(|pool| pool.banning.is_some());
        let has_bans = config.pools.values().any(|pool| pool.banning.is_some());
        self.generation += 1;
        self.workers = roles::configured_workers(&config);
        self.config = config;
        let config = self.config.clone();
        self.kept.keep_only(|coin| config.pools.contains_key(coin));
        self.desk.reconfigure(&config.notify);
        for (setting, listener) in sockets.notify {
            if let Err(error) = self.desk.open_notify(self.poll.registry(), setting, listener) {
                log::error!("blocknotify listener: {error}");
            }
        }
        let wanted = ports::stratum_ports(&config);
        self.ports.retain(|port, _| wanted.contains_key(port));
        self.ports.extend(sockets.ports);
        let wanted: Vec<_> = config.website.iter().flat_map(|site| site.addresses()).collect();
        self.site.retain(|(address, _)| wanted.contains(address));
        self.site.extend(sockets.site);
        if had_bans && !has_bans {
            self.lift_workers_bans();
        }
        self.fleet.reconfigured(now);
    }
}

/// The lines of a message, without the severity that the log writes itself.
fn lines<'a>(text: &'a str, severity: &str) -> std::str::Lines<'a> {
    text.strip_prefix(severity).unwrap_or(text).lines()
}

/// Moves the log and changes its level.
fn set_log(old: &Logging, new: &Logging) -> std::io::Result<()> {
    if old.file != new.file {
        pool_log::set_file(new.file.as_deref())?;
    }
    pool_log::set_level(new.level);
    Ok(())
}
