//! The roster: a row of shared memory for every miner's connection, whichever worker has it.
//!
//! Who owns a row owns the connection. A row changes hands by one compare-exchange, so that a miner
//! who is given to another process has exactly one owner at every moment, whoever dies in between.
//! The number of a row and how often it was taken make its extranonce1: two living connections never
//! have the same, over all workers, generations and crashes.

use crate::sys::shared::Shared;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a row's number: 262,144 connections of one pool.
const ROW_BITS: u32 = 18;
/// Rows.
pub const ROWS: usize = 1 << ROW_BITS;
/// Bits of extranonce1 that say how often the row was taken.
const CLAIM_BITS: u32 = 32 - ROW_BITS;
/// Words of a copy of what a successor must know: a session with one name always has room.
const WORDS: usize = 128;
/// Most bytes of that.
pub const MOST: usize = WORDS * 8;

/// A connection's row, as long as it is that connection's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Number of the row.
    pub row: u32,
    /// How often the row had been taken when this connection took it.
    pub claim: u32,
}

impl Ticket {
    /// The connection's extranonce1: the row (18 bits) and the low bits of the claim (14).
    #[must_use]
    pub const fn extranonce1(self) -> [u8; 4] {
        let claim = self.claim & ((1 << CLAIM_BITS) - 1);
        (self.row << CLAIM_BITS | claim).to_be_bytes()
    }

    const fn owned_by(self, pid: u32) -> u64 {
        (self.claim as u64) << 32 | pid as u64
    }
}

/// Owner and mark of a row. Owner: claim (high 32 bits) and process id (low; 0: free). Mark: length
/// of what was noted (high 32 bits) and which copy has it (low).
type Head = [AtomicU64; 2];
/// Both copies: one is whole while the other is written.
type Body = [AtomicU64; 2 * WORDS];

/// The roster.
#[derive(Debug)]
pub struct Roster {
    heads: Shared<Head>,
    bodies: Shared<Body>,
}

/// Where a process looks for a free row next. Rows that it freed itself come first, so that memory
/// once used is used again.
#[derive(Debug, Default)]
pub struct Hint {
    freed: VecDeque<u32>,
    next: usize,
}

/// Freed rows that rest before they are used again: nobody sees his extranonce1 again by coming
/// back, before 16 million connections have been made.
const ROTATION: usize = 1024;
/// Freed rows that are remembered.
const FREED: usize = 1 << 16;

impl Hint {
    /// Begins at a slot's own part, so that processes do not search the same rows.
    #[must_use]
    pub fn new(slot: usize) -> Self {
        Self { freed: VecDeque::new(), next: slot.saturating_mul(ROWS / 256) % ROWS }
    }
}

impl Roster {
    pub(super) fn new() -> io::Result<Self> {
        let heads = Shared::zeroed("roster", ROWS)?;
        Ok(Self { heads, bodies: Shared::zeroed("sessions", ROWS)? })
    }

    pub(super) fn attach([heads, bodies]: [OwnedFd; 2]) -> io::Result<Self> {
        Ok(Self { heads: Shared::attach(heads, ROWS)?, bodies: Shared::attach(bodies, ROWS)? })
    }

    pub(super) fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.heads.as_fd(), self.bodies.as_fd()]
    }

    fn owner(&self, row: u32) -> Option<&AtomicU64> {
        self.heads.as_slice().get(usize::try_from(row).ok()?)?.first()
    }

    fn mark(&self, row: u32) -> Option<&AtomicU64> {
        self.heads.as_slice().get(usize::try_from(row).ok()?)?.last()
    }

    /// Takes a free row for a newcomer of process `pid`; `None` when all are taken.
    pub fn claim(&self, pid: u32, hint: &mut Hint) -> Option<Ticket> {
        while hint.freed.len() > ROTATION
            && let Some(row) = hint.freed.pop_front()
        {
            if let Some(ticket) = self.try_claim(row, pid) {
                return Some(ticket);
            }
        }
        for _ in 0..ROWS {
            let row = u32::try_from(hint.next).ok()?;
            hint.next = (hint.next + 1) % ROWS;
            if let Some(ticket) = self.try_claim(row, pid) {
                return Some(ticket);
            }
        }
        None
    }

    fn try_claim(&self, row: u32, pid: u32) -> Option<Ticket> {
        let owner = self.owner(row)?;
        let before = owner.load(Ordering::Acquire);
        let (claim, holder) = split(before);
        if holder != 0 {
            return None;
        }
        let ticket = Ticket { row, claim: claim.wrapping_add(1) };
        let taken = owner.compare_exchange(
            before,
            ticket.owned_by(pid),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        taken.is_ok().then_some(ticket)
    }

    /// Whether the connection is the process's.
    #[must_use]
    pub fn is_owned(&self, ticket: Ticket, pid: u32) -> bool {
        self.owner(ticket.row)
            .is_some_and(|owner| pid != 0 && owner.load(Ordering::Acquire) == ticket.owned_by(pid))
    }

    /// Whether the connection is anybody's.
    #[must_use]
    pub fn is_alive(&self, ticket: Ticket) -> bool {
        self.owner(ticket.row).is_some_and(|owner| {
            let (claim, pid) = split(owner.load(Ordering::Acquire));
            claim == ticket.claim && pid != 0
        })
    }

    /// Gives a connection from one process to another. `false`: it was not the first one's any more,
    /// and nothing has changed.
    #[must_use]
    pub fn pass(&self, ticket: Ticket, from: u32, to: u32) -> bool {
        self.change(ticket, from, to)
    }

    /// The connection is over.
    pub fn free(&self, ticket: Ticket, pid: u32) -> bool {
        // Before others may take it: what was noted is nobody else's.
        if self.is_owned(ticket, pid)
            && let Some(mark) = self.mark(ticket.row)
        {
            mark.store(0, Ordering::Release);
        }
        self.change(ticket, pid, 0)
    }

    /// The same, by the process whose hint this is.
    pub fn give_back(&self, ticket: Ticket, pid: u32, hint: &mut Hint) {
        if self.free(ticket, pid) && hint.freed.len() < FREED {
            hint.freed.push_back(ticket.row);
        }
    }

    fn change(&self, ticket: Ticket, from: u32, to: u32) -> bool {
        let (from, to) = (ticket.owned_by(from), ticket.owned_by(to));
        self.owner(ticket.row).is_some_and(|owner| {
            owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// Notes what a successor must know of a connection, for its owner. At most [`MOST`] bytes; more
    /// are not noted, and what was stays. A reader finds the old bytes or the new, never a mixture,
    /// also when the owner dies here.
    pub fn note(&self, ticket: Ticket, bytes: &[u8]) -> bool {
        let (Some(mark), Some(body)) = (self.mark(ticket.row), self.body(ticket.row)) else {
            return false;
        };
        if bytes.len() > MOST {
            return false;
        }
        let which = (mark.load(Ordering::Relaxed) & 1) ^ 1;
        let copy = body.iter().skip(if which == 1 { WORDS } else { 0 });
        for (word, chunk) in copy.zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        mark.store((bytes.len() as u64) << 32 | which, Ordering::Release);
        true
    }

    /// What was noted of a connection whose owner does not write any more; empty: nothing.
    #[must_use]
    pub fn noted(&self, ticket: Ticket) -> Vec<u8> {
        let (Some(mark), Some(body)) = (self.mark(ticket.row), self.body(ticket.row)) else {
            return Vec::new();
        };
        let mark = mark.load(Ordering::Acquire);
        let length = usize::try_from(mark >> 32).unwrap_or(0).min(MOST);
        let copy = body.iter().skip(if mark & 1 == 1 { WORDS } else { 0 }).take(WORDS);
        let words = copy.flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes());
        words.take(length).collect()
    }

    fn body(&self, row: u32) -> Option<&Body> {
        self.bodies.as_slice().get(usize::try_from(row).ok()?)
    }

    /// Every connection of a process.
    #[must_use]
    pub fn of(&self, pid: u32) -> Vec<Ticket> {
        let owners = self.heads.as_slice().iter().filter_map(|head| head.first());
        let theirs = (0_u32..).zip(owners).filter_map(|(row, owner)| {
            let (claim, holder) = split(owner.load(Ordering::Acquire));
            (holder == pid && pid != 0).then_some(Ticket { row, claim })
        });
        theirs.collect()
    }
}

/// Claim and process id of an owner.
fn split(owner: u64) -> (u32, u32) {
    let low = u32::try_from(owner & u64::from(u32::MAX)).unwrap_or(0);
    (u32::try_from(owner >> 32).unwrap_or(0), low)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn a_connection_has_one_owner() {
        let roster = Roster::new().unwrap();
        let mut hint = Hint::new(3);
        let ticket = roster.claim(7, &mut hint).unwrap();
        assert_eq!(ticket, Ticket { row: 3 * 1024, claim: 1 });
        assert_eq!(ticket.extranonce1(), [0x03, 0, 0, 1]);
        assert!(roster.is_owned(ticket, 7) && roster.is_alive(ticket));
        assert!(!roster.pass(ticket, 8, 9), "not theirs to give");
        assert!(roster.pass(ticket, 7, 8));
        assert!(!roster.pass(ticket, 7, 9), "given away already");
        assert!(!roster.free(ticket, 7));
        assert_eq!((roster.of(7), roster.of(8)), (vec![], vec![ticket]));
        assert!(roster.free(ticket, 8) && !roster.is_alive(ticket));
        assert!(!roster.is_owned(ticket, 0));
        let next = roster.claim(9, &mut Hint::new(3)).unwrap();
        assert_eq!(next, Ticket { claim: 2, ..ticket });
        assert!(!roster.pass(ticket, 9, 7), "an old ticket opens nothing");
    }

    #[test]
    fn memory_once_used_is_used_again() {
        let roster = Roster::new().unwrap();
        let mut hint = Hint::default();
        for _ in 0..10_000 {
            let ticket = roster.claim(7, &mut hint).unwrap();
            assert!(ticket.row as usize <= ROTATION);
            roster.give_back(ticket, 7, &mut hint);
        }
        let mut other = Hint { next: ROWS - 1, ..Hint::default() };
        assert_eq!(roster.claim(8, &mut Hint::default()).unwrap().row, 0);
        assert_eq!(roster.claim(8, &mut other).unwrap().row, u32::try_from(ROWS - 1).unwrap());
        assert_eq!(roster.claim(8, &mut other).unwrap().row, 1, "wraps, and passes over the taken");
    }

    #[test]
    fn what_is_noted_is_whole_or_not_there() {
        let roster = Roster::new().unwrap();
        let mut hint = Hint::default();
        let ticket = roster.claim(7, &mut hint).unwrap();
        assert_eq!(roster.noted(ticket), b"");
        for length in [1, 8, 9, MOST, 0, 3] {
            let bytes: Vec<u8> = (1..=255).cycle().take(length).collect();
            assert!(roster.note(ticket, &bytes));
            assert_eq!(roster.noted(ticket), bytes);
        }
        assert!(!roster.note(ticket, &[1; MOST + 1]), "too long");
        assert_eq!(roster.noted(ticket).len(), 3, "what was stays");
        roster.give_back(ticket, 7, &mut hint);
        let next = roster.claim(8, &mut Hint::default()).unwrap();
        assert_eq!((next.row, roster.noted(next)), (ticket.row, Vec::new()), "nobody else's");
    }

    proptest! {
        /// Whatever is claimed, given and freed: the living have different extranonces.
        #[test]
        fn extranonces_of_the_living_differ(
            steps in proptest::collection::vec((0_u8..4, 1_u32..4, 0_usize..64), 1..300)
        ) {
            let roster = Roster::new().unwrap();
            let mut hints: BTreeMap<u32, Hint> = BTreeMap::new();
            let mut living: Vec<(Ticket, u32)> = Vec::new();
            for (what, pid, which) in steps {
                let hint = hints.entry(pid).or_default();
                match what {
                    0 | 1 => living.push((roster.claim(pid, hint).unwrap(), pid)),
                    2 if !living.is_empty() => {
                        let at = which % living.len();
                        let (ticket, owner) = living.swap_remove(at);
                        roster.give_back(ticket, owner, hints.entry(owner).or_default());
                    }
                    _ if !living.is_empty() => {
                        let at = which % living.len();
                        if let Some((ticket, owner)) = living.get_mut(at) {
                            prop_assert!(roster.pass(*ticket, *owner, pid));
                            *owner = pid;
                        }
                    }
                    _ => {}
                }
                let all: HashSet<_> = living.iter().map(|(it, _)| it.extranonce1()).collect();
                prop_assert_eq!(all.len(), living.len());
            }
            for pid in 1..4 {
                let mut theirs: Vec<_> =
                    living.iter().filter(|(_, owner)| *owner == pid).map(|(it, _)| *it).collect();
                theirs.sort_unstable();
                prop_assert_eq!(roster.of(pid), theirs);
            }
        }
    }
}
