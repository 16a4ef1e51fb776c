//! Skein-512 with 256 and 512 bits of output (Ferguson et al.: "The Skein Hash Function Family",
//! version 1.3 of 2010). The crate `skein` takes four times as long.

use super::bytes::{join, le64};

/// Rotations of Threefish-512, eight rounds of four.
const ROTATIONS: [[u32; 4]; 8] = [
    [46, 36, 19, 37],
    [33, 27, 14, 42],
    [17, 49, 36, 39],
    [44, 9, 54, 56],
    [39, 30, 34, 24],
    [13, 50, 10, 17],
    [25, 29, 39, 43],
    [8, 35, 56, 22],
];

/// Types of a block in its tweak, with the bits for the first and the last block.
const CONFIG: u64 = 4 << 56;
const MESSAGE: u64 = 48 << 56;
const OUTPUT: u64 = 63 << 56;
const FIRST: u64 = 1 << 62;
const LAST: u64 = 1 << 63;

/// Four rounds of Threefish after a subkey, of which there are 19.
#[inline(always)]
const fn four<const HALF: usize>(
    mut x: [u64; 8],
    key: &[u64; 27],
    tweak: &[u64; 3],
    group: usize,
) -> [u64; 8] {
    x = add(x, key, tweak, group);
    let mut round = 0;
    while round < 4 {
        let by = ROTATIONS[HALF * 4 + round];
        let mut pair = 0;
        while pair < 4 {
            let sum = x[2 * pair].wrapping_add(x[2 * pair + 1]);
            x[2 * pair + 1] = x[2 * pair + 1].rotate_left(by[pair]) ^ sum;
            x[2 * pair] = sum;
            pair += 1;
        }
        x = [x[2], x[1], x[4], x[7], x[6], x[5], x[0], x[3]];
        round += 1;
    }
    x
}

/// Adds a subkey.
#[inline(always)]
const fn add(mut x: [u64; 8], key: &[u64; 27], tweak: &[u64; 3], group: usize) -> [u64; 8] {
    let mut i = 0;
    while i < 8 {
        x[i] = x[i].wrapping_add(key[group + i]);
        i += 1;
    }
    x[5] = x[5].wrapping_add(tweak[group % 3]);
    x[6] = x[6].wrapping_add(tweak[(group + 1) % 3]);
    x[7] = x[7].wrapping_add(group as u64);
    x
}

/// Encrypts the block under the chain value and adds it: one UBI step. `end` counts the bytes up
/// to the end of this block.
const fn step(chain: [u64; 8], block: [u64; 8], end: u64, kind: u64) -> [u64; 8] {
    let tweak = [end, kind, end ^ kind];
    let mut key = [0x1bd1_1bda_a9fc_1a22; 27];
    let mut i = 0;
    while i < 8 {
        key[i] = chain[i];
        key[8] ^= chain[i];
        i += 1;
    }
    // Around again, so that a subkey is a run of it.
    let mut i = 9;
    while i < 27 {
        key[i] = key[i - 9];
        i += 1;
    }
    let mut x = block;
    let mut group = 0;
    while group < 18 {
        x = four::<0>(x, &key, &tweak, group);
        x = four::<1>(x, &key, &tweak, group + 1);
        group += 2;
    }
    x = add(x, &key, &tweak, 18);
    let mut i = 0;
    while i < 8 {
        x[i] ^= block[i];
        i += 1;
    }
    x
}

/// The chain value after the configuration block: "SHA3", version 1, bits of output, no tree.
const fn initial(bits: u64) -> [u64; 8] {
    let config = [0x0000_0001_3341_4853, bits, 0, 0, 0, 0, 0, 0];
    step([0; 8], config, 32, CONFIG | FIRST | LAST)
}

fn skein(iv: [u64; 8], input: &[u8]) -> [u64; 8] {
    let (mut blocks, mut rest) = input.as_chunks::<64>();
    // The last block is filled with what there is, be it a whole block.
    if rest.is_empty()
        && let [before @ .., last] = blocks
    {
        (blocks, rest) = (before, last);
    }
    let mut chain = iv;
    let mut first = FIRST;
    let mut end = 0;
    for block in blocks {
        end += 64;
        chain = step(chain, le64(block), end, MESSAGE | first);
        first = 0;
    }
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    end += rest.len() as u64;
    chain = step(chain, le64(&last), end, MESSAGE | first | LAST);
    step(chain, [0; 8], 8, OUTPUT | FIRST | LAST)
}

/// Skein-512-256.
#[allow(dead_code, reason = "Lyra2's chains are made of it")]
pub(crate) fn skein256(input: &[u8]) -> [u8; 32] {
    const IV: [u64; 8] = initial(256);
    join(&skein(IV, input), u64::to_le_bytes)
}

/// Skein-512-512.
pub(crate) fn skein512(input: &[u8]) -> [u8; 64] {
    const IV: [u64; 8] = initial(512);
    join(&skein(IV, input), u64::to_le_bytes)
}
