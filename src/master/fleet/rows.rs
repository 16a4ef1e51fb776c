//! Which rows of the board and which lanes have whom: each role its own row, the workers any of
//! theirs, so that a new generation can begin beside the old one.

use super::super::roles::{KINDS, Kind};
use super::{Child, Ending, Fleet, Slot};
use crate::ipc::Role;
use std::collections::BTreeSet;

impl Fleet {
    /// Nobody is started in these rows: another master's children have them.
    pub(crate) fn reserve(&mut self, rows: BTreeSet<usize>) {
        self.reserved = rows;
    }

    /// A lane that no living worker has: the one that was freed longest ago.
    pub(crate) fn take_lane(&mut self) -> Option<u8> {
        self.lanes.pop_front()
    }

    pub(crate) fn free_lane(&mut self, lane: u8) {
        self.lanes.push_back(lane);
    }

    /// Every lane for another master: those last that somebody has, and before them those that
    /// this one would use next.
    pub(crate) fn lanes(&self) -> Vec<u8> {
        let taken = self.children().filter_map(|(_, child)| child.lane);
        let (next, later) = (self.lanes.len() / 2, self.lanes.iter().copied());
        let later = later.clone().skip(next).chain(later.take(next));
        later.chain(taken).collect()
    }

    /// Begins a new generation of so many workers beside the present one. `false`: there are not
    /// enough rows, since earlier generations have not left yet.
    pub(crate) fn begin_heirs(&mut self, count: usize) -> bool {
        self.heirs = self.free_rows(count);
        if self.heirs.len() < count {
            self.heirs.clear();
        }
        !self.heirs.is_empty()
    }

    /// Whether the row is one of the new generation that is not in use yet.
    pub(crate) fn is_heir(&self, row: usize) -> bool {
        self.heirs.contains(&row)
    }

    /// Whether all of the new generation could begin.
    pub(crate) fn heirs_are_ready(&self) -> bool {
        self.heirs.iter().all(|row| {
            self.slot(*row).is_some_and(|slot| slot.child.as_ref().is_some_and(Child::serves))
        })
    }

    /// The new generation takes the place of the old one, which leaves. Returns its rows.
    pub(crate) fn enthrone(&mut self) -> Vec<usize> {
        self.workers = std::mem::take(&mut self.heirs);
        self.workers.clone()
    }

    /// The new generation is not to be. Returns whom to kill.
    pub(crate) fn disinherit(&mut self, now: u64) -> Vec<u32> {
        let heirs = std::mem::take(&mut self.heirs);
        let mut pids = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| heirs.contains(&slot.row)) {
            let Some(child) = &mut slot.child else { continue };
            pids.push(child.pid);
            child.ending = Some(Ending::killed(now));
        }
        pids
    }

    /// The first rows that no worker has.
    fn free_rows(&self, count: usize) -> Vec<usize> {
        let (first, most) = Kind::of(Role::Worker).rows;
        let is_free = |row: &usize| {
            let known = self.workers.contains(row) || self.heirs.contains(row);
            !known
                && !self.reserved.contains(row)
                && self.slot(*row).is_none_or(|slot| slot.child.is_none())
        };
        (first..first + most).filter(is_free).take(count).collect()
    }

    /// The rows that shall have a child.
    pub(super) fn wanted_rows(&self, wanted: &[(Role, usize)]) -> BTreeSet<usize> {
        let others = wanted.iter().filter(|(role, _)| !Kind::of(*role).serves_miners);
        let others = others.flat_map(|(role, count)| {
            let (first, most) = Kind::of(*role).rows;
            first..first + count.min(&most)
        });
        others.chain(self.workers.iter().copied()).chain(self.heirs.iter().copied()).collect()
    }

    /// Makes the slots that are wanted and forgets empty ones that are not.
    pub(super) fn make_slots(&mut self, wanted: &[(Role, usize)]) {
        let workers = wanted.iter().filter(|(role, _)| Kind::of(*role).serves_miners);
        let workers = workers.map(|(_, count)| *count).sum();
        self.workers.truncate(workers);
        let more = self.free_rows(workers - self.workers.len());
        self.workers.extend(more);
        let rows = self.wanted_rows(wanted);
        self.slots.retain(|slot| slot.child.is_some() || rows.contains(&slot.row));
        for kind in KINDS {
            let (first, most) = kind.rows;
            for row in rows.range(first..first + most).copied() {
                if self.slot(row).is_none() {
                    self.slots.push(Slot {
                        role: kind.role,
                        row,
                        child: None,
                        restarts: 0,
                        deaths: 0,
                        refused: false,
                        failures: 0,
                        not_before: 0,
                        settled: false,
                    });
                }
            }
        }
    }
}
