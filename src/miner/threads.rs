//! Starts the miner's threads.

use std::io;
use std::thread::Builder;

/// Starts a detached thread. It ends with the process, or when its channel has no other side.
pub(super) fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(f).map(drop)
}
