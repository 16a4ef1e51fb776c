//! The connection to the pool: bytes as they are, or TLS.

use crate::net::connector::Secure;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// An open connection.
#[derive(Debug)]
pub(super) enum Way {
    Plain(TcpStream),
    Tls(Secure),
}

impl Way {
    /// The same connection again, for another thread.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(stream) => Self::Plain(stream.try_clone()?),
            Self::Tls(secure) => Self::Tls(secure.clone()),
        })
    }

    /// Ends it, for all who read or write.
    pub(super) fn shut(&self) {
        let socket = match self {
            Self::Plain(stream) => stream,
            Self::Tls(secure) => secure.socket(),
        };
        let _ = socket.shutdown(Shutdown::Both);
    }
}

impl Read for Way {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(secure) => secure.read(bytes),
        }
    }
}

impl Write for Way {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(secure) => secure.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(secure) => secure.flush(),
        }
    }
}
