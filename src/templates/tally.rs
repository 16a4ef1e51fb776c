//! Who told of new blocks, who was first, and how much later the others were: pure.
//!
//! Only blocks that a daemon then shows as its tip count, so that forged notices count for nothing.

use crate::chain::Hash;
use crate::ipc::{Lag, NoticeStatus};
use std::collections::{BTreeMap, VecDeque};

/// Blocks remembered, to tell a new one from one that comes back.
const BLOCKS: usize = 64;
/// A notice without a hash means the block that shows up within so long, or did so long ago.
const NAMELESS_MS: u64 = 2_000;
/// Lags that the median is taken of.
const LAGS: usize = 101;

/// What told of a new tip. Of two at the same millisecond the earlier here counts as first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A worker found a block.
    BlockFound,
    /// A daemon's ZMQ publisher.
    Zmq,
    /// A daemon's `inv`.
    P2p,
    /// A daemon's answer to a long poll.
    LongPoll,
    /// `romp blocknotify`, through the master.
    Blocknotify,
    /// A probe of this process, when nobody else told.
    Poll,
}

impl Source {
    /// The key in `CoinStatus::notices`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BlockFound => "block-found",
            Self::Zmq => "zmq",
            Self::P2p => "p2p",
            Self::LongPoll => "longpoll",
            Self::Blocknotify => "blocknotify",
            Self::Poll => "poll",
        }
    }
}

/// Milliseconds, the last ones of them.
#[derive(Debug, Default)]
pub(super) struct Lags(VecDeque<u64>);

impl Lags {
    pub(super) fn add(&mut self, ms: u64) {
        self.0.push_back(ms);
        if self.0.len() > LAGS {
            self.0.pop_front();
        }
    }

    /// The last one, and the median (of an even number the lower).
    pub(super) fn show(&self) -> Option<Lag> {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted.get(sorted.len().saturating_sub(1) / 2);
        Some(Lag { last: *self.0.back()?, median: *median? })
    }
}

#[derive(Debug, Default)]
struct Count {
    blocks: u64,
    first: u64,
    lags: Lags,
    missed: u64,
    /// By daemon.
    problems: BTreeMap<usize, String>,
}

impl Count {
    fn block(&mut self, lag: u64) {
        self.blocks += 1;
        self.lags.add(lag);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No daemon has shown it as its tip.
    Told,
    /// The tip at the start of this process: no news.
    Old,
    /// A new tip, first told at this time.
    New(u64),
}

#[derive(Debug)]
struct Block {
    hash: Hash,
    state: State,
    told: BTreeMap<Source, u64>,
}

/// The tally of one coin.
#[derive(Debug, Default)]
pub(super) struct Tally {
    blocks: VecDeque<Block>,
    nameless: BTreeMap<Source, u64>,
    counts: BTreeMap<Source, Count>,
}

impl Tally {
    /// A source is set up: it is shown also before it has told anything.
    pub(super) fn expect(&mut self, source: Source) {
        self.counts.entry(source).or_default();
    }

    /// What is wrong with a source's connection to a daemon, or that nothing is. Whether that is
    /// news.
    pub(super) fn problem(&mut self, source: Source, daemon: usize, words: Option<String>) -> bool {
        let problems = &mut self.counts.entry(source).or_default().problems;
        match words {
            None => problems.remove(&daemon).is_some(),
            Some(words) => problems.insert(daemon, words.clone()).as_ref() != Some(&words),
        }
    }

    /// So many messages of a source were lost.
    pub(super) fn missed(&mut self, source: Source, count: u64) {
        let missed = &mut self.counts.entry(source).or_default().missed;
        *missed = missed.saturating_add(count);
    }

    /// A source told of a block at `now`.
    pub(super) fn told(&mut self, now: u64, source: Source, hash: Option<Hash>) {
        let recent = |block: &&mut Block| {
            let State::New(first) = block.state else { return false };
            now.saturating_sub(first) <= NAMELESS_MS && !block.told.contains_key(&source)
        };
        let block = match hash {
            Some(hash) => Some(self.block(hash)),
            None => self.blocks.iter_mut().rev().find(recent),
        };
        let Some(block) = block else {
            self.nameless.insert(source, now);
            return;
        };
        if block.told.contains_key(&source) {
            return;
        }
        block.told.insert(source, now);
        if let State::New(first) = block.state {
            let lag = now.saturating_sub(first);
            self.counts.entry(source).or_default().block(lag);
        }
    }

    /// A daemon has this tip. When it is a new one: who told of it first, and when.
    pub(super) fn shown(&mut self, now: u64, hash: Hash) -> Option<(Source, u64)> {
        let first_ever = self.blocks.iter().all(|block| block.state == State::Told);
        let nameless = std::mem::take(&mut self.nameless);
        let block = self.block(hash);
        if block.state != State::Told {
            self.nameless = nameless;
            return None;
        }
        if first_ever {
            block.state = State::Old;
            return None;
        }
        let recent = |at: u64| now.saturating_sub(at) <= NAMELESS_MS;
        for (source, at) in nameless.into_iter().filter(|(_, at)| recent(*at)) {
            block.told.entry(source).or_insert(at);
        }
        if block.told.is_empty() {
            block.told.insert(Source::Poll, now);
        }
        let (source, first) =
            block.told.iter().map(|(source, at)| (*source, *at)).min_by_key(|(_, at)| *at)?;
        block.state = State::New(first);
        for (source, at) in block.told.clone() {
            self.counts.entry(source).or_default().block(at.saturating_sub(first));
        }
        self.counts.entry(source).or_default().first += 1;
        Some((source, first))
    }

    fn block(&mut self, hash: Hash) -> &mut Block {
        let at = self.blocks.iter().position(|block| block.hash == hash);
        let at = at.unwrap_or_else(|| {
            if self.blocks.len() >= BLOCKS {
                // Made-up hashes must not drive out real ones.
                let told = |block: &Block| block.state == State::Told;
                self.blocks.remove(self.blocks.iter().position(told).unwrap_or(0));
            }
            self.blocks.push_back(Block { hash, state: State::Told, told: BTreeMap::new() });
            self.blocks.len() - 1
        });
        // Just found or pushed.
        #[expect(clippy::indexing_slicing, reason = "the line above")]
        &mut self.blocks[at]
    }

    /// For `CoinStatus::notices`.
    pub(super) fn show(&self) -> BTreeMap<String, NoticeStatus> {
        let show = |(source, count): (&Source, &Count)| {
            let problems: Vec<&str> = count.problems.values().map(String::as_str).collect();
            let status = NoticeStatus {
                blocks: count.blocks,
                first: count.first,
                lag: count.lags.show(),
                missed: count.missed,
                problem: (!problems.is_empty()).then(|| problems.join("; ")),
            };
            (source.name().to_owned(), status)
        };
        self.counts.iter().map(show).collect()
    }

    /// For `CoinStatus::noticed`: how often each was first.
    pub(super) fn firsts(&self) -> BTreeMap<String, u64> {
        let firsts = self.counts.iter().filter(|(_, count)| count.first > 0);
        firsts.map(|(source, count)| (source.name().to_owned(), count.first)).collect()
    }
}

#[cfg(test)]
#[path = "tally/tests.rs"]
mod tests;
