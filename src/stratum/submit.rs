//! `mining.submit`: text to fixed-width values, strictly.
//!
//! Text compared as text is how NOMP pools were robbed (S1, S2): after this file there is none.

use super::request::{Param, Request};
use super::{Action, JobId, Reject, Session, reply, worker};
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

    /// From 2 to 16 hex digits.
    fn from_hex(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let size = u8::try_from(pairs.len()).ok().filter(|size| (1..=8).contains(size))?;
        let mut bytes = [0; 8];
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::try_from(hex_u32(pair, 2..=2)?).ok()?;
        }
        rest.is_empty().then_some(Self { bytes, size })
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

/// Why a submit is refused before it is judged: the reason, and words that name the field.
type Refusal = (Reject, &'static str);

/// Reads the parameters after the worker's name.
fn read(
    params: &[Param<'_>],
    extranonce2_size: u8,
    mask: u32,
) -> Result<(JobId, Extranonce2, u32, u32, Option<u32>), Refusal> {
    const MALFORMED: Reject = Reject::Malformed;
    let text =
        |index: usize| params.get(index).and_then(Param::text).ok_or((MALFORMED, "Bad params"));
    let (job, extranonce2, time, nonce) = (text(1)?, text(2)?, text(3)?, text(4)?);
    if extranonce2.len() != usize::from(extranonce2_size) * 2 {
        return Err((MALFORMED, "incorrect size of extranonce2"));
    }
    let extranonce2 =
        Extranonce2::from_hex(extranonce2).ok_or((MALFORMED, "extranonce2 is not hex"))?;
    let job = job.parse().map_err(|_| (Reject::UnknownJob, Reject::UnknownJob.words()))?;
    if time.len() != 8 {
        return Err((MALFORMED, "incorrect size of ntime"));
    }
    let time = hex_u32(time, 8..=8).ok_or((MALFORMED, "ntime is not hex"))?;
    // NerdMiner leaves out the nonce's leading zeros: one share in sixteen.
    let nonce = match nonce.len() {
        1..=8 => hex_u32(nonce, 1..=8).ok_or((MALFORMED, "nonce is not hex"))?,
        _ => return Err((MALFORMED, "Invalid nonce size")),
    };
    let refused = (Reject::Version, Reject::Version.words());
    let bits = match params.get(5) {
        None | Some(Param::Word) => None,
        Some(bits) => match bits.text().ok_or(refused)? {
            "" => None,
            bits => Some(hex_u32(bits, 8..=8).ok_or(refused)?),
        },
    };
    if bits.is_some_and(|bits| bits & !mask != 0) {
        return Err(refused);
    }
    Ok((job, extranonce2, time, nonce, bits.filter(|_| mask != 0)))
}

impl Session {
    /// `mining.submit`: to the judge, or refused at once.
    pub(super) fn submit(
        &self,
        request: &Request<'_>,
        params: &[Param<'_>],
        out: &mut Vec<u8>,
    ) -> Action {
        let mut refuse = |name: &str, reject: Reject, words: &str| {
            reply::error(out, request.id, reject.code(), words);
            Action::Rejected(name.to_owned(), reject)
        };
        // NOMP's order: authorised, then subscribed.
        if self.names.is_empty() {
            return refuse("", Reject::Unauthorized, Reject::Unauthorized.words());
        }
        if !self.is_subscribed() {
            return refuse("", Reject::NotSubscribed, Reject::NotSubscribed.words());
        }
        let Some(name) = params.first().and_then(Param::text) else {
            return refuse("", Reject::Malformed, "Bad params");
        };
        let name = worker::clean_name(name);
        if !self.names.contains(&name) {
            return refuse("", Reject::Unauthorized, "Worker mismatch");
        }
        match read(params, self.extranonce2_size, self.version_mask) {
            Ok((job, extranonce2, time, nonce, version_bits)) => Action::Submit(Submit {
                id: request.id.to_owned(),
                name,
                job,
                extranonce2,
                time,
                nonce,
                version_bits,
            }),
            Err((reject, words)) => refuse(&name, reject, words),
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn parse(params: &[&str], mask: u32) -> Result<(u32, u32, Option<u32>), Reject> {
        let params: Vec<Param<'_>> = params.iter().map(|&text| Param::Text(text.into())).collect();
        read(&params, 4, mask)
            .map(|(_, _, time, nonce, bits)| (time, nonce, bits))
            .map_err(|(reject, _)| reject)
    }

    #[test]
    fn case_and_padding_end_in_the_same_value() {
        let full = parse(&["w", "0a1f", "0000000A", "53724DFF", "0000000A"], 0);
        assert_eq!(full, Ok((0x5372_4dff, 10, None)));
        assert_eq!(parse(&["w", "0A1F", "0000000a", "53724dff", "a"], 0), full);
    }

    #[test]
    fn only_strict_hex_of_the_right_width() {
        let good = ["w", "011", "00000000", "53724dff", "00000001", "00000000"];
        assert!(parse(&good, 0).is_ok());
        for (index, bad) in [
            (2, ""),
            (2, "000000"),
            (2, "0000000"),
            (2, "0000000000"),
            (2, "zz000000"),
            (2, "0x000000"),
            (2, "+0000001"),
            (2, " 0000000"),
            (2, "000000zz"),
            (3, "3724dff"),
            (3, "053724dff"),
            (3, "+3724dff"),
            (3, ""),
            (3, "0x3724df"),
            (4, ""),
            (4, "000000001"),
            (4, "+000aff1"),
            (4, "0XAB0000"),
            (4, "-1"),
            (4, " 1"),
            (4, "\u{ff11}\u{ff11}"),
            (5, "000000000"),
            (5, "0"),
            (5, "-0000001"),
            (5, "00000001"),
            (5, "zzzzzzzz"),
        ] {
            let mut params = good;
            params[index] = bad;
            let expected = if index == 5 { Reject::Version } else { Reject::Malformed };
            assert_eq!(parse(&params, 0), Err(expected), "{index} {bad:?}");
        }
        assert_eq!(parse(&good[..4], 0), Err(Reject::Malformed));
        assert_eq!(parse(&["w", "x", "00000000", "53724dff", "1"], 0), Err(Reject::UnknownJob));
    }

    #[test]
    fn version_bits_stay_inside_the_mask() {
        let with = |bits, mask| parse(&["w", "011", "00000000", "53724dff", "1", bits], mask);
        assert_eq!(with("00C00000", 0x1fff_e000), Ok((0x5372_4dff, 1, Some(0x00c0_0000))));
        assert_eq!(with("20000000", 0x1fff_e000), Err(Reject::Version));
        assert_eq!(with("", 0x1fff_e000), Ok((0x5372_4dff, 1, None)));
        assert_eq!(with("00000000", 0), Ok((0x5372_4dff, 1, None)));
    }

    #[test]
    fn params_beyond_the_sixth_are_ignored() {
        let params = ["w", "011", "00000000", "53724dff", "1", "00000000", "x", "y"];
        assert!(parse(&params, 0).is_ok());
    }
}
