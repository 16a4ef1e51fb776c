//! A 256-bit hash as a fixed-width value.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// A 256-bit hash, bytes in internal order. Prints, parses and serialises in display order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

/// SHA-256 of SHA-256.
#[must_use]
pub fn sha256d(data: &[u8]) -> Hash {
    Hash(Sha256::digest(Sha256::digest(data)).into())
}

impl Hash {
    /// Parses 64 hex digits in display order (either case).
    #[must_use]
    pub fn from_display(text: &str) -> Option<Self> {
        let mut bytes = crate::chain::hex_array::<32>(text)?;
        bytes.reverse();
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_display(&text).ok_or_else(|| serde::de::Error::custom("not 64 hex digits"))
    }
}
