//! Wanted fleet against actual fleet: who is started, asked to end, or killed. Pure: times come
//! in, effects go out, and whatever went wrong in between heals on the next turn.

mod ending;
mod rows;

pub(crate) use ending::Farewell;

use super::roles::Kind;
use crate::ipc::Role;
use crate::sys::fork::Ended;
use crate::sys::signals::SIGKILL;
use ending::Ending;
use std::collections::{BTreeSet, VecDeque};

/// A child that ends sooner after its start than this (ms) counts as failed.
const YOUNG: u64 = 5_000;
/// Longest wait (ms) before a failed child is started again.
const LONGEST_WAIT: u64 = 60_000;
/// Longest wait (ms) of one that was killed (`SIGKILL`).
const KILLED_WAIT: u64 = 250;
/// A child without a turn for so long (ms) is reported.
const SILENT: u64 = 10_000;
/// A child without a turn for so long (ms) is killed and replaced.
const HUNG: u64 = 30_000;
/// A turn of the master so late (ms) means that the machine slept: children get time to wake.
const OVERSLEPT: u64 = 5_000;
/// How long (ms) a fast stop may take.
const FAST: u64 = 2_000;
/// How long (ms) a worker may take to give its miners away and to say goodbye to those who stay, on
/// top of what an end may take: it spreads goodbyes over half of it.
const LEAVING: u64 = 60_000;
/// The exit code of a child that cannot work with its configuration: never started again with it.
const CONFIGURATION: i32 = 78;

/// Whether the whole fleet is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// No.
    No,
    /// Miners' work is finished first.
    Graceful,
    /// At once.
    Fast,
}

/// What is to be done to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Start a child in this row.
    Start {
        /// Row on the board.
        row: usize,
    },
    /// Have it give its miners to others, and end.
    Leave {
        /// Row on the board.
        row: usize,
    },
    /// Ask it to end when its work is done (`SIGTERM`).
    Terminate(u32),
    /// Ask it to end at once (`SIGQUIT`).
    Quit(u32),
    /// End it (`SIGKILL`): it did not end in time.
    Kill(u32),
    /// End it (`SIGKILL`): it hangs.
    KillHung {
        /// Process.
        pid: u32,
        /// Row on the board.
        row: usize,
        /// Milliseconds since its last turn.
        silent: u64,
    },
    /// Tell the operator that it hangs.
    ReportHung {
        /// Process.
        pid: u32,
        /// Row on the board.
        row: usize,
        /// Milliseconds since its last turn.
        silent: u64,
    },
}

/// A living child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) lane: Option<u8>,
    pub(crate) started: u64,
    pub(crate) ready: bool,
    replace: bool,
    reported: bool,
    ending: Option<Ending>,
}

impl Child {
    /// Whether it is up, and stays.
    pub(crate) fn serves(&self) -> bool {
        self.ready && !self.replace && self.ending.is_none()
    }

    /// Whether it was asked to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether it gives its miners to others, to end then.
    pub(crate) fn leaves(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.leaves)
    }
}

/// A stable place for one child.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) role: Role,
    pub(crate) row: usize,
    pub(crate) child: Option<Child>,
    pub(crate) restarts: u64,
    /// How often its child has ended unasked, or was killed since it hung.
    pub(crate) deaths: u64,
    /// Why it is not started again with this configuration.
    pub(crate) refused: bool,
    failures: u32,
    not_before: u64,
    /// Whether its last child has dealt with everything that those who serve miners left behind.
    settled: bool,
}

impl Slot {
    /// Whether a graceful stop still needs a child here.
    fn is_owed(&self, stop: Stop) -> bool {
        stop == Stop::Graceful
            && Kind::of(self.role).finishes_last
            && self.child.is_none()
            && !self.settled
            && !self.refused
            && self.failures < 2
    }
}

/// All slots and lanes.
#[derive(Debug)]
pub(crate) struct Fleet {
    slots: Vec<Slot>,
    /// Rows of the workers.
    workers: Vec<usize>,
    /// Rows of those who are to take their place with a new configuration.
    heirs: Vec<usize>,
    /// Rows that another master's children have.
    reserved: BTreeSet<usize>,
    lanes: VecDeque<u8>,
    last_turn: u64,
    awake_since: u64,
}

/// How long (ms) to wait before the next start after so many failures in a row: at once, then 1 s,
/// 2 s, 4 s ... 60 s.
pub(crate) fn back_off(failures: u32) -> u64 {
    match failures {
        0 | 1 => 0,
        more => (1000 << (more - 2).min(10)).min(LONGEST_WAIT),
    }
}

impl Fleet {
    /// `lanes`: those that nobody has, in the order of their use.
    pub(crate) fn new(lanes: VecDeque<u8>, now: u64) -> Self {
        let (slots, workers, heirs) = (Vec::new(), Vec::new(), Vec::new());
        let reserved = BTreeSet::new();
        Self { slots, workers, heirs, reserved, lanes, last_turn: now, awake_since: now }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn slot(&self, row: usize) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.row == row)
    }

    fn slot_mut(&mut self, row: usize) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.row == row)
    }

    /// Living children with their slot.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&Slot, &Child)> {
        self.slots.iter().filter_map(|slot| Some((slot, slot.child.as_ref()?)))
    }

    pub(crate) fn row_of(&self, pid: u32) -> Option<usize> {
        self.children().find(|(_, child)| child.pid == pid).map(|(slot, _)| slot.row)
    }

    /// Workers that serve and stay.
    pub(crate) fn serving(&self) -> impl Iterator<Item = (&Slot, &Child)> {
        self.children().filter(|(slot, child)| self.workers.contains(&slot.row) && child.serves())
    }

    /// Whether nothing that is wanted can ever be started with this configuration.
    pub(crate) fn is_hopeless(&self) -> bool {
        !self.slots.is_empty() && self.slots.iter().all(|slot| slot.refused && slot.child.is_none())
    }

    /// Whether a stop is complete.
    pub(crate) fn has_ended(&self, stop: Stop) -> bool {
        self.children().next().is_none() && !self.slots.iter().any(|slot| slot.is_owed(stop))
    }

    pub(crate) fn started(&mut self, row: usize, pid: u32, lane: Option<u8>, now: u64) {
        if let Some(slot) = self.slot_mut(row) {
            let (ready, replace, reported) = (false, false, false);
            slot.settled = false;
            slot.child =
                Some(Child { pid, lane, started: now, ready, replace, reported, ending: None });
        }
    }

    /// The start failed (no memory, no processes left): again, later.
    pub(crate) fn not_started(&mut self, row: usize, now: u64) {
        if let Some(slot) = self.slot_mut(row) {
            slot.failures = slot.failures.saturating_add(1).max(2);
            slot.not_before = now + back_off(slot.failures);
        }
    }

    pub(crate) fn ready(&mut self, row: usize) {
        if let Some(child) = self.slot_mut(row).and_then(|slot| slot.child.as_mut()) {
            child.ready = true;
        }
    }

    /// A new configuration: whoever has the old one is replaced (workers have heirs), and whoever
    /// could not work with the old one may try again.
    pub(crate) fn reconfigured(&mut self, now: u64) {
        for slot in &mut self.slots {
            (slot.refused, slot.failures, slot.not_before) = (false, 0, now);
            if let Some(child) = &mut slot.child {
                child.replace = !Kind::of(slot.role).serves_miners;
            }
        }
    }

    /// A child has ended.
    pub(crate) fn ended(&mut self, pid: u32, how: Ended, now: u64) -> Option<Farewell> {
        let row = self.row_of(pid)?;
        let slot = self.slot_mut(row)?;
        let child = slot.child.take()?;
        let lane = child.lane;
        slot.restarts += 1;
        slot.deaths += u64::from(child.ending.as_ref().is_none_or(|ending| ending.hung));
        slot.settled = child.ending.as_ref().is_some_and(|ending| ending.last);
        let farewell = if let Some(ending) = &child.ending {
            (slot.failures, slot.not_before) = (0, now);
            ending.farewell(how)
        } else if how == Ended::Exit(CONFIGURATION) {
            slot.refused = true;
            Farewell::Refused
        } else {
            let young = now.saturating_sub(child.started) < YOUNG;
            slot.failures = if young { slot.failures.saturating_add(1) } else { 0 };
            let wait = match how {
                // Not its own failure: a person, or a kernel short of memory. Its miners wait.
                Ended::Signal(SIGKILL) => back_off(slot.failures).min(KILLED_WAIT),
                _ => back_off(slot.failures),
            };
            slot.not_before = now + wait;
            Farewell::Again(wait)
        };
        if let Some(lane) = lane {
            self.free_lane(lane);
        }
        Some(farewell)
    }

    /// One turn: what is to be done now. `tick` tells when a row's child had its last turn,
    /// `shutdown` how long (ms) an end may take.
    pub(crate) fn plan(
        &mut self,
        wanted: &[(Role, usize)],
        stop: Stop,
        shutdown: u64,
        now: u64,
        tick: impl Fn(usize) -> u64,
    ) -> Vec<Effect> {
        if now.saturating_sub(self.last_turn) > OVERSLEPT {
            self.awake_since = now;
        }
        self.last_turn = now;
        self.make_slots(wanted);
        let rows = self.wanted_rows(wanted);
        let serving = self.children().any(|(slot, _)| Kind::of(slot.role).serves_miners);
        let mut effects = Vec::new();
        for slot in &mut self.slots {
            let kind = Kind::of(slot.role);
            let wanted = rows.contains(&slot.row);
            let how = match stop {
                // Who serves miners ends first: the others deal with its last words.
                Stop::Graceful if serving && !kind.serves_miners => Stop::No,
                Stop::No if !wanted => Stop::Graceful,
                stop => stop,
            };
            let is_owed = slot.is_owed(stop);
            let Some(child) = &mut slot.child else {
                let is_free = !self.reserved.contains(&slot.row);
                let due = now >= slot.not_before && !slot.refused && is_free;
                if wanted && due && (stop == Stop::No || is_owed) {
                    effects.push(Effect::Start { row: slot.row });
                }
                continue;
            };
            let how = if child.replace { how.max(Stop::Graceful) } else { how };
            let (row, pid) = (slot.row, child.pid);
            let leaves = child.leaves();
            if how == Stop::Graceful && stop == Stop::No && kind.serves_miners && child.ready {
                if child.ending.is_none() {
                    let kill_at = now + LEAVING + shutdown;
                    child.ending = Some(Ending { leaves: true, ..Ending::asked(how, kill_at) });
                    effects.push(Effect::Leave { row });
                    continue;
                }
            } else if how > child.ending.as_ref().map_or(Stop::No, |ending| ending.how)
                || leaves && stop > Stop::No
            {
                let (effect, time) = match how {
                    Stop::Fast => (Effect::Quit(pid), FAST),
                    _ => (Effect::Terminate(pid), shutdown),
                };
                effects.push(effect);
                child.ending = Some(Ending { last: !serving, ..Ending::asked(how, now + time) });
                continue;
            }
            if let Some(ending) = &mut child.ending {
                if now >= ending.kill_at && !ending.killed {
                    ending.killed = true;
                    effects.push(Effect::Kill(pid));
                }
            } else {
                let last = tick(row).max(child.started).max(self.awake_since);
                let silent = now.saturating_sub(last);
                if silent >= HUNG {
                    child.ending = Some(Ending { hung: true, ..Ending::killed(now) });
                    effects.push(Effect::KillHung { pid, row, silent });
                } else if silent >= SILENT && !child.reported {
                    child.reported = true;
                    effects.push(Effect::ReportHung { pid, row, silent });
                } else if silent < SILENT {
                    child.reported = false;
                }
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests;
