//! yespower 0.5 and 1.0 (Alexander Peslyak, openwall.com/yespower), and yescrypt as coins have it
//! (GlobalBoost, yescrypt 0.5), which is version 0.5 but for what is hashed last.
#![allow(
    clippy::indexing_slicing,
    reason = "by constants, by numbers below the loop's bound, or masked to the array's length"
)]

use super::parts::romix::{Rows, from_bytes, from_diagonals, salsa, to_bytes, to_diagonals};
use crate::chain::Hash;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256};
use std::array::from_fn;
use std::cell::RefCell;

/// 64 bytes: two words of 32 bits in each, the earlier one lower.
type Block = [u64; 8];

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

thread_local! {
    /// The memory that is mixed, 2 to 8 MiB, kept so that the system need not clear it for each hash.
    static PAD: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Words of 64 bits that one look-up takes of an S-box.
const SIMPLE: usize = 2;

/// Hashes input of any length: a header, for MinotaurX 64 bytes.
pub(super) fn hash(input: &[u8], parameters: &Parameters) -> Hash {
    let &Parameters { version, n, r, personal } = parameters;
    let salt = if version == Version::V0_5 { input } else { personal.unwrap_or_default() };
    let mut bytes = vec![0; 128 * r];
    pbkdf2_hmac::<Sha256>(&Sha256::digest(input), salt, 1, &mut bytes);
    let (blocks, _) = bytes.as_chunks::<64>();
    let mut x: Vec<Block> =
        blocks.iter().map(|block| to_block(&to_diagonals(&from_bytes(block)))).collect();
    let key: [u8; 32] = from_fn(|i| bytes[i]);
    let mut boxes = Boxes::new(version, &mut x);
    PAD.with_borrow_mut(|pad| boxes.mix(&mut x, pad, n));
    let mixed: Vec<[u8; 64]> =
        x.iter().map(|block| to_bytes(&from_diagonals(&to_rows(block)))).collect();
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

#[inline(always)]
fn to_block(rows: &Rows) -> Block {
    let words = rows.as_flattened();
    from_fn(|i| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32)
}

#[inline(always)]
fn to_rows(block: &Block) -> Rows {
    from_fn(|row| from_fn(|column| low(block[2 * row + column / 2] >> (column % 2 * 32))))
}

/// The lower half.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)]
const fn low(word: u64) -> u32 {
    word as u32
}

#[inline(always)]
fn xor(x: &mut Block, y: &Block) {
    for (x, y) in x.iter_mut().zip(y) {
        *x ^= y;
    }
}

/// The S-boxes of pwxform.
struct Boxes {
    version: Version,
    /// Two boxes (0.5) or three (1.0), one after the other.
    words: Vec<u64>,
    /// Where each begins. Version 1.0 changes them round after each block.
    at: [usize; 3],
    /// Words in each, a power of two.
    size: usize,
    /// Where version 1.0 writes next.
    write: usize,
}

impl Boxes {
    /// Fills the boxes from the first two blocks, and leaves what follows in these.
    fn new(version: Version, x: &mut [Block]) -> Self {
        let (count, size) = match version {
            Version::V0_5 => (2, SIMPLE << 8),
            Version::V1_0 => (3, SIMPLE << 11),
        };
        let mut filled: Vec<[Block; 2]> = Vec::with_capacity(count * size / 16);
        let mut pair = [x[0], x[1]];
        while filled.len() < count * size / 16 {
            let i = filled.len();
            filled.push(pair);
            if i > 1 {
                let j = wrap(low(pair[1][0]) as usize, i);
                xor(&mut pair[0], &filled[j][0]);
                xor(&mut pair[1], &filled[j][1]);
            }
            let [first, second] = &mut pair;
            xor(first, second);
            core(version, first);
            xor(second, first);
            core(version, second);
        }
        x[..2].copy_from_slice(&pair);
        let words = filled.as_flattened().as_flattened().to_vec();
        Self { version, words, at: [0, size, 2 * size], size, write: 0 }
    }

    /// SMix: fills memory, then changes a third of it at random.
    fn mix(&mut self, x: &mut [Block], pad: &mut Vec<Block>, n: usize) {
        let blocks = x.len();
        if self.version == Version::V1_0 {
            for pair in 1..blocks / 2 {
                x.copy_within(2 * pair - 2..2 * pair, 2 * pair);
                self.block_mix(&mut x[2 * pair..2 * pair + 2]);
            }
        }
        pad.clear();
        for i in 0..n {
            pad.extend_from_slice(x);
            if i > 1 {
                let j = wrap(low(x[blocks - 1][0]) as usize, i);
                for (block, earlier) in x.iter_mut().zip(&pad[j * blocks..]) {
                    xor(block, earlier);
                }
            }
            self.block_mix(x);
        }
        // A third of N, rounded up to an even number. Version 0.5 writes in an even number rounded
        // down, and only reads in what is left.
        let third = n.div_ceil(3);
        let all = third.next_multiple_of(2);
        let writing = if self.version == Version::V0_5 { third / 2 * 2 } else { all };
        for i in 0..all {
            let j = low(x[blocks - 1][0]) as usize & (n - 1);
            for (block, earlier) in x.iter_mut().zip(&mut pad[j * blocks..]) {
                xor(block, earlier);
                if i < writing {
                    *earlier = *block;
                }
            }
            self.block_mix(x);
        }
    }

    /// BlockMix over pwxform, with Salsa20 for the last block.
    fn block_mix(&mut self, x: &mut [Block]) {
        let mut last = x[x.len() - 1];
        for block in x.iter_mut() {
            xor(&mut last, block);
            match self.version {
                Version::V0_5 => self.transform_0_5(&mut last),
                Version::V1_0 => self.transform_1_0(&mut last),
            }
            *block = last;
        }
        if let Some(last) = x.last_mut() {
            core(self.version, last);
        }
    }

    /// Looks up, multiplies, adds and takes in: what happens to two words in each round.
    #[inline(always)]
    fn step(&self, block: &mut Block, pair: usize) {
        let word = block[SIMPLE * pair];
        let mask = self.size - SIMPLE;
        // The words hold offsets in bytes.
        let first = &self.words[self.at[0] + ((low(word) as usize / 8) & mask)..][..SIMPLE];
        let second = &self.words[self.at[1] + (((word >> 32) as usize / 8) & mask)..][..SIMPLE];
        for k in 0..SIMPLE {
            let word = block[SIMPLE * pair + k];
            block[SIMPLE * pair + k] =
                (word >> 32).wrapping_mul(u64::from(low(word))).wrapping_add(first[k]) ^ second[k];
        }
    }

    /// pwxform of version 0.5: six rounds.
    #[inline(always)]
    fn transform_0_5(&self, block: &mut Block) {
        for _ in 0..6 {
            for pair in 0..4 {
                self.step(block, pair);
            }
        }
    }

    /// pwxform of version 1.0: three rounds, which write results into the boxes that they read.
    #[inline(always)]
    fn transform_1_0(&mut self, block: &mut Block) {
        for round in 0..3 {
            for pair in 0..4 {
                self.step(block, pair);
                if round == 0 || pair < 2 {
                    let at = self.at[pair % 2] + self.write;
                    self.words[at..at + SIMPLE]
                        .copy_from_slice(&block[SIMPLE * pair..SIMPLE * (pair + 1)]);
                    self.write += SIMPLE * (pair % 2);
                }
            }
        }
        self.write &= self.size - 1;
        self.at.rotate_right(1);
    }
}

/// Salsa20 with the version's rounds.
#[inline(always)]
fn core(version: Version, block: &mut Block) {
    let mut rows = to_rows(block);
    match version {
        Version::V0_5 => salsa::<8>(&mut rows),
        Version::V1_0 => salsa::<2>(&mut rows),
    }
    *block = to_block(&rows);
}

/// `x` wrapped into the last power of two of numbers below `i`.
const fn wrap(x: usize, i: usize) -> usize {
    let power = 1 << i.ilog2();
    (x & (power - 1)) + (i - power)
}
