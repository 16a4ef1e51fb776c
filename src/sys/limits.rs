//! Limits of the operating system on this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::os::fd::RawFd;

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

/// Most descriptors kept back from newcomers: 64 works, and the connections to daemons.
const RESERVE: u64 = 128;

/// Whether a descriptor is one of the last that this process may have. The kernel gives the lowest
/// free number, so a high one says that all below it are taken. Miners must not get these: without
/// any left, no work arrives and no found block can be submitted.
#[must_use]
pub fn is_in_reserve(descriptor: RawFd) -> bool {
    let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return false };
    u64::try_from(descriptor).is_ok_and(|descriptor| descriptor >= soft - reserve(soft))
}

fn reserve(soft: u64) -> u64 {
    RESERVE.min(soft / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_descriptors_are_kept_back() {
        assert_eq!((reserve(64), reserve(1 << 20), reserve(0)), (16, RESERVE, 0));
        assert!(!is_in_reserve(0));
        assert!(!is_in_reserve(-1));
        assert!(is_in_reserve(RawFd::MAX), "beyond every limit");
    }
}
