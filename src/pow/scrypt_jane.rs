//! scrypt-jane as YaCoin and its kin use it: ROMix over ChaCha20/8, r = p = 1, and PBKDF2 with
//! HMAC over Keccak-512 in the padding of before SHA-3 (github.com/floodyberry/scrypt-jane).
//! N grows with the header's time: [`super::schedule::Growth`].

use super::parts::romix::{Rows, chacha, from_bytes, romix, to_bytes};
use crate::chain::{Hash, Header};
use hmac::SimpleHmac;
use pbkdf2::pbkdf2;
use sha3::Keccak512;

/// The largest N factor that is hashed. N = 2^22 takes 512 MiB and seconds a header: YaCoin, whose
/// N was the largest, stopped growing at it.
pub(super) const MOST: u8 = 21;

/// Hashes with N = 2^(`factor` + 1).
pub(super) fn hash(header: &Header, factor: u8) -> Hash {
    if factor > MOST {
        // All ones meets no target.
        return Hash([0xff; 32]);
    }
    let start = derive::<128>(header, header);
    let (low, high) = start.split_at(64);
    let mut x: [Rows; 2] = [from_bytes(low), from_bytes(high)];
    romix(&mut x, &mut Vec::new(), 2 << factor, chacha::<8>);
    Hash(derive(header, x.map(|block| to_bytes(&block)).as_flattened()))
}

/// PBKDF2 with one iteration.
fn derive<const LENGTH: usize>(header: &Header, salt: &[u8]) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    match pbkdf2::<SimpleHmac<Keccak512>>(header, salt, 1, &mut out) {
        Ok(()) => out,
        // HMAC takes keys of any length.
        Err(_) => [0xff; LENGTH],
    }
}
