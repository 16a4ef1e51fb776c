//! Job ids, and the line that gives a job to a miner.

use crate::chain::{Hash, Work, hex_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The name of a job: the lane of the worker that made it and its number there. The number is the
/// salt of the coinbase, so that each id is distinct work.
///
/// As text: the lane as two hex digits, then the number as hex without leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// Lane of the worker.
    pub lane: u8,
    /// Number within the lane.
    pub number: u32,
}

/// A text that is no job id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a job id")]
pub struct NotAJobId;

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:x}", self.lane, self.number)
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    /// Strict but for the case of the digits.
    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let (lane, number) = text.split_at_checked(2).ok_or(NotAJobId)?;
        if number.len() > 1 && number.starts_with('0') {
            return Err(NotAJobId);
        }
        let lane = super::submit::hex_u32(lane, 2..=2).ok_or(NotAJobId)?;
        let number = super::submit::hex_u32(number, 1..=8).ok_or(NotAJobId)?;
        Ok(Self { lane: u8::try_from(lane).map_err(|_| NotAJobId)?, number })
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The previous block's hash as `mining.notify` has it: each four bytes of the internal order
/// turned round (NOMP 3.6).
fn word_swapped(hash: &Hash) -> [u8; 32] {
    let mut bytes = hash.0;
    for word in bytes.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    bytes
}

/// The whole `mining.notify` line of a job, with its newline.
///
/// The coinbase's first part ends with the salt, which is the id's number.
#[must_use]
pub fn notify_line(id: JobId, work: &Work, clean: bool) -> Vec<u8> {
    use fmt::Write as _;
    let mut line = String::with_capacity(1024);
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{id}\",\"{}\",\"{}{:08x}\",\"{}\",[",
        hex_encode(&word_swapped(&work.previous)),
        hex_encode(&work.coinbase_before),
        id.number,
        hex_encode(&work.coinbase_after),
    );
    for (index, branch) in work.branch.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(line, "{comma}\"{}\"", hex_encode(&branch.0));
    }
    let _ = writeln!(
        line,
        "],\"{:08x}\",\"{:08x}\",\"{:08x}\",{clean}]}}",
        work.version, work.bits, work.time
    );
    line.into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::stratum::transcripts::work;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for (lane, number, text) in
            [(0, 0, "000"), (10, 1, "0a1"), (255, u32::MAX, "ffffffffff"), (1, 16, "0110")]
        {
            let id = JobId { lane, number };
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in
            ["", "0", "0a", "0a01", "0a 1", "0a+1", "zz1", "0a1ffffffff", "\u{e9}1", "0\u{e9}"]
        {
            assert_eq!(text.parse::<JobId>(), Err(NotAJobId), "{text:?}");
        }
    }

    #[test]
    fn notify_has_nomps_encoding() {
        let line = notify_line(JobId { lane: 10, number: 0xbeef }, &work(), true);
        let expected = format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"0abeef\",\
             \"4b5a69780f1e2d3cccddeeff8899aabb445566770011223389abcdef01234567\",\
             \"01000000beef\",\"00ff\",[\"{}\",\"{}aa\"],\"00000002\",\"207fffff\",\"53724dff\",\
             true]}}\n",
            "11".repeat(32),
            "00".repeat(31),
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }
}
