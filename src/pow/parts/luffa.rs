//! Luffa-512 (De Cannière, Sato, Watanabe: "Hash Function Luffa", version 2.0 of 2009).

use super::bytes::join;
use multiversion::multiversion;

/// Initial values of the five blocks.
const IV: [[u32; 8]; 5] = [
    [
        0x6d251e69, 0x44b051e0, 0x4eaa6fb4, 0xdbf78465, 0x6e292011, 0x90152df4, 0xee058139,
        0xdef610bb,
    ],
    [
        0xc3b44b95, 0xd9d2f256, 0x70eee9a0, 0xde099fa3, 0x5d9b0557, 0x8fc944b3, 0xcf1ccf0e,
        0x746cd581,
    ],
    [
        0xf7efc89d, 0x5dba5781, 0x04016ce5, 0xad659c05, 0x0306194f, 0x666d1836, 0x24aa230a,
        0x8b264ae7,
    ],
    [
        0x858075d5, 0x36d79cce, 0xe571f7d7, 0x204b1f67, 0x35870c6a, 0x57e9e923, 0x14bcb808,
        0x7cde72ce,
    ],
    [
        0x6c68e9be, 0x5ec41e22, 0xc825b7c7, 0xaffb4363, 0xf5df3999, 0x0fc688f1, 0xb07224cc,
        0x03e86cea,
    ],
];

/// What every round adds to word 0 of the blocks.
const FIRST: [[u32; 8]; 5] = [
    [
        0x303994a6, 0xc0e65299, 0x6cc33a12, 0xdc56983e, 0x1e00108f, 0x7800423d, 0x8f5b7882,
        0x96e1db12,
    ],
    [
        0xb6de10ed, 0x70f47aae, 0x0707a3d4, 0x1c1e8f51, 0x707a3d45, 0xaeb28562, 0xbaca1589,
        0x40a46f3e,
    ],
    [
        0xfc20d9d2, 0x34552e25, 0x7ad8818f, 0x8438764a, 0xbb6de032, 0xedb780c8, 0xd9847356,
        0xa2c78434,
    ],
    [
        0xb213afa5, 0xc84ebe95, 0x4e608a22, 0x56d858fe, 0x343b138f, 0xd0ec4e3d, 0x2ceb4882,
        0xb3ad2208,
    ],
    [
        0xf0d2e9e3, 0xac11d7fa, 0x1bcb66f2, 0x6f2d9bc9, 0x78602649, 0x8edae952, 0x3b6ba548,
        0xedae9520,
    ],
];

/// What every round adds to word 4 of the blocks.
const FIFTH: [[u32; 8]; 5] = [
    [
        0xe0337818, 0x441ba90d, 0x7f34d442, 0x9389217f, 0xe5a8bce6, 0x5274baf4, 0x26889ba7,
        0x9a226e9d,
    ],
    [
        0x01685f3d, 0x05a17cf4, 0xbd09caca, 0xf4272b28, 0x144ae5cc, 0xfaa7ae2b, 0x2e48f1c1,
        0xb923c704,
    ],
    [
        0xe25e72c1, 0xe623bb72, 0x5c58a4a4, 0x1e38e2e7, 0x78e38b9d, 0x27586719, 0x36eda57f,
        0x703aace7,
    ],
    [
        0xe028c9bf, 0x44756f91, 0x7e8fce32, 0x956548be, 0xfe191be2, 0x3cb226e5, 0x5944a28e,
        0xa1c4c355,
    ],
    [
        0x5090d577, 0x2d1925ab, 0xb46496ac, 0xd1925ab0, 0x29131ab6, 0x0fc053c3, 0x3f014f0c,
        0xfc053c31,
    ],
];

/// [`FIRST`] and [`FIFTH`] by round, as words of all blocks.
static CONSTANTS: [[[u32; 8]; 2]; 8] = {
    let mut all = [[[0; 8]; 2]; 8];
    let mut i = 0;
    while i < 40 {
        let (round, block) = (i / 5, i % 5);
        all[round][0][block] = FIRST[block][round];
        all[round][1][block] = FIFTH[block][round];
        i += 1;
    }
    all
};

/// Where the lanes of the blocks one, two and four further on are.
const NEXT: [u32; 8] = [1, 2, 3, 4, 0, 5, 6, 7];
const AFTER_NEXT: [u32; 8] = [2, 3, 4, 0, 1, 5, 6, 7];
const LAST: [u32; 8] = [4, 0, 1, 2, 3, 5, 6, 7];

/// How far the tweak rotates the upper words of each block.
const TWEAK: [u32; 8] = [0, 1, 2, 3, 4, 0, 0, 0];

/// Lanes from a block on.
const FROM: [[u32; 8]; 4] = [
    [0, !0, !0, !0, !0, 0, 0, 0],
    [0, 0, !0, !0, !0, 0, 0, 0],
    [0, 0, 0, !0, !0, 0, 0, 0],
    [0, 0, 0, 0, !0, 0, 0, 0],
];

macro_rules! luffa {
    ($how:ident $(, $feature:literal)?) => {
        mod $how {
            use super::super::bytes::{be32, whole};
            use super::super::vectors::$how::{
                Words, and, load, or, pick, rotate, rotate_each, store, xor,
            };
            use super::{AFTER_NEXT, CONSTANTS, FROM, IV, LAST, NEXT, TWEAK};

            /// One word of each of the five blocks; the other three lanes are idle.
            type State = [Words; 8];

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn substitute([mut a, mut b, mut c, mut d]: [Words; 4]) -> [Words; 4] {
                let ones = load(&[!0; 8]);
                let mut t = a;
                a = or(a, b);
                c = xor(c, d);
                b = xor(b, ones);
                a = xor(a, d);
                d = and(d, t);
                b = xor(b, d);
                d = xor(d, c);
                c = and(c, a);
                a = xor(a, ones);
                c = xor(c, b);
                b = or(b, d);
                t = xor(t, b);
                d = xor(d, c);
                c = and(c, b);
                b = xor(b, a);
                [t, b, c, d]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn mix(mut u: Words, mut v: Words) -> [Words; 2] {
                v = xor(v, u);
                u = xor(rotate::<2, 30>(u), v);
                v = xor(rotate::<14, 18>(v), u);
                u = xor(rotate::<10, 22>(u), v);
                [u, rotate::<1, 31>(v)]
            }

            /// Times two in the ring of the message injection.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn double([a, b, c, d, e, f, g, h]: State) -> State {
                [h, xor(a, h), b, xor(c, h), xor(d, h), e, f, g]
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn add(x: State, y: State) -> State {
                let mut sum = x;
                for i in 0..8 {
                    sum[i] = xor(x[i], y[i]);
                }
                sum
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn turned(mut x: State, from: &[u32; 8]) -> State {
                for word in &mut x {
                    *word = pick(*word, from);
                }
                x
            }

            /// Mixes the blocks with each other and with the message, of which block i takes
            /// 2^i times as much.
            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn inject(mut v: State, block: &[u8; 32]) -> State {
                let two = add(v, turned(v, &NEXT));
                let all = add(add(two, turned(two, &AFTER_NEXT)), turned(v, &LAST));
                v = add(v, double(all));
                v = add(double(v), turned(v, &NEXT));
                v = add(double(v), turned(v, &LAST));
                let mut message = v;
                for (word, from) in message.iter_mut().zip(be32::<8>(block)) {
                    *word = load(&[from; 8]);
                }
                for lanes in &FROM {
                    let twice = double(message);
                    for i in 0..8 {
                        let change = and(xor(message[i], twice[i]), load(lanes));
                        message[i] = xor(message[i], change);
                    }
                }
                add(v, message)
            }

            #[inline]
            $(#[target_feature(enable = $feature)])?
            fn permute(mut w: State) -> State {
                for i in 4..8 {
                    w[i] = rotate_each(w[i], &TWEAK);
                }
                for [first, fifth] in &CONSTANTS {
                    let [a, b, c, d] = substitute([w[0], w[1], w[2], w[3]]);
                    let [f, g, h, e] = substitute([w[5], w[6], w[7], w[4]]);
                    let [a, e] = mix(a, e);
                    let [b, f] = mix(b, f);
                    let [c, g] = mix(c, g);
                    let [d, h] = mix(d, h);
                    w = [xor(a, load(first)), b, c, d, xor(e, load(fifth)), f, g, h];
                }
                w
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn luffa(input: &[u8]) -> [u32; 16] {
                let mut v = [load(&[0; 8]); 8];
                for i in 0..8 {
                    v[i] = load(&[IV[0][i], IV[1][i], IV[2][i], IV[3][i], IV[4][i], 0, 0, 0]);
                }
                let (mut last, rest) = whole(input, |block| v = permute(inject(v, block)));
                last[rest] = 0x80;
                v = permute(inject(v, &last));
                let mut out = [0; 16];
                for half in out.as_chunks_mut::<8>().0 {
                    v = permute(inject(v, &[0; 32]));
                    for i in 0..8 {
                        let [a, b, c, d, e, ..] = store(v[i]);
                        half[i] = a ^ b ^ c ^ d ^ e;
                    }
                }
                out
            }
        }
    };
}

luffa!(soft);
#[cfg(target_arch = "x86_64")]
luffa!(hard, "avx2");

#[multiversion(targets("x86_64+avx2"))]
fn luffa(input: &[u8]) -> [u32; 16] {
    let luffa = multiversion::target::match_target! {
        "x86_64+avx2" => hard::luffa,
        _ => soft::luffa,
    };
    luffa(input)
}

/// Luffa-512.
pub(crate) fn luffa512(input: &[u8]) -> [u8; 64] {
    join(&luffa(input), u32::to_be_bytes)
}

/// Without vectors, for tests.
#[cfg(test)]
pub(super) fn luffa512_plain(input: &[u8]) -> [u8; 64] {
    join(&soft::luffa(input), u32::to_be_bytes)
}
