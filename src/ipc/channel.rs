//! One end of a child's Unix socket pair (`SOCK_SEQPACKET`: a message and its descriptors stay
//! together). Never blocks; the send queue is bounded.
//!
//! A packet is a kind byte and a body. A message too large for a packet travels in a memory file,
//! and descriptors too many for one packet travel ahead of it, so that no message is refused.

use super::Message;
use crate::sys::{descriptors, memfd};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Messages that may wait for the other side.
pub(super) const QUEUE: usize = 1024;
/// Largest body of a packet: below half of the socket's default buffer (208 KiB).
const LARGEST_PACKET: usize = 96 << 10;
/// Descriptors of one message: more are a fault.
const MOST_DESCRIPTORS: usize = 4096;

/// The body is the message.
const INLINE: u8 = 1;
/// The first descriptor is a memory file with the message.
const IN_FILE: u8 = 2;
/// Only descriptors, of the message that follows.
const AHEAD: u8 = 3;

/// One end of a channel of messages `M`.
#[derive(Debug)]
pub struct Channel<M = Message> {
    socket: OwnedFd,
    queue: VecDeque<Packet>,
    buffer: Vec<u8>,
    ahead: Vec<OwnedFd>,
    messages: PhantomData<M>,
}

#[derive(Debug)]
struct Packet {
    kind: u8,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// What [`Channel::receive`] found.
#[derive(Debug)]
pub enum Received<M = Message> {
    /// A message and its descriptors.
    Message(Box<M>, Vec<OwnedFd>),
    /// Nothing to read now.
    Nothing,
    /// The other side is gone, and all that it had sent has been read.
    Closed,
}

/// Why a channel cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The operating system refused.
    #[error("channel: {0}")]
    Os(#[from] std::io::Error),
    /// The message could not be made (no descriptors or memory left): it is lost.
    #[error("channel: a message could not be made: {0}")]
    Unsent(std::io::Error),
    /// The other side does not read: its queue is full.
    #[error("channel: the other side has left {0} messages unread")]
    Full(usize),
    /// Something that is no message.
    #[error("channel: {0}")]
    Garbage(String),
}

impl<M: Serialize + DeserializeOwned> Channel<M> {
    /// Both ends of a new channel, non-blocking, close-on-exec.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn pair() -> Result<(Self, Self), ChannelError> {
        let (one, other) = descriptors::pair()?;
        Ok((Self::new(one), Self::new(other)))
    }

    fn new(socket: OwnedFd) -> Self {
        let (queue, buffer, ahead) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { socket, queue, buffer, ahead, messages: PhantomData }
    }

    /// Queues a message with duplicates of the descriptors and sends what the socket takes.
    ///
    /// # Errors
    /// [`ChannelError::Full`] when the bounded queue is full, [`ChannelError::Unsent`] when there is
    /// nothing to make the message with; the caller gives the other side up.
    pub fn send(&mut self, message: &M, fds: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        self.flush()?;
        if self.queue.len() >= QUEUE {
            return Err(ChannelError::Full(self.queue.len()));
        }
        let unsent = ChannelError::Unsent;
        let mut body =
            serde_json::to_vec(message).map_err(|error| unsent(io::Error::other(error)))?;
        let mut owned = Vec::with_capacity(fds.len() + 1);
        let mut kind = INLINE;
        if body.len() > LARGEST_PACKET {
            owned.push(memfd::sealed("message", &body).map_err(unsent)?);
            (kind, body) = (IN_FILE, Vec::new());
        }
        for fd in fds {
            owned.push(fd.try_clone_to_owned().map_err(unsent)?);
        }
        while owned.len() > descriptors::MOST {
            let rest = owned.split_off(descriptors::MOST);
            self.queue.push_back(Packet { kind: AHEAD, body: Vec::new(), fds: owned });
            owned = rest;
        }
        self.queue.push_back(Packet { kind, body, fds: owned });
        self.flush()
    }

    /// Sends more of the queue: call when the socket is writable again, and each turn.
    ///
    /// # Errors
    /// When the other side is gone. What it had sent can still be received.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        while let Some(packet) = self.queue.front() {
            match descriptors::send(
                self.socket.as_fd(),
                &[&[packet.kind], &packet.body],
                &packet.fds,
            ) {
                Ok(()) => drop(self.queue.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    self.queue.clear();
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Messages that the socket has not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The next message, if one has arrived.
    ///
    /// # Errors
    /// When something that is no message arrives.
    pub fn receive(&mut self) -> Result<Received<M>, ChannelError> {
        self.buffer.resize(LARGEST_PACKET + 1, 0);
        loop {
            let (length, mut fds) =
                match descriptors::receive(self.socket.as_fd(), &mut self.buffer) {
                    Ok(packet) => packet,
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                        // The other side died with something of ours unread. The error shows once
                        // and stands before what it had sent; read on.
                        io::ErrorKind::ConnectionReset => continue,
                        io::ErrorKind::InvalidData => {
                            return Err(ChannelError::Garbage(error.to_string()));
                        }
                        _ => return Err(error.into()),
                    },
                };
            let packet = self.buffer.get(..length).unwrap_or_default();
            let Some((kind, body)) = packet.split_first() else { return Ok(Received::Closed) };
            let message = match *kind {
                INLINE => parse(body)?,
                IN_FILE if !fds.is_empty() => {
                    // The file is the message's first descriptor: ahead of it may be others.
                    let file =
                        if self.ahead.is_empty() { fds.remove(0) } else { self.ahead.remove(0) };
                    parse(&memfd::contents(file.as_fd())?)?
                }
                AHEAD if self.ahead.len() < MOST_DESCRIPTORS => {
                    self.ahead.append(&mut fds);
                    continue;
                }
                _ => return Err(ChannelError::Garbage(format!("a packet of kind {kind}"))),
            };
            let mut all = std::mem::take(&mut self.ahead);
            all.append(&mut fds);
            return Ok(Received::Message(Box::new(message), all));
        }
    }
}

fn parse<M: DeserializeOwned>(body: &[u8]) -> Result<M, ChannelError> {
    serde_json::from_slice(body).map_err(|error| ChannelError::Garbage(error.to_string()))
}

impl<M: Serialize + DeserializeOwned> From<OwnedFd> for Channel<M> {
    /// An end that came from another process.
    fn from(socket: OwnedFd) -> Self {
        Self::new(socket)
    }
}

impl<M> AsRawFd for Channel<M> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<M> AsFd for Channel<M> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
