//! An emptied or set-back tally: noticed, filled again, or waited for.

use super::Coin;
use crate::journal;
use crate::ledger::checkpoint::{self, Checkpoint};
use crate::ledger::{Tally, TallyError};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// What this machine's journal folder remembers of deleted streams.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Deleted {
    /// How many since ever.
    pub(super) count: u64,
    /// The last ones, oldest first: name and length.
    pub(super) last: Vec<(String, u64)>,
}

/// Most deleted streams that are remembered by name.
const REMEMBERED: usize = 10_000;

impl Deleted {
    pub(super) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let count = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(0);
        let last = lines.filter_map(|line| {
            let (name, length) = line.split_once(' ')?;
            Some((name.to_owned(), length.trim().parse().ok()?))
        });
        Self { count, last: last.collect() }
    }

    pub(super) fn text(&self) -> String {
        let skip = self.last.len().saturating_sub(REMEMBERED);
        let lines = self.last.iter().skip(skip).map(|(name, length)| format!("{name} {length}\n"));
        format!("{}\n{}", self.count, lines.collect::<String>())
    }

    /// Streams that a tally knows completely, though it does not know that they were deleted.
    ///
    /// # Errors
    /// How many it lacks.
    pub(super) fn known(
        &self,
        forgotten: u64,
        positions: &BTreeMap<String, u64>,
    ) -> Result<Vec<String>, u64> {
        let missing = self.count.saturating_sub(forgotten);
        let wanted = usize::try_from(missing).unwrap_or(usize::MAX);
        let Some(from) = self.last.len().checked_sub(wanted) else { return Err(missing) };
        let last = self.last.get(from..).unwrap_or_default();
        let complete = |(name, length): &&(String, u64)| positions.get(name) == Some(length);
        let known: Vec<_> = last.iter().filter(complete).map(|(name, _)| name.clone()).collect();
        let lacking = last.len() - known.len();
        if lacking == 0 { Ok(known) } else { Err(lacking as u64) }
    }
}

impl Coin {
    pub(super) fn deleted_path(&self) -> PathBuf {
        journal::folder(&self.data_dir, &self.id).join("deleted")
    }

    /// Which added streams have been deleted here, as the journal's folder says.
    pub(super) fn deleted(&self) -> Deleted {
        Deleted::parse(&std::fs::read_to_string(self.deleted_path()).unwrap_or_default())
    }

    /// Writes what [`Coin::deleted`] reads.
    pub(super) fn remember(&self, deleted: &Deleted) -> std::io::Result<()> {
        let path = self.deleted_path();
        let temporary = path.with_extension("new");
        let mut file = journal::create(&temporary)?;
        file.write_all(deleted.text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(temporary, path)
    }

    /// Opens the tally, fills it if it is empty and a checkpoint is there, and puts every tail
    /// where it stands.
    pub(super) fn connect(&mut self) -> Result<Box<dyn Tally>, TallyError> {
        let mut tally = (self.open)()?;
        tally.renew()?;
        self.stored = tally.positions()?;
        self.empty = self.stored.is_empty() && tally.unit()?.is_none();
        if self.empty
            && let Some(checkpoint) = checkpoint::read(&self.data_dir, &self.id)?
            && tally.restore(&checkpoint.sums, &mut checkpoint.rounds()?)?
        {
            log::error!(
                "{}: the ledger was emptied. It is filled again from the copy of {} s ago in {} \
                 and from the journals since; nothing is lost",
                self.id,
                crate::sys::clock::unix_ms().saturating_sub(checkpoint.time) / 1000,
                checkpoint::folder(&self.data_dir, &self.id).display()
            );
            self.empty = checkpoint.unit().is_none();
            self.stored = tally.positions()?;
        }
        let forgotten = tally.forgotten(self.instance)?;
        match self.deleted().known(forgotten, &self.stored) {
            Ok(known) if known.is_empty() => {}
            Ok(known) => {
                let known: Vec<String> = known
                    .into_iter()
                    .filter(|name| !journal::path(&self.data_dir, &self.id, name).exists())
                    .collect();
                tally.forget(self.instance, &known)?;
                self.stored.retain(|name, _| !known.contains(name));
            }
            Err(missing) => return Err(self.behind(missing)),
        }
        self.tails.retain(|_, tail| tail.length().is_some());
        for (name, tail) in &mut self.tails {
            tail.rewind(self.stored.get(name).copied().unwrap_or(0));
        }
        Ok(tally)
    }

    fn behind(&self, missing: u64) -> TallyError {
        let place = format!("ledger of {}", self.id);
        TallyError::Behind { place, coin: self.id.clone(), missing }
    }

    /// Empties the tally with `clear`, and fills it from the checkpoint and the journals. Returns
    /// what was done, in words. `watermark` as for [`Coin::turn`].
    ///
    /// # Errors
    /// When journals are deleted that no checkpoint covers, and `accept_loss` is not given: then
    /// nothing was changed. Or what the tally said: then it can be begun anew.
    pub(in crate::bookkeeper) fn rebuild(
        &mut self,
        accept_loss: bool,
        clear: &dyn Fn() -> Result<Option<PathBuf>, TallyError>,
        watermark: &dyn Fn() -> u64,
    ) -> Result<String, TallyError> {
        let copy = match checkpoint::read(&self.data_dir, &self.id) {
            // Left where it is, it would be met again when the tally is filled.
            Err(_) if accept_loss => {
                checkpoint::set_aside(&self.data_dir, &self.id)?;
                None
            }
            read => read?,
        };
        // A round that cannot be read would stop the filling when the tally is empty already.
        if let Some(copy) = &copy {
            copy.rounds()?.try_for_each(|round| round.map(drop))?;
        }
        let deleted = self.deleted();
        let instance = format!("{:04x}", self.instance);
        let sums = copy.as_ref().map(|copy| copy.sums.clone()).unwrap_or_default();
        let forgotten = sums.deleted.get(&instance).copied().unwrap_or(0);
        let lacking = deleted.known(forgotten, &sums.positions).err();
        match lacking {
            Some(missing) if !accept_loss => {
                let words = format!(
                    "nothing was changed: {missing} journals are deleted that the copy in {} does \
                     not cover. Restore a backup of the ledger or of that folder; or `romp rebuild \
                     {} --accept-loss` makes a ledger of what is left",
                    checkpoint::folder(&self.data_dir, &self.id).display(),
                    self.id
                );
                return Err(TallyError::Settings { place: self.id.clone(), words });
            }
            Some(_) => {
                // From now on the journals reach as far back as the tally knows.
                let count = Deleted { count: forgotten, last: Vec::new() };
                self.remember(&count).map_err(|error| self.trouble(&error))?;
            }
            None => {}
        }
        self.tally = None;
        let aside = clear()?;
        let mut report = String::new();
        let id = self.id.clone();
        let mut say = |line: String| report.push_str(&format!("{id}: {line}\n"));
        if let Some(aside) = aside {
            say(format!("the ledger before is kept as {}", aside.display()));
        }
        say(from(copy.as_ref()));
        self.tails.clear(); // what is held for damage may have been restored
        while self.turn(watermark(), crate::sys::clock::monotonic_ms())? {}
        let Some(tally) = &mut self.tally else { return Ok(report) };
        let sums = tally.sums()?;
        say(format!(
            "{} shares accepted, {} blocks found, {} workers in the current round",
            sums.accepted,
            sums.blocks,
            sums.round.len()
        ));
        for tail in self.tails.values().filter(|tail| tail.is_held()) {
            say(format!(
                "{} is damaged; what is behind the damage is missing",
                tail.path.display()
            ));
        }
        if let Some(missing) = lacking {
            say(format!("{missing} deleted journals are missing, as you accepted"));
        }
        Ok(report)
    }
}

fn from(copy: Option<&Checkpoint>) -> String {
    match copy {
        Some(copy) => format!(
            "filled from the copy of {} s ago ({} shares, {} blocks) and the journals since",
            crate::sys::clock::unix_ms().saturating_sub(copy.time) / 1000,
            copy.sums.accepted,
            copy.sums.blocks
        ),
        None => "filled from the journals, which reach back to the beginning".to_owned(),
    }
}
