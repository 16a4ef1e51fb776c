//! Addresses and the scripts they stand for: base58check, bech32, bech32m.

use super::Network;
use super::encode::put_sized;
use bech32::{Fe32, Hrp, segwit};
use serde::{Deserialize, Serialize};

const OP_DUP: u8 = 0x76;
const OP_HASH160: u8 = 0xa9;
const OP_EQUAL: u8 = 0x87;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_CHECKSIG: u8 = 0xac;

/// How one network of a coin writes addresses. Empty lists: the coin file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Version bytes of pay-to-public-key-hash addresses (some coins have several).
    pub pubkey_hash: Vec<u8>,
    /// Version bytes of pay-to-script-hash addresses.
    pub script_hash: Vec<u8>,
    /// Human-readable part of segwit addresses (BIP 173, 350).
    pub segwit_hrp: Option<String>,
    /// Version byte of private keys in base58 (WIF): for who shows the coin's facts.
    #[serde(default)]
    pub wif: Option<u8>,
}

impl Rules {
    /// Whether the coin file says nothing about this network.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pubkey_hash.is_empty() && self.script_hash.is_empty() && self.segwit_hrp.is_none()
    }
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
    if rules.is_empty() {
        return Err(AddressError::NoRules(network));
    }
    let other = || AddressError::OtherNetwork { address: address.to_owned(), network };
    if let Some((hrp, script)) = segwit_script(address) {
        let ours = rules.segwit_hrp.as_ref().is_some_and(|ours| hrp.eq_ignore_ascii_case(ours));
        return if ours { Ok(script) } else { Err(other()) };
    }
    match base58(address) {
        Some((version, hash)) if rules.pubkey_hash.contains(&version) => {
            Ok(pubkey_hash_script(&hash))
        }
        Some((version, hash)) if rules.script_hash.contains(&version) => {
            Ok(script_hash_script(&hash))
        }
        Some(_) => Err(other()),
        None => Err(AddressError::Malformed(address.to_owned())),
    }
}

/// The address of a pay-to-public-key-hash, pay-to-script-hash or witness output script as the
/// network writes it, by the first version of each list; `None` for other scripts and when the
/// rules do not say.
#[must_use]
pub fn encode(script: &[u8], rules: &Rules) -> Option<String> {
    let base58 = |version: &u8, hash: &[u8]| {
        let payload: Vec<u8> = std::iter::once(*version).chain(hash.iter().copied()).collect();
        bs58::encode(payload).with_check().into_string()
    };
    match script {
        [OP_DUP, OP_HASH160, 20, hash @ .., OP_EQUALVERIFY, OP_CHECKSIG] if hash.len() == 20 => {
            Some(base58(rules.pubkey_hash.first()?, hash))
        }
        [OP_HASH160, 20, hash @ .., OP_EQUAL] if hash.len() == 20 => {
            Some(base58(rules.script_hash.first()?, hash))
        }
        [opcode @ (0 | 0x51..=0x60), length, program @ ..]
            if program.len() == usize::from(*length) =>
        {
            let version = Fe32::try_from(opcode.saturating_sub(0x50)).ok()?;
            let hrp = Hrp::parse(rules.segwit_hrp.as_ref()?).ok()?;
            segwit::encode(hrp, version, program).ok()
        }
        _ => None,
    }
}

/// Pays to the hash160 of a public key: also for NOMP's mining keys (40 hex digits).
#[must_use]
pub fn pubkey_hash_script(hash: &[u8; 20]) -> Vec<u8> {
    [&[OP_DUP, OP_HASH160, 20], hash.as_slice(), &[OP_EQUALVERIFY, OP_CHECKSIG]].concat()
}

/// Pays to a public key, 33 or 65 bytes: what proof-of-stake coins want, whose daemons sign a block
/// with the key that its coinbase pays.
#[must_use]
pub fn pubkey_script(key: &[u8]) -> Vec<u8> {
    let mut script = Vec::with_capacity(key.len() + 2);
    put_sized(&mut script, key);
    script.push(OP_CHECKSIG);
    script
}

/// Pays to the hash160 of a script (BIP 16).
fn script_hash_script(hash: &[u8; 20]) -> Vec<u8> {
    [&[OP_HASH160, 20], hash.as_slice(), &[OP_EQUAL]].concat()
}

/// Version byte and hash of a base58check text of 21 bytes.
fn base58(address: &str) -> Option<(u8, [u8; 20])> {
    // 25 bytes are at most 35 digits; base58 takes quadratic time, so nothing longer is tried.
    if address.len() > 40 {
        return None;
    }
    let payload = bs58::decode(address).with_check(None).into_vec().ok()?;
    let (version, hash) = payload.split_first()?;
    Some((*version, hash.try_into().ok()?))
}

/// Human-readable part and output script of a segwit address: bech32 for version 0, bech32m for
/// 1 to 16, one case only (BIP 173, 350).
fn segwit_script(address: &str) -> Option<(String, Vec<u8>)> {
    let (hrp, version, program) = segwit::decode(address).ok()?;
    let opcode = match version.to_u8() {
        0 => 0,
        version => 0x50 + version,
    };
    let length = u8::try_from(program.len()).ok()?;
    let script = [opcode, length].into_iter().chain(program).collect();
    Some((hrp.to_lowercase(), script))
}

#[cfg(test)]
mod tests;
