//! The calls that romp makes, with their answers as checked values.

use super::client::Client;
use super::error::{CallError, Fault};
use crate::chain::{Hash, Network, hex_decode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Characters of a network's name that are kept: it goes into `status` and the log.
const LONGEST_NAME: usize = 64;

/// What a daemon says about its chain.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainInfo {
    /// Which of the coin's networks; `None` when the daemon uses a name that romp does not know.
    pub network: Option<Network>,
    /// The daemon's own name for the network: `main`, `test`, `testnet4`, `signet`, `regtest`.
    pub chain: String,
    /// Height of the tip.
    pub blocks: u64,
    /// Height of the best header: more than `blocks` while it is catching up.
    pub headers: u64,
    /// Hash of the tip.
    pub best: Hash,
    /// Network difficulty as the daemon counts it, if it is one number.
    pub difficulty: Option<f64>,
    /// The daemon says that it is still in its initial download.
    pub initial_download: bool,
    /// About when the tip was made, unix seconds: `time`, or `mediantime` (some blocks earlier).
    pub tip_time: Option<u64>,
    /// `difficulty` has a proof-of-stake part. Where it has none, [`tells_stake`] may know more.
    pub proof_of_stake: bool,
}

#[derive(Deserialize)]
struct RawChainInfo {
    chain: String,
    blocks: u64,
    headers: Option<u64>,
    bestblockhash: Hash,
    #[serde(default)]
    difficulty: Value,
    #[serde(default)]
    initialblockdownload: bool,
    #[serde(default)]
    time: Value,
    #[serde(default)]
    mediantime: Value,
}

#[derive(Deserialize)]
struct RawInfo {
    blocks: u64,
    #[serde(default)]
    difficulty: Value,
    #[serde(default)]
    testnet: bool,
}

#[derive(Deserialize)]
struct RawRpcInfo {
    active_commands: Vec<RawCommand>,
}

#[derive(Deserialize)]
struct RawCommand {
    method: String,
    /// Microseconds.
    duration: i64,
}

#[derive(Deserialize)]
struct RawVersion {
    protocolversion: u32,
}

#[derive(Deserialize)]
struct RawAddress {
    isvalid: bool,
    #[serde(rename = "scriptPubKey")]
    script: Option<String>,
}

#[derive(Deserialize)]
struct RawKey {
    #[serde(default)]
    pubkey: Option<String>,
    #[serde(default)]
    ismine: Option<bool>,
}

/// What a daemon says of a block that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct BlockInfo {
    /// Blocks from it to the tip, itself counted; -1: not in the main chain.
    pub confirmations: i64,
    /// Its height, where the daemon tells.
    #[serde(default)]
    pub height: Option<u64>,
}

/// How many of the daemon's RPC threads have been busy with `method` for a second or longer
/// (`getrpcinfo`): waiting, that is.
///
/// # Errors
/// [`CallError`]; daemons older than Bitcoin Core 0.18 do not know the method.
pub fn waiting_calls(client: &Client, method: &str) -> Result<usize, CallError> {
    let answer = client.call("getrpcinfo", json!([]))?;
    let info: RawRpcInfo = read(client, "getrpcinfo", &answer)?;
    let waits = |call: &&RawCommand| call.method == method && call.duration >= 1_000_000;
    Ok(info.active_commands.iter().filter(waits).count())
}

/// The protocol version that the daemon speaks to its peers: `getnetworkinfo`, or `getinfo`.
///
/// # Errors
/// [`CallError`] of the call that failed.
pub fn protocol_version(client: &Client) -> Result<u32, CallError> {
    let (method, answer) = match client.call("getnetworkinfo", json!([])) {
        Err(error) if error.is_unknown_method() => ("getinfo", client.call("getinfo", json!([]))?),
        answer => ("getnetworkinfo", answer?),
    };
    let info: RawVersion = read(client, method, &answer)?;
    Ok(info.protocolversion)
}

/// `getblockchaininfo`; on a daemon that does not know it (or `old`, the coin file's `hasGetInfo`)
/// `getinfo` and `getblockhash` of the height that it tells: the tip may be another one by then.
///
/// # Errors
/// [`CallError`] of the call that failed.
pub fn chain_info(client: &Client, old: bool) -> Result<ChainInfo, CallError> {
    if !old {
        let method = "getblockchaininfo";
        match client.call(method, json!([])) {
            Ok(answer) => return Ok(modern(read(client, method, &answer)?)),
            Err(error) if !error.is_unknown_method() => return Err(error),
            Err(_) => {}
        }
    }
    let info: RawInfo = match client.call("getinfo", json!([])) {
        Ok(answer) => read(client, "getinfo", &answer)?,
        // Coin files say hasGetInfo of daemons that have dropped it since.
        Err(error) if old && error.is_unknown_method() => return chain_info(client, false),
        Err(error) => return Err(error),
    };
    let best = block_hash(client, info.blocks)?;
    let network = if info.testnet { Network::Test } else { Network::Main };
    Ok(ChainInfo {
        network: Some(network),
        chain: if info.testnet { "test" } else { "main" }.to_owned(),
        blocks: info.blocks,
        headers: info.blocks,
        best,
        difficulty: number(&info.difficulty),
        initial_download: false,
        tip_time: None,
        proof_of_stake: has_stake(&info.difficulty),
    })
}

fn modern(raw: RawChainInfo) -> ChainInfo {
    let network = match raw.chain.as_str() {
        "main" => Some(Network::Main),
        "test" | "testnet" | "testnet3" | "testnet4" | "signet" => Some(Network::Test),
        "regtest" => Some(Network::Regtest),
        _ => None,
    };
    ChainInfo {
        network,
        blocks: raw.blocks,
        headers: raw.headers.unwrap_or(raw.blocks).max(raw.blocks),
        best: raw.bestblockhash,
        difficulty: number(&raw.difficulty),
        initial_download: raw.initialblockdownload,
        tip_time: raw.time.as_u64().or(raw.mediantime.as_u64()),
        proof_of_stake: has_stake(&raw.difficulty),
        chain: raw.chain.chars().take(LONGEST_NAME).collect(),
    }
}

fn number(difficulty: &Value) -> Option<f64> {
    difficulty.as_f64().or_else(|| difficulty.get("proof-of-work")?.as_f64())
}

fn has_stake(difficulty: &Value) -> bool {
    difficulty.get("proof-of-stake").is_some()
}

/// Errors of a daemon that may answer later: warming up, still downloading, safe mode, out of order.
const LATER: [i64; 4] = [-28, -10, -2, -32603];

/// `getdifficulty`: whether it has a proof-of-stake part. A daemon that does not know the call, or
/// may not answer it (rpcwhitelist), has none.
///
/// # Errors
/// [`CallError`] when there is no answer.
pub fn tells_stake(client: &Client) -> Result<bool, CallError> {
    let method = "getdifficulty";
    match client.call(method, json!([])) {
        Ok(answer) => Ok(has_stake(&read(client, method, &answer)?)),
        Err(error) if error.code().is_some_and(|code| !LATER.contains(&code)) => Ok(false),
        Err(CallError { fault: Fault::Auth(403) | Fault::Http(404 | 405, _), .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `validateaddress`, or `getaddressinfo` where that tells no keys: the public key of an address of
/// the daemon's wallet, 33 or 65 bytes; `None` when the daemon does not know it.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn public_key(client: &Client, address: &str) -> Result<Option<Vec<u8>>, CallError> {
    for method in ["validateaddress", "getaddressinfo"] {
        let answer = match client.call(method, json!([address])) {
            // No address, no wallet, or no such call.
            Err(error) if error.code().is_some_and(|code| !LATER.contains(&code)) => continue,
            Err(CallError { fault: Fault::Auth(403), .. }) => continue,
            answer => answer?,
        };
        let known: RawKey = read(client, method, &answer)?;
        // The daemon signs with it, so a key that it only watches is none.
        let key = known.pubkey.filter(|_| known.ismine != Some(false));
        let key = key.and_then(|text| hex_decode(&text));
        let key =
            key.filter(|key| matches!((key.first(), key.len()), (Some(2 | 3), 33) | (Some(4), 65)));
        if key.is_some() {
            return Ok(key);
        }
    }
    Ok(None)
}

/// `getblockhash`: the block of the daemon's chain at a height.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn block_hash(client: &Client, height: u64) -> Result<Hash, CallError> {
    let answer = client.call("getblockhash", json!([height]))?;
    read(client, "getblockhash", &answer)
}

/// `getblockheader`, `None` when the daemon does not know the block. Asks `getblock` where there is
/// no `getblockheader`.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn block_info(client: &Client, hash: &Hash) -> Result<Option<BlockInfo>, CallError> {
    let mut method = "getblockheader";
    let mut answer = client.call(method, json!([hash.to_string()]));
    if answer.as_ref().is_err_and(CallError::is_unknown_method) {
        method = "getblock";
        answer = client.call(method, json!([hash.to_string()]));
    }
    match answer {
        Ok(answer) => read(client, method, &answer).map(Some),
        Err(error) if error.code() == Some(-5) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `submitblock`, or `getblocktemplate` in its submit mode (BIP 22) where there is none. The
/// answer is for [`super::submit::classify`].
///
/// # Errors
/// [`CallError`] when the daemon gave an error or none at all.
pub fn submit_block(client: &Client, block_hex: &str) -> Result<Box<RawValue>, CallError> {
    match client.call("submitblock", json!([block_hex])) {
        Err(error) if error.is_unknown_method() => {
            client.call("getblocktemplate", json!([{"mode": "submit", "data": block_hex}]))
        }
        answer => answer,
    }
}

/// `validateaddress`: the output script of an address; `None` when the daemon says that it is no
/// address of its network.
///
/// # Errors
/// [`CallError`] when there is no usable answer, also when an old daemon calls the address valid
/// without telling its script.
pub fn script_of(client: &Client, address: &str) -> Result<Option<Vec<u8>>, CallError> {
    let method = "validateaddress";
    let answer: RawAddress = read(client, method, &client.call(method, json!([address]))?)?;
    if !answer.isvalid {
        return Ok(None);
    }
    let garbage = |what: &str| client.error(method, Fault::Garbage(what.to_owned()));
    let text = answer.script.ok_or_else(|| {
        garbage(
            "the daemon calls the address valid but does not tell its script; add the coin's \
             address versions to the coin file",
        )
    })?;
    match hex_decode(&text) {
        Some(script) if !script.is_empty() => Ok(Some(script)),
        _ => Err(garbage("`scriptPubKey` is not hex")),
    }
}

/// A result as a typed value.
pub(super) fn read<T: DeserializeOwned>(
    client: &Client,
    method: &str,
    answer: &RawValue,
) -> Result<T, CallError> {
    serde_json::from_str(answer.get()).map_err(|error| {
        // The error quotes what it did not expect, which may be a megabyte.
        let words = client.excerpt(&format!("its result: {error}"));
        client.error(method, Fault::Garbage(words))
    })
}
