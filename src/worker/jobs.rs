//! A coin's jobs: the work that miners have now, and what they were given before.

use crate::chain::{Hash, Work};
use crate::stratum::{JobId, notify_line};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Works that are kept for one tip. One arrives each `txRefreshInterval`, and miners leave the old
/// one within seconds; each holds a descriptor.
const WORKS: usize = 32;
/// Works of other workers that are kept: reloads one after the other, each with a few.
const INHERITED: usize = 4 * WORKS;

/// Work as it was received: what jobs are made of, and the rest of the block in a memory file.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) work: Work,
    /// Sealed memory file with the bytes that follow the coinbase; read only for a candidate.
    pub(crate) body: OwnedFd,
}

/// One job id and its line, the same bytes for every miner.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) id: JobId,
    /// `mining.notify` with `clean_jobs` false.
    pub(crate) line: Arc<[u8]>,
    /// The same with `clean_jobs` true.
    pub(crate) clean_line: Arc<[u8]>,
    /// The work behind it.
    pub(crate) posted: Arc<Posted>,
}

/// The numbers of job ids, one sequence for all coins of a worker.
#[derive(Debug)]
pub(crate) struct Numbers {
    lane: u8,
    next: u32,
}

impl Numbers {
    /// Counting begins at the time, so that a worker that follows another in a lane does not use
    /// its ids again: it would have to issue more than one a millisecond to be caught up with.
    pub(crate) fn new(lane: u8, unix_ms: u64) -> Self {
        let next = u32::try_from(unix_ms & u64::from(u32::MAX)).unwrap_or(0);
        Self { lane, next }
    }

    fn take(&mut self) -> JobId {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        JobId { lane: self.lane, number }
    }
}

/// What a job id stands for.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// A job of the present tip.
    Current(Arc<Posted>),
    /// A job of the tip before it: stale, unless the hash is a block.
    Previous(Arc<Posted>),
}

/// The jobs of one coin.
///
/// Numbers only grow, so a work is found by the first of its numbers and no id has to be kept.
/// However many ids one miner's wishes make, no other miner's job is forgotten for them.
///
/// Miners who came from another worker go on with the jobs that they had there: ids of its lane.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    latest: Option<Issue>,
    current: Works,
    previous: Works,
    /// The first number of the present tip.
    tip_first: u32,
    /// Works of other workers, of the present tip and the one before, oldest first.
    inherited: VecDeque<Inherited>,
}

/// A work under the numbers of a lane.
#[derive(Debug, Clone)]
pub(crate) struct Inherited {
    pub(crate) lane: u8,
    /// The first of its numbers.
    pub(crate) first: u32,
    /// The last one that was given out when it was passed on.
    pub(crate) last: u32,
    pub(crate) posted: Arc<Posted>,
}

/// Works of one tip with their first numbers, oldest first.
type Works = VecDeque<(u32, Arc<Posted>)>;

/// Whether a number was taken before another. Numbers wrap: the shorter way round counts.
pub(super) const fn is_before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other) > u32::MAX / 2
}

impl Jobs {
    /// The work that miners should have now.
    pub(crate) fn latest(&self) -> Option<&Issue> {
        self.latest.as_ref()
    }

    /// New work. Returns its first job and whether the tip changed, so that older work is void.
    pub(crate) fn post(&mut self, posted: Posted, numbers: &mut Numbers) -> (Issue, bool) {
        let clean = self
            .latest
            .as_ref()
            .is_none_or(|latest| latest.posted.work.previous != posted.work.previous);
        let issue = self.issue(Arc::new(posted), numbers);
        if clean {
            let before = self.previous_tip();
            self.previous = std::mem::take(&mut self.current);
            self.tip_first = issue.id.number;
            let tips = [Some(issue.posted.work.previous), before];
            self.inherited.retain(|it| tips.contains(&Some(it.posted.work.previous)));
        }
        self.current.push_back((issue.id.number, Arc::clone(&issue.posted)));
        if self.current.len() > WORKS {
            self.current.pop_front();
        }
        (issue, clean)
    }

    /// A further job id for the present work: other work, because the id is in the coinbase.
    pub(crate) fn reissue(&mut self, numbers: &mut Numbers) -> Option<Issue> {
        let posted = Arc::clone(&self.latest.as_ref()?.posted);
        Some(self.issue(posted, numbers))
    }

    /// The work behind a job id that some session of this coin was given. (Numbers in between
    /// belong to other coins; whether a session had an id, it knows itself.)
    pub(crate) fn find(&self, id: JobId) -> Option<Found> {
        let Some(latest) = self.latest.as_ref().filter(|latest| latest.id.lane == id.lane) else {
            return self.find_inherited(id);
        };
        let number = id.number;
        if is_before(latest.id.number, number) {
            return None;
        }
        let among = |works: &Works| {
            let mut newest_first = works.iter().rev();
            let found = newest_first.find(|(first, _)| !is_before(number, *first));
            found.map(|(_, posted)| Arc::clone(posted))
        };
        if is_before(number, self.tip_first) {
            among(&self.previous).map(Found::Previous)
        } else {
            among(&self.current).map(Found::Current)
        }
    }

    /// Whether a job id stands for work of the present tip.
    pub(crate) fn is_current(&self, id: JobId) -> bool {
        matches!(self.find(id), Some(Found::Current(_)))
    }

    fn find_inherited(&self, id: JobId) -> Option<Found> {
        let of_lane = self.inherited.iter().filter(|it| it.lane == id.lane);
        let found = of_lane
            .filter(|it| !is_before(id.number, it.first) && !is_before(it.last, id.number))
            .min_by_key(|it| id.number.wrapping_sub(it.first));
        let posted = Arc::clone(&found?.posted);
        // Without work of its own, or with that of an older tip, this worker knows no better one.
        let latest = self.latest.as_ref().map(|latest| &latest.posted.work);
        let is_current = latest.is_none_or(|work| {
            work.previous == posted.work.previous || work.height < posted.work.height
        });
        Some(match is_current {
            true => Found::Current(posted),
            false => Found::Previous(posted),
        })
    }

    /// Takes over what another worker's ids stand for.
    pub(crate) fn inherit(&mut self, work: Inherited) {
        if self.latest.as_ref().is_some_and(|latest| latest.id.lane == work.lane) {
            return;
        }
        let same = |it: &&mut Inherited| (it.lane, it.first) == (work.lane, work.first);
        if let Some(known) = self.inherited.iter_mut().find(same) {
            if is_before(known.last, work.last) {
                known.last = work.last;
            }
            return;
        }
        self.inherited.push_back(work);
        if self.inherited.len() > INHERITED {
            self.inherited.pop_front();
        }
    }

    /// What ids of this coin stand for, for another worker: oldest first.
    pub(crate) fn legacy(&self) -> Vec<Inherited> {
        let mut all: Vec<Inherited> = self.inherited.iter().cloned().collect();
        let Some(JobId { lane, number }) = self.latest.as_ref().map(|latest| latest.id) else {
            return all;
        };
        let own = || self.previous.iter().chain(&self.current);
        let ends = own().skip(1).map(|(next, _)| next.wrapping_sub(1)).chain([number]);
        all.extend(own().zip(ends).map(|((first, posted), last)| {
            let (first, posted) = (*first, Arc::clone(posted));
            Inherited { lane, first, last, posted }
        }));
        all
    }

    /// The first and the last number of the newest work.
    pub(crate) fn newest(&self) -> Option<(u32, u32)> {
        Some((self.current.back()?.0, self.latest.as_ref()?.id.number))
    }

    /// The tip of the works before the newest.
    fn previous_tip(&self) -> Option<Hash> {
        self.current.back().map(|(_, posted)| posted.work.previous)
    }

    fn issue(&mut self, posted: Arc<Posted>, numbers: &mut Numbers) -> Issue {
        let id = numbers.take();
        let issue = Issue {
            id,
            line: notify_line(id, &posted.work, false).into(),
            clean_line: notify_line(id, &posted.work, true).into(),
            posted,
        };
        self.latest = Some(issue.clone());
        issue
    }
}

/// Whether a block on `stale` may still be wanted while miners work on `current`: its parent is the
/// tip or one below (a sibling of the tip can win).
pub(crate) fn is_near(stale: &Work, current: &Work) -> bool {
    stale.previous == current.previous || stale.height.saturating_add(1) >= current.height
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
