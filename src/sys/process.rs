//! What a process of ours costs, as the kernel counts (`/proc`, proc(5)).

use std::fs;

/// `/proc/PID/stat` counts in hundredths of a second on every Linux, whatever the kernel's own clock.
const TICK_MS: u64 = 10;

/// What a process costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Bytes in memory, those that it shares with others included.
    pub resident: u64,
    /// Milliseconds of processor so far.
    pub cpu: u64,
    /// Open descriptors; `None`: the kernel does not show them to this user, as when the master was
    /// started as root.
    pub files: Option<u64>,
}

/// What a process costs now; `None`: there is none.
#[must_use]
pub fn cost(pid: u32) -> Option<Cost> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok();
    Some(Cost {
        resident: resident(&status)?,
        cpu: cpu(&stat)?,
        files: files.map(|files| files.count() as u64),
    })
}

/// `VmRSS` of `status`, bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// User and system time of `stat`, milliseconds. The name before them may hold anything.
fn cpu(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)?.checked_mul(TICK_MS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) 1 2) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 99 1 2";
        assert_eq!(cpu(stat), Some(2000));
        assert_eq!(resident("Name:\tromp\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!((cpu("7 (a"), resident("")), (None, None));
    }

    #[test]
    fn this_process_costs_something() {
        let cost = cost(std::process::id()).unwrap();
        assert!(cost.resident > 100_000 && cost.files > Some(2), "{cost:?}");
    }
}
