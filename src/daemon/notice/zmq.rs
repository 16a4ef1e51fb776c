//! A ZMQ subscriber for a daemon's `-zmqpubhashblock`.
//!
//! ZMTP 3.0 (RFC 23) with the NULL mechanism. That much is smaller than any library: those in Rust
//! bring an asynchronous runtime, the others are C++.

use super::{Heard, PATIENCE_MS, Protocol};
use crate::chain::Hash;

/// Signature, version 3.0, mechanism NULL, not a server, filler.
const GREETING: usize = 64;
const TOPIC: &[u8] = b"hashblock";
/// A message of 10 bytes: 1 for subscribing, and the topic.
const SUBSCRIPTION: &[u8] = b"\0\x0a\x01hashblock";
/// Longest frame: a hash has 32 bytes, a handshake's properties some dozens.
const LONGEST: usize = 512;
/// Topic, body, sequence number; publishers of the same port may send other shapes.
const MOST_PARTS: usize = 8;
/// Bits of a frame's first byte.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One connection to a publisher.
#[derive(Debug, Default)]
pub struct Subscriber {
    buffer: Vec<u8>,
    begun: Option<u64>,
    greeted: bool,
    ready: bool,
    /// When the frame at hand began to come.
    frame_at: Option<u64>,
    parts: Vec<Vec<u8>>,
    sequence: Option<u32>,
}

/// A frame: its flags and its body.
type Frame = (u8, Vec<u8>);

impl Subscriber {
    /// A connection that has just been made.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn greeting(&mut self) -> Result<Option<Heard>, String> {
        let odd = || "it is no ZMQ publisher (ZMTP 3, mechanism NULL)".to_owned();
        for (at, wanted) in [(0, 0xff), (9, 0x7f)] {
            if self.buffer.get(at).is_some_and(|byte| *byte != wanted) {
                return Err(odd());
            }
        }
        if self.buffer.get(10).is_some_and(|&version| version < 3) {
            return Err("its ZMQ is older than version 4".to_owned());
        }
        let Some(greeting) = self.buffer.get(..GREETING) else { return Ok(None) };
        let mechanism = greeting.get(12..32).unwrap_or_default();
        if mechanism.get(..5) != Some(b"NULL\0") {
            return Err(odd());
        }
        self.buffer.drain(..GREETING);
        self.greeted = true;
        Ok(Some(Heard::Send(command(b"READY", b"\x0bSocket-Type\0\0\0\x03SUB"))))
    }

    fn frame(&mut self) -> Result<Option<Frame>, String> {
        let (flags, length, header) = match &self.buffer[..] {
            [flags, rest @ ..] if flags & LONG != 0 => match rest.first_chunk::<8>() {
                Some(length) => (*flags, u64::from_be_bytes(*length), 9),
                None => return Ok(None),
            },
            [flags, length, ..] => (*flags, u64::from(*length), 2),
            _ => return Ok(None),
        };
        if flags & !(MORE | LONG | COMMAND) != 0 {
            return Err("a frame with unknown flags".to_owned());
        }
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= LONGEST) else {
            return Err(format!("a frame that claims {length} bytes"));
        };
        let Some(body) = self.buffer.get(header..header + length) else { return Ok(None) };
        let body = body.to_vec();
        self.buffer.drain(..header + length);
        Ok(Some((flags, body)))
    }

    fn hear(&mut self, (flags, body): Frame, heard: &mut Vec<Heard>) -> Result<(), String> {
        if flags & COMMAND != 0 {
            return self.obey(&body, heard);
        }
        if !self.ready {
            return Err("a message before the handshake".to_owned());
        }
        self.parts.push(body);
        if self.parts.len() > MOST_PARTS {
            return Err(format!("a message of more than {MOST_PARTS} parts"));
        }
        if flags & MORE == 0 {
            let parts = std::mem::take(&mut self.parts);
            self.published(&parts, heard)?;
        }
        Ok(())
    }

    fn obey(&mut self, body: &[u8], heard: &mut Vec<Heard>) -> Result<(), String> {
        let (name, data) = match body {
            [length, rest @ ..] => rest.split_at_checked(usize::from(*length)),
            [] => None,
        }
        .ok_or_else(|| "a command that is cut".to_owned())?;
        match name {
            b"READY" if !self.ready => {
                let publishes = data.windows(7).any(|part| part == b"\0\0\0\x03PUB")
                    || data.windows(8).any(|part| part == b"\0\0\0\x04XPUB");
                if !publishes {
                    return Err("its socket is no publisher".to_owned());
                }
                self.ready = true;
                heard.push(Heard::Send(SUBSCRIPTION.to_vec()));
                heard.push(Heard::Ready);
            }
            b"ERROR" => return Err("it refuses the handshake".to_owned()),
            // ZMTP 3.1: time to live (2 bytes), then a context that goes back.
            b"PING" => {
                let context = data.get(2..).unwrap_or_default();
                heard.push(Heard::Send(command(b"PONG", context)));
            }
            _ => {}
        }
        Ok(())
    }

    fn published(&mut self, parts: &[Vec<u8>], heard: &mut Vec<Heard>) -> Result<(), String> {
        let [topic, body, rest @ ..] = parts else { return Ok(()) };
        if topic != TOPIC {
            return Ok(());
        }
        // The hash as RPC prints it: the reverse of how it is hashed.
        let Ok(mut hash) = <[u8; 32]>::try_from(&body[..]) else {
            return Err(format!("a `hashblock` of {} bytes", body.len()));
        };
        hash.reverse();
        if let Some(number) = rest.first().and_then(|part| part[..].try_into().ok()) {
            let number = u32::from_le_bytes(number);
            // A daemon that began anew counts from 0.
            let missed = match self.sequence {
                Some(last) if number > last => u64::from(number - last - 1),
                _ => 0,
            };
            self.sequence = Some(number);
            if missed > 0 {
                heard.push(Heard::Missed(missed));
            }
        }
        heard.push(Heard::Block(Hash(hash)));
        Ok(())
    }
}

impl Protocol for Subscriber {
    fn feed(&mut self, now: u64, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        let mut heard = Vec::new();
        self.buffer.extend(bytes);
        if !self.greeted {
            heard.extend(self.greeting()?);
        }
        let mut whole = false;
        while self.greeted
            && let Some(frame) = self.frame()?
        {
            self.hear(frame, &mut heard)?;
            whole = true;
        }
        let incomplete = !self.buffer.is_empty() || !self.parts.is_empty();
        self.frame_at = match (incomplete, self.frame_at) {
            (true, Some(since)) if !whole => Some(since),
            (true, _) => Some(now),
            (false, _) => None,
        };
        Ok(heard)
    }

    fn tick(&mut self, now: u64) -> Result<Vec<Heard>, String> {
        let Some(begun) = self.begun else {
            self.begun = Some(now);
            return Ok(vec![Heard::Send(greeting())]);
        };
        let late = |since: u64| now.saturating_sub(since) >= PATIENCE_MS;
        if !self.ready && late(begun) {
            return Err("it did not finish the handshake within 10 s (is it the port of \
                        `zmqpubhashblock`?)"
                .to_owned());
        }
        if self.frame_at.is_some_and(late) {
            return Err("a message took longer than 10 s".to_owned());
        }
        Ok(Vec::new())
    }
}

fn greeting() -> Vec<u8> {
    let mut bytes = vec![0; GREETING];
    for (at, value) in [(0, 0xff), (9, 0x7f), (10, 3)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
    }
    for (byte, letter) in bytes.iter_mut().skip(12).zip(b"NULL") {
        *byte = *letter;
    }
    bytes
}

/// A command frame. Ours are short.
fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
    let body = [&[length(name.len())], name, data].concat();
    match u8::try_from(body.len()) {
        Ok(short) => [&[COMMAND, short][..], &body].concat(),
        Err(_) => {
            let long = u64::try_from(body.len()).unwrap_or(u64::MAX).to_be_bytes();
            [&[COMMAND | LONG][..], &long, &body].concat()
        }
    }
}
