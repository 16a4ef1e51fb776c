//! Where the pool is, and the way there.

use super::way::Way;
use crate::net::connector::Connector;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pools send something at least every minute; then a connection is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(180);

/// Host and port from a stratum address, and whether it says TLS. Programs write that in many ways.
pub(super) fn host_and_port(url: &str) -> Option<(String, u16, bool)> {
    let (rest, tls) = match url.split_once("://") {
        Some(("stratum+tcp" | "stratum" | "tcp", rest)) => (rest, false),
        Some((
            "stratum+ssl" | "stratum+tls" | "stratum+tcps" | "stratums" | "ssl" | "tls",
            rest,
        )) => (rest, true),
        Some(_) => return None,
        None => (url, false),
    };
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port, tls))
}

/// Connects to the first address that answers, with TLS if there is a connector.
pub(super) fn connect(host: &str, port: u16, tls: Option<&Connector>) -> io::Result<Way> {
    let stream = dial(host, port)?;
    let way = match tls {
        None => Way::Plain(stream.try_clone()?),
        Some(connector) => {
            stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
            Way::Tls(connector.connect(host, stream.try_clone()?)?)
        }
    };
    // Clones share the deadline.
    stream.set_read_timeout(Some(SILENCE))?;
    Ok(way)
}

fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(CONNECT_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
