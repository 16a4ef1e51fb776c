//! What pools and coins have for each algorithm beside its hash: the factor of share difficulties,
//! the ids of blocks and coinbases, and what a hash costs.

use super::Algorithm;
use super::ids::Ids;
use crate::chain::{Hash, Header};

impl Algorithm {
    /// log2 of the difficulty multiplier: share difficulty 1 of this algorithm stands for
    /// 2^(32 - shift) hashes, and a share target is `diff1 << shift / difficulty` (NOMP 4.8; for
    /// those that NOMP has no name for, as miners take it).
    #[must_use]
    pub const fn multiplier_shift(self) -> u32 {
        match self {
            Self::Scrypt
            | Self::ScryptOg
            | Self::ScryptN(_)
            | Self::ScryptJane(_)
            | Self::Yescrypt
            | Self::YespowerZny
            | Self::YespowerBell
            | Self::YespowerSugar
            | Self::YespowerTdc => 16,
            Self::Lyra2re => 7,
            // NOMP's. Pools of other kin have 2^16.
            Self::Neoscrypt => 5,
            Self::Blake
            | Self::Fresh
            | Self::Fugue
            | Self::Groestl
            | Self::Keccak
            | Self::KeccakNormal
            | Self::X16r
            | Self::X16rt
            | Self::X16rv2
            | Self::Lyra2rev2
            | Self::Lyra2rev3
            | Self::Lyra2z
            | Self::Allium => 8,
            Self::Sha256
            | Self::C11
            | Self::Groestlmyriad
            | Self::Hefty1
            | Self::Nist5
            | Self::Quark
            | Self::Qubit
            | Self::Sha1
            | Self::Shavite3
            | Self::Sifcoin
            | Self::Skein
            | Self::Whirlpoolx
            | Self::X11
            | Self::X13
            | Self::X13bcd
            | Self::X14
            | Self::X15
            | Self::X17
            | Self::Minotaurx => 0,
        }
    }

    /// Whether a hash takes 20 us to 10 ms, by design, and not a few; scrypt-jane up to seconds.
    #[must_use]
    pub const fn is_memory_hard(self) -> bool {
        matches!(
            self,
            Self::Scrypt
                | Self::ScryptOg
                | Self::ScryptN(_)
                | Self::ScryptJane(_)
                | Self::Neoscrypt
                | Self::Yescrypt
                | Self::YespowerZny
                | Self::YespowerBell
                | Self::YespowerSugar
                | Self::YespowerTdc
                | Self::Minotaurx
        )
    }

    /// Whether coins of this algorithm know a block by its proof of work; the others do by the
    /// SHA-256d of its header (NOMP 4.8).
    #[must_use]
    pub const fn is_id(self) -> bool {
        match self {
            Self::Sha256
            | Self::Scrypt
            | Self::Blake
            | Self::Groestlmyriad
            | Self::ScryptOg
            | Self::ScryptN(_)
            | Self::ScryptJane(_)
            | Self::Neoscrypt
            | Self::Lyra2re
            | Self::Lyra2rev2
            | Self::Lyra2rev3
            | Self::Lyra2z
            | Self::Allium
            | Self::Yescrypt
            | Self::YespowerZny
            | Self::YespowerBell
            | Self::YespowerSugar
            | Self::YespowerTdc
            | Self::Minotaurx => false,
            Self::C11
            | Self::Fresh
            | Self::Fugue
            | Self::Groestl
            | Self::Hefty1
            | Self::Keccak
            | Self::KeccakNormal
            | Self::Nist5
            | Self::Quark
            | Self::Qubit
            | Self::Sha1
            | Self::Shavite3
            | Self::Sifcoin
            | Self::Skein
            | Self::Whirlpoolx
            | Self::X11
            | Self::X13
            | Self::X13bcd
            | Self::X14
            | Self::X15
            | Self::X16r
            | Self::X16rt
            | Self::X16rv2
            | Self::X17 => true,
        }
    }

    /// Whether proof-of-stake coins of this algorithm know a block by its proof of work: those of
    /// scrypt and scrypt-jane do, too (NOMP 4.8, where scrypt-jane's is hashed with a wrong time).
    #[must_use]
    pub const fn is_id_of_stake(self) -> bool {
        self.is_id() || matches!(self, Self::Scrypt | Self::ScryptJane(_))
    }

    /// The id by which most coins of this algorithm know a block.
    #[must_use]
    pub fn block_id(self, header: &Header) -> Hash {
        Ids::default().block(self, header)
    }

    /// The id of a coinbase, given without witness, as most coins of this algorithm make it.
    #[must_use]
    pub fn coinbase_id(self, coinbase: &[u8]) -> Hash {
        Ids::default().transaction(self).of(coinbase)
    }
}
