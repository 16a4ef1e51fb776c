//! Proof of work: one file per algorithm, behind one closed enum.

mod scrypt;
mod sha256;

use crate::chain::{Hash, Header};
use serde::{Deserialize, Serialize};

/// A proof-of-work algorithm, by NOMP's name (`algorithm` in a coin file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// SHA-256 twice: Bitcoin and its kin.
    Sha256,
    /// scrypt with N = 1024, r = p = 1, salt = header: Litecoin and its kin (RFC 7914).
    Scrypt,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Scrypt];

    /// The algorithm of that NOMP name, if it is one that this build knows.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// NOMP's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Scrypt => "scrypt",
        }
    }

    /// log2 of the difficulty multiplier: share difficulty 1 of this algorithm stands for
    /// 2^(32 - shift) hashes, and a share target is `diff1 << shift / difficulty` (NOMP 4.8).
    #[must_use]
    pub const fn multiplier_shift(self) -> u32 {
        match self {
            Self::Sha256 => 0,
            Self::Scrypt => 16,
        }
    }

    /// The proof-of-work hash of a header, bytes in the order in which the function writes them
    /// (= a little-endian 256-bit number).
    #[must_use]
    pub fn hash(self, header: &Header) -> Hash {
        match self {
            Self::Sha256 => sha256::hash(header),
            Self::Scrypt => scrypt::hash(header),
        }
    }
}
