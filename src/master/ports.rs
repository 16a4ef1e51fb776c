//! Listening sockets: bound once by the master, shared by all workers, never closed while their
//! port stays, so that no newcomer is ever refused.

use crate::config::Config;
use crate::sys::holder::{self, Holder};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

/// Newcomers that wait for a worker: a farm that reconnects at once. The kernel cuts it to
/// `net.core.somaxconn` (4096 by default).
const BACKLOG: i32 = 4096;
/// How often a port that is taken is tried again.
const RETRY: Duration = Duration::from_millis(25);

/// A port that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{advice}")]
pub(crate) struct BindError {
    address: SocketAddr,
    advice: String,
    source: io::Error,
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        let port = address.port();
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => match holder::of(port) {
                Some(Holder { pid, name, stopped: true }) => format!(
                    ". Process {pid} (`{name}`) has this port and stands still (SIGSTOP?), perhaps \
                     a child of a pool that was killed: `kill -9 {pid}` ends it"
                ),
                Some(Holder { pid, name, .. }) => {
                    format!(". Process {pid} (`{name}`) has this port")
                }
                None => format!(
                    ". Another program has this port; `ss -ltnp 'sport = :{port}'` names it"
                ),
            },
            io::ErrorKind::PermissionDenied if port < 1024 => {
                ". Ports below 1024 need root or CAP_NET_BIND_SERVICE".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                format!(". This machine has no address {}; `ip address` lists them", address.ip())
            }
            _ => String::new(),
        };
        Self { address, advice, source }
    }
}

/// Binds and listens, non-blocking. `::` takes IPv4 too, and falls back to it on a machine without
/// IPv6.
///
/// # Errors
/// With the address and what to do.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    attempt(address).map_err(|error| BindError::new(address, error))
}

fn attempt(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address).or_else(|error| {
        let no_ipv6 = matches!(
            error.raw_os_error(),
            Some(nix::libc::EAFNOSUPPORT | nix::libc::EADDRNOTAVAIL)
        );
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && no_ipv6 {
            bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        } else {
            Err(error)
        }
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets go of an address, so that another one on the same port can be had: nobody listens there any
/// more, in this process or in any that shares the socket.
pub(crate) fn pause(listener: &TcpListener) {
    if let Err(error) = SockRef::from(listener).shutdown(Shutdown::Both) {
        log::debug!("a listening socket: {error}");
    }
}

/// Listens again after [`pause`].
pub(crate) fn resume(listener: &TcpListener) {
    if let Err(error) = SockRef::from(listener).listen(BACKLOG) {
        log::error!("a listening socket cannot be used again: {error}");
    }
}

/// As [`listen`], but waits until `deadline` for a port that is taken: the children of a master
/// that was killed just now still have it for a moment.
///
/// # Errors
/// As [`listen`].
pub(crate) fn listen_until(
    address: SocketAddr,
    deadline: Instant,
) -> Result<TcpListener, BindError> {
    loop {
        match attempt(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(RETRY);
            }
            result => return result.map_err(|error| BindError::new(address, error)),
        }
    }
}

/// Stratum ports of a configuration, each with the coin it belongs to.
pub(crate) fn stratum_ports(config: &Config) -> BTreeMap<u16, String> {
    let ports = config
        .pools
        .iter()
        .flat_map(|(coin, pool)| pool.ports.keys().map(move |port| (*port, coin.clone())));
    ports.collect()
}

/// What a new configuration changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PortDiff {
    /// To be bound.
    pub(crate) new: BTreeSet<u16>,
    /// To be closed.
    pub(crate) gone: BTreeSet<u16>,
}

/// Compares open ports with wanted ones.
pub(crate) fn diff(open: &BTreeSet<u16>, wanted: &BTreeSet<u16>) -> PortDiff {
    PortDiff {
        new: wanted.difference(open).copied().collect(),
        gone: open.difference(wanted).copied().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpStream;

    #[test]
    fn only_what_changes_is_bound_or_closed() {
        let set = |ports: &[u16]| ports.iter().copied().collect::<BTreeSet<_>>();
        let diff = diff(&set(&[1, 2, 3]), &set(&[2, 3, 4]));
        assert_eq!(diff, PortDiff { new: set(&[4]), gone: set(&[1]) });
    }

    #[test]
    fn a_taken_port_is_named_with_advice() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains(&format!("Process {} (", std::process::id())), "{error}");
    }

    #[test]
    fn an_address_makes_room_for_another_on_its_port() {
        // A port that the kernel chose would be another one after a pause.
        let chosen = || listen("127.0.0.1:0".parse().unwrap()).unwrap().local_addr().unwrap();
        let old = std::iter::repeat_with(chosen).find_map(|address| listen(address).ok()).unwrap();
        let address = old.local_addr().unwrap();
        let shared = old.try_clone().unwrap();
        let all = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert!(listen(all).is_err());
        pause(&old);
        assert!(TcpStream::connect(address).is_err(), "in no process");
        let new = listen(all).unwrap();
        assert!(TcpStream::connect(address).is_ok());
        drop(new);
        resume(&old);
        assert!(TcpStream::connect(address).is_ok());
        drop(shared);
    }

    #[test]
    fn every_address_takes_ipv4_too() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(listener.accept().unwrap());
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_port_that_is_freed_in_time_is_taken() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let (free, freed) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let _ = freed.recv();
            drop(first);
        });
        assert!(listen_until(address, Instant::now()).is_err());
        free.send(()).unwrap();
        listen_until(address, Instant::now() + Duration::from_secs(10)).unwrap();
        holder.join().unwrap();
    }
}
