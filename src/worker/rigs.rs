//! Under which name work is credited: a rig's own, or, for an address with too many rigs, one that
//! they share, so that invented names do not fill the ledger.

use crate::stratum::address_part;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// The name that stands for further rigs.
const OTHER: &str = "_other";
/// Milliseconds after which all names are forgotten.
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Addresses that are remembered; with more of them all are forgotten.
const ADDRESSES: usize = 50_000;

/// Names with accepted work, by address. Each costs eight bytes.
#[derive(Debug, Default)]
pub(crate) struct Rigs {
    keys: RandomState,
    names: HashMap<u64, HashSet<u64>>,
    /// Monotonic milliseconds.
    until: u64,
}

impl Rigs {
    /// The name that accepted work of `name` is credited to, if it is another. `most` names of an
    /// address are kept apart; 0: any number.
    pub(crate) fn credited(&mut self, name: &str, most: usize, now: u64) -> Option<String> {
        let address = address_part(name);
        if most == 0 || address.len() == name.len() {
            return None;
        }
        if now >= self.until || self.names.len() > ADDRESSES {
            self.names.clear();
            self.until = now.saturating_add(DAY_MS);
        }
        let names = self.names.entry(self.keys.hash_one(address)).or_default();
        let name = self.keys.hash_one(name);
        if names.contains(&name) {
            return None;
        }
        if names.len() < most {
            names.insert(name);
            return None;
        }
        Some(format!("{address}.{OTHER}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_names_and_then_one_more() {
        let mut rigs = Rigs::default();
        let mut credited = |name: &str, now| rigs.credited(name, 2, now);
        assert_eq!(credited("addr.a", 0), None);
        assert_eq!(credited("addr_b", 0), None);
        assert_eq!(credited("addr.c", 0), Some("addr._other".to_owned()));
        assert_eq!(credited("addr.a", 0), None, "who was there first stays");
        assert_eq!(credited("addr", 0), None, "the address itself is no rig");
        assert_eq!(credited("other.c", 0), None);
        assert_eq!(credited("addr.c", DAY_MS), None, "a new day");
        assert_eq!(Rigs::default().credited("addr.x", 0, 0), None, "no limit");
    }
}
