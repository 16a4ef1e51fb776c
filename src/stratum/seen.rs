//! The shares that a session has had on the present tip, by the identity of their header.
//!
//! Identity is of the 80 bytes that were hashed, never of the request's text (NOMP S1, S2).

use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What became of a header's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// Not seen before; it is now.
    New,
    /// Seen before.
    Duplicate,
    /// Not seen before, and there is no room to remember it: refuse the share. Nothing is ever
    /// evicted, or an evicted share could be credited again.
    Full,
}

/// A bounded set of header identities (the first 16 bytes of the header's SHA-256d).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen {
    ids: HashSet<u128>,
}

impl Seen {
    /// Most identities remembered for one tip: about 1.5 MB.
    pub const CAP: usize = 65_536;

    /// Identities remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether an identity was seen.
    #[must_use]
    pub fn contains(&self, header_id: u128) -> bool {
        self.ids.contains(&header_id)
    }

    /// Remembers an identity, in constant time.
    pub fn insert(&mut self, header_id: u128) -> Inserted {
        if self.ids.len() >= Self::CAP {
            return if self.contains(header_id) { Inserted::Duplicate } else { Inserted::Full };
        }
        if self.ids.insert(header_id) { Inserted::New } else { Inserted::Duplicate }
    }

    /// Forgets all, and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.ids = HashSet::new();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_has_seen() {
        let mut seen = Seen::default();
        assert_eq!(seen.insert(7), Inserted::New);
        assert_eq!(seen.insert(7), Inserted::Duplicate);
        assert!(seen.contains(7) && !seen.contains(8));
        seen.clear();
        assert_eq!(seen.insert(7), Inserted::New);
    }

    #[test]
    fn full_refuses_the_new_and_still_knows_the_old() {
        let mut seen = Seen::default();
        for id in 0..Seen::CAP as u128 {
            assert_eq!(seen.insert(id), Inserted::New);
        }
        assert_eq!(seen.insert(u128::MAX), Inserted::Full);
        assert_eq!(seen.insert(0), Inserted::Duplicate);
    }

    #[test]
    fn survives_serialisation() {
        let mut seen = Seen::default();
        seen.insert(u128::MAX);
        seen.insert(0);
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), seen);
    }
}
