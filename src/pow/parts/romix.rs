//! ROMix and BlockMix (RFC 7914, sections 4 and 5) over any core, and two cores: Salsa20 and
//! ChaCha. For scrypt-jane and NeoScrypt; scrypt itself has its own (`scrypt::lanes`).

/// A block of 64 bytes as little-endian words: for ChaCha its rows, for Salsa20 its diagonals.
pub(crate) type Rows = [[u32; 4]; 4];

/// Mixes `2 r` blocks with N = `n`, a power of two, over a pad that is kept for the next time.
pub(crate) fn romix<const BLOCKS: usize>(
    x: &mut [Rows; BLOCKS],
    pad: &mut Vec<[Rows; BLOCKS]>,
    n: usize,
    core: impl Fn(&mut Rows),
) {
    pad.clear();
    for _ in 0..n {
        pad.push(*x);
        block_mix(x, &core);
    }
    for _ in 0..n {
        // The first word of the last block. It stands first in rows and in diagonals.
        let j = x[BLOCKS - 1][0][0] as usize & (n - 1);
        for (block, earlier) in x.iter_mut().zip(&pad[j]) {
            xor(block, earlier);
        }
        block_mix(x, &core);
    }
}

/// Each block takes in the one before, the first one the last; then those of even number go
/// before those of odd number.
#[inline(always)]
fn block_mix<const BLOCKS: usize>(x: &mut [Rows; BLOCKS], core: &impl Fn(&mut Rows)) {
    let mut last = x[BLOCKS - 1];
    for block in x.iter_mut() {
        xor(block, &last);
        core(block);
        last = *block;
    }
    if BLOCKS > 2 {
        let mixed = *x;
        for (i, block) in mixed.into_iter().enumerate() {
            x[i / 2 + i % 2 * BLOCKS / 2] = block;
        }
    }
}

#[inline(always)]
pub(crate) fn xor(x: &mut Rows, y: &Rows) {
    for (x, y) in x.as_flattened_mut().iter_mut().zip(y.as_flattened()) {
        *x ^= y;
    }
}

/// The words turned to the left by so many. (`rotate_left` goes through memory.)
#[inline(always)]
fn turned<const BY: usize>(x: [u32; 4]) -> [u32; 4] {
    std::array::from_fn(|i| x[(i + BY) % 4])
}

/// `to ^= (a + b) <<< by`
#[inline(always)]
fn salsa_step(to: &mut [u32; 4], a: [u32; 4], b: [u32; 4], by: u32) {
    for (i, to) in to.iter_mut().enumerate() {
        *to ^= a[i].wrapping_add(b[i]).rotate_left(by);
    }
}

/// Salsa20 with `ROUNDS` rounds over a block's diagonals (`to_diagonals`), added to what was there.
#[inline(always)]
pub(crate) fn salsa<const ROUNDS: usize>(x: &mut Rows) {
    let [mut a, mut b, mut c, mut d] = *x;
    for _ in 0..ROUNDS / 2 {
        salsa_step(&mut b, a, d, 7);
        salsa_step(&mut c, b, a, 9);
        salsa_step(&mut d, c, b, 13);
        salsa_step(&mut a, d, c, 18);
        b = turned::<3>(b);
        c = turned::<2>(c);
        d = turned::<1>(d);
        salsa_step(&mut d, a, b, 7);
        salsa_step(&mut c, d, a, 9);
        salsa_step(&mut b, c, d, 13);
        salsa_step(&mut a, b, c, 18);
        b = turned::<1>(b);
        c = turned::<2>(c);
        d = turned::<3>(d);
    }
    add(x, &[a, b, c, d]);
}

/// ChaCha with `ROUNDS` rounds, added to what was there.
#[inline(always)]
pub(crate) fn chacha<const ROUNDS: usize>(x: &mut Rows) {
    let [mut a, mut b, mut c, mut d] = *x;
    for round in 0..ROUNDS {
        for i in 0..4 {
            a[i] = a[i].wrapping_add(b[i]);
            d[i] = (d[i] ^ a[i]).rotate_left(16);
        }
        for i in 0..4 {
            c[i] = c[i].wrapping_add(d[i]);
            b[i] = (b[i] ^ c[i]).rotate_left(12);
        }
        for i in 0..4 {
            a[i] = a[i].wrapping_add(b[i]);
            d[i] = (d[i] ^ a[i]).rotate_left(8);
        }
        for i in 0..4 {
            c[i] = c[i].wrapping_add(d[i]);
            b[i] = (b[i] ^ c[i]).rotate_left(7);
        }
        // Columns and diagonals take turns.
        if round % 2 == 0 {
            b = turned::<1>(b);
            c = turned::<2>(c);
            d = turned::<3>(d);
        } else {
            b = turned::<3>(b);
            c = turned::<2>(c);
            d = turned::<1>(d);
        }
    }
    add(x, &[a, b, c, d]);
}

#[inline(always)]
fn add(x: &mut Rows, y: &Rows) {
    for (x, y) in x.as_flattened_mut().iter_mut().zip(y.as_flattened()) {
        *x = x.wrapping_add(*y);
    }
}

/// The words of a block, from its 64 bytes; further ones are left.
pub(crate) fn from_bytes(bytes: &[u8]) -> Rows {
    let mut rows = [[0; 4]; 4];
    for (word, bytes) in rows.as_flattened_mut().iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    rows
}

/// The bytes of a block.
pub(crate) fn to_bytes(rows: &Rows) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(rows.as_flattened()) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// The diagonals of a block, down and to the right, as rows: words 0, 5, 10, 15; 4, 9, 14, 3; ...
pub(crate) fn to_diagonals(rows: &Rows) -> Rows {
    let words = rows.as_flattened();
    std::array::from_fn(|row| std::array::from_fn(|column| words[(4 * row + 5 * column) % 16]))
}

/// The block of these diagonals.
pub(crate) fn from_diagonals(diagonals: &Rows) -> Rows {
    let mut rows = [[0; 4]; 4];
    let words = rows.as_flattened_mut();
    for (row, diagonal) in diagonals.iter().enumerate() {
        for (column, word) in diagonal.iter().enumerate() {
            words[(4 * row + 5 * column) % 16] = *word;
        }
    }
    rows
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        const_hex::decode(text).unwrap()
    }

    /// RFC 7914, section 8.
    #[test]
    fn salsa_is_as_in_the_rfc() {
        let input = hex("7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df8461\
             16dcd3b1dee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e");
        let output = hex(
            "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29b4393168e3c9e6bcfe6bc5b\
             7a06d96bae424cc102c91745c24ad673dc7618f81",
        );
        let mut x = to_diagonals(&from_bytes(&input));
        salsa::<8>(&mut x);
        assert_eq!(to_bytes(&from_diagonals(&x)).to_vec(), output);
    }

    /// RFC 8439, section 2.3.2.
    #[test]
    fn chacha_is_as_in_the_rfc() {
        let input =
            hex("657870616e642033322d62797465206b000102030405060708090a0b0c0d0e0f1011121314151617\
             18191a1b1c1d1e1f01000000000000090000004a00000000");
        let output = hex(
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914\
             c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
        );
        let mut x = from_bytes(&input);
        chacha::<20>(&mut x);
        assert_eq!(to_bytes(&x).to_vec(), output);
    }
}
