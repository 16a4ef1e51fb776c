//! Helper threads for calls that block: the one place that makes threads. A process that forks
//! (the master) has none.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread. It takes no signals: those are for the main loop. `name` shows in `top -H`,
/// its first 15 bytes.
///
/// # Errors
/// When the operating system refuses another thread.
pub fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    crate::sys::signals::blocked(|| Builder::new().name(name.to_owned()).spawn(f))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn helpers_take_no_signals() {
        let (tell, told) = std::sync::mpsc::channel();
        let thread = super::spawn("helper-test", move || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            tell.send(status).unwrap();
        });
        thread.unwrap().join().unwrap();
        let status = told.recv().unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
        // SIGTERM is 15: bit 14.
        assert_ne!(u64::from_str_radix(mask, 16).unwrap() & 1 << 14, 0, "{mask}");
    }
}
