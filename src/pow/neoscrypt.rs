//! NeoScrypt(128, 2, 1): Feathercoin and its kin (J. Doering, "NeoScrypt, a Strong Memory
//! Intensive Key Derivation Function", 2014). ROMix over ChaCha20/20, ROMix over Salsa20/20, both
//! of the same blocks, between two runs of FastKDF over BLAKE2s.
#![allow(clippy::indexing_slicing, reason = "by constants, or by numbers below the ring's length")]

use super::parts::romix::{
    Rows, chacha, from_bytes, from_diagonals, romix, salsa, to_bytes, to_diagonals, xor,
};
use crate::chain::{Hash, Header};
use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput, KeyInit, Update};
use std::array::from_fn;

/// N of both ROMix.
const N: usize = 128;

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
    let start: [Rows; 4] = from_fn(|i| from_bytes(&start[64 * i..]));
    let mut pad = Vec::with_capacity(N);
    let mut with_chacha = start;
    romix(&mut with_chacha, &mut pad, N, chacha::<20>);
    let mut with_salsa = start.map(|block| to_diagonals(&block));
    romix(&mut with_salsa, &mut pad, N, salsa::<20>);
    let mixed: [[u8; 64]; 4] = from_fn(|i| {
        let mut block = from_diagonals(&with_salsa[i]);
        xor(&mut block, &with_chacha[i]);
        to_bytes(&block)
    });
    Hash(fast_kdf(header, mixed.as_flattened()))
}

/// FastKDF: password and salt are written around two rings. Each run hashes bytes of the one with
/// a key of the other, writes the result into the ring of the salt, and goes on at a place that
/// the result says.
fn fast_kdf<const LENGTH: usize>(password: &[u8], salt: &[u8]) -> [u8; LENGTH] {
    let password: [u8; RING] = from_fn(|i| password[i % password.len()]);
    let mut ring: [u8; RING] = from_fn(|i| salt[i % salt.len()]);
    // What lies behind a ring's end is its beginning: the password's and the salt's first bytes.
    let mut at = 0;
    for _ in 0..RUNS {
        let input: [u8; INPUT] = from_fn(|i| password[(at + i) % RING]);
        let key: [u8; KEY] = from_fn(|i| ring[(at + i) % RING]);
        let output = blake2s(&key, &input);
        at = output.iter().map(|byte| usize::from(*byte)).sum::<usize>() % RING;
        for (i, byte) in output.iter().enumerate() {
            ring[(at + i) % RING] ^= byte;
        }
    }
    from_fn(|i| ring[(at + i) % RING] ^ password[i])
}

/// BLAKE2s-256 with a key.
fn blake2s(key: &[u8; KEY], input: &[u8]) -> [u8; KEY] {
    // BLAKE2s takes keys of 1 to 32 bytes.
    let Ok(mut mac) = Blake2sMac256::new_from_slice(key) else { return [0xff; KEY] };
    mac.update(input);
    mac.finalize_fixed().into()
}
