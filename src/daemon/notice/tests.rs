//! Tests of both protocols, with what real daemons sent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::p2p::{Hello, Peer};
use super::zmq::Subscriber;
use super::*;
use crate::chain::{hex_decode, sha256d};
use proptest::prelude::*;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
const LITECOIND: &str = include_str!("../../../tests/vectors/notice/p2p-litecoin-0.21.2.hex");
const LIBZMQ: &str = include_str!("../../../tests/vectors/notice/zmq-libzmq-4.3.5.hex");

fn bytes(vector: &str) -> Vec<u8> {
    let lines = vector.lines().filter(|line| !line.starts_with('#'));
    hex_decode(&lines.collect::<String>()).unwrap()
}

fn hello() -> Hello {
    Hello { magic: MAGIC, version: 70_016, transactions: false, unix: 1_700_000_000, nonce: 77 }
}

fn message(command: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(command.bytes().chain(std::iter::repeat(0)).take(12));
    bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
    bytes.extend(&sha256d(payload).0[..4]);
    bytes.extend(payload);
    bytes
}

/// A peer after the handshake, at 1,000 ms.
fn peer() -> Peer {
    let mut peer = Peer::new(hello());
    peer.tick(1_000).unwrap();
    peer.feed(1_000, &message("version", &[0; 86])).unwrap();
    assert_eq!(peer.feed(1_000, &message("verack", &[])).unwrap(), [Heard::Ready]);
    peer
}

fn inv(entries: &[(u32, u8)]) -> Vec<u8> {
    let mut payload = match u8::try_from(entries.len()) {
        Ok(few) if few < 0xfd => vec![few],
        _ => [&[0xfd], &u16::try_from(entries.len()).unwrap().to_le_bytes()[..]].concat(),
    };
    for (kind, hash) in entries {
        payload.extend(kind.to_le_bytes());
        payload.extend([*hash; 32]);
    }
    payload
}

#[test]
fn litecoind_tells_a_peer_of_a_block() {
    let hash = "7c32ad38f00139af7012a9b5461c929a393181a163b91c9bfd2d7f2ad691da6d";
    let stream = bytes(LITECOIND);
    // Whole, and one byte at a time.
    for size in [stream.len(), 1] {
        let mut peer = Peer::new(hello());
        let first = peer.tick(0).unwrap();
        let Heard::Send(version) = &first[0] else { unreachable!() };
        assert_eq!(version.len(), 24 + 85 + 13);
        assert_eq!(version[version.len() - 1], 0, "no transactions");
        let mut heard = Vec::new();
        for part in stream.chunks(size) {
            heard.extend(peer.feed(1, part).unwrap());
        }
        let Some(Heard::Send(pong)) = heard.get(2) else { unreachable!("{heard:?}") };
        assert_eq!(pong[4..8], *b"pong");
        let hash = Hash::from_display(hash).unwrap();
        assert_eq!(heard[0], Heard::Send(message("verack", &[])));
        assert_eq!((&heard[1], &heard[3..]), (&Heard::Ready, &[Heard::Block(hash)][..]));
    }
}

#[test]
fn an_old_version_has_no_relay_byte() {
    let mut peer = Peer::new(Hello { version: 60_001, ..hello() });
    let Heard::Send(version) = &peer.tick(0).unwrap()[0] else { unreachable!() };
    assert_eq!(version.len(), 24 + 85 + 12);
}

#[test]
fn blocks_of_any_kind_count_and_the_last_is_the_newest() {
    for kind in [2, 3, 4, 2 | 1 << 30, 4 | 1 << 30] {
        let told =
            peer().feed(1_000, &message("inv", &inv(&[(1, 7), (kind, 8), (kind, 9), (1, 5)])));
        assert_eq!(told.unwrap(), [Heard::Block(Hash([9; 32]))]);
    }
    for kind in [0, 1, 5, 1 | 1 << 30] {
        assert_eq!(peer().feed(1_000, &message("inv", &inv(&[(kind, 8)]))).unwrap(), []);
    }
    let early = Peer::new(hello()).feed(0, &message("inv", &inv(&[(2, 8)])));
    assert_eq!(early.unwrap(), [], "not before the handshake");
}

#[test]
fn what_is_odd_closes_the_connection() {
    let mut flipped = message("ping", &[1; 8]);
    flipped[30] ^= 1;
    let mut other_network = message("ping", &[]);
    other_network[0] = 0xfb;
    let mut huge = message("block", &[]);
    huge[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut large_inv = message("inv", &[]);
    large_inv[16..20].copy_from_slice(&1_800_003_u32.to_le_bytes());
    let wrong_count = [&[9], &inv(&[(2, 1)])[1..]].concat();
    for (what, stream, words) in [
        ("a wrong checksum", flipped, "checksum"),
        ("another network", other_network, "magic"),
        ("4 GB", huge, "4294967295"),
        ("50,000 hashes", large_inv, "`inv` of 1800003"),
        ("1,001 hashes", message("inv", &inv(&[(2, 1); 1_001])), "1000 entries"),
        ("a count that lies", message("inv", &wrong_count), "count"),
        ("a 64-bit count", message("inv", &[0xff; 9]), "1000 entries"),
        ("an empty inv", message("inv", &[]), "cut"),
        ("no name", message("", &[]), "name"),
        ("a name with zeros inside", message("a\0b", &[]), "name"),
        ("two versions", message("version", &[0; 86]), "twice"),
        ("a refusal", message("reject", b"\x07version\x11\x08obsolete"), "obsolete"),
        ("a web server", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "magic"),
    ] {
        let error = peer().feed(1_000, &stream).unwrap_err();
        assert!(error.contains(words), "{what}: {error}");
    }
}

#[test]
fn large_messages_pass_without_being_kept() {
    let mut peer = peer();
    let large = message("tx", &vec![7; 1 << 20]);
    for part in large.chunks(10_000) {
        assert_eq!(peer.feed(1_000, part).unwrap(), []);
    }
    let told = peer.feed(1_000, &message("inv", &inv(&[(2, 3)]))).unwrap();
    assert_eq!(told, [Heard::Block(Hash([3; 32]))]);
    assert!(format!("{peer:?}").len() < 2_000, "nothing is kept");
}

#[test]
fn silence_and_drips_run_into_deadlines() {
    let mut silent = Peer::new(hello());
    silent.tick(5).unwrap();
    assert_eq!(silent.tick(10_004).unwrap(), []);
    assert!(silent.tick(10_005).unwrap_err().contains("version"));

    let mut half = Peer::new(hello());
    half.tick(0).unwrap();
    half.feed(9_000, &message("version", &[0; 86])).unwrap();
    assert!(half.tick(10_000).unwrap_err().contains("handshake"), "never verack");

    let mut drip = peer();
    let ping = message("ping", &[1; 8]);
    for (at, byte) in ping.iter().enumerate().take(20) {
        let now = 2_000 + 500 * at as u64;
        drip.feed(now, &[*byte]).unwrap();
        assert!(drip.tick(now).is_ok() || now >= 12_000);
    }
    assert!(drip.tick(12_000).unwrap_err().contains("longer"));

    let mut gone = peer();
    assert_eq!(gone.tick(60_999).unwrap(), []);
    assert!(
        matches!(&gone.tick(61_000).unwrap()[..], [Heard::Send(ping)] if ping[4..8] == *b"ping")
    );
    assert_eq!(gone.tick(62_000).unwrap(), [], "once");
    gone.feed(63_000, &message("pong", &77_u64.to_le_bytes())).unwrap();
    assert_eq!(gone.tick(100_000).unwrap(), []);
    gone.tick(123_000).unwrap();
    assert!(gone.tick(133_000).unwrap_err().contains("ping"));
}

#[test]
fn libzmq_tells_a_subscriber_of_blocks() {
    let hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    let block = Heard::Block(Hash::from_display(hash).unwrap());
    let stream = bytes(LIBZMQ);
    for size in [stream.len(), 1] {
        let mut subscriber = Subscriber::new();
        let Heard::Send(greeting) = &subscriber.tick(0).unwrap()[0] else { unreachable!() };
        assert_eq!((greeting.len(), &greeting[..12]), (64, &b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0"[..]));
        let mut heard = Vec::new();
        for part in stream.chunks(size) {
            heard.extend(subscriber.feed(1, part).unwrap());
        }
        let [Heard::Send(ready), Heard::Send(subscription), Heard::Ready, blocks @ ..] = &heard[..]
        else {
            unreachable!("{heard:?}")
        };
        assert_eq!(ready, b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB");
        assert_eq!(subscription, b"\0\x0a\x01hashblock");
        let missed = Heard::Missed(3);
        assert_eq!(blocks, [block.clone(), block.clone(), missed, block.clone()]);
    }
}

/// A subscriber after the handshake, at 0 ms.
fn subscriber() -> Subscriber {
    let mut subscriber = Subscriber::new();
    subscriber.tick(0).unwrap();
    let stream = bytes(LIBZMQ);
    let messages = stream.windows(11).position(|part| part == b"\x01\x09hashblock").unwrap();
    let heard = subscriber.feed(0, &stream[..messages]).unwrap();
    assert_eq!(heard.last(), Some(&Heard::Ready));
    subscriber
}

#[test]
fn a_publisher_that_is_odd_is_left() {
    let web = Subscriber::new().feed(0, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
    assert!(web.contains("no ZMQ"), "{web}");
    let mut curve = bytes(LIBZMQ);
    curve[12..17].copy_from_slice(b"CURVE");
    assert!(Subscriber::new().feed(0, &curve).unwrap_err().contains("NULL"));
    let mut old = bytes(LIBZMQ);
    old[10] = 1;
    assert!(Subscriber::new().feed(0, &old).unwrap_err().contains("older"));
    let push = String::from_utf8_lossy(&bytes(LIBZMQ)).into_owned().contains("PUB");
    assert!(push);
    let mut no_publisher = bytes(LIBZMQ);
    let at = no_publisher.windows(3).position(|part| part == b"PUB").unwrap();
    no_publisher[at..at + 3].copy_from_slice(b"REP");
    assert!(Subscriber::new().feed(0, &no_publisher).unwrap_err().contains("no publisher"));
    for (what, stream, words) in [
        ("2^63 bytes", [&[2_u8, 0x80][..], &[0; 7]].concat(), "9223372036854775808"),
        ("600 bytes", [&[2_u8][..], &600_u64.to_be_bytes()].concat(), "600 bytes"),
        ("flags", vec![0x18, 0], "flags"),
        ("parts", [1_u8, 0].repeat(9), "parts"),
        ("short hash", b"\x01\x09hashblock\x01\x02ab\x00\x00".to_vec(), "2 bytes"),
        ("cut command", vec![4, 0], "cut"),
        ("refusal", b"\x04\x09\x05ERROR\x02no".to_vec(), "refuses"),
    ] {
        let error = subscriber().feed(0, &stream).unwrap_err();
        assert!(error.contains(words), "{what}: {error}");
    }
    let early = [&bytes(LIBZMQ)[..64], b"\x00\x01x"].concat();
    assert!(Subscriber::new().feed(0, &early).unwrap_err().contains("before"));
}

#[test]
fn a_publisher_of_other_things_is_heard_out() {
    let mut subscriber = subscriber();
    assert_eq!(subscriber.feed(0, b"\x01\x06hashtx\x01\x01a\x00\x00").unwrap(), []);
    assert_eq!(subscriber.feed(0, b"\x00\x03one").unwrap(), []);
    let pong = subscriber.feed(0, b"\x04\x09\x04PING\x00\x0aab").unwrap();
    assert_eq!(pong, [Heard::Send(b"\x04\x07\x04PONGab".to_vec())]);
}

#[test]
fn a_publisher_that_stalls_is_left() {
    let mut silent = Subscriber::new();
    silent.tick(0).unwrap();
    assert!(silent.tick(10_000).unwrap_err().contains("handshake"));
    let mut stalled = subscriber();
    assert_eq!(stalled.tick(1_000_000).unwrap(), [], "blocks may be far between");
    stalled.feed(1_000_000, b"\x01\x09hash").unwrap();
    stalled.feed(1_005_000, b"b").unwrap();
    assert!(stalled.tick(1_010_000).unwrap_err().contains("longer"));
}

proptest! {
    #[test]
    fn no_bytes_break_a_peer(junk in prop::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
        let mut framed = message("inv", &junk);
        framed.truncate(cut);
        let _ = peer().feed(0, &framed);
        let _ = peer().feed(0, &[&MAGIC[..], &junk].concat());
        let mut subscriber = subscriber();
        let _ = subscriber.feed(0, &junk);
        let _ = Subscriber::new().feed(0, &junk);
    }
}
