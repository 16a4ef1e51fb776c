//! Host names to addresses, within a deadline.
//!
//! ureq's own resolver starts a thread for each request; this one does so only for a name that it
//! has not resolved lately, and through the one place that makes threads.

use crate::net::helper;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long a name's addresses are used again: daemons behind names move rarely.
const KEEP: Duration = Duration::from_secs(60);
/// Longest wait for a name: less than the shortest sensible deadline of a call.
const PATIENCE: Duration = Duration::from_secs(2);

/// The addresses of one daemon.
pub(super) struct Name {
    host: String,
    port: u16,
    known: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Name {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, known: Mutex::new(None) }
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, ureq::Error> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, addresses)) = known.as_ref()
            && when.elapsed() < KEEP
        {
            return Ok(addresses.clone());
        }
        let found = match (self.ask(), known.take()) {
            (Ok(found), _) => found,
            // A name server that is away must not take the daemon away as well.
            (Err(_), Some((_, before))) => before,
            (Err(error), None) => return Err(error),
        };
        *known = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    fn ask(&self) -> Result<Vec<SocketAddr>, ureq::Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let target = (self.host.clone(), self.port);
        helper::spawn("resolve", move || {
            let found = target.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let _ = sender.send(found);
        })?;
        let found = receiver
            .recv_timeout(PATIENCE)
            .map_err(|_| ureq::Error::Timeout(ureq::Timeout::Resolve))??;
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({}:{})", self.host, self.port)
    }
}

impl Resolver for Name {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut resolved = self.empty();
        // The array holds 16.
        self.addresses()?.into_iter().take(16).for_each(|address| resolved.push(address));
        Ok(resolved)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_server_a_daemon_is_where_it_was() {
        let name = Name::new("no such host", 7);
        assert!(name.addresses().is_err());
        let before = vec![SocketAddr::from(([127, 0, 0, 1], 7))];
        let long_ago = Instant::now().checked_sub(KEEP).unwrap();
        *name.known.lock().unwrap() = Some((long_ago, before.clone()));
        assert_eq!(name.addresses().unwrap(), before);
        let known = name.known.lock().unwrap();
        assert!(known.as_ref().unwrap().0 > long_ago, "and is not asked for in each call");
    }
}
