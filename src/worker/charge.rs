//! Charges and bans. A connection that does mostly harm is closed, always. Its network is charged
//! with it only when most of what came from there lately was bad and nobody there mines in good
//! standing: hundreds of rigs may stand behind one address. The master asks the other workers,
//! too, and bans when none of them vouches.

use super::conduct::Conduct;
use super::miner::Miner;
use super::{Now, Worker};
use crate::config::Banning;
use crate::ipc::Message;
use crate::net::bans::{self, Ban};
use crate::stratum::Cause;
use crate::sys::clock::{ms, unix_ms};
use ipnet::IpNet;
use log::Level;

/// Milliseconds for which the conduct of departed connections is remembered.
const DEPARTED_MS: u64 = 600_000;
/// A connection is so young, in milliseconds, that no share is to be expected of it yet.
const YOUNG_MS: u64 = 60_000;
/// Milliseconds between warnings: each connection of an attacker could be good for one.
const WARN_MS: u64 = 10_000;
/// What is charged, in the list of bans.
const REASON: &str = "mostly bad shares or lines";

impl Worker {
    /// A connection's conduct is bad enough: it is closed, and its network charged if that is fair.
    pub(super) fn charge(&mut self, key: usize, banning: &Banning, now: Now) {
        let Some(miner) = self.miners.get_mut(key) else { return };
        if miner.cause.is_none() {
            miner.say(Cause::BadConduct.advice().unwrap_or_default(), now.mono);
        }
        miner.end(Cause::BadConduct);
        self.touched.push(key);
        let (address, conduct) = (miner.address, miner.conduct);
        if self.config.limits.is_exempt(&address) {
            let level = self.level(now);
            log::log!(
                level,
                "{address}: too many bad shares: disconnected (this address is never banned)"
            );
            return;
        }
        self.accuse(bans::prefix(&address), conduct, banning, now);
    }

    /// Accuses a network before the master, unless it is in good standing here.
    fn accuse(&mut self, network: IpNet, mut sum: Conduct, banning: &Banning, now: Now) {
        if let Some(departed) = self.departed.get(&network, now.mono) {
            sum.add(departed);
        }
        self.living(&network).for_each(|miner| sum.add(&miner.conduct));
        if self.vouches(&network, now) || !sum.is_mostly_bad(banning) {
            let level = self.level(now);
            log::log!(
                level,
                "{network}: too many bad shares of one miner: disconnected (not banned: others \
                 there mine well)"
            );
            return;
        }
        log::debug!("{network}: mostly bad shares: charged");
        self.departed.put(network, Conduct::default(), 0);
        let message = Message::Charge {
            network,
            time: ms(banning.time),
            most: ms(banning.max_time),
            reason: REASON.to_owned(),
        };
        self.tell_master(&message, now);
    }

    /// Warns now and then; the others are for whoever looks closer.
    fn level(&mut self, now: Now) -> Level {
        if self.warned_at.is_some_and(|at| now.mono.saturating_sub(at) < WARN_MS) {
            return Level::Debug;
        }
        self.warned_at = Some(now.mono);
        Level::Warn
    }

    /// Connections from a network that stay.
    fn living<'a>(&'a self, network: &'a IpNet) -> impl Iterator<Item = &'a Miner> + 'a {
        let all = self.miners.iter().map(|(_, miner)| miner);
        all.filter(|miner| miner.closing.is_none() && network.contains(&miner.address))
    }

    /// Whether an authorised miner in good standing lives there, or one that came just now: after
    /// a power cut the broken rig of a farm must not be faster than the first share of the others.
    fn vouches(&self, network: &IpNet, now: Now) -> bool {
        self.living(network).any(|miner| {
            let is_young = now.mono.saturating_sub(miner.since) < YOUNG_MS;
            let is_new = is_young && miner.conduct.is_blank();
            let gate = self.gates.get(&miner.port);
            let coin = gate.and_then(|gate| self.coins.get(&gate.coin));
            let banning = coin.and_then(|coin| coin.pool.banning.as_ref());
            let is_authorized = miner.session.workers().next().is_some();
            let may_vouch = |banning| is_new || miner.conduct.is_good(banning);
            is_authorized && banning.is_some_and(may_vouch)
        })
    }

    /// Another worker's charge.
    pub(super) fn hear_charge(&mut self, network: IpNet, now: Now) {
        if self.vouches(&network, now) {
            self.tell_master(&Message::Vouch { network }, now);
        }
    }

    /// Remembers how a connection behaved that has left. Many short ones are judged like one.
    pub(super) fn remember_conduct(&mut self, miner: &Miner, now: Now) {
        if miner.conduct.is_blank() || self.config.limits.is_exempt(&miner.address) {
            return;
        }
        let gate = self.gates.get(&miner.port);
        let coin = gate.and_then(|gate| self.coins.get(&gate.coin));
        let Some(banning) = coin.and_then(|coin| coin.pool.banning.clone()) else { return };
        // It was charged with that already.
        if matches!(miner.cause, Some(Cause::BadConduct | Cause::Banned)) {
            return;
        }
        let network = bans::prefix(&miner.address);
        let mut sum = self.departed.get(&network, now.mono).copied().unwrap_or_default();
        sum.add(&miner.conduct);
        let guilty = sum.judge(&banning, now.mono);
        self.departed.put(network, sum, now.mono.saturating_add(DEPARTED_MS));
        if guilty {
            self.accuse(network, Conduct::default(), &banning, now);
        }
    }

    /// A network is banned: its miners leave.
    pub(super) fn take_ban(&mut self, network: IpNet, until: u64) {
        // The clock as it is: after a jump it may be behind the one of shares, which never is.
        if until <= unix_ms() {
            return;
        }
        self.bans.add(network, Ban { until, offences: 0, reason: String::new() });
        for (key, miner) in &mut self.miners {
            let exempt = self.config.limits.is_exempt(&miner.address);
            if network.contains(&miner.address) && !exempt && !miner.awaits_header {
                miner.end(Cause::Banned);
                self.touched.push(key);
            }
        }
    }
}
