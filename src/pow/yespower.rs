//! yespower 0.5 and 1.0 (Alexander Peslyak, openwall.com/yespower), and yescrypt as coins have it
//! (GlobalBoost, yescrypt 0.5), which is version 0.5 but for what is hashed last.
#![allow(
    clippy::indexing_slicing,
    reason = "by constants, by numbers below the loop's bound, or masked to the array's length"
)]

use super::parts::pwx::{smix_0_5, smix_1_0};
use super::parts::rows::{Words, from_bytes, to_bytes};
use crate::chain::Hash;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256};
use std::array::from_fn;

/// Which coin's yespower.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    version: Version,
    n: usize,
    r: usize,
    /// Personalisation. Without one yescrypt takes the header, and version 1.0 nothing.
    personal: Option<&'static [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V0_5,
    V1_0,
}

/// yescrypt of GlobalBoost and its kin.
pub(super) const YESCRYPT: Parameters =
    Parameters { version: Version::V0_5, n: 2048, r: 8, personal: None };

/// BitZeny.
pub(super) const ZNY: Parameters =
    Parameters { version: Version::V0_5, n: 2048, r: 8, personal: Some(b"Client Key") };

/// Bellcoin.
pub(super) const BELL: Parameters =
    Parameters { version: Version::V1_0, n: 2048, r: 32, personal: None };

/// Sugarchain.
pub(super) const SUGAR: Parameters = Parameters {
    version: Version::V1_0,
    n: 2048,
    r: 32,
    personal: Some(b"Satoshi Nakamoto 31/Oct/2008 Proof-of-work is essentially one-CPU-one-vote"),
};

/// MinotaurX.
pub(super) const MINOTAUR: Parameters =
    Parameters { version: Version::V1_0, n: 2048, r: 8, personal: Some(b"et in arcadia ego") };

/// Tidecoin.
pub(super) const TIDE: Parameters =
    Parameters { version: Version::V1_0, n: 2048, r: 8, personal: None };

/// Hashes input of any length: a header, for MinotaurX 64 bytes.
pub(super) fn hash(input: &[u8], parameters: &Parameters) -> Hash {
    let &Parameters { version, n, r, personal } = parameters;
    let salt = if version == Version::V0_5 { input } else { personal.unwrap_or_default() };
    let mut bytes = vec![0; 128 * r];
    pbkdf2_hmac::<Sha256>(&Sha256::digest(input), salt, 1, &mut bytes);
    let (blocks, _) = bytes.as_chunks::<64>();
    let mut x: Vec<Words> = blocks.iter().map(|block| from_bytes(block)).collect();
    let key: [u8; 32] = from_fn(|i| bytes[i]);
    match version {
        Version::V0_5 => smix_0_5(&mut x, n),
        Version::V1_0 => smix_1_0(&mut x, n),
    }
    let mixed: Vec<[u8; 64]> = x.iter().map(to_bytes).collect();
    Hash(match version {
        Version::V0_5 => {
            let mut out = [0; 32];
            pbkdf2_hmac::<Sha256>(&key, mixed.as_flattened(), 1, &mut out);
            Sha256::digest(hmac(&out, personal.unwrap_or(input))).into()
        }
        Version::V1_0 => hmac(&mixed[2 * r - 1], &key),
    })
}

/// HMAC over SHA-256.
fn hmac(key: &[u8], input: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0xff; 32] };
    mac.update(input);
    mac.finalize().into_bytes().into()
}
