//! Found blocks and what they earned: from the tally's round to credits.

use super::{Account, Book, BookError, Fee, Work, account, amount, fee as fees, natural, number};
use super::{trace, work};
use crate::chain::Hash;
use crate::journal::BlockFound;
use crate::rewards::{self, Amount, Scheme};
use crate::stratum::Weight;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Found; the chain has not been heard of it yet.
    Found,
    /// In the chain, its reward not yet to be spent.
    Immature,
    /// Its reward has been credited.
    Mature,
    /// Another block holds its height, deep enough. Its work is carried into a later round.
    Orphaned,
    /// It was credited, and the chain has left it since: the reward is the pool's loss.
    Lost,
    /// Found before the book was begun: its reward is not the book's affair.
    Before,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Found, Self::Immature, Self::Mature, Self::Orphaned, Self::Lost, Self::Before];

    /// Its name in the book and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Immature => "immature",
            Self::Mature => "mature",
            Self::Orphaned => "orphaned",
            Self::Lost => "lost",
            Self::Before => "before",
        }
    }

    fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.name() == name).unwrap_or(Self::Found)
    }
}

/// A block of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookBlock {
    /// Block hash.
    pub hash: Hash,
    /// Height.
    pub height: u64,
    /// When it was found, unix ms.
    pub time: u64,
    /// Id of its coinbase transaction.
    pub coinbase: Hash,
    /// What its coinbase pays to the pool.
    pub value: Amount,
    /// Worker that found it.
    pub finder: String,
    /// What its reward is split over: the name of its scheme.
    pub scheme: String,
    /// What is known of it.
    pub state: State,
    /// Since when, unix ms.
    pub since: u64,
    /// Blocks from it to the tip, itself counted, when it was last seen in the chain.
    pub depth: u64,
    /// What it waits for, in words; empty when all is well.
    pub words: String,
    /// The block whose round its work went into.
    pub carried: Option<Hash>,
}

pub(super) const COLUMNS: &str =
    "hash, height, time, coinbase, value, finder, state, since, depth, words, carried, scheme";

fn hash(text: &str) -> Hash {
    Hash::from_display(text).unwrap_or(Hash([0; 32]))
}

pub(super) fn block(row: &Row<'_>) -> rusqlite::Result<BookBlock> {
    let text = |place| row.get::<_, String>(place);
    let count = |place| row.get(place).map(natural);
    Ok(BookBlock {
        hash: hash(&text(0)?),
        height: count(1)?,
        time: count(2)?,
        coinbase: hash(&text(3)?),
        value: amount(row, 4)?,
        finder: text(5)?,
        state: State::from_name(&text(6)?),
        since: count(7)?,
        depth: count(8)?,
        words: text(9)?,
        carried: row.get::<_, Option<String>>(10)?.map(|text| hash(&text)),
        scheme: text(11)?,
    })
}

impl Book {
    /// Whether the book has a block.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn has_block(&self, hash: &Hash) -> Result<bool, BookError> {
        let sql = "SELECT 1 FROM block WHERE hash = ?1";
        self.read(|book| {
            Ok(book.query_row(sql, [hash.to_string()], |_| Ok(())).optional()?.is_some())
        })
    }

    /// Blocks in these states, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn blocks(&self, states: &[State]) -> Result<Vec<BookBlock>, BookError> {
        let sql = format!("SELECT {COLUMNS} FROM block WHERE state = ?1 ORDER BY time, hash");
        let mut blocks = Vec::new();
        for state in states {
            blocks.extend(self.read(|book| {
                let mut query = book.prepare_cached(&sql)?;
                query.query_map([state.name()], block)?.collect::<rusqlite::Result<Vec<_>>>()
            })?);
        }
        blocks.sort_by_key(|block| (block.time, block.hash.0));
        Ok(blocks)
    }

    /// Settled blocks that are watched still, oldest first: credited ones less deep than `depth`,
    /// orphans and lost ones that have been so since these times, unix ms, or later.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn watched(
        &self,
        depth: u64,
        orphaned_since: u64,
        lost_since: u64,
    ) -> Result<Vec<BookBlock>, BookError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM block WHERE state = 'mature' AND depth < ?1
            UNION ALL SELECT {COLUMNS} FROM block WHERE state = 'orphaned' AND since >= ?2
            UNION ALL SELECT {COLUMNS} FROM block WHERE state = 'lost' AND since >= ?3
            ORDER BY time, hash"
        );
        self.read(|book| {
            let limits = params![number(depth)?, number(orphaned_since)?, number(lost_since)?];
            book.prepare_cached(&sql)?.query_map(limits, block)?.collect()
        })
    }

    /// The worker that found a block.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn finder(&self, hash: &Hash) -> Result<Option<String>, BookError> {
        let sql = "SELECT finder FROM block WHERE hash = ?1";
        self.read(|book| book.query_row(sql, [hash.to_string()], |row| row.get(0)).optional())
    }

    /// How many blocks the book has from the tally.
    ///
    /// # Errors
    /// [`BookError`].
    #[cfg(test)]
    pub(crate) fn block_count(&self) -> Result<u64, BookError> {
        self.read(|book| {
            let sql = "SELECT COUNT(*) FROM block
                WHERE hash NOT IN (SELECT key FROM import WHERE kind = 'block')";
            book.query_row(sql, [], |row| row.get(0).map(natural))
        })
    }

    /// Notes a block that was found before the book was begun.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn pass_over(&mut self, found: &BlockFound, now: u64) -> Result<(), BookError> {
        self.take_in(found, &BTreeMap::new(), now)?;
        let sql = "UPDATE block SET state = 'before' WHERE hash = ?1 AND state = 'found'";
        self.change(|change| {
            let name = found.hash.to_string();
            if change.execute(sql, [&name])? > 0 {
                super::imports::release(change, &name)?;
            }
            Ok(())
        })
    }

    /// Takes in a found block with the work that its reward is split over. Rounds of orphans that
    /// were decided before it was found go into its own, unless it is solo. (The work of an orphan
    /// under PPLNS is in the windows of the next blocks; a solo orphan had none but its finder's.)
    /// Repeating it changes nothing.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn take_in(
        &mut self,
        found: &BlockFound,
        round: &BTreeMap<String, Weight>,
        now: u64,
    ) -> Result<(), BookError> {
        self.change(|change| {
            let name = found.hash.to_string();
            if !enter(change, found, round, now)? {
                return Ok(());
            }
            let sql = "UPDATE block SET carried = ?1
                WHERE state = 'orphaned' AND scheme = 'prop' AND carried IS NULL
                    AND (since <= ?2 OR since > ?3)";
            let carried = match found.scheme {
                Scheme::Solo => 0,
                Scheme::Prop | Scheme::Pplns { .. } => {
                    super::imports::carry(change, &name, found.time, now)?;
                    change.execute(sql, params![name, number(found.time)?, number(now)?])?
                }
            };
            trace(change, now, &name, &format!("taken in, with the work of {carried} orphans"))
        })
    }

    /// Notes how deep a block stands that is in the chain, or what it waits for.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note(&mut self, hash: &Hash, depth: u64, words: &str) -> Result<(), BookError> {
        let sql = "UPDATE block SET depth = ?2, words = ?3
            WHERE hash = ?1 AND (depth <> ?2 OR words <> ?3)";
        self.change(|change| change.execute(sql, params![hash.to_string(), number(depth)?, words]))
            .map(drop)
    }

    /// Moves a block that is not credited between found, immature and orphaned. An orphan that
    /// comes back takes its work back as long as nobody was credited for it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn move_to(&mut self, hash: &Hash, state: State, now: u64) -> Result<(), BookError> {
        self.change(|change| {
            let name = hash.to_string();
            let sql = "SELECT state, carried, scheme FROM block WHERE hash = ?1";
            let (before, carried, scheme): (String, Option<String>, String) =
                change
                    .query_row(sql, [&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let keeps = match carried {
                Some(to) if state != State::Orphaned => is_credited(change, &to)?,
                _ => true,
            };
            let sql = "UPDATE block SET state = ?2, since = ?3, words = '',
                carried = CASE WHEN ?4 THEN carried END WHERE hash = ?1";
            change.execute(sql, params![name, state.name(), number(now)?, keeps])?;
            // What was carried into a round goes on with it; a window goes nowhere.
            if state == State::Orphaned && scheme != Scheme::Prop.name() {
                super::imports::release(change, &name)?;
            }
            trace(change, now, &name, &format!("{before} -> {}", state.name()))
        })
    }

    /// The work that a block's reward is split over: its round, and the rounds of orphans that were
    /// carried into it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn work_of(&self, hash: &Hash) -> Result<Work, BookError> {
        self.read(|book| work::of(book, &hash.to_string()))
    }

    /// Credits a block that is mature: `owners` says whose each worker is, `fee` what the pool
    /// takes. The credits and the fee are the block's value, to the unit. A block without any work
    /// is credited to its finder.
    ///
    /// # Errors
    /// [`BookError`]; nothing is changed when the block is not immature any more, or a worker has
    /// no owner.
    pub fn credit(
        &mut self,
        hash: &Hash,
        owners: &BTreeMap<String, Account>,
        fee: &Fee,
        now: u64,
    ) -> Result<(), BookError> {
        let name = hash.to_string();
        let mut work = self.work_of(hash)?;
        let sql = "SELECT value, finder FROM block WHERE hash = ?1 AND state = 'immature'";
        let found = self.read(|book| {
            let read = |row: &Row<'_>| Ok((amount(row, 0)?, row.get::<_, String>(1)?));
            book.query_row(sql, [&name], read).optional()
        })?;
        let Some((value, finder)) = found else { return Ok(()) };
        if work.values().all(|&weight| weight == 0) {
            work = BTreeMap::from([(finder, 1)]);
        }
        let (mut by_account, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        for (worker, weight) in work {
            let owner = owners
                .get(&worker)
                .ok_or_else(|| self.damaged(format!("nobody owns the work of `{worker}`")))?;
            accounts.entry(owner.key()).or_insert(owner);
            *by_account.entry(owner.key()).or_insert(0_u128) += weight;
        }
        let (taken, rest) = rewards::fee(value, fee.ppm);
        let parts = rewards::split(rest, &by_account)
            .ok_or_else(|| self.damaged(format!("block {name} has no work")))?;
        self.change(|change| {
            let sql = "UPDATE block SET state = 'mature', since = ?2, words = '', fee = ?3
                WHERE hash = ?1 AND state = 'immature'";
            if change.execute(sql, params![name, number(now)?, number(taken.0)?])? == 0 {
                return Ok(());
            }
            let sql = "SELECT id FROM block WHERE hash = ?1";
            let block: i64 = change.query_row(sql, [&name], |row| row.get(0))?;
            let mut insert = change.prepare_cached("INSERT INTO credit VALUES (?1, ?2, ?3, ?4)")?;
            for (key, part) in &parts {
                let Some(owner) = accounts.get(key) else { continue };
                let id = account(change, owner, now)?;
                let weight = by_account.get(key).copied().unwrap_or_default();
                insert.execute(params![block, id, weight.to_string(), number(part.0)?])?;
                fees::earn(change, id, *part, now)?;
            }
            if let Some(owner) = &fee.account {
                fees::credit(change, &name, owner, taken, now)?;
            }
            trace(change, now, &name, &format!("credited to {} accounts", parts.len()))
        })
    }

    /// A credited block that the chain has left (`lost`), or one that came back.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn lose(&mut self, hash: &Hash, lost: bool, now: u64) -> Result<(), BookError> {
        let (before, after) =
            if lost { (State::Mature, State::Lost) } else { (State::Lost, State::Mature) };
        self.change(|change| {
            let name = hash.to_string();
            let sql = "UPDATE block SET state = ?2, since = ?3 WHERE hash = ?1 AND state = ?4";
            change.execute(sql, params![name, after.name(), number(now)?, before.name()])?;
            trace(change, now, &name, &format!("{} -> {}", before.name(), after.name()))
        })
    }
}

/// Writes a found block with its work; `false`: it is there already.
pub(super) fn enter(
    change: &Connection,
    found: &BlockFound,
    work: &BTreeMap<String, Weight>,
    now: u64,
) -> rusqlite::Result<bool> {
    let sql = "INSERT OR IGNORE INTO block
        (hash, height, time, coinbase, value, finder, stale, state, since, depth, words, scheme)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'found', ?8, 0, '', ?9)";
    let new = change.execute(
        sql,
        params![
            found.hash.to_string(),
            number(found.height)?,
            number(found.time)?,
            found.coinbase_txid.to_string(),
            number(found.pool_value.0)?,
            found.worker,
            found.stale,
            number(now)?,
            found.scheme.name()
        ],
    )?;
    if new > 0 {
        work::put(change, change.last_insert_rowid(), work)?;
    }
    Ok(new > 0)
}

/// Whether the work that was carried into `block` was credited, there or further on.
fn is_credited(book: &Connection, block: &str) -> rusqlite::Result<bool> {
    let mut at = block.to_owned();
    loop {
        let sql = "SELECT fee IS NOT NULL, carried FROM block WHERE hash = ?1";
        let (credited, next): (bool, Option<String>) =
            book.query_row(sql, [&at], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match next {
            _ if credited => return Ok(true),
            Some(next) => at = next,
            None => return Ok(false),
        }
    }
}
