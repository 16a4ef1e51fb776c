//! Proof of work: one closed enum, a file for each algorithm or family, and the functions that
//! they share in `parts`.

mod hefty1;
mod parts;
mod quark;
mod scrypt;
mod sha1;
mod sha256;
mod single;
mod x11;
mod x16r;

use crate::chain::{Hash, Header, sha256d};
use serde::{Deserialize, Serialize};

/// A proof-of-work algorithm, by NOMP's name (`algorithm` in a coin file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// SHA-256 twice: Bitcoin and its kin.
    Sha256,
    /// scrypt with N = 1024, r = p = 1, salt = header: Litecoin and its kin (RFC 7914).
    Scrypt,
    /// BLAKE-256 with 8 rounds: Blakecoin.
    Blake,
    /// x11 in another order: Chaincoin.
    C11,
    /// SHAvite-3, SIMD, SHAvite-3, SIMD, ECHO: Freshcoin.
    Fresh,
    /// Fugue-256.
    Fugue,
    /// Grøstl-512 twice: Groestlcoin.
    Groestl,
    /// Grøstl-512, then SHA-256: one of Myriadcoin's.
    Groestlmyriad,
    /// HEFTY1 woven with four other functions: Heavycoin.
    Hefty1,
    /// Keccak-256: Maxcoin and its kin.
    Keccak,
    /// The five finalists of the SHA-3 competition: Talkcoin.
    Nist5,
    /// Nine steps of six functions, three of them chosen by the state: Quarkcoin.
    Quark,
    /// Luffa, CubeHash, SHAvite-3, SIMD, ECHO: Qubitcoin.
    Qubit,
    /// SHA-1 of every stretch of SHA-1 in base64: Sha1coin.
    Sha1,
    /// SHAvite-3-512 twice: INKcoin.
    Shavite3,
    /// BLAKE, BMW, Grøstl, JH, Keccak, Skein: Sifcoin.
    Sifcoin,
    /// Skein-512, then SHA-256: Skeincoin.
    Skein,
    /// Whirlpool, its halves' middles added: Vcash.
    Whirlpoolx,
    /// Eleven functions: Dash and its kin.
    X11,
    /// x11, Hamsi, Fugue.
    X13,
    /// x13 with SM3 for Luffa: Bitcoin Diamond.
    X13bcd,
    /// x13, Shabal, Whirlpool.
    X15,
    /// Sixteen of sixteen functions, chosen by the block before: Ravencoin.
    X16r,
    /// x16r, chosen by the header's time: Gincoin.
    X16rt,
    /// x16r with Tiger before three of the functions: Ravencoin, later.
    X16rv2,
    /// x15, SHA-512, HAVAL.
    X17,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 26] = [
        Self::Sha256,
        Self::Scrypt,
        Self::Blake,
        Self::C11,
        Self::Fresh,
        Self::Fugue,
        Self::Groestl,
        Self::Groestlmyriad,
        Self::Hefty1,
        Self::Keccak,
        Self::Nist5,
        Self::Quark,
        Self::Qubit,
        Self::Sha1,
        Self::Shavite3,
        Self::Sifcoin,
        Self::Skein,
        Self::Whirlpoolx,
        Self::X11,
        Self::X13,
        Self::X13bcd,
        Self::X15,
        Self::X16r,
        Self::X16rt,
        Self::X16rv2,
        Self::X17,
    ];

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
            Self::Blake => "blake",
            Self::C11 => "c11",
            Self::Fresh => "fresh",
            Self::Fugue => "fugue",
            Self::Groestl => "groestl",
            Self::Groestlmyriad => "groestlmyriad",
            Self::Hefty1 => "hefty1",
            Self::Keccak => "keccak",
            Self::Nist5 => "nist5",
            Self::Quark => "quark",
            Self::Qubit => "qubit",
            Self::Sha1 => "sha1",
            Self::Shavite3 => "shavite3",
            Self::Sifcoin => "sifcoin",
            Self::Skein => "skein",
            Self::Whirlpoolx => "whirlpoolx",
            Self::X11 => "x11",
            Self::X13 => "x13",
            Self::X13bcd => "x13bcd",
            Self::X15 => "x15",
            Self::X16r => "x16r",
            Self::X16rt => "x16rt",
            Self::X16rv2 => "x16rv2",
            Self::X17 => "x17",
        }
    }

    /// log2 of the difficulty multiplier: share difficulty 1 of this algorithm stands for
    /// 2^(32 - shift) hashes, and a share target is `diff1 << shift / difficulty` (NOMP 4.8; for
    /// those that NOMP has no name for, as miners take it).
    #[must_use]
    pub const fn multiplier_shift(self) -> u32 {
        match self {
            Self::Scrypt => 16,
            Self::Blake
            | Self::Fresh
            | Self::Fugue
            | Self::Groestl
            | Self::Keccak
            | Self::X16r
            | Self::X16rt
            | Self::X16rv2 => 8,
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
            | Self::X15
            | Self::X17 => 0,
        }
    }

    /// The proof-of-work hash of a header, bytes in the order in which the function writes them
    /// (= a little-endian 256-bit number).
    #[must_use]
    pub fn hash(self, header: &Header) -> Hash {
        match self {
            Self::Sha256 => sha256::hash(header),
            Self::Scrypt => scrypt::hash(header),
            Self::Blake => single::blake(header),
            Self::C11 => x11::c11(header),
            Self::Fresh => x11::fresh(header),
            Self::Fugue => single::fugue(header),
            Self::Groestl => single::groestl(header),
            Self::Groestlmyriad => single::groestlmyriad(header),
            Self::Hefty1 => hefty1::hash(header),
            Self::Keccak => single::keccak(header),
            Self::Nist5 => x11::nist5(header),
            Self::Quark => quark::quark(header),
            Self::Qubit => x11::qubit(header),
            Self::Sha1 => sha1::hash(header),
            Self::Shavite3 => single::shavite3(header),
            Self::Sifcoin => x11::sifcoin(header),
            Self::Skein => single::skein(header),
            Self::Whirlpoolx => single::whirlpoolx(header),
            Self::X11 => x11::x11(header),
            Self::X13 => x11::x13(header),
            Self::X13bcd => x11::x13bcd(header),
            Self::X15 => x11::x15(header),
            Self::X16r => x16r::x16r(header),
            Self::X16rt => x16r::x16rt(header),
            Self::X16rv2 => x16r::x16rv2(header),
            Self::X17 => x11::x17(header),
        }
    }

    /// Whether coins of this algorithm know a block by its proof of work; the others do by the
    /// SHA-256d of its header (NOMP 4.8).
    #[must_use]
    pub const fn is_id(self) -> bool {
        match self {
            Self::Sha256 | Self::Scrypt | Self::Blake | Self::Groestlmyriad => false,
            Self::C11
            | Self::Fresh
            | Self::Fugue
            | Self::Groestl
            | Self::Hefty1
            | Self::Keccak
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
            | Self::X15
            | Self::X16r
            | Self::X16rt
            | Self::X16rv2
            | Self::X17 => true,
        }
    }

    /// The id by which coins of this algorithm know a block.
    #[must_use]
    pub fn block_id(self, header: &Header) -> Hash {
        if self.is_id() { self.hash(header) } else { sha256d(header) }
    }

    /// The id of a coinbase, given without witness: SHA-256 once for the coins of three
    /// algorithms, twice for all others (NOMP 4.3).
    #[must_use]
    pub fn coinbase_id(self, coinbase: &[u8]) -> Hash {
        match self {
            Self::Fugue | Self::Groestl | Self::Keccak => Hash(parts::sha256(coinbase)),
            _ => sha256d(coinbase),
        }
    }
}

#[cfg(test)]
mod tests;
