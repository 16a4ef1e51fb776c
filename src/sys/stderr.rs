//! Stderr that never blocks: a reader that stopped (`romp run | less`, a stopped journal) must not
//! stop the pool. Lines that it does not take are dropped and counted.

use nix::fcntl::{OFlag, open};
use nix::sys::socket::{MsgFlags, getsockopt, send, sockopt};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How stderr is written to.
enum Way {
    /// An opening of ours of the same pipe or terminal, which does not wait. The one that we were
    /// given is shared with other programs, so that its mode is not ours to change.
    Own(File),
    /// A socket, as systemd gives: each message is sent without waiting.
    Socket,
    /// A file, or what cannot be opened again.
    Plain,
}

static WAY: OnceLock<Way> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Looks how stderr can be written to. Before the process changes its user, and before it forks.
pub(super) fn prepare() {
    WAY.get_or_init(find);
}

fn find() -> Way {
    let path = "/proc/self/fd/2";
    let Ok(kind) = std::fs::metadata(path).map(|facts| facts.file_type()) else {
        return Way::Plain;
    };
    if kind.is_socket() && getsockopt(&io::stderr(), sockopt::SockType).is_ok() {
        return Way::Socket;
    }
    if kind.is_fifo() || kind.is_char_device() {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        if let Ok(own) = open(path, flags, Mode::empty()) {
            return Way::Own(File::from(own));
        }
    }
    Way::Plain
}

/// Writes a line, or drops it.
pub(super) fn write(line: &[u8]) {
    write_to(WAY.get().unwrap_or(&Way::Plain), line);
}

fn write_to(way: &Way, line: &[u8]) {
    let dropped = DROPPED.load(Ordering::Relaxed);
    if dropped > 0 {
        let note = format!(
            "warning: {dropped} lines of the log were dropped here: who reads stderr is too slow\n"
        );
        if put(way, note.as_bytes()) {
            DROPPED.fetch_sub(dropped, Ordering::Relaxed);
        }
    }
    if DROPPED.load(Ordering::Relaxed) > 0 || !put(way, line) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the line was taken. One of up to 4096 bytes goes into a pipe whole or not at all.
fn put(way: &Way, line: &[u8]) -> bool {
    match way {
        Way::Own(file) => {
            let mut file = file;
            file.write(line).is_ok()
        }
        Way::Socket => {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            send(io::stderr().as_raw_fd(), line, flags).is_ok()
        }
        Way::Plain => io::stderr().write_all(line).is_ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_reader_that_stopped_blocks_nobody_and_is_told_what_it_missed() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK;
        let way = Way::Own(File::from(open(path.as_str(), flags, Mode::empty()).unwrap()));
        let line = [b'x'; 1000];
        // A pipe holds 64 KiB: without the drop this would never return.
        (0..200).for_each(|_| write_to(&way, &line));
        let dropped = DROPPED.load(Ordering::Relaxed);
        assert!((130..200).contains(&dropped), "{dropped}");
        reader.read_exact(&mut vec![0; 60_000]).unwrap();
        write_to(&way, b"after\n");
        drop((way, writer));
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(rest.contains(&format!("{dropped} lines of the log were dropped")), "{rest}");
        assert!(rest.ends_with("after\n"));
    }
}
