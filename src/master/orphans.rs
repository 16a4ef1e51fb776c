//! Miners of workers that died. The master has a duplicate of every miner's socket, so that the
//! connection outlives the process; another worker goes on with it by what stands on the roster.

use super::Master;
use super::fleet::Stop;
use crate::ipc::Message;
use crate::ipc::roster::Ticket;
use socket2::SockRef;
use std::collections::{HashMap, VecDeque};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Orphans in one message.
const A_MESSAGE: usize = 100;
/// Milliseconds between looks at which connections have ended.
const SWEEP_MS: u64 = 1000;
/// Descriptors that the master needs for other things.
const RESERVE: u64 = 1024;

/// Duplicates, and those who have no worker.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    held: HashMap<Ticket, OwnedFd>,
    waiting: VecDeque<Ticket>,
    swept: u64,
    told_of_limit: bool,
}

impl Orphans {
    /// Whether nobody waits for a worker.
    pub(super) fn are_placed(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Master {
    /// A worker's miners, each with a duplicate of its socket.
    pub(super) fn hold(&mut self, tickets: Vec<Ticket>, sockets: Vec<OwnedFd>) {
        self.hold_twice(&tickets, &sockets);
        let most = self.descriptors.soft.saturating_sub(RESERVE);
        for (ticket, socket) in tickets.into_iter().zip(sockets) {
            if self.orphans.held.len() as u64 >= most {
                if !std::mem::replace(&mut self.orphans.told_of_limit, true) {
                    log::warn!(
                        "miners beyond {most} would be disconnected if their worker died: only {} \
                         open files are allowed for the master; raise `LimitNOFILE=`",
                        self.descriptors.soft
                    );
                }
                return;
            }
            if self.board.roster.is_alive(ticket) {
                self.orphans.held.insert(ticket, socket);
            }
        }
    }

    /// A worker has ended. Its miners wait for another one, unless the pool stops.
    pub(super) fn bereave(&mut self, name: &str, pid: u32) {
        let master = std::process::id();
        // A new master that stops leaves its miners to the old one.
        let planned = self.stop > Stop::No && self.succession.has_others();
        let mut orphans = 0_usize;
        let elsewhere = self.predecessor();
        let mut strange = Vec::new();
        for ticket in self.board.roster.of(pid) {
            let is_held = self.orphans.held.contains_key(&ticket);
            // From here on it is the master's: the dead one's number may come again.
            if is_held && !planned && self.board.roster.pass(ticket, pid, master) {
                self.orphans.waiting.push_back(ticket);
                orphans += 1;
                continue;
            }
            if let Some(other) = elsewhere
                && !is_held
                && !planned
                && self.board.roster.pass(ticket, pid, other)
            {
                strange.push(ticket);
                continue;
            }
            // Whom a taker has just now made its own mines on there.
            if self.board.roster.free(ticket, pid)
                && let Some(socket) = self.orphans.held.remove(&ticket)
            {
                let _ = SockRef::from(&socket).shutdown(Shutdown::Both);
            }
        }
        self.return_orphans(&strange);
        if orphans > 0 {
            log::warn!("{name}: its {orphans} miners go on with other workers");
        }
    }

    /// Gives orphans to those who serve, each time to who has the fewest miners.
    pub(super) fn place_orphans(&mut self, now: u64) {
        if now.saturating_sub(self.orphans.swept) >= SWEEP_MS {
            self.orphans.swept = now;
            let roster = &self.board.roster;
            self.orphans.held.retain(|ticket, _| roster.is_alive(*ticket));
        }
        if self.orphans.waiting.is_empty() || self.bequeath_orphans(now) {
            return;
        }
        let serving = self.fleet.serving();
        // They may open as many files as the master.
        let most = self.descriptors.soft.saturating_sub(RESERVE);
        let takers =
            serving.map(|(slot, child)| (u64::from(self.miners(slot.row)), slot.row, child.pid));
        let mut takers: Vec<(u64, usize, u32)> = takers.filter(|it| it.0 < most).collect();
        while !takers.is_empty() && !self.orphans.waiting.is_empty() {
            takers.sort_unstable();
            let Some((load, row, pid)) = takers.first_mut() else { return };
            let (row, pid) = (*row, *pid);
            *load += self.orphans.waiting.len().min(A_MESSAGE) as u64;
            if *load >= most {
                return;
            }
            let Some((tickets, sockets)) = self.next_orphans(pid) else { return };
            let fds: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
            self.send(row, &Message::Adopt { tickets }, &fds);
        }
    }

    /// Some of those who wait, who are from now on a process's, with their sockets; `None`: nobody
    /// can go now.
    pub(super) fn next_orphans(&mut self, heir: u32) -> Option<(Vec<Ticket>, Vec<OwnedFd>)> {
        let master = std::process::id();
        let count = self.orphans.waiting.len().min(A_MESSAGE);
        let (mut tickets, mut sockets) = (Vec::new(), Vec::new());
        for ticket in self.orphans.waiting.drain(..count).collect::<Vec<_>>() {
            let Some(socket) = self.orphans.held.get(&ticket) else {
                self.board.roster.free(ticket, master);
                continue;
            };
            let Ok(socket) = socket.try_clone() else {
                // No descriptors left now: later.
                self.orphans.waiting.push_back(ticket);
                continue;
            };
            if self.board.roster.pass(ticket, master, heir) {
                tickets.push(ticket);
                sockets.push(socket);
            }
        }
        (!tickets.is_empty()).then_some((tickets, sockets))
    }

    /// Orphans of another master's workers are this one's, with their sockets; without them where
    /// this one has them.
    pub(super) fn inherit_orphans(&mut self, tickets: Vec<Ticket>, sockets: Vec<OwnedFd>) {
        self.orphans.held.extend(tickets.iter().copied().zip(sockets));
        self.orphans.waiting.extend(tickets);
    }
}
