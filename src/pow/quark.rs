//! Quark (Quarkcoin, 2013): nine steps over 512 bits, three of them chosen by bit 3 of the state's
//! first byte.

use super::parts::{blake512, bmw512, groestl512, jh512, keccak512, skein512};
use super::x11::{Part, half};
use crate::chain::{Hash, Header};

pub(super) fn quark(header: &Header) -> Hash {
    let either = |state: [u8; 64], set: Part, unset: Part| {
        let [first, ..] = state;
        if first & 8 == 0 { unset(&state) } else { set(&state) }
    };
    let state = bmw512(&blake512(header));
    let state = either(state, groestl512, skein512);
    let state = jh512(&groestl512(&state));
    let state = either(state, blake512, bmw512);
    let state = skein512(&keccak512(&state));
    half(&either(state, keccak512, jh512))
}
