//! Grøstl-512 (Gauravaram et al.: "Grøstl, a SHA-3 candidate", version 2.0 of 2011): by the crate,
//! or, three times as fast, with the processor's instructions for AES, of which it has the S-box.

use multiversion::multiversion;

#[cfg(target_arch = "x86_64")]
mod hard {
    use super::super::aes::hard::{Block, load, store, xor};
    use super::super::bytes::{join, whole};
    use std::arch::x86_64::{
        __m256i, _mm_aesenclast_si128, _mm_shuffle_epi8, _mm_unpackhi_epi16, _mm_unpackhi_epi32,
        _mm_unpackhi_epi64, _mm_unpacklo_epi16, _mm_unpacklo_epi32, _mm_unpacklo_epi64,
        _mm256_add_epi8, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cmpgt_epi8,
        _mm256_extracti128_si256, _mm256_set_m128i, _mm256_set1_epi8, _mm256_setzero_si256,
        _mm256_shuffle_epi8, _mm256_xor_si256,
    };

    /// A row of the 8 x 16 bytes each.
    type Rows = [Block; 8];

    /// A row of P's state and the same of Q's each.
    type Pairs = [__m256i; 8];

    /// How far P and Q turn their rows.
    const TURNS: [[u8; 8]; 2] = [[0, 1, 2, 3, 4, 5, 6, 11], [1, 3, 5, 11, 0, 2, 4, 6]];

    /// The turns as shuffles that also undo what the last round of AES does to rows.
    static SHUFFLES: [[[u8; 16]; 8]; 2] = {
        let mut all = [[[0; 16]; 8]; 2];
        let mut i = 0;
        while i < 256 {
            let (which, row, to) = (i / 128, i / 16 % 8, i % 16);
            let from = to as u8 + 12 * (to as u8 % 4) + TURNS[which][row];
            all[which][row][to] = from % 16;
            i += 1;
        }
        all
    };

    /// What rounds add to a row, but for the round's number: 16 times the column.
    const COLUMNS: [u8; 16] = {
        let mut columns = [0; 16];
        let mut i = 0;
        while i < 16 {
            columns[i] = 16 * i as u8;
            i += 1;
        }
        columns
    };

    #[inline]
    #[target_feature(enable = "aes,avx2")]
    fn pair(p: Block, q: Block) -> __m256i {
        _mm256_set_m128i(q, p)
    }

    /// Twice every byte in GF(2^8).
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    fn double(x: __m256i) -> __m256i {
        let over = _mm256_cmpgt_epi8(_mm256_setzero_si256(), x);
        let back = _mm256_and_si256(over, _mm256_set1_epi8(0x1b));
        _mm256_xor_si256(_mm256_add_epi8(x, x), back)
    }

    #[inline]
    #[target_feature(enable = "aes,avx2")]
    fn sum(x: __m256i, y: __m256i) -> __m256i {
        _mm256_xor_si256(x, y)
    }

    /// P and Q side by side.
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    fn permute(mut a: Pairs) -> Pairs {
        let zero = load(&[0; 16]);
        let ones = load(&[0xff; 16]);
        let mut shuffles = a;
        for i in 0..8 {
            shuffles[i] = pair(load(&SHUFFLES[0][i]), load(&SHUFFLES[1][i]));
        }
        for round in 0..14 {
            let added = xor(load(&COLUMNS), load(&[round; 16]));
            for i in 0..8 {
                let (mut p, mut q) = (zero, ones);
                if i == 0 {
                    p = added;
                } else if i == 7 {
                    q = xor(ones, added);
                }
                let turned = _mm256_shuffle_epi8(sum(a[i], pair(p, q)), shuffles[i]);
                let (p, q) =
                    (_mm256_castsi256_si128(turned), _mm256_extracti128_si256::<1>(turned));
                a[i] = pair(_mm_aesenclast_si128(p, zero), _mm_aesenclast_si128(q, zero));
            }
            let (mut x, mut y, mut z) = (a, a, a);
            for i in 0..8 {
                x[i] = sum(a[i], a[(i + 1) % 8]);
            }
            for i in 0..8 {
                y[i] = sum(x[i], x[(i + 3) % 8]);
                z[i] = sum(sum(x[i], x[(i + 2) % 8]), a[(i + 6) % 8]);
            }
            for i in 0..8 {
                let inner = sum(double(y[(i + 3) % 8]), z[(i + 7) % 8]);
                a[i] = sum(double(inner), z[(i + 4) % 8]);
            }
        }
        a
    }

    /// 16 columns of 8 bytes become 8 rows of 16.
    #[inline]
    #[target_feature(enable = "aes,avx2")]
    fn rows(bytes: &[u8; 128]) -> Rows {
        let zero = load(&[0; 16]);
        let pairs = load(&[0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]);
        let mut a = [zero; 8];
        for i in 0..8 {
            a[i] = _mm_shuffle_epi8(load(&bytes.as_chunks::<16>().0[i]), pairs);
        }
        let mut b = [zero; 8];
        for i in 0..4 {
            b[2 * i] = _mm_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
        }
        let mut c = [zero; 8];
        for i in 0..4 {
            let (half, which) = (i / 2 * 4, i % 2);
            c[half + 2 * which] = _mm_unpacklo_epi32(b[half + which], b[half + which + 2]);
            c[half + 2 * which + 1] = _mm_unpackhi_epi32(b[half + which], b[half + which + 2]);
        }
        for i in 0..4 {
            a[2 * i] = _mm_unpacklo_epi64(c[i], c[i + 4]);
            a[2 * i + 1] = _mm_unpackhi_epi64(c[i], c[i + 4]);
        }
        a
    }

    #[target_feature(enable = "aes,avx2")]
    fn compress(mut h: Rows, block: &[u8; 128]) -> Rows {
        let m = rows(block);
        let mut both = [pair(m[0], m[0]); 8];
        for i in 0..8 {
            both[i] = pair(xor(h[i], m[i]), m[i]);
        }
        for (row, changed) in h.iter_mut().zip(permute(both)) {
            let (p, q) = (_mm256_castsi256_si128(changed), _mm256_extracti128_si256::<1>(changed));
            *row = xor(*row, xor(p, q));
        }
        h
    }

    #[target_feature(enable = "aes,avx2")]
    pub(super) fn groestl512(input: &[u8]) -> [u8; 64] {
        let mut iv = [0; 128];
        iv[126] = 2;
        let mut h = rows(&iv);
        let (mut last, rest) = whole(input, |block| h = compress(h, block));
        last[rest] = 0x80;
        let mut blocks = (input.len() / 128) as u64 + 1;
        if rest >= 120 {
            h = compress(h, &last);
            last = [0; 128];
            blocks += 1;
        }
        last[120..].copy_from_slice(&blocks.to_be_bytes());
        h = compress(h, &last);
        // P alone; Q goes along for nothing.
        let mut both = [pair(h[0], h[0]); 8];
        for i in 0..8 {
            both[i] = pair(h[i], h[i]);
        }
        let mut stored = [[0; 16]; 8];
        for (i, changed) in permute(both).into_iter().enumerate() {
            stored[i] = store(xor(h[i], _mm256_castsi256_si128(changed)));
        }
        let columns: [[u8; 8]; 8] =
            std::array::from_fn(|column| std::array::from_fn(|row| stored[row][column + 8]));
        join(&columns, |column| column)
    }
}

/// By the crate.
pub(super) fn groestl512_plain(input: &[u8]) -> [u8; 64] {
    use groestl::Digest as _;
    groestl::Groestl512::digest(input).into()
}

/// Grøstl-512.
#[multiversion(targets("x86_64+aes+avx2"))]
pub(crate) fn groestl512(input: &[u8]) -> [u8; 64] {
    let hash = multiversion::target::match_target! {
        "x86_64+aes+avx2" => hard::groestl512,
        _ => groestl512_plain,
    };
    hash(input)
}
