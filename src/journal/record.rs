//! What a journal says, record by record.

use crate::chain::Hash;
use crate::rewards::{Amount, Scheme};
use crate::stratum::{Reject, Weight};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// One record of a journal. Times are unix milliseconds and never go back within one stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An accepted share.
    Share {
        /// When.
        time: u64,
        /// Authorised worker name, at most 255 bytes of UTF-8.
        worker: String,
        /// Work it is credited with.
        weight: Weight,
        /// What that work earns.
        scheme: Scheme,
    },
    /// Refused shares of one worker for one reason, within one turn.
    Rejected {
        /// When.
        time: u64,
        /// Authorised worker name; empty when there was none.
        worker: String,
        /// Why.
        reject: Reject,
        /// How many.
        count: u32,
    },
    /// A share that is a block candidate. Its own `Share` record stands before it: it belongs to
    /// the round that this record closes, unless the block is solo.
    Block(Box<BlockFound>),
    /// What became of a candidate, as far as the daemons said.
    Outcome(Box<Outcome>),
    /// A share as MPOS wants to see it; only pools in MPOS mode write it, beside the share's other
    /// records.
    Row(Box<Row>),
    /// A worker's new difficulty, likewise.
    Retarget {
        /// When.
        time: u64,
        /// Authorised worker name.
        worker: String,
        /// The difficulty, in units.
        weight: Weight,
    },
}

/// A share, accepted or refused, of an authorised worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When, unix milliseconds.
    pub time: u64,
    /// Authorised worker name, at most 255 bytes of UTF-8.
    pub worker: String,
    /// What it was credited with; of a refused one, the difficulty of its job.
    pub weight: Weight,
    /// Why it was refused; `None`: accepted.
    pub reject: Option<Reject>,
    /// The miner's address.
    pub address: IpAddr,
    /// The block's hash, when it is a block candidate.
    pub solution: Option<Hash>,
}

/// A found block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockFound {
    /// When, unix milliseconds.
    pub time: u64,
    /// Block hash.
    pub hash: Hash,
    /// Height.
    pub height: u64,
    /// Parent.
    pub previous: Hash,
    /// Coinbase transaction id.
    pub coinbase_txid: Hash,
    /// Reward and fees of the whole block.
    pub coinbase_value: Amount,
    /// What the pool's script receives.
    pub pool_value: Amount,
    /// Name of the worker that found it.
    pub worker: String,
    /// Network difficulty, for display.
    pub difficulty: f64,
    /// It was found on a job for the tip before, so another block most likely holds its height.
    /// Its finder was told `stale` and has no share for it in the round that it closes.
    #[serde(default)]
    pub stale: bool,
    /// What its reward is split over.
    #[serde(default)]
    pub scheme: Scheme,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// When, unix milliseconds.
    pub time: u64,
    /// Block hash.
    pub hash: Hash,
    /// The answer over all daemons.
    pub verdict: Verdict,
    /// Each daemon's own words, for the operator.
    pub answers: Vec<Answer>,
}

/// One daemon's answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `host:port`.
    pub daemon: String,
    /// Its class.
    pub verdict: Verdict,
    /// Its words: `null`, `duplicate`, `high-hash`, an error.
    pub words: String,
}

/// Class of an answer to `submitblock` (reliability 4.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Taken, or known already.
    Accepted,
    /// Refused by every daemon that answered.
    Rejected,
    /// Silence, `inconclusive`, an error: not known yet, never to be dropped.
    Unknown,
}

impl Record {
    /// When, unix milliseconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        match self {
            Self::Share { time, .. }
            | Self::Rejected { time, .. }
            | Self::Retarget { time, .. } => *time,
            Self::Row(row) => row.time,
            Self::Block(block) => block.time,
            Self::Outcome(outcome) => outcome.time,
        }
    }
}
