//! Addresses and the scripts they stand for: base58check, bech32, bech32m, cashaddr.

mod cashaddr;

use super::encode::put_sized;
use super::{Network, sha256d};
use crate::pow::ids;
use bech32::{Fe32, Hrp, segwit};
use serde::{Deserialize, Serialize};

const OP_DUP: u8 = 0x76;
const OP_HASH160: u8 = 0xa9;
const OP_HASH256: u8 = 0xaa;
const OP_EQUAL: u8 = 0x87;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_CHECKSIG: u8 = 0xac;

/// The hash whose first four bytes end an address in base58.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// SHA-256 twice.
    #[default]
    Sha256d,
    /// Grøstl-512 twice: Groestlcoin.
    Groestl,
}

impl Checksum {
    fn of(self, payload: &[u8]) -> [u8; 4] {
        let first = |hash: &[u8]| hash.first_chunk::<4>().copied().unwrap_or_default();
        match self {
            Self::Sha256d => first(&sha256d(payload).0),
            Self::Groestl => first(&ids::groestl(payload)),
        }
    }
}

/// How one network of a coin writes addresses. Empty lists: the coin file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Version bytes of pay-to-public-key-hash addresses (some coins have several).
    pub pubkey_hash: Vec<u8>,
    /// Version bytes of pay-to-script-hash addresses.
    pub script_hash: Vec<u8>,
    /// Human-readable part of segwit addresses (BIP 173, 350).
    pub segwit_hrp: Option<String>,
    /// Prefix of cashaddr addresses (Bitcoin Cash), without the colon.
    #[serde(default)]
    pub cashaddr: Option<String>,
    /// What ends addresses in base58.
    #[serde(default)]
    pub checksum: Checksum,
    /// Version byte of private keys in base58 (WIF): for who shows the coin's facts.
    #[serde(default)]
    pub wif: Option<u8>,
}

impl Rules {
    /// Whether the coin file says nothing about this network.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pubkey_hash.is_empty()
            && self.script_hash.is_empty()
            && self.segwit_hrp.is_none()
            && self.cashaddr.is_none()
    }
}

/// Why a text is not an address of the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither base58check nor segwit nor cashaddr.
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
    if let Some(prefix) = &rules.cashaddr
        && let Some((script, is_foreign)) = cashaddr::script(address, prefix)
    {
        return if is_foreign { Err(other()) } else { Ok(script) };
    }
    match base58(address, rules.checksum) {
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
/// network writes it, in cashaddr where it has that, by the first version of each list; `None` for
/// other scripts and when the rules do not say.
#[must_use]
pub fn encode(script: &[u8], rules: &Rules) -> Option<String> {
    let written = |hash: &[u8], is_script: bool| {
        if let Some(prefix) = &rules.cashaddr {
            return cashaddr::encode(hash, is_script, prefix);
        }
        let versions = if is_script { &rules.script_hash } else { &rules.pubkey_hash };
        let mut bytes = [&[*versions.first()?], hash].concat();
        bytes.extend(rules.checksum.of(&bytes));
        Some(bs58::encode(bytes).into_string())
    };
    match script {
        [OP_DUP, OP_HASH160, 20, hash @ .., OP_EQUALVERIFY, OP_CHECKSIG] if hash.len() == 20 => {
            written(hash, false)
        }
        [OP_HASH160, 20, hash @ .., OP_EQUAL] if hash.len() == 20 => written(hash, true),
        [OP_HASH256, 32, hash @ .., OP_EQUAL] if hash.len() == 32 && rules.cashaddr.is_some() => {
            written(hash, true)
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

/// Version byte and hash of a base58 text of 21 bytes and their checksum.
fn base58(address: &str, checksum: Checksum) -> Option<(u8, [u8; 20])> {
    // 25 bytes are at most 35 digits; base58 takes quadratic time, so nothing longer is tried.
    if address.len() > 40 {
        return None;
    }
    let bytes = bs58::decode(address).into_vec().ok()?;
    let (payload, sum) = bytes.split_last_chunk::<4>()?;
    if checksum.of(payload) != *sum {
        return None;
    }
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
