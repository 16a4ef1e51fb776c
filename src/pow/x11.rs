//! Chains of 512-bit functions, each over the output of the one before: x11 (Darkcoin, 2014) and
//! what grew out of it. Of the last output the first 32 bytes count.

use super::parts::{
    blake512, bmw512, cubehash512, echo512, fugue512, groestl512, hamsi512, haval256, jh512,
    keccak512, luffa512, sha512, shabal512, shavite512, simd512, skein512, sm3, whirlpool,
};
use super::x16r::PARTS;
use crate::chain::{Hash, Header};

/// A function of 512 bits.
pub(super) type Part = fn(&[u8]) -> [u8; 64];

/// The longest chain; its beginnings are chains too.
const X17: [Part; 17] = [
    blake512,
    bmw512,
    groestl512,
    skein512,
    jh512,
    keccak512,
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
    |state| padded(&haval256(state)),
];

/// Bitcoin Diamond's: SM3 where x13 has Luffa.
const X13BCD: [Part; 13] = [
    blake512,
    bmw512,
    groestl512,
    skein512,
    jh512,
    keccak512,
    |state| padded(&sm3(state)),
    cubehash512,
    shavite512,
    simd512,
    echo512,
    hamsi512,
    fugue512,
];

/// Of the candidates that NIST let into the last round.
const NIST5: [Part; 5] = [blake512, groestl512, jh512, keccak512, skein512];

/// Freshcoin's.
const FRESH: [Part; 5] = [shavite512, simd512, shavite512, simd512, echo512];

/// A short output in front of zeros.
pub(super) fn padded<const N: usize>(short: &[u8; N]) -> [u8; 64] {
    let mut long = [0; 64];
    for (place, byte) in long.iter_mut().zip(short) {
        *place = *byte;
    }
    long
}

/// The first 32 bytes.
pub(super) fn half(state: &[u8; 64]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(state.split_at(32).0);
    Hash(hash)
}

fn chain(header: &Header, parts: &[Part]) -> Hash {
    let Some((first, others)) = parts.split_first() else { return Hash([0xff; 32]) };
    half(&others.iter().fold(first(header), |state, part| part(&state)))
}

pub(super) fn x11(header: &Header) -> Hash {
    chain(header, &X17[..11])
}

pub(super) fn x13(header: &Header) -> Hash {
    chain(header, &X17[..13])
}

pub(super) fn x14(header: &Header) -> Hash {
    chain(header, &X17[..14])
}

pub(super) fn x15(header: &Header) -> Hash {
    chain(header, &X17[..15])
}

pub(super) fn x17(header: &Header) -> Hash {
    chain(header, &X17)
}

/// Chaincoin's: x11 with Skein after Keccak.
pub(super) fn c11(header: &Header) -> Hash {
    chain(header, &PARTS[..11])
}

pub(super) fn x13bcd(header: &Header) -> Hash {
    chain(header, &X13BCD)
}

pub(super) fn nist5(header: &Header) -> Hash {
    chain(header, &NIST5)
}

pub(super) fn sifcoin(header: &Header) -> Hash {
    chain(header, &PARTS[..6])
}

pub(super) fn qubit(header: &Header) -> Hash {
    chain(header, &X17[6..11])
}

pub(super) fn fresh(header: &Header) -> Hash {
    chain(header, &FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody publishes hashes of x14. It is x15, whose are published, without its last step.
    #[test]
    fn x14_is_x15_without_its_last_step() {
        let header: Header = std::array::from_fn(|i| i as u8);
        let state = X17[1..14].iter().fold(blake512(&header), |state, part| part(&state));
        assert_eq!(x14(&header), half(&state));
        assert_eq!(x15(&header), half(&whirlpool(&state)));
        assert_ne!(x14(&header), x13(&header));
    }
}
