//! The jobs that a session was given, in little memory: a pool has ten thousand sessions, and each
//! remembers a hundred jobs.

use super::{Difficulty, JobId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Jobs in the order in which they were given: 4 bytes each, and 32 for each change of difficulty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct IssuedJobs {
    /// Their numbers, oldest first.
    numbers: VecDeque<u32>,
    /// What neighbours have in common, oldest first. The counts add up to the length of `numbers`.
    runs: VecDeque<Run>,
}

/// Jobs given one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Run {
    difficulty: Difficulty,
    count: u16,
    lane: u8,
    stale: bool,
}

impl Run {
    fn is_like(&self, other: &Self) -> bool {
        (self.lane, self.stale, self.difficulty) == (other.lane, other.stale, other.difficulty)
    }
}

impl IssuedJobs {
    /// Jobs remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The last one.
    pub(super) fn newest(&self) -> Option<JobId> {
        Some(JobId { lane: self.runs.back()?.lane, number: *self.numbers.back()? })
    }

    /// The job's difficulty, and whether it is stale.
    pub(super) fn find(&self, job: JobId) -> Option<(Difficulty, bool)> {
        let mut behind = 0;
        let found = self.runs.iter().rev().find(|run| {
            let count = usize::from(run.count);
            let mut numbers = self.numbers.iter().rev().skip(behind).take(count);
            behind += count;
            run.lane == job.lane && numbers.any(|number| *number == job.number)
        });
        found.map(|run| (run.difficulty, run.stale))
    }

    /// A further job. At most `live` of the newest stay fresh, and at most `most` are remembered.
    pub(super) fn push(&mut self, job: JobId, difficulty: Difficulty, live: usize, most: usize) {
        self.numbers.push_back(job.number);
        self.runs.push_back(Run { difficulty, count: 1, lane: job.lane, stale: false });
        let forgotten = self.numbers.len().saturating_sub(most);
        self.numbers.drain(..forgotten);
        let mut old = self.numbers.len().saturating_sub(live);
        let mut forgotten = u16::try_from(forgotten).unwrap_or(u16::MAX);
        let mut runs = VecDeque::with_capacity(self.runs.len());
        for mut run in std::mem::take(&mut self.runs) {
            let gone = run.count.min(forgotten);
            forgotten -= gone;
            run.count -= gone;
            let aged = run.count.min(u16::try_from(old).unwrap_or(u16::MAX));
            old -= usize::from(aged);
            append(&mut runs, Run { count: aged, stale: true, ..run });
            append(&mut runs, Run { count: run.count - aged, ..run });
        }
        self.runs = runs;
    }

    /// All jobs become stale.
    pub(super) fn age(&mut self) {
        for run in std::mem::take(&mut self.runs) {
            append(&mut self.runs, Run { stale: true, ..run });
        }
    }
}

/// Adds a run behind the others, as one with the last where they are alike.
fn append(runs: &mut VecDeque<Run>, run: Run) {
    match runs.back_mut() {
        Some(last) if last.is_like(&run) => last.count = last.count.saturating_add(run.count),
        _ if run.count > 0 => runs.push_back(run),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stratum::Unit;
    use proptest::prelude::*;

    /// The same, one entry for each job.
    #[derive(Default)]
    struct Plain(Vec<(JobId, Difficulty, bool)>);

    impl Plain {
        fn push(&mut self, job: JobId, difficulty: Difficulty, live: usize, most: usize) {
            self.0.push((job, difficulty, false));
            self.0.drain(..self.0.len().saturating_sub(most));
            let old = self.0.len().saturating_sub(live);
            self.0.iter_mut().take(old).for_each(|job| job.2 = true);
        }

        fn find(&self, job: JobId) -> Option<(Difficulty, bool)> {
            let found = self.0.iter().rev().find(|(id, ..)| *id == job);
            found.map(|&(_, difficulty, stale)| (difficulty, stale))
        }
    }

    proptest! {
        #[test]
        fn remembers_what_a_plain_list_would(
            steps in proptest::collection::vec((0_u8..12, 0_u8..2, 1_u64..4, 0_u32..3), 1..120)
        ) {
            let (mut jobs, mut plain) = (IssuedJobs::default(), Plain::default());
            let mut number = 0;
            for (what, lane, weight, skipped) in steps {
                number += 1 + skipped;
                let difficulty = Difficulty { weight, unit: Unit(0) };
                if what == 0 {
                    jobs.age();
                    plain.0.iter_mut().for_each(|job| job.2 = true);
                } else {
                    jobs.push(JobId { lane, number }, difficulty, 8, 12);
                    plain.push(JobId { lane, number }, difficulty, 8, 12);
                }
                for number in 0..=number + 1 {
                    for lane in 0..3 {
                        let job = JobId { lane, number };
                        prop_assert_eq!(jobs.find(job), plain.find(job), "{:?}", job);
                    }
                }
                prop_assert_eq!(jobs.len(), plain.0.len());
                prop_assert_eq!(jobs.newest(), plain.0.last().map(|(id, ..)| *id));
            }
        }
    }
}
