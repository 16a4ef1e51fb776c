//! From a template to work for miners: the coinbase in two parts, the merkle branch, the block.

use super::address::{AddressError, Rules};
use super::encode::put_compact_size;
use super::{Hash, Header, Network, PayeeField, Target, Template, coinbase, merkle};
use crate::pow::Algorithm;
use crate::pow::ids::Ids;
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
    /// How the coin makes ids, where its file says so.
    #[serde(default)]
    pub ids: Ids,
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
    /// The coin is of Peercoin's kind: its transactions have a time, its blocks a signature, and
    /// `pool_script` is that of a public key whose owner signs.
    #[serde(default)]
    pub proof_of_stake: bool,
    /// `payees`: more fields of templates that demand outputs, from the coin file.
    #[serde(default)]
    pub payees: Vec<PayeeField>,
    /// How the network writes addresses: for payees that the daemon names only by address. May be
    /// empty where daemons give scripts.
    #[serde(default)]
    pub addresses: Rules,
}

impl Plan {
    /// Whether the coin knows a block by its proof of work; else by SHA-256d of its header.
    #[must_use]
    pub const fn is_known_by_work(&self) -> bool {
        match self.proof_of_stake {
            true => self.ids.is_proof_of_stake(self.algorithm),
            false => self.ids.is_proof(self.algorithm),
        }
    }

    /// The id of a coinbase, given without witness.
    #[must_use]
    pub fn coinbase_id(&self, coinbase: &[u8]) -> Hash {
        self.ids.transaction(self.algorithm).of(coinbase)
    }
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
/// order and what the coin appends (masternode votes, MWEB extension block, an empty signature).
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
    /// The coin demands an output to an address that cannot be made a script.
    #[error("the block must pay a payee that has no usable address: {0}")]
    Payee(AddressError),
}

impl Work {
    /// Builds the work of a template. `clean` is left false.
    ///
    /// # Errors
    /// [`WorkError`] when outputs exceed the reward, or a payee's address is not understood.
    pub fn build(template: &Template, plan: &Plan) -> Result<Built, WorkError> {
        let coinbase = coinbase::build(template, plan)?;
        let mut body = template.data.clone();
        if let Some(votes) = &template.votes {
            put_compact_size(&mut body, votes.len() as u64);
            votes.iter().for_each(|vote| body.extend_from_slice(vote));
        }
        if let Some(mweb) = &template.mweb {
            body.push(1);
            body.extend_from_slice(mweb);
        }
        if plan.proof_of_stake {
            // No signature yet: the daemon that the block is submitted to signs it.
            body.push(0);
        }
        // No transaction may be younger than its block, the coinbase neither.
        let min_time = match plan.proof_of_stake {
            true => template.min_time.max(template.time),
            false => template.min_time,
        };
        let work = Self {
            plan: plan.clone(),
            height: template.height,
            previous: template.previous,
            version: template.version,
            bits: template.bits,
            target: template.target,
            time: template.time,
            min_time,
            coinbase_before: coinbase.before,
            coinbase_after: coinbase.after,
            witness: template.witness_commitment.is_some(),
            branch: merkle::branch(template.txids.clone()),
            // Templates have at most 2^20 transactions.
            transactions: u32::try_from(template.txids.len()).unwrap_or(u32::MAX),
            coinbase_value: template.coinbase_value,
            pool_value: coinbase.pool_value,
            clean: false,
        };
        Ok(Built { work, body })
    }

    /// The coinbase transaction, serialised without witness.
    #[must_use]
    pub fn coinbase(&self, salt: u32, extranonce1: [u8; 4], extranonce2: &[u8]) -> Vec<u8> {
        [
            self.coinbase_before.as_slice(),
            &salt.to_be_bytes(),
            &extranonce1,
            extranonce2,
            &self.coinbase_after,
        ]
        .concat()
    }

    /// The merkle root over a coinbase, internal order.
    #[must_use]
    pub fn merkle_root(&self, coinbase: &[u8]) -> Hash {
        merkle::root(self.plan.coinbase_id(coinbase), &self.branch)
    }

    /// The header of a share.
    #[must_use]
    pub fn header(&self, version: u32, merkle_root: &Hash, time: u32, nonce: u32) -> Header {
        super::header(version, &self.previous, merkle_root, time, self.bits, nonce)
    }

    /// The whole block, ready for `submitblock`.
    #[must_use]
    pub fn block(&self, header: &Header, coinbase: &[u8], body: &[u8]) -> Vec<u8> {
        let mut block = Vec::with_capacity(header.len() + 9 + coinbase.len() + 36 + body.len());
        block.extend_from_slice(header);
        put_compact_size(&mut block, u64::from(self.transactions) + 1);
        if self.witness {
            block.extend_from_slice(&coinbase::with_witness(coinbase, self.plan.proof_of_stake));
        } else {
            block.extend_from_slice(coinbase);
        }
        block.extend_from_slice(body);
        block
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod vectors;
