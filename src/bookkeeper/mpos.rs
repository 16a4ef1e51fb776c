//! What fills an MPOS database from a coin's journals. It has positions of its own in there, so
//! that it follows at its own pace: while the database is away, shares gather in the journals.

use super::Books;
use super::coin::KEEP;
use super::merge::{self, Tails};
use crate::config::{Mpos, Pool};
use crate::journal::{self, Stream};
use crate::mpos::{Batch, MposError, Store};
use crate::stratum::Unit;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most transactions of one turn, so that the watermark and the stop are looked at again.
const BATCHES: usize = 16;
/// Milliseconds after which a connection that was not used is tried before it is.
const IDLE: u64 = 10_000;

/// How far MPOS has each stream; nothing is known before the database has told.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<Mutex<BTreeMap<String, u64>>>);

impl Written {
    /// Whether a stream has been written at least up to an offset.
    pub(super) fn has(&self, stream: &str, offset: u64) -> bool {
        let positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offset == 0 || positions.get(stream).is_some_and(|&position| position >= offset)
    }

    pub(super) fn set(&self, stream: &str, offset: u64) {
        let mut positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        positions.insert(stream.to_owned(), offset);
    }

    pub(super) fn replace(&self, new: &BTreeMap<String, u64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(new);
    }
}

/// One coin's journals on their way to MPOS.
pub(super) struct Follower {
    id: String,
    data_dir: PathBuf,
    instance: u16,
    wanted: Unit,
    mpos: Mpos,
    store: Option<Store>,
    /// Positions of the streams, as of when the store was opened.
    stored: BTreeMap<String, u64>,
    tails: Tails,
    written: Written,
    /// What was said about the tables.
    remark: Option<String>,
    /// Monotonic milliseconds of the connection's last use.
    used: u64,
}

impl Follower {
    /// That of a pool in MPOS mode.
    pub(super) fn of(pool: &Pool, data_dir: &Path, instance: u16) -> Option<Self> {
        Some(Self {
            id: pool.coin.id.clone(),
            data_dir: data_dir.to_owned(),
            instance,
            wanted: pool.unit,
            mpos: pool.mpos.clone()?,
            store: None,
            stored: BTreeMap::new(),
            tails: BTreeMap::new(),
            written: Written::default(),
            remark: None,
            used: 0,
        })
    }

    /// How far it has come, for who deletes journals.
    pub(super) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Opens the database and puts every tail where it stands.
    fn connect(&mut self) -> Result<Store, MposError> {
        let mut store = Store::open(&self.mpos, &self.id)?;
        let remark = store.remark();
        if let Some(words) = &remark
            && self.remark != remark
        {
            log::warn!("{}: {words}", self.id);
        }
        self.remark = remark;
        self.stored = store.positions()?;
        self.written.replace(&self.stored);
        self.tails.retain(|_, tail| tail.length().is_some());
        for (name, tail) in &mut self.tails {
            tail.rewind(self.stored.get(name).copied().unwrap_or(0));
        }
        Ok(store)
    }

    fn follow(&mut self, watermark: u64, now: u64) -> Result<bool, MposError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.connect()?,
        };
        if now.saturating_sub(self.used) >= IDLE && !store.is_alive() {
            store = self.connect()?;
        }
        self.used = now;
        let trouble = |error: io::Error| MposError {
            place: journal::folder(&self.data_dir, &self.id).display().to_string(),
            words: error.to_string(),
        };
        let unit = journal::unit(&self.data_dir, &self.id, self.wanted).map_err(trouble)?;
        merge::list(&mut self.tails, &self.stored, &self.data_dir, &self.id).map_err(trouble)?;
        let mut heads = merge::heads(&mut self.tails, &self.id, unit);
        for _ in 0..BATCHES {
            let mut batch = Batch::new(unit, self.mpos.multiplier);
            let moment = (watermark, now);
            // Nothing overflows here.
            let _ = merge::collect(&mut batch, &self.id, unit, &mut self.tails, &mut heads, moment);
            if batch.records == 0 {
                self.store = Some(store);
                return Ok(false);
            }
            if !store.apply(&batch)? {
                log::warn!(
                    "{}: MPOS was written to by another bookkeeper, or set back: going on from \
                     where it stands",
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
    type Error = MposError;
    const WHAT: &'static str = "MPOS";

    fn id(&self) -> &str {
        &self.id
    }

    /// After an error the next turn opens the database anew and goes on where it stands.
    fn turn(&mut self, watermark: u64, now: u64) -> Result<bool, MposError> {
        let result = self.follow(watermark, now);
        if result.is_err() {
            self.store = None;
        }
        result
    }

    fn tails(&mut self) -> &mut Tails {
        &mut self.tails
    }

    fn sweep(&mut self, now: u64, _: &dyn Fn(usize) -> bool) -> Result<(), MposError> {
        self.tails.retain(|_, tail| tail.length().is_some());
        for tail in self.tails.values_mut() {
            tail.close_if_done();
        }
        let Some(mut store) = self.store.take() else { return Ok(()) };
        // Read anew: a database that was set back is noticed here when no share comes.
        let stored = store.positions()?;
        if self
            .tails
            .iter()
            .any(|(name, tail)| tail.position != stored.get(name).copied().unwrap_or(0))
        {
            log::warn!("{}: MPOS was set back: writing from where it stands", self.id);
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
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_kept_until_mpos_has_it() {
        let written = Written::default();
        assert!(written.has("s", 0), "nothing was ever in it");
        assert!(!written.has("s", 1), "the database has not told yet");
        written.set("s", 100);
        assert!(written.has("s", 100) && !written.has("s", 101));
        written.replace(&BTreeMap::from([("s".to_owned(), 50)]));
        assert!(!written.has("s", 100), "the database was set back");
    }
}
