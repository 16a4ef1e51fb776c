//! HAVAL with five passes and 256 bits (Zheng, Pieprzyk, Seberry: "HAVAL: a one-way hashing
//! algorithm with variable length of output", 1992).

use super::bytes::{join, le32, whole};

/// Initial values: the first digits of pi.
const IV: [u32; 8] = [
    0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89,
];

/// What the passes after the first add: the digits of pi that follow.
const ADDED: [[u32; 32]; 4] = [
    [
        0x452821e6, 0x38d01377, 0xbe5466cf, 0x34e90c6c, 0xc0ac29b7, 0xc97c50dd, 0x3f84d5b5,
        0xb5470917, 0x9216d5d9, 0x8979fb1b, 0xd1310ba6, 0x98dfb5ac, 0x2ffd72db, 0xd01adfb7,
        0xb8e1afed, 0x6a267e96, 0xba7c9045, 0xf12c7f99, 0x24a19947, 0xb3916cf7, 0x0801f2e2,
        0x858efc16, 0x636920d8, 0x71574e69, 0xa458fea3, 0xf4933d7e, 0x0d95748f, 0x728eb658,
        0x718bcd58, 0x82154aee, 0x7b54a41d, 0xc25a59b5,
    ],
    [
        0x9c30d539, 0x2af26013, 0xc5d1b023, 0x286085f0, 0xca417918, 0xb8db38ef, 0x8e79dcb0,
        0x603a180e, 0x6c9e0e8b, 0xb01e8a3e, 0xd71577c1, 0xbd314b27, 0x78af2fda, 0x55605c60,
        0xe65525f3, 0xaa55ab94, 0x57489862, 0x63e81440, 0x55ca396a, 0x2aab10b6, 0xb4cc5c34,
        0x1141e8ce, 0xa15486af, 0x7c72e993, 0xb3ee1411, 0x636fbc2a, 0x2ba9c55d, 0x741831f6,
        0xce5c3e16, 0x9b87931e, 0xafd6ba33, 0x6c24cf5c,
    ],
    [
        0x7a325381, 0x28958677, 0x3b8f4898, 0x6b4bb9af, 0xc4bfe81b, 0x66282193, 0x61d809cc,
        0xfb21a991, 0x487cac60, 0x5dec8032, 0xef845d5d, 0xe98575b1, 0xdc262302, 0xeb651b88,
        0x23893e81, 0xd396acc5, 0x0f6d6ff3, 0x83f44239, 0x2e0b4482, 0xa4842004, 0x69c8f04a,
        0x9e1f9b5e, 0x21c66842, 0xf6e96c9a, 0x670c9c61, 0xabd388f0, 0x6a51a0d2, 0xd8542f68,
        0x960fa728, 0xab5133a3, 0x6eef0b6c, 0x137a3be4,
    ],
    [
        0xba3bf050, 0x7efb2a98, 0xa1f1651d, 0x39af0176, 0x66ca593e, 0x82430e88, 0x8cee8619,
        0x456f9fb4, 0x7d84a5c3, 0x3b8b5ebe, 0xe06f75d8, 0x85c12073, 0x401a449f, 0x56c16aa6,
        0x4ed3aa62, 0x363f7706, 0x1bfedf72, 0x429b023d, 0x37d0d724, 0xd00a1248, 0xdb0fead3,
        0x49f1c09b, 0x075372c9, 0x80991b7b, 0x25d479d8, 0xf6e8def7, 0xe3fe501a, 0xb6794c3b,
        0x976ce0bd, 0x04c006ba, 0xc1a94fb6, 0x409f60c4,
    ],
];

/// Which message word the passes after the first add.
const ORDER: [[u8; 32]; 4] = [
    [
        5, 14, 26, 18, 11, 28, 7, 16, 0, 23, 20, 22, 1, 10, 4, 8, 30, 3, 21, 9, 17, 24, 29, 6, 19,
        12, 15, 13, 2, 25, 31, 27,
    ],
    [
        19, 9, 4, 20, 28, 17, 8, 22, 29, 14, 25, 12, 24, 30, 16, 26, 31, 15, 7, 3, 1, 0, 18, 27,
        13, 6, 21, 10, 23, 11, 5, 2,
    ],
    [
        24, 4, 0, 14, 2, 7, 28, 23, 26, 6, 30, 20, 18, 25, 19, 3, 22, 11, 31, 21, 8, 27, 12, 9, 1,
        29, 5, 15, 17, 10, 16, 13,
    ],
    [
        27, 3, 21, 26, 17, 11, 20, 29, 19, 0, 12, 7, 13, 8, 31, 10, 5, 9, 14, 30, 18, 6, 28, 24, 2,
        23, 16, 22, 4, 1, 25, 15,
    ],
];

/// The pass's function of words 0 to 6, with its permutation of them.
#[inline(always)]
fn mixed(pass: usize, x: [u32; 7]) -> u32 {
    let at = |order: [usize; 7]| order.map(|i| x[i]);
    match pass {
        0 => {
            let [g, f, e, d, c, b, a] = at([3, 4, 1, 0, 5, 2, 6]);
            (b & e) ^ (c & f) ^ (d & g) ^ (a & b) ^ a
        }
        1 => {
            let [g, f, e, d, c, b, a] = at([6, 2, 1, 0, 3, 4, 5]);
            (b & c & d)
                ^ (c & e & f)
                ^ (b & c)
                ^ (b & e)
                ^ (c & g)
                ^ (d & f)
                ^ (e & f)
                ^ (a & c)
                ^ a
        }
        2 => {
            let [g, f, e, d, c, b, a] = at([2, 6, 0, 4, 3, 1, 5]);
            (b & c & d) ^ (b & e) ^ (c & f) ^ (d & g) ^ (a & d) ^ a
        }
        3 => {
            let [g, f, e, d, c, b, a] = at([1, 5, 3, 2, 0, 4, 6]);
            (b & c & d)
                ^ (c & e & f)
                ^ (d & e & g)
                ^ (b & e)
                ^ (c & g)
                ^ (d & e)
                ^ (d & f)
                ^ (d & g)
                ^ (e & f)
                ^ (e & g)
                ^ (a & e)
                ^ a
        }
        _ => {
            let [g, f, e, d, c, b, a] = at([2, 5, 0, 6, 4, 3, 1]);
            (b & e) ^ (c & f) ^ (d & g) ^ (a & b & c & d) ^ (a & f) ^ a
        }
    }
}

fn compress(h: &mut [u32; 8], block: &[u8; 128]) {
    let m: [u32; 32] = le32(block);
    let mut x = *h;
    for pass in 0..5 {
        for i in 0..32 {
            let (word, added) = match pass {
                0 => (m[i], 0),
                _ => (m[usize::from(ORDER[pass - 1][i])], ADDED[pass - 1][i]),
            };
            let [a, b, c, d, e, f, g, last] = x;
            let new = mixed(pass, [a, b, c, d, e, f, g])
                .rotate_right(7)
                .wrapping_add(last.rotate_right(11))
                .wrapping_add(word)
                .wrapping_add(added);
            x = [new, a, b, c, d, e, f, g];
        }
    }
    for i in 0..8 {
        h[i] = h[i].wrapping_add(x[i]);
    }
}

/// HAVAL-256 with five passes.
pub(crate) fn haval256(input: &[u8]) -> [u8; 32] {
    let mut h = IV;
    let (mut last, rest) = whole(input, |block| compress(&mut h, block));
    last[rest] = 1;
    if rest >= 118 {
        compress(&mut h, &last);
        last = [0; 128];
    }
    // Version 1, five passes, 256 bits.
    last[118..120].copy_from_slice(&[1 | 5 << 3, 64]);
    last[120..].copy_from_slice(&(8 * input.len() as u64).to_le_bytes());
    compress(&mut h, &last);
    join(&h, u32::to_le_bytes)
}
