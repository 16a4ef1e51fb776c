//! The calls of a daemon's wallet that payments make.

use super::calls::read;
use super::client::Client;
use super::error::{CallError, Fault};
use crate::chain::transaction::Transaction;
use crate::chain::{Hash, hex_decode, hex_encode};
use crate::rewards::Amount;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A transaction as the wallet knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletTransaction {
    /// Blocks on top of it, its own counted; 0: not in the chain; below 0: another transaction that
    /// spends the same stands so many blocks deep.
    pub confirmations: i64,
    /// What it brings to the wallet, coinbase outputs only: category and amount.
    pub mined: Vec<(Mined, Amount)>,
    /// Other transactions of the wallet that spend the same.
    pub conflicts: Vec<Hash>,
    /// The block that it is in, where the wallet tells.
    pub block: Option<Hash>,
    /// Its bytes; empty where the wallet does not tell.
    pub bytes: Vec<u8>,
    /// What the wallet paid for it; 0 where it does not tell.
    pub fee: Amount,
}

/// What the wallet says of a coinbase output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mined {
    /// It can be spent.
    Generate,
    /// It cannot be spent yet.
    Immature,
    /// Its block is not in the chain.
    Orphan,
}

#[derive(Deserialize)]
struct RawTransaction {
    confirmations: i64,
    #[serde(default)]
    details: Vec<RawDetail>,
    #[serde(default)]
    walletconflicts: Vec<Hash>,
    blockhash: Option<Hash>,
    #[serde(default)]
    hex: String,
    fee: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RawDetail {
    category: String,
    amount: Box<RawValue>,
}

#[derive(Deserialize)]
struct RawFunded {
    hex: String,
    fee: Box<RawValue>,
}

#[derive(Deserialize)]
struct RawSigned {
    hex: String,
    complete: bool,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
struct RawVerdict {
    allowed: bool,
    #[serde(rename = "reject-reason")]
    reject_reason: Option<String>,
}

/// A transaction that the wallet has given inputs and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funded {
    /// Its bytes, not signed.
    pub bytes: Vec<u8>,
    /// What it pays to miners.
    pub fee: Amount,
}

/// An amount exactly as it is written; exponents, as in `1e-8`, are understood.
pub(super) fn coins(client: &Client, method: &str, text: &str) -> Result<Amount, CallError> {
    let plain = match text.split_once(['e', 'E']) {
        None => Some(text.to_owned()),
        Some((digits, exponent)) => scaled(digits, exponent),
    };
    plain.and_then(|text| Amount::from_coins(&text).ok()).ok_or_else(|| {
        let words =
            format!("`{}` is no amount of coins", text.chars().take(40).collect::<String>());
        client.error(method, Fault::Garbage(words))
    })
}

/// `digits` with the point moved to the left, as daemons that print by `%g` mean it.
fn scaled(digits: &str, exponent: &str) -> Option<String> {
    let places =
        exponent.strip_prefix('-')?.parse::<usize>().ok().filter(|&places| places <= 16)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{whole:0>places$}");
    let (whole, moved) = padded.split_at_checked(padded.len() - places)?;
    Some(format!("{whole}.{moved}{fraction}"))
}

/// `gettransaction`; `None` when the wallet does not know it (error -5).
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn transaction(client: &Client, txid: &Hash) -> Result<Option<WalletTransaction>, CallError> {
    let method = "gettransaction";
    let answer = match client.call(method, json!([txid.to_string()])) {
        Err(error) if error.code() == Some(-5) => return Ok(None),
        answer => answer?,
    };
    let raw: RawTransaction = read(client, method, &answer)?;
    let mut mined = Vec::new();
    for detail in &raw.details {
        let category = match detail.category.as_str() {
            "generate" => Mined::Generate,
            "immature" => Mined::Immature,
            "orphan" => Mined::Orphan,
            _ => continue,
        };
        mined.push((category, coins(client, method, detail.amount.get())?));
    }
    Ok(Some(WalletTransaction {
        confirmations: raw.confirmations,
        mined,
        conflicts: raw.walletconflicts,
        block: raw.blockhash,
        bytes: hex_decode(&raw.hex).unwrap_or_default(),
        // Told below zero.
        fee: raw
            .fee
            .and_then(|fee| coins(client, method, fee.get().trim_start_matches('-')).ok())
            .unwrap_or_default(),
    }))
}

/// A transaction of the wallet and its bytes: those that it tells, or, where it tells none (Bitcoin
/// before 0.9), those of `getrawtransaction`, which has what is not in the chain yet, or not spent,
/// or indexed. `None`: the wallet does not know it. Without bytes: nobody tells any that are its own.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn whole(
    client: &Client,
    txid: &Hash,
) -> Result<Option<(WalletTransaction, Option<Transaction>)>, CallError> {
    let Some(mut known) = transaction(client, txid)? else { return Ok(None) };
    let own = |bytes: &[u8]| Transaction::named(bytes, txid);
    if let Some(read) = own(&known.bytes) {
        return Ok(Some((known, Some(read))));
    }
    let method = "getrawtransaction";
    known.bytes = match client.call(method, json!([txid.to_string()])) {
        Ok(answer) => hex_decode(&read::<String>(client, method, &answer)?).unwrap_or_default(),
        Err(error) if error.code().is_some_and(|code| code != -28) => Vec::new(),
        Err(error) => return Err(error),
    };
    let read = own(&known.bytes);
    Ok(Some((known, read)))
}

/// `getbalance`: what the wallet can spend now.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn spendable(client: &Client) -> Result<Amount, CallError> {
    let method = "getbalance";
    let answer = client.call(method, json!([]))?;
    coins(client, method, answer.get())
}

/// `fundrawtransaction`: the wallet adds inputs, and change to `change_address` at place
/// `position` of the outputs.
///
/// # Errors
/// [`CallError`], the wallet's refusal among them.
pub fn fund(
    client: &Client,
    unfunded: &[u8],
    change_address: &str,
    position: usize,
) -> Result<Funded, CallError> {
    let method = "fundrawtransaction";
    let options = json!({"changeAddress": change_address, "changePosition": position});
    // Without the last word a transaction without inputs could be taken for one with a witness.
    // Daemons that know no such word (Dogecoin) say -1, and do not mistake it.
    let answer = match client.call(method, json!([hex_encode(unfunded), options, false])) {
        Err(error) if error.code() == Some(-1) => {
            client.call(method, json!([hex_encode(unfunded), options]))?
        }
        answer => answer?,
    };
    let raw: RawFunded = read(client, method, &answer)?;
    let fee = coins(client, method, raw.fee.get())?;
    let bytes = hex(client, method, &raw.hex)?;
    Ok(Funded { bytes, fee })
}

/// `signrawtransactionwithwallet`, or `signrawtransaction` where there is none.
///
/// # Errors
/// [`CallError`], also when the wallet cannot sign all of it.
pub fn sign(client: &Client, bytes: &[u8]) -> Result<Vec<u8>, CallError> {
    let mut method = "signrawtransactionwithwallet";
    let params = json!([hex_encode(bytes)]);
    let mut answer = client.call(method, params.clone());
    if answer.as_ref().is_err_and(CallError::is_unknown_method) {
        method = "signrawtransaction";
        answer = client.call(method, params);
    }
    let raw: RawSigned = read(client, method, &answer?)?;
    if !raw.complete {
        let words = format!("the wallet cannot sign all inputs: {}", json!(raw.errors));
        return Err(client.error(method, Fault::Garbage(words)));
    }
    hex(client, method, &raw.hex)
}

/// What a daemon says of a transaction before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would take it.
    Good,
    /// It would not, and why.
    Refused(String),
    /// It cannot be asked: older than Bitcoin 0.17, or of that descent.
    Untold,
}

/// `testmempoolaccept`: whether the daemon would take a transaction.
///
/// # Errors
/// [`CallError`] when there is no usable answer.
pub fn verdict(client: &Client, bytes: &[u8]) -> Result<Verdict, CallError> {
    let method = "testmempoolaccept";
    let answer = match client.call(method, json!([[hex_encode(bytes)]])) {
        Err(error) if error.is_unknown_method() => return Ok(Verdict::Untold),
        answer => answer?,
    };
    let verdicts: Vec<RawVerdict> = read(client, method, &answer)?;
    let refused = verdicts.into_iter().find(|verdict| !verdict.allowed);
    Ok(refused.map_or(Verdict::Good, |verdict| {
        let reason = verdict.reject_reason.unwrap_or_default();
        Verdict::Refused(reason.chars().filter(|c| !c.is_control()).take(100).collect())
    }))
}

/// `sendrawtransaction`: the id of the transaction that the daemon took or already had.
///
/// # Errors
/// [`CallError`], a refusal among them.
pub fn send(client: &Client, hex: &str) -> Result<Hash, CallError> {
    let method = "sendrawtransaction";
    let answer = client.call(method, json!([hex]))?;
    read(client, method, &answer)
}

fn hex(client: &Client, method: &str, text: &str) -> Result<Vec<u8>, CallError> {
    let garbage = || client.error(method, Fault::Garbage("`hex` is not hex".to_owned()));
    hex_decode(text).filter(|bytes| !bytes.is_empty()).ok_or_else(garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_may_be_written_with_an_exponent() {
        assert_eq!(scaled("1", "-8").as_deref(), Some(".00000001"));
        assert_eq!(scaled("1.5", "-7").as_deref(), Some(".00000015"));
        assert_eq!(scaled("12.5", "-1").as_deref(), Some("1.25"));
        assert_eq!(scaled("1", "8"), None);
        assert_eq!(scaled("1", "-99"), None);
    }
}
