//! The functions that well-kept crates have.

use sha2::Digest as _;

macro_rules! library {
    ($($(#[$doc:meta])* $name:ident: $digest:ty, $len:literal;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(input: &[u8]) -> [u8; $len] {
            <$digest>::digest(input).into()
        })*
    };
}

library! {
    /// Keccak-256 with the padding of the competition's third round, not SHA-3's.
    keccak256: sha3::Keccak256, 32;
    /// Keccak-512 with the padding of the competition's third round, not SHA-3's.
    keccak512: sha3::Keccak512, 64;
    /// JH-512.
    jh512: jh::Jh512, 64;
    /// Shabal-512.
    shabal512: shabal::Shabal512, 64;
    /// Whirlpool, as of ISO/IEC 10118-3:2004.
    whirlpool: whirlpool::Whirlpool, 64;
    /// SHA-256 (FIPS 180-4).
    sha256: sha2::Sha256, 32;
    /// SHA-512 (FIPS 180-4).
    sha512: sha2::Sha512, 64;
    /// SHA-1 (FIPS 180-4).
    sha1: sha1::Sha1, 20;
    /// Tiger (Anderson, Biham, 1996).
    tiger: tiger::Tiger, 24;
    /// SM3 (GB/T 32905-2016).
    sm3: sm3::Sm3, 32;
    /// Grøstl-256.
    groestl256: groestl::Groestl256, 32;
}
