//! What is added to a tally at once.

use crate::journal::{BlockFound, Outcome, Record};
use crate::rewards::Scheme;
use crate::stratum::{Reject, Unit, Weight};
use std::collections::BTreeMap;

/// Slices that a PPLNS window is counted in: it holds up to a thirty-second more than was asked for.
const SLICES: Weight = 32;
/// Slices that are kept: two windows, so that one that grows finds its work.
pub(super) const SLICES_KEPT: Weight = 2 * SLICES;

/// Neighbouring records of several streams, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Unit of all weights.
    pub unit: Unit,
    /// By stream: the offset before the first and behind the last of its records.
    pub moves: BTreeMap<String, (u64, u64)>,
    /// Work by worker name that shares in rewards: all but that of solo miners.
    pub credits: BTreeMap<String, Weight>,
    /// Accepted shares.
    pub accepted: u64,
    /// Refused shares by reason.
    pub rejected: BTreeMap<Reject, u64>,
    /// Accepted work by minute since 1970.
    pub minutes: BTreeMap<u64, Minute>,
    /// Sum of the credits.
    pub work: Weight,
    /// PPLNS: the work of one slice of the window. The credits go into the newest slice, too.
    pub slice: Option<Weight>,
    /// A block, after the credits; unless it is solo it closes the round. At most one, the last
    /// record.
    pub cut: Option<BlockFound>,
    /// What became of blocks.
    pub outcomes: Vec<Outcome>,
    /// Records in it.
    pub records: usize,
    /// An empty tally may begin with it. `false`: one that is empty now has been emptied, and
    /// must not take this batch before those that it has lost.
    pub first: bool,
}

/// Work of one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Minute {
    /// Weight of the accepted shares.
    pub weight: Weight,
    /// Accepted shares.
    pub shares: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is in, and so are its positions.
    Done,
    /// Nothing was changed: a stream of it is not where the batch begins (somebody else added
    /// from there, or the tally was emptied or set back). The stored positions of its streams.
    Moved(BTreeMap<String, u64>),
}

impl Batch {
    /// Nothing yet.
    #[must_use]
    pub fn new(unit: Unit) -> Self {
        Self {
            unit,
            moves: BTreeMap::new(),
            credits: BTreeMap::new(),
            work: 0,
            slice: None,
            accepted: 0,
            rejected: BTreeMap::new(),
            minutes: BTreeMap::new(),
            cut: None,
            outcomes: Vec::new(),
            records: 0,
            first: true,
        }
    }

    /// Whether it must be added before another record comes: a window is counted in slices, so none
    /// may become much larger than the others.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cut.is_some() || self.slice.is_some_and(|slice| self.work >= slice)
    }

    /// Adds a record that stands at `from..to` in `stream`. `false`, and nothing added: a sum
    /// would overflow, so the batch ends before this record.
    #[must_use]
    pub fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool {
        match record {
            Record::Share { time, worker, weight, scheme } => {
                let minute = self.minutes.get(&(time / 60_000)).copied().unwrap_or_default();
                let mut known = self.credits.get_mut(&worker);
                let credit = known.as_deref().copied().unwrap_or_default();
                let (Some(credit), Some(sum)) =
                    (credit.checked_add(weight), minute.weight.checked_add(weight))
                else {
                    return false;
                };
                let minute = Minute { weight: sum, shares: minute.shares + 1 };
                self.minutes.insert(time / 60_000, minute);
                if scheme != Scheme::Solo {
                    self.work = self.work.saturating_add(weight);
                }
                if let Scheme::Pplns { window } = scheme {
                    self.slice = Some((window / SLICES).max(1));
                }
                match &mut known {
                    _ if scheme == Scheme::Solo => {}
                    Some(known) => **known = credit,
                    None => drop(self.credits.insert(worker, credit)),
                }
                self.accepted += 1;
            }
            Record::Rejected { count: 0, .. } => {} // a writer tried its disk
            Record::Rejected { reject, count, .. } => {
                *self.rejected.entry(reject).or_default() += u64::from(count);
            }
            Record::Block(block) => self.cut = Some(*block),
            Record::Outcome(outcome) => self.outcomes.push(*outcome),
            Record::Row(_) | Record::Retarget { .. } => {} // for MPOS
        }
        self.records += 1;
        match self.moves.get_mut(stream) {
            Some(known) => known.1 = to,
            None => {
                self.moves.insert(stream.to_owned(), (from, to));
            }
        }
        true
    }
}
