//! The middle of a turn: all shares that were heard are judged together, recorded with one write
//! per coin, and only then answered.

use super::coin::Coin;
use super::hasher::Hasher;
use super::jobs::{Found, Posted, is_near};
use super::judge::{self, Prepared};
use super::miner::{LATE_A_TIP, Miner};
use super::{Now, candidate};
use crate::chain::{Hash, Target};
use crate::journal::{Record, Row};
use crate::stratum::{Difficulty, Inserted, Reject, Submit, Weight};
use slab::Slab;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one miner is owed for its lines, in their order.
#[derive(Debug)]
pub(crate) struct Said {
    /// Place in the slab, and the number that tells whether the miner is still the same.
    pub(crate) key: usize,
    pub(crate) serial: u64,
    pub(crate) coin: String,
    /// Monotonic microseconds at which it could be read.
    pub(crate) since: u64,
    pub(crate) pieces: Vec<Piece>,
}

impl Said {
    /// Shares to be judged.
    pub(super) fn shares(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Share { .. })).count()
    }
}

/// A part of what a miner is owed.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Lines that are ready.
    Bytes(Vec<u8>),
    /// A share, answered with its verdict.
    Share { submit: Submit, verdict: Result<(), Reject> },
}

/// A share under trial.
struct Case {
    /// Where it stands: miner and piece.
    place: (usize, usize),
    prepared: Prepared,
    posted: Arc<Posted>,
    /// `None`: stale, it can only be a block.
    difficulty: Option<Difficulty>,
    /// Proof-of-work hash, once known.
    hash: Hash,
}

impl Case {
    /// The id by which the coin knows the block that this is.
    fn block_id(&self) -> Hash {
        self.prepared.block_id(&self.posted.work.plan, self.hash)
    }
}

/// Judges all shares of a turn and records those that count.
pub(crate) fn judge_all(
    said: &mut [Said],
    miners: &mut Slab<Miner>,
    coins: &mut BTreeMap<String, Coin>,
    hasher: &mut Hasher,
    now: Now,
) {
    let mut cases = Vec::new();
    for (index, said) in said.iter_mut().enumerate() {
        let (Some(miner), Some(coin)) = (miners.get_mut(said.key), coins.get(&said.coin)) else {
            continue;
        };
        for (piece_index, piece) in said.pieces.iter_mut().enumerate() {
            let Piece::Share { submit, verdict } = piece else { continue };
            let (first, case) = open((index, piece_index), submit, miner, (coin, hasher), now);
            *verdict = first;
            cases.extend(case);
        }
    }
    let shares: Vec<_> =
        cases.iter().map(|case| (case.posted.work.plan.algorithm, &case.prepared)).collect();
    let hashes = hasher.hash_all(&shares);
    for (case, hash) in cases.iter_mut().zip(hashes) {
        case.hash = hash;
    }
    let mut facts = BTreeMap::new();
    for case in cases {
        let (index, piece) = case.place;
        let Some(said) = said.get_mut(index) else { continue };
        let (Some(miner), Some(coin)) = (miners.get_mut(said.key), coins.get_mut(&said.coin))
        else {
            continue;
        };
        if let Some(Piece::Share { submit, verdict }) = said.pieces.get_mut(piece) {
            let mut fact = Fact::default();
            *verdict = close(&case, submit, miner, coin, now, &mut fact);
            if coin.keeps_rows() {
                facts.insert(case.place, fact);
            }
        }
    }
    for (index, said) in said.iter().enumerate() {
        let Some(coin) = coins.get_mut(&said.coin) else { continue };
        let miner = miners.get(said.key).filter(|_| coin.keeps_rows());
        for (piece_index, piece) in said.pieces.iter().enumerate() {
            let Piece::Share { submit, verdict } = piece else { continue };
            if let Err(reject) = verdict {
                coin.rejected(&submit.name, *reject);
            }
            if let Some(miner) = miner {
                let fact = facts.remove(&(index, piece_index)).unwrap_or_default();
                coin.record(row(miner, submit, *verdict, &fact, now));
            }
        }
    }
}

/// What MPOS wants to know of a share beside its verdict.
#[derive(Default)]
struct Fact {
    /// What an accepted one is credited with.
    weight: Option<Weight>,
    /// Its hash, if it is a block.
    block: Option<Hash>,
}

/// A share as MPOS wants to see it.
fn row(
    miner: &Miner,
    submit: &Submit,
    verdict: Result<(), Reject>,
    fact: &Fact,
    now: Now,
) -> Record {
    let difficulty = miner.session.difficulty_of(submit.job);
    let own = difficulty.unwrap_or_else(|| miner.session.difficulty()).weight;
    Record::Row(Box::new(Row {
        time: now.unix,
        worker: submit.name.clone(),
        weight: fact.weight.unwrap_or(own),
        reject: verdict.err(),
        address: miner.address,
        solution: fact.block,
    }))
}

/// The cheap checks. A share that passes comes back as a case; its verdict is open until then.
fn open(
    place: (usize, usize),
    submit: &Submit,
    miner: &mut Miner,
    (coin, hasher): (&Coin, &Hasher),
    now: Now,
) -> (Result<(), Reject>, Option<Case>) {
    let Miner { session, rooted, late, .. } = miner;
    let (extranonce1, mask) = (session.extranonce1(), session.version_mask());
    let mut prepare = |posted: &Posted| {
        let now_s = now.unix / 1000;
        judge::prepare_on(rooted, submit, &posted.work, extranonce1, mask, now_s)
    };
    let found = coin.jobs.find(submit.job);
    // The newest work may be on its way to this miner still: its tip is over all the same.
    let over = !matches!(found, Some(Found::Current(_))) && session.has_job(submit.job);
    let stale = over || session.is_stale(submit.job);
    let difficulty = session.difficulty_of(submit.job).filter(|_| !stale);
    match (found, difficulty) {
        (Some(Found::Current(posted)), Some(difficulty)) => match prepare(&posted) {
            Err(reject) => (Err(reject), None),
            // Known before the costly hash.
            Ok(prepared) if session.seen().contains(prepared.key()) => {
                (Err(Reject::Duplicate), None)
            }
            Ok(prepared) => {
                let difficulty = Some(difficulty);
                (Ok(()), Some(Case { place, prepared, posted, difficulty, hash: Hash::default() }))
            }
        },
        // Late work is not credited, but a block is a block (reliability M31).
        (Some(Found::Current(posted) | Found::Previous(posted)), _) if stale => {
            let near = coin.jobs.latest().is_some_and(|it| is_near(&posted.work, &it.posted.work));
            let has_time = hasher.has_time_for_late(posted.work.plan.algorithm);
            if !near || *late >= LATE_A_TIP || !has_time {
                return (Err(Reject::Stale), None);
            }
            *late += 1;
            let case = prepare(&posted).ok().map(|prepared| Case {
                place,
                prepared,
                posted,
                difficulty: None,
                hash: Hash::default(),
            });
            (Err(Reject::Stale), case)
        }
        _ => (Err(if stale { Reject::Stale } else { Reject::UnknownJob }), None),
    }
}

/// The verdict, and what is recorded for it.
fn close(
    case: &Case,
    submit: &Submit,
    miner: &mut Miner,
    coin: &mut Coin,
    now: Now,
    fact: &mut Fact,
) -> Result<(), Reject> {
    let network = case.posted.work.target;
    let scheme = coin.scheme(miner.port, &case.posted.work);
    let Some(difficulty) = case.difficulty else {
        if network.is_met_by(&case.hash) {
            fact.block = Some(case.block_id());
            log::warn!("{}: a share for a job of the tip before is a block", coin.id());
            let finder = (submit.name.as_str(), scheme);
            candidate::take(
                coin,
                &case.posted,
                (&case.prepared, case.block_id()),
                finder,
                now.unix,
            );
        }
        return Err(Reject::Stale);
    };
    let shift = case.posted.work.plan.algorithm.multiplier_shift();
    let worth = judge::decide(&case.hash, &target(miner, difficulty, shift), &network);
    if !worth.share {
        return Err(Reject::LowDifficulty);
    }
    let result = match miner.session.seen().insert(case.prepared.key()) {
        Inserted::Duplicate => return Err(Reject::Duplicate),
        Inserted::Full => Err(Reject::TooMany),
        Inserted::New => {
            let worker = credited(miner, &submit.name, coin, now);
            // On a chain easier than the share difficulty a block below it is taken, but at the
            // least weight: shares that do meet the difficulty are the whole pay already (S8).
            let met = target(miner, difficulty, shift).is_met_by(&case.hash);
            let weight = if met { difficulty.weight } else { 1 };
            fact.weight = Some(weight);
            coin.record(Record::Share { time: now.unix, worker, weight, scheme });
            Ok(())
        }
    };
    if worth.block {
        fact.block = Some(case.block_id());
        let finder = (submit.name.as_str(), scheme);
        candidate::take(coin, &case.posted, (&case.prepared, case.block_id()), finder, now.unix);
    }
    result
}

/// The name that accepted work is credited to, remembered per miner.
fn credited(miner: &mut Miner, name: &str, coin: &mut Coin, now: Now) -> String {
    if let Some((_, other)) = miner.credits.iter().find(|(known, _)| known == name) {
        return other.as_deref().unwrap_or(name).to_owned();
    }
    let other = coin.rigs.credited(name, coin.most_rigs, now.mono);
    miner.credits.push((name.to_owned(), other.clone()));
    other.unwrap_or_else(|| name.to_owned())
}

/// The target of a difficulty, remembered per miner: a miner's difficulty seldom changes.
fn target(miner: &mut Miner, difficulty: Difficulty, shift: u32) -> Target {
    match miner.target {
        Some((known, target)) if known == difficulty => target,
        _ => {
            let target = difficulty.target(shift);
            miner.target = Some((difficulty, target));
            target
        }
    }
}
