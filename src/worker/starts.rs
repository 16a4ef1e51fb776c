//! With which difficulty a worker starts, from what its earlier connections showed.
//!
//! Without it a miner could leave before it is raised and come back to the port's easy start as
//! often as it likes (reliability M37), and one that is set too high and connects again each minute
//! would never be lowered.

use super::keeper::Kept;
use super::memory::Memory;
use crate::stratum::address_part;
use crate::stratum::{PortRules, Session, Start};
use std::net::IpAddr;

/// Starts that are remembered of each kind: of workers, and of those who left early.
const MOST: usize = 10_000;
/// Milliseconds for which a worker's own start is remembered.
pub(super) const OWN_MS: u64 = 30 * 60 * 1000;
/// A connection that ends sooner (milliseconds) has hardly been measured: what it came to also
/// waits for other names of the same payout address and network, and for as long.
const EARLY_MS: u64 = 10 * 60 * 1000;

/// Coin, name (of the worker, or of the payout address alone) and network.
pub(super) type Key = (String, String, IpAddr);

/// The memory of one worker process, for all its coins. Strangers cannot spoil it: the network a
/// worker came from is a part of the key.
#[derive(Debug)]
pub struct Starts {
    own: Memory<Key, Start>,
    early: Memory<Key, Start>,
    /// Workers' own, of before this process.
    before: Memory<Key, Start>,
}

impl Default for Starts {
    fn default() -> Self {
        let before = Memory::new(super::keeper::MOST_READ);
        Self { own: Memory::new(MOST), early: Memory::new(MOST), before }
    }
}

impl Starts {
    /// Takes over what earlier processes left.
    pub(super) fn recall(&mut self, kept: Vec<Kept>, now: u64) {
        for (key, start, left) in kept {
            self.before.put(key, start, now.saturating_add(left));
        }
    }

    /// Remembers a connection that ends. `address`: the miner's; `now`: monotonic milliseconds.
    pub fn keep(
        &mut self,
        coin: &str,
        session: &Session,
        rules: &PortRules,
        address: IpAddr,
        now: u64,
    ) {
        let Some(start) = session.parting(now) else { return };
        let network = network(address);
        let is_early = session.age(now) < EARLY_MS
            && start.has_shares()
            && start.difficulty().weight >= rules.newcomer().weight;
        for name in session.workers() {
            let until = now.saturating_add(OWN_MS);
            self.own.put((coin.to_owned(), name.to_owned(), network), start, until);
            if is_early {
                let key = (coin.to_owned(), address_part(name).to_owned(), network);
                self.early.put(key, start, now.saturating_add(EARLY_MS));
            }
        }
    }

    /// What is remembered for a worker that connects: its own, or else what the last new worker of
    /// its payout address and network came to that left early.
    #[must_use]
    pub fn find(&self, coin: &str, name: &str, address: IpAddr, now: u64) -> Option<Start> {
        let network = network(address);
        let own = (coin.to_owned(), name.to_owned(), network);
        let early = (coin.to_owned(), address_part(name).to_owned(), network);
        let known = self.own.get(&own, now).or_else(|| self.before.get(&own, now));
        known.or_else(|| self.early.get(&early, now)).copied()
    }
}

/// The network that one customer can be taken to have: the /24 or /48 of an address.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::from((u32::from(address) & !0xff).to_be_bytes()),
        IpAddr::V6(address) => {
            IpAddr::from((u128::from(address) & (u128::MAX << 80)).to_be_bytes())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::stratum::{Action, Difficulty, JobId, Reject, SessionLimits, Unit, VarDiffRules};

    const HERE: [u8; 4] = [203, 0, 113, 7];
    const NEIGHBOUR: [u8; 4] = [203, 0, 113, 99];
    const ELSEWHERE: [u8; 4] = [203, 0, 114, 7];

    fn rules() -> PortRules {
        let exact = |difficulty| Difficulty::nearest(difficulty, Unit(-4));
        PortRules {
            unit: Unit(-4),
            shift: 0,
            start: exact(8.0),
            var_diff: Some(VarDiffRules {
                min: exact(1.0),
                max: exact(4096.0),
                target_time: 15.0,
                retarget_time: 90.0,
                variance_percent: 30.0,
                x2_mode: false,
            }),
            extranonce2_size: 4,
            version_mask: 0,
            connection_timeout_ms: 0,
            limits: SessionLimits::default(),
        }
    }

    /// A connection that sends shares at once, each 10 ms, until `end`; then it leaves.
    fn mine(starts: &mut Starts, name: &str, shares: u32, end: u64) -> f64 {
        let (rules, mut out) = (rules(), Vec::new());
        let mut session = Session::new([0; 4], &rules, 0);
        session.receive(
            br#"{"id":1,"method":"mining.subscribe","params":[]}"#,
            &rules,
            0,
            &mut out,
        );
        let authorize = format!(r#"{{"id":2,"method":"mining.authorize","params":["{name}"]}}"#);
        let actions = session.receive(authorize.as_bytes(), &rules, 0, &mut out);
        let Some(Action::Authorize(request)) = actions.first() else { return 0.0 };
        if let Some(start) = starts.find("c", name, HERE.into(), 0) {
            session.remembered(start, &rules);
        }
        session.authorized(request, Ok(()), &rules, 0, &mut out);
        let begun = session.difficulty().as_f64();
        for number in 0..shares {
            let (id, now) = (JobId { lane: 1, number }, 10 * u64::from(number + 1));
            session.offer(id, b"", false, &rules, now - 10, &mut out);
            let line = format!(
                r#"{{"id":3,"method":"mining.submit","params":["{name}","{id}","00000000","53724dff","00000000"]}}"#
            );
            let actions = session.receive(line.as_bytes(), &rules, now, &mut out);
            let Some(Action::Submit(submit)) = actions.first() else { return 0.0 };
            session.answer(submit, Ok::<(), Reject>(()), &rules, now, &mut out);
        }
        starts.keep("c", &session, &rules, HERE.into(), end);
        begun
    }

    #[test]
    fn who_leaves_as_it_is_raised_starts_raised() {
        let mut starts = Starts::default();
        assert_eq!(mine(&mut starts, "a.rig", 4, 50), 8.0);
        assert_eq!(mine(&mut starts, "a.rig", 0, 50), 512.0);
    }

    #[test]
    fn who_leaves_before_that_is_raised_all_the_same() {
        let mut starts = Starts::default();
        for begun in [8.0, 8.0, 512.0] {
            assert_eq!(mine(&mut starts, "a.rig", 2, 30), begun);
        }
    }

    #[test]
    fn another_name_gains_nothing() {
        let mut starts = Starts::default();
        mine(&mut starts, "a.rig", 4, 50);
        assert_eq!(mine(&mut starts, "a.other", 0, 50), 512.0);
        let at =
            |name, address: [u8; 4], now| starts.find("c", name, address.into(), now).is_some();
        assert!(at("a.third", NEIGHBOUR, 0));
        assert!(!at("b.rig", HERE, 0), "another payout address");
        assert!(!at("a.rig", ELSEWHERE, 0), "strangers cannot set it");
        assert!(at("a.rig", HERE, OWN_MS) && !at("a.rig", HERE, OWN_MS + 50));
        assert!(!at("a.third", HERE, EARLY_MS + 50));
    }

    #[test]
    fn who_stayed_says_nothing_about_other_names() {
        let mut starts = Starts::default();
        mine(&mut starts, "a.rig", 4, EARLY_MS);
        assert!(starts.find("c", "a.other", HERE.into(), EARLY_MS).is_none());
    }
}
