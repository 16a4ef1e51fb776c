//! CubeHash16/32, 256 and 512 bits (Bernstein: "CubeHash specification (2.B.1)", 2009): the form
//! with 160 rounds at the end.

use super::bytes::{join, le32, whole};
use super::lanes::Lanes;
use multiversion::multiversion;

type Row = Lanes<4>;

/// The state: 32 words, four a row.
type State = [Row; 8];

#[inline(always)]
fn rounds(state: State, count: u32) -> State {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    for _ in 0..count {
        (e, f, g, h) = (e + a, f + b, g + c, h + d);
        (a, b, c, d) = (c.rotl(7), d.rotl(7), a.rotl(7), b.rotl(7));
        (a, b, c, d) = (a ^ e, b ^ f, c ^ g, d ^ h);
        (e, f, g, h) = (e.swap(2), f.swap(2), g.swap(2), h.swap(2));
        (e, f, g, h) = (e + a, f + b, g + c, h + d);
        (a, b, c, d) = (b.rotl(11), a.rotl(11), d.rotl(11), c.rotl(11));
        (a, b, c, d) = (a ^ e, b ^ f, c ^ g, d ^ h);
        (e, f, g, h) = (e.swap(1), f.swap(1), g.swap(1), h.swap(1));
    }
    [a, b, c, d, e, f, g, h]
}

#[multiversion(targets("x86_64+avx2+avx512f+avx512vl", "x86_64+avx2", "x86_64+ssse3"))]
fn cubehash(iv: &State, input: &[u8]) -> State {
    let mut state = *iv;
    let mut absorb = |block: &[u8; 32]| {
        let words: [u32; 8] = le32(block);
        let [low, high] = [0, 4].map(|at| Lanes(std::array::from_fn(|i| words[at + i])));
        state[0] = state[0] ^ low;
        state[1] = state[1] ^ high;
        state = rounds(state, 16);
    };
    let (mut last, rest) = whole(input, &mut absorb);
    last[rest] = 0x80;
    absorb(&last);
    state[7].0[3] ^= 1;
    rounds(state, 160)
}

/// The state before the input: output bytes, bytes a block and rounds a block, mixed.
fn initial(bytes: u32) -> State {
    let mut state = [Lanes([0; 4]); 8];
    state[0].0 = [bytes, 32, 16, 0];
    rounds(state, 160)
}

fn words(state: &State) -> [u32; 32] {
    std::array::from_fn(|i| state[i / 4].0[i % 4])
}

/// CubeHash16/32-256.
#[allow(dead_code, reason = "Lyra2's chains are made of it")]
pub(crate) fn cubehash256(input: &[u8]) -> [u8; 32] {
    static IV: std::sync::LazyLock<State> = std::sync::LazyLock::new(|| initial(32));
    join(&words(&cubehash(&IV, input)), u32::to_le_bytes)
}

/// CubeHash16/32-512.
pub(crate) fn cubehash512(input: &[u8]) -> [u8; 64] {
    static IV: std::sync::LazyLock<State> = std::sync::LazyLock::new(|| initial(64));
    join(&words(&cubehash(&IV, input)), u32::to_le_bytes)
}
