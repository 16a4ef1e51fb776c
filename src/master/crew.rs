//! Starting and ending children: what the fleet's plan asks for, performed.

use super::fleet::{Effect, Farewell};
use super::roles::{self, Kind};
use super::{CHANNELS, Line, Master};
use crate::ipc::{Channel, Listener, Role, Seat};
use crate::sys::clock;
use crate::sys::fork::{self, Ended, Forked};
use crate::sys::signals::{SIGKILL, SIGQUIT, SIGTERM};
use mio::Interest;
use mio::unix::SourceFd;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

impl Master {
    /// The fleet that the configuration wants.
    pub(super) fn wanted(&self) -> Vec<(Role, usize)> {
        let (pays, tells) = (self.config.pays(), self.config.notifications.is_some());
        let mut wanted = roles::wanted(self.workers, pays, !self.site.is_empty(), tells);
        for (role, count) in &mut wanted {
            let may = match Kind::of(*role).serves_miners {
                true => self.succession.has_workers(),
                false => self.succession.has_others(),
            };
            if !may {
                *count = 0;
            }
        }
        wanted
    }

    /// Makes the fleet what is wanted. In a child: its seat.
    pub(super) fn converge(&mut self, now: u64) -> Option<Seat> {
        let wanted = self.wanted();
        self.fleet.reserve(self.strange_rows());
        let shutdown = clock::ms(self.config.shutdown_timeout);
        let board = &self.board;
        let tick = |row| board.row(row).map_or(0, |row| row.tick.load(Ordering::Relaxed));
        for effect in self.fleet.plan(&wanted, self.stop, shutdown, now, tick) {
            match effect {
                Effect::Start { row } => {
                    if let Some(seat) = self.start(row, now) {
                        return Some(seat);
                    }
                }
                Effect::Leave { row } => self.leave(row),
                Effect::Terminate(pid) => fork::signal(pid, SIGTERM),
                Effect::Quit(pid) => fork::signal(pid, SIGQUIT),
                Effect::Kill(pid) => {
                    log::warn!("{} did not end in time: killed", self.name(pid));
                    fork::signal(pid, SIGKILL);
                }
                Effect::KillHung { pid, silent, .. } => {
                    let name = self.name(pid);
                    log::error!("{name} has done nothing for {} s: replaced", silent / 1000);
                    fork::signal(pid, SIGKILL);
                }
                Effect::ReportHung { pid, silent, .. } => {
                    let name = self.name(pid);
                    log::warn!(
                        "{name} has done nothing for {} s; at 30 s it is replaced",
                        silent / 1000
                    );
                }
            }
        }
        None
    }

    /// Starts a child: in the child its seat, in the master nothing.
    fn start(&mut self, row: usize, now: u64) -> Option<Seat> {
        let role = self.fleet.slot(row)?.role;
        let kind = Kind::of(role);
        let lane = if kind.serves_miners { self.fleet.take_lane() } else { None };
        match self.fork(row, role, lane) {
            Ok(Parted::Child(seat)) => return Some(seat),
            Ok(Parted::Master(pid)) => {
                self.fleet.started(row, pid, lane, now);
                self.welcome(row, kind);
                log::debug!("{} started, pid {pid}", kind.tag(row));
            }
            Err(error) => {
                log::error!("cannot start {}: {error}", kind.tag(row));
                if let Some(lane) = lane {
                    self.fleet.free_lane(lane);
                }
                self.fleet.not_started(row, now);
            }
        }
        None
    }

    fn fork(&mut self, row: usize, role: Role, lane: Option<u8>) -> Result<Parted, super::Error> {
        let (channel, childs) = Channel::pair()?;
        let master = std::process::id();
        // Another master may look for a row at this moment, too.
        let claimed = self.board.row(row).is_some_and(|shown| {
            shown.pid.compare_exchange(0, master, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if !claimed {
            let words = "its row on the board is another master's still";
            return Err(super::Error::Words(words.to_owned()));
        }
        let heir = self.fleet.is_heir(row);
        let (generation, config) = match &self.trial {
            Some(trial) if heir => (self.generation + 1, trial.config.clone()),
            _ => (self.generation, self.config.clone()),
        };
        let forked = fork::fork().inspect_err(|_| self.clear_row(row));
        match forked.map_err(|error| super::Error::Os("fork", error))? {
            Forked::Child => {
                let mut listeners = Vec::new();
                let mut remembered = String::new();
                if role == Role::Website {
                    remembered = std::mem::take(&mut self.kept.remembered);
                    for (address, socket) in std::mem::take(&mut self.site) {
                        listeners.push(Listener { port: address.port(), socket });
                    }
                }
                if Kind::of(role).serves_miners {
                    let new = heir.then_some(&mut self.trial).and_then(Option::as_mut);
                    let new = new.map(|trial| std::mem::take(&mut trial.sockets.ports));
                    let all = std::mem::take(&mut self.ports)
                        .into_iter()
                        .chain(new.into_iter().flatten());
                    for (port, socket) in all {
                        listeners.push(Listener { port, socket });
                    }
                }
                if let Some(mine) = self.board.row(row) {
                    mine.pid.store(std::process::id(), Ordering::Release);
                    mine.generation.store(generation, Ordering::Relaxed);
                }
                Ok(Parted::Child(Seat {
                    role,
                    slot: row,
                    lane: lane.unwrap_or(0),
                    generation,
                    channel: childs,
                    board: self.board.clone(),
                    config,
                    listeners,
                    opens: !heir && self.succession.has_opened(),
                    remembered,
                }))
            }
            Forked::Parent(pid) => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                let fd = channel.as_raw_fd();
                let token = mio::Token(CHANNELS + row);
                if let Err(error) =
                    self.poll.registry().register(&mut SourceFd(&fd), token, interest)
                {
                    // Without a line to it the child ends by itself; it is replaced.
                    log::error!("{}: {error}", roles::tag(role, row));
                    return Ok(Parted::Master(pid));
                }
                self.lines.insert(row, Line::new(channel));
                self.configs.insert(row, config);
                if let Some(its) = self.board.row(row) {
                    its.role.store(role.number(), Ordering::Relaxed);
                    its.pid.store(pid, Ordering::Relaxed);
                }
                Ok(Parted::Master(pid))
            }
        }
    }

    /// Collects ended children, their last words first.
    pub(super) fn reap(&mut self, now: u64) {
        while let Some((pid, how)) = fork::reap() {
            let Some(row) = self.fleet.row_of(pid) else {
                if !self.successor_ended(pid, how, now) {
                    self.nftables_ended(pid, how, now);
                }
                continue;
            };
            let name = self.name(pid);
            let slot = self.fleet.slot(row);
            let is_worker = slot.is_some_and(|slot| Kind::of(slot.role).serves_miners);
            self.hear_out(row);
            self.hang_up(row);
            if is_worker {
                self.bereave(&name, pid);
            }
            self.clear_row(row);
            self.moves.forget(row);
            self.configs.remove(&row);
            if self.fleet.is_heir(row) {
                self.trial_failed(&format!("{name} {how}"), now);
            }
            self.give_up_succeeding(&name);
            match self.fleet.ended(pid, how, now) {
                Some(Farewell::Again(0)) if how != Ended::Exit(0) => {
                    log::error!("{name} (pid {pid}) has died: {how}; replaced");
                }
                Some(Farewell::Again(wait)) if wait > 0 => {
                    log::error!(
                        "{name} (pid {pid}) keeps dying: {how}; next start in {} s",
                        wait / 1000
                    );
                }
                Some(Farewell::Fell) => {
                    log::warn!("{name} (pid {pid}) was to end, but died before it had: {how}");
                }
                Some(Farewell::Refused) => log::error!(
                    "{name} cannot work with this configuration (exit code 78): not started again \
                     until it is corrected and SIGHUP sent"
                ),
                _ => log::debug!("{name} (pid {pid}) has ended: {how}"),
            }
        }
    }

    /// The dead show no miners. Counters stay.
    pub(super) fn clear_row(&self, row: usize) {
        self.board.crowd.clear(row);
        let Some(row) = self.board.row(row) else { return };
        row.pid.store(0, Ordering::Relaxed);
        row.role.store(0, Ordering::Relaxed);
        row.tick.store(0, Ordering::Relaxed);
        row.miners.store(0, Ordering::Relaxed);
        row.is_open.store(0, Ordering::Relaxed);
        for cell in row.coins() {
            cell.miners.store(0, Ordering::Relaxed);
        }
    }

    /// Closes the line to a child.
    pub(super) fn hang_up(&mut self, row: usize) {
        self.readable.remove(&row);
        if let Some(line) = self.lines.remove(&row) {
            // By hand: a child forked just now may hold a duplicate, and with it the registration.
            let fd = line.channel.as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        }
    }

    /// A child that does not listen or talks nonsense is replaced.
    pub(super) fn give_up(&mut self, row: usize, why: &str) {
        self.hang_up(row);
        if let Some(pid) = self.fleet.slot(row).and_then(|slot| Some(slot.child.as_ref()?.pid)) {
            log::error!("{} is replaced: {why}", self.name(pid));
            fork::signal(pid, SIGKILL);
        }
    }

    fn name(&self, pid: u32) -> String {
        match self.fleet.children().find(|(_, child)| child.pid == pid) {
            Some((slot, _)) => roles::tag(slot.role, slot.row),
            None => format!("pid {pid}"),
        }
    }
}

/// The two sides of a fork.
enum Parted {
    Master(u32),
    Child(Seat),
}
