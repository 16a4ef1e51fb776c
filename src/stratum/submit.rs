//! `mining.submit`: text to fixed-width values, strictly.
//!
//! Text compared as text is how NOMP pools were robbed (S1, S2): after this file there is none.

use super::JobId;
use std::ops::RangeInclusive;

/// The miner's part of the extranonce: 4 to 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extranonce2 {
    bytes: [u8; 8],
    size: u8,
}

impl Extranonce2 {
    /// From 1 to 8 bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut held = [0; 8];
        held.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(Self { bytes: held, size: u8::try_from(bytes.len()).ok()? })
    }

    /// The bytes as they stand in the coinbase.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or_default()
    }
}

/// A share as submitted, well-formed but not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The request's id as raw JSON; empty when there must be no answer.
    pub id: String,
    /// The worker, one of those authorised on this session.
    pub name: String,
    /// The job.
    pub job: JobId,
    /// The miner's extranonce.
    pub extranonce2: Extranonce2,
    /// Header time, unix seconds.
    pub time: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Rolled version bits, inside the session's mask; `None` leaves the job's version as it is.
    pub version_bits: Option<u32>,
}

/// Hex digits (either case) as a number; no sign, prefix or space.
pub(super) fn hex_u32(text: &str, digits: RangeInclusive<usize>) -> Option<u32> {
    if !digits.contains(&text.len()) || text.len() > 8 {
        return None;
    }
    text.bytes().try_fold(0, |number: u32, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(value))
    })
}
