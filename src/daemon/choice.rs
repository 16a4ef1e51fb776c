//! Which daemon gives the templates: a pure core that is told what each daemon last said and
//! decides. Times are milliseconds of one clock, passed in.
//!
//! A daemon is *fresh* when its last probe answered lately, it is not syncing, its last template
//! call did not fail, and it stands on the highest tip. One is chosen and kept while it is fresh:
//! two daemons that are equally good never take turns (NOMP A7). The operator's order decides
//! among equals, and a preferred daemon is taken back when it has been fresh for a while.

use crate::chain::Hash;

/// How long a daemon may be one or more blocks behind before it is left: two daemons that have a
/// block at once are not heard of at once, and must not take turns because of that. Longer would
/// let miners work for a tip that is known to be old.
pub const CATCH_UP_MS: u64 = 250;
/// How long a tip counts after the only daemon that had it went silent: work for the tip before it
/// would be worth nothing if that daemon comes back.
pub const REMEMBER_MS: u64 = 10_000;
/// How long a preferred daemon must be fresh before the templates come from it again.
pub const TAKE_BACK_MS: u64 = 60_000;
/// How long after the last new block a daemon with more headers than blocks counts as catching up.
/// Later the missing blocks are taken for unobtainable.
pub const PROGRESS_MS: u64 = 60_000;
/// Two tips at one height for so long are worth a warning.
pub const FORK_MS: u64 = 60_000;
/// How long a daemon that is not ready is spared.
pub const NOT_READY_MS: u64 = 2_000;
/// How long after it was spared a daemon still counts as failing, if no template was asked of it
/// since: longer than the way to its next failure, so that its standing does not flicker.
pub const REFUSAL_MS: u64 = 10_000;
/// First and longest back-off of a failing daemon.
pub const BACK_OFF_MS: (u64, u64) = (1_000, 30_000);

/// What a daemon said of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Height of its tip.
    pub height: u64,
    /// Its tip.
    pub tip: Hash,
    /// Height of its best header.
    pub headers: u64,
    /// It says that it is in its initial download (or an operator's test chain slept for a day:
    /// see `test_chain`).
    pub initial_download: bool,
    /// On regtest and test networks the initial download ends only with the next block, which
    /// this pool may have to mine: there it counts only while headers are missing their blocks.
    pub test_chain: bool,
}

/// How a daemon stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not heard of yet.
    Waiting,
    /// It may give templates.
    Fresh,
    /// Its tip is lower than another daemon's.
    Behind {
        /// Blocks that it lacks.
        by: u64,
    },
    /// It is downloading the chain.
    Syncing {
        /// Blocks it has.
        blocks: u64,
        /// Blocks it knows of.
        headers: u64,
    },
    /// It does not answer, or answers with errors.
    Failing(String),
}

#[derive(Debug, Clone, Default)]
struct Entry {
    /// The last good answer, when it came, and when its height last changed.
    seen: Option<(Seen, u64)>,
    moved_at: u64,
    latency: Option<u64>,
    /// Why the last probe failed.
    silent: Option<String>,
    probe_failures: u32,
    /// Why the last template call failed, and until when the daemon is spared.
    refused: Option<(String, u64)>,
    refusals: u32,
    /// Since when no template of it was usable.
    useless_since: Option<u64>,
    behind_since: Option<u64>,
    fresh_since: Option<u64>,
}

/// Judge of the daemons of one coin.
#[derive(Debug, Clone)]
pub struct Judge {
    entries: Vec<Entry>,
    chosen: Option<usize>,
    /// A good answer counts for so long.
    fresh_for: u64,
    forked_since: Option<u64>,
}

impl Judge {
    /// A judge over `count` daemons, in the operator's order. A good answer counts for `fresh_for`
    /// milliseconds: some polling intervals and one deadline.
    #[must_use]
    pub fn new(count: usize, fresh_for: u64) -> Self {
        let entries = vec![Entry::default(); count];
        Self { entries, chosen: None, fresh_for, forked_since: None }
    }

    /// Takes the answer of a probe; `latency` in milliseconds.
    pub fn probed(&mut self, daemon: usize, now: u64, answer: Result<Seen, String>, latency: u64) {
        let Some(entry) = self.entries.get_mut(daemon) else { return };
        match answer {
            Ok(seen) => {
                if entry.seen.is_none_or(|(before, _)| before.height != seen.height) {
                    entry.moved_at = now;
                }
                entry.seen = Some((seen, now));
                entry.latency = Some(latency);
                entry.silent = None;
                entry.probe_failures = 0;
            }
            Err(problem) => {
                entry.silent = Some(problem);
                entry.probe_failures = entry.probe_failures.saturating_add(1);
            }
        }
        self.settle(now);
    }

    /// A template call failed or hung: the daemon is spared for a while, longer each time.
    pub fn refused(&mut self, daemon: usize, now: u64, problem: String) {
        if let Some(entry) = self.entries.get_mut(daemon) {
            entry.refused = Some((problem, now + back_off(entry.refusals)));
            entry.useless_since.get_or_insert(now);
            entry.refusals = entry.refusals.saturating_add(1);
        }
        self.settle(now);
    }

    /// The daemon gives no template because it is not ready (no peers, syncing, starting): looked
    /// at again soon, so that the pool starts by itself.
    pub fn not_ready(&mut self, daemon: usize, now: u64, problem: String) {
        if let Some(entry) = self.entries.get_mut(daemon) {
            entry.refused = Some((problem, now + NOT_READY_MS));
            entry.useless_since.get_or_insert(now);
        }
        self.settle(now);
    }

    /// A template came: all is well with the daemon.
    pub fn worked(&mut self, daemon: usize, now: u64) {
        if let Some(entry) = self.entries.get_mut(daemon) {
            entry.refused = None;
            entry.refusals = 0;
            entry.useless_since = None;
        }
        self.settle(now);
    }

    /// The daemon that gives the templates now.
    pub fn choose(&mut self, now: u64) -> Option<usize> {
        self.settle(now);
        self.chosen
    }

    /// The daemon chosen last.
    #[must_use]
    pub fn chosen(&self) -> Option<usize> {
        self.chosen
    }

    /// How long to wait before the next probe of a daemon that failed; `None` when it did not.
    /// Grows to 30 s, to 2 s only while no daemon is fresh.
    #[must_use]
    pub fn probe_back_off(&self, daemon: usize) -> Option<u64> {
        let failures = self.entries.get(daemon)?.probe_failures;
        let most = if self.chosen.is_some() { BACK_OFF_MS.1 } else { 2_000 };
        (failures > 0).then(|| back_off(failures - 1).min(most))
    }

    /// Last good answer of a daemon.
    #[must_use]
    pub fn seen(&self, daemon: usize) -> Option<Seen> {
        self.entries.get(daemon)?.seen.map(|(seen, _)| seen)
    }

    /// Milliseconds that its last good answer took.
    #[must_use]
    pub fn latency(&self, daemon: usize) -> Option<u64> {
        self.entries.get(daemon)?.latency
    }

    /// The highest tip that a daemon has now, or had until a moment ago. One that no work can be
    /// had for does not count beside others: its daemon may be on a fork of its own.
    #[must_use]
    pub fn top(&self, now: u64) -> Option<Seen> {
        let is_useful = |entry: &Entry| {
            entry.useless_since.is_none_or(|at| now.saturating_sub(at) <= REMEMBER_MS)
        };
        let synced = |entry: &&Entry| self.is_synced(entry, now);
        let any = self.entries.iter().filter(synced).any(is_useful);
        self.entries
            .iter()
            .filter(synced)
            .filter(|entry| is_useful(entry) || !any)
            .filter_map(|entry| entry.seen)
            .map(|(seen, _)| seen)
            .reduce(|best, seen| if seen.height > best.height { seen } else { best })
    }

    /// Whether a daemon that is not syncing has this tip, and at what height.
    #[must_use]
    pub fn height_of(&self, tip: &Hash, now: u64) -> Option<u64> {
        let mut synced = self.entries.iter().filter(|entry| self.is_synced(entry, now));
        synced.find_map(|entry| entry.seen.filter(|(seen, _)| seen.tip == *tip)).map(|s| s.0.height)
    }

    /// How a daemon stands.
    #[must_use]
    pub fn standing(&self, daemon: usize, now: u64) -> Standing {
        let Some(entry) = self.entries.get(daemon) else { return Standing::Waiting };
        if let Some(problem) = &entry.silent {
            return Standing::Failing(problem.clone());
        }
        let Some((seen, at)) = entry.seen else { return Standing::Waiting };
        if now.saturating_sub(at) > self.fresh_for {
            return Standing::Failing("hangs: no answer to the last probe yet".to_owned());
        }
        if let Some((problem, until)) = &entry.refused
            && now < until.saturating_add(REFUSAL_MS)
        {
            return Standing::Failing(problem.clone());
        }
        if is_syncing(entry, now) {
            return Standing::Syncing { blocks: seen.height, headers: seen.headers };
        }
        match self.top(now).map_or(0, |top| top.height.saturating_sub(seen.height)) {
            0 => Standing::Fresh,
            by => Standing::Behind { by },
        }
    }

    /// Two daemons that have stood on different tips of one height for a minute.
    #[must_use]
    pub fn forked(&self, now: u64) -> bool {
        self.forked_since.is_some_and(|since| now.saturating_sub(since) >= FORK_MS)
    }

    /// Whether the entry's last answer says where the chain is: not syncing, and not forgotten.
    fn is_synced(&self, entry: &Entry, now: u64) -> bool {
        let remembered = self.fresh_for.max(REMEMBER_MS);
        let recent = entry.seen.is_some_and(|(_, at)| now.saturating_sub(at) <= remembered);
        recent && !is_syncing(entry, now)
    }

    /// Whether the daemon could give templates if its tip is high enough.
    fn is_healthy(&self, entry: &Entry, now: u64) -> bool {
        let recent = entry.seen.is_some_and(|(_, at)| now.saturating_sub(at) <= self.fresh_for);
        let spared = entry.refused.as_ref().is_some_and(|(_, until)| now < *until);
        recent && entry.silent.is_none() && !spared && !is_syncing(entry, now)
    }

    fn settle(&mut self, now: u64) {
        let Some(top) = self.top(now) else {
            self.chosen = None;
            self.forked_since = None;
            self.entries.iter_mut().for_each(|entry| entry.fresh_since = None);
            return;
        };
        let healthy: Vec<bool> =
            self.entries.iter().map(|entry| self.is_healthy(entry, now)).collect();
        let mut tips = Vec::new();
        for (entry, healthy) in self.entries.iter_mut().zip(&healthy) {
            let height = entry.seen.map_or(0, |(seen, _)| seen.height);
            let on_top = height >= top.height;
            entry.behind_since = if on_top { None } else { entry.behind_since.or(Some(now)) };
            entry.fresh_since =
                if *healthy && on_top { entry.fresh_since.or(Some(now)) } else { None };
            if *healthy && on_top {
                tips.extend(entry.seen.map(|(seen, _)| seen.tip));
            }
        }
        let forked = tips.windows(2).any(|pair| pair.first() != pair.last());
        self.forked_since = forked.then(|| self.forked_since.unwrap_or(now));

        let fresh = |index: &usize| {
            self.entries.get(*index).is_some_and(|entry| entry.fresh_since.is_some())
        };
        let kept = self.chosen.filter(|&index| {
            healthy.get(index) == Some(&true)
                && self.entries.get(index).is_some_and(|entry| {
                    entry.behind_since.is_none_or(|since| now.saturating_sub(since) < CATCH_UP_MS)
                })
        });
        let proven = |index: &usize| {
            self.entries
                .get(*index)
                .and_then(|entry| entry.fresh_since)
                .is_some_and(|since| now.saturating_sub(since) >= TAKE_BACK_MS)
        };
        self.chosen = match kept {
            // A preferred one that is proven stands on the highest tip: it has every block.
            Some(kept) => (0..kept).find(proven).or(Some(kept)),
            None => (0..self.entries.len()).find(fresh),
        };
    }
}

fn is_syncing(entry: &Entry, now: u64) -> bool {
    let Some((seen, _)) = entry.seen else { return false };
    let missing = seen.headers.saturating_sub(seen.height);
    let moving = now.saturating_sub(entry.moved_at) < PROGRESS_MS;
    match seen.initial_download {
        true if !seen.test_chain => true,
        true => missing > 0 && moving,
        // One or two headers without their block are the block that is on its way.
        false => missing > 2 && moving,
    }
}

/// 1 s, doubled with each failure, at most 30 s.
fn back_off(failures: u32) -> u64 {
    BACK_OFF_MS.0.saturating_mul(1 << failures.min(10)).min(BACK_OFF_MS.1)
}

#[cfg(test)]
#[path = "choice/tests.rs"]
mod tests;
