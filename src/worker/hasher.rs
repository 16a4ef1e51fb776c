//! The proofs of work of a turn: those of scrypt several at a time, and what each takes, so that a
//! turn stays short.

use super::judge::Prepared;
use crate::chain::Hash;
use crate::pow::Algorithm;
use crate::pow::scrypt::{Mixer, Several};
use crate::sys::clock::monotonic_us;
use std::collections::HashMap;

#[cfg(test)]
mod tests;

/// Nanoseconds of proofs of work of one pace in a turn; a single one may take longer. A share that
/// comes while the memory-hard ones of a turn are hashed waits for them: its answer comes before
/// those of the next.
pub(crate) const TURN_NS: u64 = 1_000_000;

/// Nanoseconds that a proof of work may take for one that is too late for a credit.
const LATE_NS: u64 = 10_000_000;

/// What a proof of work of an algorithm takes, as the last turns showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Nanoseconds; 0 while nothing is known.
    each: u64,
    /// How many take as long together as one; 0 while nothing is known.
    lanes: usize,
}

impl Cost {
    /// Nanoseconds each.
    #[cfg(test)]
    pub(crate) const fn each(each: u64) -> Self {
        Self { each, lanes: 1 }
    }

    /// So many took so long, `lanes` at a time. The mean of about the last eight turns: a turn in
    /// which the machine did something else is soon forgotten.
    fn learn(&mut self, hashes: usize, lanes: usize, nanoseconds: u64) {
        self.lanes = lanes;
        // Lanes that were empty took their time too.
        let hashes = u64::try_from(self.whole(hashes)).unwrap_or(u64::MAX);
        let each = nanoseconds.checked_div(hashes).unwrap_or_default();
        self.each = match self.each {
            0 => each,
            before => before.saturating_mul(7).saturating_add(each) / 8,
        };
    }

    /// How many have room in so many nanoseconds; at least as many as take no longer than one.
    pub(crate) fn room(self, nanoseconds: u64) -> usize {
        let room = nanoseconds.checked_div(self.each).unwrap_or(u64::MAX);
        self.whole(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// The number with its last lanes filled up; at least one.
    fn whole(self, hashes: usize) -> usize {
        let hashes = hashes.max(1);
        hashes.checked_next_multiple_of(self.lanes.max(1)).unwrap_or(hashes)
    }

    /// Nanoseconds that so many take.
    pub(crate) fn of(self, hashes: usize) -> u64 {
        self.each.saturating_mul(u64::try_from(hashes).unwrap_or(u64::MAX))
    }
}

/// Hashes headers, and remembers what that took.
#[derive(Debug)]
pub(crate) struct Hasher {
    several: Several,
    costs: HashMap<Algorithm, Cost>,
}

impl Hasher {
    /// `mixer`: how this machine mixes several scrypts at a time, if it can.
    pub(crate) fn new(mixer: Option<Mixer>) -> Self {
        Self { several: Several::new(mixer), costs: HashMap::new() }
    }

    /// What a proof of work of that algorithm takes. Of a memory-hard one that was never tried, a
    /// whole turn: it may be a second.
    pub(crate) fn cost(&self, algorithm: Algorithm) -> Cost {
        let unknown = if algorithm.is_memory_hard() { TURN_NS } else { 0 };
        self.costs.get(&algorithm).copied().unwrap_or(Cost { each: unknown, ..Cost::default() })
    }

    /// Whether shares of that algorithm are hashed that are too late to be credited: whoever sends
    /// them pays nothing.
    pub(crate) fn has_time_for_late(&self, algorithm: Algorithm) -> bool {
        self.cost(algorithm).of(1) <= LATE_NS
    }

    /// From now on a proof of work of that algorithm is thought to take so long.
    #[cfg(test)]
    pub(crate) fn suppose(&mut self, algorithm: Algorithm, cost: Cost) {
        self.costs.insert(algorithm, cost);
    }

    /// The proof-of-work hashes of shares, in their order.
    pub(crate) fn hash_all(&mut self, shares: &[(Algorithm, &Prepared)]) -> Vec<Hash> {
        let mut groups: HashMap<(Algorithm, Option<u8>), Vec<usize>> = HashMap::new();
        for (place, (algorithm, share)) in shares.iter().enumerate() {
            let log_n = algorithm.scrypt_log_n(&share.header);
            groups.entry((*algorithm, log_n)).or_default().push(place);
        }
        let mut hashes = vec![Hash::default(); shares.len()];
        for ((algorithm, log_n), places) in groups {
            let begun = monotonic_us();
            let those = || places.iter().filter_map(|place| shares.get(*place));
            let done: Vec<Hash> = match log_n {
                Some(log_n) => {
                    let headers: Vec<_> = those().map(|(_, share)| share.header).collect();
                    self.several.hash_many(&headers, log_n)
                }
                None => those().map(|(_, share)| share.work_hash(algorithm)).collect(),
            };
            let took = monotonic_us().saturating_sub(begun).saturating_mul(1000);
            let lanes = log_n.map_or(1, |log_n| self.several.lanes(log_n));
            self.costs.entry(algorithm).or_default().learn(places.len(), lanes, took);
            for (place, hash) in places.into_iter().zip(done) {
                if let Some(slot) = hashes.get_mut(place) {
                    *slot = hash;
                }
            }
        }
        hashes
    }
}
