//! What fills a coin's history from its journals. It has positions of its own in there, and follows
//! at its own pace: what befalls it holds nobody up.

use super::Books;
use super::coin::KEEP;
use super::merge::{self, Tails};
use super::mpos::Written;
use crate::config::{Config, Pool};
use crate::history::{Batch, HistoryError, Store};
use crate::journal::{self, Stream};
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most transactions of one turn, so that the watermark and the stop are looked at again.
const BATCHES: usize = 16;
/// Milliseconds between two turns that write. A transaction writes whole pages, and each holds many
/// workers: with 5,000 of them, often is a hundred times dearer.
const EVERY: u64 = 5000;

/// The network's difficulty as it was last heard, for the thread that writes history.
#[derive(Debug, Clone, Default)]
pub(super) struct Difficulty(Arc<Mutex<Option<f64>>>);

impl Difficulty {
    /// Hears it; `None`: nobody knows.
    pub(super) fn set(&self, difficulty: Option<f64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = difficulty;
    }

    fn get(&self) -> Option<f64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One coin's journals on their way to its history.
pub(super) struct Follower {
    id: String,
    data_dir: PathBuf,
    instance: u16,
    wanted: Unit,
    retention: Duration,
    store: Option<Store>,
    /// Positions of the streams, as of when the store was opened.
    stored: BTreeMap<String, u64>,
    tails: Tails,
    written: Written,
    difficulty: Difficulty,
    /// Monotonic milliseconds from which on more is written.
    next: u64,
    /// Unix milliseconds.
    clock: fn() -> u64,
}

impl Follower {
    /// That of a pool.
    pub(super) fn of(pool: &Pool, config: &Config) -> Self {
        let facts = (config.instance, pool.unit, config.historical_retention);
        Self::with(pool.coin.id.clone(), config.data_dir.clone(), facts, unix_ms)
    }

    fn with(
        id: String,
        data_dir: PathBuf,
        (instance, wanted, retention): (u16, Unit, Duration),
        clock: fn() -> u64,
    ) -> Self {
        Self {
            id,
            data_dir,
            instance,
            wanted,
            retention,
            store: None,
            stored: BTreeMap::new(),
            tails: BTreeMap::new(),
            written: Written::default(),
            difficulty: Difficulty::default(),
            next: 0,
            clock,
        }
    }

    /// How far it has come, for who deletes journals.
    pub(super) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Where it hears the network's difficulty.
    pub(super) fn difficulty(&self) -> Difficulty {
        self.difficulty.clone()
    }

    /// Opens the file and puts every tail where it stands.
    fn connect(&mut self) -> Result<Store, HistoryError> {
        let mut store = Store::open(&self.data_dir, &self.id, self.retention)?;
        // Old journals may hold much that is too old for short slots.
        store.trim((self.clock)() / 1000)?;
        self.stored = store.positions()?;
        self.written.replace(&self.stored);
        self.tails.retain(|_, tail| tail.length().is_some());
        for (name, tail) in &mut self.tails {
            tail.rewind(self.stored.get(name).copied().unwrap_or(0));
        }
        Ok(store)
    }

    fn follow(&mut self, watermark: u64, now: u64) -> Result<bool, HistoryError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.connect()?,
        };
        let trouble = |error: io::Error| HistoryError {
            place: journal::folder(&self.data_dir, &self.id).display().to_string(),
            words: error.to_string(),
        };
        let unit = journal::unit(&self.data_dir, &self.id, self.wanted).map_err(trouble)?;
        merge::list(&mut self.tails, &self.stored, &self.data_dir, &self.id).map_err(trouble)?;
        let mut heads = merge::heads(&mut self.tails, &self.id, unit);
        for _ in 0..BATCHES {
            let mut batch = Batch::new(unit);
            let moment = (watermark, now);
            // Nothing overflows here.
            let _ = merge::collect(&mut batch, &self.id, unit, &mut self.tails, &mut heads, moment);
            if batch.records == 0 {
                self.store = Some(store);
                self.next = now.saturating_add(EVERY);
                return Ok(false);
            }
            if !store.apply(&batch)? {
                log::warn!(
                    "{}: the history was written by another bookkeeper, or set back: going on \
                     from where it stands",
                    self.id
                );
                return Ok(true);
            }
            for (stream, (_, to)) in &batch.moves {
                self.written.set(stream, *to);
                if let Some(tail) = self.tails.get_mut(stream) {
                    tail.position = *to;
                }
            }
        }
        self.store = Some(store);
        Ok(true)
    }

    /// Whether a position is that of a journal of this machine that was deleted long ago.
    fn is_lost(&self, name: &str, now: u64) -> bool {
        !journal::path(&self.data_dir, &self.id, name).exists()
            && Stream::from_name(name).is_some_and(|stream| {
                stream.instance == self.instance && now.saturating_sub(stream.created) >= 2 * KEEP
            })
    }
}

impl Books for Follower {
    type Error = HistoryError;
    const WHAT: &'static str = "history";

    fn id(&self) -> &str {
        &self.id
    }

    /// After an error the next turn opens the file anew and goes on where it stands.
    fn turn(&mut self, watermark: u64, now: u64) -> Result<bool, HistoryError> {
        // A stop waits for nothing: then, and without workers, there is no watermark.
        if self.store.is_some() && watermark != u64::MAX && now < self.next {
            return Ok(false);
        }
        let result = self.follow(watermark, now);
        if result.is_err() {
            self.store = None;
        }
        result
    }

    fn tails(&mut self) -> &mut Tails {
        &mut self.tails
    }

    fn sweep(&mut self, now: u64, _: &dyn Fn(usize) -> bool) -> Result<(), HistoryError> {
        self.tails.retain(|_, tail| tail.length().is_some());
        for tail in self.tails.values_mut() {
            tail.close_if_done();
        }
        let Some(mut store) = self.store.take() else { return Ok(()) };
        store.trim(now / 1000)?;
        if let Some(difficulty) = self.difficulty.get() {
            store.note_difficulty(now / 1000, difficulty)?;
        }
        // Read anew: a file that was set back is noticed here when no share comes.
        let stored = store.positions()?;
        if self
            .tails
            .iter()
            .any(|(name, tail)| tail.position != stored.get(name).copied().unwrap_or(0))
        {
            log::warn!("{}: the history was set back: going on from where it stands", self.id);
            return Ok(());
        }
        let lost: Vec<String> =
            stored.keys().filter(|name| self.is_lost(name, now)).cloned().collect();
        if !lost.is_empty() {
            store.forget(&lost)?;
        }
        self.store = Some(store);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
