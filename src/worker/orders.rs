//! What comes from the master: work, notices, bans, configurations.

use super::jobs::Posted;
use super::{Now, Worker};
use crate::chain::{Hash, Work};
use crate::ipc::{Message, Received};
use crate::sys::clock::ms;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

/// Messages taken in one turn; miners are waiting, too.
const A_TURN: usize = 256;
/// Milliseconds for which work that a daemon gave us is kept against older work of `templates`,
/// whose answer may have been on its way.
const OWN_WORK_MS: u64 = 10_000;

impl Worker {
    /// Takes what the master has sent.
    pub(super) fn hear_master(&mut self, now: Now) {
        for _ in 0..A_TURN {
            if self.orphaned {
                return;
            }
            match self.channel.receive() {
                Ok(Received::Message(message, fds)) => self.follow(*message, fds, now),
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => {
                    log::debug!("the master is gone: this worker ends");
                    self.orphan(now);
                }
                Err(error) => {
                    log::error!("the way to the master is broken: {error}; this worker ends");
                    self.orphan(now);
                }
            }
        }
    }

    fn follow(&mut self, message: Message, mut fds: Vec<OwnedFd>, now: Now) {
        match message {
            Message::Work { work, told } => match fds.pop() {
                Some(body) => self.take_work(Posted { work: *work, body }, told, now),
                None => log::error!("{}: work came without its transactions", work.plan.coin),
            },
            Message::Blocknotify { coin, hash } => self.take_notice(&coin, hash, now),
            Message::Charge { network, .. } => self.hear_charge(network, now),
            Message::Ban { network, until } => self.take_ban(network, until),
            Message::Unban { network } => {
                self.bans.remove(&network);
            }
            Message::Open => self.let_in(now),
            Message::HandOver { ports, most, leaves } => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.hand_over((ports, most, leaves), fds.pop(), now);
            }
            Message::Adopt { tickets } => self.adopt(&tickets, fds, now),
            Message::TakeOver { giver, stranger } => self.take_over(giver, stranger, fds.pop()),
            // Not for workers.
            Message::Ready
            | Message::Passed { .. }
            | Message::Holds { .. }
            | Message::Vouch { .. }
            | Message::BlockFound { .. }
            | Message::Trouble { .. }
            | Message::Remember { .. }
            | Message::CoinStatus(_) => {}
        }
    }

    /// Work from the templates process.
    fn take_work(&mut self, posted: Posted, told: Option<u64>, now: Now) {
        let Some(coin) = self.coins.get_mut(&posted.work.plan.coin) else { return };
        if let Some(latest) = coin.jobs.latest() {
            let own = coin.own_work_at.is_some_and(|at| now.mono.saturating_sub(at) < OWN_WORK_MS);
            if own && posted.work.height < latest.posted.work.height {
                return;
            }
        }
        coin.own_work_at = None;
        self.post(posted, told, now);
    }

    /// Gives work to all miners of its coin. `told`: monotonic milliseconds of the first word of its
    /// tip, where `templates` said so.
    pub(super) fn post(&mut self, posted: Posted, told: Option<u64>, now: Now) {
        let id = posted.work.plan.coin.clone();
        let Some(coin) = self.coins.get_mut(&id) else { return };
        let is_first = coin.jobs.latest().is_none();
        let (issue, clean) = coin.jobs.post(posted, &mut self.numbers);
        coin.work_at = now.mono;
        if coin.stale {
            coin.stale = false;
            log::warn!("{id}: there is fresh work again, miners are welcome");
        }
        let mut since = None;
        if clean {
            let noticed = coin.fallback.arrived();
            since = told.or(noticed);
            self.follow_network(&id, now);
        }
        self.roll_out(&id, issue, clean, since);
        if is_first {
            // Names wait for the network to be known.
            self.hear_waiting(now);
        }
        if let Some(cell) = self.cell(&id) {
            cell.work_at.store(now.unix, Ordering::Relaxed);
        }
    }

    /// The network's difficulty may have changed, and with it the highest that miners are given.
    /// Sessions tell their miners with the work that follows.
    fn follow_network(&mut self, id: &str, now: Now) {
        let Some(coin) = self.coins.get(id) else { return };
        for (port, gate) in self.gates.iter_mut().filter(|(_, gate)| gate.coin == id) {
            let Some(rules) = coin.pool.ports.get(port).map(|port| coin.rules(port)) else {
                continue;
            };
            if rules == gate.rules {
                continue;
            }
            gate.rules = rules;
            for (_, miner) in self.miners.iter_mut().filter(|(_, miner)| miner.port == *port) {
                let _work_follows = miner.session.change_rules(&gate.rules, now.mono);
            }
        }
    }

    /// Somebody says that there is a new block.
    fn take_notice(&mut self, id: &str, hash: Option<Hash>, now: Now) {
        let wait = ms(self.config.template_fallback);
        if let Some(cell) = self.cell(id) {
            cell.notices.fetch_add(1, Ordering::Relaxed);
        }
        let Some(coin) = self.coins.get_mut(id) else { return };
        let known = coin.jobs.latest().map(|latest| latest.posted.work.previous);
        if known.is_some() && (hash.is_none() || hash != known) {
            coin.fallback.expect(now.mono, wait);
        }
    }
}

/// Whether a daemon's template is of use beside the present work.
pub(super) fn is_of_use(work: &Work, latest: &Work) -> bool {
    work.previous == latest.previous || work.height >= latest.height
}
