//! The mixing of scrypt (ROMix over Salsa20/8, r = 1; RFC 7914, sections 3 to 5) for several
//! headers at a time.
//!
//! A 4 by 4 block of Salsa20 is turned so that its four diagonals are rows of four words. A row
//! is 128 bits wide, so that a vector of 256 or 512 bits holds that row of two or four headers,
//! and one instruction steps them all. Two such groups take turns: while one waits for a result,
//! the other's instructions run.
//!
//! Each function here needs instructions that not every processor has. Who calls it has asked
//! the processor: `sys::cpu`.

/// 128 bytes that are mixed, as little-endian words.
pub type Block = [u32; 32];

#[cfg(not(target_arch = "x86_64"))]
pub use portable::Slot;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{Slot, avx2_four, avx2_two, avx512_eight, avx512_four, sse2_one, sse2_two};

#[cfg(not(target_arch = "x86_64"))]
mod portable {
    /// One header's block at one step of the first loop.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Slot;
}

/// Where the word of a diagonal row stands in the block: row and column of the turned block.
#[cfg(any(test, target_arch = "x86_64"))]
const fn diagonal(row: usize, column: usize) -> usize {
    // Rows are (0, 5, 10, 15), (4, 9, 14, 3), (8, 13, 2, 7), (12, 1, 6, 11).
    (4 * row + 5 * column) % 16
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::indexing_slicing)] // By constants, or by numbers below N into a pad of N slots.
mod x86_64 {
    use super::{Block, diagonal};
    use std::arch::x86_64::*;

    /// One header's block at one step of the first loop, as eight rows.
    #[derive(Debug, Clone, Copy)]
    #[repr(align(64))]
    pub struct Slot([__m128i; 8]);

    /// The eight rows of a block: four of each half.
    #[target_feature(enable = "sse2")]
    fn turned(block: &Block) -> [__m128i; 8] {
        std::array::from_fn(|row| {
            let word = |column| block[row / 4 * 16 + diagonal(row % 4, column)].cast_signed();
            _mm_set_epi32(word(3), word(2), word(1), word(0))
        })
    }

    /// The block of eight rows.
    #[target_feature(enable = "sse2")]
    fn turned_back(rows: &[__m128i; 8]) -> Block {
        let mut block = [0; 32];
        for (row, &words) in rows.iter().enumerate() {
            let high = _mm_unpackhi_epi64(words, words);
            let pairs = [_mm_cvtsi128_si64(words), _mm_cvtsi128_si64(high)];
            for (pair, two) in pairs.into_iter().enumerate() {
                for (half, bytes) in two.to_le_bytes().as_chunks().0.iter().enumerate() {
                    block[row / 4 * 16 + diagonal(row % 4, 2 * pair + half)] =
                        u32::from_le_bytes(*bytes);
                }
            }
        }
        block
    }

    /// Rows of `LANES` headers in one vector, and the steps on it.
    macro_rules! width {
        ($width:ident, $features:literal, $row:ty, $lanes:literal,
            $add:ident, $xor:ident, $rotate:ident, $shuffle:ident, $split:ident, $join:ident) => {
            mod $width {
                use super::*;

                /// How many headers a vector holds.
                const LANES: usize = $lanes;

                /// `to ^= (a + b) <<< BY`, for every group.
                #[inline]
                #[target_feature(enable = $features)]
                fn step<const BY: i32, const G: usize>(
                    x: &mut [[$row; 4]; G],
                    to: usize,
                    a: usize,
                    b: usize,
                ) {
                    for rows in x {
                        rows[to] = $xor(rows[to], $rotate::<BY>($add(rows[a], rows[b])));
                    }
                }

                /// Turns rows 1 to 3 by one, two and three words, so that columns become rows, or
                /// (the other way) rows columns.
                #[inline]
                #[target_feature(enable = $features)]
                fn turn<const ONE: i32, const THREE: i32, const G: usize>(x: &mut [[$row; 4]; G]) {
                    for rows in x {
                        rows[1] = $shuffle::<ONE>(rows[1]);
                        rows[2] = $shuffle::<0x4e>(rows[2]);
                        rows[3] = $shuffle::<THREE>(rows[3]);
                    }
                }

                /// Salsa20/8.
                #[inline]
                #[target_feature(enable = $features)]
                fn salsa<const G: usize>(x: &mut [[$row; 4]; G]) {
                    let before = *x;
                    for _ in 0..4 {
                        step::<7, G>(x, 1, 0, 3);
                        step::<9, G>(x, 2, 1, 0);
                        step::<13, G>(x, 3, 2, 1);
                        step::<18, G>(x, 0, 3, 2);
                        turn::<0x93, 0x39, G>(x);
                        step::<7, G>(x, 3, 0, 1);
                        step::<9, G>(x, 2, 3, 0);
                        step::<13, G>(x, 1, 2, 3);
                        step::<18, G>(x, 0, 1, 2);
                        turn::<0x39, 0x93, G>(x);
                    }
                    for (rows, before) in x.iter_mut().zip(before) {
                        for (row, before) in rows.iter_mut().zip(before) {
                            *row = $add(*row, before);
                        }
                    }
                }

                #[inline]
                #[target_feature(enable = $features)]
                fn xor<const G: usize>(x: &mut [[$row; 4]; G], y: &[[$row; 4]; G]) {
                    for (x, y) in x.iter_mut().zip(y) {
                        for (x, y) in x.iter_mut().zip(y) {
                            *x = $xor(*x, *y);
                        }
                    }
                }

                /// BlockMix: both halves, the lower one first.
                #[inline]
                #[target_feature(enable = $features)]
                fn block_mix<const G: usize>(low: &mut [[$row; 4]; G], high: &mut [[$row; 4]; G]) {
                    xor(low, high);
                    salsa(low);
                    xor(high, low);
                    salsa(high);
                }

                /// ROMix of `G * LANES` blocks with N = 2^`log_n`, each over its own part of
                /// the pad.
                #[inline]
                #[target_feature(enable = $features)]
                pub(super) fn mix<const G: usize>(
                    blocks: &mut [Block],
                    pad: &mut Vec<Slot>,
                    log_n: u8,
                ) {
                    let n = 1 << log_n;
                    if pad.len() < G * LANES * n {
                        pad.resize(G * LANES * n, Slot([_mm_setzero_si128(); 8]));
                    }
                    let pad = &mut pad[..G * LANES * n];
                    let mut rows = [[[_mm_setzero_si128(); 8]; LANES]; G];
                    for (rows, block) in rows.as_flattened_mut().iter_mut().zip(&*blocks) {
                        *rows = turned(block);
                    }
                    let mut low = [[$join([rows[0][0][0]; LANES]); 4]; G];
                    let mut high = low;
                    for g in 0..G {
                        for row in 0..4 {
                            low[g][row] = $join(rows[g].map(|rows| rows[row]));
                            high[g][row] = $join(rows[g].map(|rows| rows[row + 4]));
                        }
                    }
                    for i in 0..n {
                        for g in 0..G {
                            for row in 0..4 {
                                let (low, high) = ($split(low[g][row]), $split(high[g][row]));
                                for lane in 0..LANES {
                                    let Slot(slot) = &mut pad[i * G * LANES + g * LANES + lane];
                                    slot[row] = low[lane];
                                    slot[row + 4] = high[lane];
                                }
                            }
                        }
                        block_mix(&mut low, &mut high);
                    }
                    for _ in 0..n {
                        for g in 0..G {
                            // The first word of the upper half says which slot of its part.
                            let mut at = [0; LANES];
                            for (lane, words) in $split(high[g][0]).into_iter().enumerate() {
                                let word = _mm_cvtsi128_si32(words).cast_unsigned() as usize;
                                at[lane] = (word & (n - 1)) * G * LANES + g * LANES + lane;
                            }
                            for row in 0..4 {
                                let slots = $join(at.map(|at| pad[at].0[row]));
                                low[g][row] = $xor(low[g][row], slots);
                                let slots = $join(at.map(|at| pad[at].0[row + 4]));
                                high[g][row] = $xor(high[g][row], slots);
                            }
                        }
                        block_mix(&mut low, &mut high);
                    }
                    for g in 0..G {
                        for row in 0..4 {
                            let (low, high) = ($split(low[g][row]), $split(high[g][row]));
                            for lane in 0..LANES {
                                rows[g][lane][row] = low[lane];
                                rows[g][lane][row + 4] = high[lane];
                            }
                        }
                    }
                    for (rows, block) in rows.as_flattened().iter().zip(blocks) {
                        *block = turned_back(rows);
                    }
                }
            }
        };
    }

    width!(
        sse2,
        "sse2",
        __m128i,
        1,
        _mm_add_epi32,
        _mm_xor_si128,
        rotate_128,
        _mm_shuffle_epi32,
        split_128,
        join_128
    );
    width!(
        avx2,
        "avx2",
        __m256i,
        2,
        _mm256_add_epi32,
        _mm256_xor_si256,
        rotate_256,
        _mm256_shuffle_epi32,
        split_256,
        join_256
    );
    width!(
        avx512,
        "avx512f",
        __m512i,
        4,
        _mm512_add_epi32,
        _mm512_xor_si512,
        _mm512_rol_epi32,
        _mm512_shuffle_epi32,
        split_512,
        join_512
    );

    /// Mixes one block.
    ///
    /// # Safety
    /// The processor has SSE2.
    #[target_feature(enable = "sse2")]
    pub fn sse2_one(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        sse2::mix::<1>(blocks, pad, log_n);
    }

    /// Mixes up to two blocks.
    ///
    /// # Safety
    /// The processor has SSE2.
    #[target_feature(enable = "sse2")]
    pub fn sse2_two(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        sse2::mix::<2>(blocks, pad, log_n);
    }

    /// Mixes up to two blocks.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub fn avx2_two(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        avx2::mix::<1>(blocks, pad, log_n);
    }

    /// Mixes up to four blocks.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[target_feature(enable = "avx2")]
    pub fn avx2_four(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        avx2::mix::<2>(blocks, pad, log_n);
    }

    /// Mixes up to four blocks.
    ///
    /// # Safety
    /// The processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub fn avx512_four(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        avx512::mix::<1>(blocks, pad, log_n);
    }

    /// Mixes up to eight blocks.
    ///
    /// # Safety
    /// The processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub fn avx512_eight(blocks: &mut [Block], pad: &mut Vec<Slot>, log_n: u8) {
        avx512::mix::<2>(blocks, pad, log_n);
    }

    /// A rotation to the left, for instructions that have shifts only.
    macro_rules! rotation {
        ($name:ident, $features:literal, $row:ty, $left:ident, $right:ident, $or:ident) => {
            #[inline]
            #[target_feature(enable = $features)]
            fn $name<const BY: i32>(x: $row) -> $row {
                let (left, right) = match BY {
                    7 => ($left::<7>(x), $right::<25>(x)),
                    9 => ($left::<9>(x), $right::<23>(x)),
                    13 => ($left::<13>(x), $right::<19>(x)),
                    _ => ($left::<18>(x), $right::<14>(x)),
                };
                $or(left, right)
            }
        };
    }

    rotation!(rotate_128, "sse2", __m128i, _mm_slli_epi32, _mm_srli_epi32, _mm_or_si128);
    rotation!(rotate_256, "avx2", __m256i, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_or_si256);

    #[inline]
    #[target_feature(enable = "sse2")]
    fn split_128(x: __m128i) -> [__m128i; 1] {
        [x]
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn join_128(lanes: [__m128i; 1]) -> __m128i {
        lanes[0]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn split_256(x: __m256i) -> [__m128i; 2] {
        [_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn join_256(lanes: [__m128i; 2]) -> __m256i {
        _mm256_set_m128i(lanes[1], lanes[0])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn split_512(x: __m512i) -> [__m128i; 4] {
        [
            _mm512_castsi512_si128(x),
            _mm512_extracti32x4_epi32::<1>(x),
            _mm512_extracti32x4_epi32::<2>(x),
            _mm512_extracti32x4_epi32::<3>(x),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn join_512(lanes: [__m128i; 4]) -> __m512i {
        let x = _mm512_castsi128_si512(lanes[0]);
        let x = _mm512_inserti32x4::<1>(x, lanes[1]);
        let x = _mm512_inserti32x4::<2>(x, lanes[2]);
        _mm512_inserti32x4::<3>(x, lanes[3])
    }
}
