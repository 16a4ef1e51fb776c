//! `SIGHUP`: everything is read again. What is wrong changes nothing; what can change in place
//! does; what cannot is said.

use super::changes::{self, Changes};
use super::{Master, RELOADS_APART, ports, roles};
use crate::config::{self, Config, NotifyListener};
use crate::ipc::Message;
use crate::sys::{clock, log as pool_log, memfd};
use crate::{config::Logging, special};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Sockets that a new configuration needs.
struct NewSockets {
    ports: BTreeMap<u16, TcpListener>,
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
        let due = self.reloaded_at == 0 || now.saturating_sub(self.reloaded_at) >= RELOADS_APART;
        if self.reload_wanted && due && self.stop == super::Stop::No {
            self.reload_wanted = false;
            self.reloaded_at = now;
            self.systemd.reloading(now);
            self.reload(now);
        }
    }

    fn reload(&mut self, now: u64) {
        let outcome = self.read_again(now);
        let done = outcome.is_ok();
        if let Err(lines) = &outcome {
            lines.iter().for_each(|line| log::error!("{line}"));
        }
        let (Ok(mut words) | Err(mut words)) = outcome;
        words.truncate(MOST_LINES);
        let count = self.reloaded.count + 1;
        self.reloaded = Reloaded { count, at: clock::unix_ms(), done, words };
    }

    /// Reads everything again. What is new, or why nothing changed.
    fn read_again(&mut self, now: u64) -> Result<Vec<String>, Vec<String>> {
        let loaded = config::load(&self.config.dir);
        for text in &loaded.warnings {
            lines(text, "warning: ").for_each(|line| log::warn!("{line}"));
        }
        let Some(new) = loaded.config else {
            let errors = loaded.errors.iter().flat_map(|text| lines(text, "error: "));
            let last = "configuration not changed: correct the files and send SIGHUP again";
            return Err(errors.chain([last]).map(str::to_owned).collect());
        };
        let Changes { config, mut words, restart } = changes::between(&self.config, new);
        for line in &restart {
            log::warn!("{line}");
        }
        let sockets = self.bind_new(&config).map_err(|mut errors| {
            errors.push("configuration not changed: these ports cannot be had".to_owned());
            errors
        })?;
        let file = match for_workers(&config) {
            Ok(file) => file,
            Err(error) => {
                self.keep_site(sockets);
                let line = format!("{error}; configuration not changed: send SIGHUP again");
                return Err(vec![line]);
            }
        };
        if let Err(error) = set_log(&self.config.logging, &config.logging) {
            self.keep_site(sockets);
            return Err(vec![format!("{error}; configuration not changed")]);
        }
        for line in &words {
            special!("changed: {line}");
        }
        self.adopt(config, sockets, &file, now);
        let changes = if words.is_empty() { "no".to_owned() } else { words.len().to_string() };
        special!("configuration {} is in use: {changes} changes", self.generation);
        words.extend(restart);
        Ok(words)
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

    fn adopt(&mut self, config: Config, sockets: NewSockets, file: &OwnedFd, now: u64) {
        let had_bans = self.config.pools.values().any(|pool| pool.banning.is_some());
        let has_bans = config.pools.values().any(|pool| pool.banning.is_some());
        self.generation += 1;
        self.workers = roles::configured_workers(&config);
        self.config = Arc::new(config);
        let config = self.config.clone();
        self.kept.keep_only(|coin| config.pools.contains_key(coin));
        self.desk.reconfigure(&config.notify);
        for (setting, listener) in sockets.notify {
            if let Err(error) = self.desk.open_notify(self.poll.registry(), setting, listener) {
                log::error!("blocknotify listener: {error}");
            }
        }
        self.tell_workers(&sockets.ports, file);
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

    fn tell_workers(&mut self, new: &BTreeMap<u16, TcpListener>, file: &OwnedFd) {
        let mut fds: Vec<BorrowedFd<'_>> = vec![file.as_fd()];
        fds.extend(new.values().map(AsFd::as_fd));
        let new_ports = new.keys().copied().collect();
        let message = Message::Configure { generation: self.generation, new_ports };
        self.send_to_workers(&message, &fds, None);
    }
}

/// The configuration in a memory file.
fn for_workers(config: &Config) -> std::io::Result<OwnedFd> {
    let bare = Config { website: None, notifications: None, ..config.clone() };
    memfd::sealed("config", &serde_json::to_vec(&bare).map_err(std::io::Error::other)?)
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
