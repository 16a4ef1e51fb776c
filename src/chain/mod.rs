//! Facts of the block chain: hashes, targets, headers, addresses, templates, coinbase, blocks.
//!
//! Pure: no I/O, no clock. Byte-order words: *internal* is the order in which bytes are hashed and
//! serialised; *display* is the reverse, as RPC prints hashes.

pub mod address;
mod coinbase;
mod encode;
mod hash;
mod merkle;
mod target;
mod template;
mod work;

pub use hash::{Hash, sha256d};
pub use merkle::root as merkle_root;
pub use target::Target;
pub use template::{Template, TemplateError};
pub use work::{Built, Plan, Recipient, SALT_AND_EXTRANONCE1, Work, WorkError};

/// A serialised block header: version ‖ previous ‖ merkle root ‖ time ‖ bits ‖ nonce, all
/// little-endian.
pub type Header = [u8; 80];

/// Serialises a header from its six fields.
#[must_use]
pub fn header(
    version: u32,
    previous: &Hash,
    merkle_root: &Hash,
    time: u32,
    bits: u32,
    nonce: u32,
) -> Header {
    let mut header = [0; 80];
    let (version, time) = (version.to_le_bytes(), time.to_le_bytes());
    let (bits, nonce) = (bits.to_le_bytes(), nonce.to_le_bytes());
    let fields = [&version[..], &previous.0, &merkle_root.0, &time, &bits, &nonce];
    let mut rest = header.as_mut_slice();
    for field in fields {
        let (place, after) = rest.split_at_mut(field.len());
        place.copy_from_slice(field);
        rest = after;
    }
    header
}

/// Which of a coin's networks a daemon is on, from `getblockchaininfo.chain`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// The coin's money.
    Main,
    /// A public test network (`test`, `testnet4`, `signet`).
    Test,
    /// A private regression-test network.
    Regtest,
}

impl Network {
    /// `main`, `test` or `regtest`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
            Self::Regtest => "regtest",
        }
    }
}

/// The values of hex digits (either case) by their code; what is no digit has 16.
const NIBBLES: [u8; 256] = {
    let mut values = [16; 256];
    let mut digit = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "a table of 256 has every byte's place")]
        let value = &mut values[digit as usize];
        *value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => 16,
        };
        if digit == u8::MAX {
            break values;
        }
        digit += 1;
    }
};

/// Decodes strict hex: an even number of hex digits and nothing else (no sign, prefix or space).
#[must_use]
pub fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Looked at once at the end: templates are megabytes of hex, and blocks wait for them.
    let mut sound = true;
    let mut value = |digit: u8| match NIBBLES.get(usize::from(digit)) {
        Some(&value) if value < 16 => value,
        _ => {
            sound = false;
            0
        }
    };
    let bytes = pairs.iter().map(|&[high, low]| value(high) << 4 | value(low)).collect();
    sound.then_some(bytes)
}

/// Decodes exactly `N` bytes of strict hex.
#[must_use]
pub fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex_decode(text)?.try_into().ok()
}

/// Lower-case hex.
#[must_use]
pub fn hex_encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(*DIGITS.get(usize::from(value)).unwrap_or(&b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Serialises bytes as lower-case hex: `#[serde(with = "crate::chain::hex_bytes")]`.
pub mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Bytes to hex.
    ///
    /// # Errors
    /// Whatever the serializer says.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex_encode(bytes))
    }

    /// Hex to bytes.
    ///
    /// # Errors
    /// When the text is not strict hex.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::hex_decode(&text).ok_or_else(|| serde::de::Error::custom("not hex"))
    }
}
