//! What a master opens at its start, or takes from another one: ports, the control socket.

use super::desk::Desk;
use super::{Error, passed, ports};
use crate::config::Config;
use mio::Poll;
use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long ports may be taken at start: children of a killed master end within a second.
const PORTS_WAIT: Duration = Duration::from_secs(10);

/// What is bound at start: the stratum ports, and the web site's.
pub(super) type Bound = (BTreeMap<u16, TcpListener>, Vec<(SocketAddr, TcpListener)>);

/// Binds stratum ports, the desk's, and the web site's if it can be had. Reports every port that
/// cannot, not the first only.
pub(super) fn bind_all(
    config: &Config,
    desk: &mut Desk,
    poll: &Poll,
    passed: &mut passed::Sockets,
) -> Result<Bound, Error> {
    let deadline = Instant::now() + PORTS_WAIT;
    let mut errors = Vec::new();
    let mut bound = BTreeMap::new();
    for port in ports::stratum_ports(config).into_keys() {
        let address = SocketAddr::new(config.bind, port);
        let taken = passed.take(address);
        match taken.map_or_else(|| ports::listen_until(address, deadline), Ok) {
            Ok(listener) => drop(bound.insert(port, listener)),
            Err(error) => errors.push(error.to_string()),
        }
    }
    for setting in &config.notify {
        let taken = passed.take(setting.address);
        match taken.map_or_else(|| ports::listen_until(setting.address, deadline), Ok) {
            Ok(listener) => desk
                .open_notify(poll.registry(), setting.clone(), listener)
                .map_err(|error| Error::Os("epoll", error))?,
            Err(error) => errors.push(error.to_string()),
        }
    }
    let mut site = Vec::new();
    for address in config.website.iter().flat_map(|site| site.addresses()) {
        // Nobody stops mining for want of a site.
        match passed.take(address).map_or_else(|| ports::listen(address), Ok) {
            Ok(listener) => site.push((address, listener)),
            Err(error) => {
                let off = if site.is_empty() { " is off" } else { "" };
                log::error!("the web site{off}: {error}");
                break;
            }
        }
    }
    if errors.is_empty() { Ok((bound, site)) } else { Err(Error::Words(errors.join("\n"))) }
}

/// The control socket, for this user only. The lock says that nobody uses one that is left over.
pub(super) fn open_control(path: &Path) -> Result<UnixListener, Error> {
    let _ = fs::remove_file(path);
    let named = |error| Error::Words(format!("control socket {}: {error}", path.display()));
    let listener = UnixListener::bind(path).map_err(named)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(named)?;
    Ok(listener)
}
