//! A 256-bit hash as a fixed-width value.

use super::Header;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::block_api::compress256;
use std::fmt;

/// A 256-bit hash, bytes in internal order. Prints, parses and serialises in display order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

/// State of SHA-256 before the first block: FIPS 180-4, 5.3.3.
const BEGIN: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// SHA-256 of SHA-256. By whole blocks: a share takes fourteen of these, and the package's way for
/// streams of bytes costs up to twice as much on data so short.
#[must_use]
pub fn sha256d(data: &[u8]) -> Hash {
    let mut state = BEGIN;
    let (blocks, rest) = data.as_chunks::<64>();
    compress256(&mut state, blocks);
    finish(state, rest, data.len())
}

/// SHA-256 of a header's first 64 bytes: version, previous block and all of the root but 4 bytes.
/// Headers that differ in what follows (time, bits, nonce) have it in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Midstate([u32; 8]);

impl Midstate {
    /// That of a header.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let mut state = BEGIN;
        let (blocks, _) = header.as_chunks();
        compress256(&mut state, blocks);
        Self(state)
    }

    /// SHA-256d of a header that begins with those 64 bytes.
    #[must_use]
    pub fn sha256d(self, header: &Header) -> Hash {
        let (_, rest) = header.as_chunks::<64>();
        finish(self.0, rest, header.len())
    }
}

/// SHA-256d from the state after all whole blocks; `rest` is what follows them, `length` the bytes of
/// all.
#[inline]
fn finish(mut state: [u32; 8], rest: &[u8], length: usize) -> Hash {
    let mut block = [0; 64];
    // In one go: byte by byte a share's hash takes a fifth longer.
    if let Some((begin, [mark, ..])) = block.split_at_mut_checked(rest.len()) {
        begin.copy_from_slice(rest);
        *mark = 0x80;
    }
    if rest.len() >= 56 {
        compress256(&mut state, &[block]);
        block = [0; 64];
    }
    end(&mut block, (length as u64).wrapping_mul(8));
    compress256(&mut state, &[block]);
    block = [0; 64];
    put(&state, &mut block);
    if let Some(byte) = block.get_mut(32) {
        *byte = 0x80;
    }
    end(&mut block, 256);
    state = BEGIN;
    compress256(&mut state, &[block]);
    let mut hash = [0; 32];
    put(&state, &mut hash);
    Hash(hash)
}

/// Writes the number of hashed bits into the last block.
fn end(block: &mut [u8; 64], bits: u64) {
    if let Some(place) = block.last_chunk_mut::<8>() {
        *place = bits.to_be_bytes();
    }
}

/// Writes a state, big-endian, as far as there is room.
fn put(state: &[u32; 8], bytes: &mut [u8]) {
    let (places, _) = bytes.as_chunks_mut::<4>();
    places.iter_mut().zip(state).for_each(|(place, word)| *place = word.to_be_bytes());
}

impl Hash {
    /// Parses 64 hex digits in display order (either case).
    #[must_use]
    pub fn from_display(text: &str) -> Option<Self> {
        let mut bytes = crate::chain::hex_array::<32>(text)?;
        bytes.reverse();
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_display(&text).ok_or_else(|| serde::de::Error::custom("not 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_length_is_hashed_as_the_package_does() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for length in (0..260).chain([511, 512, 513, 1000]) {
            let data = bytes.get(..length).unwrap_or_default();
            let expected: [u8; 32] = Sha256::digest(Sha256::digest(data)).into();
            assert_eq!(sha256d(data), Hash(expected), "{length} bytes");
        }
    }
}
