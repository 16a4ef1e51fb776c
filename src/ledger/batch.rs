//! What is added to a tally at once.

use crate::journal::{BlockFound, Outcome, Record};
use crate::stratum::{Reject, Unit, Weight};
use std::collections::BTreeMap;

/// Neighbouring records of several streams, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Unit of all weights.
    pub unit: Unit,
    /// By stream: the offset before the first and behind the last of its records.
    pub moves: BTreeMap<String, (u64, u64)>,
    /// Work by worker name.
    pub credits: BTreeMap<String, Weight>,
    /// Accepted shares.
    pub accepted: u64,
    /// Refused shares by reason.
    pub rejected: BTreeMap<Reject, u64>,
    /// Accepted work by minute since 1970.
    pub minutes: BTreeMap<u64, Minute>,
    /// A block that closes the round, after the credits. At most one, the last record.
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
            accepted: 0,
            rejected: BTreeMap::new(),
            minutes: BTreeMap::new(),
            cut: None,
            outcomes: Vec::new(),
            records: 0,
            first: true,
        }
    }

    /// Adds a record that stands at `from..to` in `stream`. `false`, and nothing added: a sum
    /// would overflow, so the batch ends before this record.
    #[must_use]
    pub fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool {
        match record {
            Record::Share { time, worker, weight } => {
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
                match &mut known {
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
