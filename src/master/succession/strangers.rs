//! Another master's children, after its end in the middle of a succession. They end by themselves
//! since their master is gone; their miners become this one's.

use super::super::Master;
use crate::sys::clock::monotonic_ms;
use crate::sys::fork;
use crate::sys::signals::SIGKILL;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Milliseconds after which who has not ended is killed.
const PATIENCE_MS: u64 = 10_000;

/// The other master whose children have not all ended.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Strangers {
    master: u32,
    /// Monotonic milliseconds.
    since: u64,
}

impl Master {
    /// The other master is gone.
    pub(super) fn other_is_gone(&mut self, master: u32, now: u64) {
        self.strangers = Some(Strangers { master, since: now });
    }

    /// Rows of the board that belong to another master's children.
    pub(in super::super) fn strange_rows(&self) -> BTreeSet<usize> {
        let pids = self.board.rows().map(|(row, shown)| (row, shown.pid.load(Ordering::Relaxed)));
        let own = std::process::id();
        let strange =
            pids.filter(|(_, pid)| ![0, own].contains(pid) && self.fleet.row_of(*pid).is_none());
        strange.map(|(row, _)| row).collect()
    }

    /// Takes over what strangers leave who have ended.
    pub(in super::super) fn bury_strangers(&mut self) {
        let Some(Strangers { master, since }) = self.strangers else { return };
        if fork::is_alive(master) {
            return;
        }
        let mut left = false;
        for row in self.strange_rows() {
            let pid = self.board.row(row).map_or(0, |row| row.pid.load(Ordering::Relaxed));
            if fork::is_alive(pid) {
                left = true;
                if monotonic_ms().saturating_sub(since) >= PATIENCE_MS {
                    fork::signal(pid, SIGKILL);
                }
                continue;
            }
            self.bereave(&format!("pid {pid} of the other master"), pid);
            self.clear_row(row);
        }
        if !left {
            // Those it was about to place itself.
            self.bereave("the other master", master);
            self.strangers = None;
        }
    }
}
