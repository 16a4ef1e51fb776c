//! What is added to a history at once. Pure.

use super::Sum;
use crate::journal::Record;
use crate::stratum::Unit;
use std::collections::BTreeMap;

/// Most records of one transaction.
const RECORDS: usize = 16_384;
/// Most sums of one transaction: each is added to a slot of every level.
const SUMS: usize = 4096;

/// Neighbouring records of several streams, summed up by minute and worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Unit of all weights.
    pub unit: Unit,
    /// By stream: the offset before the first and behind the last of its records.
    pub moves: BTreeMap<String, (u64, u64)>,
    /// Records in it.
    pub records: usize,
    /// By begin of the minute, unix seconds, and worker name; without a name: nobody's.
    pub(super) minutes: BTreeMap<u64, BTreeMap<String, Sum>>,
    sums: usize,
}

impl Batch {
    /// Nothing yet.
    #[must_use]
    pub fn new(unit: Unit) -> Self {
        Self { unit, moves: BTreeMap::new(), records: 0, minutes: BTreeMap::new(), sums: 0 }
    }

    /// Adds a record that stands at `from..to` in `stream`.
    pub fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) {
        match record {
            Record::Share { time, worker, weight, .. } => {
                self.sum(time, worker, Sum { weight, shares: 1, rejected: 0 });
            }
            Record::Rejected { count: 0, .. } => {} // a writer tried its disk
            Record::Rejected { time, worker, count, .. } => {
                self.sum(time, worker, Sum { rejected: u64::from(count), ..Sum::default() });
            }
            Record::Block(_) | Record::Outcome(_) | Record::Row(_) | Record::Retarget { .. } => {}
        }
        self.records += 1;
        match self.moves.get_mut(stream) {
            Some(known) => known.1 = to,
            None => drop(self.moves.insert(stream.to_owned(), (from, to))),
        }
    }

    fn sum(&mut self, time: u64, worker: String, more: Sum) {
        let workers = self.minutes.entry(time / 60_000 * 60).or_default();
        let known = workers.len();
        workers.entry(worker).or_default().add(more);
        self.sums += workers.len() - known;
    }

    /// Whether it must be written before more is added.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.records >= RECORDS || self.sums >= SUMS
    }
}
