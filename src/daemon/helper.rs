//! Threads for calls that block. Stands in for `net::helper` until that is there.

use std::io;
use std::thread::JoinHandle;

/// Starts a helper thread.
pub(crate) fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(f)
}
