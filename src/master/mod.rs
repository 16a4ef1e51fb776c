//! The master: binds every port, forks the children, refills their slots, passes their messages
//! on, listens for blocknotify and commands, obeys signals. One thread; it never blocks.
//!
//! A child leaves the master by returning from [`Master::run`]: Rust drops the poll, the signals,
//! the lock, the desk and every other child's channel, and what the child keeps is in its seat.

mod bans;
mod changes;
mod crew;
mod desk;
mod fleet;
mod home;
mod kept;
mod moves;
mod nftables;
mod notify;
mod orphans;
mod passed;
mod ports;
mod relay;
mod reload;
mod roles;
mod status;
mod systemd;

pub use crate::ipc::control::socket as control_socket;
pub(crate) use home::enter;
pub use roles::tag;

use crate::config::Config;
use crate::ipc::board::Board;
use crate::ipc::{Channel, ChannelError, Seat};
use crate::special;
use crate::sys::limits::{self, Descriptors};
use crate::sys::signals::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, Signals,
};
use crate::sys::systemd::HandedOver;
use crate::sys::{self, clock, fork, log as pool_log, privileges};
use desk::{Counter, Desk};
use fleet::{Fleet, Stop};
use ipnet::IpNet;
use kept::Kept;
use mio::{Events, Interest, Poll, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIGNALS: Token = Token(0);
const DESK: Token = Token(1);
/// A child's channel is `CHANNELS + row`.
const CHANNELS: usize = 16;
/// Longest time between two turns: while somebody is missing or leaves, and while all is well.
const TURN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));
/// How long ports may be taken at start: children of a killed master end within a second.
const PORTS_WAIT: Duration = Duration::from_secs(10);
/// Least time (ms) between two reloads: a hundred HUPs are one.
const RELOADS_APART: u64 = 1000;

/// Why the master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// In words for the operator.
    #[error("{0}")]
    Words(String),
    /// The operating system refused.
    #[error("{0}: {1}")]
    Os(&'static str, io::Error),
    /// No channel for a child.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// How [`Master::run`] ends.
#[derive(Debug)]
pub enum Outcome {
    /// In a child: this is what it has to do.
    Seated(Box<Seat>),
    /// In the master: everything has ended; the exit code.
    Exit(u8),
}

/// A child's channel and what is still to be told to it as it reads: bans from before its start,
/// and the coins whose last work it has not been sent. A child that stands still thus misses work
/// that is out of date instead of having it pile up here, memory files and all.
#[derive(Debug)]
struct Line {
    channel: Channel,
    bans: Vec<(IpNet, u64)>,
    works: BTreeSet<String>,
}

/// The master.
#[derive(Debug)]
pub struct Master {
    config: Arc<Config>,
    generation: u32,
    board: Arc<Board>,
    _lock: File,
    ports: BTreeMap<u16, TcpListener>,
    site: Vec<(SocketAddr, TcpListener)>,
    poll: Poll,
    signals: Signals,
    desk: Desk,
    guard: notify::Guard,
    pace: notify::Pace,
    fleet: Fleet,
    workers: usize,
    lines: BTreeMap<usize, Line>,
    readable: BTreeSet<usize>,
    kept: Kept,
    court: bans::Court,
    moves: moves::Moves,
    orphans: orphans::Orphans,
    /// What each child was started with, by row.
    configs: BTreeMap<usize, Arc<Config>>,
    trial: Option<reload::Trial>,
    stop: Stop,
    reload_wanted: bool,
    reloaded_at: u64,
    reloaded: reload::Reloaded,
    started: u64,
    announced: u32,
    descriptors: Descriptors,
    systemd: systemd::Systemd,
}

impl Master {
    /// Locks `dataDir`, binds every port, becomes the configured user. `dir` is where the
    /// configuration is read again on `SIGHUP`; sockets that were `handed_over` are used where they
    /// listen on what would be bound.
    ///
    /// # Errors
    /// In words for the operator; nothing is left behind.
    pub fn new(config: Config, dir: &Path, handed_over: HandedOver) -> Result<Self, Error> {
        let os = |step| move |error| Error::Os(step, error);
        let mut config = config;
        dir.clone_into(&mut config.dir);
        // From the lock on its pid is known, and the ports of a dying master are waited for.
        sys::signals::hold(&[SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU]).map_err(os("signals"))?;
        let lock = home::enter(&config.data_dir).map_err(Error::Words)?;
        let has_banning = config.pools.values().any(|pool| pool.banning.is_some());
        let bans = bans::load(&config.data_dir, has_banning);
        let descriptors = limits::raise_descriptors().map_err(os("RLIMIT_NOFILE"))?;
        home::warn_of_few_descriptors(descriptors);
        let poll = Poll::new().map_err(os("epoll"))?;
        let mut desk = Desk::new(DESK);
        let mut passed = passed::Sockets::new(handed_over);
        let (ports, site) = bind_all(&config, &mut desk, &poll, &mut passed)?;
        home::become_user(&config).map_err(Error::Words)?;
        privileges::harden().map_err(os("prctl"))?;
        let control = open_control(&control_socket(&config.data_dir))?;
        desk.open_control(poll.registry(), control).map_err(os("control socket"))?;
        let mut signals = Signals::new(&[
            SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGCHLD,
        ])
        .map_err(os("signals"))?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(os("signals"))?;
        let now = clock::monotonic_ms();
        Ok(Self {
            workers: roles::configured_workers(&config),
            config: Arc::new(config),
            generation: 1,
            board: Board::new().map_err(os("shared memory"))?,
            _lock: lock,
            ports,
            site,
            poll,
            signals,
            desk,
            guard: notify::Guard::default(),
            pace: notify::Pace::default(),
            fleet: Fleet::new(now),
            lines: BTreeMap::new(),
            readable: BTreeSet::new(),
            kept: Kept { bans, ..Kept::default() },
            court: bans::Court::default(),
            moves: moves::Moves::default(),
            orphans: orphans::Orphans::default(),
            configs: BTreeMap::new(),
            trial: None,
            stop: Stop::No,
            reload_wanted: false,
            reloaded_at: 0,
            reloaded: reload::Reloaded::default(),
            started: now,
            announced: 0,
            descriptors,
            systemd: systemd::Systemd::new(passed.close_rest(), now),
        })
    }

    /// Works until everything has ended. Returns in every child too, once for each.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        let mut events = Events::with_capacity(256);
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("epoll: {error}; stopping");
                self.stop = Stop::Fast;
            }
            for event in &events {
                if let Some(row) = event.token().0.checked_sub(CHANNELS) {
                    self.readable.insert(row);
                }
            }
            for signal in self.signals.pending() {
                self.obey(signal);
            }
            let now = clock::monotonic_ms();
            self.hear_children();
            self.judge(now);
            self.serve_desk(now);
            self.reap(now);
            self.reload_if_wanted(now);
            self.place_orphans(now);
            self.move_miners(now);
            self.announce();
            self.tell_systemd(now);
            self.write_to_children();
            if self.stop > Stop::No && self.fleet.has_ended(self.stop) {
                return Outcome::Exit(self.finish(0));
            }
            if self.fleet.is_hopeless() {
                log::error!("no child can work with this configuration; stopping");
                return Outcome::Exit(self.finish(78));
            }
            // At the bottom: here, and only here, a child leaves.
            if let Some(seat) = self.converge(now) {
                return Outcome::Seated(Box::new(seat));
            }
        }
    }

    /// How long the next turn may be waited for.
    fn patience(&self) -> Duration {
        if !self.readable.is_empty() || self.desk.is_crowded() {
            return Duration::ZERO;
        }
        let now = clock::monotonic_ms();
        let late = self.desk.deadline().map(|at| Duration::from_millis(at.saturating_sub(now) + 1));
        let paced = self.pace.is_waiting().then_some(Duration::from_millis(20));
        let calm = self.stop == Stop::No && self.is_whole();
        let turn = if calm { TURN.1 } else { TURN.0 };
        late.into_iter().chain(paced).fold(turn, Duration::min)
    }

    fn obey(&mut self, signal: i32) {
        match signal {
            SIGTERM if self.stop == Stop::No => {
                special!(
                    "stopping: workers finish within {} s (once more: at once)",
                    self.config.shutdown_timeout.as_secs_f32()
                );
                self.stop = Stop::Graceful;
            }
            SIGTERM | SIGINT | SIGQUIT => {
                if self.stop < Stop::Fast {
                    special!("stopping at once");
                }
                self.stop = Stop::Fast;
            }
            SIGHUP => self.reload_wanted = true,
            SIGUSR1 => {
                pool_log::reopen();
                for (_, child) in self.fleet.children() {
                    fork::signal(child.pid, SIGUSR1);
                }
                special!("log file opened again");
            }
            SIGUSR2 => log::warn!(
                "SIGUSR2: replacing the binary in place is not there yet; stop and start instead"
            ),
            SIGTTIN => self.change_workers(self.workers.saturating_add(1)),
            SIGTTOU => self.change_workers(self.workers.saturating_sub(1)),
            _ => {}
        }
    }

    fn change_workers(&mut self, count: usize) {
        let count = roles::clamp_workers(count);
        special!("workers: {} before, {count} now", self.workers);
        self.workers = count;
    }

    fn serve_desk(&mut self, now: u64) {
        for (key, counter, line) in self.desk.turn(self.poll.registry(), &self.guard, now) {
            let answer = match counter {
                Counter::Notify { source, password } => {
                    self.notified(source, password.as_ref(), &line, now)
                }
                Counter::Control => self.command(&line, now),
            };
            self.desk.answer(self.poll.registry(), key, &answer);
        }
        for (coin, hash) in self.pace.due(now) {
            self.blocknotify(&coin, hash);
        }
    }

    /// Whether every child that is wanted serves.
    fn is_whole(&self) -> bool {
        let wanted: usize = self.wanted().into_iter().map(|(_, count)| count).sum();
        let serve = self.fleet.children().filter(|(_, child)| child.serves()).count();
        self.trial.is_none() && serve >= wanted
    }

    /// Says once a generation that everything serves.
    fn announce(&mut self) {
        if self.announced < self.generation && self.is_whole() && self.stop == Stop::No {
            self.announced = self.generation;
            let ports: Vec<String> = self.ports.keys().map(u16::to_string).collect();
            special!(
                "ready: {} workers serve {} on port {}",
                self.workers,
                self.config.pools.keys().cloned().collect::<Vec<_>>().join(", "),
                ports.join(", "),
            );
        }
    }

    fn finish(&mut self, code: u8) -> u8 {
        self.save_bans();
        let _ = fs::remove_file(control_socket(&self.config.data_dir));
        special!("stopped");
        code
    }
}

/// What is bound at start: the stratum ports, and the web site's.
type Bound = (BTreeMap<u16, TcpListener>, Vec<(SocketAddr, TcpListener)>);

/// Binds stratum ports, the desk's, and the web site's if it can be had. Reports every port that
/// cannot, not the first only.
fn bind_all(
    config: &Config,
    desk: &mut Desk,
    poll: &Poll,
    passed: &mut passed::Sockets,
) -> Result<Bound, Error> {
    let deadline = Instant::now() + PORTS_WAIT;
    let mut errors = Vec::new();
    let mut bound = BTreeMap::new();
    for port in ports::stratum_ports(config).into_keys() {
        let address = SocketAddr::new(config.bind, port);
        let taken = passed.take(address);
        match taken.map_or_else(|| ports::listen_until(address, deadline), Ok) {
            Ok(listener) => drop(bound.insert(port, listener)),
            Err(error) => errors.push(error.to_string()),
        }
    }
    for setting in &config.notify {
        let taken = passed.take(setting.address);
        match taken.map_or_else(|| ports::listen_until(setting.address, deadline), Ok) {
            Ok(listener) => desk
                .open_notify(poll.registry(), setting.clone(), listener)
                .map_err(|error| Error::Os("epoll", error))?,
            Err(error) => errors.push(error.to_string()),
        }
    }
    let mut site = Vec::new();
    for address in config.website.iter().flat_map(|site| site.addresses()) {
        // Nobody stops mining for want of a site.
        match passed.take(address).map_or_else(|| ports::listen(address), Ok) {
            Ok(listener) => site.push((address, listener)),
            Err(error) => {
                let off = if site.is_empty() { " is off" } else { "" };
                log::error!("the web site{off}: {error}");
                break;
            }
        }
    }
    if errors.is_empty() { Ok((bound, site)) } else { Err(Error::Words(errors.join("\n"))) }
}

/// The control socket, for this user only. The lock says that nobody uses one that is left over.
fn open_control(path: &PathBuf) -> Result<UnixListener, Error> {
    let _ = fs::remove_file(path);
    let named = |error| Error::Words(format!("control socket {}: {error}", path.display()));
    let listener = UnixListener::bind(path).map_err(named)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(named)?;
    Ok(listener)
}
