//! The calls by which a daemon is examined before it is trusted with work.

use super::calls::read;
use super::client::Client;
use super::error::{CallError, Fault};
use crate::chain::{Hash, hex_decode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    /// Its name and version, e.g. `/LitecoinCore:0.21.2.1/`.
    pub version: String,
    /// Its connections to other nodes.
    pub count: u64,
}

#[derive(Deserialize)]
struct RawPeers {
    subversion: Option<String>,
    #[serde(default)]
    version: Value,
    connections: u64,
}

#[derive(Deserialize)]
struct RawLock {
    unlocked_until: Option<u64>,
}

#[derive(Deserialize)]
struct RawOwner {
    ismine: Option<bool>,
}

/// `getnetworkinfo` (old daemons: `getinfo`).
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn peers(client: &Client) -> Result<Peers, CallError> {
    let mut method = "getnetworkinfo";
    let mut answer = client.call(method, json!([]));
    if answer.as_ref().is_err_and(CallError::is_unknown_method) {
        method = "getinfo";
        answer = client.call(method, json!([]));
    }
    let raw: RawPeers = read(client, method, &answer?)?;
    // It goes to logs and terminals.
    let clean = |text: String| text.chars().filter(|c| !c.is_control()).take(100).collect();
    let version = raw.subversion.unwrap_or_else(|| raw.version.to_string());
    Ok(Peers { version: clean(version), count: raw.connections })
}

/// `getblockheader` as bytes; `None` when the daemon gives no bytes (it is too old to know the
/// call, or to know that form of it).
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn raw_header(client: &Client, hash: &Hash) -> Result<Option<Vec<u8>>, CallError> {
    let method = "getblockheader";
    match client.call(method, json!([hash.to_string(), false])) {
        Ok(answer) => match read::<Value>(client, method, &answer)? {
            Value::String(text) => hex_decode(&text)
                .map(Some)
                .ok_or_else(|| client.error(method, Fault::Garbage("not hex".to_owned()))),
            _ => Ok(None),
        },
        Err(error) if error.is_unknown_method() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `getaddressinfo` (old daemons: `validateaddress`): whether the daemon's wallet owns an address;
/// `None` when the daemon does not say.
///
/// # Errors
/// [`CallError`], with code -18 when no wallet is loaded.
pub fn owns(client: &Client, address: &str) -> Result<Option<bool>, CallError> {
    let mut method = "getaddressinfo";
    let mut answer = client.call(method, json!([address]));
    if answer.as_ref().is_err_and(CallError::is_unknown_method) {
        method = "validateaddress";
        answer = client.call(method, json!([address]));
    }
    Ok(read::<RawOwner>(client, method, &answer?)?.ismine)
}

/// `getwalletinfo` (old daemons: `getinfo`): whether the daemon's wallet is encrypted and locked;
/// `None`: it is not encrypted, or the daemon does not say.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn is_locked(client: &Client) -> Result<Option<bool>, CallError> {
    let mut method = "getwalletinfo";
    let mut answer = client.call(method, json!([]));
    if answer.as_ref().is_err_and(CallError::is_unknown_method) {
        method = "getinfo";
        answer = client.call(method, json!([]));
    }
    let raw: RawLock = read(client, method, &answer?)?;
    Ok(raw.unlocked_until.map(|until| until == 0))
}

/// `getblocktemplate` in its `proposal` mode (BIP 23): everything about a block is judged but its
/// proof of work. `null` is a good block.
///
/// # Errors
/// [`CallError`] when the daemon gave an error or none at all.
pub fn propose(
    client: &Client,
    rules: &[String],
    block_hex: &str,
) -> Result<Box<RawValue>, CallError> {
    let request = json!([{"mode": "proposal", "rules": rules, "data": block_hex}]);
    client.call("getblocktemplate", request)
}
