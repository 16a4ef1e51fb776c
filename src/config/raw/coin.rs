//! `coins/*.json` as written.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A coin: `coins/*.json`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawCoin {
    /// For editors: where the JSON Schema of this file is.
    #[serde(rename = "$schema")]
    pub(in crate::config) schema: Option<String>,
    /// Name; lower-cased it is the coin's identity everywhere.
    pub(in crate::config) name: Option<String>,
    /// Ticker symbol.
    pub(in crate::config) symbol: Option<String>,
    /// Proof-of-work algorithm.
    pub(in crate::config) algorithm: Option<String>,
    /// Transaction messages: coinbase transactions of version 2 with a trailing text.
    pub(in crate::config) tx_messages: Option<RawFlag>,
    /// The daemon is old and has `getinfo` instead of `getblockchaininfo`.
    pub(in crate::config) has_get_info: Option<bool>,
    /// "POW" or "POS"; default: found out from the daemon.
    pub(in crate::config) reward: Option<String>,
    /// More fields of templates that demand outputs of each block, by name.
    pub(in crate::config) payees: Option<BTreeMap<String, RawPayee>>,
    /// scrypt's N; default 1024.
    pub(in crate::config) n_value: Option<u64>,
    /// scrypt's r; default 1.
    pub(in crate::config) r_value: Option<u64>,
    /// scrypt-jane: start of the chain, Unix time.
    pub(in crate::config) chain_start_time: Option<u64>,
    /// scrypt-jane: least N factor.
    pub(in crate::config) n_min: Option<u64>,
    /// scrypt-jane: greatest N factor.
    pub(in crate::config) n_max: Option<u64>,
    /// scrypt-n: Unix time from which each N holds, by N.
    pub(in crate::config) time_table: Option<BTreeMap<String, u64>>,
    /// keccak: hash as everybody else (twice, coinbase with SHA-256d).
    pub(in crate::config) normal_hashing: Option<bool>,
    /// In NOMP's files, never read.
    pub(in crate::config) diff_shift: Option<f64>,
    /// Message start of the main network, hex, wire order.
    pub(in crate::config) peer_magic: Option<String>,
    /// Message start of the test network, hex, wire order.
    pub(in crate::config) peer_magic_testnet: Option<String>,
    /// As `peerMagicTestnet`; NOMP's files spell it so, NOMP never read it.
    pub(in crate::config) peer_magic_test_net: Option<String>,
    /// Factor for share difficulties written to MPOS.
    pub(in crate::config) mpos_diff_multiplier: Option<f64>,
    /// Address versions and message start by network.
    pub(in crate::config) networks: Option<RawNetworks>,
    /// Rules for getblocktemplate; default segwit.
    pub(in crate::config) template_rules: Option<Vec<String>>,
    /// What getblocktemplate is told beside its request: the algorithm, of a coin of several.
    pub(in crate::config) template_algorithm: Option<String>,
    /// The coin has blocks of several algorithms; `templateAlgorithm` says so, too.
    pub(in crate::config) several_algorithms: Option<bool>,
    /// "proof-of-work" or "sha256d": what a block is known by; default: by the algorithm.
    pub(in crate::config) block_id: Option<String>,
    /// "sha256" or "sha256d": what makes a transaction's id; default: by the algorithm.
    pub(in crate::config) transaction_id: Option<String>,
    /// "sha256d" or "groestl": what ends addresses in base58; default "sha256d".
    pub(in crate::config) address_checksum: Option<String>,
    /// Version bits that miners of the coin may roll at most, 8 hex digits; 0: none.
    pub(in crate::config) version_mask: Option<String>,
    /// Seconds between blocks aimed at.
    pub(in crate::config) block_time: Option<u32>,
    /// Links by kind (block, transaction, address), with {} for the value.
    pub(in crate::config) explorer: Option<BTreeMap<String, String>>,
}

/// A field of the coin's templates that demands outputs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawPayee {
    /// The field with the amount, where this one is only an address.
    pub(in crate::config) amount: Option<String>,
    /// It comes on top of `coinbasevalue`.
    pub(in crate::config) on_top: Option<bool>,
}

/// The coin's networks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawNetworks {
    /// The coin's money.
    pub(in crate::config) main: Option<RawNetwork>,
    /// The public test network.
    pub(in crate::config) test: Option<RawNetwork>,
    /// The private regression-test network.
    pub(in crate::config) regtest: Option<RawNetwork>,
}

/// One network.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawNetwork {
    /// Version byte, or bytes, of pay-to-public-key-hash addresses.
    pub(in crate::config) pubkey_hash: Option<RawBytes>,
    /// Version byte, or bytes, of pay-to-script-hash addresses.
    pub(in crate::config) script_hash: Option<RawBytes>,
    /// Human-readable part of segwit addresses.
    pub(in crate::config) segwit_hrp: Option<String>,
    /// Prefix of cashaddr addresses (Bitcoin Cash), without the colon.
    pub(in crate::config) cashaddr_prefix: Option<String>,
    /// Version byte of private keys (WIF): for wallets that ask the site; romp holds no key.
    pub(in crate::config) wif: Option<u8>,
    /// Message start, hex, wire order.
    pub(in crate::config) magic: Option<String>,
}

/// Yes or no; or text, in NOMP's file of Tekcoin.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true or false")]
pub(in crate::config) enum RawFlag {
    /// As it should be.
    Flag(bool),
    /// Which NOMP takes as false, whatever it says.
    Text(String),
}

/// One byte or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number from 0 to 255, or a list of them")]
pub(in crate::config) enum RawBytes {
    /// One.
    One(u8),
    /// Several.
    Many(Vec<u8>),
}
