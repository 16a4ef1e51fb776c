//! What blocks took against what they take on average, what the network does, and what a hash rate
//! brings.

use super::coin::{CoinView, hashes};
use crate::chain::Hash;
use crate::config::Pool;
use crate::ledger::{self, BlockState};
use crate::rewards::{Amount, Scheme};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Hashes that a block at network difficulty 1 takes on average.
const HASHES: f64 = 4_294_967_296.0;
/// Closed rounds that are read in one look.
const A_LOOK: usize = 10;
const DAY: f64 = 86_400.0;

/// What the network does.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Network {
    /// Height of the tip.
    pub(super) height: Option<u64>,
    /// Difficulty as the daemon counts it.
    pub(super) difficulty: Option<f64>,
    /// About how many hashes a second the network does: the difficulty over the coin's time between
    /// blocks; `None`: the coin's file has no `blockTime`.
    pub(super) rate: Option<f64>,
}

/// A block and what it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effort {
    pub(super) hash: Hash,
    pub(super) height: u64,
    /// When it was found, unix ms.
    pub(super) time: u64,
    /// Network difficulty.
    pub(super) difficulty: f64,
    /// Work since the block before it in percent of what a block takes on average. What every daemon
    /// refused was no block.
    pub(super) percent: f64,
}

/// Efforts of the newest blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Luck {
    /// Newest first; blocks whose work is not known are left out.
    pub(super) efforts: Vec<Effort>,
    by_hash: BTreeMap<[u8; 32], f64>,
    /// What the newest block paid to the pool.
    reward: Option<Amount>,
}

/// Work of closed rounds, as difficulty, by block; `None`: the ledger has none.
#[derive(Debug, Default)]
pub(super) struct Rounds(BTreeMap<[u8; 32], Option<f64>>);

impl Rounds {
    /// Reads the rounds of some of the newest blocks, those that are not known yet.
    pub(super) fn read(&mut self, coin: &CoinView, pool: &Pool, dir: &Path) {
        let Some(ledger) = &coin.ledger.value else { return };
        let blocks = &ledger.overview.blocks;
        let known: Vec<[u8; 32]> = blocks.iter().map(|row| row.found.hash.0).collect();
        self.0.retain(|hash, _| known.contains(hash));
        // A PPLNS block has its window there, a solo block nothing.
        let of_round = |hash: &&Hash| !self.0.contains_key(&hash.0);
        let rounds = blocks.iter().filter(|row| row.found.scheme == Scheme::Prop);
        let new: Vec<Hash> =
            rounds.map(|row| &row.found.hash).filter(of_round).take(A_LOOK).copied().collect();
        if new.is_empty() {
            return;
        }
        // The look at the ledger has told its trouble already.
        let Ok(Some(mut tally)) = ledger::open_for_reading(pool, dir) else { return };
        for hash in new {
            let Ok(round) = tally.round(&hash) else { return };
            let work: f64 = round.values().map(|&weight| ledger.overview.difficulty(weight)).sum();
            self.0.insert(hash.0, (!round.is_empty()).then_some(work));
        }
    }

    fn of(&self, hash: &Hash) -> Option<f64> {
        self.0.get(&hash.0).copied().flatten()
    }
}

impl Network {
    /// As the master's status has it.
    pub(super) fn of(pool: &Pool, status: &Value) -> Self {
        let difficulty = status.get("difficulty").and_then(Value::as_f64);
        let seconds = pool.coin.block_time.filter(|&seconds| seconds > 0);
        let rate = |seconds: u32| Some(difficulty? * HASHES / f64::from(seconds));
        Self {
            height: status.get("height").and_then(Value::as_u64),
            difficulty,
            rate: seconds.and_then(rate),
        }
    }
}

impl Luck {
    /// Of a coin whose ledger and history have been read.
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(super) fn of(coin: &CoinView, rounds: &Rounds, pool: &Pool) -> Self {
        let Some(ledger) = &coin.ledger.value else { return Self::default() };
        let mined: BTreeMap<[u8; 32], f64> = coin
            .window()
            .into_iter()
            .flat_map(|history| history.mined.iter().map(move |block| (history.hashes, block)))
            .filter_map(|(hashes, block)| Some((block.hash.0, block.work? as f64 * hashes)))
            .collect();
        let mut luck = Self {
            reward: ledger.overview.blocks.first().map(|row| row.found.pool_value),
            ..Self::default()
        };
        // By whether it is a solo miner's: what refused ones took since the last block; `None`: it is
        // not known.
        let mut lost = [Some(0.0); 2];
        for row in ledger.overview.blocks.iter().rev() {
            let found = &row.found;
            // The ledger's rounds are those of all machines that share it.
            let round = rounds.of(&found.hash).map(|work| work * hashes(pool));
            let done = round.or_else(|| mined.get(&found.hash.0).copied());
            let own = done.filter(|_| found.difficulty > 0.0);
            let own = own.map(|done| done / (found.difficulty * HASHES) * 100.0);
            let [shared, solo] = &mut lost;
            let lost = if found.scheme == Scheme::Solo { solo } else { shared };
            let all = lost.zip(own).map(|(lost, own)| lost + own);
            // One that every daemon refused was no block: its work goes into the next one's.
            if row.state == BlockState::Rejected {
                *lost = all;
                continue;
            }
            *lost = Some(0.0);
            let Some(percent) = all else { continue };
            luck.by_hash.insert(found.hash.0, percent);
            luck.efforts.push(Effort {
                hash: found.hash,
                height: found.height,
                time: found.time,
                difficulty: found.difficulty,
                percent,
            });
        }
        luck.efforts.reverse();
        luck
    }

    /// Effort of a block in percent; `None`: not known.
    pub(super) fn effort(&self, hash: &Hash) -> Option<f64> {
        self.by_hash.get(&hash.0).copied()
    }

    /// Luck over so many of the newest blocks in percent, more is better, and over how many it is;
    /// `None`: no block's effort is known.
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(super) fn over(&self, blocks: usize) -> Option<(f64, usize)> {
        let newest = self.efforts.get(..blocks.min(self.efforts.len()))?;
        let sum: f64 = newest.iter().map(|block| block.percent / 100.0).sum();
        (sum > 0.0).then(|| (newest.len() as f64 / sum * 100.0, newest.len()))
    }
}

impl CoinView {
    /// What a block brings to the miners, its fee taken off: by the newest one.
    pub(super) fn reward(&self, pool: &Pool) -> Option<u128> {
        let fee = pool.payments.as_ref().map_or(0, |payments| payments.fee_ppm);
        let rest = u128::from(1_000_000_u32.saturating_sub(fee));
        Some(u128::from(self.luck.reward?.0) * rest / 1_000_000)
    }

    /// What a hash rate brings in a day on average, in the smallest unit; `None`: the network's
    /// difficulty or the reward is not known. An estimate for display, no claim.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate for display"
    )]
    pub(super) fn daily(&self, pool: &Pool, rate: f64) -> Option<u128> {
        let difficulty = self.network.difficulty.filter(|&difficulty| difficulty > 0.0)?;
        let blocks = rate.max(0.0) * DAY / (difficulty * HASHES);
        Some((blocks * self.reward(pool)? as f64) as u128)
    }
}
