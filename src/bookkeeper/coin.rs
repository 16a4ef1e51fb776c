//! The books of one coin: its streams merged by time into batches, and the batches added.

mod recover;
mod sweep;
pub(super) use sweep::KEEP;

use super::Books;
use super::merge::{self, Tails};
use super::mpos::Written;
use crate::config::Pool;
use crate::journal;
use crate::ledger::{self, Applied, Batch, Tally, TallyError};
use crate::stratum::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Most batches of one turn, so that the watermark and the stop are looked at again.
const BATCHES: usize = 16;

/// Opens a tally: `ledger::open`, or a test's own.
type Opener = Box<dyn Fn() -> Result<Box<dyn Tally>, TallyError> + Send>;

/// One coin's journals and tally.
pub(super) struct Coin {
    id: String,
    data_dir: PathBuf,
    instance: u16,
    wanted: Unit,
    unit: Option<Unit>,
    open: Opener,
    tally: Option<Box<dyn Tally>>,
    /// Positions of streams that the tally knows, as of when it was opened.
    stored: BTreeMap<String, u64>,
    tails: Tails,
    /// The tally was empty when it was opened, and nothing has been added since.
    empty: bool,
    /// When a checkpoint was written last, or this began to look for one: unix ms.
    copied_at: Option<u64>,
    /// Files in the folder that are none of ours and were told of.
    foreign: BTreeSet<String>,
    /// How far MPOS has the journals, where it wants them.
    written: Option<Written>,
    /// How far history has them.
    history: Option<Written>,
}

impl Coin {
    pub(super) fn new(pool: Pool, data_dir: PathBuf, instance: u16) -> Self {
        let (id, wanted) = (pool.coin.id.clone(), pool.unit);
        let folder = data_dir.clone();
        Self::with(id, data_dir, instance, wanted, Box::new(move || ledger::open(&pool, &folder)))
    }

    pub(super) fn with(
        id: String,
        data_dir: PathBuf,
        instance: u16,
        wanted: Unit,
        open: Opener,
    ) -> Self {
        Self {
            id,
            data_dir,
            instance,
            wanted,
            unit: None,
            open,
            tally: None,
            stored: BTreeMap::new(),
            tails: BTreeMap::new(),
            empty: false,
            copied_at: None,
            foreign: BTreeSet::new(),
            written: None,
            history: None,
        }
    }

    /// Has journals kept until MPOS has them.
    pub(super) fn keep_until(&mut self, written: Written) {
        self.written = Some(written);
    }

    /// Has journals kept until history has them, for some days at most.
    pub(super) fn keep_for_history(&mut self, written: Written) {
        self.history = Some(written);
    }

    /// Adds what is complete and older than `watermark` (unix ms). `true`: there is more to add
    /// at once. `now` is in monotonic ms.
    ///
    /// # Errors
    /// What the tally said. The next turn opens it anew and goes on where it stands.
    pub(super) fn turn(&mut self, watermark: u64, now: u64) -> Result<bool, TallyError> {
        // Taken, and put back only when all went well: after an error it is never used again.
        let mut tally = match self.tally.take() {
            Some(tally) => tally,
            None => self.connect()?,
        };
        let unit = self.unit()?;
        merge::list(&mut self.tails, &self.stored, &self.data_dir, &self.id)
            .map_err(|error| self.trouble(&error))?;
        let mut heads = merge::heads(&mut self.tails, &self.id, unit);
        for _ in 0..BATCHES {
            let mut batch = Batch::new(unit);
            batch.first = self.empty;
            let moment = (watermark, now);
            merge::collect(&mut batch, &self.id, unit, &mut self.tails, &mut heads, moment)
                .map_err(|what| TallyError::Overflow { place: self.id.clone(), what })?;
            if batch.records == 0 {
                self.tally = Some(tally);
                return Ok(false);
            }
            match tally.apply(&batch)? {
                Applied::Done => {
                    self.empty = false;
                    for (stream, (_, to)) in &batch.moves {
                        if let Some(tail) = self.tails.get_mut(stream) {
                            tail.position = *to;
                        }
                    }
                }
                // One stream has moved, so any may have: the next turn asks for all.
                Applied::Moved(_) => {
                    log::warn!(
                        "{}: the tally was changed by somebody else, or set back: going on from \
                         where it stands",
                        self.id
                    );
                    return Ok(true);
                }
            }
        }
        self.tally = Some(tally);
        Ok(true)
    }

    fn unit(&mut self) -> Result<Unit, TallyError> {
        if let Some(unit) = self.unit {
            return Ok(unit);
        }
        let unit = journal::unit(&self.data_dir, &self.id, self.wanted)
            .map_err(|error| self.trouble(&error))?;
        self.unit = Some(unit);
        Ok(unit)
    }

    fn trouble(&self, error: &std::io::Error) -> TallyError {
        let place = journal::folder(&self.data_dir, &self.id).display().to_string();
        TallyError::Unavailable { place, words: error.to_string() }
    }
}

impl Books for Coin {
    type Error = TallyError;
    const WHAT: &'static str = "the tally";

    fn id(&self) -> &str {
        &self.id
    }

    fn turn(&mut self, watermark: u64, now: u64) -> Result<bool, TallyError> {
        Self::turn(self, watermark, now)
    }

    fn tails(&mut self) -> &mut Tails {
        &mut self.tails
    }

    fn sweep(&mut self, now: u64, occupied: &dyn Fn(usize) -> bool) -> Result<(), TallyError> {
        Self::sweep(self, now, occupied)
    }
}

#[cfg(test)]
pub(super) mod tests;
