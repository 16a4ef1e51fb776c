//! ECHO-512 (Benadjila et al.: "SHA-3 Proposal: ECHO", version 2.0 of 2009), with salt 0.

use super::bytes::whole;
use multiversion::multiversion;

macro_rules! echo {
    ($aes:ident $(, $feature:literal)?) => {
        mod $aes {
            use super::super::aes::$aes::{Block, double, load, round, store, xor};

            /// Mixes four blocks as AES mixes the bytes of a column.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn mix([a, b, c, d]: [Block; 4]) -> [Block; 4] {
                let (ab, bc, cd) = (xor(a, b), xor(b, c), xor(c, d));
                let all = xor(ab, cd);
                [
                    xor(xor(double(ab), a), all),
                    xor(xor(double(bc), b), all),
                    xor(xor(double(cd), c), all),
                    xor(xor(double(xor(d, a)), d), all),
                ]
            }

            /// `bits` counts the message's bits up to the end of this block.
            $(#[target_feature(enable = $feature)])?
            pub(super) fn compress(chain: &mut [[u8; 16]; 8], block: &[u8; 128], bits: u128) {
                let zero = load(&[0; 16]);
                let mut w = [zero; 16];
                for i in 0..8 {
                    w[i] = load(&chain[i]);
                    w[i + 8] = load(&block.as_chunks::<16>().0[i]);
                }
                let before = w;
                let mut key = bits;
                for _ in 0..10 {
                    for one in &mut w {
                        *one = round(round(*one, load(&key.to_le_bytes())), zero);
                        key = key.wrapping_add(1);
                    }
                    let s = w;
                    for column in 0..4 {
                        let at = |row: usize| s[(4 * (column + row) + row) % 16];
                        let mixed = mix([at(0), at(1), at(2), at(3)]);
                        w[4 * column..4 * column + 4].copy_from_slice(&mixed);
                    }
                }
                for i in 0..8 {
                    let fed = xor(before[i], before[i + 8]);
                    chain[i] = store(xor(fed, xor(w[i], w[i + 8])));
                }
            }
        }
    };
}

echo!(soft);
#[cfg(target_arch = "x86_64")]
echo!(hard, "aes,avx2");

#[multiversion(targets("x86_64+aes+avx2"))]
fn compress(chain: &mut [[u8; 16]; 8], block: &[u8; 128], bits: u128) {
    multiversion::target::match_target! {
        "x86_64+aes+avx2" => { hard::compress(chain, block, bits); }
        _ => { soft::compress(chain, block, bits); }
    };
}

fn absorb(input: &[u8], compress: impl Fn(&mut [[u8; 16]; 8], &[u8; 128], u128)) -> [u8; 64] {
    let mut chain = [512_u128.to_le_bytes(); 8];
    let mut bits = 0;
    let (mut last, rest) = whole(input, |block: &[u8; 128]| {
        bits += 1024;
        compress(&mut chain, block, bits);
    });
    let all = 8 * input.len() as u128;
    // A block without a bit of the message counts none.
    let mut counted = if rest == 0 { 0 } else { all };
    last[rest] = 0x80;
    if rest + 1 > 110 {
        compress(&mut chain, &last, counted);
        last = [0; 128];
        counted = 0;
    }
    last[110..112].copy_from_slice(&512_u16.to_le_bytes());
    last[112..].copy_from_slice(&all.to_le_bytes());
    compress(&mut chain, &last, counted);
    super::bytes::join(&chain, |block| block)
}

/// ECHO-512.
pub(crate) fn echo512(input: &[u8]) -> [u8; 64] {
    absorb(input, compress)
}

/// Without instructions for AES, for tests.
#[cfg(test)]
pub(super) fn echo512_plain(input: &[u8]) -> [u8; 64] {
    absorb(input, soft::compress)
}
