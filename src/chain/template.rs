//! `getblocktemplate`'s answer (BIP 22, 23, 145), parsed and checked.
//!
//! A daemon's reply is outside data like any other: every field is checked for shape and size, and
//! an error names the field, so that the operator sees which daemon sent what.

mod payee;

pub use payee::PayeeField;
pub(super) use payee::{Payee, Payment};

use super::{Hash, Target, hex_array, hex_decode, sha256d};
use crate::pow::ids::TransactionId;
use crate::rewards::Amount;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

/// A block template as the daemon gave it, every field checked for shape.
#[derive(Debug, Clone)]
pub struct Template {
    /// Header version.
    pub version: u32,
    /// Hash of the block to build on.
    pub previous: Hash,
    /// Height of the block to build.
    pub height: u64,
    /// Daemon's time, unix seconds (at least `min_time`).
    pub time: u32,
    /// Earliest allowed header time, unix seconds (`time` when the daemon does not say).
    pub min_time: u32,
    /// Compact target.
    pub bits: u32,
    /// The target (from `target`, or from `bits` when absent).
    pub target: Target,
    /// Reward and fees available to the coinbase.
    pub coinbase_value: Amount,
    /// The transactions' bytes, in template order.
    pub(super) data: Vec<u8>,
    /// Their ids, internal order.
    pub(super) txids: Vec<Hash>,
    /// Script of the witness commitment output (BIP 141).
    pub(super) witness_commitment: Option<Vec<u8>>,
    /// `coinbaseaux.flags`: script bytes to put into the coinbase (BIP 22).
    pub(super) aux_flags: Vec<u8>,
    /// Extra payload of the coinbase (Dash DIP 4), without its length.
    pub(super) payload: Option<Vec<u8>>,
    /// Outputs that the coin demands, in the order in which they are paid.
    pub(super) payments: Vec<Payment>,
    /// `masternode_payments` and its `votes`, as the block carries them (Darkcoin).
    pub(super) votes: Option<Vec<Vec<u8>>>,
    /// MWEB extension block (Litecoin LIP 2, 3).
    pub(super) mweb: Option<Vec<u8>>,
    /// The first transaction, by its place, whose bytes do not have the id that the daemon says.
    /// Not refused here: coins may make ids in their own way.
    pub foreign_id: Option<usize>,
    /// `longpollid` (BIP 22): asked with it, the daemon answers when it has something newer.
    /// `None` when it gives none, or one that is no short text.
    pub long_poll_id: Option<String>,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not JSON of the expected shape.
    #[error("the template is not usable: {0}")]
    Shape(String),
}

/// Most transactions in one block: 20 levels of merkle branch.
const MOST_TRANSACTIONS: usize = (1 << 20) - 1;
/// Most bytes of transactions, or of the MWEB extension.
const MOST_BYTES: usize = 64 << 20;
/// Most bytes of one output script (consensus' limit for a spendable one).
const LONGEST_SCRIPT: usize = 10_000;
/// Most bytes of a coinbase payload (Dash's `MAX_TX_EXTRA_PAYLOAD`).
const LONGEST_PAYLOAD: usize = 10_000;
/// Most bytes of a `longpollid`, which goes back to the daemon.
const LONGEST_POLL_ID: usize = 256;
/// What a witness commitment output begins with: `OP_RETURN`, push 36, magic (BIP 141).
const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// Rules that the daemon may mark as needing a miner's support (`!rule`) and that we support.
const KNOWN_RULES: [&str; 4] = ["csv", "segwit", "taproot", "mweb"];

/// The template as written.
#[derive(Deserialize)]
struct Raw<'a> {
    version: i64,
    previousblockhash: Hash,
    #[serde(borrow)]
    transactions: Vec<RawTransaction<'a>>,
    coinbasevalue: u64,
    curtime: u32,
    mintime: Option<u32>,
    #[serde(borrow)]
    bits: Cow<'a, str>,
    height: u32,
    sizelimit: Option<u64>,
    target: Option<Target>,
    #[serde(borrow)]
    default_witness_commitment: Option<Cow<'a, str>>,
    coinbaseaux: Option<BTreeMap<String, Value>>,
    #[serde(borrow)]
    coinbase_payload: Option<Cow<'a, str>>,
    masternode_payments: Option<Value>,
    votes: Option<Vec<String>>,
    #[serde(borrow)]
    mweb: Option<Cow<'a, str>>,
    longpollid: Option<Value>,
    #[serde(default)]
    rules: Vec<String>,
    payee: Option<String>,
    payee_amount: Option<u64>,
    masternode: Option<Value>,
    superblock: Option<Value>,
    znode: Option<Value>,
    evoznode: Option<Value>,
    smartnode: Option<Value>,
    founder: Option<Value>,
    founderreward: Option<Value>,
    foundation: Option<Value>,
    community: Option<Value>,
    fundingstreams: Option<Value>,
    devfee: Option<Value>,
    devreward: Option<Value>,
    coinbase_devreward: Option<Value>,
    coinbasedevreward: Option<Value>,
}

#[derive(Deserialize)]
struct RawTransaction<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    txid: Option<Hash>,
    hash: Option<Hash>,
}

/// Bytes that an error may have: it quotes the daemon, whose texts may be megabytes.
const LONGEST_ERROR: usize = 400;

fn shape(text: impl Into<String>) -> TemplateError {
    let mut text = text.into();
    text.truncate(text.floor_char_boundary(LONGEST_ERROR));
    TemplateError::Shape(text)
}

/// Decodes a field's hex of at most `most` bytes.
fn hex_field(name: impl Display, text: &str, most: usize) -> Result<Vec<u8>, TemplateError> {
    if text.len() / 2 > most {
        return Err(shape(format!("`{name}` is longer than {most} bytes")));
    }
    hex_decode(text).ok_or_else(|| shape(format!("`{name}` is not hex")))
}

/// Whether a JSON value counts as "yes" in NOMP's language.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

impl Template {
    /// Parses the `result` of `getblocktemplate`.
    ///
    /// # Errors
    /// [`TemplateError`] naming the field that is missing or malformed.
    pub fn parse(json: &str) -> Result<Self, TemplateError> {
        Self::parse_for(json, &[])
    }

    /// [`Self::parse`] for a coin whose file names more fields with demanded outputs (`payees`).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_for(json: &str, payees: &[PayeeField]) -> Result<Self, TemplateError> {
        // Where it is wrong is looked for only when it is: templates are megabytes.
        let raw = serde_json::from_str(json).map_err(|error| shape(misshapen(json, &error)))?;
        Self::check(&raw, payee::all(&raw, json, payees)?)
    }

    fn check(raw: &Raw<'_>, demanded: payee::Demanded) -> Result<Self, TemplateError> {
        // Some daemons print the version as a negative number: the same 32 bits.
        let version = u32::try_from(raw.version)
            .or_else(|_| i32::try_from(raw.version).map(i32::cast_unsigned))
            .map_err(|_| shape("`version` does not fit 32 bits"))?;
        for rule in &raw.rules {
            if let Some(needed) = rule.strip_prefix('!')
                && !KNOWN_RULES.contains(&needed)
            {
                return Err(shape(format!(
                    "`rules`: the daemon demands support of `{needed}`, which romp does not know"
                )));
            }
        }
        let bits = hex_array(&raw.bits).map(u32::from_be_bytes);
        let bits = bits.ok_or_else(|| shape("`bits` is not 8 hex digits"))?;
        let from_bits = Target::from_compact(bits)
            .filter(|target| target.0 != 0)
            .ok_or_else(|| shape(format!("`bits` {bits:08x} is no target")))?;
        let target = raw.target.unwrap_or(from_bits);
        if target.0 == 0 {
            return Err(shape("`target` is zero"));
        }
        let witness_commitment = match raw.default_witness_commitment.as_deref() {
            None | Some("") => None,
            Some(text) => {
                const NAME: &str = "default_witness_commitment";
                let script = hex_field(NAME, text, LONGEST_SCRIPT)?;
                if script.len() < 38 || !script.starts_with(&COMMITMENT_PREFIX) {
                    return Err(shape(format!("`{NAME}` is no witness commitment (BIP 141)")));
                }
                Some(script)
            }
        };
        let payload = match raw.coinbase_payload.as_deref() {
            None | Some("") => None,
            Some(text) => Some(hex_field("coinbase_payload", text, LONGEST_PAYLOAD)?),
        };
        let mweb = match raw.mweb.as_deref() {
            None | Some("") => None,
            Some(text) => Some(hex_field("mweb", text, MOST_BYTES)?),
        };
        let aux_flags = match raw.coinbaseaux.as_ref().and_then(|aux| aux.get("flags")) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => hex_field("coinbaseaux.flags", text, LONGEST_SCRIPT)?,
            Some(_) => return Err(shape("`coinbaseaux.flags` is not hex")),
        };
        let (data, txids) = transactions(&raw.transactions)?;
        let foreign_id = foreign_id(&raw.transactions, &data);
        if raw.sizelimit.is_some_and(|limit| data.len() as u64 > limit) {
            return Err(shape(format!(
                "its transactions are {} bytes, more than its own `sizelimit`",
                data.len()
            )));
        }
        Ok(Self {
            version,
            previous: raw.previousblockhash,
            height: raw.height.into(),
            time: raw.curtime.max(raw.mintime.unwrap_or(0)),
            min_time: raw.mintime.unwrap_or(raw.curtime),
            bits,
            target,
            coinbase_value: demanded.coinbase_value,
            data,
            txids,
            witness_commitment,
            aux_flags,
            payload,
            payments: demanded.payments,
            votes: votes(raw)?,
            mweb,
            foreign_id,
            long_poll_id: long_poll_id(raw),
        })
    }

    /// Addresses of demanded outputs for which the daemon gave no script.
    pub fn payee_addresses(&self) -> impl Iterator<Item = &str> {
        self.payments.iter().filter_map(|payment| match &payment.payee {
            Payee::Address(address) => Some(address.as_str()),
            Payee::Script(_) => None,
        })
    }

    /// Sets the script of a demanded output's address (from the daemon's `validateaddress`), for
    /// coins whose file has no address versions.
    pub fn resolve_payee(&mut self, address: &str, script: &[u8]) {
        for payment in &mut self.payments {
            if matches!(&payment.payee, Payee::Address(text) if text == address) {
                payment.payee = Payee::Script(script.to_vec());
            }
        }
    }
}

/// What is wrong with the JSON, and the path to it.
fn misshapen(json: &str, error: &serde_json::Error) -> String {
    let mut reader = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, Raw<'_>>(&mut reader) {
        Err(found) if found.path().iter().next().is_some() => {
            format!("`{}`: {}", found.path(), found.inner())
        }
        _ => error.to_string(),
    }
}

/// The transactions' bytes one after another, and their ids.
fn transactions(raw: &[RawTransaction<'_>]) -> Result<(Vec<u8>, Vec<Hash>), TemplateError> {
    if raw.len() > MOST_TRANSACTIONS {
        return Err(shape(format!("`transactions` has more than {MOST_TRANSACTIONS} entries")));
    }
    let mut data = Vec::with_capacity(raw.iter().map(|one| one.data.len() / 2).sum());
    let mut txids = Vec::with_capacity(raw.len());
    for (index, one) in raw.iter().enumerate() {
        if one.data.is_empty() {
            return Err(shape(format!("`transactions[{index}].data` is empty")));
        }
        let name = format_args!("transactions[{index}].data");
        data.extend(hex_field(name, &one.data, MOST_BYTES - data.len())?);
        // Daemons older than segwit give only `hash`, which then is the id.
        let id = one.txid.or(one.hash);
        txids.push(id.ok_or_else(|| shape(format!("`transactions[{index}].txid` is missing")))?);
    }
    let mut seen = HashSet::with_capacity(txids.len());
    if let Some(twice) = txids.iter().find(|id| !seen.insert(**id)) {
        return Err(shape(format!("transaction {twice} is there twice")));
    }
    Ok((data, txids))
}

/// Bytes of transactions whose ids are looked at in each template: a millisecond's work.
const IDS_OF_BYTES: usize = 256 << 10;

/// Looks for a transaction whose bytes have another id than the daemon says, among the first ones:
/// `txid` is over the bytes of a transaction without witness, `hash` over those of any.
fn foreign_id(raw: &[RawTransaction<'_>], mut data: &[u8]) -> Option<usize> {
    let most = data.len().saturating_sub(IDS_OF_BYTES);
    raw.iter()
        .map_while(|one| {
            let (bytes, rest) = data.split_at_checked(one.data.len() / 2)?;
            data = rest;
            (rest.len() >= most).then_some((one, bytes))
        })
        .position(|(one, bytes)| {
            // After the version: marker 0 and flags of an extended transaction (BIP 144).
            let said = match (bytes.get(4), bytes.get(5)) {
                (Some(0), Some(1)) => one.hash,
                (Some(0), _) => None,
                _ => one.txid.or(one.hash),
            };
            // Coins of some algorithms have SHA-256 once in their ids.
            let fits = |said| sha256d(bytes) == said || TransactionId::Sha256.of(bytes) == said;
            said.is_some_and(|said| !fits(said))
        })
}

/// A hash and a counter in practice. What is odd only means no long poll.
fn long_poll_id(raw: &Raw<'_>) -> Option<String> {
    let id = raw.longpollid.as_ref()?.as_str()?;
    let short = (1..=LONGEST_POLL_ID).contains(&id.len());
    (short && id.bytes().all(|byte| byte.is_ascii_graphic())).then(|| id.to_owned())
}

/// The votes that follow the transactions, when the coin has them.
fn votes(raw: &Raw<'_>) -> Result<Option<Vec<Vec<u8>>>, TemplateError> {
    let (Some(flag), Some(votes)) = (&raw.masternode_payments, &raw.votes) else {
        return Ok(None);
    };
    if !is_truthy(flag) {
        return Ok(None);
    }
    if votes.len() > 1000 {
        return Err(shape("`votes` has more than 1000 entries"));
    }
    let vote = |text: &String| hex_field("votes", text, LONGEST_PAYLOAD);
    votes.iter().map(vote).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests;
