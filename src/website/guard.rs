//! How many requests an address may send. Pure: times come in.

use crate::stratum::{Bucket, Rate};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Requests of one address: a page brings its style along, a dashboard asks a few times a minute.
const RATE: Rate = Rate::per_second(20, 100);
/// Addresses that are remembered.
const MOST: usize = 20_000;
/// A bucket that was not used for so long (ms) is full again: 100 tokens at 20 a second.
const FULL: u64 = 5_000;

/// What each address has left.
#[derive(Debug, Default)]
pub(super) struct Guard {
    buckets: HashMap<IpAddr, (Bucket, u64)>,
}

impl Guard {
    /// Whether a request of this address is answered.
    pub(super) fn admits(&mut self, address: IpAddr, now: u64) -> bool {
        if self.buckets.len() >= MOST {
            self.buckets.retain(|_, (_, at)| now.saturating_sub(*at) < FULL);
        }
        let mut key = network(address);
        if self.buckets.len() >= MOST && !self.buckets.contains_key(&key) {
            // Newcomers in such a flood share what one address has.
            key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        }
        let (bucket, at) = self.buckets.entry(key).or_insert((Bucket::new(now), now));
        *at = now;
        bucket.take(RATE, now)
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
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut guard = Guard::default();
        let mut admitted = 0;
        for address in 0..30_000_u32 {
            admitted += u32::from(guard.admits(IpAddr::from(address.to_be_bytes()), 0));
        }
        assert!(guard.buckets.len() <= MOST + 1);
        assert_eq!(admitted, 20_000 + 100);
        assert!(guard.admits(IpAddr::from([9, 9, 9, 9]), FULL + 1));
        assert_eq!(guard.buckets.len(), 1);
    }
}
