//! What a channel promises: order, descriptors with their message, bounds, a clear end.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::chain::Hash;
use proptest::prelude::*;
use std::io::Write;

fn notify(coin: String) -> Message {
    Message::Blocknotify { coin, hash: Some(Hash([7; 32])) }
}

fn next(channel: &mut Channel) -> (Message, Vec<OwnedFd>) {
    match channel.receive().unwrap() {
        Received::Message(message, fds) => (*message, fds),
        other => panic!("{other:?}"),
    }
}

#[test]
fn descriptors_arrive_with_their_message() {
    let (mut one, mut other) = Channel::pair().unwrap();
    let file = memfd::sealed("body", b"transactions").unwrap();
    one.send(&Message::Ready, &[]).unwrap();
    one.send(&notify("a".into()), &[file.as_fd()]).unwrap();
    one.send(&Message::Ready, &[]).unwrap();
    assert!(next(&mut other).1.is_empty());
    let (message, fds) = next(&mut other);
    assert_eq!(message, notify("a".into()));
    assert_eq!(memfd::contents(fds[0].as_fd()).unwrap(), b"transactions");
    assert_eq!(fds.len(), 1);
    assert!(next(&mut other).1.is_empty());
    assert!(matches!(other.receive().unwrap(), Received::Nothing));
}

#[test]
fn large_messages_and_many_descriptors_pass() {
    let (mut one, mut other) = Channel::pair().unwrap();
    let files: Vec<OwnedFd> =
        (0..300_u32).map(|n| memfd::sealed("n", &n.to_le_bytes()).unwrap()).collect();
    let fds: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let large = notify("x".repeat(3 << 20));
    one.send(&large, &fds).unwrap();
    one.send(&large, &[]).unwrap();
    one.send(&Message::Ready, &[]).unwrap();
    let (message, fds) = next(&mut other);
    assert_eq!(message, large);
    let numbers: Vec<Vec<u8>> = fds.iter().map(|fd| memfd::contents(fd.as_fd()).unwrap()).collect();
    assert_eq!(numbers, (0..300_u32).map(|n| n.to_le_bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(next(&mut other).0, large);
    assert_eq!(next(&mut other).0, Message::Ready);
}

#[test]
fn a_side_that_does_not_read_is_reported() {
    let (mut one, mut other) = Channel::pair().unwrap();
    let message = notify("y".repeat(60_000));
    let mut sent = 0;
    let error = loop {
        match one.send(&message, &[]) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 3 * QUEUE, "never full");
    };
    assert!(matches!(error, ChannelError::Full(QUEUE)), "{error}");
    // All that was taken arrives, once it is read.
    let mut got = 0;
    while got < sent {
        one.flush().unwrap();
        if let Received::Message(..) = other.receive().unwrap() {
            got += 1;
        }
    }
    assert_eq!(one.waiting(), 0);
}

#[test]
fn last_words_are_read_before_the_end() {
    let (mut one, mut other) = Channel::pair().unwrap();
    // Unread by `one` when it closes: the kernel then reports a reset before the last words.
    other.send(&Message::Ready, &[]).unwrap();
    one.send(&notify("last".into()), &[]).unwrap();
    drop(one);
    assert_eq!(next(&mut other).0, notify("last".into()));
    assert!(matches!(other.receive().unwrap(), Received::Closed));
    assert!(other.send(&Message::Ready, &[]).is_err());
    assert!(matches!(other.receive().unwrap(), Received::Closed));
}

fn raw_send(channel: &Channel, bytes: &[u8]) {
    let mut file = std::fs::File::from(channel.as_fd().try_clone_to_owned().unwrap());
    file.write_all(bytes).unwrap();
}

#[test]
fn garbage_is_reported() {
    let too_long = vec![INLINE; LARGEST_PACKET + 100];
    for bytes in
        [&b"\x01{}"[..], b"\x01", b"\x02", b"\x09abc", b"\x01{\"type\":\"nope\"}", &too_long]
    {
        let (one, mut other) = Channel::pair().unwrap();
        raw_send(&one, bytes);
        let received = other.receive();
        assert!(matches!(received, Err(ChannelError::Garbage(_))), "{received:?}");
    }
}

proptest! {
    #[test]
    fn any_packet_is_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let (one, mut other) = Channel::pair().unwrap();
        raw_send(&one, &bytes);
        let _ = other.receive();
    }

    #[test]
    fn messages_arrive_in_order(lengths in proptest::collection::vec(0_usize..200_000, 1..40)) {
        let (mut one, mut other) = Channel::pair().unwrap();
        for &length in &lengths {
            one.send(&notify("z".repeat(length)), &[]).unwrap();
        }
        for &length in &lengths {
            one.flush().unwrap();
            prop_assert_eq!(next(&mut other).0, notify("z".repeat(length)));
        }
    }
}
