//! SHAvite-3-512 (Biham, Dunkelman: "The SHAvite-3 Hash Function", tweaked version of 2009), with
//! salt 0.

use super::bytes::{join, whole};
use multiversion::multiversion;

const IV: [u32; 16] = [
    0x72fccdd8, 0x79ca4727, 0x128a077b, 0x40d55aec, 0xd1901a06, 0x430ae307, 0xb29f5cd1, 0xdf07fbfc,
    0x8e45d73d, 0x681ab538, 0xbde86578, 0xdd577e47, 0xe275eade, 0x502d9fcd, 0xb9357178, 0x022a4b9a,
];

/// The count of bits as the four key blocks have it that it is added to: each is a word that is
/// inverted, and how the words stand.
fn counts(bits: u64) -> [[u8; 16]; 4] {
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    [[low, high, 0, !0], [0, 0, high, !low], [0, 0, low, !high], [high, low, 0, !0]]
        .map(|words| join(&words, u32::to_le_bytes))
}

macro_rules! shavite {
    ($aes:ident $(, $feature:literal)?) => {
        mod $aes {
            use super::super::aes::$aes::{Block, load, round, shifted, store, xor};

            /// `counts` are added to the key's blocks 8, 41, 79 and 110.
            $(#[target_feature(enable = $feature)])?
            pub(super) fn compress(
                h: &mut [[u8; 16]; 4],
                block: &[u8; 128],
                counts: &[[u8; 16]; 4],
            ) {
                let zero = load(&[0; 16]);
                let mut k = [zero; 8];
                for i in 0..8 {
                    k[i] = load(&block.as_chunks::<16>().0[i]);
                }
                let mut p = [load(&h[0]), load(&h[1]), load(&h[2]), load(&h[3])];
                let before = p;
                for turn in 0..14 {
                    if turn % 2 == 1 {
                        for i in 0..8 {
                            let turned = shifted(k[i], k[i]);
                            k[i] = xor(round(turned, zero), k[(i + 7) % 8]);
                            let which = match (turn, i) {
                                (1, 0) => 0,
                                (5, 1) => 1,
                                (9, 7) => 2,
                                (13, 6) => 3,
                                _ => continue,
                            };
                            k[i] = xor(k[i], load(&counts[which]));
                        }
                    } else if turn > 0 {
                        for i in 0..8 {
                            k[i] = xor(k[i], shifted(k[(i + 6) % 8], k[(i + 7) % 8]));
                        }
                    }
                    let (a, b) = (four(p[1], [k[0], k[1], k[2], k[3]]), four(p[3], [k[4], k[5], k[6], k[7]]));
                    p = [p[3], xor(p[0], a), p[1], xor(p[2], b)];
                }
                for i in 0..4 {
                    h[i] = store(xor(before[i], p[i]));
                }
            }

            /// Four rounds of AES.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn four(x: Block, k: [Block; 4]) -> Block {
                let zero = load(&[0; 16]);
                round(round(round(round(xor(x, k[0]), k[1]), k[2]), k[3]), zero)
            }
        }
    };
}

shavite!(soft);
#[cfg(target_arch = "x86_64")]
shavite!(hard, "aes,avx2");

#[multiversion(targets("x86_64+aes+avx2"))]
fn compress(h: &mut [[u8; 16]; 4], block: &[u8; 128], counts: &[[u8; 16]; 4]) {
    multiversion::target::match_target! {
        "x86_64+aes+avx2" => { hard::compress(h, block, counts); }
        _ => { soft::compress(h, block, counts); }
    };
}

fn absorb(
    input: &[u8],
    compress: impl Fn(&mut [[u8; 16]; 4], &[u8; 128], &[[u8; 16]; 4]),
) -> [u8; 64] {
    let iv: [u8; 64] = join(&IV, u32::to_le_bytes);
    let mut h = [[0; 16]; 4];
    h.copy_from_slice(iv.as_chunks::<16>().0);
    let mut bits = 0;
    let (mut last, rest) = whole(input, |block: &[u8; 128]| {
        bits += 1024;
        compress(&mut h, block, &counts(bits));
    });
    let all = 8 * input.len() as u64;
    // A block without a bit of the message counts none.
    let mut counted = if rest == 0 { 0 } else { all };
    last[rest] = 0x80;
    if rest >= 110 {
        compress(&mut h, &last, &counts(counted));
        last = [0; 128];
        counted = 0;
    }
    last[110..118].copy_from_slice(&all.to_le_bytes());
    last[126..].copy_from_slice(&512_u16.to_le_bytes());
    compress(&mut h, &last, &counts(counted));
    join(&h, |block| block)
}

/// SHAvite-3-512.
pub(crate) fn shavite512(input: &[u8]) -> [u8; 64] {
    absorb(input, compress)
}

/// Without instructions for AES, for tests.
#[cfg(test)]
pub(super) fn shavite512_plain(input: &[u8]) -> [u8; 64] {
    absorb(input, soft::compress)
}
