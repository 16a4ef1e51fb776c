//! The two ends of systemd: sockets that it hands over at start (`LISTEN_FDS`, sd_listen_fds(3)),
//! and what it is told (`NOTIFY_SOCKET`, sd_notify(3)). Without systemd both are silent.

#![allow(unsafe_code)] // Descriptors arrive as numbers.

use super::descriptors;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// Most descriptors that are taken: systemd's own limit of a service's sockets is far below.
const MOST: RawFd = 4096;

/// What the environment says about this process alone: whoever executes another binary in the
/// name of this one leaves it out.
pub const OWN: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// Descriptors that systemd handed over, close-on-exec, with their names (`FileDescriptorName=`,
/// `FDNAME=`; empty: none).
#[derive(Debug, Default)]
pub struct HandedOver {
    /// Name and descriptor.
    pub descriptors: Vec<(String, OwnedFd)>,
    /// What was wrong, for the log.
    pub problems: Vec<String>,
}

/// Takes what was handed over. Call it once, first of all: before this process opens any descriptor
/// of its own, so that whatever stands at the numbers came from outside.
#[must_use]
pub fn handed_over() -> HandedOver {
    let variable = |name| env::var(name).ok();
    let announced = announced(
        std::process::id(),
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
        variable("LISTEN_FDNAMES").as_deref(),
    );
    let mut taken = HandedOver::default();
    match announced {
        Ok(names) => {
            for (number, name) in (FIRST..).zip(names) {
                match take(number) {
                    Ok(descriptor) => taken.descriptors.push((name, descriptor)),
                    Err(error) => {
                        taken.problems.push(format!("LISTEN_FDS: descriptor {number}: {error}"));
                    }
                }
            }
        }
        Err(problem) => taken.problems.push(problem),
    }
    taken
}

/// The name of each descriptor that the environment announces to process `own`.
fn announced(
    own: u32,
    pid: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
) -> Result<Vec<String>, String> {
    let (Some(pid), Some(count)) = (pid, count) else { return Ok(Vec::new()) };
    let ignored = |what: &str| format!("{what}: sockets handed over by systemd are not used");
    let Ok(pid) = pid.parse::<u32>() else {
        return Err(ignored("LISTEN_PID is no process id"));
    };
    // Meant for one that started this one, and inherited.
    if pid != own {
        return Ok(Vec::new());
    }
    let Some(count) = count.parse::<RawFd>().ok().filter(|count| (0..=MOST).contains(count)) else {
        return Err(ignored("LISTEN_FDS is no number of descriptors"));
    };
    let mut names = names.unwrap_or_default().split(':');
    Ok((0..count).map(|_| names.next().unwrap_or_default().to_owned()).collect())
}

/// Takes one descriptor, if there is one.
fn take(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only looked at, and only if it is open; `handed_over` is called before this process
    // has any descriptor of its own above standard error.
    let seen = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(seen, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, as just seen, was handed over to this process, and each number is taken
    // once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The way to whom `NOTIFY_SOCKET` names. Nothing is kept open between two messages, so that no
/// child inherits a line to systemd.
#[derive(Debug)]
pub struct Manager {
    address: SocketAddr,
    /// How often it wants to hear `WATCHDOG=1`.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// From the environment; `None`: nobody wants to hear.
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` cannot be understood.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(&name)?,
            _ => {
                let words = "NOTIFY_SOCKET is neither a path nor an abstract socket (`@`)";
                return Err(io::Error::other(words));
            }
        };
        let variable = |name| env::var(name).ok();
        let (usec, pid) = (variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        let watchdog = watchdog(std::process::id(), usec.as_deref(), pid.as_deref());
        Ok(Some(Self { address, watchdog }))
    }

    /// Says something, lines of `NAME=value`, with descriptors for `FDSTORE=1`. Never waits.
    ///
    /// # Errors
    /// `WouldBlock`: it has too much to read just now. Else nobody listens.
    pub fn tell(&self, lines: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&self.address)?;
        descriptors::send(socket.as_fd(), &[lines.as_bytes()], descriptors)
    }
}

/// The watchdog's time, if it is this process that is watched.
fn watchdog(own: u32, usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let usec: u64 = usec?.parse().ok().filter(|usec| *usec > 0)?;
    let meant = pid.is_none_or(|pid| pid.parse() == Ok(own));
    meant.then_some(Duration::from_micros(usec))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_taken_by_whom_they_are_meant_for() {
        let names = |names: &[&str]| Ok(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(announced(7, None, None, None), names(&[]));
        assert_eq!(announced(7, None, Some("1"), None), names(&[]), "no pid");
        assert_eq!(announced(7, Some("8"), Some("1"), None), names(&[]), "another's");
        assert_eq!(announced(7, Some("7"), Some("2"), Some("a:b")), names(&["a", "b"]));
        assert_eq!(announced(7, Some("7"), Some("3"), Some("a")), names(&["a", "", ""]));
        assert_eq!(announced(7, Some("7"), Some("0"), Some("a:b")), names(&[]));
        for (pid, count) in [("x", "1"), ("7", "x"), ("7", "-1"), ("7", "4097"), ("7", "")] {
            assert!(announced(7, Some(pid), Some(count), None).is_err(), "{pid} {count}");
        }
    }

    #[test]
    fn what_is_not_open_is_not_taken() {
        assert_eq!(take(999_999).unwrap_err().raw_os_error(), Some(nix::libc::EBADF));
    }

    #[test]
    fn the_watchdog_may_watch_another_process() {
        assert_eq!(watchdog(7, Some("2000000"), None), Some(Duration::from_secs(2)));
        assert_eq!(watchdog(7, Some("2000000"), Some("7")), Some(Duration::from_secs(2)));
        for (usec, pid) in [(Some("2000000"), Some("8")), (Some("0"), None), (Some("x"), None)] {
            assert_eq!(watchdog(7, usec, pid), None, "{usec:?} {pid:?}");
        }
        assert_eq!(watchdog(7, None, None), None);
    }

    #[test]
    fn a_message_arrives_whole_at_an_abstract_socket() {
        let name = format!("romp-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let manager = Manager { address, watchdog: None };
        manager.tell("READY=1\nSTATUS=x", &[]).unwrap();
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(buffer.get(..length), Some(&b"READY=1\nSTATUS=x"[..]));
        drop(listener);
        assert!(manager.tell("READY=1", &[]).is_err());
    }
}
