//! Miners on their way to another process: what is said on the pair of sockets between giver and
//! taker, as JSON, with descriptors beside it.
//!
//! The socket goes with the session: unread and unsent bytes, jobs that may still be answered, shares
//! seen, vardiff's history. Times are of the machine's monotonic clock, which both share.

use super::conduct::Conduct;
use super::miner::{Miner, Waiting};
use crate::chain::{Work, hex_decode, hex_encode};
use crate::ipc::roster::Ticket;
use crate::net::stream::Stream;
use crate::stratum::{Session, Weight};
use mio::net::TcpStream;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::net::IpAddr;

/// A message from the giver to the taker. The taker's answer is that it owns the row.
#[derive(Debug, Serialize, Deserialize)]
// Not tagged within: shares that were seen are of 128 bits, and serde keeps none of those aside.
#[serde(rename_all = "kebab-case")]
pub(super) enum Passing {
    /// What job ids stand for: before the first miner, and when there are more. Descriptors: each
    /// work's body.
    Works {
        /// Oldest first.
        works: Vec<Legacy>,
    },
    /// Miners. Descriptors: their sockets.
    Miners {
        /// In the order of the descriptors.
        miners: Vec<Passenger>,
    },
}

/// A work under the numbers of a lane.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Legacy {
    pub(super) lane: u8,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) work: Work,
}

/// A miner without its socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Passenger {
    pub(super) ticket: Ticket,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) session: Session,
    conduct: Conduct,
    #[serde(with = "hex", default, skip_serializing_if = "Vec::is_empty")]
    input: Vec<u8>,
    #[serde(with = "hex", default, skip_serializing_if = "Vec::is_empty")]
    output: Vec<u8>,
    /// Since when output waits.
    output_since: u64,
    waiting: Option<Waiting>,
    since: u64,
    heard: bool,
    awaits_header: bool,
    /// Whether it is settled that its bytes travel as they are.
    pub(super) plain: bool,
    counted: Option<IpAddr>,
    credits: Vec<(String, Option<String>)>,
    late: u16,
    shown: Option<Weight>,
    /// Whether the master has a duplicate of its socket.
    pub(super) kept: bool,
    forgives: bool,
}

impl Passenger {
    /// What goes with a miner's socket.
    pub(super) fn of(miner: &Miner) -> Self {
        let (output, output_since) = miner.outbox.parts();
        Self {
            ticket: miner.ticket,
            address: miner.address,
            port: miner.port,
            session: miner.session.clone(),
            conduct: miner.conduct,
            input: miner.input.waiting().to_vec(),
            output: output.to_vec(),
            output_since,
            waiting: miner.waiting.clone(),
            since: miner.since,
            heard: miner.heard,
            awaits_header: miner.awaits_header,
            plain: miner.stream.is_plain(),
            counted: miner.counted,
            credits: miner.credits.clone(),
            late: miner.late,
            shown: miner.shown,
            kept: miner.kept,
            forgives: miner.forgives,
        }
    }

    /// The miner, on its socket here.
    pub(super) fn seated(self, stream: Stream<TcpStream>, serial: u64, now: u64) -> Miner {
        let mut miner = Miner {
            conduct: self.conduct,
            waiting: self.waiting,
            since: self.since,
            heard: self.heard,
            awaits_header: self.awaits_header,
            counted: self.counted,
            credits: self.credits,
            late: self.late,
            shown: self.shown,
            kept: self.kept,
            forgives: self.forgives,
            ..Miner::moved(stream, serial, self.address, self.port, self.ticket, self.session, now)
        };
        miner.input.push(&self.input);
        // Complete lines may be among it.
        miner.more = !self.input.is_empty();
        miner.outbox.push(&self.output, self.output_since);
        miner
    }
}

/// Bytes as hex.
mod hex {
    use super::{Cow, Deserialize, Deserializer, Serializer, hex_decode, hex_encode};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex_encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        hex_decode(&text).ok_or_else(|| serde::de::Error::custom("not hex"))
    }
}
