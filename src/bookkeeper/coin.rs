//! The books of one coin: its streams merged by time into batches, and the batches added.

use super::tail::Tail;
use crate::config::Pool;
use crate::journal::{self, HEADER_LEN, Stream};
use crate::ledger::{self, Applied, Batch, MINUTES_KEPT, Tally, TallyError};
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::PathBuf;

/// Most records of one batch: a script of Redis takes a few milliseconds for it.
const BATCH: usize = 1000;
/// Most batches of one turn, so that the watermark and the stop are looked at again.
const BATCHES: usize = 16;
/// How long a record waits for the watermark, ms (at most twice that). After that the clock has
/// been set back, or a worker's promise is stuck, and order matters less than counting.
const PATIENCE: u64 = 2000;
/// How long journals are kept after everything in them was added (reliability 4.1.5), ms.
const KEEP: u64 = 72 * 3_600_000;
/// How long files without any record are kept, ms.
const KEEP_EMPTY: u64 = 3_600_000;

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
    /// Whether it was said that the tally has lost what the journals no longer hold.
    warned: bool,
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
            warned: false,
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
        let result = self.add_up(watermark, now);
        if result.is_err() {
            self.tally = None;
        }
        result
    }

    fn add_up(&mut self, watermark: u64, now: u64) -> Result<bool, TallyError> {
        let mut tally = match self.tally.take() {
            Some(tally) => tally,
            None => self.connect()?,
        };
        let unit = self.unit()?;
        self.list()?;
        let mut heads: BinaryHeap<Reverse<(u64, String)>> = BinaryHeap::new();
        for (name, tail) in &mut self.tails {
            if let Some(time) = tail.peek(&self.id, unit) {
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

    /// The next batch in the order of time: at most [`BATCH`] records, ended by a block.
    fn collect(
        &mut self,
        unit: Unit,
        heads: &mut BinaryHeap<Reverse<(u64, String)>>,
        watermark: u64,
        now: u64,
    ) -> Result<Batch, TallyError> {
        let mut batch = Batch::new(unit);
        let mut later = Vec::new();
        while batch.records < BATCH && batch.cut.is_none() {
            let Some(Reverse((time, name))) = heads.pop() else { break };
            let Some(tail) = self.tails.get_mut(&name) else { continue };
            if time >= watermark && !tail.is_ripe(now, PATIENCE) {
                later.push(Reverse((time, name)));
                continue;
            }
            let from = tail.from();
            let Some((record, to)) = tail.take() else { continue };
            if !batch.add(&name, from, to, record) {
                let what = format!("the work in {name} at byte {from}");
                return Err(TallyError::Overflow { place: self.id.clone(), what });
            }
            if let Some(time) = tail.peek(&self.id, unit) {
                heads.push(Reverse((time, name)));
            }
        }
        heads.extend(later);
        Ok(batch)
    }

    /// Opens the tally and puts every tail where it stands.
    fn connect(&mut self) -> Result<Box<dyn Tally>, TallyError> {
        let mut tally = (self.open)()?;
        self.stored = tally.positions()?;
        for (name, tail) in &mut self.tails {
            tail.rewind(self.stored.get(name).copied().unwrap_or(0));
        }
        let counted = tally.forgotten(self.instance)?;
        let deleted = self.deleted();
        if counted < deleted && !self.warned {
            self.warned = true;
            log::error!(
                "{}: the tally was emptied or set back: {} journals that it once had are deleted \
                 already, and their shares are missing from it. What the journals still hold is \
                 added again by itself. Restore a backup of the tally, or run `romp rebuild {}` \
                 when your release has it",
                self.id,
                deleted - counted,
                self.id
            );
        }
        Ok(tally)
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
                self.tails.insert(name, Tail::new(stream, path, position, unix_ms()));
            }
        }
        Ok(())
    }

    fn deleted_path(&self) -> PathBuf {
        journal::folder(&self.data_dir, &self.id).join("deleted")
    }

    /// How many added streams have been deleted here, as the journal's folder says.
    fn deleted(&self) -> u64 {
        let text = std::fs::read_to_string(self.deleted_path()).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Deletes old streams that were added and have no writer any more, and trims the tally.
    /// `occupied` says whether a worker lives in a slot. Times in unix ms.
    ///
    /// # Errors
    /// What the tally said.
    pub(super) fn sweep(
        &mut self,
        now: u64,
        occupied: &dyn Fn(usize) -> bool,
    ) -> Result<(), TallyError> {
        let Some(mut tally) = self.tally.take() else { return Ok(()) };
        tally.trim((now / 60_000).saturating_sub(MINUTES_KEPT))?;
        // A tally that was emptied while no share came shows it only when asked: without a tally
        // at hand the next turn opens it anew and goes on from where it stands.
        let there = tally.positions()?;
        if self
            .tails
            .values()
            .any(|tail| tail.position != there.get(&tail.stream.name).copied().unwrap_or(0))
        {
            log::warn!("{}: the tally was set back: adding from where it stands", self.id);
            return Ok(());
        }
        let mut gone = Vec::new();
        for name in self.old(now, occupied) {
            let Some(tail) = self.tails.get(&name) else { continue };
            // The file first: a position without a file is harmless, a file without a position
            // would be counted again.
            match journal::delete(&tail.path) {
                Ok(()) => {}
                // Its writer lives after all: slots are looked at by time, and clocks are set.
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => {
                    log::warn!("{}: {}: cannot be deleted: {error}", self.id, tail.path.display());
                    continue;
                }
            }
            if tail.position > 0 {
                gone.push(name.clone());
            }
            self.tails.remove(&name);
        }
        // Left over from a stop between the two steps above.
        gone.extend(self.stored.keys().filter(|name| self.is_lost(name, now)).cloned());
        gone.sort();
        gone.dedup();
        if !gone.is_empty() {
            // A power cut must not bring a file back whose position is forgotten.
            let folder = journal::folder(&self.data_dir, &self.id);
            let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| self.trouble(&error))?;
            let count = tally.forget(self.instance, &gone)?;
            self.stored.retain(|name, _| !gone.contains(name));
            // If this fails, a tally that is set back later goes unnoticed; nothing is miscounted.
            let written = std::fs::write(self.deleted_path(), format!("{count}\n"));
            if let Err(error) = written {
                log::warn!("{}: {}: {error}", self.id, self.deleted_path().display());
            }
            log::info!("{}: deleted {} old journals, all of them added", self.id, gone.len());
        }
        self.tally = Some(tally);
        Ok(())
    }

    /// Streams that may be deleted; closes the others that are no longer written.
    fn old(&mut self, now: u64, occupied: &dyn Fn(usize) -> bool) -> Vec<String> {
        // By writer: the streams in the order they were begun; each ended when the next began.
        let mut writers: BTreeMap<(u16, usize), Vec<&Stream>> = BTreeMap::new();
        for tail in self.tails.values() {
            let stream = &tail.stream;
            writers.entry((stream.instance, stream.slot)).or_default().push(stream);
        }
        let mut ends: BTreeMap<String, Option<u64>> = BTreeMap::new();
        for streams in writers.values_mut() {
            streams.sort_by_key(|stream| (stream.created, stream.name.len(), &stream.name));
            let next = streams.iter().skip(1).map(|stream| Some(stream.created)).chain([None]);
            for (stream, end) in streams.iter().zip(next) {
                ends.insert(stream.name.clone(), end);
            }
        }
        let mut old = Vec::new();
        for (name, tail) in &mut self.tails {
            let end = ends.get(name).copied().flatten();
            if end.is_none() && occupied(tail.stream.slot) {
                continue;
            }
            tail.close_if_done();
            let empty = tail.length().is_some_and(|length| length <= HEADER_LEN);
            let (since, keep) = match empty {
                true => (tail.stream.created, KEEP_EMPTY),
                false => (end.unwrap_or(tail.first_seen).max(tail.last_record), KEEP),
            };
            if (empty || tail.is_done()) && now.saturating_sub(since) >= keep {
                old.push(name.clone());
            }
        }
        old
    }

    /// Whether a position is that of a file of this machine that is gone since long.
    fn is_lost(&self, name: &str, now: u64) -> bool {
        !self.tails.contains_key(name)
            && Stream::from_name(name).is_some_and(|stream| {
                stream.instance == self.instance && now.saturating_sub(stream.created) >= 2 * KEEP
            })
    }
}

#[cfg(test)]
pub(super) mod tests;
