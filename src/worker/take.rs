//! Taking miners over: from another worker, with all that it knew; or after a worker's death, with
//! what it had noted on the roster.

use super::accept::watch;
use super::account::Accounts;
use super::jobs::{Inherited, Posted};
use super::miner::Miner;
use super::passing::{Legacy, Passenger, Passing};
use super::{Now, Worker};
use crate::ipc::{Channel, Received};
use crate::net::stream::{Offer, Stream};
use crate::stratum::Cause;
use crate::sys::clock::unix_ms;
use crate::sys::failpoint;
use mio::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// Parcels taken in one turn; the others' shares are waiting, too.
const A_TURN: usize = 2;

/// A taking under way.
#[derive(Debug)]
pub(super) struct Taking {
    channel: Channel<Passing>,
    /// Process id of the giver.
    giver: u32,
    /// Whether the giver's master is another one.
    stranger: bool,
}

impl Worker {
    /// The master's word that another worker gives miners here.
    pub(super) fn take_over(&mut self, giver: u32, stranger: bool, pair: Option<OwnedFd>) {
        let Some(pair) = pair else { return };
        let channel = Channel::from(pair);
        if self.watch_pair(channel.as_raw_fd()) {
            self.takings.push(Taking { channel, giver, stranger });
        }
    }

    /// A turn's part of all takings.
    pub(super) fn go_on_taking(&mut self, now: Now) {
        let mut takings = std::mem::take(&mut self.takings);
        takings.retain_mut(|taking| {
            for _ in 0..A_TURN {
                match taking.channel.receive() {
                    Ok(Received::Message(message, fds)) => {
                        self.take(*message, fds, taking, now);
                    }
                    Ok(Received::Nothing) => return true,
                    Ok(Received::Closed) => {
                        self.unwatch_pair(taking.channel.as_raw_fd());
                        return false;
                    }
                    Err(error) => {
                        log::warn!("miners of another worker cannot be taken over: {error}");
                        self.unwatch_pair(taking.channel.as_raw_fd());
                        return false;
                    }
                }
            }
            true
        });
        self.takings = takings;
    }

    fn take(&mut self, message: Passing, fds: Vec<OwnedFd>, taking: &Taking, now: Now) {
        match message {
            Passing::Works { works } => {
                for (legacy, body) in works.into_iter().zip(fds) {
                    let Legacy { lane, first, last, work } = legacy;
                    let Some(coin) = self.coins.get_mut(&work.plan.coin) else { continue };
                    let posted = Arc::new(Posted { work, body });
                    coin.jobs.inherit(Inherited { lane, first, last, posted });
                }
            }
            Passing::Miners { miners } => {
                for (mut passenger, socket) in miners.into_iter().zip(fds) {
                    // This one's master must have its socket, too.
                    passenger.kept &= !taking.stranger;
                    self.take_one(passenger, socket, taking.giver, now);
                }
                self.publish_miners();
            }
        }
    }

    fn take_one(&mut self, passenger: Passenger, socket: OwnedFd, giver: u32, now: Now) {
        // From here on it is ours, or it is not there.
        if !self.board.roster.pass(passenger.ticket, giver, self.pid) {
            return;
        }
        failpoint::point("taker-has-one");
        let stream = TcpStream::from_std(std::net::TcpStream::from(socket));
        let offer = match self.gates.get(&passenger.port) {
            Some(gate) if !passenger.plain => gate.offer.clone(),
            _ => Offer::Plain,
        };
        self.serials += 1;
        let miner = passenger.seated(Stream::new(stream, &offer), self.serials, now.mono);
        self.settle_in(miner, now);
    }

    /// Goes on with a miner who was elsewhere. What has changed meanwhile it is told.
    pub(super) fn settle_in(&mut self, mut miner: Miner, now: Now) {
        if let Some(address) = &miner.counted {
            self.board.crowd.move_in(self.slot, address);
        }
        if let Some(gate) = self.gates.get(&miner.port) {
            let accounts = Accounts { board: &self.board, slot: self.slot };
            accounts.enter_again(&mut miner, &gate.coin, &self.config.limits);
        }
        let is_exempt = self.config.limits.is_exempt(&miner.address);
        if !is_exempt && !miner.awaits_header && self.bans.find(&miner.address, unix_ms()).is_some()
        {
            // Meanwhile; this worker's own miners have heard of it.
            miner.say(&self.refusal(Cause::Banned, &miner.address), now.mono);
            miner.end(Cause::Banned);
        }
        let entry = self.miners.vacant_entry();
        let key = entry.key();
        if let Err(error) = watch(self.poll.registry(), &mut miner, key) {
            log::error!("port {}: a miner cannot be watched: {error}", miner.port);
            miner.close("connection failed");
        }
        if !self.gates.contains_key(&miner.port) {
            miner.say("this port of the pool has been closed or changed", now.mono);
            miner.close("its port was closed or changed");
        }
        entry.insert(miner);
        self.ready.push(key);
        self.touched.push(key);
        self.with_miner(key, now, |miner, room| {
            let mut out = Vec::new();
            let wishes = miner.session.change_rules(room.rules, now.mono);
            let asks = !wishes.is_empty();
            let _no_submits = room.perform(miner, wishes, &mut out);
            let newest = miner.session.newest_job();
            let is_current = newest.is_some_and(|job| room.coin.jobs.is_current(job));
            if !asks && !is_current {
                // It missed the work that came while it was on its way.
                room.send_work(miner, &mut out);
            }
            miner.outbox.push(&out, now.mono);
        });
    }
}
