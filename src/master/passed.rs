//! Listening sockets that another process hands over: systemd, from `romp.socket` or from its store
//! after a restart (`FDSTORE=1`); or the master that this one goes on for. Who wants an address takes
//! the socket that listens there instead of binding.

use crate::sys::systemd::HandedOver;
use socket2::{SockRef, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

const SYSTEMD: &str = "systemd";

#[derive(Debug)]
struct Passed {
    name: String,
    address: SocketAddr,
    /// Takes IPv4 as well as IPv6.
    dual: bool,
    listener: TcpListener,
}

/// Sockets that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// `systemd`, or the old master.
    whose: &'static str,
    left: Vec<Passed>,
    /// Names of what was of no use.
    useless: Vec<String>,
}

impl Sockets {
    /// Looks at what was handed over; what does not listen for TCP is closed.
    pub(crate) fn of_systemd(handed_over: HandedOver) -> Self {
        for problem in &handed_over.problems {
            log::warn!("{problem}");
        }
        let mut sockets = Self { whose: SYSTEMD, left: Vec::new(), useless: Vec::new() };
        for (name, descriptor) in handed_over.descriptors {
            match look_at(name.clone(), descriptor) {
                Ok(passed) => sockets.left.push(passed),
                Err(why) => {
                    log::warn!("a descriptor handed over by systemd ({name}) is closed: {why}");
                    sockets.useless.push(name);
                }
            }
        }
        sockets
    }

    /// All that the master has which this one goes on for, by the names that systemd has for them.
    pub(crate) fn of_predecessor(sockets: Vec<OwnedFd>) -> Self {
        let looked_at = sockets.into_iter().filter_map(|it| look_at(String::new(), it).ok());
        let named = looked_at.map(|it| Passed { name: name(it.address), ..it });
        Self { whose: "the old master", left: named.collect(), useless: Vec::new() }
    }

    /// Takes the socket that listens on `address`, if there is one: the same address, or all
    /// addresses where all are wanted.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let same = |passed: &Passed| passed.address == address;
        let all = |passed: &Passed| {
            let both = passed.address.ip().is_unspecified() && address.ip().is_unspecified();
            both && passed.address.port() == address.port() && (passed.dual || address.is_ipv6())
        };
        let at = self.left.iter().position(same).or_else(|| self.left.iter().position(all))?;
        let taken = self.left.remove(at);
        let whose = self.whose;
        log::info!("{address}: the socket handed over by {whose} ({}) is used", taken.name);
        // The store and romp.socket may both have handed over the same one.
        self.left.retain(|other| other.address != taken.address);
        Some(taken.listener)
    }

    /// Closes what nobody wanted. The names, to be taken out of systemd's store.
    pub(crate) fn close_rest(self) -> Vec<String> {
        let mut names = self.useless;
        let is_systemds = self.whose == SYSTEMD;
        for passed in self.left {
            // What the old master had is no mistake of anybody's.
            if is_systemds {
                log::warn!(
                    "systemd handed over a socket on {} ({}), where no pool, web site or blocknotify \
                 listens: closed. Take it out of romp.socket, or add it to the configuration",
                    passed.address,
                    passed.name
                );
            }
            names.push(passed.name);
        }
        names
    }
}

/// The name of a socket in systemd's store, where `:` may not stand.
pub(crate) fn name(address: SocketAddr) -> String {
    address.to_string().replace(':', "_")
}

/// Whether a descriptor is a listening TCP socket; makes it one as [`super::ports`] would have.
fn look_at(name: String, descriptor: OwnedFd) -> Result<Passed, String> {
    let words = |error: io::Error| error.to_string();
    let socket = SockRef::from(&descriptor);
    let listens = socket.is_listener().map_err(words)?;
    let stream = socket.r#type().map_err(words)? == Type::STREAM;
    let address = socket.local_addr().map_err(words)?.as_socket();
    let Some(address) = address.filter(|_| listens && stream) else {
        return Err("it is no listening TCP socket".to_owned());
    };
    let dual = address.is_ipv4() || !socket.only_v6().map_err(words)?;
    socket.set_nonblocking(true).map_err(words)?;
    Ok(Passed { name, address, dual, listener: TcpListener::from(descriptor) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ports;
    use super::*;

    fn passing(sockets: Vec<(&str, OwnedFd)>) -> Sockets {
        let descriptors = sockets.into_iter().map(|(name, fd)| (name.to_owned(), fd)).collect();
        Sockets::of_systemd(HandedOver { descriptors, problems: Vec::new() })
    }

    fn listener(address: &str) -> (SocketAddr, OwnedFd) {
        let listener = ports::listen(address.parse().unwrap()).unwrap();
        (listener.local_addr().unwrap(), listener.into())
    }

    #[test]
    fn a_socket_is_taken_once_and_the_rest_is_named() {
        let (wanted, first) = listener("127.0.0.1:0");
        let twin = first.try_clone().unwrap();
        let (_, other) = listener("127.0.0.1:0");
        let mut sockets = passing(vec![("a", first), ("b", twin), ("c", other)]);
        assert_eq!(sockets.take(wanted).unwrap().local_addr().unwrap(), wanted);
        assert!(sockets.take(wanted).is_none(), "its twin is closed");
        assert_eq!(sockets.close_rest(), ["c"]);
    }

    #[test]
    fn all_addresses_serve_who_wants_all() {
        let (all, socket) = listener("[::]:0");
        let (v4, loopback): (SocketAddr, SocketAddr) =
            (([0, 0, 0, 0], all.port()).into(), ([127, 0, 0, 1], all.port()).into());
        let mut sockets = passing(vec![("a", socket)]);
        assert!(sockets.take(loopback).is_none(), "one address is not all");
        assert!(sockets.take(v4).is_some());
        let socket = socket2::Socket::new(socket2::Domain::IPV6, Type::STREAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(1).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let mut sockets = passing(vec![("a", socket.into())]);
        assert!(sockets.take(([0, 0, 0, 0], port).into()).is_none(), "it takes no IPv4");
    }

    #[test]
    fn what_does_not_listen_is_closed() {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let unix = tempfile::tempdir().unwrap();
        let unix = std::os::unix::net::UnixListener::bind(unix.path().join("socket")).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let sockets = passing(vec![
            ("udp", udp.into()),
            ("pair", one.into()),
            ("unix", unix.into()),
            ("file", file.into()),
        ]);
        assert_eq!(sockets.close_rest(), ["udp", "pair", "unix", "file"]);
    }
}
