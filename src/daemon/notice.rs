//! Connections on which a daemon tells of new blocks by itself: as a peer ([`p2p`]), and as a ZMQ
//! publisher ([`zmq`]).
//!
//! Pure: bytes and times in, [`Heard`] out. They are hints, no more: what they say makes the pool
//! ask the daemon over RPC. So whatever is odd ends the connection, and nothing is stored that a
//! hint does not need.

pub mod p2p;
pub mod zmq;

use crate::chain::Hash;

/// How long the handshake, a message once begun, and the answer to a ping may take, milliseconds.
pub const PATIENCE_MS: u64 = 10_000;

/// What came of some bytes, or of some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Bytes for the other side.
    Send(Vec<u8>),
    /// The handshake is done: from now on blocks will be told.
    Ready,
    /// There is a new block; its hash.
    Block(Hash),
    /// So many messages were lost on the way.
    Missed(u64),
}

/// One connection's protocol, from its first byte to its last. Times are monotonic milliseconds.
pub trait Protocol: Send {
    /// What to do with bytes that came.
    ///
    /// # Errors
    /// Words for the operator when the connection is to be closed.
    fn feed(&mut self, now: u64, bytes: &[u8]) -> Result<Vec<Heard>, String>;

    /// What to do because time passes; asked at least once a second, and once at the beginning.
    ///
    /// # Errors
    /// As [`Protocol::feed`].
    fn tick(&mut self, now: u64) -> Result<Vec<Heard>, String>;
}

#[cfg(test)]
#[path = "notice/tests.rs"]
mod tests;
