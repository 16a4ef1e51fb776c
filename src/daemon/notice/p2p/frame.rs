//! Messages on the wire: magic (4) ‖ command (12, padded with zeros) ‖ length (u32, little-endian)
//! ‖ checksum (4: the beginning of the payload's SHA-256d) ‖ payload.

use crate::chain::sha256d;

const HEADER: usize = 24;
/// No message that a listener is sent unasked is larger.
const LARGEST: usize = 2 << 20;
/// Messages of more bytes are skipped without being kept: what is read (`inv` of 1,000 entries,
/// `version`, `ping`) is smaller.
const LARGEST_KEPT: usize = 64 << 10;

/// A message to send.
pub(super) fn message(magic: [u8; 4], command: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(command.bytes().chain(std::iter::repeat(0)).take(12));
    // Ours have a hundred bytes.
    bytes.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(sha256d(payload).0.iter().take(4));
    bytes.extend(payload);
    bytes
}

/// What is next in the stream.
#[derive(Debug)]
pub(super) enum Next {
    /// A message with command and payload.
    Message(String, Vec<u8>),
    /// A large message that nobody reads has passed.
    Skipped,
    /// More bytes are needed.
    Nothing,
}

/// Bytes in, messages out. Memory: what came and is not taken yet, never what a length claims.
#[derive(Debug)]
pub(super) struct Frames {
    magic: [u8; 4],
    buffer: Vec<u8>,
    /// Bytes of a large message that are still to be dropped.
    skip: usize,
    /// When the message at hand began.
    begun: Option<u64>,
}

impl Frames {
    pub(super) fn new(magic: [u8; 4]) -> Self {
        Self { magic, buffer: Vec::new(), skip: 0, begun: None }
    }

    /// Takes bytes that came.
    pub(super) fn extend(&mut self, now: u64, bytes: &[u8]) {
        let dropped = self.skip.min(bytes.len());
        self.skip -= dropped;
        self.buffer.extend(bytes.iter().skip(dropped));
        if !self.buffer.is_empty() || self.skip > 0 {
            self.begun.get_or_insert(now);
        } else {
            self.begun = None;
        }
    }

    /// Since when a message has been incomplete, monotonic milliseconds.
    pub(super) fn begun(&self) -> Option<u64> {
        self.begun
    }

    /// The next message.
    pub(super) fn next(&mut self, now: u64) -> Result<Next, String> {
        let (magic, _) = self.buffer.split_at(self.buffer.len().min(4));
        if !self.magic.starts_with(magic) {
            return Err("its bytes do not begin with the network's message start: wrong `magic`, \
                        or another kind of server"
                .to_owned());
        }
        let Some((header, rest)) = self.buffer.split_first_chunk::<HEADER>() else {
            return Ok(Next::Nothing);
        };
        let (_, fields) = header.split_at(4);
        let Some((command, fields)) = fields.split_first_chunk::<12>() else {
            return Ok(Next::Nothing);
        };
        let Some((length, checksum)) = fields.split_first_chunk::<4>() else {
            return Ok(Next::Nothing);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > LARGEST {
            return Err(format!("a message that claims {length} bytes"));
        }
        let command = name(command)?;
        if length > LARGEST_KEPT {
            if command == "inv" {
                return Err(format!("an `inv` of {length} bytes"));
            }
            let there = rest.len().min(length);
            self.skip = length - there;
            self.take(now, HEADER + there);
            return Ok(Next::Skipped);
        }
        let Some(payload) = rest.get(..length) else { return Ok(Next::Nothing) };
        if sha256d(payload).0.get(..4) != Some(checksum) {
            return Err(format!("a wrong checksum on `{command}`"));
        }
        let payload = payload.to_vec();
        self.take(now, HEADER + length);
        Ok(Next::Message(command, payload))
    }

    /// Drops what was read; what is left, if anything, is another message.
    fn take(&mut self, now: u64, count: usize) {
        self.buffer.drain(..count);
        self.begun = (!self.buffer.is_empty() || self.skip > 0).then_some(now);
    }
}

/// Printable ASCII, then zeros.
fn name(field: &[u8; 12]) -> Result<String, String> {
    let length = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    let (letters, zeros) = field.split_at(length);
    let fine = letters.iter().all(u8::is_ascii_graphic) && zeros.iter().all(|&byte| byte == 0);
    match std::str::from_utf8(letters) {
        Ok(name) if fine && !name.is_empty() => Ok(name.to_owned()),
        _ => Err("a message without a readable name".to_owned()),
    }
}
