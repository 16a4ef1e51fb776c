//! The books of one coin: its streams merged by time into batches, and the batches added.

mod recover;
mod sweep;

use super::tail::Tail;
use crate::config::Pool;
use crate::journal;
use crate::ledger::{self, Applied, Batch, Tally, TallyError};
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::PathBuf;

/// Most worker names of one batch: a script of Redis takes a few milliseconds for them.
const NAMES: usize = 1000;
/// Most records of one batch: few names may have many, and each batch waits for the disk once.
const RECORDS: usize = 16_384;
/// Most batches of one turn, so that the watermark and the stop are looked at again.
const BATCHES: usize = 16;
/// How long a record waits for the watermark, ms (at most twice that). After that the clock has
/// been set back, or a worker's promise is stuck, and order matters less than counting.
const PATIENCE: u64 = 2000;

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
    tails: BTreeMap<String, Tail>,
    /// The tally was empty when it was opened, and nothing has been added since.
    empty: bool,
    /// When a checkpoint was written last, or this began to look for one: unix ms.
    copied_at: Option<u64>,
    /// Files in the folder that are none of ours and were told of.
    foreign: BTreeSet<String>,
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
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
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
        self.list()?;
        let mut heads: BinaryHeap<Reverse<(u64, String)>> = BinaryHeap::new();
        for (name, tail) in &mut self.tails {
            if let Some(time) = tail.bound(&self.id, unit) {
                heads.push(Reverse((time, name.clone())));
            }
        }
        for _ in 0..BATCHES {
            let batch = self.collect(unit, &mut heads, watermark, now)?;
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

    /// The next batch in the order of time: as full as may be, or ended by a block.
    fn collect(
        &mut self,
        unit: Unit,
        heads: &mut BinaryHeap<Reverse<(u64, String)>>,
        watermark: u64,
        now: u64,
    ) -> Result<Batch, TallyError> {
        let mut batch = Batch::new(unit);
        batch.first = self.empty;
        let mut later = Vec::new();
        while !is_full(&batch) {
            let Some(Reverse((bound, name))) = heads.pop() else { break };
            let Some(tail) = self.tails.get_mut(&name) else { continue };
            if bound >= watermark && !tail.is_ripe(now, PATIENCE) {
                later.push(Reverse((bound, name)));
                continue;
            }
            let Some(time) = tail.peek(&self.id, unit) else { continue };
            if time > bound {
                heads.push(Reverse((time, name)));
                continue;
            }
            // One record after the other, as long as no other stream has an earlier one.
            loop {
                let from = tail.from();
                let Some((record, to)) = tail.take() else { break };
                if !batch.add(&name, from, to, record) {
                    let what = format!("the work in {name} at byte {from}");
                    return Err(TallyError::Overflow { place: self.id.clone(), what });
                }
                let Some(time) = tail.peek(&self.id, unit) else { break };
                let is_next = heads
                    .peek()
                    .is_none_or(|Reverse((other, stream))| (time, &name) < (*other, stream));
                if is_full(&batch) || !is_next || time >= watermark {
                    heads.push(Reverse((time, name)));
                    break;
                }
            }
        }
        heads.extend(later);
        Ok(batch)
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

    /// Takes up new streams.
    fn list(&mut self) -> Result<(), TallyError> {
        let streams =
            journal::streams(&self.data_dir, &self.id).map_err(|error| self.trouble(&error))?;
        for stream in streams {
            let name = stream.name.clone();
            if !self.tails.contains_key(&name) {
                let path = journal::path(&self.data_dir, &self.id, &name);
                let position = self.stored.get(&name).copied().unwrap_or(0);
                let mut new = Tail::new(stream, path, position, unix_ms());
                for tail in self.tails.values_mut() {
                    tail.note(&new.stream);
                    new.note(&tail.stream);
                }
                self.tails.insert(name, new);
            }
        }
        Ok(())
    }
}

/// Whether a batch must be applied before more is added.
fn is_full(batch: &Batch) -> bool {
    batch.records >= RECORDS || batch.credits.len() >= NAMES || batch.cut.is_some()
}

#[cfg(test)]
pub(super) mod tests;
