//! Proof of work: one closed enum, a file for each algorithm or family, and the functions that
//! they share in `parts`; `rules` is what pools and coins have for each beside the hash.

mod hefty1;
pub mod ids;
mod lyra2;
mod minotaurx;
mod neoscrypt;
mod parts;
mod quark;
mod rules;
pub mod schedule;
pub mod scrypt;
mod scrypt_jane;
mod sha1;
mod sha256;
mod single;
mod x11;
mod x16r;
mod yespower;

use crate::chain::{Hash, Header};
use schedule::{Growth, TimeTable};
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
    /// Keccak-256 twice, the time behind the header: `keccak` with `normalHashing`, Copperlark.
    KeccakNormal,
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
    /// x13, Shabal.
    X14,
    /// x14, Whirlpool.
    X15,
    /// Sixteen of sixteen functions, chosen by the block before: Ravencoin.
    X16r,
    /// x16r, chosen by the header's time: Gincoin.
    X16rt,
    /// x16r with Tiger before three of the functions: Ravencoin, later.
    X16rv2,
    /// x15, SHA-512, HAVAL.
    X17,
    /// scrypt with N = 64.
    ScryptOg,
    /// scrypt with an N that grows by a table: Vertcoin's first, and its kin.
    ScryptN(TimeTable),
    /// scrypt over ChaCha20/8 and Keccak-512, with an N that grows: YaCoin and its kin.
    ScryptJane(Growth),
    /// NeoScrypt: Feathercoin and its kin.
    Neoscrypt,
    /// BLAKE-256, Keccak-256, Lyra2, Skein, Grøstl-256: Vertcoin's second, Monacoin's first.
    Lyra2re,
    /// Six functions around another Lyra2: Vertcoin's third, and its kin.
    Lyra2rev2,
    /// BLAKE-256, CubeHash-256 and BMW-256 around two Lyra2: Vertcoin's fourth.
    Lyra2rev3,
    /// BLAKE-256, then Lyra2 with eight passes: Zcoin's first.
    Lyra2z,
    /// Five functions around two Lyra2: Garlicoin.
    Allium,
    /// yescrypt 0.5: GlobalBoost and its kin.
    Yescrypt,
    /// yespower 0.5: BitZeny.
    #[serde(rename = "yespower-0.5-zny")]
    YespowerZny,
    /// yespower 1.0: Bellcoin.
    YespowerBell,
    /// yespower 1.0: Sugarchain.
    YespowerSugar,
    /// yespower 1.0: Tidecoin.
    YespowerTdc,
    /// Seven of x17's functions, chosen by the header, and yespower: Litecoin Cash and its kin.
    Minotaurx,
}

impl Algorithm {
    /// Every algorithm; those that need to know more of the coin with what most of their coins have.
    pub const ALL: [Self; 43] = [
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
        Self::KeccakNormal,
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
        Self::X14,
        Self::X15,
        Self::X16r,
        Self::X16rt,
        Self::X16rv2,
        Self::X17,
        Self::ScryptOg,
        Self::ScryptN(TimeTable::VERTCOIN),
        Self::ScryptJane(Growth::YACOIN),
        Self::Neoscrypt,
        Self::Lyra2re,
        Self::Lyra2rev2,
        Self::Lyra2rev3,
        Self::Lyra2z,
        Self::Allium,
        Self::Yescrypt,
        Self::YespowerZny,
        Self::YespowerBell,
        Self::YespowerSugar,
        Self::YespowerTdc,
        Self::Minotaurx,
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
            Self::KeccakNormal => "keccak-normal",
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
            Self::X14 => "x14",
            Self::X15 => "x15",
            Self::X16r => "x16r",
            Self::X16rt => "x16rt",
            Self::X16rv2 => "x16rv2",
            Self::X17 => "x17",
            Self::ScryptOg => "scrypt-og",
            Self::ScryptN(_) => "scrypt-n",
            Self::ScryptJane(_) => "scrypt-jane",
            Self::Neoscrypt => "neoscrypt",
            Self::Lyra2re => "lyra2re",
            Self::Lyra2rev2 => "lyra2rev2",
            Self::Lyra2rev3 => "lyra2rev3",
            Self::Lyra2z => "lyra2z",
            Self::Allium => "allium",
            Self::Yescrypt => "yescrypt",
            Self::YespowerZny => "yespower-0.5-zny",
            Self::YespowerBell => "yespower-bell",
            Self::YespowerSugar => "yespower-sugar",
            Self::YespowerTdc => "yespower-tdc",
            Self::Minotaurx => "minotaurx",
        }
    }

    /// The same with another N: scrypt of any kind with N = `n`, scrypt-jane with the N factor
    /// `factor` at all times.
    ///
    /// # Errors
    /// Words for the operator when the algorithm has no such parameter, or not that value.
    pub fn with_n(self, n: Option<u64>, factor: Option<u8>) -> Result<Self, String> {
        let name = self.name();
        match (self, n, factor) {
            (_, None, None) => Ok(self),
            (Self::Scrypt | Self::ScryptOg | Self::ScryptN(_), Some(n), None) => {
                let table = TimeTable::new([(n, 0)]);
                table
                    .map(Self::ScryptN)
                    .map_err(|_| format!("N is {n}: it must be a power of two from 1024 to 524288"))
            }
            (Self::ScryptJane(_), None, Some(factor)) if factor <= scrypt_jane::MOST => {
                Ok(Self::ScryptJane(Growth { start: 0, least: factor, most: factor }))
            }
            (Self::ScryptJane(_), None, Some(factor)) => {
                Err(format!("the N factor is {factor}: it must be 0 to {}", scrypt_jane::MOST))
            }
            (_, Some(_), _) => Err(format!("{name} has no N to choose")),
            (_, _, Some(_)) => Err(format!("{name} has no N factor to choose")),
        }
    }

    /// The proof-of-work hash of a header, bytes in the order in which the function writes them
    /// (= a little-endian 256-bit number).
    #[must_use]
    pub fn hash(self, header: &Header) -> Hash {
        match self {
            Self::Sha256 => sha256::hash(header),
            Self::Scrypt => scrypt::hash(header, scrypt::LOG_N),
            Self::Blake => single::blake(header),
            Self::C11 => x11::c11(header),
            Self::Fresh => x11::fresh(header),
            Self::Fugue => single::fugue(header),
            Self::Groestl => single::groestl(header),
            Self::Groestlmyriad => single::groestlmyriad(header),
            Self::Hefty1 => hefty1::hash(header),
            Self::Keccak => single::keccak(header),
            Self::KeccakNormal => single::keccak_normal(header, time(header)),
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
            Self::X14 => x11::x14(header),
            Self::X15 => x11::x15(header),
            Self::X16r => x16r::x16r(header),
            Self::X16rt => x16r::x16rt(header),
            Self::X16rv2 => x16r::x16rv2(header),
            Self::X17 => x11::x17(header),
            Self::ScryptOg => scrypt::hash(header, scrypt::LOG_N_OG),
            Self::ScryptN(table) => scrypt::hash(header, table.log_n(time(header))),
            Self::ScryptJane(growth) => scrypt_jane::hash(header, growth.factor(time(header))),
            Self::Neoscrypt => neoscrypt::hash(header),
            Self::Lyra2re => lyra2::lyra2re(header),
            Self::Lyra2rev2 => lyra2::lyra2rev2(header),
            Self::Lyra2rev3 => lyra2::lyra2rev3(header),
            Self::Lyra2z => lyra2::lyra2z(header),
            Self::Allium => lyra2::allium(header),
            Self::Yescrypt => yespower::hash(header, &yespower::YESCRYPT),
            Self::YespowerZny => yespower::hash(header, &yespower::ZNY),
            Self::YespowerBell => yespower::hash(header, &yespower::BELL),
            Self::YespowerSugar => yespower::hash(header, &yespower::SUGAR),
            Self::YespowerTdc => yespower::hash(header, &yespower::TIDE),
            Self::Minotaurx => minotaurx::hash(header),
        }
    }

    /// log2 of N for the algorithms that are scrypt, whose headers [`scrypt::Several`] hashes many
    /// at a time.
    #[must_use]
    pub fn scrypt_log_n(self, header: &Header) -> Option<u8> {
        match self {
            Self::Scrypt => Some(scrypt::LOG_N),
            Self::ScryptOg => Some(scrypt::LOG_N_OG),
            Self::ScryptN(table) => Some(table.log_n(time(header))),
            _ => None,
        }
    }
}

/// A header's own time, Unix time in seconds.
fn time(header: &Header) -> u32 {
    let [.., a, b, c, d, _, _, _, _, _, _, _, _] = *header;
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests;
