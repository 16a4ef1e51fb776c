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
pub mod transaction;
mod work;

pub use hash::{Hash, Midstate, sha256d};
pub use merkle::root as merkle_root;
pub use target::Target;
pub use template::{PayeeField, Template, TemplateError};
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

/// Decodes strict hex: an even number of hex digits and nothing else (no sign, prefix or space).
#[must_use]
pub fn hex_decode(text: &str) -> Option<Vec<u8>> {
    const_hex::decode(without_prefix(text)?).ok()
}

/// The text, unless it has the prefix that the library would pass over: then two texts would be
/// one value.
fn without_prefix(text: &str) -> Option<&str> {
    (!text.starts_with("0x") && !text.starts_with("0X")).then_some(text)
}

/// Decodes exactly `N` bytes of strict hex.
#[must_use]
pub fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    const_hex::decode_to_array(without_prefix(text)?).ok()
}

/// Lower-case hex.
#[must_use]
pub fn hex_encode(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
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
