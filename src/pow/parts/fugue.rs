//! Fugue-256 and Fugue-512 (Halevi, Hall, Jutla: "The Hash Function Fugue", version of 2009).

use super::aes::{SBOX, twice};
use super::bytes::{join, whole};

const IV256: [u32; 8] = [
    0xe952bdde, 0x6671135f, 0xe0d4f668, 0xd2b0b594, 0xf96c621d, 0xfbf929de, 0x9149e899, 0x34f8c248,
];

const IV512: [u32; 16] = [
    0x8807a57e, 0xe616af75, 0xc5d3e4db, 0xac9ab027, 0xd915f117, 0xb6eecc54, 0x06e8020b, 0x4a92efd1,
    0xaac6e2c9, 0xddb21398, 0xcae65838, 0x437f203f, 0x25ea78e7, 0x951fddd6, 0xda6ed11d, 0xe13e3567,
];

/// S-box and the column (1, 1, 7, 4) of a byte of the first row; the other rows' are turned.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let s = SBOX[i];
        let (two, four) = (twice(s), twice(twice(s)));
        table[i] = u32::from_be_bytes([s, s, s ^ two ^ four, four]);
        i += 1;
    }
    table
};

/// SMIX: substitutes 4 x 4 bytes (a word is a column) and multiplies them by a 16 x 16 matrix.
#[inline(always)]
fn smix(x: [u32; 4]) -> [u32; 4] {
    let mut columns = [0; 4];
    let mut rows = [0; 4];
    for i in 0..4 {
        for row in 0..4 {
            let byte = x[i].to_be_bytes()[row];
            let mixed = TABLE[usize::from(byte)].rotate_right(8 * row as u32);
            columns[i] ^= mixed;
            if row != i {
                rows[row] ^= mixed;
            }
        }
    }
    let mut out = [0; 4];
    for (j, word) in out.iter_mut().enumerate() {
        for i in 0..4 {
            let turned = rows[i].rotate_left(8 * j as u32);
            *word |= (columns[(i + j) % 4] ^ turned) & (0xff000000 >> (8 * i));
        }
    }
    out
}

/// N words in a ring that turns.
struct State<const N: usize> {
    words: [u32; N],
    /// Where word 0 is.
    start: usize,
}

impl<const N: usize> State<N> {
    fn new(iv: &[u32]) -> Self {
        let mut words = [0; N];
        words[N - iv.len()..].copy_from_slice(iv);
        Self { words, start: 0 }
    }

    #[inline(always)]
    fn at(&self, i: usize) -> usize {
        let at = self.start + i;
        if at >= N { at - N } else { at }
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u32 {
        self.words[self.at(i)]
    }

    /// Adds word `from` to word `to`.
    #[inline(always)]
    fn add(&mut self, to: usize, from: usize) {
        let word = self.get(from);
        self.words[self.at(to)] ^= word;
    }

    #[inline(always)]
    fn turn(&mut self, by: usize) {
        self.start = self.at(N - by);
    }

    #[inline(always)]
    fn smix(&mut self) {
        let new = smix(std::array::from_fn(|i| self.get(i)));
        for (i, word) in new.into_iter().enumerate() {
            let at = self.at(i);
            self.words[at] = word;
        }
    }

    /// ROR3, CMIX, SMIX.
    #[inline(always)]
    fn sub_round(&mut self) {
        self.turn(3);
        for i in 0..3 {
            self.add(i, i + 4);
            self.add(i + N / 2, i + 4);
        }
        self.smix();
    }

    /// Takes in a word of the message and goes a round of 2 (N = 30) or 4 (N = 36) parts.
    #[inline(always)]
    fn absorb(&mut self, word: u32) {
        self.add(if N == 30 { 10 } else { 22 }, 0);
        let at = self.at(0);
        self.words[at] = word;
        self.add(8, 0);
        self.add(1, 24);
        if N == 36 {
            self.add(4, 27);
            self.add(7, 30);
        }
        for _ in 0..if N == 30 { 2 } else { 4 } {
            self.sub_round();
        }
    }

    /// The message, filled up with zeros to a whole word, and its count of bits.
    fn absorb_all(&mut self, input: &[u8]) {
        let (last, rest) = whole(input, |bytes| self.absorb(u32::from_be_bytes(*bytes)));
        if rest > 0 {
            self.absorb(u32::from_be_bytes(last));
        }
        let bits = 8 * input.len() as u64;
        self.absorb((bits >> 32) as u32);
        self.absorb(bits as u32);
    }
}

/// Fugue-256.
pub(crate) fn fugue256(input: &[u8]) -> [u8; 32] {
    let mut state = State::<30>::new(&IV256);
    state.absorb_all(input);
    for _ in 0..10 {
        state.sub_round();
    }
    for i in 0..27 {
        state.add(4, 0);
        state.add(15 + i % 2, 0);
        if i < 26 {
            state.turn(15 - i % 2);
            state.smix();
        }
    }
    let out: [u32; 8] = std::array::from_fn(|i| state.get(if i < 4 { i + 1 } else { i + 11 }));
    join(&out, u32::to_be_bytes)
}

/// Fugue-512.
pub(crate) fn fugue512(input: &[u8]) -> [u8; 64] {
    let mut state = State::<36>::new(&IV512);
    state.absorb_all(input);
    for _ in 0..32 {
        state.sub_round();
    }
    for i in 0..53 {
        let part = i % 4;
        state.add(4, 0);
        state.add(if part > 0 { 10 } else { 9 }, 0);
        state.add(if part > 1 { 19 } else { 18 }, 0);
        state.add(if part > 2 { 28 } else { 27 }, 0);
        if i < 52 {
            state.turn(if part == 3 { 8 } else { 9 });
            state.smix();
        }
    }
    let out: [u32; 16] =
        std::array::from_fn(|i| state.get(9 * (i / 4) + i % 4 + usize::from(i < 4)));
    join(&out, u32::to_be_bytes)
}
