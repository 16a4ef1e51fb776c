//! What a coin's books do once a minute: journals that were added long ago are deleted, after the
//! tally was copied to disk.

use super::Coin;
use crate::journal::{self, HEADER_LEN, Stream};
use crate::ledger::{MINUTES_KEPT, TallyError, checkpoint};
use std::collections::BTreeMap;

/// How long journals are kept after everything in them was added (reliability 4.1.5), ms.
pub(in crate::bookkeeper) const KEEP: u64 = 72 * 3_600_000;
/// How much longer they are kept while history lacks them, ms: it is a picture of the past, and must
/// not fill the disk.
pub(super) const KEEP_FOR_HISTORY: u64 = 48 * 3_600_000;
/// How long files without any record are kept, ms.
const KEEP_EMPTY: u64 = 3_600_000;
/// Between two checkpoints, ms.
pub(super) const EVERY: u64 = 3_600_000;

impl Coin {
    /// Deletes old streams that were added and have no writer any more, and trims the tally.
    /// `occupied` says whether a worker lives in a slot. Times in unix ms.
    ///
    /// # Errors
    /// What the tally said.
    pub(in crate::bookkeeper) fn sweep(
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
        self.tell_of_foreign_files();
        let mut old = self.old(now, occupied);
        if let Some(written) = &self.written {
            old.retain(|name| {
                self.tails.get(name).is_some_and(|tail| written.has(name, tail.position))
            });
        }
        self.leave_to_history(&mut old, now, occupied);
        // What the files hold must be on disk elsewhere first. Not each minute: the copy is large.
        let added = |name: &String| self.tails.get(name).is_some_and(|tail| tail.position > 0);
        let due = match self.copied_at {
            None => old.iter().any(added),
            Some(at) => now.abs_diff(at) >= EVERY,
        };
        let copied = match due {
            true => checkpoint::write(&self.data_dir, &self.id, &mut *tally, &there, now),
            false => Ok(false),
        };
        if let Err(error) = &copied {
            log::error!(
                "{}: no copy of the ledger: {error}. Journals are kept until then",
                self.id
            );
            return Ok(());
        }
        let copied = copied.is_ok_and(|copied| copied);
        if !copied {
            old.retain(|name| !added(name));
        }
        if copied || !due {
            self.copied_at.get_or_insert(now);
        }
        if copied {
            self.copied_at = Some(now);
        }
        let (mut gone, mut lacking) = (Vec::new(), 0);
        let mut deleted = self.deleted();
        for name in old {
            let Some(tail) = self.tails.get(&name) else { continue };
            let length = tail.position;
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
            lacking += usize::from(!self.is_in_history(&name, length));
            if length > 0 {
                deleted.last.push((name.clone(), length));
                gone.push(name.clone());
            }
            self.tails.remove(&name);
        }
        if lacking > 0 {
            log::error!(
                "{}: {lacking} journals are deleted, and history could not be written for two days \
                 more: it will lack what they held",
                self.id
            );
        }
        // Left over from a stop between the two steps above.
        for (name, &length) in self.stored.iter().filter(|(name, _)| self.is_lost(name, now)) {
            if !gone.contains(name) {
                deleted.last.push((name.clone(), length));
                gone.push(name.clone());
            }
        }
        if !gone.is_empty() {
            // A power cut must not bring a file back whose position is forgotten.
            let folder = journal::folder(&self.data_dir, &self.id);
            let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| self.trouble(&error))?;
            deleted.count = tally.forget(self.instance, &gone)?;
            self.stored.retain(|name, _| !gone.contains(name));
            // If this fails, a tally that is set back later goes unnoticed; nothing is miscounted.
            let written = self.remember(&deleted);
            if let Err(error) = written {
                log::warn!("{}: {}: {error}", self.id, self.deleted_path().display());
            }
            log::info!("{}: deleted {} old journals, all of them added", self.id, gone.len());
        }
        self.tally = Some(tally);
        Ok(())
    }

    /// Keeps what history lacks, unless it has had two days more for it.
    fn leave_to_history(
        &mut self,
        old: &mut Vec<String>,
        now: u64,
        occupied: &dyn Fn(usize) -> bool,
    ) {
        if self.history.is_none() {
            return;
        }
        let overdue = self.old(now.saturating_sub(KEEP_FOR_HISTORY), occupied);
        old.retain(|name| {
            let position = self.tails.get(name).map_or(0, |tail| tail.position);
            self.is_in_history(name, position) || overdue.contains(name)
        });
    }

    /// Whether history has a stream up to an offset, or nobody keeps one.
    fn is_in_history(&self, name: &str, position: u64) -> bool {
        self.history.as_ref().is_none_or(|history| history.has(name, position))
    }

    /// Says once of each file in the folder that is none of ours.
    fn tell_of_foreign_files(&mut self) {
        for name in journal::foreign(&self.data_dir, &self.id).unwrap_or_default() {
            if !self.foreign.contains(&name) {
                log::error!(
                    "{}: {}: `{}` is no journal of romp: it is neither read nor deleted. Move it \
                     elsewhere",
                    self.id,
                    journal::folder(&self.data_dir, &self.id).display(),
                    name.escape_default()
                );
                self.foreign.insert(name);
            }
        }
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
