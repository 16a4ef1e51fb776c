//! A peer of the coin's network that listens for `inv`.
//!
//! It says that it serves nothing, asks for nothing, and (unless told otherwise) wants no
//! transactions. Daemons announce blocks by `inv` to whoever never sends headers, whatever
//! `sendheaders` says, so `inv` is all that is read.

mod frame;

use super::{Heard, PATIENCE_MS, Protocol};
use crate::chain::Hash;
use frame::{Frames, Next};

/// Told when neither the pool's file nor the daemon names one: knows `ping` with a nonce, and is
/// from before the handshake had further messages.
pub const VERSION: u32 = 70_015;
/// A silent peer is pinged after so long.
const PING_MS: u64 = 60_000;
/// Most entries of an `inv`: a tip is announced by one, transactions by dozens. 50,000 are allowed
/// to peers that asked for them, which this one never does.
const MOST_ENTRIES: u64 = 1_000;
/// Entry types of a block: itself, filtered, compact; each perhaps with the witness flag.
const BLOCK_TYPES: [u32; 3] = [2, 3, 4];
const WITNESS: u32 = 1 << 30;
/// Longest nonce of a ping that is sent back; the protocol's has 8 bytes.
const LONGEST_NONCE: usize = 64;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The network's message start, wire order.
    pub magic: [u8; 4],
    /// Protocol version to tell.
    pub version: u32,
    /// Whether to be told of transactions, too.
    pub transactions: bool,
    /// Seconds since 1970.
    pub unix: i64,
    /// By which a node notices that it talks to itself; any number that others do not use.
    pub nonce: u64,
}

/// One connection to a peer.
#[derive(Debug)]
pub struct Peer {
    hello: Hello,
    frames: Frames,
    /// When the connection began; none before the first [`Protocol::tick`].
    begun: Option<u64>,
    version: bool,
    verack: bool,
    heard_at: u64,
    pinged_at: Option<u64>,
}

impl Peer {
    /// A connection that has just been made.
    #[must_use]
    pub fn new(hello: Hello) -> Self {
        Self {
            hello,
            frames: Frames::new(hello.magic),
            begun: None,
            version: false,
            verack: false,
            heard_at: 0,
            pinged_at: None,
        }
    }

    fn ready(&self) -> bool {
        self.version && self.verack
    }

    fn message(&self, command: &str, payload: &[u8]) -> Heard {
        Heard::Send(frame::message(self.hello.magic, command, payload))
    }

    fn hear(
        &mut self,
        command: &str,
        payload: &[u8],
        heard: &mut Vec<Heard>,
    ) -> Result<(), String> {
        let before = self.ready();
        match command {
            "version" if self.version => return Err("it sent `version` twice".to_owned()),
            "version" => {
                self.version = true;
                heard.push(self.message("verack", &[]));
            }
            "verack" => self.verack = true,
            "ping" if payload.len() <= LONGEST_NONCE => heard.push(self.message("pong", payload)),
            "inv" if before => heard.extend(newest_block(payload)?.map(Heard::Block)),
            // Sent by old daemons before they close: code and reason are worth a line.
            "reject" => return Err(format!("it refuses: {}", readable(payload))),
            _ => {}
        }
        if self.ready() && !before {
            heard.push(Heard::Ready);
        }
        Ok(())
    }
}

impl Protocol for Peer {
    fn feed(&mut self, now: u64, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        let mut heard = Vec::new();
        self.frames.extend(now, bytes);
        loop {
            match self.frames.next(now)? {
                Next::Nothing => return Ok(heard),
                Next::Skipped => {}
                Next::Message(command, payload) => self.hear(&command, &payload, &mut heard)?,
            }
            // Whole messages only: bytes that drip are no sign of life.
            self.heard_at = now;
            self.pinged_at = None;
        }
    }

    fn tick(&mut self, now: u64) -> Result<Vec<Heard>, String> {
        let Some(begun) = self.begun else {
            self.begun = Some(now);
            self.heard_at = now;
            return Ok(vec![self.message("version", &version(&self.hello))]);
        };
        let late = |since: u64| now.saturating_sub(since) >= PATIENCE_MS;
        if !self.ready() && late(begun) {
            return Err(match self.version {
                true => "it did not finish the handshake within 10 s".to_owned(),
                false => "it did not answer `version` within 10 s (is it the P2P port, not the \
                          RPC port, of this coin and network?)"
                    .to_owned(),
            });
        }
        if self.frames.begun().is_some_and(late) {
            return Err("a message took longer than 10 s".to_owned());
        }
        match self.pinged_at {
            Some(at) if late(at) => Err("it did not answer a ping within 10 s".to_owned()),
            None if self.ready() && now.saturating_sub(self.heard_at) >= PING_MS => {
                self.pinged_at = Some(now);
                Ok(vec![self.message("ping", &self.hello.nonce.to_le_bytes())])
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// The payload of `version`: it serves nothing, stands at block 0, and names no addresses.
fn version(hello: &Hello) -> Vec<u8> {
    /// No services, ::ffff:0.0.0.0, port 0.
    const NOBODY: [u8; 26] =
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
    let agent = concat!("/romp:", env!("CARGO_PKG_VERSION"), "/");
    let mut payload = hello.version.to_le_bytes().to_vec();
    payload.extend(0_u64.to_le_bytes());
    payload.extend(hello.unix.to_le_bytes());
    payload.extend(NOBODY);
    payload.extend(NOBODY);
    payload.extend(hello.nonce.to_le_bytes());
    // Shorter than 253 bytes: one byte of length.
    payload.extend(u8::try_from(agent.len()));
    payload.extend(agent.bytes());
    payload.extend(0_u32.to_le_bytes());
    // BIP 37; older versions do not know it.
    if hello.version >= 70_001 {
        payload.push(hello.transactions.into());
    }
    payload
}

/// The last block of an `inv`: of several, the others are its ancestors.
fn newest_block(payload: &[u8]) -> Result<Option<Hash>, String> {
    let (count, entries) = match payload {
        [0xfd, low, high, rest @ ..] => (u64::from(u16::from_le_bytes([*low, *high])), rest),
        [0xfe | 0xff, ..] => (u64::MAX, &[][..]),
        [count, rest @ ..] if *count < 0xfd => (u64::from(*count), rest),
        _ => return Err("an `inv` that is cut".to_owned()),
    };
    if count > MOST_ENTRIES {
        return Err(format!("an `inv` of more than {MOST_ENTRIES} entries"));
    }
    let (entries, rest) = entries.as_chunks::<36>();
    if !rest.is_empty() || u64::try_from(entries.len()) != Ok(count) {
        return Err("an `inv` whose length does not fit its count".to_owned());
    }
    Ok(entries.iter().rev().find_map(|entry| {
        let (kind, hash) = entry.split_first_chunk::<4>()?;
        let kind = u32::from_le_bytes(*kind) & !WITNESS;
        BLOCK_TYPES.contains(&kind).then(|| hash.try_into().ok().map(Hash))?
    }))
}

fn readable(payload: &[u8]) -> String {
    let letters = payload.iter().take(120).map(|&byte| char::from(byte));
    letters.map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect::<String>()
}
