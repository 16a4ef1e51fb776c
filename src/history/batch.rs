//! What is added to a history at once. Pure.

use super::{Last, Mined, Sum};
use crate::journal::Record;
use crate::rewards::Scheme;
use crate::stratum::{Unit, Weight};
use std::collections::BTreeMap;

/// Most records of one transaction.
const RECORDS: usize = 16_384;
/// Most sums of one transaction: each is added to a slot of every level.
const SUMS: usize = 4096;

/// Whose block a share may find: solo miners mine for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Shared,
    Solo,
}

impl Kind {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Shared, Self::Solo];

    fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Solo => Self::Solo,
            Scheme::Prop | Scheme::Pplns { .. } => Self::Shared,
        }
    }

    /// Where the work since its last block stands in the file.
    pub(super) const fn meta(self) -> &'static str {
        match self {
            Self::Shared => "round",
            Self::Solo => "round_solo",
        }
    }
}

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
    /// By worker name.
    pub(super) last: BTreeMap<String, Last>,
    /// Blocks in their order; each with the work of its kind since the one before it in here.
    pub(super) blocks: Vec<(Kind, Mined)>,
    /// Work of a kind since the last block of it in here.
    pub(super) open: BTreeMap<Kind, Weight>,
    sums: usize,
}

impl Batch {
    /// Nothing yet.
    #[must_use]
    pub fn new(unit: Unit) -> Self {
        Self {
            unit,
            moves: BTreeMap::new(),
            records: 0,
            minutes: BTreeMap::new(),
            last: BTreeMap::new(),
            blocks: Vec::new(),
            open: BTreeMap::new(),
            sums: 0,
        }
    }

    /// Adds a record that stands at `from..to` in `stream`.
    pub fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) {
        match record {
            Record::Share { time, worker, weight, scheme } => {
                let open = self.open.entry(Kind::of(scheme)).or_default();
                *open = open.saturating_add(weight);
                let last = Last { at: time / 1000, weight };
                match self.last.get_mut(&worker) {
                    Some(known) if known.at > last.at => {}
                    Some(known) => *known = last,
                    None => drop(self.last.insert(worker.clone(), last)),
                }
                self.sum(time, worker, Sum { weight, shares: 1, ..Sum::default() });
            }
            Record::Rejected { count: 0, .. } => {} // a writer tried its disk
            Record::Rejected { time, worker, reject, count } => {
                self.sum(time, worker, Sum::refused(reject, count));
            }
            Record::Block(block) => {
                let kind = Kind::of(block.scheme);
                let mined = Mined {
                    hash: block.hash,
                    height: block.height,
                    time: block.time,
                    difficulty: block.difficulty,
                    work: self.open.insert(kind, 0).or(Some(0)),
                };
                self.blocks.push((kind, mined));
            }
            Record::Outcome(_) | Record::Row(_) | Record::Retarget { .. } => {}
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
