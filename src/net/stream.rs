//! A miner's connection: bytes as they are, or TLS, or either by what the first byte says. Reads
//! and writes like a socket that does not block.

use super::tls::{Acceptor, RECORD};
use rustls::ServerConnection;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

/// An error of this kind: what came first is no TLS, and nothing else is spoken here.
pub const NOT_TLS: ErrorKind = ErrorKind::InvalidInput;
/// An error of this kind: the handshake failed, or a record is broken.
pub const BROKEN_TLS: ErrorKind = ErrorKind::InvalidData;

/// Bytes that are encrypted at once. The library keeps no more than these on their way out.
const WRITE: usize = 16 * 1024;
/// Reads from the socket in one call that lead to nothing to be told; the next call goes on.
const READS: usize = 16;
/// What TLS answers whom it does not let in: a fatal alert, access denied.
const DENIED: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 49];

/// What a port speaks.
#[derive(Debug, Clone)]
pub enum Offer {
    /// Bytes as they are.
    Plain,
    /// TLS to who begins with it, bytes as they are to others.
    Both(Acceptor),
    /// TLS, nothing else.
    Tls(Acceptor),
}

#[derive(Debug)]
enum Layer {
    Plain,
    /// The first byte has not come.
    Undecided {
        acceptor: Acceptor,
        plain: bool,
    },
    Tls(Box<ServerConnection>),
}

/// A connection over a socket.
#[derive(Debug)]
pub struct Stream<S> {
    socket: S,
    layer: Layer,
    /// Bytes of the socket that were read and given back.
    back: Vec<u8>,
    /// The last read from the socket took all that there was room for.
    filled: bool,
    /// See [`Stream::has_more`].
    more: bool,
    /// Bytes of the last write that are encrypted, and of which the caller was told that they have
    /// to wait.
    taken: usize,
}

impl<S> Stream<S> {
    /// A newcomer at a port.
    pub fn new(socket: S, offer: &Offer) -> Self {
        let layer = match offer {
            Offer::Plain => Layer::Plain,
            Offer::Both(acceptor) => Layer::Undecided { acceptor: acceptor.clone(), plain: true },
            Offer::Tls(acceptor) => Layer::Undecided { acceptor: acceptor.clone(), plain: false },
        };
        Self { socket, layer, back: Vec::new(), filled: true, more: true, taken: 0 }
    }

    /// The socket itself.
    pub const fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// The same, to look at.
    pub const fn socket_ref(&self) -> &S {
        &self.socket
    }

    /// Whether bytes travel as they are.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        matches!(self.layer, Layer::Plain)
    }

    /// Whether another process could go on where this one stops: nothing is known of it here but
    /// that its bytes travel as they are, or not even that.
    #[must_use]
    pub const fn can_move(&self) -> bool {
        matches!(self.layer, Layer::Plain | Layer::Undecided { .. }) && self.back.is_empty()
    }

    /// Whether it is known what is spoken, and a TLS handshake, if any, is done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.layer {
            Layer::Plain => true,
            Layer::Undecided { .. } => false,
            Layer::Tls(tls) => !tls.is_handshaking(),
        }
    }

    /// Whether a TLS handshake has begun and is not done.
    #[must_use]
    pub fn is_shaking_hands(&self) -> bool {
        matches!(&self.layer, Layer::Tls(tls) if tls.is_handshaking())
    }

    /// Whether there may be more to read without another event, as far as the last read showed.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// Gives back what [`Stream::read_raw`] read too much; it is read again, first.
    pub fn give_back(&mut self, bytes: &[u8]) {
        self.back = [bytes, &self.back].concat();
        self.more = true;
    }
}

/// Where a TLS session reads from: what was given back, then the socket.
struct Source<'a, S> {
    back: &'a mut Vec<u8>,
    socket: &'a mut S,
    filled: &'a mut bool,
}

impl<S: Read> Read for Source<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if !self.back.is_empty() {
            let count = self.back.len().min(bytes.len());
            for (to, from) in bytes.iter_mut().zip(self.back.drain(..count)) {
                *to = from;
            }
            if self.back.is_empty() {
                // Connections are many: they keep no buffer.
                *self.back = Vec::new();
            }
            return Ok(count);
        }
        let count = self.socket.read(bytes)?;
        *self.filled = count == bytes.len();
        Ok(count)
    }
}

impl<S: Read + Write> Stream<S> {
    /// Reads bytes as they travel, whatever they mean: for what comes before TLS.
    ///
    /// # Errors
    /// As those of the socket.
    pub fn read_raw(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Self { socket, back, filled, .. } = self;
        let read = Source { back, socket, filled }.read(bytes);
        self.more = read.is_ok() && (self.filled || !self.back.is_empty());
        read
    }

    /// Reads the first bytes, and decides by them.
    fn decide(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.read_raw(bytes)?;
        let Layer::Undecided { acceptor, plain } = &self.layer else { return Ok(count) };
        let Some(first) = bytes.first().filter(|_| count > 0) else { return Ok(0) };
        if *first != RECORD {
            let plain = *plain;
            self.layer = Layer::Plain;
            return if plain { Ok(count) } else { Err(NOT_TLS.into()) };
        }
        let session = ServerConnection::new(Arc::clone(&acceptor.0));
        let mut session = session.map_err(|error| io::Error::new(BROKEN_TLS, error))?;
        session.set_buffer_limit(Some(WRITE));
        self.layer = Layer::Tls(Box::new(session));
        self.give_back(bytes.get(..count).unwrap_or_default());
        self.read_tls(bytes)
    }

    fn read_tls(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        for _ in 0..READS {
            let Layer::Tls(tls) = &mut self.layer else { return Ok(0) };
            match tls.reader().read(bytes) {
                Ok(count) => {
                    let unread = self.filled || !self.back.is_empty();
                    self.more = count > 0 && (count == bytes.len() || unread);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Many end without a word of TLS. A line that was cut off has no end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            let Self { socket, back, filled, .. } = self;
            if let Err(error) = tls.read_tls(&mut Source { back, socket, filled }) {
                self.more = false;
                return Err(error);
            }
            let processed = tls.process_new_packets();
            let sent = self.send_records();
            if let Err(error) = processed {
                // It was told why, if the socket took that.
                return Err(io::Error::new(BROKEN_TLS, error));
            }
            match sent {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        self.more = true;
        Err(ErrorKind::WouldBlock.into())
    }

    /// Sends what TLS has ready.
    fn send_records(&mut self) -> io::Result<()> {
        let Layer::Tls(tls) = &mut self.layer else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a line to somebody who is not let in and closed: as it is, or in the way of TLS
    /// where that was begun or nothing else is spoken. As much as fits.
    pub fn refuse(&mut self, line: &[u8]) {
        let has_begun = self.back.first() == Some(&RECORD);
        let line = match &self.layer {
            Layer::Undecided { plain, .. } if has_begun || !plain => &DENIED,
            _ => line,
        };
        // A new socket's buffer is empty, so this fits or the other side is gone.
        let _ = self.socket.write(line);
    }

    /// Says in TLS that this side ends, if it is spoken. As much as fits.
    pub fn say_goodbye(&mut self) {
        if let Layer::Tls(tls) = &mut self.layer {
            tls.send_close_notify();
            let _ = self.send_records();
        }
    }
}

impl<S: Read + Write> Read for Stream<S> {
    /// As of a socket: `WouldBlock` when there is nothing yet, 0 at the end. Handshakes go on here.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.layer {
            Layer::Plain => self.read_raw(bytes),
            Layer::Undecided { .. } => self.decide(bytes),
            Layer::Tls(_) => self.read_tls(bytes),
        }
    }
}

impl<S: Read + Write> Write for Stream<S> {
    /// As of a socket. Bytes that were encrypted and not sent are told as waiting: after
    /// `WouldBlock` the next write must begin with the same bytes. So whoever counts what waits
    /// counts them, too.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let tls = match &mut self.layer {
            Layer::Plain => return self.socket.write(bytes),
            Layer::Undecided { .. } => return Err(ErrorKind::WouldBlock.into()),
            Layer::Tls(tls) if tls.is_handshaking() => return Err(ErrorKind::WouldBlock.into()),
            Layer::Tls(tls) => tls,
        };
        if self.taken == 0 {
            // What a handshake has left goes first: with it the limit could be exceeded.
            if tls.wants_write() {
                self.send_records()?;
            }
            let Layer::Tls(tls) = &mut self.layer else { return Ok(0) };
            self.taken = tls.writer().write(bytes)?;
        }
        self.send_records()?;
        Ok(std::mem::take(&mut self.taken))
    }

    /// Sends what a handshake has left.
    fn flush(&mut self) -> io::Result<()> {
        self.send_records()
    }
}
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
