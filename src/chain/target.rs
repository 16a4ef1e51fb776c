//! Targets: the 256-bit number that a hash must not exceed.

use super::Hash;
use ethnum::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A proof-of-work target. A hash meets it when, read as a little-endian number, it is not larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(pub U256);

impl Target {
    /// The target of difficulty 1: 0xffff · 2^208.
    pub const DIFFICULTY_1: Self = Self(U256::from_words(0xffff_u128 << 80, 0));

    /// From the compact form (`nBits`); `None` when negative or overflowing (Bitcoin's
    /// `arith_uint256::SetCompact`).
    #[must_use]
    pub fn from_compact(bits: u32) -> Option<Self> {
        let _ = bits;
        unimplemented!()
    }

    /// Whether the hash (bytes in internal order) is not above the target.
    #[must_use]
    pub fn is_met_by(&self, hash: &Hash) -> bool {
        U256::from_le_bytes(hash.0) <= self.0
    }

    /// `DIFFICULTY_1 / self`, the difficulty as daemons print it. For display only.
    #[must_use]
    pub fn difficulty(&self) -> f64 {
        Self::DIFFICULTY_1.0.as_f64() / self.0.max(U256::ONE).as_f64()
    }
}

/// As 64 hex digits, most significant first.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hash(self.0.to_le_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hash::deserialize(deserializer).map(|hash| Self(U256::from_le_bytes(hash.0)))
    }
}
