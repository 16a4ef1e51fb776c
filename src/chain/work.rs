//! From a template to work for miners: the coinbase in two parts, the merkle branch, the block.

use super::{Hash, Header, Network, Target, Template};
use crate::pow::Algorithm;
use crate::rewards::Amount;
use serde::{Deserialize, Serialize};

/// One extra coinbase output: a fee recipient (`rewardRecipients`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Output script.
    #[serde(with = "crate::chain::hex_bytes")]
    pub script: Vec<u8>,
    /// Share of the reward in parts per million (1.5 % = 15,000).
    pub ppm: u32,
}

/// What the operator decided about a coin's coinbase, with every address already a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Coin identity: lower-cased name.
    pub coin: String,
    /// Network that the daemons report.
    pub network: Network,
    /// Proof of work.
    pub algorithm: Algorithm,
    /// Script of the pool's reward address.
    #[serde(with = "crate::chain::hex_bytes")]
    pub pool_script: Vec<u8>,
    /// Fee recipients.
    pub recipients: Vec<Recipient>,
    /// Pool tag pushed after the extranonce, at most 40 bytes, e.g. `/romp/`.
    pub tag: String,
    /// Bytes of extranonce2, 4..=8.
    pub extranonce2_size: u8,
    /// `txMessages`: comment appended to the coinbase transaction (version 2), from the coin file.
    pub tx_message: Option<String>,
}

/// Bytes between `Work::coinbase_before` and `coinbase_after` that are ours before extranonce2:
/// the salt (4) and extranonce1 (4).
pub const SALT_AND_EXTRANONCE1: usize = 8;

/// All that a worker needs to make jobs of one template, without the transactions' bytes.
///
/// Coinbase = `coinbase_before` ‖ salt (4, big-endian job number) ‖ extranonce1 (4) ‖
/// extranonce2 (n) ‖ `coinbase_after`, serialised without witness. The salt makes each job id
/// distinct work, so that a job re-sent for a new difficulty never yields a duplicate share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// What the coinbase was made from, so that a worker can build work by itself.
    pub plan: Plan,
    /// Height of the block to build.
    pub height: u64,
    /// Hash of the block to build on.
    pub previous: Hash,
    /// Header version.
    pub version: u32,
    /// Compact target.
    pub bits: u32,
    /// Network target.
    pub target: Target,
    /// Header time for the job, unix seconds.
    pub time: u32,
    /// Earliest allowed header time, unix seconds.
    pub min_time: u32,
    /// Coinbase bytes before the salt, ending with the push opcode of salt and extranonces.
    #[serde(with = "crate::chain::hex_bytes")]
    pub coinbase_before: Vec<u8>,
    /// Coinbase bytes after extranonce2.
    #[serde(with = "crate::chain::hex_bytes")]
    pub coinbase_after: Vec<u8>,
    /// Whether the block's coinbase carries the segwit reserved value (BIP 141).
    pub witness: bool,
    /// Merkle branch for the coinbase, internal order.
    pub branch: Vec<Hash>,
    /// Transactions beside the coinbase.
    pub transactions: u32,
    /// Reward and fees of the whole block.
    pub coinbase_value: Amount,
    /// What the pool's script receives.
    pub pool_value: Amount,
    /// Whether the tip changed: miners must drop older work.
    pub clean: bool,
}

/// A [`Work`] and the bytes that follow the coinbase in the block: the transactions in template
/// order and what the coin appends (MWEB extension block, masternode votes).
#[derive(Debug, Clone)]
pub struct Built {
    /// The work.
    pub work: Work,
    /// The rest of the block.
    pub body: Vec<u8>,
}

/// Why no work can be made from a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// Payees or recipients ask for more than the block pays.
    #[error("the coinbase's outputs ask for more than the block's {0} coins")]
    Overspent(Amount),
}

impl Work {
    /// Builds the work of a template. `clean` is left false.
    ///
    /// # Errors
    /// [`WorkError`] when outputs exceed the reward.
    pub fn build(template: &Template, plan: &Plan) -> Result<Built, WorkError> {
        let _ = (template, plan);
        unimplemented!()
    }

    /// The coinbase transaction, serialised without witness.
    #[must_use]
    pub fn coinbase(&self, salt: u32, extranonce1: [u8; 4], extranonce2: &[u8]) -> Vec<u8> {
        let _ = (salt, extranonce1, extranonce2);
        unimplemented!()
    }

    /// The merkle root over a coinbase, internal order.
    #[must_use]
    pub fn merkle_root(&self, coinbase: &[u8]) -> Hash {
        let _ = coinbase;
        unimplemented!()
    }

    /// The header of a share.
    #[must_use]
    pub fn header(&self, version: u32, merkle_root: &Hash, time: u32, nonce: u32) -> Header {
        let _ = (version, merkle_root, time, nonce);
        unimplemented!()
    }

    /// The whole block, ready for `submitblock`.
    #[must_use]
    pub fn block(&self, header: &Header, coinbase: &[u8], body: &[u8]) -> Vec<u8> {
        let _ = (header, coinbase, body);
        unimplemented!()
    }
}
