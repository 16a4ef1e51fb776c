//! Messages with descriptors on Unix sockets that keep packets apart (`SCM_RIGHTS`).

#![allow(unsafe_code)] // Received descriptors arrive as numbers.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, getsockopt,
    recvmsg, sendmsg, setsockopt, socketpair, sockopt,
};
use nix::unistd::dup2_stdin;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Descriptors that travel with one packet; Linux takes at most 253.
pub const MOST: usize = 128;

/// A connected pair, non-blocking, close-on-exec, packets kept apart.
///
/// # Errors
/// When the operating system refuses.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    for socket in [&one, &other] {
        // A wish: the kernel cuts it to net.core.wmem_max, which by default holds one packet too.
        let _ = setsockopt(socket, sockopt::SndBuf, &(1 << 20));
    }
    Ok((one, other))
}

/// Takes standard input, where it is a socket that keeps packets apart, and puts nothing in its
/// place; `None`: it is something else.
///
/// # Errors
/// When the operating system refuses.
pub fn take_input() -> io::Result<Option<OwnedFd>> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    if getsockopt(&input, sockopt::SockType) != Ok(SockType::SeqPacket) {
        return Ok(None);
    }
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(Some(input))
}

/// Sends one packet with at most [`MOST`] descriptors.
///
/// # Errors
/// `WouldBlock` when the socket is full; other kinds when the other side is gone.
pub fn send(socket: BorrowedFd<'_>, bytes: &[&[u8]], fds: &[impl AsRawFd]) -> io::Result<()> {
    let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &parts, control, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            // Too many descriptors on their way for this user: it passes as the others are read.
            Err(Errno::ETOOMANYREFS) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one packet into `buffer`: its length and its descriptors, close-on-exec. Length 0 is
/// the end.
///
/// # Errors
/// `WouldBlock` when there is none; `InvalidData` when it did not fit whole.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = cmsg_space!([RawFd; MOST]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let (length, cut, fds) = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => {
                let mut fds = Vec::new();
                let whole = message.cmsgs().map(|controls| {
                    for control in controls {
                        if let ControlMessageOwned::ScmRights(raw) = control {
                            // SAFETY: the kernel has just opened these for us, and nobody else
                            // knows their numbers.
                            fds.extend(raw.iter().map(|&fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                        }
                    }
                });
                let cut = whole.is_err() || message.flags.contains(MsgFlags::MSG_TRUNC);
                break (message.bytes, cut, fds);
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if cut {
        let problem = "a packet or its descriptors did not fit (too many open files?)";
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok((length, fds))
}
