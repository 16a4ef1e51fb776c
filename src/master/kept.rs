//! What the master keeps for children that come later: the last work of each coin, living bans,
//! how each coin is doing.

use crate::ipc::{CoinStatus, Message};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// Bans that are kept; beyond it the one that ends first gives way.
pub(crate) const MOST_BANS: usize = 100_000;

/// The last work of a coin.
#[derive(Debug)]
pub(crate) struct KeptWork {
    /// `Message::Work`.
    pub(crate) message: Message,
    /// The block's body.
    pub(crate) body: OwnedFd,
}

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// By coin id.
    pub(crate) works: BTreeMap<String, KeptWork>,
    /// By coin id.
    pub(crate) coins: BTreeMap<String, CoinStatus>,
    /// Living bans.
    pub(crate) bans: Bans,
}

impl Kept {
    /// Forgets coins that are no more.
    pub(crate) fn keep_only(&mut self, is_coin: impl Fn(&str) -> bool) {
        self.works.retain(|coin, _| is_coin(coin));
        self.coins.retain(|coin, _| is_coin(coin));
    }
}

/// Bans by address, each with its end in unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    by_address: HashMap<IpAddr, u64>,
    by_end: BTreeSet<(u64, IpAddr)>,
}

impl Bans {
    /// Adds a ban; the later end of two wins. Returns whether anything changed.
    pub(crate) fn add(&mut self, address: IpAddr, until: u64) -> bool {
        match self.by_address.get(&address) {
            Some(&end) if end >= until => return false,
            Some(&end) => drop(self.by_end.remove(&(end, address))),
            None if self.by_address.len() >= MOST_BANS => {
                if let Some((_, first)) = self.by_end.pop_first() {
                    self.by_address.remove(&first);
                }
            }
            None => {}
        }
        self.by_address.insert(address, until);
        self.by_end.insert((until, address))
    }

    /// Forgets bans that are over at `now` (unix milliseconds).
    pub(crate) fn expire(&mut self, now: u64) {
        while let Some(&(end, address)) = self.by_end.first()
            && end <= now
        {
            self.by_end.pop_first();
            self.by_address.remove(&address);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(IpAddr, u64)> {
        self.by_end.iter().map(|&(until, address)| (address, until)).collect()
    }

    /// Lifts all of them.
    pub(crate) fn clear(&mut self) -> Vec<IpAddr> {
        self.by_end.clear();
        self.by_address.drain().map(|(address, _)| address).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn a_ban_ends_and_the_later_end_wins() {
        let mut bans = Bans::default();
        assert!(bans.add(address(1), 100));
        assert!(bans.add(address(1), 300));
        assert!(!bans.add(address(1), 200));
        bans.add(address(2), 150);
        bans.expire(150);
        assert_eq!(bans.all(), [(address(1), 300)]);
        bans.expire(300);
        assert_eq!(bans.len(), 0);
    }

    #[test]
    fn bans_are_bounded() {
        let mut bans = Bans::default();
        for number in 0..=u32::try_from(MOST_BANS).unwrap() {
            bans.add(address(number), 1000 + u64::from(number));
        }
        assert_eq!(bans.len(), MOST_BANS);
        assert!(!bans.all().contains(&(address(0), 1000)), "the first to end gave way");
    }

    proptest! {
        #[test]
        fn both_indexes_agree(steps in proptest::collection::vec((0_u32..20, 0_u64..100, any::<bool>()), 0..100)) {
            let mut bans = Bans::default();
            for (number, time, add) in steps {
                if add { bans.add(address(number), time); } else { bans.expire(time); }
                prop_assert_eq!(bans.by_end.len(), bans.by_address.len());
                for (end, address) in &bans.by_end {
                    prop_assert_eq!(bans.by_address.get(address), Some(end));
                }
            }
        }
    }
}
