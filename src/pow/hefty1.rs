//! HEFTY1 (Heavycoin, 2014): SHA-256 whose words a small sponge changes on their way, and four
//! functions over the header and its output, woven into each other bit by bit.

use super::parts::{blake512, groestl512, keccak512, sha256};
use crate::chain::{Hash, Header};

/// SHA-256's initial values.
const IV: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// SHA-256's round constants.
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// What changes the words: one that is read, three that it stirs.
#[derive(Default)]
struct Sponge {
    read: u32,
    stirred: [u32; 3],
}

impl Sponge {
    /// The exclusive or of a byte's nibbles.
    fn fold(byte: u32) -> u32 {
        (byte >> 4 ^ byte) & 15
    }

    fn mangle(&mut self) {
        let r = self.read;
        let turns = [24, 16, 8, 0].map(|by| Self::fold(r >> by & 0xff));
        let [first, second, third, fourth] = turns;
        let mut seen = 0_u32;
        for (i, word) in (0..).zip(&mut self.stirred) {
            let half = seen >> 16 ^ seen;
            let nibble = Self::fold((half >> 8 ^ half) & 0xff);
            *word = match (nibble >> 2 ^ nibble) & 3 {
                0 => *word ^ r.rotate_right(i + first),
                1 => word.wrapping_add((!r).rotate_right(i + second)),
                2 => *word & (!r).rotate_right(i + third),
                _ => *word ^ r.rotate_right(i + fourth),
            };
            seen ^= *word;
        }
        let [a, b, c] = self.stirred;
        self.read ^= (a ^ b).wrapping_add(c);
    }

    fn absorb(&mut self, word: u32) {
        self.read ^= word;
        self.mangle();
    }

    /// Clears, sets or flips one bit of a word, or lets it be.
    fn change(&mut self, word: u32) -> u32 {
        let r = self.read;
        self.mangle();
        let bit = 1 << (r >> 8 & 31);
        match r & 3 {
            0 => word,
            1 => word & !bit,
            2 => word | bit,
            _ => word ^ bit,
        }
    }
}

fn compress(h: &mut [u32; 8], sponge: &mut Sponge, block: &[u8; 64]) {
    let mut schedule = [0_u32; 16];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for (word, k) in schedule.iter().zip(K) {
        sponge.absorb(word ^ k);
    }
    let mut x = *h;
    for (t, k) in K.into_iter().enumerate() {
        let [a, b, c, d, e, f, g, h] = x;
        sponge.absorb(if t < 16 { d ^ h } else { h.wrapping_add(d) });
        let [w, w1, _, _, _, _, _, _, _, w9, _, _, _, _, w14, _] = schedule;
        // The order in which the sponge changes words is part of the function.
        let g_ = sponge.change(g);
        let f_ = sponge.change(f);
        let choice = e & f_ ^ !e & g_;
        let sum = choice.wrapping_add(h).wrapping_add(w).wrapping_add(k);
        let e_ = sponge.change(e);
        let turned = e_.rotate_right(6) ^ e_.rotate_right(11) ^ e_.rotate_right(25);
        let sum = sum.wrapping_add(turned);
        let c_ = sponge.change(c);
        let b_ = sponge.change(b);
        let a_ = sponge.change(a);
        let majority = a_ & b_ ^ a_ & c_ ^ b_ & c_;
        let a_ = sponge.change(a);
        let turned = a_.rotate_right(2) ^ a_.rotate_right(13) ^ a_.rotate_right(22);
        let new = sum.wrapping_add(majority.wrapping_add(turned));
        x = [new, a, b, c, d.wrapping_add(sponge.change(sum)), e, f, g];
        let low = w1.rotate_right(7) ^ w1.rotate_right(18) ^ w1 >> 3;
        let high = w14.rotate_right(17) ^ w14.rotate_right(19) ^ w14 >> 10;
        schedule.rotate_left(1);
        let [.., next] = &mut schedule;
        *next = high.wrapping_add(w9).wrapping_add(low).wrapping_add(w);
    }
    for (word, other) in h.iter_mut().zip(x) {
        *word = word.wrapping_add(other);
    }
}

/// HEFTY1 of a header: two blocks.
fn hefty1(header: &Header) -> [u8; 32] {
    let mut message = [0; 128];
    let mut bits = [0; 48];
    let [mark, .., high, low] = &mut bits;
    *mark = 0x80;
    [*high, *low] = (8 * header.len() as u16).to_be_bytes();
    for (place, byte) in message.iter_mut().zip(header.iter().chain(&bits)) {
        *place = *byte;
    }
    let (mut h, mut sponge) = (IV, Sponge::default());
    for block in message.as_chunks::<64>().0 {
        compress(&mut h, &mut sponge, block);
    }
    let mut out = [0; 32];
    for (place, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(h) {
        *place = word.to_be_bytes();
    }
    out
}

/// The four functions' first 64 bits, a bit of each in turn.
pub(super) fn hash(header: &Header) -> Hash {
    let input = [&header[..], &hefty1(header)].concat();
    let first = |state: &[u8]| state.first_chunk().copied().map_or(0, u64::from_be_bytes);
    let words = [
        first(&sha256(&input)),
        first(&keccak512(&input)),
        first(&groestl512(&input)),
        first(&blake512(&input)),
    ];
    let mut hash = [0; 32];
    for (i, byte) in hash.iter_mut().enumerate() {
        for bit in [2 * i, 2 * i + 1] {
            for word in words {
                *byte = *byte << 1 | (word >> (63 - bit) & 1) as u8;
            }
        }
    }
    Hash(hash)
}
