//! Who has a port that is wanted, as `ss -ltnp` finds it. For words to the operator only.

use std::fs;
use std::path::Path;

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process.
    pub pid: u32,
    /// Its program's name, as the kernel has it.
    pub name: String,
    /// Whether it stands still (`SIGSTOP`, a debugger): it will not let go by itself.
    pub stopped: bool,
}

/// A process that listens on a TCP port; `None` when none is found: there is none, or the system
/// does not show other users' processes.
#[must_use]
pub fn of(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let sockets: Vec<String> =
        tables.iter().flatten().flat_map(|table| listening(table, port)).collect();
    if sockets.is_empty() {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let holders = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        holds(&entry.path(), &sockets).then_some(())?;
        let (name, state) = stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?;
        Some(Holder { pid, name, stopped: matches!(state, 'T' | 't') })
    });
    // Of several that share it the one that stands still is the one to tell of.
    holders.max_by_key(|holder| holder.stopped)
}

/// The names under which the listening sockets of a port stand in `/proc/<pid>/fd`.
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let sockets = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (_, local) = fields.next()?.rsplit_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let wanted = u16::from_str_radix(local, 16) == Ok(port) && state == LISTEN;
        wanted.then(|| format!("socket:[{inode}]"))
    });
    sockets.collect()
}

fn holds(process: &Path, sockets: &[String]) -> bool {
    let links = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .any(|to| sockets.iter().any(|socket| to.as_os_str() == socket.as_str()))
}

/// Name and state of a process from its `stat`; the name may hold anything.
pub(super) fn stat(text: &str) -> Option<(String, char)> {
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(") ")?;
    Some((name.escape_default().to_string(), rest.chars().next()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn who_listens_is_found_and_nobody_else() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            let holder = of(port).unwrap();
            assert_eq!((holder.pid, holder.stopped), (std::process::id(), false));
            drop(listener);
            // Another test's child has it for the moment between `fork` and `exec`.
            let end = Instant::now() + Duration::from_secs(20);
            while of(port).is_some() {
                // Or another test listens there now, on whichever address.
                if TcpListener::bind(("::", port)).is_err() {
                    break;
                }
                assert!(Instant::now() < end, "somebody still holds it");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_stopped_process_of_any_name_is_known_by_its_state() {
        assert_eq!(stat("7 (a) T (b) T 1 7"), Some(("a) T (b".to_owned(), 'T')));
        assert_eq!(stat("7 (romp) S 1"), Some(("romp".to_owned(), 'S')));
        assert_eq!(stat(""), None);
    }
}
