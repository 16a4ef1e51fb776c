//! Every part against its vectors.
#![allow(clippy::unwrap_used)]

use crate::pow::x11::Part;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
    (0..hex.len() / 2).map(digits).collect()
}

/// Checks all of a file's inputs, from none to 256 bytes.
fn agrees<const N: usize>(name: &str, hash: impl Fn(&[u8]) -> [u8; N]) {
    let path = format!("{}/tests/vectors/components/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = json["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 20);
    for case in vectors {
        let input = bytes(case["input_hex"].as_str().unwrap());
        let expected = bytes(case["hash_hex"].as_str().unwrap());
        assert_eq!(hash(&input)[..], expected, "{name} of {} bytes", input.len());
    }
}

macro_rules! parts {
    ($($name:ident: $hash:expr;)*) => {
        $(#[test]
        fn $name() {
            agrees(stringify!($name), $hash);
        })*
    };
}

parts! {
    blake256: super::blake256::<14>;
    blake512: super::blake512;
    bmw256: super::bmw256;
    bmw512: super::bmw512;
    cubehash256: super::cubehash256;
    cubehash512: super::cubehash512;
    echo512: super::echo512;
    fugue256: super::fugue256;
    fugue512: super::fugue512;
    groestl256: super::groestl256;
    groestl512: super::groestl512;
    hamsi512: super::hamsi512;
    jh512: super::jh512;
    keccak256: super::keccak256;
    keccak512: super::keccak512;
    luffa512: super::luffa512;
    sha1: super::sha1;
    shabal512: super::shabal512;
    shavite512: super::shavite512;
    simd512: super::simd512;
    skein256: super::skein256;
    skein512: super::skein512;
    tiger: super::tiger;
    whirlpool: super::whirlpool;
}

/// Parts that use what the processor has, and their twins without it.
const TWINS: [(&str, Part, Part); 5] = [
    ("echo512", super::echo512, super::echo::echo512_plain),
    ("groestl512", super::groestl512, super::groestl::groestl512_plain),
    ("luffa512", super::luffa512, super::luffa::luffa512_plain),
    ("shavite512", super::shavite512, super::shavite::shavite512_plain),
    ("simd512", super::simd512, super::simd::simd512_plain),
];

#[test]
fn plain_twins_agree() {
    for (name, _, plain) in TWINS {
        agrees(name, plain);
    }
}

proptest! {
    #[test]
    fn plain_twins_agree_on_anything(input in prop::collection::vec(any::<u8>(), 0..300)) {
        for (name, fast, plain) in TWINS {
            prop_assert_eq!(fast(&input), plain(&input), "{}", name);
        }
    }
}
