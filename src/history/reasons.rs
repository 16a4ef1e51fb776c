//! Refused shares by reason, and how a slot keeps them: a few bytes, and none where nothing was
//! refused. Pure.

use crate::stratum::Reject;
use serde::{Serialize, Serializer};

/// Places for reasons by their stored numbers; 0 is none.
const PLACES: usize = Reject::ALL.len() + 1;

/// Refused shares by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons([u64; PLACES]);

impl Reasons {
    /// So many for one reason.
    #[must_use]
    pub fn of(reject: Reject, count: u64) -> Self {
        let mut reasons = Self::default();
        reasons.count(reject, count);
        reasons
    }

    /// Counts more of one reason. What leaves 64 bits stays at the largest number.
    pub fn count(&mut self, reject: Reject, count: u64) {
        if let Some(place) = self.0.get_mut(usize::from(reject as u8)) {
            *place = place.saturating_add(count);
        }
    }

    /// Adds those of another.
    pub fn add(&mut self, more: &Self) {
        more.each().for_each(|(reject, count)| self.count(reject, count));
    }

    /// Those that occurred, in the order of their numbers.
    pub fn each(&self) -> impl Iterator<Item = (Reject, u64)> {
        let of = |reject: Reject| self.0.get(usize::from(reject as u8)).copied();
        let all = Reject::ALL.into_iter();
        all.filter_map(move |reject| Some((reject, of(reject).filter(|&count| count > 0)?)))
    }

    /// Sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.each().fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// As a slot keeps them: the number of a reason, its count in groups of 7 bits, the lowest
    /// first, and so on; `None`: nothing was refused.
    pub(super) fn stored(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for (reject, mut count) in self.each() {
            bytes.push(reject as u8);
            while count >= 0x80 {
                bytes.push(0x80 | (count & 0x7f) as u8);
                count >>= 7;
            }
            bytes.push((count & 0x7f) as u8);
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    /// From what a slot keeps. Reasons of a later release are passed over: the slot's sum counts
    /// them.
    pub(super) fn from_stored(bytes: &[u8]) -> Self {
        let mut reasons = Self::default();
        let mut bytes = bytes.iter().copied();
        while let Some(number) = bytes.next() {
            let mut count = 0_u64;
            for shift in (0..64).step_by(7) {
                let Some(byte) = bytes.next() else { break };
                count |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if let Some(reject) = Reject::from_code(number) {
                reasons.count(reject, count);
            }
        }
        reasons
    }
}

impl Serialize for Reasons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.each().map(|(reject, count)| (reject.name(), count)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_stored_is_read_again(counts in proptest::collection::vec(any::<(usize, u64)>(), 0..20)) {
            let mut reasons = Reasons::default();
            for (at, count) in counts {
                let reject = Reject::ALL.into_iter().cycle().nth(at % Reject::ALL.len()).unwrap();
                reasons.count(reject, count);
            }
            let read = reasons.stored().map(|bytes| Reasons::from_stored(&bytes));
            prop_assert_eq!(read.unwrap_or_default(), reasons);
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Reasons::from_stored(&bytes).total();
        }
    }

    #[test]
    fn a_few_refused_shares_take_two_bytes() {
        assert_eq!(Reasons::default().stored(), None);
        assert_eq!(Reasons::of(Reject::Stale, 100).stored().unwrap(), [3, 100]);
        assert_eq!(Reasons::from_stored(&[3, 1, 200, 5, 4, 2]).total(), 3, "200: a later release");
    }
}
