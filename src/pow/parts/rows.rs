//! Blocks of 64 bytes as four rows of four words each, and the steps of two cores on them: Salsa20
//! and ChaCha. Rows are plain arrays, or the processor's vectors; cores are written once, over
//! either.

/// 64 bytes as little-endian words, four by four.
pub(crate) type Words = [[u32; 4]; 4];

/// For all processors.
pub(super) mod soft {
    use std::array::from_fn;

    pub(crate) type Row = [u32; 4];

    #[inline(always)]
    pub(crate) fn load(words: [u32; 4]) -> Row {
        words
    }

    #[inline(always)]
    pub(crate) fn store(x: Row) -> [u32; 4] {
        x
    }

    /// The first word.
    #[inline(always)]
    pub(crate) fn first(x: Row) -> u32 {
        x[0]
    }

    /// As two words of 64 bits.
    #[inline(always)]
    pub(crate) fn to_two(x: Row) -> [u64; 2] {
        [u64::from(x[0]) | u64::from(x[1]) << 32, u64::from(x[2]) | u64::from(x[3]) << 32]
    }

    /// From two words of 64 bits.
    #[inline(always)]
    pub(crate) fn from_two([low, high]: [u64; 2]) -> Row {
        [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32]
    }

    /// Two products of two words each, plus `a`, with `b` taken in.
    #[inline(always)]
    pub(crate) fn multiply(x: Row, a: [u64; 2], b: [u64; 2]) -> Row {
        let x = to_two(x);
        from_two(from_fn(|i| ((x[i] >> 32) * (x[i] & 0xffff_ffff)).wrapping_add(a[i]) ^ b[i]))
    }

    #[inline(always)]
    pub(crate) fn add(x: Row, y: Row) -> Row {
        from_fn(|i| x[i].wrapping_add(y[i]))
    }

    #[inline(always)]
    pub(crate) fn xor(x: Row, y: Row) -> Row {
        from_fn(|i| x[i] ^ y[i])
    }

    /// Every word rotated to the left. BACK is 32 - BY.
    #[inline(always)]
    pub(crate) fn rotate<const BY: i32, const BACK: i32>(x: Row) -> Row {
        x.map(|word| word << BY | word >> BACK)
    }

    /// The words turned to the left by one, two, three. (`rotate_left` goes through memory.)
    #[inline(always)]
    pub(crate) fn turn_1(x: Row) -> Row {
        from_fn(|i| x[(i + 1) % 4])
    }

    #[inline(always)]
    pub(crate) fn turn_2(x: Row) -> Row {
        from_fn(|i| x[(i + 2) % 4])
    }

    #[inline(always)]
    pub(crate) fn turn_3(x: Row) -> Row {
        from_fn(|i| x[(i + 3) % 4])
    }
}

/// In SSE2. Where these are inlined and more is allowed, the compiler makes one instruction of a
/// rotation.
#[cfg(target_arch = "x86_64")]
pub(super) mod hard {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_add_epi64, _mm_cvtsi128_si32, _mm_cvtsi128_si64, _mm_mul_epu32,
        _mm_or_si128, _mm_set_epi32, _mm_set_epi64x, _mm_shuffle_epi32, _mm_slli_epi32,
        _mm_srli_epi32, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    pub(crate) type Row = __m128i;

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn load(words: [u32; 4]) -> Row {
        let [a, b, c, d] = words.map(u32::cast_signed);
        _mm_set_epi32(d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn store(x: Row) -> [u32; 4] {
        [first(x), first(turn_1(x)), first(turn_2(x)), first(turn_3(x))]
    }

    /// The first word.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn first(x: Row) -> u32 {
        _mm_cvtsi128_si32(x).cast_unsigned()
    }

    /// As two words of 64 bits.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn to_two(x: Row) -> [u64; 2] {
        let high = _mm_unpackhi_epi64(x, x);
        [_mm_cvtsi128_si64(x).cast_unsigned(), _mm_cvtsi128_si64(high).cast_unsigned()]
    }

    /// From two words of 64 bits.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn from_two([low, high]: [u64; 2]) -> Row {
        _mm_set_epi64x(high.cast_signed(), low.cast_signed())
    }

    /// Two products of two words each, plus `a`, with `b` taken in.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn multiply(x: Row, a: [u64; 2], b: [u64; 2]) -> Row {
        let products = _mm_mul_epu32(_mm_shuffle_epi32::<0xf5>(x), x);
        xor(_mm_add_epi64(products, from_two(a)), from_two(b))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn add(x: Row, y: Row) -> Row {
        _mm_add_epi32(x, y)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn xor(x: Row, y: Row) -> Row {
        _mm_xor_si128(x, y)
    }

    /// Every word rotated to the left. BACK is 32 - BY.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn rotate<const BY: i32, const BACK: i32>(x: Row) -> Row {
        _mm_or_si128(_mm_slli_epi32::<BY>(x), _mm_srli_epi32::<BACK>(x))
    }

    /// The words turned to the left by one, two, three.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn turn_1(x: Row) -> Row {
        _mm_shuffle_epi32::<0x39>(x)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn turn_2(x: Row) -> Row {
        _mm_shuffle_epi32::<0x4e>(x)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(crate) fn turn_3(x: Row) -> Row {
        _mm_shuffle_epi32::<0x93>(x)
    }
}

macro_rules! cores {
    ($how:ident, $rows:ident $(, $feature:literal)?) => {
        pub(crate) mod $how {
            use super::$rows::{add, load, rotate, store, turn_1, turn_2, turn_3};
            use super::{Words, from_diagonals, to_diagonals};

            pub(crate) use super::$rows::{Row, first, from_two, multiply, to_two, xor};

            /// For ChaCha the words as they stand, for Salsa20 their diagonals.
            pub(crate) type Block = [Row; 4];

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn from_words([a, b, c, d]: Words) -> Block {
                [load(a), load(b), load(c), load(d)]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn to_words([a, b, c, d]: Block) -> Words {
                [store(a), store(b), store(c), store(d)]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn diagonals_from_words(words: &Words) -> Block {
                from_words(to_diagonals(words))
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn diagonals_to_words(block: Block) -> Words {
                from_diagonals(&to_words(block))
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn both(x: Block, y: Block) -> Block {
                [xor(x[0], y[0]), xor(x[1], y[1]), xor(x[2], y[2]), xor(x[3], y[3])]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn sum(x: Block, y: Block) -> Block {
                [add(x[0], y[0]), add(x[1], y[1]), add(x[2], y[2]), add(x[3], y[3])]
            }

            /// A round of Salsa20 on columns, and one on rows.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn salsa([mut a, mut b, mut c, mut d]: Block) -> Block {
                b = xor(b, rotate::<7, 25>(add(a, d)));
                c = xor(c, rotate::<9, 23>(add(b, a)));
                d = xor(d, rotate::<13, 19>(add(c, b)));
                a = xor(a, rotate::<18, 14>(add(d, c)));
                (b, c, d) = (turn_3(b), turn_2(c), turn_1(d));
                d = xor(d, rotate::<7, 25>(add(a, b)));
                c = xor(c, rotate::<9, 23>(add(d, a)));
                b = xor(b, rotate::<13, 19>(add(c, d)));
                a = xor(a, rotate::<18, 14>(add(b, c)));
                [a, turn_1(b), turn_2(c), turn_3(d)]
            }

            /// A round of ChaCha on columns, and one on diagonals.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            pub(crate) fn chacha(block: Block) -> Block {
                let [a, b, c, d] = chacha_round(block);
                let [a, b, c, d] = chacha_round([a, turn_1(b), turn_2(c), turn_3(d)]);
                [a, turn_3(b), turn_2(c), turn_1(d)]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn chacha_round([mut a, mut b, mut c, mut d]: Block) -> Block {
                a = add(a, b);
                d = rotate::<16, 16>(xor(d, a));
                c = add(c, d);
                b = rotate::<12, 20>(xor(b, c));
                a = add(a, b);
                d = rotate::<8, 24>(xor(d, a));
                c = add(c, d);
                b = rotate::<7, 25>(xor(b, c));
                [a, b, c, d]
            }
        }
    };
}

cores!(portable, soft);
#[cfg(target_arch = "x86_64")]
cores!(ssse3, hard, "ssse3");
#[cfg(target_arch = "x86_64")]
cores!(avx512, hard, "avx512f,avx512vl");

/// The words of 64 bytes; further ones are left.
pub(crate) fn from_bytes(bytes: &[u8]) -> Words {
    let mut rows = [[0; 4]; 4];
    for (word, bytes) in rows.as_flattened_mut().iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    rows
}

/// The bytes of words.
pub(crate) fn to_bytes(words: &Words) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words.as_flattened()) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// The diagonals, down and to the right, as rows: words 0, 5, 10, 15; 4, 9, 14, 3; ...
fn to_diagonals(words: &Words) -> Words {
    let words = words.as_flattened();
    std::array::from_fn(|row| std::array::from_fn(|column| words[(4 * row + 5 * column) % 16]))
}

/// The words of these diagonals.
fn from_diagonals(diagonals: &Words) -> Words {
    let mut rows = [[0; 4]; 4];
    let words = rows.as_flattened_mut();
    for (row, diagonal) in diagonals.iter().enumerate() {
        for (column, word) in diagonal.iter().enumerate() {
            words[(4 * row + 5 * column) % 16] = *word;
        }
    }
    rows
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::portable::{
        chacha, diagonals_from_words, diagonals_to_words, from_words, salsa, sum, to_words,
    };
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        const_hex::decode(text).unwrap()
    }

    /// RFC 7914, section 8.
    #[test]
    fn salsa_is_as_in_the_rfc() {
        let input = hex("7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df8461\
             16dcd3b1dee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e");
        let output = hex(
            "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29b4393168e3c9e6bcfe6bc5b\
             7a06d96bae424cc102c91745c24ad673dc7618f81",
        );
        let before = diagonals_from_words(&from_bytes(&input));
        let after = (0..4).fold(before, |block, _| salsa(block));
        assert_eq!(to_bytes(&diagonals_to_words(sum(before, after))).to_vec(), output);
    }

    /// RFC 8439, section 2.3.2.
    #[test]
    fn chacha_is_as_in_the_rfc() {
        let input =
            hex("657870616e642033322d62797465206b000102030405060708090a0b0c0d0e0f1011121314151617\
             18191a1b1c1d1e1f01000000000000090000004a00000000");
        let output = hex(
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914\
             c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
        );
        let before = from_words(from_bytes(&input));
        let after = (0..10).fold(before, |block, _| chacha(block));
        assert_eq!(to_bytes(&to_words(sum(before, after))).to_vec(), output);
    }
}
