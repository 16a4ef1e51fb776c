//! A pool's blocks, rounds and payouts, in parts.

use super::super::luck::Luck;
use super::super::routes::Site;
use super::operation::{Failure, OfCoin};
use super::query::{self, after_block};
use super::shapes::{Coins, Count, HashText, Next, Time, WorkDone, WorkerName};
use crate::chain::Hash;
use crate::config::Pool;
use crate::history::History;
use crate::ledger::BlockRow;
use crate::ledger::book::{Book, BookBlock, Round};
use crate::stratum::Unit;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A coin's book, if there is one.
pub(super) fn book(site: &Site, pool: &Pool) -> Result<Option<Book>, Failure> {
    Ok(Book::open_for_reading(&site.config.data_dir, &pool.coin.id)?)
}

/// A coin's history and its unit, if there is one.
pub(super) fn history_of(site: &Site, pool: &Pool) -> Result<Option<(History, Unit)>, Failure> {
    let history = History::open_for_reading(&site.config.data_dir, &pool.coin.id)?;
    let Some(history) = history else { return Ok(None) };
    let unit = history.unit()?;
    Ok(unit.map(|unit| (history, unit)))
}

/// Takes away what was read beyond a part; the last that stays, if there was more.
pub(super) fn cut<T>(list: &mut Vec<T>, most: usize) -> Option<&T> {
    let more = list.len() > most;
    list.truncate(most);
    list.last().filter(|_| more)
}

/// Found blocks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Blocks {
    /// The highest first; those of one height by hash.
    blocks: Vec<Block>,
    /// What to give as `before` for more. Null: there are no more.
    next: Option<Next>,
}

/// A found block.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Block {
    /// Height.
    #[schemars(extend("examples" = [431]))]
    height: u64,
    /// Hash.
    hash: HashText,
    /// When it was found, unix seconds.
    time: Time,
    /// `found`, `immature` (its reward cannot be spent yet), `mature` (credited), `orphaned`, `lost`
    /// (it left the chain after it was credited) or `before` (of the time before the book). Where
    /// nothing is paid, and until payments has taken it in: `found`, `unknown`, `accepted` or
    /// `rejected`, as daemons said.
    #[schemars(extend("examples" = ["immature"]))]
    state: &'static str,
    /// Blocks from it to the tip, itself counted. Null: nobody counts.
    confirmations: Option<Count>,
    /// What its coinbase pays to the pool, coins.
    value: Coins,
    /// The worker that found it.
    finder: WorkerName,
    /// What its reward is split over: `prop`, `pplns` or `solo`.
    #[schemars(extend("examples" = ["prop"]))]
    scheme: String,
    /// Id of its coinbase transaction.
    coinbase: HashText,
    /// Work since the block before it in percent of what a block took on average; one that every
    /// daemon refused was no block, and its work is of the next. Null: unknown, as of blocks that
    /// were found long ago.
    #[schemars(extend("examples" = [71.5], "minimum" = 0))]
    effort_percent: Option<f64>,
}

/// What the work before blocks is known from.
struct Efforts(Option<Arc<Luck>>);

impl Efforts {
    fn new(site: &Site, pool: &Pool) -> Self {
        Self(site.now().coins.get(&pool.coin.id).map(|coin| coin.luck.clone()))
    }

    fn of(&self, hash: &Hash) -> Option<f64> {
        self.0.as_ref()?.effort(hash)
    }
}

impl Block {
    fn booked(block: &BookBlock, efforts: &Efforts) -> Self {
        Self {
            effort_percent: efforts.of(&block.hash),
            height: block.height,
            hash: block.hash.into(),
            time: Time::of_ms(block.time),
            state: block.state.name(),
            confirmations: Some(Count(block.depth)),
            value: block.value.into(),
            finder: WorkerName(block.finder.clone()),
            scheme: block.scheme.clone(),
            coinbase: block.coinbase.into(),
        }
    }

    fn tallied(row: &BlockRow, efforts: &Efforts) -> Self {
        let found = &row.found;
        Self {
            effort_percent: efforts.of(&found.hash),
            height: found.height,
            hash: found.hash.into(),
            time: Time::of_ms(found.time),
            state: row.state.name(),
            confirmations: None,
            value: found.pool_value.into(),
            finder: WorkerName(found.worker.clone()),
            scheme: found.scheme.name().to_owned(),
            coinbase: found.coinbase_txid.into(),
        }
    }
}

/// The newest blocks of the tally that come after a place, in the order of a list.
fn tallied(site: &Site, pool: &Pool, place: crate::ledger::book::Place) -> Vec<BlockRow> {
    let snapshot = site.now();
    let ledger = snapshot.coins.get(&pool.coin.id).and_then(|coin| coin.ledger.value.as_ref());
    let key = |row: &BlockRow| (Reverse(row.found.height), row.found.hash.to_string());
    let rows = ledger.into_iter().flat_map(|ledger| &ledger.overview.blocks);
    let mut rows: Vec<BlockRow> = rows
        .filter(|row| {
            let (height, hash) = (row.found.height, row.found.hash.to_string());
            height < place.height
                || height == place.height && place.hash.is_some_and(|it| hash > it.to_string())
        })
        .cloned()
        .collect();
    rows.sort_by_cached_key(key);
    rows
}

/// `/api/v1/pools/COIN/blocks`.
pub(super) fn blocks(site: &Site, at: &OfCoin, asked: query::Blocks) -> Result<Blocks, Failure> {
    let (limit, place) = (asked.limit()?, asked.place()?);
    let efforts = Efforts::new(site, &at.0);
    let most = limit as usize;
    let booked = match book(site, &at.0)? {
        Some(book) => book.blocks_after(place, limit + 1)?,
        None => Vec::new(),
    };
    // The ledger has a block before payments has taken it into the book.
    let known: BTreeSet<Hash> = booked.iter().map(|block| block.hash).collect();
    let lowest = booked.get(most).map_or(0, |block| block.height);
    let mut rows = tallied(site, &at.0, place);
    rows.retain(|row| row.found.height >= lowest && !known.contains(&row.found.hash));
    let booked = booked.iter().map(|it| (it.height, it.hash, Block::booked(it, &efforts)));
    let rows =
        rows.iter().map(|row| (row.found.height, row.found.hash, Block::tallied(row, &efforts)));
    let mut all: Vec<(u64, Hash, Block)> = booked.chain(rows).collect();
    all.sort_by_cached_key(|(height, hash, _)| (Reverse(*height), hash.to_string()));
    let next = cut(&mut all, most).map(|(height, hash, _)| Next(after_block(*height, *hash)));
    Ok(Blocks { blocks: all.into_iter().map(|(.., block)| block).collect(), next })
}

/// Rounds that a block closed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Rounds {
    /// By the block that closed them, the highest first.
    rounds: Vec<ClosedRound>,
    /// What to give as `before` for more. Null: there are no more.
    next: Option<Next>,
}

/// A round that a block closed. Blocks of solo miners close none.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Round")]
struct ClosedRound {
    /// When the round before it was closed, unix seconds. Null: unknown, or it is the first.
    from: Option<Time>,
    /// When its block was found, unix seconds.
    to: Time,
    /// Work that the block's reward is split over, as difficulty: that of the round, under PPLNS
    /// that of the window. Without what orphans brought along. Null: unknown.
    work: Option<WorkDone>,
    /// Workers that did it. Null: unknown.
    workers: Option<Count>,
    /// The block.
    block: Block,
}

/// `/api/v1/pools/COIN/rounds`.
pub(super) fn rounds(site: &Site, at: &OfCoin, asked: query::Blocks) -> Result<Rounds, Failure> {
    let (most, place) = (asked.limit()?, asked.place()?);
    let efforts = Efforts::new(site, &at.0);
    let Some(book) = book(site, &at.0)? else {
        let mut rows = tallied(site, &at.0, place);
        rows.retain(|row| row.found.scheme.name() != "solo");
        let next = cut(&mut rows, most as usize)
            .map(|row| Next(after_block(row.found.height, row.found.hash)));
        let closed = |row: &BlockRow| ClosedRound {
            from: None,
            to: Time::of_ms(row.found.time),
            work: None,
            workers: None,
            block: Block::tallied(row, &efforts),
        };
        return Ok(Rounds { rounds: rows.iter().map(closed).collect(), next });
    };
    let mut found = book.rounds_after(place, most + 1)?;
    let next = cut(&mut found, most as usize)
        .map(|round| Next(after_block(round.block.height, round.block.hash)));
    // The book counts in the tally's unit.
    let snapshot = site.now();
    let coin = snapshot.coins.get(&at.0.coin.id);
    let unit = coin.and_then(|coin| coin.ledger.value.as_ref()?.overview.unit);
    let closed = |round: &Round| {
        let known = unit.filter(|_| round.workers > 0);
        let work = known.map(|unit| round.weight * unit.as_f64());
        ClosedRound {
            from: round.from.map(Time::of_ms),
            to: Time::of_ms(round.block.time),
            work: work.map(WorkDone),
            workers: known.map(|_| Count(round.workers)),
            block: Block::booked(&round.block, &efforts),
        }
    };
    Ok(Rounds { rounds: found.iter().map(closed).collect(), next })
}

/// Payouts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Payouts {
    /// The newest first.
    payouts: Vec<PayoutRow>,
    /// What to give as `before` for more. Null: there are no more.
    next: Option<Next>,
}

/// A transaction that pays miners.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payout")]
struct PayoutRow {
    /// Its number in the book.
    #[schemars(extend("examples" = [12]))]
    id: i64,
    /// Transaction id.
    txid: HashText,
    /// When it was signed, unix seconds.
    time: Time,
    /// `signed`, `sent`, `confirmed` or `void` (it was never paid, and is owed again).
    #[schemars(extend("examples" = ["confirmed"]))]
    state: &'static str,
    /// Confirmations when it was last looked at.
    confirmations: Count,
    /// How many addresses it pays.
    addresses: Count,
    /// What they get, coins.
    amount: Coins,
    /// What the network took for it, coins.
    network_fee: Coins,
}

/// `/api/v1/pools/COIN/payouts`.
pub(super) fn payouts(site: &Site, at: &OfCoin, asked: query::Payouts) -> Result<Payouts, Failure> {
    let (most, below) = (asked.limit()?, asked.below()?);
    let Some(book) = book(site, &at.0)? else {
        return Ok(Payouts { payouts: Vec::new(), next: None });
    };
    let mut found = book.payouts_below(below, most + 1)?;
    let next = cut(&mut found, most as usize).map(|payout| Next(payout.id.to_string()));
    let mut payouts = Vec::new();
    for payout in found {
        let (count, sum) = book.paid_by(payout.id)?;
        payouts.push(PayoutRow {
            id: payout.id,
            txid: payout.txid.into(),
            time: Time::of_ms(payout.time),
            state: payout.state.name(),
            confirmations: Count(payout.depth),
            addresses: Count(count),
            amount: sum.into(),
            network_fee: payout.fee.into(),
        });
    }
    Ok(Payouts { payouts, next })
}
