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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::chain::{Target, hex_array};

    /// Checks every header of a vector file: hashes as published, genesis blocks meet their target.
    fn agrees(algorithm: Algorithm, file: &str) {
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
        let genesis = json["genesis"].as_array().unwrap();
        let vectors = json["vectors"].as_array().unwrap();
        assert!(!genesis.is_empty() && vectors.len() >= 20);
        for case in genesis.iter().chain(vectors) {
            let header: Header = hex_array(&text(case, "header_hex")).unwrap();
            let hash = algorithm.hash(&header);
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
        }
        assert_eq!(Algorithm::from_name("Scrypt"), None);
    }
}
