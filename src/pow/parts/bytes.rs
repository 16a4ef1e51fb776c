//! Bytes to words and back, and whole blocks of an input.

/// Big-endian 32-bit words of `bytes`, of which there are at least 4 N.
pub(super) fn be32<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|i| u32::from_be_bytes(words[i]))
}

/// Little-endian 32-bit words of `bytes`, of which there are at least 4 N.
pub(super) fn le32<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|i| u32::from_le_bytes(words[i]))
}

/// Big-endian 64-bit words of `bytes`, of which there are at least 8 N.
pub(super) fn be64<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_be_bytes(words[i]))
}

/// Little-endian 64-bit words of `bytes`, of which there are at least 8 N.
pub(super) fn le64<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

/// The first words as bytes, each by `bytes` (`u32::to_le_bytes` and the like).
pub(super) fn join<W: Copy, const W_LEN: usize, const N: usize>(
    words: &[W],
    bytes: impl Fn(W) -> [u8; W_LEN],
) -> [u8; N] {
    let mut out = [0; N];
    for (place, word) in out.as_chunks_mut::<W_LEN>().0.iter_mut().zip(words) {
        *place = bytes(*word);
    }
    out
}

/// Gives every whole block to `block`; returns the rest, filled up with zeros, and its length.
pub(super) fn whole<const N: usize>(
    input: &[u8],
    mut block: impl FnMut(&[u8; N]),
) -> ([u8; N], usize) {
    let (blocks, rest) = input.as_chunks::<N>();
    for whole in blocks {
        block(whole);
    }
    let mut last = [0; N];
    last[..rest.len()].copy_from_slice(rest);
    (last, rest.len())
}
