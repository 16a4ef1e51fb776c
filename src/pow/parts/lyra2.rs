//! Lyra2 (M. A. Simplicio Jr. et al., "The Lyra2 reference guide", version 2.5.1) in the forms that
//! coins use: 32 bytes that are password and salt to 32 bytes, blocks of 96 bytes.

use super::blake::IV64;

/// Words of 64 bits that the sponge writes and takes in at a time.
const RATE: usize = 12;

/// Column of a row of the matrix.
type Block = [u64; RATE];

/// The sponge's state.
type State = [u64; 16];

/// How the coins' forms differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Of Lyra2RE: only the first block of the input is taken in, zeros for the other one. That was a
    /// slip, and became the rule of the coins that had it.
    First,
    /// Of Lyra2REv2, Lyra2Z and Allium.
    Second,
    /// Of Lyra2REv3: the row to revisit is told by a word that the state itself chooses.
    Third,
}

/// Lyra2 with `time` passes over a matrix of `SIDE` rows and columns, a power of two.
pub(crate) fn lyra2<const SIDE: usize>(form: Form, input: &[u8; 32], time: u64) -> [u8; 32] {
    let mut state = [0; 16];
    // BLAKE2b's (RFC 7693, section 2.6).
    state[8..].copy_from_slice(&IV64);
    for block in padded(form, input, SIDE as u64, time) {
        for (word, block) in state.iter_mut().zip(block) {
            *word ^= block;
        }
        full(&mut state);
    }
    let mut matrix = [[[0; RATE]; SIDE]; SIDE];
    set_up(&mut state, &mut matrix);
    let last = wander(form, &mut state, &mut matrix, time);
    for (word, block) in state.iter_mut().zip(last) {
        *word ^= block;
    }
    full(&mut state);
    let mut out = [0; 32];
    for (bytes, word) in out.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    out
}

/// Password, salt, the six parameters, and the padding 10*1: two blocks of the size that leaves the
/// upper half of the state alone.
fn padded(form: Form, input: &[u8; 32], side: u64, time: u64) -> [[u64; 8]; 2] {
    let mut words = [[0; 8]; 2];
    let (words_of_input, _) = input.as_chunks();
    for (i, bytes) in words_of_input.iter().enumerate() {
        words[0][i] = u64::from_le_bytes(*bytes);
        words[0][i + 4] = u64::from_le_bytes(*bytes);
    }
    if form != Form::First {
        words[1] = [32, 32, 32, time, side, side, 0x80, 0x0100_0000_0000_0000];
    }
    words
}

/// Setup: fills the matrix row by row. Each row but the first two also changes an earlier one.
fn set_up<const SIDE: usize>(state: &mut State, matrix: &mut [[Block; SIDE]; SIDE]) {
    for column in (0..SIDE).rev() {
        matrix[0][column].copy_from_slice(&state[..RATE]);
        reduced(state);
    }
    for column in 0..SIDE {
        let input = matrix[0][column];
        absorb(state, &input, &[0; RATE]);
        matrix[1][SIDE - 1 - column] = xored(&input, state, 0);
    }
    let (mut other, mut step, mut window, mut gap) = (0_usize, 1_isize, 2_usize, 1_isize);
    for row in 2..SIDE {
        for column in 0..SIDE {
            let (input, changed) = (matrix[row - 1][column], matrix[other][column]);
            absorb(state, &input, &changed);
            matrix[row][SIDE - 1 - column] = xored(&input, state, 0);
            matrix[other][column] = xored(&changed, state, 1);
        }
        other = other.wrapping_add_signed(step) & (window - 1);
        if other == 0 {
            step = window.cast_signed() + gap;
            window *= 2;
            gap = -gap;
        }
    }
}

/// Wandering: revisits every row `time` times, each time with another that the state chooses.
/// Returns the first block of the last such row.
fn wander<const SIDE: usize>(
    form: Form,
    state: &mut State,
    matrix: &mut [[Block; SIDE]; SIDE],
    time: u64,
) -> Block {
    let (mut row, mut before, mut other, mut told_by) = (0, SIDE - 1, 0, 0);
    for pass in 1..=time {
        let step = if pass % 2 == 0 { SIDE - 1 } else { SIDE / 2 - 1 };
        loop {
            if form == Form::Third {
                told_by = state[told_by] as usize % 16;
            }
            other = state[told_by] as usize % SIDE;
            for column in 0..SIDE {
                let (input, changed) = (matrix[before][column], matrix[other][column]);
                absorb(state, &input, &changed);
                matrix[row][column] = xored(&matrix[row][column], state, 0);
                // Only now: this may be the same row.
                matrix[other][column] = xored(&matrix[other][column], state, 1);
            }
            before = row;
            row = (row + step) % SIDE;
            if row == 0 {
                break;
            }
        }
    }
    matrix[other][0]
}

/// Takes the words' sums in, and mixes for one round.
#[inline(always)]
fn absorb(state: &mut State, x: &Block, y: &Block) {
    for (i, word) in state[..RATE].iter_mut().enumerate() {
        *word ^= x[i].wrapping_add(y[i]);
    }
    reduced(state);
}

/// The block with the state's first words, turned by so many.
#[inline(always)]
fn xored(block: &Block, state: &State, turned: usize) -> Block {
    std::array::from_fn(|i| block[i] ^ state[(i + RATE - turned) % RATE])
}

/// All twelve rounds of BLAKE2b, without a message.
fn full(state: &mut State) {
    for _ in 0..12 {
        reduced(state);
    }
}

/// One round.
#[inline(always)]
fn reduced(state: &mut State) {
    let (rows, _) = state.as_chunks_mut::<4>();
    let [a, b, c, d] = rows else { return };
    quarters(a, b, c, d);
    *b = turned::<1>(b);
    *c = turned::<2>(c);
    *d = turned::<3>(d);
    quarters(a, b, c, d);
    *b = turned::<3>(b);
    *c = turned::<2>(c);
    *d = turned::<1>(d);
}

/// The words turned to the left by so many. (`rotate_left` goes through memory.)
#[inline(always)]
fn turned<const BY: usize>(x: &[u64; 4]) -> [u64; 4] {
    std::array::from_fn(|i| x[(i + BY) % 4])
}

/// BLAKE2b's G without a message, for four columns.
#[inline(always)]
fn quarters(a: &mut [u64; 4], b: &mut [u64; 4], c: &mut [u64; 4], d: &mut [u64; 4]) {
    for i in 0..4 {
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_right(32);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_right(24);
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_right(16);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_right(63);
    }
}
