//! The bytes of a journal: the file's header and one frame per record. Pure.
//!
//! ```text
//! header, 64 bytes: "ROMPJRNL" | u32 version | i8 unit | u8 coin length | u16 0 | u64 created (unix ms)
//!                   | coin id, 32 bytes, zero-padded | u32 0 | u32 crc32 of the 60 bytes before
//! frame:            u16 length | u16 !length | u32 crc32(kind, payload) | u8 kind | payload
//!   1 share         u64 time | u64 weight | worker name
//!   2 rejected      u64 time | u8 reason | u32 count | worker name
//!   3 block         JSON of BlockFound          4 outcome  JSON of Outcome
//!   5 row           u64 time | u64 weight | u8 reason, 0: accepted | 16 bytes IPv6 address
//!                   | u8 0 or 1 | 32 bytes block hash, if 1 | worker name
//!   6 retarget      u64 time | u64 weight | worker name
//!   7 share         u64 time | u64 weight | u64 window, 0: solo | worker name
//! ```
//! All numbers little-endian; `length` counts the payload. The length stands twice, so that a
//! damaged length is told from a frame that is not complete yet.

use super::{Answer, Outcome, Record, Row};
use crate::chain::Hash;
use crate::rewards::Scheme;
use crate::stratum::{Reject, Unit};
use std::net::{IpAddr, Ipv6Addr};

/// Bytes of a file's header.
pub const HEADER_LEN: u64 = 64;
/// Bytes before a frame's payload.
pub(super) const FRAME_HEAD: usize = 9;
/// Most bytes that one frame takes.
pub const FRAME_MOST: usize = FRAME_HEAD + u16::MAX as usize;
/// Longest worker name in a record, bytes.
const NAME_MOST: usize = 255;
const MAGIC: [u8; 8] = *b"ROMPJRNL";
const VERSION: u32 = 1;

/// What a file says about all of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Unit of its weights.
    pub unit: Unit,
    /// Coin id, at most 32 bytes.
    pub coin: String,
    /// When it was begun, unix milliseconds.
    pub created: u64,
}

impl Header {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let name = shortened(&self.coin, 32);
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.unit.0.to_le_bytes());
        bytes.push(u8::try_from(name.len()).unwrap_or(0));
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.resize(60, 0);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; 64])
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn decode(bytes: &[u8; HEADER_LEN as usize]) -> Result<Self, String> {
        let (body, crc) = bytes.split_at(60);
        if !body.starts_with(&MAGIC) {
            return Err("is not a journal of romp".to_owned());
        }
        if crc != crc32fast::hash(body).to_le_bytes() {
            return Err("has a damaged header".to_owned());
        }
        let mut fields = Fields(body);
        let damaged = || "has a header that makes no sense".to_owned();
        let read = (|| {
            fields.take::<8>()?;
            let version = u32::from_le_bytes(fields.take()?);
            let unit = Unit(i8::from_le_bytes(fields.take()?));
            let [length, _, _] = fields.take::<3>()?;
            let created = u64::from_le_bytes(fields.take()?);
            let name = fields.0.get(..usize::from(length))?;
            let coin = std::str::from_utf8(name).ok()?.to_owned();
            Some((version, Self { unit, coin, created }))
        })();
        match read.ok_or_else(damaged)? {
            (VERSION, header) => Ok(header),
            (version, _) => Err(format!(
                "is of version {version}, this program reads version {VERSION}; use the release \
                 that wrote it, or a later one"
            )),
        }
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A record, and how many bytes its frame takes.
    Whole(Record, usize),
    /// The beginning of a frame: more may follow.
    Partial,
    /// Damage, in words.
    Damaged(&'static str),
}

/// Appends the frame of a record with `time` in place of its own. Names and words that are too
/// long are cut.
pub(super) fn encode(record: &Record, time: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD]);
    let kind: u8 = match record {
        Record::Share { worker, weight, scheme, .. } => {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&weight.to_le_bytes());
            let window = match scheme {
                Scheme::Prop => None,
                Scheme::Pplns { window } => Some((*window).max(1)),
                Scheme::Solo => Some(0),
            };
            out.extend(window.iter().flat_map(|window| window.to_le_bytes()));
            out.extend_from_slice(shortened(worker, NAME_MOST).as_bytes());
            if window.is_some() { 7 } else { 1 }
        }
        Record::Rejected { worker, reject, count, .. } => {
            out.extend_from_slice(&time.to_le_bytes());
            out.push(*reject as u8);
            out.extend_from_slice(&count.to_le_bytes());
            out.extend_from_slice(shortened(worker, NAME_MOST).as_bytes());
            2
        }
        Record::Block(block) => {
            let mut block = block.clone();
            block.time = time;
            block.worker = shortened(&block.worker, NAME_MOST).to_owned();
            if !block.difficulty.is_finite() {
                block.difficulty = 0.0; // JSON has no word for it
            }
            append_json(&*block, out);
            3
        }
        Record::Outcome(outcome) => {
            append_json(&Outcome { time, ..bounded(outcome) }, out);
            4
        }
        Record::Row(row) => {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&row.weight.to_le_bytes());
            out.push(row.reject.map_or(0, |reject| reject as u8));
            out.extend_from_slice(&mapped(row.address).octets());
            out.push(u8::from(row.solution.is_some()));
            out.extend_from_slice(row.solution.as_ref().map_or(&[], |hash| &hash.0[..]));
            out.extend_from_slice(shortened(&row.worker, NAME_MOST).as_bytes());
            5
        }
        Record::Retarget { worker, weight, .. } => {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&weight.to_le_bytes());
            out.extend_from_slice(shortened(worker, NAME_MOST).as_bytes());
            6
        }
    };
    seal(kind, start, out);
}

/// Fills the head of the frame that begins at `start`.
fn seal(kind: u8, start: usize, out: &mut [u8]) {
    let Some(frame) = out.get_mut(start..) else { return };
    let length = u16::try_from(frame.len().saturating_sub(FRAME_HEAD)).unwrap_or(u16::MAX);
    if let Some(place) = frame.get_mut(8) {
        *place = kind;
    }
    let crc = frame.get(8..).map_or(0, crc32fast::hash);
    let (low, high) = (length.to_le_bytes(), (!length).to_le_bytes());
    for (place, byte) in frame.iter_mut().zip(low.into_iter().chain(high).chain(crc.to_le_bytes()))
    {
        *place = byte;
    }
}

/// Serialising these plain structs into memory cannot fail; if it did, the empty payload would be
/// refused by the reader, not misread.
fn append_json(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    if let Ok(json) = serde_json::to_vec(value) {
        out.extend_from_slice(&json);
    }
}

/// An outcome that fits a frame whatever the daemons said: 32 answers of 256 bytes, six times
/// that when all of it needs escapes.
fn bounded(outcome: &Outcome) -> Outcome {
    let answers = outcome.answers.iter().take(32).map(|answer| Answer {
        daemon: shortened(&answer.daemon, NAME_MOST / 4).to_owned(),
        verdict: answer.verdict,
        words: shortened(&answer.words, NAME_MOST).to_owned(),
    });
    Outcome { answers: answers.collect(), ..outcome.clone() }
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Frame {
    let Some(&[a, b, c, d]) = bytes.first_chunk::<4>() else { return Frame::Partial };
    let length = u16::from_le_bytes([a, b]);
    if length != !u16::from_le_bytes([c, d]) {
        return Frame::Damaged("the length of a frame is damaged");
    }
    let size = FRAME_HEAD + usize::from(length);
    let Some(frame) = bytes.get(4..size) else { return Frame::Partial };
    let Some((crc, body)) = frame.split_first_chunk::<4>() else { return Frame::Partial };
    if u32::from_le_bytes(*crc) != crc32fast::hash(body) {
        return Frame::Damaged("the checksum of a frame is wrong");
    }
    body.split_first()
        .and_then(|(&kind, payload)| record(kind, payload))
        .map_or(Frame::Damaged("a frame holds no record known here"), |record| {
            Frame::Whole(record, size)
        })
}

fn record(kind: u8, payload: &[u8]) -> Option<Record> {
    let mut fields = Fields(payload);
    match kind {
        1 => {
            let time = u64::from_le_bytes(fields.take()?);
            let weight = u64::from_le_bytes(fields.take()?);
            Some(Record::Share { time, worker: fields.text()?, weight, scheme: Scheme::Prop })
        }
        2 => {
            let time = u64::from_le_bytes(fields.take()?);
            let [reject] = fields.take()?;
            let count = u32::from_le_bytes(fields.take()?);
            let reject = Reject::from_code(reject)?;
            Some(Record::Rejected { time, worker: fields.text()?, reject, count })
        }
        3 => serde_json::from_slice(payload).ok().map(Record::Block),
        4 => serde_json::from_slice(payload).ok().map(Record::Outcome),
        5 => {
            let time = u64::from_le_bytes(fields.take()?);
            let weight = u64::from_le_bytes(fields.take()?);
            let reject = match fields.take()? {
                [0] => None,
                [code] => Some(Reject::from_code(code)?),
            };
            let address = IpAddr::V6(Ipv6Addr::from(fields.take::<16>()?)).to_canonical();
            let solution = match fields.take()? {
                [0] => None,
                [1] => Some(Hash(fields.take()?)),
                _ => return None,
            };
            let worker = fields.text()?;
            Some(Record::Row(Box::new(Row { time, worker, weight, reject, address, solution })))
        }
        6 => {
            let time = u64::from_le_bytes(fields.take()?);
            let weight = u64::from_le_bytes(fields.take()?);
            Some(Record::Retarget { time, worker: fields.text()?, weight })
        }
        7 => {
            let time = u64::from_le_bytes(fields.take()?);
            let weight = u64::from_le_bytes(fields.take()?);
            let scheme = match u64::from_le_bytes(fields.take()?) {
                0 => Scheme::Solo,
                window => Scheme::Pplns { window },
            };
            Some(Record::Share { time, worker: fields.text()?, weight, scheme })
        }
        _ => None,
    }
}

/// An address as an IPv6 one.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Bytes read from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&self) -> Option<String> {
        std::str::from_utf8(self.0).ok().map(str::to_owned)
    }
}

/// The longest beginning of a text that is at most `most` bytes.
fn shortened(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}
