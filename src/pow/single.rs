//! Algorithms of one or two functions.

use super::parts::{
    blake256, fugue256, groestl512, keccak256, sha256, shavite512, skein512, whirlpool,
};
use super::x11::half;
use crate::chain::{Hash, Header};

/// Blakecoin's: BLAKE-256 with 8 of its 14 rounds.
pub(super) fn blake(header: &Header) -> Hash {
    Hash(blake256::<8>(header))
}

/// Keccak-256: Maxcoin and its kin.
pub(super) fn keccak(header: &Header) -> Hash {
    Hash(keccak256(header))
}

/// Keccak-256 twice, with the header's time behind it as a big-endian number: what NOMP calls
/// `normalHashing`, for Copperlark.
pub(super) fn keccak_normal(header: &Header, time: u32) -> Hash {
    let mut timed = [0; 84];
    let (front, back) = timed.split_at_mut(80);
    front.copy_from_slice(header);
    back.copy_from_slice(&time.to_be_bytes());
    Hash(keccak256(&keccak256(&timed)))
}

/// Skein-512 and SHA-256: Skeincoin.
pub(super) fn skein(header: &Header) -> Hash {
    Hash(sha256(&skein512(header)))
}

/// Grøstl-512 twice: Groestlcoin.
pub(super) fn groestl(header: &Header) -> Hash {
    half(&groestl512(&groestl512(header)))
}

/// Grøstl-512 and SHA-256: one of Myriadcoin's algorithms.
pub(super) fn groestlmyriad(header: &Header) -> Hash {
    Hash(sha256(&groestl512(header)))
}

/// Fugue-256.
pub(super) fn fugue(header: &Header) -> Hash {
    Hash(fugue256(header))
}

/// SHAvite-3-512 twice: INKcoin.
pub(super) fn shavite3(header: &Header) -> Hash {
    half(&shavite512(&shavite512(header)))
}

/// Whirlpool, of which bytes from both halves are added: Vcash.
pub(super) fn whirlpoolx(header: &Header) -> Hash {
    let state = whirlpool(header);
    let (_, second) = state.split_at(16);
    let mut hash = half(&state);
    for (byte, other) in hash.0.iter_mut().zip(second) {
        *byte ^= other;
    }
    hash
}
