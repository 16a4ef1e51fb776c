//! X16R (Ravencoin, 2018): sixteen steps over 512 bits, each one of sixteen functions; which, the
//! last 16 hexadecimal digits of the block before say, as it is displayed. X16Rv2 hashes with Tiger
//! before three of them. X16RT takes the digits of the time's hash.

use super::parts::{
    blake512, bmw512, cubehash512, echo512, fugue512, groestl512, hamsi512, jh512, keccak512,
    luffa512, sha512, shabal512, shavite512, simd512, skein512, tiger, whirlpool,
};
use super::x11::{Part, half, padded};
use crate::chain::{Hash, Header, sha256d};

/// By digit. Its beginnings are the steps of C11 and Sifcoin.
pub(super) const PARTS: [Part; 16] = [
    blake512,
    bmw512,
    groestl512,
    jh512,
    keccak512,
    skein512,
    luffa512,
    cubehash512,
    shavite512,
    simd512,
    echo512,
    hamsi512,
    fugue512,
    shabal512,
    whirlpool,
    sha512,
];

/// Seconds of which X16RT counts whole ones only, so that miners need not change the order often.
const PERIOD_S: u32 = 128;

/// Goes the steps that `order` says: its bytes from the last, of each the upper digit first.
fn steps(header: &Header, order: &[u8; 8], step: impl Fn(u8, &[u8]) -> [u8; 64]) -> Hash {
    let mut digits = order.iter().rev().flat_map(|byte| [byte >> 4, byte & 15]);
    let first = step(digits.next().unwrap_or(0), header);
    half(&digits.fold(first, |state, digit| step(digit, &state)))
}

fn plain(digit: u8, state: &[u8]) -> [u8; 64] {
    let [part, ..] = PARTS.split_at(usize::from(digit & 15)).1 else { return [0xff; 64] };
    part(state)
}

/// The lowest bytes of the block before.
fn previous(header: &Header) -> [u8; 8] {
    let [_, _, _, _, order @ .., _] = header.first_chunk::<13>().copied().unwrap_or_default();
    order
}

pub(super) fn x16r(header: &Header) -> Hash {
    steps(header, &previous(header), plain)
}

pub(super) fn x16rv2(header: &Header) -> Hash {
    steps(header, &previous(header), |digit, state| match digit {
        4 | 6 | 15 => plain(digit, &padded(&tiger(state))),
        _ => plain(digit, state),
    })
}

pub(super) fn x16rt(header: &Header) -> Hash {
    let [.., a, b, c, d, _, _, _, _, _, _, _, _] = *header;
    let time = u32::from_le_bytes([a, b, c, d]);
    let Hash(hash) = sha256d(&(time / PERIOD_S * PERIOD_S).to_le_bytes());
    steps(header, hash.first_chunk().unwrap_or(&[0; 8]), plain)
}
