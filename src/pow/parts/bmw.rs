//! Blue Midnight Wish, 256 and 512 bits (Gligoroski et al.: "Cryptographic Hash Function BLUE
//! MIDNIGHT WISH", round 2 of the SHA-3 competition, 2009).

use super::bytes::{join, le32, le64, whole};
use std::array::from_fn;

/// Message words of f0, each with whether it is subtracted.
const F0: [[(usize, bool); 5]; 16] = [
    [(5, false), (7, true), (10, false), (13, false), (14, false)],
    [(6, false), (8, true), (11, false), (14, false), (15, true)],
    [(0, false), (7, false), (9, false), (12, true), (15, false)],
    [(0, false), (1, true), (8, false), (10, true), (13, false)],
    [(1, false), (2, false), (9, false), (11, true), (14, true)],
    [(3, false), (2, true), (10, false), (12, true), (15, false)],
    [(4, false), (0, true), (3, true), (11, true), (13, false)],
    [(1, false), (4, true), (5, true), (12, true), (14, true)],
    [(2, false), (5, true), (6, true), (13, false), (15, true)],
    [(0, false), (3, true), (6, false), (7, true), (14, false)],
    [(8, false), (1, true), (4, true), (7, true), (15, false)],
    [(8, false), (0, true), (2, true), (5, true), (9, false)],
    [(1, false), (3, false), (6, true), (9, true), (10, false)],
    [(2, false), (4, false), (7, false), (10, false), (11, false)],
    [(3, false), (5, true), (8, false), (11, true), (12, true)],
    [(12, false), (4, true), (6, true), (9, true), (13, false)],
];

macro_rules! bmw {
    ($word:ty, $block:literal, $read:ident, $compress:ident, $absorb:ident, $step:literal,
     $first:literal, $increment:literal, $last:literal, s: $s:expr, r: $r:expr) => {
        #[inline(always)]
        fn $compress(h: &[$word; 16], m: &[$word; 16]) -> [$word; 16] {
            /// Shift right, shift left, rotate, rotate.
            const S: [[u32; 4]; 4] = $s;
            const R: [u32; 7] = $r;
            let s = |i: usize, x: $word| -> $word {
                let [right, left, one, two] = S[i & 3];
                x >> right ^ x << left ^ x.rotate_left(one) ^ x.rotate_left(two)
            };
            let mut q = [0; 32];
            for i in 0..16 {
                let mut w: $word = 0;
                for (j, minus) in F0[i] {
                    let x = m[j] ^ h[j];
                    w = if minus { w.wrapping_sub(x) } else { w.wrapping_add(x) };
                }
                let mixed = if i % 5 == 4 { w >> 1 ^ w } else { s(i % 5, w) };
                q[i] = mixed.wrapping_add(h[(i + 1) % 16]);
            }
            for i in 0..16 {
                let turned = |j: usize| m[j % 16].rotate_left((j % 16) as u32 + 1);
                let constant = ($step as $word).wrapping_mul(i as $word + 16);
                let added = turned(i).wrapping_add(turned(i + 3)).wrapping_sub(turned(i + 10));
                let mut x: $word = added.wrapping_add(constant) ^ h[(i + 7) % 16];
                if i < 2 {
                    for k in 0..16 {
                        x = x.wrapping_add(s((k + 1) % 4, q[i + k]));
                    }
                } else {
                    for k in 0..7 {
                        let turned = q[i + 2 * k + 1].rotate_left(R[k]);
                        x = x.wrapping_add(q[i + 2 * k]).wrapping_add(turned);
                    }
                    let (a, b) = (q[i + 14], q[i + 15]);
                    x = x.wrapping_add(a >> 1 ^ a).wrapping_add(b >> 2 ^ b);
                }
                q[i + 16] = x;
            }
            let low = q[16..24].iter().fold(0, |all, x| all ^ x);
            let high = q[24..].iter().fold(low, |all, x| all ^ x);
            let mut new = [0; 16];
            let firsts = [
                high << 5 ^ q[16] >> 5,
                high >> 7 ^ q[17] << 8,
                high >> 5 ^ q[18] << 5,
                high >> 1 ^ q[19] << 5,
                high >> 3 ^ q[20],
                high << 6 ^ q[21] >> 6,
                high >> 4 ^ q[22] << 6,
                high >> 11 ^ q[23] << 2,
            ];
            for i in 0..8 {
                new[i] = (firsts[i] ^ m[i]).wrapping_add(low ^ q[i + 24] ^ q[i]);
            }
            let seconds = [
                low << 8 ^ q[23],
                low >> 6 ^ q[16],
                low << 6 ^ q[17],
                low << 4 ^ q[18],
                low >> 3 ^ q[19],
                low >> 4 ^ q[20],
                low >> 7 ^ q[21],
                low >> 2 ^ q[22],
            ];
            for i in 0..8 {
                new[i + 8] = new[(i + 4) % 8]
                    .rotate_left(i as u32 + 9)
                    .wrapping_add(high ^ q[i + 24] ^ m[i + 8])
                    .wrapping_add(seconds[i] ^ q[i + 8]);
            }
            new
        }

        fn $absorb(input: &[u8]) -> [$word; 16] {
            let word = |i| ($first as $word).wrapping_add(($increment as $word) * i as $word);
            let mut h = from_fn(word);
            let (mut last, rest) = whole(input, |block: &[u8; $block]| {
                h = $compress(&h, &$read(block));
            });
            last[rest] = 0x80;
            if rest >= $block - 8 {
                h = $compress(&h, &$read(&last));
                last = [0; $block];
            }
            last[$block - 8..].copy_from_slice(&(8 * input.len() as u64).to_le_bytes());
            h = $compress(&h, &$read(&last));
            $compress(&from_fn(|i| $last + i as $word), &h)
        }
    };
}

bmw!(
    u32, 64, le32, compress256, absorb256, 0x0555_5555_u32, 0x4041_4243_u32, 0x0404_0404_u32,
    0xaaaa_aaa0_u32,
    s: [[1, 3, 4, 19], [1, 2, 8, 23], [2, 1, 12, 25], [2, 2, 15, 29]],
    r: [3, 7, 13, 16, 19, 23, 27]
);
bmw!(
    u64, 128, le64, compress512, absorb512, 0x0555_5555_5555_5555_u64, 0x8081_8283_8485_8687_u64,
    0x0808_0808_0808_0808_u64, 0xaaaa_aaaa_aaaa_aaa0_u64,
    s: [[1, 3, 4, 37], [1, 2, 13, 43], [2, 1, 19, 53], [2, 2, 28, 59]],
    r: [5, 11, 27, 32, 37, 43, 53]
);

/// Blue Midnight Wish, 256 bits.
#[allow(dead_code, reason = "Lyra2's chains are made of it")]
pub(crate) fn bmw256(input: &[u8]) -> [u8; 32] {
    join(&absorb256(input)[8..], u32::to_le_bytes)
}

/// Blue Midnight Wish, 512 bits.
pub(crate) fn bmw512(input: &[u8]) -> [u8; 64] {
    join(&absorb512(input)[8..], u64::to_le_bytes)
}
