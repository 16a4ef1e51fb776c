//! From journal records to what is written at once. Pure.

use crate::chain::Hash;
use crate::journal::{Record, Row, Verdict};
use crate::stratum::{Unit, Weight};
use std::collections::BTreeMap;

/// Most rows of one transaction.
const ROWS: usize = 2048;
/// Most records of one transaction: few of them may be rows.
const RECORDS: usize = 16_384;

/// Neighbouring records of several streams, as MPOS has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// By stream: the offset before the first and behind the last of its records.
    pub moves: BTreeMap<String, (u64, u64)>,
    /// Rows of `shares`, in order.
    pub(super) rows: Vec<Line>,
    /// The last difficulty of each worker.
    pub(super) difficulties: BTreeMap<String, f64>,
    /// Blocks that a daemon has accepted.
    pub(super) accepted: Vec<Hash>,
    /// Records in it.
    pub records: usize,
    /// Difficulty of one weight.
    unit: f64,
    multiplier: f64,
}

/// A row of `shares`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Unix seconds.
    pub(super) time: u64,
    pub(super) host: String,
    pub(super) username: String,
    pub(super) difficulty: f64,
    /// Why it was refused, as the miner was told.
    pub(super) reason: Option<&'static str>,
    /// Set for a block candidate.
    pub(super) solution: Option<Hash>,
}

impl Batch {
    /// Nothing yet. `multiplier`: `mposDiffMultiplier`, for the difficulties of shares.
    #[must_use]
    pub fn new(unit: Unit, multiplier: f64) -> Self {
        Self { unit: unit.as_f64(), multiplier, ..Self::default() }
    }

    /// Adds a record that stands at `from..to` in `stream`.
    pub fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) {
        match record {
            Record::Row(row) => {
                let line = self.line(*row);
                self.rows.push(line);
            }
            Record::Retarget { worker, weight, .. } => {
                let difficulty = self.difficulty(weight);
                self.difficulties.insert(worker, difficulty);
            }
            Record::Outcome(outcome) if outcome.verdict == Verdict::Accepted => {
                self.accepted.push(outcome.hash);
            }
            Record::Share { .. }
            | Record::Rejected { .. }
            | Record::Block(_)
            | Record::Outcome(_) => {}
        }
        self.records += 1;
        match self.moves.get_mut(stream) {
            Some(known) => known.1 = to,
            None => drop(self.moves.insert(stream.to_owned(), (from, to))),
        }
    }

    /// Whether it must be written before more is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS || self.records >= RECORDS
    }

    fn line(&self, row: Row) -> Line {
        Line {
            time: row.time / 1000,
            host: row.address.to_string(),
            difficulty: self.difficulty(row.weight) * self.multiplier,
            username: row.worker,
            reason: row.reject.map(|reject| reject.words()),
            solution: row.solution,
        }
    }

    fn difficulty(&self, weight: Weight) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the column is a float")]
        let weight = weight as f64;
        weight * self.unit
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::journal::Outcome;
    use crate::rewards::Scheme;
    use crate::stratum::Reject;

    fn row(reject: Option<Reject>, solution: Option<Hash>) -> Record {
        let address = [192, 0, 2, 7].into();
        let (time, worker) = (1_700_000_000_999, "bob.1".to_owned());
        Record::Row(Box::new(Row { time, worker, weight: 3, reject, address, solution }))
    }

    #[test]
    fn records_become_rows() {
        let mut batch = Batch::new(Unit(-1), 256.0);
        let hash = Hash([7; 32]);
        batch.add("s", 0, 100, row(None, None));
        batch.add("s", 100, 200, row(Some(Reject::LowDifficulty), None));
        batch.add("t", 64, 70, row(Some(Reject::Stale), Some(hash)));
        batch.add(
            "s",
            200,
            210,
            Record::Share { time: 1, worker: "bob.1".into(), weight: 3, scheme: Scheme::Prop },
        );
        let line = Line {
            time: 1_700_000_000,
            host: "192.0.2.7".to_owned(),
            username: "bob.1".to_owned(),
            difficulty: 384.0,
            reason: None,
            solution: None,
        };
        let refused = Line { reason: Some("Difficulty too low"), ..line.clone() };
        let block = Line { reason: Some("Stale"), solution: Some(hash), ..line.clone() };
        assert_eq!(batch.rows, [line, refused, block]);
        assert_eq!(batch.moves["s"], (0, 210));
        assert_eq!(batch.moves["t"], (64, 70));
        assert_eq!(batch.records, 4);
    }

    #[test]
    fn the_last_difficulty_counts_and_accepted_blocks_are_noted() {
        let mut batch = Batch::new(Unit(-1), 256.0);
        for weight in [2, 8] {
            let worker = "bob.1".to_owned();
            batch.add("s", 0, 1, Record::Retarget { time: 1, worker, weight });
        }
        for (n, verdict) in [(1, Verdict::Accepted), (2, Verdict::Rejected), (3, Verdict::Unknown)]
        {
            let (hash, answers) = (Hash([n; 32]), Vec::new());
            let outcome = Outcome { time: 1, hash, verdict, answers };
            batch.add("s", 1, 2, Record::Outcome(Box::new(outcome)));
        }
        assert_eq!(batch.difficulties, BTreeMap::from([("bob.1".to_owned(), 4.0)]));
        assert_eq!(batch.accepted, [Hash([1; 32])]);
    }
}
