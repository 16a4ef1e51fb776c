//! What stands at the beginning of a connection from a proxy.

use romp::net::proxy::{Parsed, parse};
use std::net::IpAddr;

/// A header that is not whole yet is shorter than this: version 2 with all that is read of it.
const LONGEST: usize = 232;

/// Any bytes as the beginning of a connection.
pub(crate) fn target(data: &[u8]) {
    let verdict = parse(data);
    match verdict {
        Parsed::More => assert!(data.len() < LONGEST, "{} bytes are waited for", data.len()),
        Parsed::Bad => {}
        Parsed::Header { length, source } => {
            assert!((1..=data.len().min(LONGEST)).contains(&length), "{length} bytes were taken");
            assert!(source.is_none_or(|source| source == source.to_canonical()), "{source:?}");
            for written in [text(source), binary(source)] {
                let length = written.len();
                assert_eq!(parse(&written), Parsed::Header { length, source }, "{written:02x?}");
            }
        }
    }
    // However the bytes come in pieces: until there is a verdict more is asked for, and then it
    // stays.
    let begun = (0..data.len().min(2 * LONGEST)).map(|end| parse(&data[..end]));
    match begun.into_iter().find(|parsed| *parsed != Parsed::More) {
        Some(first) => assert_eq!(first, verdict, "the verdict changed as more came"),
        None => assert!(data.len() <= LONGEST || verdict != Parsed::More),
    }
}

/// A header of version 1 that tells a source.
fn text(source: Option<IpAddr>) -> Vec<u8> {
    match source {
        Some(IpAddr::V4(source)) => format!("PROXY TCP4 {source} 192.0.2.1 1 65535\r\n"),
        Some(IpAddr::V6(source)) => format!("PROXY TCP6 {source} 2001:db8::1 1 65535\r\n"),
        None => "PROXY UNKNOWN\r\n".to_owned(),
    }
    .into_bytes()
}

/// A header of version 2 that tells a source.
fn binary(source: Option<IpAddr>) -> Vec<u8> {
    let (command, family, addresses) = match source {
        Some(IpAddr::V4(source)) => (0x21, 0x11, [&source.octets()[..], &[9; 8]].concat()),
        Some(IpAddr::V6(source)) => (0x21, 0x21, [&source.octets()[..], &[9; 20]].concat()),
        None => (0x20, 0, Vec::new()),
    };
    let length = u8::try_from(addresses.len()).expect("a short header");
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family, 0, length][..], &addresses].concat()
}
