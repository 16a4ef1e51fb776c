//! The chains around Lyra2: Lyra2RE and its revisions (Vertcoin, Monacoin), Lyra2Z (Zcoin), Allium
//! (Garlicoin).

use super::parts::lyra2::{Form, lyra2};
use super::parts::{blake256, bmw256, cubehash256, groestl256, keccak256, skein256};
use crate::chain::{Hash, Header};

pub(super) fn lyra2re(header: &Header) -> Hash {
    let hash = keccak256(&blake256::<14>(header));
    let hash = lyra2::<8>(Form::First, &hash, 1);
    Hash(groestl256(&skein256(&hash)))
}

pub(super) fn lyra2rev2(header: &Header) -> Hash {
    let hash = cubehash256(&keccak256(&blake256::<14>(header)));
    let hash = lyra2::<4>(Form::Second, &hash, 1);
    Hash(bmw256(&cubehash256(&skein256(&hash))))
}

pub(super) fn lyra2rev3(header: &Header) -> Hash {
    let hash = lyra2::<4>(Form::Third, &blake256::<14>(header), 1);
    let hash = lyra2::<4>(Form::Third, &cubehash256(&hash), 1);
    Hash(bmw256(&hash))
}

pub(super) fn lyra2z(header: &Header) -> Hash {
    Hash(lyra2::<8>(Form::Second, &blake256::<14>(header), 8))
}

pub(super) fn allium(header: &Header) -> Hash {
    let hash = keccak256(&blake256::<14>(header));
    let hash = cubehash256(&lyra2::<8>(Form::First, &hash, 1));
    let hash = skein256(&lyra2::<8>(Form::First, &hash, 1));
    Hash(groestl256(&hash))
}
