//! Packets on a child's channel: a kind, a body and descriptors, none of them to be trusted.
//!
//! The input is packets one after the other: a byte that says what travels along, the length (two
//! bytes) and so many bytes.

use super::bytes::Bytes;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use romp::ipc::{Channel, Message, Received};
use romp::sys::memfd;
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Packets of one input: fewer than the socket holds.
const MOST_PACKETS: usize = 32;

/// Any bytes as packets.
pub(crate) fn target(data: &[u8]) {
    let (sender, mut receiver) = Channel::pair().expect("a channel");
    let mut input = Bytes(data);
    let (mut packets, mut descriptors) = (0, 0);
    while !input.is_empty() && packets < MOST_PACKETS {
        let (what, length) = (input.u8(), usize::from(input.u16()));
        let body = input.piece(length);
        let files = files(what, body);
        // Where the message travels in a file, the packet is its kind and nothing else.
        let packet = if what & 1 == 1 { body.get(..1).unwrap_or_default() } else { body };
        let numbers: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() { &rights[..0] } else { &rights[..] };
        let number = sender.as_fd().as_raw_fd();
        let sent =
            sendmsg::<()>(number, &[IoSlice::new(packet)], rights, MsgFlags::MSG_DONTWAIT, None);
        if sent.is_err() {
            break;
        }
        packets += 1;
        descriptors += files.len();
    }
    drop(sender);
    let mut received = 0;
    // A receiver gives up at the first error, and a child dies of it.
    while let Ok(Received::Message(message, files)) = receiver.receive() {
        received += 1;
        assert!(received <= packets, "more messages than packets");
        assert!(files.len() <= descriptors, "descriptors out of nothing");
        again(&message);
    }
}

/// What travels along with a packet.
fn files(what: u8, body: &[u8]) -> Vec<OwnedFd> {
    let mut files = Vec::new();
    if what & 1 == 1 {
        let content = body.get(1..).unwrap_or_default();
        files.push(memfd::sealed("fuzz", content).expect("a memory file"));
    }
    if what & 2 == 2 {
        // Nobody has promised that a descriptor is a memory file, or a small one.
        let file = tempfile::tempfile().expect("a file");
        file.set_len(u64::from(what) << 30).expect("a sparse file");
        files.insert(0, file.into());
    }
    for _ in 0..what >> 4 {
        files.push(File::open("/dev/null").expect("/dev/null").into());
    }
    files
}

/// A message that was understood can be sent on, and is the same on the other side.
fn again(message: &Message) {
    let (mut sender, mut receiver) = Channel::pair().expect("a channel");
    sender.send(message, &[]).expect("a message can be sent");
    match receiver.receive() {
        Ok(Received::Message(other, files)) => {
            assert!(files.is_empty());
            // NaN is no JSON, so what came from JSON is equal to itself.
            assert_eq!(&*other, message);
        }
        other => panic!("{other:?} for {message:?}"),
    }
}
