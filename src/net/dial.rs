//! Connections that this program makes, for threads that may wait.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A silent connection is asked for life after so long ...
const IDLE: Duration = Duration::from_secs(60);
/// ... so often ...
const PROBES: u32 = 3;
/// ... and so long apart, then it fails.
const APART: Duration = Duration::from_secs(10);

/// Connects, trying each address of the host for at most `patience`. Without delay of small
/// writes, with keep-alive.
///
/// # Errors
/// When no address of the host takes the connection, or it has none.
pub fn dial(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                let alive =
                    TcpKeepalive::new().with_time(IDLE).with_interval(APART).with_retries(PROBES);
                SockRef::from(&stream).set_tcp_keepalive(&alive)?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
