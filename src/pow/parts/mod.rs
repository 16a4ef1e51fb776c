//! The hash functions that chained algorithms are made of: candidates of the SHA-3 competition,
//! in the rounds that coins took them from, and some older ones. Each is a function of bytes.
#![allow(
    clippy::indexing_slicing,
    reason = "indices are constants or reduced to the array's length, and vectors walk all of them"
)]
#![allow(clippy::needless_range_loop, reason = "the specifications say it by index")]

mod aes;
mod blake;
mod bmw;
mod bytes;
mod cubehash;
mod echo;
mod fugue;
mod groestl;
mod hamsi;
mod haval;
mod lanes;
mod library;
mod luffa;
pub(super) mod lyra2;
pub(super) mod romix;
mod shavite;
mod simd;
mod skein;
mod vectors;

pub(super) use blake::{blake256, blake512};
pub(super) use bmw::bmw512;
pub(super) use cubehash::cubehash512;
pub(super) use echo::echo512;
pub(super) use fugue::{fugue256, fugue512};
pub(super) use groestl::groestl512;
pub(super) use hamsi::hamsi512;
pub(super) use haval::haval256;
pub(super) use library::{
    jh512, keccak256, keccak512, sha1, sha256, sha512, shabal512, sm3, tiger, whirlpool,
};
pub(super) use luffa::luffa512;
pub(super) use shavite::shavite512;
pub(super) use simd::simd512;
pub(super) use skein::skein512;
#[allow(unused_imports, reason = "Lyra2's chains are made of them")]
pub(super) use {bmw::bmw256, cubehash::cubehash256, library::groestl256, skein::skein256};

#[cfg(test)]
mod tests;
