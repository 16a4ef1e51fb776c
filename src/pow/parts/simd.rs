//! SIMD-512 (Leurent, Bouillaguet, Fouque: "SIMD Is a Message Digest", tweaked version of 2009).

#[cfg(target_arch = "x86_64")]
mod hard;

use super::bytes::{join, le32, whole};
use super::lanes::Lanes;
use multiversion::multiversion;
use std::array::from_fn;

const IV: [[u32; 8]; 4] = [
    [
        0x0ba16b95, 0x72f999ad, 0x9fecc2ae, 0xba3264fc, 0x5e894929, 0x8e9f30e5, 0x2f1daa37,
        0xf0f2c558,
    ],
    [
        0xac506643, 0xa90635a5, 0xe25b878b, 0xaab7878f, 0x88817f7a, 0x0a02892b, 0x559a7550,
        0x598f657e,
    ],
    [
        0x7eef60a1, 0x6b70e3e8, 0x9c1714d1, 0xb958e2a8, 0xab02675e, 0xed1c014f, 0xcd8d65bb,
        0xfdb7a257,
    ],
    [
        0x09254899, 0xd699c7bc, 0x9019b6dc, 0x2b9022e4, 0x8fa14956, 0x21bf9bd3, 0xb94d0943,
        0x6ffddc22,
    ],
];

/// The field's size.
const PRIME: i32 = 257;

/// Of order 256: the transform's root.
const ROOT: i32 = 41;

/// (ROOT^(i j)) for i and j up to 15: between the transform's two passes.
static TWIDDLES: [[i32; 16]; 16] = {
    let mut table = [[1; 16]; 16];
    let mut i = 0;
    while i < 16 {
        let mut j = 0;
        while j < 16 {
            table[i][j] = power(ROOT, i * j);
            j += 1;
        }
        i += 1;
    }
    table
};

/// What the padding of the transform's input adds to its output: 1 as the last value, and for the
/// last block one at 253 too.
static OFFSETS: [[i32; 256]; 2] = {
    let mut table = [[0; 256]; 2];
    let mut i = 0;
    while i < 256 {
        let first = power(ROOT, 255 * i);
        table[0][i] = first;
        table[1][i] = first + power(ROOT, 253 * i);
        i += 1;
    }
    table
};

const fn power(of: i32, mut to: usize) -> i32 {
    let mut result = 1;
    to %= 256;
    while to > 0 {
        result = result * of % PRIME;
        to -= 1;
    }
    result
}

/// Makes a value smaller that stays the same in the field: 2^8 is -1.
#[inline(always)]
const fn reduce(x: i32) -> i32 {
    (x & 0xff) - (x >> 8)
}

type Column = [i32; 16];

/// (a, b) become (a + 2^shift b, a - 2^shift b).
#[inline(always)]
fn butterfly(y: &mut [Column; 16], at: usize, other: usize, shift: u32) {
    let (a, b) = (y[at], y[other]);
    for i in 0..16 {
        y[at][i] = a[i] + (b[i] << shift);
        y[other][i] = a[i] - (b[i] << shift);
    }
}

/// Sixteen transforms of sixteen values side by side, in the order of reversed bits. Their root is
/// 2, so that products are shifts. Values may grow 300000-fold.
#[inline(always)]
fn transform(y: &mut [Column; 16]) {
    for at in [0, 2, 4, 6, 8, 10, 12, 14] {
        butterfly(y, at, at + 1, 0);
    }
    for at in [0, 4, 8, 12] {
        butterfly(y, at, at + 2, 0);
        butterfly(y, at + 1, at + 3, 4);
    }
    for at in [0, 8] {
        butterfly(y, at, at + 4, 0);
        butterfly(y, at + 1, at + 5, 2);
        butterfly(y, at + 2, at + 6, 4);
        butterfly(y, at + 3, at + 7, 6);
    }
    for at in 0..8 {
        butterfly(y, at, at + 8, at as u32);
    }
}

/// 0 to 15 with their bits reversed.
const REVERSED: [usize; 16] = [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15];

/// The message's 128 bytes as 256 values from -128 to 128.
#[inline(always)]
fn expand(block: &[u8; 128], last: bool) -> [i32; 256] {
    let mut y = [[0; 16]; 16];
    for (row, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        // The upper half of the values is 0, and reversed every second row.
        y[REVERSED[row]] = bytes.map(i32::from);
    }
    transform(&mut y);
    let mut turned = [[0; 16]; 16];
    for row in 0..16 {
        let mut values = y[row];
        for i in 0..16 {
            let small = reduce(reduce(reduce(values[i])));
            values[i] = reduce(small * TWIDDLES[row][i]);
        }
        for i in 0..16 {
            turned[REVERSED[i]][row] = values[i];
        }
    }
    transform(&mut turned);
    let offsets = &OFFSETS[usize::from(last)];
    let mut out = [0; 256];
    for (i, x) in turned.as_flattened().iter().enumerate() {
        let x = reduce(reduce(reduce(x + offsets[i])));
        let x = if x < 0 { x + PRIME } else { x };
        out[i] = if x > 128 { x - PRIME } else { x };
    }
    out
}

/// Two values, times the factor, in one word.
#[inline(always)]
fn pack(low: i32, high: i32, factor: i32) -> u32 {
    (low * factor) as u32 & 0xffff | ((high * factor) as u32) << 16
}

/// The words that the steps add, eight a step.
#[inline(always)]
fn words(y: &[i32; 256]) -> [[u32; 128]; 2] {
    let mut words = [[0; 128]; 2];
    for i in 0..128 {
        words[0][i] = pack(y[2 * i], y[2 * i + 1], 185);
    }
    for i in 0..64 {
        words[1][i] = pack(y[2 * i], y[2 * i + 128], 233);
        words[1][i + 64] = pack(y[2 * i + 1], y[2 * i + 129], 233);
    }
    words
}

type Row = Lanes<8>;

/// A step of the four rows; `swap` says whose rotated A is added.
#[inline(always)]
fn step([a, b, c, d]: [Row; 4], w: Row, majority: bool, r: u32, s: u32, swap: usize) -> [Row; 4] {
    let f = if majority { (a & b) | ((a | b) & c) } else { ((b ^ c) & a) ^ c };
    let turned = a.rotl(r);
    [(d + w + f).rotl(s) + turned.swap(swap), turned, b, c]
}

/// Which of each step's partners is added.
const SWAPS: [usize; 7] = [1, 6, 2, 3, 5, 7, 4];

/// Which eight of the words a round's steps add.
const ORDER: [[usize; 8]; 4] = [
    [4, 6, 0, 2, 7, 5, 3, 1],
    [15, 11, 12, 8, 9, 13, 10, 14],
    [1, 2, 7, 4, 6, 5, 0, 3],
    [14, 8, 9, 15, 11, 13, 12, 10],
];

/// Rotations of a round's four steps.
const ROTATIONS: [[u32; 4]; 4] =
    [[3, 23, 17, 27], [28, 19, 22, 7], [29, 9, 15, 5], [4, 13, 10, 25]];

fn portable(state: &mut [[u32; 8]; 4], block: &[u8; 128], last: bool) {
    let h = state.map(Lanes);
    let words = words(&expand(block, last));
    let m: [u32; 32] = le32(block);
    let mut s: [Row; 4] = from_fn(|i| h[i] ^ Lanes(from_fn(|j| m[8 * i + j])));
    for round in 0..4 {
        let eights = words[round / 2].as_chunks::<8>().0;
        let by = &ROTATIONS[round];
        for k in 0..8 {
            let w = Lanes(eights[ORDER[round][k]]);
            s = step(s, w, k > 3, by[k % 4], by[(k + 1) % 4], SWAPS[(k + round) % 7]);
        }
    }
    let by = &ROTATIONS[3];
    for k in 0..4 {
        s = step(s, h[k], false, by[k], by[(k + 1) % 4], [5, 7, 4, 1][k]);
    }
    *state = s.map(|row| row.0);
}

#[multiversion(targets("x86_64+avx2"))]
fn compress(h: &mut [[u32; 8]; 4], block: &[u8; 128], last: bool) {
    let compress = multiversion::target::match_target! {
        "x86_64+avx2" => hard::compress,
        _ => portable,
    };
    compress(h, block, last);
}

fn absorb(input: &[u8], compress: impl Fn(&mut [[u32; 8]; 4], &[u8; 128], bool)) -> [u8; 64] {
    let mut h = IV;
    let (last, rest) = whole(input, |block| compress(&mut h, block, false));
    if rest > 0 {
        compress(&mut h, &last, false);
    }
    let mut length = [0; 128];
    length[..8].copy_from_slice(&(8 * input.len() as u64).to_le_bytes());
    compress(&mut h, &length, true);
    join(h.as_flattened(), u32::to_le_bytes)
}

/// SIMD-512.
pub(crate) fn simd512(input: &[u8]) -> [u8; 64] {
    absorb(input, compress)
}

/// Without vectors, for tests.
#[cfg(test)]
pub(super) fn simd512_plain(input: &[u8]) -> [u8; 64] {
    absorb(input, portable)
}
