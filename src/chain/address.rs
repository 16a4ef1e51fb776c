//! Addresses and the scripts they stand for: base58check, bech32, bech32m.

use super::Network;
use serde::{Deserialize, Serialize};

/// How one network of a coin writes addresses. Empty lists: the coin file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Version bytes of pay-to-public-key-hash addresses (some coins have several).
    pub pubkey_hash: Vec<u8>,
    /// Version bytes of pay-to-script-hash addresses.
    pub script_hash: Vec<u8>,
    /// Human-readable part of segwit addresses (BIP 173, 350).
    pub segwit_hrp: Option<String>,
}

/// Why a text is not an address of the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither base58check nor segwit.
    #[error("`{0}` is not an address")]
    Malformed(String),
    /// A valid address of something else.
    #[error("`{address}` is not an address of this coin's {network:?} network")]
    OtherNetwork {
        /// The text.
        address: String,
        /// The network it was checked against.
        network: Network,
    },
    /// The coin file has no versions for the network: only the daemon can tell.
    #[error("the coin file has no address versions for the {0:?} network")]
    NoRules(Network),
}

/// The output script of an address.
///
/// # Errors
/// [`AddressError`] when the text is no address of that network, or the rules do not say.
pub fn script(address: &str, rules: &Rules, network: Network) -> Result<Vec<u8>, AddressError> {
    let _ = (address, rules, network);
    unimplemented!()
}
