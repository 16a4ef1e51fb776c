//! Clocks: one for durations, comparable across the processes of one machine, and the calendar.

#![allow(unsafe_code)] // `Instant` cannot be shared between processes; CLOCK_MONOTONIC can.

use nix::libc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds of `CLOCK_MONOTONIC`: since some moment before start, never going back, the same
/// for every process of this machine.
#[must_use]
pub fn monotonic_ms() -> u64 {
    monotonic_us() / 1000
}

/// The same in microseconds.
#[must_use]
pub fn monotonic_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, writable timespec of ours. CLOCK_MONOTONIC exists on every
    // Linux, so that the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanoseconds / 1000)
}

/// Milliseconds since 1970, as the machine's calendar says; 0 when it stands before 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms)
}

/// Milliseconds of a duration, at most what fits.
#[must_use]
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward() {
        let before = monotonic_ms();
        assert!(before > 0);
        assert!(monotonic_ms() >= before);
        // 2020-01-01: a clock in seconds or nanoseconds would be off by a factor of 1000.
        assert!((1_577_836_800_000..32_503_680_000_000).contains(&unix_ms()));
    }
}
