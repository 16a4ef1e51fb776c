//! Memory and descriptors of the pool's processes, by role.

use crate::harness::is_alive;
use std::collections::BTreeMap;
use std::path::Path;

/// Memory that a process may gain over what its role had after warm-up, beside half of it.
const SPARE_KB: u64 = 16 << 10;
/// Descriptors that a process may have more at the end than its role had without miners, beside one
/// for each worker's journal: work of two tips at a worker, the journal of `templates` at the
/// bookkeeper, connections to daemons at `templates`.
const SPARE_FDS: u64 = 5;

/// One role's.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Vital {
    /// The most of any process of the role at the beginning, kB and count.
    pub(crate) start: (u64, u64),
    pub(crate) most: (u64, u64),
    pub(crate) end: (u64, u64),
}

/// By role.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    pub(crate) roles: BTreeMap<String, Vital>,
}

/// Resident memory in kB, and open descriptors.
fn of(pid: i32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let memory = line.split_whitespace().next()?.parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some((memory, descriptors))
}

fn larger(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0.max(other.0), one.1.max(other.1))
}

impl Vitals {
    fn each(&mut self, processes: &[(i32, String)], mut see: impl FnMut(&mut Vital, (u64, u64))) {
        for (pid, role) in processes {
            if let Some(now) = of(*pid) {
                see(self.roles.entry(role.clone()).or_default(), now);
            }
        }
    }

    /// Before the first miner comes: what is open then.
    pub(crate) fn alone(&mut self, processes: &[(i32, String)]) {
        self.each(processes, |vital, now| vital.start = larger(vital.start, (0, now.1)));
    }

    /// While miners work and all is well: what memory that takes.
    pub(crate) fn warm(&mut self, processes: &[(i32, String)]) {
        self.each(processes, |vital, now| vital.start = larger(vital.start, (now.0, 0)));
        self.look(processes);
    }

    /// On the way.
    pub(crate) fn look(&mut self, processes: &[(i32, String)]) {
        self.each(processes, |vital, now| vital.most = larger(vital.most, now));
    }

    /// When all is well again and the miners have left.
    pub(crate) fn end(&mut self, processes: &[(i32, String)]) {
        self.each(processes, |vital, now| vital.end = larger(vital.end, now));
    }

    /// What is not flat.
    pub(crate) fn findings(&self, workers: u16) -> Vec<String> {
        let mut found = Vec::new();
        for (role, vital) in &self.roles {
            let memory = vital.start.0 + (vital.start.0 / 2).max(SPARE_KB);
            if vital.end.0 > memory {
                found.push(format!(
                    "{role}: {} kB of memory at the end, {} kB after warm-up",
                    vital.end.0, vital.start.0
                ));
            }
            if vital.end.1 > vital.start.1 + SPARE_FDS + u64::from(workers) {
                found.push(format!(
                    "{role}: {} descriptors at the end, {} at the start",
                    vital.end.1, vital.start.1
                ));
            }
        }
        found
    }
}

/// Processes whose command line names the folder: the pool's, as children are forked without exec.
pub(crate) fn naming(folder: &Path) -> Vec<i32> {
    let wanted = folder.display().to_string();
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = line.split(|&byte| byte == 0).map(String::from_utf8_lossy);
            words.any(|word| word == wanted) && is_alive(*pid)
        })
        .collect()
}
