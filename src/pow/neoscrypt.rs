//! NeoScrypt(128, 2, 1): Feathercoin and its kin (J. Doering, "NeoScrypt, a Strong Memory
//! Intensive Key Derivation Function", 2014). ROMix over ChaCha20/20, ROMix over Salsa20/20, both
//! of the same blocks, between two runs of FastKDF over BLAKE2s.
#![allow(clippy::indexing_slicing, reason = "by constants, or by numbers below the ring's length")]

use super::parts::romix::neo;
use super::parts::rows::{from_bytes, to_bytes};
use crate::chain::{Hash, Header};
use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput, KeyInit, Update};
use std::array::from_fn;

/// Length of FastKDF's rings, and of the blocks that are mixed.
const RING: usize = 256;

/// Runs of BLAKE2s in FastKDF.
const RUNS: usize = 32;

/// Bytes that BLAKE2s takes in at each run.
const INPUT: usize = 64;

/// Bytes of its key and of its output.
const KEY: usize = 32;

pub(super) fn hash(header: &Header) -> Hash {
    let start = fast_kdf::<RING>(header, header);
    let mixed = neo(&from_fn(|i| from_bytes(&start[64 * i..])));
    Hash(fast_kdf(header, mixed.map(|block| to_bytes(&block)).as_flattened()))
}

/// FastKDF: password and salt are written around two rings. Each run hashes bytes of the one with
/// a key of the other, writes the result into the ring of the salt, and goes on at a place that
/// the result says.
fn fast_kdf<const LENGTH: usize>(password: &[u8], salt: &[u8]) -> [u8; LENGTH] {
    // What is read beyond a ring's end is its beginning, which stands there once more.
    let password: [u8; RING + INPUT] = from_fn(|i| password[i % RING % password.len()]);
    let mut ring: [u8; RING + KEY] = from_fn(|i| salt[i % RING % salt.len()]);
    let mut at = 0;
    for _ in 0..RUNS {
        let output = blake2s(&ring[at..at + KEY], &password[at..at + INPUT]);
        at = output.iter().map(|byte| usize::from(*byte)).sum::<usize>() % RING;
        for (byte, other) in ring[at..].iter_mut().zip(output) {
            *byte ^= other;
        }
        if at < KEY {
            ring.copy_within(..KEY, RING);
        } else if at > RING - KEY {
            ring.copy_within(RING.., 0);
        }
    }
    from_fn(|i| ring[(at + i) % RING] ^ password[i])
}

/// BLAKE2s-256 with a key of `KEY` bytes.
fn blake2s(key: &[u8], input: &[u8]) -> [u8; KEY] {
    // BLAKE2s takes keys of 1 to 32 bytes.
    let Ok(mut mac) = Blake2sMac256::new_from_slice(key) else { return [0xff; KEY] };
    mac.update(input);
    mac.finalize_fixed().into()
}
