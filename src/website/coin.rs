//! One coin of a snapshot.

use super::luck::{Luck, Network};
use super::rigs::Rigs;
use super::snapshot::Kept;
use crate::config::Pool;
use crate::history::{Mined, Point, Reasons};
use crate::journal::Lag;
use crate::ledger::book::{BookBlock, Payout, State, Totals};
use crate::ledger::{BlockRow, BlockState, Overview};
use crate::stratum::address_part;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A coin at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct CoinView {
    /// What the tally says.
    pub(super) ledger: Kept<Ledger>,
    /// What the book says; `None` inside: there is none.
    pub(super) book: Kept<Option<BookView>>,
    /// Work over time; `None` inside: there is no history yet.
    pub(super) history: Kept<Option<HistoryView>>,
    /// Every worker that is known now, by name, by rate and by owner.
    pub(super) rigs: Arc<Rigs>,
    /// What blocks took.
    pub(super) luck: Arc<Luck>,
    /// What the network does, as the templates process says.
    pub(super) network: Network,
    /// By owner: about what blocks that are not ripe will bring, in the smallest unit.
    pub(super) immature: Arc<BTreeMap<String, u128>>,
    /// How many such blocks the estimate is over.
    pub(super) ripening: u64,
}

/// What the tally says.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    /// Sums; its `round` has been moved to `miners`.
    pub(super) overview: Overview,
    /// Hashes a second over ten minutes.
    pub(super) rate: f64,
    /// How far it is behind.
    pub(super) lag: Lag,
    /// Work of the current round by worker, as difficulty.
    pub(super) round: BTreeMap<String, f64>,
}

impl Ledger {
    /// The newest blocks but those that every daemon refused.
    fn taken(&self) -> impl Iterator<Item = &BlockRow> {
        self.overview.blocks.iter().filter(|row| row.state != BlockState::Rejected)
    }
}

/// What the book says.
#[derive(Debug, Clone, Default)]
pub(super) struct BookView {
    /// Blocks by the name of their state.
    pub(super) counts: BTreeMap<String, u64>,
    /// Sums.
    pub(super) totals: Totals,
    /// The highest blocks.
    pub(super) blocks: Vec<BookBlock>,
    /// The newest payouts, each with how many it pays and how much.
    pub(super) payouts: Vec<(Payout, u64, u128)>,
    /// Blocks within `historicalRetention`: when, and what is known of them now.
    pub(super) found: Vec<(u64, State)>,
}

/// Work over time.
#[derive(Debug, Clone, Default)]
pub(super) struct HistoryView {
    /// Each worker over `hashrateWindow`.
    pub(super) workers: BTreeMap<String, WorkerView>,
    /// The pool over `historicalRetention`.
    pub(super) points: Vec<Point>,
    /// The pool over a day, in slots of ten minutes.
    pub(super) day: Vec<Point>,
    /// Hashes that a weight of one stands for.
    pub(super) hashes: f64,
    /// The newest blocks, and the work that each took.
    pub(super) mined: Vec<Mined>,
}

/// A worker over `hashrateWindow`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct WorkerView {
    /// Work as difficulty.
    pub(super) work: f64,
    /// Accepted shares.
    pub(super) shares: u64,
    /// Refused shares.
    pub(super) rejected: u64,
    /// Hashes a second.
    pub(super) rate: f64,
    /// Refused shares by reason.
    pub(super) reasons: Reasons,
    /// When its last accepted share came, unix seconds; `None`: not known.
    pub(super) last: Option<u64>,
    /// Difficulty of that share.
    pub(super) difficulty: Option<f64>,
}

/// Pending, confirmed and orphaned blocks, as NOMP counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) pending: u64,
    pub(super) confirmed: u64,
    pub(super) orphaned: u64,
}

impl Blocks {
    /// Takes a block of that state away, or adds it.
    fn count(&mut self, state: State) -> Option<&mut u64> {
        match state {
            State::Found | State::Immature => Some(&mut self.pending),
            State::Mature => Some(&mut self.confirmed),
            State::Orphaned | State::Lost => Some(&mut self.orphaned),
            State::Before => None,
        }
    }
}

impl CoinView {
    /// Hashes a second.
    pub(super) fn rate(&self) -> f64 {
        match self.window() {
            // A sum of nothing is -0.
            Some(history) => history.workers.values().map(|worker| worker.rate).sum::<f64>() + 0.0,
            None => self.ledger.value.as_ref().map_or(0.0, |ledger| ledger.rate) + 0.0,
        }
    }

    /// Work over time, if there is any.
    pub(super) fn window(&self) -> Option<&HistoryView> {
        self.history.value.as_deref()?.as_ref()
    }

    /// The book, if there is one.
    pub(super) fn booked(&self) -> Option<&BookView> {
        self.book.value.as_deref()?.as_ref()
    }

    /// Every worker that is known now: of the window, and of the current round.
    pub(super) fn workers(&self) -> BTreeMap<&str, WorkerView> {
        let window = self.window().map(|history| &history.workers);
        let mut all: BTreeMap<&str, WorkerView> =
            window.into_iter().flatten().map(|(name, worker)| (name.as_str(), *worker)).collect();
        let round = self.ledger.value.as_ref().map(|ledger| &ledger.round);
        for name in round.into_iter().flat_map(BTreeMap::keys) {
            all.entry(name).or_default();
        }
        all
    }

    /// Work of a worker in the current round, as difficulty.
    pub(super) fn in_round(&self, worker: &str) -> f64 {
        let ledger = self.ledger.value.as_ref();
        ledger.and_then(|ledger| ledger.round.get(worker)).copied().unwrap_or_default()
    }

    /// Blocks as NOMP counts them; without a book nothing is known of them but that they were
    /// taken.
    pub(super) fn blocks(&self) -> Blocks {
        let mut blocks = Blocks::default();
        match self.booked() {
            Some(book) => {
                for state in State::ALL {
                    let count = book.counts.get(state.name()).copied().unwrap_or_default();
                    if let Some(sum) = blocks.count(state) {
                        *sum += count;
                    }
                }
            }
            None => {
                let Some(ledger) = &self.ledger.value else { return blocks };
                let refused = ledger.overview.blocks.len() - ledger.taken().count();
                blocks.pending = ledger.overview.blocks_found.saturating_sub(refused as u64);
            }
        }
        blocks
    }

    /// [`Self::blocks`] that had been found by then, unix ms, as they are known now.
    pub(super) fn blocks_until(&self, then: u64) -> Blocks {
        let mut blocks = self.blocks();
        if self.booked().is_none() {
            let taken = self.ledger.value.iter().flat_map(|ledger| ledger.taken());
            let later = taken.filter(|row| row.found.time > then).count() as u64;
            blocks.pending = blocks.pending.saturating_sub(later);
        }
        for (at, state) in self.booked().map(|book| &book.found[..]).unwrap_or_default() {
            if *at > then
                && let Some(sum) = blocks.count(*state)
            {
                *sum = sum.saturating_sub(1);
            }
        }
        blocks
    }

    /// Work of the current round in percent of what a block takes on average; `None`: unknown.
    /// `network`: difficulty as the daemon counts it, in 2^32 hashes.
    pub(super) fn effort(&self, pool: &Pool, network: f64) -> Option<f64> {
        // A sum of nothing is -0.
        let work = self.ledger.value.as_ref()?.round.values().sum::<f64>() + 0.0;
        (network > 0.0).then(|| work * hashes(pool) / (network * 32_f64.exp2()) * 100.0)
    }
}

/// Hashes that a share of difficulty 1 stands for.
pub(super) fn hashes(pool: &Pool) -> f64 {
    (32.0 - f64::from(pool.coin.algorithm.multiplier_shift())).exp2()
}

/// Workers of one address: what stands before the first `.`, `_` or `/` of their names.
pub(super) fn owner(worker: &str) -> &str {
    match address_part(worker) {
        "" => worker,
        part => part,
    }
}
