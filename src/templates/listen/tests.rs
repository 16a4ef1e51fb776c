//! The listener's thread against scripted peers.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::daemon::notice::p2p::{Hello, Peer};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

/// A peer that does `script` with each connection, and what the listener to it tells.
fn listen(script: impl Fn(usize, TcpStream) + Send + 'static) -> Receiver<Told> {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, stream) in server.incoming().flatten().enumerate() {
            script(number, stream);
        }
    });
    let hello = Hello { magic: [1, 2, 3, 4], version: 1, transactions: false, unix: 0, nonce: 0 };
    let (sender, told) = channel();
    let place = Endpoint { host: "127.0.0.1".to_owned(), port };
    start("test", place, move || Peer::new(hello), move |told| sender.send(told).is_ok()).unwrap();
    told
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(Duration::from_secs(30)).unwrap()
}

/// The next failure's words.
fn down(told: &Receiver<Told>) -> String {
    match next(told) {
        Told::Down(why) => why,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn closed_and_lying_peers_are_tried_again() {
    let told = listen(|number, mut stream| {
        let header = |magic: [u8; 4], length: u32| {
            let mut bytes = magic.to_vec();
            bytes.extend(b"version\0\0\0\0\0");
            bytes.extend(length.to_le_bytes());
            bytes
        };
        let bytes = match number {
            0 => Vec::new(),
            1 => [&header([1, 2, 3, 4], u32::MAX)[..], &[0; 4]].concat(),
            _ => header([9, 9, 9, 9], 0),
        };
        // What it sent is read first: a close with unread bytes would be a reset.
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(&bytes);
    });
    let why = down(&told);
    assert!(why.contains("closed"), "{why}");
    let why = down(&told);
    assert!(why.contains("4294967295 bytes"), "{why}");
    let why = down(&told);
    assert!(why.contains("magic"), "{why}");
}

#[test]
fn a_refused_connection_is_tried_for_ever_and_ends_with_its_coin() {
    let port = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap().port()
    };
    let (sender, told) = channel();
    let (ended, end) = channel::<()>();
    let place = Endpoint { host: "127.0.0.1".to_owned(), port };
    let hello = Hello { magic: [0; 4], version: 1, transactions: false, unix: 0, nonce: 0 };
    let tell = move |told| {
        // Dropped with the thread.
        let _ = &ended;
        sender.send(told).is_ok()
    };
    start("test", place, move || Peer::new(hello), tell).unwrap();
    for _ in 0..2 {
        let why = down(&told);
        assert!(why.contains(&port.to_string()), "{why}");
    }
    drop(told);
    let ended = end.recv_timeout(Duration::from_secs(30));
    assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_flood_of_blocks_is_taken_slowly() {
    let told = listen(|_, mut stream| {
        let message = |command: &[u8], payload: &[u8]| {
            let mut bytes = [&[1, 2, 3, 4], command].concat();
            bytes.resize(16, 0);
            bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            bytes.extend(&crate::chain::sha256d(payload).0[..4]);
            [&bytes, payload].concat()
        };
        let inv = message(b"inv", &[&[1, 2, 0, 0, 0], &[7; 32][..]].concat());
        let hello = [message(b"version", &[0; 86]), message(b"verack", &[])].concat();
        let _ = stream.write_all(&hello);
        let flood = inv.repeat(1_000);
        while stream.write_all(&flood).is_ok() {}
    });
    assert!(matches!(next(&told), Told::Up));
    let begun = std::time::Instant::now();
    let mut blocks = 0.0;
    while begun.elapsed() < Duration::from_millis(1_500) {
        assert!(matches!(next(&told), Told::Block(..)));
        blocks += 1.0;
    }
    // One second's may have been read ahead, and one read goes beyond it.
    let most = (begun.elapsed().as_secs_f64() + 2.0) * (ALLOWANCE + (16 << 10)) as f64 / 61.0;
    assert!(blocks <= most, "{blocks} of {most}");
}

#[test]
fn the_next_attempt_comes_later_each_time() {
    let waits: Vec<u64> = (0..8).map(back_off).collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    assert_eq!(back_off(u32::MAX), 30_000);
}
