//! Banned networks: until when, why, how often before. Pure; times are unix milliseconds, so that
//! a ban ends at the same moment in every process.

use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// Most networks that are kept; the one whose ban ends first makes room.
pub const MOST: usize = 100_000;

/// One ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// When it ends; `u64::MAX`: when somebody lifts it.
    pub until: u64,
    /// Bans within the memory, this one with them; 0: an operator's.
    pub offences: u32,
    /// Why, in words.
    pub reason: String,
}

/// Networks that are banned, and those that were not long ago.
#[derive(Debug, Default)]
pub struct Bans {
    by_network: HashMap<IpNet, Ban>,
    by_end: BTreeSet<(u64, IpNet)>,
    /// Networks by IPv6 or not, and prefix length: a look-up tries each length that there is.
    lengths: BTreeMap<(bool, u8), usize>,
    /// How long (ms) a ban that is over is remembered.
    memory: u64,
}

/// What is banned for an address: the IPv4 address itself, or the IPv6 /64, which is what one
/// customer has at least.
#[must_use]
pub fn prefix(address: &IpAddr) -> IpNet {
    let address = address.to_canonical();
    let length = if address.is_ipv4() { 32 } else { 64 };
    IpNet::new(address, length).unwrap_or_else(|_| IpNet::from(address)).trunc()
}

impl Bans {
    /// No bans yet; ended ones are remembered for so many milliseconds.
    #[must_use]
    pub fn new(memory: u64) -> Self {
        Self { memory, ..Self::default() }
    }

    /// Adds a ban; of two on one network the later end wins. Returns whether anything changed.
    pub fn add(&mut self, network: IpNet, ban: Ban) -> bool {
        if self.by_network.get(&network).is_some_and(|known| known.until >= ban.until) {
            return false;
        }
        self.remove(&network);
        if self.by_network.len() >= MOST
            && let Some((_, first)) = self.by_end.first().copied()
        {
            self.remove(&first);
        }
        self.by_end.insert((ban.until, network));
        *self.lengths.entry((network.addr().is_ipv6(), network.prefix_len())).or_default() += 1;
        self.by_network.insert(network, ban);
        true
    }

    /// Bans a network for `time` ms, twice as long each time that it comes again, `most` at the
    /// longest. `None`: it is banned already.
    pub fn offend(
        &mut self,
        network: IpNet,
        time: u64,
        most: u64,
        reason: String,
        now: u64,
    ) -> Option<&Ban> {
        let known = self.by_network.get(&network);
        if known.is_some_and(|ban| ban.until > now) {
            return None;
        }
        let before = known.map_or(0, |ban| ban.offences);
        let longer = time.saturating_mul(1 << before.min(32)).min(most.max(time));
        let until = now.saturating_add(longer);
        self.add(network, Ban { until, offences: before.saturating_add(1), reason });
        self.by_network.get(&network)
    }

    /// Forgets a network. Returns whether it was known.
    pub fn remove(&mut self, network: &IpNet) -> bool {
        let Some(ban) = self.by_network.remove(network) else { return false };
        self.by_end.remove(&(ban.until, *network));
        let length = (network.addr().is_ipv6(), network.prefix_len());
        if let Some(count) = self.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
        true
    }

    /// The ban that an address is under.
    #[must_use]
    pub fn find(&self, address: &IpAddr, now: u64) -> Option<(IpNet, &Ban)> {
        let address = address.to_canonical();
        self.lengths.keys().filter(|(is_ipv6, _)| *is_ipv6 == address.is_ipv6()).find_map(
            |(_, length)| {
                let network = IpNet::new(address, *length).ok()?.trunc();
                let ban = self.by_network.get(&network).filter(|ban| ban.until > now)?;
                Some((network, ban))
            },
        )
    }

    /// When the ban of exactly this network ends; `None`: it is not banned.
    #[must_use]
    pub fn until(&self, network: &IpNet, now: u64) -> Option<u64> {
        self.by_network.get(network).map(|ban| ban.until).filter(|until| *until > now)
    }

    /// Forgets bans that ended longer ago than the memory reaches.
    pub fn expire(&mut self, now: u64) {
        while let Some((until, network)) = self.by_end.first().copied()
            && until.saturating_add(self.memory) <= now
        {
            self.remove(&network);
        }
    }

    /// Living bans, the one that ends last first.
    pub fn living(&self, now: u64) -> impl Iterator<Item = (&IpNet, &Ban)> {
        self.all().take_while(move |(_, ban)| ban.until > now)
    }

    /// Living bans and remembered ones, the one that ends last first.
    pub fn all(&self) -> impl Iterator<Item = (&IpNet, &Ban)> {
        self.by_end.iter().rev().filter_map(|(_, net)| self.by_network.get_key_value(net))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ban(until: u64) -> Ban {
        Ban { until, offences: 1, reason: String::new() }
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn bans_last_their_time_and_the_longer_one_wins() {
        let mut bans = Bans::new(0);
        let one = net("192.0.2.1/32");
        assert!(bans.add(one, ban(1000)) && !bans.add(one, ban(500)));
        let is_banned = |bans: &Bans, now| bans.find(&ip("192.0.2.1"), now).is_some();
        assert!(is_banned(&bans, 999) && !is_banned(&bans, 1000));
        bans.expire(999);
        assert!(is_banned(&bans, 999), "a purge never ends a living ban (A10)");
        assert!(bans.find(&ip("192.0.2.2"), 0).is_none());
        assert!(bans.remove(&one) && !bans.remove(&one));
        assert!(!is_banned(&bans, 0) && bans.lengths.is_empty());
    }

    #[test]
    fn networks_of_any_length_hold_their_addresses() {
        let mut bans = Bans::new(0);
        for text in ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"] {
            bans.add(net(text), ban(u64::MAX));
        }
        for (text, banned) in [
            ("10.200.0.1", true),
            ("::ffff:10.200.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.1", true),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(bans.find(&ip(text), 5).is_some(), banned, "{text}");
        }
        assert_eq!(prefix(&ip("2001:db8:1:2:3::4")), net("2001:db8:1:2::/64"));
        assert_eq!(prefix(&ip("::ffff:192.0.2.1")), net("192.0.2.1/32"));
    }

    #[test]
    fn repeaters_are_banned_longer_until_that_is_forgotten() {
        let (mut bans, one) = (Bans::new(10_000), net("192.0.2.1/32"));
        let mut now = 0;
        let mut lengths = Vec::new();
        for _ in 0..5 {
            let until = bans.offend(one, 600, 4000, "bad".to_owned(), now).unwrap().until;
            assert!(bans.offend(one, 600, 4000, "bad".to_owned(), now).is_none(), "banned once");
            lengths.push(until - now);
            now = until;
            bans.expire(now);
        }
        assert_eq!(lengths, [600, 1200, 2400, 4000, 4000]);
        assert_eq!(bans.living(now).count(), 0);
        assert_eq!(bans.all().count(), 1, "remembered");
        now += 10_000;
        bans.expire(now);
        assert_eq!(bans.offend(one, 600, 4000, String::new(), now).unwrap().until - now, 600);
    }

    #[test]
    fn the_table_is_bounded_and_the_soonest_ending_ban_makes_room() {
        let mut bans = Bans::new(0);
        for number in 0..u32::try_from(MOST).unwrap() {
            let [_, a, b, c] = number.to_be_bytes();
            bans.add(prefix(&IpAddr::from([10, a, b, c])), ban(1000 + u64::from(number)));
        }
        bans.add(net("192.0.2.1/32"), ban(5_000_000));
        assert_eq!(bans.by_network.len(), MOST);
        assert!(bans.find(&ip("192.0.2.1"), 0).is_some());
        assert!(bans.find(&ip("10.0.0.0"), 0).is_none());
    }

    proptest! {
        #[test]
        fn all_indexes_agree(
            steps in proptest::collection::vec((0_u8..20, 0_u64..100, 0_u8..3), 0..100)
        ) {
            let mut bans = Bans::new(7);
            for (number, time, what) in steps {
                let network = prefix(&IpAddr::from([10, 0, 0, number]));
                match what {
                    0 => { bans.add(network, ban(time)); }
                    1 => { bans.remove(&network); }
                    _ => bans.expire(time),
                }
                prop_assert_eq!(bans.by_end.len(), bans.by_network.len());
                prop_assert_eq!(bans.lengths.values().sum::<usize>(), bans.by_network.len());
                prop_assert_eq!(bans.all().count(), bans.by_network.len());
            }
        }
    }
}
