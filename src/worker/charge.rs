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
use crate::sys::clock::ms;
use ipnet::IpNet;

/// Milliseconds for which the conduct of departed connections is remembered.
const DEPARTED_MS: u64 = 600_000;
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
            log::warn!(
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
        if self.vouches(&network) || !sum.is_mostly_bad(banning) {
            log::warn!(
                "{network}: too many bad shares of one miner: disconnected (not banned: others \
                 there mine well)"
            );
            return;
        }
        log::warn!("{network}: mostly bad shares: charged");
        self.departed.put(network, Conduct::default(), 0);
        let message = Message::Charge {
            network,
            time: ms(banning.time),
            most: ms(banning.max_time),
            reason: REASON.to_owned(),
        };
        self.tell_master(&message, now);
    }

    /// Connections from a network that stay.
    fn living<'a>(&'a self, network: &'a IpNet) -> impl Iterator<Item = &'a Miner> + 'a {
        let all = self.miners.iter().map(|(_, miner)| miner);
        all.filter(|miner| miner.closing.is_none() && network.contains(&miner.address))
    }

    /// Whether an authorised miner in good standing lives there.
    fn vouches(&self, network: &IpNet) -> bool {
        self.living(network).any(|miner| {
            let gate = self.gates.get(&miner.port);
            let coin = gate.and_then(|gate| self.coins.get(&gate.coin));
            let banning = coin.and_then(|coin| coin.pool.banning.as_ref());
            banning.is_some_and(|banning| miner.conduct.is_good(banning))
        })
    }

    /// Another worker's charge.
    pub(super) fn hear_charge(&mut self, network: IpNet, now: Now) {
        if self.vouches(&network) {
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
    pub(super) fn take_ban(&mut self, network: IpNet, until: u64, now: Now) {
        if until <= now.unix {
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
