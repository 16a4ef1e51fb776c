//! Limits of the operating system on this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// The limit on open descriptors (`RLIMIT_NOFILE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// What holds now.
    pub soft: u64,
    /// What it may be raised to.
    pub hard: u64,
}

/// Raises the limit on descriptors as far as allowed, and tells what it is now.
///
/// # Errors
/// When the limit cannot be read. One that cannot be raised is left and returned as it is.
pub fn raise_descriptors() -> io::Result<Descriptors> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    Ok(Descriptors { soft: if raised { hard.max(soft) } else { soft }, hard })
}

/// The limit that holds now: an operator may change it while a process runs (`prlimit`).
///
/// # Errors
/// When it cannot be read.
pub fn descriptors() -> io::Result<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| soft).map_err(io::Error::from)
}
