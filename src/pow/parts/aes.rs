//! One round of AES (FIPS 197) on a block, twice: in plain words, and with the processor's
//! instructions. Parts that are made of it are written once, over the names of such a module.

/// The S-box of AES.
pub(super) static SBOX: [u8; 256] = {
    let mut sbox = [0x63; 256];
    // p walks all powers of 3, q those of its inverse.
    let (mut p, mut q) = (1_u8, 1_u8);
    loop {
        p = p ^ (p << 1) ^ if p & 0x80 == 0 { 0 } else { 0x1b };
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if q & 0x80 != 0 {
            q ^= 0x09;
        }
        let x = q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4);
        sbox[p as usize] = x ^ 0x63;
        if p == 1 {
            break;
        }
    }
    sbox
};

/// Twice a byte in GF(2^8).
pub(super) const fn twice(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 == 0 { 0 } else { 0x1b }
}

/// For processors without instructions for AES.
pub(super) mod soft {
    use super::super::bytes::{join, le32};
    use super::{SBOX, twice};

    /// Four columns, the first row in the lowest byte.
    pub(in super::super) type Block = [u32; 4];

    /// S-box and column mix of a byte of the first row; the other rows' are turned.
    static TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let s = SBOX[i];
            table[i] = u32::from_le_bytes([twice(s), s, s, twice(s) ^ s]);
            i += 1;
        }
        table
    };

    #[inline(always)]
    pub(in super::super) fn load(bytes: &[u8; 16]) -> Block {
        le32(bytes)
    }

    #[inline(always)]
    pub(in super::super) fn store(x: Block) -> [u8; 16] {
        join(&x, u32::to_le_bytes)
    }

    #[inline(always)]
    pub(in super::super) fn xor(x: Block, y: Block) -> Block {
        [x[0] ^ y[0], x[1] ^ y[1], x[2] ^ y[2], x[3] ^ y[3]]
    }

    /// Substitutes bytes, shifts rows, mixes columns, adds the key.
    #[inline(always)]
    pub(in super::super) fn round(x: Block, key: Block) -> Block {
        let column = |i: usize| {
            let byte = |row: usize| {
                let it = x[(i + row) % 4] >> (8 * row) & 0xff;
                TABLE[it as usize].rotate_left(8 * row as u32)
            };
            key[i] ^ byte(0) ^ byte(1) ^ byte(2) ^ byte(3)
        };
        [column(0), column(1), column(2), column(3)]
    }

    /// Twice every byte in GF(2^8).
    #[inline(always)]
    pub(in super::super) fn double(x: Block) -> Block {
        x.map(|word| ((word & 0x7f7f_7f7f) << 1) ^ ((word >> 7 & 0x0101_0101) * 0x1b))
    }

    /// (x, y) as eight words: the four from the second on, of x and then y.
    #[inline(always)]
    pub(in super::super) fn shifted(x: Block, y: Block) -> Block {
        [x[1], x[2], x[3], y[0]]
    }
}

/// With the processor's instructions.
#[cfg(target_arch = "x86_64")]
pub(super) mod hard {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_aesenc_si128, _mm_alignr_epi8, _mm_and_si128, _mm_cmpgt_epi8,
        _mm_cvtsi128_si64, _mm_extract_epi64, _mm_set_epi64x, _mm_set1_epi8, _mm_setzero_si128,
        _mm_xor_si128,
    };

    pub(in super::super) type Block = __m128i;

    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn load(bytes: &[u8; 16]) -> Block {
        let all = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((all >> 64) as i64, all as i64)
    }

    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn store(x: Block) -> [u8; 16] {
        let (low, high) = (_mm_cvtsi128_si64(x) as u64, _mm_extract_epi64::<1>(x) as u64);
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn xor(x: Block, y: Block) -> Block {
        _mm_xor_si128(x, y)
    }

    /// Substitutes bytes, shifts rows, mixes columns, adds the key.
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn round(x: Block, key: Block) -> Block {
        _mm_aesenc_si128(x, key)
    }

    /// Twice every byte in GF(2^8).
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn double(x: Block) -> Block {
        let over = _mm_cmpgt_epi8(_mm_setzero_si128(), x);
        _mm_xor_si128(_mm_add_epi8(x, x), _mm_and_si128(over, _mm_set1_epi8(0x1b)))
    }

    /// (x, y) as eight words: the four from the second on.
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    pub(in super::super) fn shifted(x: Block, y: Block) -> Block {
        _mm_alignr_epi8::<4>(y, x)
    }
}
