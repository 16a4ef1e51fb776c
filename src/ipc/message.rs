//! The messages between master and children: small, idempotent, JSON.

use super::roster::Ticket;
use crate::chain::{Hash, Work};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Most bytes that the master remembers for the web site.
pub const MOST_REMEMBERED: usize = 16 << 10;

/// A message on a child's channel. Descriptors travel beside it, in the order stated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// Child → master: the role is up and serving.
    Ready,
    /// Master → worker: take newcomers from now on.
    Open,
    /// Master → worker: give miners to another worker. Descriptor: one end of a pair to it; none
    /// when there is nobody to give them to.
    HandOver {
        /// Ports whose miners the other one can serve as this one does.
        ports: Vec<u16>,
        /// Miners to give at most.
        most: u32,
        /// Take no newcomers any more, and end when no miner is left.
        leaves: bool,
    },
    /// Master → worker: another worker gives miners to this one. Descriptor: the other end.
    TakeOver {
        /// The giver's process id.
        giver: u32,
        /// Whether it is another master's, so that this one has none of its sockets.
        stranger: bool,
    },
    /// Worker → master: these mine. Descriptors: their sockets, to be kept in case of its death.
    Holds {
        /// In the order of the descriptors.
        tickets: Vec<Ticket>,
    },
    /// Master → worker: miners of a dead worker, who own their rows already. Descriptors: their
    /// sockets.
    Adopt {
        /// In the order of the descriptors.
        tickets: Vec<Ticket>,
    },
    /// Worker → master: what `HandOver` has asked for is done, as far as it could be.
    Passed {
        /// Miners who could still be given.
        left: u32,
    },
    /// `templates` → master → every worker; kept by the master for workers that come later.
    /// Descriptor: a sealed memfd with the block's body (`chain::Built::body`).
    Work {
        /// The work.
        work: Box<Work>,
        /// Monotonic milliseconds at which `templates` first heard of the tip, with the first work
        /// on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<u64>,
    },
    /// Master → every child: a daemon or an operator says that a coin has a new block.
    Blocknotify {
        /// Coin id.
        coin: String,
        /// Display-order hash, if it was one.
        hash: Option<Hash>,
    },
    /// Worker → master → `templates`: a block was found and submitted; look for the new tip.
    BlockFound {
        /// Coin id.
        coin: String,
        /// Block hash.
        hash: Hash,
        /// Block height.
        height: u64,
    },
    /// Worker → master → every other worker: a network does mostly harm. It is banned unless a
    /// worker vouches for it at once.
    Charge {
        /// IPv4 address or IPv6 /64.
        network: IpNet,
        /// Milliseconds of a first ban.
        time: u64,
        /// Milliseconds of the longest ban.
        most: u64,
        /// What it did, in words.
        reason: String,
    },
    /// Worker → master: somebody in that network mines in good standing.
    Vouch {
        /// As in `Charge`.
        network: IpNet,
    },
    /// Master → every worker: a network is banned. The master keeps it for workers that come
    /// later.
    Ban {
        /// Banned network.
        network: IpNet,
        /// Unix milliseconds when the ban ends; `u64::MAX`: when it is lifted.
        until: u64,
    },
    /// Master → every worker: a ban is lifted.
    Unban {
        /// Network.
        network: IpNet,
    },
    /// Bookkeeper, payments, notifier → master: what a part of a coin waits for; kept for `status`.
    Trouble {
        /// Coin id; empty: it is of no coin.
        coin: String,
        /// Which part: `the tally`, `MPOS`, `payments`.
        part: String,
        /// What it waits for; `None`: nothing.
        words: Option<String>,
    },
    /// Website → master: what the next one in its place has to know, in its own words.
    Remember {
        /// At most [`MOST_REMEMBERED`] bytes.
        text: String,
    },
    /// `templates` → master → bookkeeper: how a coin is doing; kept by the master for `status`.
    CoinStatus(CoinStatus),
}

/// How a coin's chain and daemons are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoinStatus {
    /// Coin id.
    pub coin: String,
    /// State of the tip.
    pub state: TipState,
    /// Height of the tip that the best daemon has.
    pub height: Option<u64>,
    /// Hash of that tip.
    pub tip: Option<Hash>,
    /// Network difficulty, as the daemon counts it.
    pub difficulty: Option<f64>,
    /// Unix milliseconds of the last work sent.
    pub work_at: Option<u64>,
    /// Each daemon.
    pub daemons: Vec<DaemonStatus>,
    /// How new tips were first noticed since start: source (`poll`, `blocknotify`) → count.
    pub noticed: std::collections::BTreeMap<String, u64>,
    /// Each way by which new tips are told.
    #[serde(default)]
    pub notices: std::collections::BTreeMap<String, NoticeStatus>,
    /// From the first notice of a block until the last worker had its work.
    #[serde(default)]
    pub notice_to_work: Option<Lag>,
}

/// Times of the last hundred blocks, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Of the last one.
    pub last: u64,
    /// Median.
    pub median: u64,
}

/// How one way of telling new blocks does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeStatus {
    /// Blocks that it told of.
    pub blocks: u64,
    /// How often it was the first.
    pub first: u64,
    /// How much later than the first it was.
    pub lag: Option<Lag>,
    /// Messages that were lost on the way (gaps in ZMQ's numbers).
    pub missed: u64,
    /// What is wrong with it now, in words.
    pub problem: Option<String>,
}

/// Whether a coin can be mined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TipState {
    /// No daemon answered yet.
    Waiting,
    /// The best daemon is still syncing.
    Syncing {
        /// Blocks it has.
        blocks: u64,
        /// Blocks it knows of.
        headers: u64,
    },
    /// At least one daemon is fresh and gives templates.
    Fresh,
    /// No daemon is fresh since that unix millisecond.
    Stale {
        /// Unix milliseconds.
        since: u64,
    },
}

/// How one daemon is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// `host:port`.
    pub address: String,
    /// Whether it may give templates now.
    pub fresh: bool,
    /// Whether templates come from it now.
    pub chosen: bool,
    /// Its height.
    pub height: Option<u64>,
    /// What is wrong, in words.
    pub problem: Option<String>,
    /// Milliseconds that its last answer took.
    pub latency: Option<u64>,
}
