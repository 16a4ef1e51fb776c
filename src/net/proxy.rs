//! The PROXY header, versions 1 and 2 of HAProxy's proxy-protocol.txt. Pure, strict, bounded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest line of version 1, its end included.
const LINE: usize = 107;
/// Longest header of version 2 that is read: addresses of any kind, few extensions.
const BINARY: usize = 232;
/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// What the beginning of a connection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing wrong yet; more must come.
    More,
    /// No header, or an unsound one.
    Bad,
    /// A header of so many bytes. The source is the miner's address; without one (`UNKNOWN`,
    /// `LOCAL`) the connection is the proxy's own.
    Header {
        /// Bytes that it takes.
        length: usize,
        /// The miner's address.
        source: Option<IpAddr>,
    },
}

/// Reads the header at the beginning of what a proxy has sent.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    const WORD: &[u8] = b"PROXY ";
    let begins = |word: &[u8]| word.iter().zip(bytes).all(|(wanted, byte)| wanted == byte);
    if begins(&SIGNATURE) {
        binary(bytes)
    } else if begins(WORD) {
        text(bytes)
    } else {
        Parsed::Bad
    }
}

fn text(bytes: &[u8]) -> Parsed {
    let seen = bytes.get(..bytes.len().min(LINE)).unwrap_or_default();
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() >= LINE { Parsed::Bad } else { Parsed::More };
    };
    let length = end.saturating_add(2);
    let line = seen.get(..end).unwrap_or_default();
    match std::str::from_utf8(line).ok().and_then(source) {
        Some(source) => Parsed::Header { length, source },
        None => Parsed::Bad,
    }
}

/// The source of a line; `Some(None)` for `UNKNOWN`, whatever follows it.
fn source(line: &str) -> Option<Option<IpAddr>> {
    let mut words = line.split(' ');
    let (Some("PROXY"), Some(family)) = (words.next(), words.next()) else { return None };
    if family == "UNKNOWN" {
        return Some(None);
    }
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, _own) = (address()?, address()?);
    for _ in 0..2 {
        let word = words.next()?;
        word.parse::<u16>().ok().filter(|port| port.to_string() == word)?;
    }
    words.next().is_none().then_some(Some(source.to_canonical()))
}

fn binary(bytes: &[u8]) -> Parsed {
    let Some(&[kind, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED) else {
        return Parsed::More;
    };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + rest;
    let is_local = match kind {
        0x20 => true,
        0x21 => false,
        _ => return Parsed::Bad,
    };
    // Bytes of the two addresses and ports.
    let wanted = match family {
        0x11 => 12,
        0x21 => 36,
        // Not said, or a Unix socket.
        0x00 | 0x31 => 0,
        _ if is_local => 0,
        _ => return Parsed::Bad,
    };
    if length > BINARY || !is_local && rest < wanted {
        return Parsed::Bad;
    }
    let Some(body) = bytes.get(FIXED..length) else { return Parsed::More };
    let source = match (is_local, family) {
        (false, 0x11) => body.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        (false, 0x21) => body.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    };
    Parsed::Header { length, source: source.map(|address| address.to_canonical()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(kind: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[kind, family], &length, body].concat()
    }

    /// Whole headers give their source however they arrive; whatever is shorter asks for more.
    fn gives(bytes: &[u8], source: Option<&str>) {
        let source = source.map(|text| text.parse().unwrap());
        let length = bytes.len();
        assert_eq!(parse(bytes), Parsed::Header { length, source }, "{bytes:?}");
        assert_eq!(parse(&[bytes, b"{}\n"].concat()), Parsed::Header { length, source });
        for end in 0..length {
            assert_eq!(parse(&bytes[..end]), Parsed::More, "{end} of {bytes:?}");
        }
    }

    #[test]
    fn sound_headers_tell_the_source() {
        gives(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 3032\r\n", Some("192.0.2.1"));
        gives(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", Some("2001:db8::1"));
        gives(b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", Some("192.0.2.1"));
        gives(b"PROXY UNKNOWN\r\n", None);
        gives(b"PROXY UNKNOWN ffff::1 what ever 1\r\n", None);
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LINE - 16));
        gives(longest.as_bytes(), None);
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 0x0b, 0xd8];
        gives(&v2(0x21, 0x11, &four), Some("192.0.2.1"));
        gives(&v2(0x21, 0x11, &[&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat()), Some("192.0.2.1"));
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        gives(&v2(0x21, 0x21, &six), Some("2001:db8::"));
        gives(&v2(0x20, 0x00, &[]), None);
        gives(&v2(0x20, 0x11, &four), None);
        gives(&v2(0x21, 0x31, &[0; 216]), None);
    }

    #[test]
    fn anything_else_is_bad() {
        for line in [
            "{\"id\":1}\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 3032 7\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 056324 3032\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 -1 3032\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1  198.51.100.1 1 2\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY unknown\r\n",
            "PROXY \r\n",
            "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "\r\n\r\n{}",
        ] {
            assert_eq!(parse(line.as_bytes()), Parsed::Bad, "{line:?}");
        }
        assert_eq!(parse(format!("PROXY UNKNOWN {}", "f".repeat(LINE)).as_bytes()), Parsed::Bad);
        assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Parsed::Bad, "too short for its family");
        assert_eq!(parse(&v2(0x21, 0x21, &[0; 35])), Parsed::Bad);
        assert_eq!(parse(&v2(0x21, 0x12, &[0; 12])), Parsed::Bad, "a datagram");
        assert_eq!(parse(&v2(0x22, 0x11, &[0; 12])), Parsed::Bad, "a command that is none");
        assert_eq!(parse(&v2(0x11, 0x11, &[0; 12])), Parsed::Bad, "version 1");
        assert_eq!(parse(&v2(0x21, 0x11, &[0; 217])), Parsed::Bad, "longer than 232");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), v in 0..3) {
            let start: &[u8] = match v { 0 => b"PROXY ", 1 => &SIGNATURE, _ => b"" };
            let bytes = [start, &bytes].concat();
            match parse(&bytes) {
                Parsed::Header { length, .. } => prop_assert!(length <= bytes.len()),
                Parsed::More => prop_assert!(bytes.len() < BINARY),
                Parsed::Bad => {}
            }
        }
    }
}
