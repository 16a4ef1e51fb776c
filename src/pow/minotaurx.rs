//! MinotaurX: Litecoin Cash, Avian and their kin (github.com/litecoincash-project). A garden of 22
//! gates. The first hash says which of 16 functions stands at each, each result which way to go,
//! and at the end stands yespower.
#![allow(
    clippy::indexing_slicing,
    reason = "by the number of a gate, of which there are fewer than bytes and ways"
)]

use super::parts::{
    blake512, bmw512, cubehash512, echo512, fugue512, groestl512, hamsi512, jh512, keccak512,
    luffa512, sha512, shabal512, shavite512, simd512, skein512, whirlpool,
};
use super::x11::Part;
use super::yespower;
use crate::chain::{Hash, Header};

/// The functions, by their numbers.
const FUNCTIONS: [Part; 16] = [
    blake512,
    bmw512,
    cubehash512,
    echo512,
    fugue512,
    groestl512,
    hamsi512,
    sha512,
    jh512,
    keccak512,
    luffa512,
    shabal512,
    shavite512,
    simd512,
    skein512,
    whirlpool,
];

/// Where the ways from each gate lead: to this gate when the result's last byte is even, to the
/// next one when it is odd.
const WAYS: [usize; 19] = [1, 3, 5, 7, 9, 11, 13, 15, 15, 15, 15, 17, 17, 17, 17, 19, 19, 19, 19];

pub(super) fn hash(header: &Header) -> Hash {
    let first = sha512(header);
    let function = |gate: usize| FUNCTIONS[usize::from(first[gate]) % FUNCTIONS.len()];
    let mut state = first;
    let mut gate = 0;
    while gate < WAYS.len() {
        state = function(gate)(&state);
        gate = WAYS[gate] + usize::from(state[63] % 2);
    }
    state = function(gate)(&state);
    yespower::hash(&state, &yespower::MINOTAUR)
}
