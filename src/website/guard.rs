//! How many requests an address may send. Pure: times come in.

use crate::stratum::{Bucket, Rate};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Requests of one address: a page brings its style along, a dashboard asks a few times a minute.
const RATE: Rate = Rate::per_second(20, 100);
/// Addresses that are remembered.
const MOST: usize = 20_000;

/// What each address has left.
///
/// Two tables take turns: who was not seen for a whole turn is forgotten with the older one, at
/// once. A turn is as long as an empty bucket needs to be full again, so that nobody gains by that.
#[derive(Debug)]
pub(super) struct Guard {
    rate: Rate,
    /// Milliseconds of a turn.
    turn: u64,
    most: usize,
    turned: u64,
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(RATE, MOST)
    }
}

impl Guard {
    /// So much for each address; so many addresses are remembered.
    pub(super) fn new(rate: Rate, most: usize) -> Self {
        let full = u64::from(rate.burst) * 60_000;
        Self {
            rate,
            turn: full.checked_div(u64::from(rate.per_minute)).unwrap_or(0),
            most,
            turned: 0,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// Whether a request of this address is answered.
    pub(super) fn admits(&mut self, address: IpAddr, now: u64) -> bool {
        if now.saturating_sub(self.turned) >= self.turn {
            self.turned = now;
            self.old = std::mem::take(&mut self.young);
        }
        let mut key = network(address);
        let mut known = self.old.remove(&key);
        let is_new = known.is_none() && !self.young.contains_key(&key);
        if is_new && self.young.len() + self.old.len() >= self.most {
            // Newcomers in such a flood share what one address has.
            key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            known = self.old.remove(&key);
        }
        let bucket = self.young.entry(key).or_insert(known.unwrap_or(Bucket::new(now)));
        bucket.take(self.rate, now)
    }

    /// That address is in good standing again.
    pub(super) fn forgive(&mut self, address: IpAddr) {
        let key = network(address);
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

/// An IPv4 address, or the /64 of an IPv6 one: so much a single user has.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_stopped_and_no_other() {
        let mut guard = Guard::default();
        let (one, other) = ("2001:db8::1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        let neighbour = "2001:db8::2".parse().unwrap();
        assert_eq!((0..200).filter(|_| guard.admits(one, 0)).count(), 100);
        assert!(!guard.admits(neighbour, 0), "the same /64");
        assert!(guard.admits(other, 0));
        assert!(guard.admits(one, 100));
        guard.forgive(neighbour);
        assert_eq!((0..200).filter(|_| guard.admits(one, 100)).count(), 100);
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_nobody_gains_by_being_forgotten() {
        let mut guard = Guard::default();
        let one = IpAddr::from([10, 0, 0, 0]);
        assert_eq!((0..200).filter(|_| guard.admits(one, 4_999)).count(), 100);
        let mut admitted = 0;
        for address in 0..30_000_u32 {
            let address = IpAddr::from((0x0a00_0001 + address).to_be_bytes());
            admitted += u32::from(guard.admits(address, 4_999));
        }
        assert!(guard.young.len() + guard.old.len() <= MOST + 1);
        assert_eq!(admitted, 19_999 + 100);
        // The tables take turns: what it has used is still known.
        assert_eq!((0..200).filter(|_| guard.admits(one, 5_000)).count(), 0);
        assert_eq!(guard.young.len(), 1);
        assert!(guard.admits(IpAddr::from([9, 9, 9, 9]), 10_000));
        assert_eq!((guard.young.len(), guard.old.len()), (1, 1));
    }
}
