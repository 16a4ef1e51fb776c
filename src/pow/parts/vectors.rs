//! Eight words of 32 bits that go through the same steps side by side, twice: as plain arrays, and
//! in the processor's vectors. Parts are written once, over the names of such a module.

/// For all processors. Sums and the like are written so that the compiler may make vector
/// instructions of them.
pub(super) mod soft {
    use std::array::from_fn;

    pub(in super::super) type Words = [u32; 8];

    #[inline(always)]
    pub(in super::super) fn load(x: &[u32; 8]) -> Words {
        *x
    }

    #[inline(always)]
    pub(in super::super) fn store(x: Words) -> [u32; 8] {
        x
    }

    #[inline(always)]
    pub(in super::super) fn xor(x: Words, y: Words) -> Words {
        from_fn(|i| x[i] ^ y[i])
    }

    #[inline(always)]
    pub(in super::super) fn and(x: Words, y: Words) -> Words {
        from_fn(|i| x[i] & y[i])
    }

    #[inline(always)]
    pub(in super::super) fn or(x: Words, y: Words) -> Words {
        from_fn(|i| x[i] | y[i])
    }

    /// Every word rotated to the left. BACK is 32 - BY.
    #[inline(always)]
    pub(in super::super) fn rotate<const BY: i32, const BACK: i32>(x: Words) -> Words {
        x.map(|word| word << BY | word >> BACK)
    }

    /// Every word rotated to the left by its own number.
    #[inline(always)]
    pub(in super::super) fn rotate_each(x: Words, by: &[u32; 8]) -> Words {
        from_fn(|i| x[i].rotate_left(by[i]))
    }

    /// Word i of the result is word `from[i]`.
    #[inline(always)]
    pub(in super::super) fn pick(x: Words, from: &[u32; 8]) -> Words {
        from_fn(|i| x[from[i] as usize % 8])
    }
}

/// In AVX2's vectors.
#[cfg(target_arch = "x86_64")]
pub(super) mod hard {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_extract_epi64, _mm256_or_si256,
        _mm256_permutevar8x32_epi32, _mm256_set_epi64x, _mm256_set1_epi32, _mm256_slli_epi32,
        _mm256_sllv_epi32, _mm256_srli_epi32, _mm256_srlv_epi32, _mm256_sub_epi32,
        _mm256_xor_si256,
    };

    pub(in super::super) type Words = __m256i;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load(x: &[u32; 8]) -> Words {
        let [a, b, c, d, e, f, g, h] = x.map(i64::from);
        _mm256_set_epi64x(h << 32 | g, f << 32 | e, d << 32 | c, b << 32 | a)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn store(x: Words) -> [u32; 8] {
        let pair = |both: i64| [both as u32, (both >> 32) as u32];
        let [a, b] = pair(_mm256_extract_epi64::<0>(x));
        let [c, d] = pair(_mm256_extract_epi64::<1>(x));
        let [e, f] = pair(_mm256_extract_epi64::<2>(x));
        let [g, h] = pair(_mm256_extract_epi64::<3>(x));
        [a, b, c, d, e, f, g, h]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn xor(x: Words, y: Words) -> Words {
        _mm256_xor_si256(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn and(x: Words, y: Words) -> Words {
        _mm256_and_si256(x, y)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn or(x: Words, y: Words) -> Words {
        _mm256_or_si256(x, y)
    }

    /// Every word rotated to the left. BACK is 32 - BY.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn rotate<const BY: i32, const BACK: i32>(x: Words) -> Words {
        _mm256_or_si256(_mm256_slli_epi32::<BY>(x), _mm256_srli_epi32::<BACK>(x))
    }

    /// Every word rotated to the left by its own number.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn rotate_each(x: Words, by: &[u32; 8]) -> Words {
        let by = load(by);
        let back = _mm256_sub_epi32(_mm256_set1_epi32(32), by);
        _mm256_or_si256(_mm256_sllv_epi32(x, by), _mm256_srlv_epi32(x, back))
    }

    /// Word i of the result is word `from[i]`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn pick(x: Words, from: &[u32; 8]) -> Words {
        _mm256_permutevar8x32_epi32(x, load(from))
    }
}
