//! A daemon that tells of blocks by itself: a peer, or a ZMQ publisher.
//!
//! The first byte says how the rest is taken: bit 0, as ZMQ; bit 1, checksums of P2P messages are
//! put right; bit 2, after a handshake; bits 4 to 7, how often it is sent.

use romp::chain::sha256d;
use romp::daemon::notice::p2p::{Hello, Peer};
use romp::daemon::notice::zmq::Subscriber;
use romp::daemon::notice::{Heard, PATIENCE_MS, Protocol};

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
/// Bytes of a P2P message before its payload.
const HEADER: usize = 24;
/// Most bytes of words for the operator, and of what is written beside answers to `ping`.
const MOST_WORDS: usize = 300;
const MOST_UNASKED: usize = 300;
/// Most bytes of what a connection keeps, as it prints itself: 64 KiB and a piece, with four
/// characters for a byte.
const MOST_STATE: usize = 4 * ((64 << 10) + PIECE) + 4096;
/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// Any bytes as what one daemon sends.
pub(crate) fn target(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else { return };
    let is_zmq = how & 1 == 1;
    let mut stream = if how & 4 == 4 { handshake(is_zmq) } else { Vec::new() };
    for _ in 0..=how >> 4 {
        stream.extend(rest);
    }
    if how & 2 == 2 && !is_zmq {
        mend(&mut stream);
    }
    let told = hear(&stream, PIECE, is_zmq);
    let sizes: &[usize] = if stream.len() <= 4096 { &[1, 7, 64] } else { &[1000] };
    for &size in sizes {
        let other = hear(&stream, size, is_zmq);
        assert_eq!(other.end, told.end, "in pieces of {size} bytes");
        // What came with a mistake in one piece is left with it: the connection is made anew, and
        // the daemon asked.
        if told.end.is_ok() {
            assert_eq!(other.heard, told.heard, "in pieces of {size} bytes");
        }
    }
    if let Err(words) = &told.end {
        assert!(words.len() <= MOST_WORDS && !words.contains(char::is_control), "{words:?}");
    }
    let blocks = || told.heard.iter().filter(|heard| matches!(heard, Heard::Block(_)));
    // The same blocks in the plainest words are the same to who hears them.
    let mut plain = handshake(is_zmq);
    blocks().for_each(|block| plain.extend(announce(block, is_zmq)));
    let again = hear(&plain, PIECE, is_zmq);
    let said = again.heard.iter().filter(|heard| matches!(heard, Heard::Block(_)));
    assert!(said.eq(blocks()), "{:?} for {:?}", again.heard, told.heard);
}

/// What was heard, and how it ended.
struct Told {
    heard: Vec<Heard>,
    end: Result<(), String>,
}

fn hear(stream: &[u8], size: usize, is_zmq: bool) -> Told {
    let hello = Hello { magic: MAGIC, version: 70_016, transactions: false, unix: 1, nonce: 7 };
    let (mut peer, mut subscriber) = (Peer::new(hello), Subscriber::new());
    let protocol: &mut dyn Protocol = if is_zmq { &mut subscriber } else { &mut peer };
    let mut heard = protocol.tick(0).expect("a beginning");
    let mut end = Ok(());
    for piece in stream.chunks(size) {
        match protocol.feed(1, piece) {
            Ok(more) => heard.extend(more),
            Err(words) => {
                end = Err(words);
                break;
            }
        }
    }
    let ready = heard.iter().position(|heard| *heard == Heard::Ready);
    let block = heard.iter().position(|heard| matches!(heard, Heard::Block(_)));
    assert!(block.is_none() || ready.is_some_and(|ready| Some(ready) < block), "{heard:?}");
    assert!(heard.iter().filter(|heard| **heard == Heard::Ready).count() <= 1, "{heard:?}");
    let sent: usize = heard
        .iter()
        .map(|heard| if let Heard::Send(bytes) = heard { bytes.len() } else { 0 })
        .sum();
    assert!(sent <= stream.len() + MOST_UNASKED, "{sent} bytes for {}", stream.len());
    if end.is_ok() {
        // Who is not ready in time, or left something half said, is left.
        end = protocol.tick(PATIENCE_MS + 1).map(|_| ());
        assert!(end.is_err() || ready.is_some(), "a handshake without an end");
    }
    let state = if is_zmq { format!("{subscriber:?}") } else { format!("{peer:?}") };
    assert!(state.len() <= MOST_STATE, "{} bytes of state", state.len());
    Told { heard, end }
}

/// A P2P message.
fn message(command: &str, payload: &[u8]) -> Vec<u8> {
    let mut name = [0; 12];
    name[..command.len()].copy_from_slice(command.as_bytes());
    let length = u32::try_from(payload.len()).expect("a short payload").to_le_bytes();
    [&MAGIC[..], &name, &length, &sha256d(payload).0[..4], payload].concat()
}

/// What a daemon says until it is listened to.
fn handshake(is_zmq: bool) -> Vec<u8> {
    if !is_zmq {
        return [message("version", &[0; 86]), message("verack", &[])].concat();
    }
    let mut greeting = [0; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    [&greeting[..], b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"].concat()
}

/// A block in a message of its own.
fn announce(block: &Heard, is_zmq: bool) -> Vec<u8> {
    let Heard::Block(hash) = block else { return Vec::new() };
    let mut hash = hash.0;
    if is_zmq {
        hash.reverse();
        return [&b"\x01\x09hashblock\x00\x20"[..], &hash].concat();
    }
    message("inv", &[&[1, 2, 0, 0, 0][..], &hash].concat())
}

/// Puts the checksums of whole messages right, and the message start before them.
fn mend(stream: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = stream.get(at..at + HEADER) {
        let length = u32::from_le_bytes([header[16], header[17], header[18], header[19]]);
        let end =
            at.saturating_add(HEADER).saturating_add(usize::try_from(length).expect("64 bits"));
        stream[at..at + 4].copy_from_slice(&MAGIC);
        let Some(payload) = stream.get(at + HEADER..end) else { return };
        let checksum = sha256d(payload).0;
        stream[at + 20..at + HEADER].copy_from_slice(&checksum[..4]);
        at = end;
    }
}
