//! Proof of work: one file per algorithm, behind one closed enum.

mod neoscrypt;
mod parts;
pub mod schedule;
pub mod scrypt;
mod scrypt_jane;
mod sha256;
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
    /// scrypt with N = 64.
    ScryptOg,
    /// scrypt with an N that grows by a table: Vertcoin's first, and its kin.
    ScryptN(TimeTable),
    /// scrypt over ChaCha20/8 and Keccak-512, with an N that grows: YaCoin and its kin.
    ScryptJane(Growth),
    /// NeoScrypt: Feathercoin and its kin.
    Neoscrypt,
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
}

impl Algorithm {
    /// Every algorithm; those that need to know more of the coin with what most of their coins have.
    pub const ALL: [Self; 11] = [
        Self::Sha256,
        Self::Scrypt,
        Self::ScryptOg,
        Self::ScryptN(TimeTable::VERTCOIN),
        Self::ScryptJane(Growth::YACOIN),
        Self::Neoscrypt,
        Self::Yescrypt,
        Self::YespowerZny,
        Self::YespowerBell,
        Self::YespowerSugar,
        Self::YespowerTdc,
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
            Self::ScryptOg => "scrypt-og",
            Self::ScryptN(_) => "scrypt-n",
            Self::ScryptJane(_) => "scrypt-jane",
            Self::Neoscrypt => "neoscrypt",
            Self::Yescrypt => "yescrypt",
            Self::YespowerZny => "yespower-0.5-zny",
            Self::YespowerBell => "yespower-bell",
            Self::YespowerSugar => "yespower-sugar",
            Self::YespowerTdc => "yespower-tdc",
        }
    }

    /// log2 of the difficulty multiplier: share difficulty 1 of this algorithm stands for
    /// 2^(32 - shift) hashes, and a share target is `diff1 << shift / difficulty` (NOMP 4.8).
    #[must_use]
    pub const fn multiplier_shift(self) -> u32 {
        match self {
            Self::Sha256 => 0,
            Self::Scrypt
            | Self::ScryptOg
            | Self::ScryptN(_)
            | Self::ScryptJane(_)
            | Self::Yescrypt
            | Self::YespowerZny
            | Self::YespowerBell
            | Self::YespowerSugar
            | Self::YespowerTdc => 16,
            // NOMP's. Pools of other kin have 2^16.
            Self::Neoscrypt => 5,
        }
    }

    /// The proof-of-work hash of a header, bytes in the order in which the function writes them
    /// (= a little-endian 256-bit number).
    #[must_use]
    pub fn hash(self, header: &Header) -> Hash {
        match self {
            Self::Sha256 => sha256::hash(header),
            Self::Scrypt => scrypt::hash(header, scrypt::LOG_N),
            Self::ScryptOg => scrypt::hash(header, scrypt::LOG_N_OG),
            Self::ScryptN(table) => scrypt::hash(header, table.log_n(time(header))),
            Self::ScryptJane(growth) => scrypt_jane::hash(header, growth.factor(time(header))),
            Self::Neoscrypt => neoscrypt::hash(header),
            Self::Yescrypt => yespower::hash(header, &yespower::YESCRYPT),
            Self::YespowerZny => yespower::hash(header, &yespower::ZNY),
            Self::YespowerBell => yespower::hash(header, &yespower::BELL),
            Self::YespowerSugar => yespower::hash(header, &yespower::SUGAR),
            Self::YespowerTdc => yespower::hash(header, &yespower::TIDE),
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
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::chain::{Target, hex_array};

    /// Checks every header of a vector file: hashes as published, genesis blocks meet their target.
    fn agrees(algorithm: Algorithm, file: &str) {
        agrees_by(|_| algorithm, file);
    }

    /// The same, with an algorithm for each case.
    fn agrees_by(algorithm: impl Fn(&serde_json::Value) -> Algorithm, file: &str) {
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
        let genesis = json["genesis"].as_array().unwrap();
        let vectors = json["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 20);
        for case in genesis.iter().chain(vectors) {
            let header: Header = hex_array(&text(case, "header_hex")).unwrap();
            let hash = algorithm(case).hash(&header);
            assert_eq!(hash, Hash(hex_array(&text(case, "hash_hex")).unwrap()), "{case}");
            if case["meets_nbits_target"] == true {
                let bits = u32::from_le_bytes(header[72..76].try_into().unwrap());
                assert!(Target::from_compact(bits).unwrap().is_met_by(&hash), "{case}");
            }
        }
    }

    #[test]
    fn sha256_agrees_with_published_headers() {
        agrees(Algorithm::Sha256, include_str!("../../tests/vectors/pow/sha256d.json"));
    }

    #[test]
    fn scrypt_agrees_with_published_headers() {
        agrees(Algorithm::Scrypt, include_str!("../../tests/vectors/pow/scrypt.json"));
    }

    #[test]
    fn memory_hard_ones_agree_with_published_headers() {
        macro_rules! agree {
            ($($algorithm:ident $file:literal),+) => {
                $(agrees(
                    Algorithm::$algorithm,
                    include_str!(concat!("../../tests/vectors/pow/", $file, ".json")),
                );)+
            };
        }
        agree!(Neoscrypt "neoscrypt", Yescrypt "yescrypt", YespowerZny "yespower-0.5-zny",
            YespowerBell "yespower-bell", YespowerSugar "yespower-sugar",
            YespowerTdc "yespower-tdc");
    }

    /// Whatever the header's time: the files say N, or the N factor.
    #[test]
    fn growing_ones_agree_with_published_headers() {
        let number = |case: &serde_json::Value, key: &str| case["params"][key].as_u64().unwrap();
        agrees_by(
            |case| Algorithm::ScryptN(TimeTable::new([(number(case, "n"), 0)]).unwrap()),
            include_str!("../../tests/vectors/pow/scrypt-n.json"),
        );
        agrees_by(
            |case| {
                let factor = u8::try_from(number(case, "n_factor")).unwrap();
                Algorithm::ScryptJane(Growth { start: 0, least: factor, most: factor })
            },
            include_str!("../../tests/vectors/pow/scrypt-jane.json"),
        );
    }

    /// The genesis blocks of Vertcoin and YaCoin, with the N that their own time asks for.
    #[test]
    fn growing_ones_begin_as_their_chains_did() {
        for (algorithm, file) in [
            (
                Algorithm::ScryptN(TimeTable::VERTCOIN),
                include_str!("../../tests/vectors/pow/scrypt-n.json"),
            ),
            (
                Algorithm::ScryptJane(Growth::YACOIN),
                include_str!("../../tests/vectors/pow/scrypt-jane.json"),
            ),
        ] {
            let json: serde_json::Value = serde_json::from_str(file).unwrap();
            let genesis = &json["genesis"][0];
            let header: Header = hex_array(genesis["header_hex"].as_str().unwrap()).unwrap();
            let hash = hex_array(genesis["hash_hex"].as_str().unwrap()).unwrap();
            assert_eq!(algorithm.hash(&header), Hash(hash), "{}", algorithm.name());
        }
    }

    /// NOMP's test header. The scrypt value is OpenSSL's: the one handed down for NOMP's
    /// hashing module fits no published chain (its C code breaks under strict aliasing).
    #[test]
    fn agrees_on_nomps_test_header() {
        let header: Header = hex_array(
            "7000000001e980924e4e1109230383e66d62945ff8e749903bea4336755c00000000000051928aff1b4d7241\
             6173a8c3948159a09a73ac3bb556aa6bfbcad1a85da7f4c1d13350531e24031b939b9e2b",
        )
        .unwrap();
        for (algorithm, hash) in [
            (Algorithm::Sha256, "b54fca6a1fa2eff9ddf96ef2398065007d1dbfca1af5feaae91cf4f228d1efa8"),
            (Algorithm::Scrypt, "744d9b3fbf25ff3c67fbfdda8e1140cf540862876c6638f88a3114cf2012ba8f"),
        ] {
            assert_eq!(algorithm.hash(&header).0, hex_array::<32>(hash).unwrap());
        }
    }

    #[test]
    fn names_are_found_again() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            let written = serde_json::to_string(&algorithm).unwrap();
            assert!(written.contains(&format!("\"{}\"", algorithm.name())), "{written}");
            assert_eq!(serde_json::from_str::<Algorithm>(&written).unwrap(), algorithm);
        }
        assert_eq!(Algorithm::from_name("Scrypt"), None);
    }
}
