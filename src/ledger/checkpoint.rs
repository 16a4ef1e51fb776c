//! The checkpoint: a copy of a tally's sums on disk, so that an emptied tally can be filled again
//! exactly although old journals are deleted.
//!
//! `dataDir/checkpoint/<coin>/sums` holds the sums, the current round and the positions;
//! `<block hash>.round` a closed round. A round is written as `<block hash>.new` first, the sums
//! name the new ones, and only then they get their name: a round belongs to the checkpoint when it
//! is a `.round`, or a `.new` that the sums name. Each file is a line of JSON and its CRC-32, and
//! appears whole.

use super::{BlockRow, Minute, Tally, TallyError};
use crate::chain::Hash;
use crate::journal::{create, make_folder};
use crate::stratum::{Unit, Weight};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Newest blocks that are looked at (as many as Redis keeps): older ones are filed already.
const NEWEST: u32 = 10_000;
/// All of a tally but its closed rounds, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Unit of the weights, as exponent; `None` before the first share.
    pub unit: Option<i8>,
    /// Shares accepted since ever.
    pub accepted: u64,
    /// Blocks found since ever.
    pub blocks: u64,
    /// When the current round began, unix milliseconds.
    pub round_started: Option<u64>,
    /// Streams deleted since ever, by instance (four hexadecimal digits).
    pub deleted: BTreeMap<String, u64>,
    /// How far each stream has been added.
    pub positions: BTreeMap<String, u64>,
    /// Refused shares by the reason's name.
    pub rejected: BTreeMap<String, u64>,
    /// Work by worker name, of the current round.
    pub round: BTreeMap<String, Weight>,
    /// PPLNS: the newest work in slices by number, by worker name.
    #[serde(default)]
    pub slices: BTreeMap<u64, BTreeMap<String, Weight>>,
    /// Accepted work by minute since 1970.
    pub minutes: BTreeMap<u64, Minute>,
}

impl Sums {
    /// Takes over a number that both tallies keep under this name in `meta`.
    pub(super) fn take_meta(&mut self, name: &str, value: u64) {
        match name {
            "accepted" => self.accepted = value,
            "blocks" => self.blocks = value,
            "round_started" => self.round_started = Some(value),
            _ => {
                if let Some(instance) = name.strip_prefix("deleted-") {
                    self.deleted.insert(instance.to_owned(), value);
                }
            }
        }
    }
}

/// A closed round with its block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// The block and what became of it.
    pub block: BlockRow,
    /// Unit of the weights, as exponent.
    pub unit: Option<i8>,
    /// Work by worker name.
    pub miners: BTreeMap<String, Weight>,
}

/// What `sums` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    /// When it was written, unix milliseconds: for the log.
    time: u64,
    sums: Sums,
    /// Rounds that are to be read from `.new` until they have their name.
    fresh: Vec<Hash>,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// When it was written, unix milliseconds.
    pub time: u64,
    /// The sums.
    pub sums: Sums,
    fresh: BTreeSet<Hash>,
}

/// The folder of a coin's checkpoint.
#[must_use]
pub fn folder(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("checkpoint").join(coin)
}

/// Writes a file whole or not at all: over a good one it never leaves half of another.
fn store(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string(value)?;
    let crc = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("\n{crc:08x}\n"));
    let part = path.with_extension("part");
    let written = create(&part)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        let _ = std::fs::remove_file(part); // room for others, on a full disk
    }
    written
}

fn load<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let text = std::fs::read_to_string(path)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong");
    let (json, crc) = text.trim_end().rsplit_once('\n').ok_or_else(damaged)?;
    if u32::from_str_radix(crc, 16) != Ok(crc32fast::hash(json.as_bytes())) {
        return Err(damaged());
    }
    serde_json::from_str(json).map_err(io::Error::from)
}

fn trouble(path: &Path) -> impl Fn(io::Error) -> TallyError + '_ {
    |error| TallyError::Unavailable {
        place: path.display().to_string(),
        words: format!(
            "{error}; this is the copy of the ledger that an emptied one is filled from"
        ),
    }
}

/// Writes a checkpoint of the tally, which stands at `there` or further; `false`: it does not, or
/// changed meanwhile, and nothing is replaced. `now` in unix milliseconds.
///
/// # Errors
/// What the tally or the disk said, or that the tally holds less than its copy. The checkpoint
/// before is whole then.
pub fn write(
    data_dir: &Path,
    coin: &str,
    tally: &mut dyn Tally,
    there: &BTreeMap<String, u64>,
    now: u64,
) -> Result<bool, TallyError> {
    let folder = folder(data_dir, coin);
    let fail = trouble(&folder);
    make_folder(&folder).map_err(&fail)?;
    let before = match read(data_dir, coin) {
        Err(error) => {
            log::error!("{coin}: {error}. It is written anew");
            None
        }
        read => read?,
    };
    if let Some(before) = &before {
        // What it has named but not renamed any more.
        name_fresh(&folder, &before.fresh).map_err(&fail)?;
    }
    let sums = tally.sums()?;
    let reaches = |there: &BTreeMap<String, u64>, all: bool| {
        there.iter().all(|(name, at)| sums.positions.get(name).map_or(!all, |now| now >= at))
    };
    if !reaches(there, true) {
        return Ok(false);
    }
    if let Some(before) = before.as_ref().map(|before| &before.sums)
        && (sums.accepted < before.accepted || sums.blocks < before.blocks)
    {
        if !reaches(&before.positions, false) {
            return Ok(false); // another machine is about to add to it what it held before
        }
        return Err(TallyError::Damaged {
            place: format!("ledger of {coin}"),
            words: format!(
                "it holds {} shares and {} blocks, its copy of before in {} holds {} and {}",
                sums.accepted,
                sums.blocks,
                folder.display(),
                before.accepted,
                before.blocks
            ),
        });
    }
    // The first one files all that there are.
    let all = tally.overview(if before.is_some() { NEWEST } else { u32::MAX })?;
    let mut fresh = BTreeSet::new();
    for block in all.blocks {
        let hash = block.found.hash;
        // The work of a closed round stays; what daemons say of its block may come late.
        let filed = load::<Closed>(&folder.join(format!("{hash}.round")));
        if filed.is_ok_and(|filed| filed.block == block && filed.unit == sums.unit) {
            continue;
        }
        let closed = Closed { miners: tally.round(&hash)?, unit: sums.unit, block };
        store(&folder.join(format!("{hash}.new")), &closed).map_err(&fail)?;
        fresh.insert(hash);
    }
    // Another machine may add to the same tally, which is no harm until it closes a round: the
    // rounds must be those of these sums, and must not have been read while all was emptied.
    let after = tally.positions()?;
    let stayed = |(name, at): (&String, &u64)| after.get(name).is_some_and(|now| now >= at);
    if all.blocks_found != sums.blocks || !sums.positions.iter().all(stayed) {
        return Ok(false);
    }
    let page = Page { time: now, sums, fresh: fresh.iter().copied().collect() };
    sync(&folder)
        .and_then(|()| store(&folder.join("sums"), &page))
        .and_then(|()| sync(&folder))
        .and_then(|()| name_fresh(&folder, &fresh))
        .map_err(&fail)?;
    Ok(true)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn name_fresh(folder: &Path, fresh: &BTreeSet<Hash>) -> io::Result<()> {
    for hash in fresh {
        let named = folder.join(format!("{hash}.round"));
        match std::fs::rename(folder.join(format!("{hash}.new")), named) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync(folder)
}

/// A coin's checkpoint; `None` when none was written yet.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(data_dir: &Path, coin: &str) -> Result<Option<Checkpoint>, TallyError> {
    let folder = folder(data_dir, coin);
    let path = folder.join("sums");
    match load::<Page>(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(&path)(error)),
        Ok(Page { time, sums, fresh }) => {
            Ok(Some(Checkpoint { folder, time, sums, fresh: fresh.into_iter().collect() }))
        }
    }
}

/// Puts sums aside that cannot be read, so that a tally can be filled without them.
///
/// # Errors
/// When they cannot be renamed.
pub fn set_aside(data_dir: &Path, coin: &str) -> Result<(), TallyError> {
    let path = folder(data_dir, coin).join("sums");
    std::fs::rename(&path, path.with_extension("damaged")).map_err(trouble(&path))
}

impl Checkpoint {
    /// Its unit.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        self.sums.unit.map(Unit)
    }

    /// Its closed rounds, one after the other.
    ///
    /// # Errors
    /// When the folder cannot be read; each round tells its own.
    pub fn rounds(
        &self,
    ) -> Result<impl Iterator<Item = Result<Closed, TallyError>> + use<>, TallyError> {
        let mut hashes = self.fresh.clone();
        for entry in std::fs::read_dir(&self.folder).map_err(trouble(&self.folder))? {
            let name = entry.map_err(trouble(&self.folder))?.file_name();
            let hash = name.to_str().and_then(|name| name.strip_suffix(".round"));
            hashes.extend(hash.and_then(Hash::from_display));
        }
        let (folder, fresh) = (self.folder.clone(), self.fresh.clone());
        Ok(hashes.into_iter().map(move |hash| {
            let new = folder.join(format!("{hash}.new"));
            let named = folder.join(format!("{hash}.round"));
            let path = if fresh.contains(&hash) && new.exists() { new } else { named };
            load(&path).map_err(trouble(&path))
        }))
    }
}
