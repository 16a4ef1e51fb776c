//! The calls that complete what is known of a block that another program found.

use super::calls::read;
use super::client::Client;
use super::error::CallError;
use super::wallet;
use crate::chain::{Hash, hex_decode};
use serde::Deserialize;
use serde_json::json;

/// A block as a daemon knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockFacts {
    /// Blocks from it to the tip, itself counted; -1: not in the main chain.
    pub confirmations: i64,
    /// Its height, where the daemon tells.
    pub height: Option<u64>,
    /// When it says that it was made, unix seconds.
    pub time: u64,
    /// Id of its coinbase transaction.
    pub coinbase: Hash,
}

#[derive(Deserialize)]
struct RawBlock {
    confirmations: i64,
    height: Option<u64>,
    time: u64,
    tx: Vec<Hash>,
}

/// `getblock`; `None` when the daemon does not know the block (error -5).
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn block_facts(client: &Client, hash: &Hash) -> Result<Option<BlockFacts>, CallError> {
    let method = "getblock";
    let answer = match client.call(method, json!([hash.to_string()])) {
        Err(error) if error.code() == Some(-5) => return Ok(None),
        answer => answer?,
    };
    let raw: RawBlock = read(client, method, &answer)?;
    let Some(&coinbase) = raw.tx.first() else {
        let words = "a block without transactions".to_owned();
        return Err(client.error(method, super::Fault::Garbage(words)));
    };
    let RawBlock { confirmations, height, time, .. } = raw;
    Ok(Some(BlockFacts { confirmations, height, time, coinbase }))
}

/// The bytes of a block's coinbase: from the wallet (`gettransaction`), which knows it when it is
/// the pool's, or from the daemon (`getrawtransaction` with the block's hash). `None`: neither
/// tells.
///
/// # Errors
/// [`CallError`] when the wallet gives no usable answer.
pub fn coinbase(
    client: &Client,
    wallet: &Client,
    transaction: &Hash,
    block: &Hash,
) -> Result<Option<Vec<u8>>, CallError> {
    let known = match wallet::transaction(wallet, transaction) {
        Err(error) if error.code().is_some() => None,
        known => known?.map(|known| known.bytes),
    };
    if let Some(bytes) = known.filter(|bytes| !bytes.is_empty()) {
        return Ok(Some(bytes));
    }
    let method = "getrawtransaction";
    match client.call(method, json!([transaction.to_string(), false, block.to_string()])) {
        Ok(answer) => Ok(hex_decode(&read::<String>(client, method, &answer)?)),
        // Too old for the third word, or it has no index and does not look.
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}
