//! One end of a child's Unix socket pair (`SOCK_SEQPACKET`: a message and its descriptors stay
//! together). Never blocks; the send queue is bounded.

use super::Message;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// One end of a channel.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

/// What [`Channel::receive`] found.
#[derive(Debug)]
pub enum Received {
    /// A message and its descriptors.
    Message(Box<Message>, Vec<OwnedFd>),
    /// Nothing to read now.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// Why a channel cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The operating system refused.
    #[error("channel: {0}")]
    Os(#[from] std::io::Error),
    /// The other side does not read: its queue is full.
    #[error("channel: the other side has left {0} messages unread")]
    Full(usize),
    /// Something that is no message.
    #[error("channel: {0}")]
    Garbage(String),
}

impl Channel {
    /// Both ends of a new channel, non-blocking, close-on-exec.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn pair() -> Result<(Self, Self), ChannelError> {
        unimplemented!()
    }

    /// Queues a message with duplicates of the descriptors and sends what the socket takes.
    ///
    /// # Errors
    /// [`ChannelError::Full`] when the bounded queue is full; the caller gives the other side up.
    pub fn send(&mut self, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        let _ = (message, fds);
        unimplemented!()
    }

    /// Sends more of the queue: call when the socket is writable again, and each turn.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        unimplemented!()
    }

    /// The next message, if one has arrived.
    ///
    /// # Errors
    /// When something that is no message arrives.
    pub fn receive(&mut self) -> Result<Received, ChannelError> {
        unimplemented!()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
