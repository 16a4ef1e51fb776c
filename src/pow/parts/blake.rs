//! BLAKE-256 and BLAKE-512, of which coins use other round counts too (Aumasson, Henzen, Meier,
//! Phan: "SHA-3 proposal BLAKE", version 1.3 of 2010).

use super::bytes::{be32, be64, join, whole};

/// The first digits of pi.
const C32: [u32; 16] = [
    0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89,
    0x452821e6, 0x38d01377, 0xbe5466cf, 0x34e90c6c, 0xc0ac29b7, 0xc97c50dd, 0x3f84d5b5, 0xb5470917,
];

/// The first digits of pi.
const C64: [u64; 16] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
    0x9216_d5d9_8979_fb1b,
    0xd131_0ba6_98df_b5ac,
    0x2ffd_72db_d01a_dfb7,
    0xb8e1_afed_6a26_7e96,
    0xba7c_9045_f12c_7f99,
    0x24a1_9947_b391_6cf7,
    0x0801_f2e2_858e_fc16,
    0x6369_20d8_7157_4e69,
];

/// Which message word goes where, round by round.
const SIGMA: [[u8; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Initial values: SHA-256's.
const IV32: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// Initial values: SHA-512's.
pub(super) const IV64: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

macro_rules! blake {
    ($word:ty, $count:ty, $block:literal, $constants:ident, $iv:ident, $read:ident,
     $compress:ident, $absorb:ident, [$r1:literal, $r2:literal, $r3:literal, $r4:literal]) => {
        #[inline(always)]
        fn $compress<const ROUNDS: usize>(h: &mut [$word; 8], block: &[u8; $block], bits: $count) {
            let m: [$word; 16] = $read(block);
            let mut v = [0; 16];
            v[..8].copy_from_slice(h);
            v[8..].copy_from_slice(&$constants[..8]);
            let (low, high) = (bits as $word, (bits >> <$word>::BITS) as $word);
            v[12] ^= low;
            v[13] ^= low;
            v[14] ^= high;
            v[15] ^= high;
            for round in 0..ROUNDS {
                let s = &SIGMA[round % 10];
                let mut g = |a: usize, b: usize, c: usize, d: usize, i: usize| {
                    let (j, k) = (usize::from(s[i] & 15), usize::from(s[i + 1] & 15));
                    v[a] = v[a].wrapping_add(v[b]).wrapping_add(m[j] ^ $constants[k]);
                    v[d] = (v[d] ^ v[a]).rotate_right($r1);
                    v[c] = v[c].wrapping_add(v[d]);
                    v[b] = (v[b] ^ v[c]).rotate_right($r2);
                    v[a] = v[a].wrapping_add(v[b]).wrapping_add(m[k] ^ $constants[j]);
                    v[d] = (v[d] ^ v[a]).rotate_right($r3);
                    v[c] = v[c].wrapping_add(v[d]);
                    v[b] = (v[b] ^ v[c]).rotate_right($r4);
                };
                g(0, 4, 8, 12, 0);
                g(1, 5, 9, 13, 2);
                g(2, 6, 10, 14, 4);
                g(3, 7, 11, 15, 6);
                g(0, 5, 10, 15, 8);
                g(1, 6, 11, 12, 10);
                g(2, 7, 8, 13, 12);
                g(3, 4, 9, 14, 14);
            }
            for i in 0..8 {
                h[i] ^= v[i] ^ v[i + 8];
            }
        }

        /// The chain value after the input and its padding. The counter of a block that holds no
        /// bit of the input is 0.
        fn $absorb<const ROUNDS: usize>(input: &[u8]) -> [$word; 8] {
            const LENGTH: usize = $block / 8;
            let mut h = $iv;
            let mut bits: $count = 0;
            let (mut last, rest) = whole(input, |block: &[u8; $block]| {
                bits += $block * 8;
                $compress::<ROUNDS>(&mut h, block, bits);
            });
            let mut counted = if rest == 0 { 0 } else { bits + 8 * rest as $count };
            let all = 8 * input.len() as $count;
            last[rest] = 0x80;
            if rest + 1 + LENGTH > $block {
                $compress::<ROUNDS>(&mut h, &last, counted);
                last = [0; $block];
                counted = 0;
            }
            last[$block - LENGTH - 1] |= 1;
            last[$block - LENGTH..].copy_from_slice(&all.to_be_bytes());
            $compress::<ROUNDS>(&mut h, &last, counted);
            h
        }
    };
}

blake!(u32, u64, 64, C32, IV32, be32, compress256, absorb256, [16, 12, 8, 7]);
blake!(u64, u128, 128, C64, IV64, be64, compress512, absorb512, [32, 25, 16, 11]);

/// BLAKE-256 with that many rounds; 14 is the submission's last word, 8 is Blakecoin's.
pub(crate) fn blake256<const ROUNDS: usize>(input: &[u8]) -> [u8; 32] {
    join(&absorb256::<ROUNDS>(input), u32::to_be_bytes)
}

/// BLAKE-512 with 16 rounds.
pub(crate) fn blake512(input: &[u8]) -> [u8; 64] {
    join(&absorb512::<16>(input), u64::to_be_bytes)
}
