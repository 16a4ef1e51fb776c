//! The tally: current rounds, counters, found blocks; a view of the journals in SQLite or Redis.
//!
//! Sums and the journal positions they were added up to are stored in one transaction, so every
//! record counts exactly once whatever is killed when. See `docs/ledger.md`.

mod batch;
pub mod book;
pub mod checkpoint;
mod claim;
mod overview;
mod redis;
mod sqlite;

pub use batch::{Applied, Batch, Minute};
pub use claim::{Claim, Claimed};
pub use overview::{BlockRow, BlockState, Overview, Round};
pub(crate) use sqlite::{advice, identity, open_at_rest};

use crate::chain::Hash;
use crate::config::{Pool, Store};
use crate::stratum::{Unit, Weight};
use checkpoint::{Closed, Sums};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many minutes of work are kept, for hash rates: a day.
pub const MINUTES_KEPT: u64 = 24 * 60;
/// How many found blocks (and their rounds) are kept in Redis; SQLite keeps all.
pub const REDIS_BLOCKS_KEPT: u64 = 10_000;

/// Where sums are kept. One coin each; calls block, so they belong to a helper thread.
pub trait Tally: Send {
    /// The unit of the stored weights; `None` before the first batch.
    ///
    /// # Errors
    /// [`TallyError`]: after any error drop the tally and open it anew.
    fn unit(&mut self) -> Result<Option<Unit>, TallyError>;

    /// Makes sure that a crash of the store, before it was opened, does no harm to what is added now.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn renew(&mut self) -> Result<(), TallyError> {
        Ok(())
    }

    /// How far each stream has been added: byte offsets by stream name.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn positions(&mut self) -> Result<BTreeMap<String, u64>, TallyError>;

    /// Adds a batch: all of it, or nothing.
    ///
    /// # Errors
    /// As [`Tally::unit`]. The batch may have been added (a lost reply): the positions tell.
    fn apply(&mut self, batch: &Batch) -> Result<Applied, TallyError>;

    /// Forgets the positions of deleted streams and counts them as deleted for `instance`;
    /// returns that count.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn forget(&mut self, instance: u16, streams: &[String]) -> Result<u64, TallyError>;

    /// How many streams of `instance` have been deleted since ever.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn forgotten(&mut self, instance: u16) -> Result<u64, TallyError>;

    /// Drops minutes before `oldest_minute`, and what is beyond the bounds of the store.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn trim(&mut self, oldest_minute: u64) -> Result<(), TallyError>;

    /// Sums, the current round, and the newest `blocks` found blocks.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn overview(&mut self, blocks: u32) -> Result<Overview, TallyError>;

    /// The round that a found block closed: weight by worker.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn round(&mut self, block: &Hash) -> Result<BTreeMap<String, Weight>, TallyError>;

    /// All but the closed rounds, at one moment.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn sums(&mut self) -> Result<Sums, TallyError>;

    /// Fills an empty tally; `false`, and nothing changed: it is not empty.
    ///
    /// # Errors
    /// As [`Tally::unit`], or that of a round.
    fn restore(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError>;

    /// Lets a book pay, or says which one does. It holds until a later claim beats it, or the tally
    /// is emptied or set back.
    ///
    /// # Errors
    /// As [`Tally::unit`]. The claim may stand (a lost reply): the next one has another number.
    fn claim(&mut self, claim: Claim) -> Result<Claimed, TallyError>;

    /// The claim that stands.
    ///
    /// # Errors
    /// As [`Tally::unit`].
    fn claimed(&mut self) -> Result<Option<Claim>, TallyError>;
}

/// Why a tally did not do what it was asked. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TallyError {
    /// It does not answer, or not now: try again.
    #[error("{place}: {words}")]
    Unavailable {
        /// File or server.
        place: String,
        /// What it said.
        words: String,
    },
    /// What is stored is not what romp stores.
    #[error(
        "{place}: {words}; nothing was changed. Repair it by hand, bring a backup back, or run \
         `romp rebuild COIN`; counting goes on by itself"
    )]
    Damaged {
        /// File or server.
        place: String,
        /// What is wrong, naming the key or row.
        words: String,
    },
    /// The ledger counts in another unit than the journals.
    #[error(
        "{place}: the ledger counts in units of 2^{stored}, the journal in units of 2^{wanted}; \
         write {stored} into the file `journal/<coin>/unit` of this machine's data directory, or \
         give this machine a ledger of its own"
    )]
    Unit {
        /// File or server.
        place: String,
        /// Exponent in the ledger.
        stored: i8,
        /// Exponent in the batch.
        wanted: i8,
    },
    /// A sum would leave the range of 64 bits.
    #[error(
        "{place}: {what} would grow beyond 64 bits; nothing was changed. The coin's unit is too \
         small for its miners: a port's `diff` or `minDiff` is far too low. Stop the pool, settle \
         what the ledger holds by hand, move `journal/<coin>`, `checkpoint/<coin>` and the ledger \
         aside, raise the difficulty, and start"
    )]
    Overflow {
        /// File or server.
        place: String,
        /// Which sum.
        what: String,
    },
    /// It lacks what the journals no longer hold.
    #[error(
        "{place}: the ledger was emptied or set back: {missing} journals that it had added are \
         deleted already, so what they held is missing from it. Nothing is added until that is \
         mended: run `romp rebuild {coin}`, or restore a later backup of the ledger"
    )]
    Behind {
        /// File or server.
        place: String,
        /// Coin id.
        coin: String,
        /// How many.
        missing: u64,
    },
    /// The server is set up so that it may lose what it is told.
    #[error("{place}: {words}")]
    Settings {
        /// Server.
        place: String,
        /// Which setting, and what to set.
        words: String,
    },
}

/// The file of a coin's embedded ledger.
#[must_use]
pub fn sqlite_path(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("ledger").join(format!("{coin}.sqlite"))
}

/// Opens a pool's tally for writing, and makes it if need be. After `fork`, on a helper thread.
///
/// # Errors
/// [`TallyError`].
pub fn open(pool: &Pool, data_dir: &Path) -> Result<Box<dyn Tally>, TallyError> {
    Ok(match &pool.store {
        Store::Sqlite => Box::new(sqlite::Sqlite::open(&sqlite_path(data_dir, &pool.coin.id))?),
        Store::Redis(settings) => Box::new(redis::Redis::open(settings, &pool.coin.id)?),
    })
}

/// Empties a pool's tally, to fill it anew. The embedded one is moved aside: returns where to.
///
/// # Errors
/// [`TallyError`].
pub fn clear(pool: &Pool, data_dir: &Path, now: u64) -> Result<Option<PathBuf>, TallyError> {
    let path = sqlite_path(data_dir, &pool.coin.id);
    match &pool.store {
        Store::Sqlite => sqlite::set_aside(&path, now).map_err(|error| TallyError::Unavailable {
            place: path.display().to_string(),
            words: format!("cannot be moved aside: {error}"),
        }),
        Store::Redis(settings) => {
            redis::Redis::open(settings, &pool.coin.id)?.clear().map(|()| None)
        }
    }
}

/// Opens the embedded tally of a coin without a pool's configuration.
#[cfg(test)]
pub(crate) fn open_sqlite(data_dir: &Path, coin: &str) -> Result<Box<dyn Tally>, TallyError> {
    Ok(Box::new(sqlite::Sqlite::open(&sqlite_path(data_dir, coin))?))
}

/// Moves the embedded tally of a coin aside without a pool's configuration.
#[cfg(test)]
pub(crate) fn set_sqlite_aside(data_dir: &Path, coin: &str) -> std::io::Result<Option<PathBuf>> {
    sqlite::set_aside(&sqlite_path(data_dir, coin), 7)
}

/// Opens a pool's tally for reading only; `None` when it was never made.
///
/// # Errors
/// [`TallyError`].
pub fn open_for_reading(
    pool: &Pool,
    data_dir: &Path,
) -> Result<Option<Box<dyn Tally>>, TallyError> {
    match &pool.store {
        Store::Sqlite => {
            let path = sqlite_path(data_dir, &pool.coin.id);
            let opened = sqlite::Sqlite::open_for_reading(&path)?;
            Ok(opened.map(|tally| Box::new(tally) as Box<dyn Tally>))
        }
        Store::Redis(_) => open(pool, data_dir).map(Some),
    }
}

/// What a pool's tally says, with its newest 100 blocks, and how far each stream has been added;
/// zeros when it was never made.
///
/// # Errors
/// [`TallyError`].
pub fn overview_with_positions(
    pool: &Pool,
    data_dir: &Path,
) -> Result<(Overview, BTreeMap<String, u64>), TallyError> {
    match open_for_reading(pool, data_dir)? {
        Some(mut tally) => Ok((tally.overview(100)?, tally.positions()?)),
        None => Ok((Overview::default(), BTreeMap::new())),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
