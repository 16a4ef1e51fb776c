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
mod open;
mod orphans;
mod passed;
mod ports;
mod relay;
mod reload;
mod roles;
mod status;
mod succession;
mod systemd;

pub use crate::ipc::control::socket as control_socket;
pub(crate) use home::enter;
pub use roles::tag;
pub use succession::{Estate, inherit};

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
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use succession::{Begin, Started, Strangers, Succession};

const SIGNALS: Token = Token(0);
const DESK: Token = Token(1);
const SUCCESSION: Token = Token(2);
/// A child's channel is `CHANNELS + row`.
const CHANNELS: usize = 16;
/// Longest time between two turns: while somebody is missing or leaves, and while all is well.
const TURN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));
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
    /// `None` when another master has it.
    lock: Option<File>,
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
    succession: Succession,
    strangers: Option<Strangers>,
    started_as: Started,
    upgrade_wanted: bool,
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
    /// listen on what would be bound. With an `estate` lock, sockets and shared memory are those of
    /// the master that this one goes on for.
    ///
    /// # Errors
    /// In words for the operator; nothing is left behind.
    pub fn new(
        config: Config,
        dir: &Path,
        handed_over: HandedOver,
        estate: Option<Estate>,
    ) -> Result<Self, Error> {
        let os = |step| move |error| Error::Os(step, error);
        let mut config = config;
        dir.clone_into(&mut config.dir);
        // From the lock on its pid is known, and the ports of a dying master are waited for.
        sys::signals::hold(&[SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU]).map_err(os("signals"))?;
        let poll = Poll::new().map_err(os("epoll"))?;
        let now = clock::monotonic_ms();
        let begin = match estate {
            Some(estate) => Begin::with(estate, &config, poll.registry(), now)?,
            None => Begin::anew(&config, handed_over, now)?,
        };
        let Begin { lock, bans, board, fleet, succession, control, generation, .. } = begin;
        let descriptors = limits::raise_descriptors().map_err(os("RLIMIT_NOFILE"))?;
        home::warn_of_few_descriptors(descriptors);
        let (mut desk, mut passed) = (Desk::new(DESK), begin.sockets);
        let (ports, site) = open::bind_all(&config, &mut desk, &poll, &mut passed)?;
        home::become_user(&config).map_err(Error::Words)?;
        privileges::harden().map_err(os("prctl"))?;
        let control = match control {
            Some(control) => control,
            None => open::open_control(&control_socket(&config.data_dir))?,
        };
        desk.open_control(poll.registry(), control).map_err(os("control socket"))?;
        let mut signals = Signals::new(&[
            SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGCHLD,
        ])
        .map_err(os("signals"))?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)
            .map_err(os("signals"))?;
        let is_heard = matches!(succession, Succession::None);
        Ok(Self {
            workers: roles::configured_workers(&config),
            config: Arc::new(config),
            generation,
            board,
            lock: Some(lock),
            ports,
            site,
            poll,
            signals,
            desk,
            guard: notify::Guard::default(),
            pace: notify::Pace::default(),
            fleet,
            lines: BTreeMap::new(),
            readable: BTreeSet::new(),
            kept: Kept { bans, ..Kept::default() },
            court: bans::Court::default(),
            moves: moves::Moves::default(),
            orphans: orphans::Orphans::default(),
            configs: BTreeMap::new(),
            trial: None,
            stop: Stop::No,
            succession,
            strangers: None,
            started_as: Started::now().map_err(os("the program's path"))?,
            upgrade_wanted: false,
            reload_wanted: false,
            reloaded_at: 0,
            reloaded: reload::Reloaded::default(),
            started: now,
            announced: 0,
            descriptors,
            systemd: systemd::Systemd::new(passed.close_rest(), is_heard, now),
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
            self.go_on_with_succession(now);
            self.reload_if_wanted(now);
            self.place_orphans(now);
            self.move_miners(now);
            self.announce();
            self.tell_systemd(now);
            self.write_to_children();
            if self.stop > Stop::No && self.fleet.has_ended(self.stop) {
                return Outcome::Exit(self.finish(0));
            }
            let left = self.succession.is_complete() && self.orphans.are_placed();
            if left && self.fleet.has_ended(Stop::Fast) {
                return Outcome::Exit(0);
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
        let calm = self.stop == Stop::No && self.is_whole() && self.succession.may_change();
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
                self.successor_reopens();
                special!("log file opened again");
            }
            SIGUSR2 => self.upgrade_wanted = true,
            SIGTTIN => self.change_workers(self.workers.saturating_add(1)),
            SIGTTOU => self.change_workers(self.workers.saturating_sub(1)),
            _ => {}
        }
    }

    fn change_workers(&mut self, count: usize) {
        if !self.succession.may_change() {
            special!("workers: as before, while the binary is replaced");
            return;
        }
        let count = roles::clamp_workers(count);
        special!("workers: {} before, {count} now", self.workers);
        self.workers = count;
    }

    fn serve_desk(&mut self, now: u64) {
        // Otherwise newcomers are another master's.
        self.desk.open(self.succession.is_master());
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
        let is_master = self.succession.is_master() && self.stop == Stop::No;
        if self.announced < self.generation && self.is_whole() && is_master {
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
        if !self.succession.is_master() {
            // Another one has all that would be left.
            return u8::from(!self.succession.is_over()).max(code);
        }
        self.save_bans();
        // The old master may still have to go on with it.
        if self.succession.may_change() {
            let _ = fs::remove_file(control_socket(&self.config.data_dir));
        }
        special!("stopped");
        code
    }
}
