//! SIMD-512's compression in AVX2's vectors.

use super::super::bytes::le32;
use super::super::vectors::hard::{Words, load, or, pick, rotate, store, xor};
use super::{OFFSETS, ORDER, REVERSED, TWIDDLES};
use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_blend_epi16,
    _mm256_cmpgt_epi32, _mm256_mullo_epi16, _mm256_mullo_epi32, _mm256_packs_epi32,
    _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_sll_epi32, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_sub_epi32,
};

/// A row of sixteen values.
type Row = [__m256i; 2];

#[inline]
#[target_feature(enable = "avx2")]
fn values(x: &[i32]) -> __m256i {
    load(&std::array::from_fn(|i| x[i] as u32))
}

#[inline]
#[target_feature(enable = "avx2")]
fn reduce(x: __m256i) -> __m256i {
    let low = _mm256_and_si256(x, _mm256_set1_epi32(0xff));
    _mm256_sub_epi32(low, _mm256_srai_epi32::<8>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn butterfly(y: &mut [Row; 16], at: usize, other: usize, shift: i32) {
    let by = _mm_cvtsi32_si128(shift);
    for half in 0..2 {
        let (a, b) = (y[at][half], _mm256_sll_epi32(y[other][half], by));
        y[at][half] = _mm256_add_epi32(a, b);
        y[other][half] = _mm256_sub_epi32(a, b);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn transform(y: &mut [Row; 16]) {
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
        butterfly(y, at, at + 8, at as i32);
    }
}

/// The message's values, eight a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn expand(block: &[u8; 128], last: bool) -> [__m256i; 32] {
    let zero = _mm256_setzero_si256();
    let mut y = [[zero; 2]; 16];
    for (row, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
        let wide = bytes.map(i32::from);
        y[REVERSED[row]] = [values(&wide[..8]), values(&wide[8..])];
    }
    transform(&mut y);
    let mut turned = [[0; 16]; 16];
    for row in 0..16 {
        for half in 0..2 {
            let small = reduce(reduce(reduce(y[row][half])));
            let by = values(&TWIDDLES[row][8 * half..]);
            let words = store(reduce(_mm256_mullo_epi32(small, by)));
            for (i, word) in words.into_iter().enumerate() {
                turned[REVERSED[8 * half + i]][row] = word as i32;
            }
        }
    }
    for row in 0..16 {
        y[row] = [values(&turned[row][..8]), values(&turned[row][8..])];
    }
    transform(&mut y);
    let mut out = [zero; 32];
    let prime = _mm256_set1_epi32(257);
    for (i, place) in out.iter_mut().enumerate() {
        let offset = values(&OFFSETS[usize::from(last)][8 * i..]);
        let x = reduce(reduce(reduce(_mm256_add_epi32(y[i / 2][i % 2], offset))));
        let below = _mm256_cmpgt_epi32(zero, x);
        let x = _mm256_add_epi32(x, _mm256_and_si256(below, prime));
        let above = _mm256_cmpgt_epi32(x, _mm256_set1_epi32(128));
        *place = _mm256_sub_epi32(x, _mm256_and_si256(above, prime));
    }
    out
}

/// The words that the steps add, eight a vector: those of the first and of the last rounds.
#[inline]
#[target_feature(enable = "avx2")]
fn words(y: &[__m256i; 32]) -> [[Words; 16]; 2] {
    let zero = _mm256_setzero_si256();
    let mut words = [[zero; 16]; 2];
    for i in 0..16 {
        let both = _mm256_packs_epi32(y[2 * i], y[2 * i + 1]);
        let both = _mm256_permute4x64_epi64::<0b11_01_10_00>(both);
        words[0][i] = _mm256_mullo_epi16(both, _mm256_set1_epi16(185));
    }
    for i in 0..8 {
        let mut paired = [zero; 2];
        for half in 0..2 {
            let (low, high) = (y[2 * i + half], y[2 * i + half + 16]);
            let both = _mm256_blend_epi16::<0b1010_1010>(low, _mm256_slli_epi32::<16>(high));
            let times = _mm256_mullo_epi16(both, _mm256_set1_epi16(233));
            // Words of even places in front of those of odd ones.
            paired[half] = pick(times, &[0, 2, 4, 6, 1, 3, 5, 7]);
        }
        words[1][i] = _mm256_permute2x128_si256::<0x20>(paired[0], paired[1]);
        words[1][i + 8] = _mm256_permute2x128_si256::<0x31>(paired[0], paired[1]);
    }
    words
}

/// A step of the four rows: rotations of A and of the sum, whose rotated A is added, function.
macro_rules! step {
    ($s:ident, $w:expr, $r:literal, $t:literal, $swap:literal, $f:ident) => {{
        let [a, b, c, d] = $s;
        let turned = rotate::<$r, { 32 - $r }>(a);
        let sum = _mm256_add_epi32(_mm256_add_epi32(d, $w), $f(a, b, c));
        let partner = pick(turned, &SWAPPED[$swap]);
        $s = [_mm256_add_epi32(rotate::<$t, { 32 - $t }>(sum), partner), turned, b, c];
    }};
}

/// Eight steps of a round.
macro_rules! round {
    ($s:ident, $words:expr, $order:expr, [$a:literal, $b:literal, $c:literal, $d:literal],
     [$s0:literal, $s1:literal, $s2:literal, $s3:literal, $s4:literal, $s5:literal, $s6:literal,
      $s7:literal]) => {
        step!($s, $words[$order[0]], $a, $b, $s0, choose);
        step!($s, $words[$order[1]], $b, $c, $s1, choose);
        step!($s, $words[$order[2]], $c, $d, $s2, choose);
        step!($s, $words[$order[3]], $d, $a, $s3, choose);
        step!($s, $words[$order[4]], $a, $b, $s4, majority);
        step!($s, $words[$order[5]], $b, $c, $s5, majority);
        step!($s, $words[$order[6]], $c, $d, $s6, majority);
        step!($s, $words[$order[7]], $d, $a, $s7, majority);
    };
}

/// By what a lane's number is changed, its partners.
const SWAPPED: [[u32; 8]; 8] = {
    let mut all = [[0; 8]; 8];
    let mut i = 0;
    while i < 64 {
        all[i / 8][i % 8] = ((i / 8) ^ (i % 8)) as u32;
        i += 1;
    }
    all
};

#[inline]
#[target_feature(enable = "avx2")]
fn choose(a: Words, b: Words, c: Words) -> Words {
    xor(_mm256_and_si256(xor(b, c), a), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: Words, b: Words, c: Words) -> Words {
    or(_mm256_and_si256(a, b), _mm256_and_si256(or(a, b), c))
}

#[target_feature(enable = "avx2")]
pub(super) fn compress(h: &mut [[u32; 8]; 4], block: &[u8; 128], last: bool) {
    let [first, second] = words(&expand(block, last));
    let m = le32::<32>(block);
    let mut s = [_mm256_setzero_si256(); 4];
    for (i, eight) in m.as_chunks::<8>().0.iter().enumerate() {
        s[i] = xor(load(&h[i]), load(eight));
    }
    round!(s, first, ORDER[0], [3, 23, 17, 27], [1, 6, 2, 3, 5, 7, 4, 1]);
    round!(s, first, ORDER[1], [28, 19, 22, 7], [6, 2, 3, 5, 7, 4, 1, 6]);
    round!(s, second, ORDER[2], [29, 9, 15, 5], [2, 3, 5, 7, 4, 1, 6, 2]);
    round!(s, second, ORDER[3], [4, 13, 10, 25], [3, 5, 7, 4, 1, 6, 2, 3]);
    step!(s, load(&h[0]), 4, 13, 5, choose);
    step!(s, load(&h[1]), 13, 10, 7, choose);
    step!(s, load(&h[2]), 10, 25, 4, choose);
    step!(s, load(&h[3]), 25, 4, 1, choose);
    *h = [store(s[0]), store(s[1]), store(s[2]), store(s[3])];
}
