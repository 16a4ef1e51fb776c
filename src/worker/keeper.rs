//! The starts of living and departed miners on the disk, so that who comes back after the end of
//! all processes, planned or not, starts where it was.
//!
//! Each worker writes a file of its own, `dataDir/starts/<slot>.json`, from a helper thread: every
//! [`EVERY_MS`] at most, without waiting for the disk. A new worker reads the files of all. What is
//! lost costs a miner some minutes of a wrong rate, so nothing here is an error.

use super::starts::{Key, OWN_MS, network};
use super::{Now, Worker};
use crate::net::helper;
use crate::stratum::{Difficulty, Session, Start, Unit};
use crate::sys::clock::unix_ms;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Milliseconds between two looks at all miners, each followed by a write if something is new.
const EVERY_MS: u64 = 5000;
/// Milliseconds until starts that only end later by now are written again.
const LATER_MS: u64 = 60_000;
/// Starts in one file, those that end last: 3 MB.
const MOST: usize = 20_000;
/// Starts that a new worker reads from all files.
pub(super) const MOST_READ: usize = 100_000;
/// Bytes of a file that are read.
const MOST_BYTES: u64 = 16 << 20;

/// A start in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    coin: String,
    /// The worker's.
    name: String,
    /// Where it mined from.
    network: IpAddr,
    /// The ledger's unit may be another one when this is read.
    difficulty: f64,
    /// Unix milliseconds.
    until: u64,
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("starts")
}

/// What is read at a worker's start: the key, the start, and for how many milliseconds more.
pub(super) type Kept = (Key, Start, u64);

/// Every start that workers have left, of coins that have a unit here. The newest comes last.
pub(super) fn load(data_dir: &Path, unit: impl Fn(&str) -> Option<Unit>) -> Vec<Kept> {
    let now = unix_ms();
    let files = fs::read_dir(folder(data_dir)).into_iter().flatten().flatten();
    let mut entries = Vec::new();
    for path in files.map(|file| file.path()) {
        if path.extension().is_some_and(|extension| extension == "json") {
            entries.extend(living(read(&path), now));
        } else if is_old(&path) {
            // Somebody was killed while writing.
            let _ = fs::remove_file(&path);
        }
    }
    entries.sort_by_key(|entry: &Entry| entry.until);
    let surplus = entries.len().saturating_sub(MOST_READ);
    let kept = entries.into_iter().skip(surplus).filter_map(|entry| {
        let start = Start::at(Difficulty::nearest(entry.difficulty, unit(&entry.coin)?));
        let left = entry.until.saturating_sub(now);
        Some(((entry.coin, entry.name, entry.network), start, left))
    });
    kept.collect()
}

/// Those that have not ended; none lasts longer than a start that is made now.
fn living(entries: Vec<Entry>, now: u64) -> impl Iterator<Item = Entry> {
    let latest = now.saturating_add(OWN_MS);
    entries
        .into_iter()
        .map(move |entry| Entry { until: entry.until.min(latest), ..entry })
        .filter(move |entry| entry.until > now && entry.difficulty > 0.0)
}

fn read(path: &Path) -> Vec<Entry> {
    let text = File::open(path).and_then(|file| {
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text).map(|_| text)
    });
    let entries = text.and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
    match entries {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            log::warn!(
                "{}: {error}; miners who come back begin with their port's difficulty",
                path.display()
            );
            Vec::new()
        }
    }
}

fn is_old(path: &Path) -> bool {
    const OLD: Duration = Duration::from_secs(60);
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD))
}

/// The loop's side.
#[derive(Debug)]
pub(super) struct Keeper {
    thread: JoinHandle<()>,
    sender: SyncSender<Vec<Entry>>,
    /// What the thread is to be told.
    notes: Vec<Entry>,
    /// This round looks at all miners.
    is_collecting: bool,
    /// Monotonic milliseconds of the next such round.
    next: u64,
}

impl Keeper {
    /// Starts the thread. What the slot's file holds already is kept.
    pub(super) fn new(data_dir: &Path, slot: usize, now: Now) -> io::Result<Self> {
        let (sender, notes) = sync_channel(1);
        let folder = folder(data_dir);
        let file = folder.join(format!("{slot:02}.json"));
        let thread = helper::spawn("starts", move || write_down(&folder, &file, &notes))?;
        let next = now.mono.saturating_add(EVERY_MS);
        Ok(Self { thread, sender, notes: Vec::new(), is_collecting: false, next })
    }

    /// Takes note of a miner that is here, or leaves. One that never sent a share says nothing.
    pub(super) fn note(&mut self, coin: &str, session: &Session, address: IpAddr, now: Now) {
        let Some(start) = session.parting(now.mono).filter(Start::has_shares) else { return };
        for name in session.workers() {
            if self.notes.len() >= MOST {
                return;
            }
            self.notes.push(Entry {
                coin: coin.to_owned(),
                name: name.to_owned(),
                network: network(address),
                difficulty: start.difficulty().as_f64(),
                until: now.unix.saturating_add(OWN_MS),
            });
        }
    }

    /// A second's round of all miners begins.
    pub(super) fn begin(&mut self, now: Now) {
        self.is_collecting = self.next <= now.mono;
    }

    /// Whether this round looks at all miners.
    pub(super) const fn is_collecting(&self) -> bool {
        self.is_collecting
    }

    /// The round is over. A thread that is still at the last one's (a slow disk) is not waited for.
    pub(super) fn end(&mut self, now: Now) {
        if !std::mem::take(&mut self.is_collecting) {
            return;
        }
        self.next = now.mono.saturating_add(EVERY_MS);
        let refused = self.sender.try_send(std::mem::take(&mut self.notes));
        drop(refused);
    }

    /// Writes the last notes, and waits until that is done.
    fn finish(self) {
        let _ = self.sender.send(self.notes);
        drop(self.sender);
        let _ = self.thread.join();
    }
}

/// The thread.
fn write_down(folder: &Path, file: &Path, batches: &Receiver<Vec<Entry>>) {
    let mut all = HashMap::new();
    merge(&mut all, living(read(file), unix_ms()));
    let (mut is_new, mut failed, mut written_at) = (false, false, 0);
    for batch in batches {
        let now = unix_ms();
        is_new |= !batch.is_empty() && now.abs_diff(written_at) >= LATER_MS;
        is_new |= merge(&mut all, batch.into_iter());
        bound(&mut all, now);
        if !is_new {
            continue;
        }
        let written = write(folder, file, &all);
        (is_new, written_at) = (written.is_err(), now);
        if let Err(error) = &written
            && !failed
        {
            log::warn!(
                "{}: {error}; after a restart miners begin with their port's difficulty",
                file.display()
            );
        }
        failed = written.is_err();
    }
}

type All = HashMap<Key, Entry>;

/// Takes entries over; whether there is a name or a difficulty that was not known.
fn merge(all: &mut All, entries: impl Iterator<Item = Entry>) -> bool {
    let mut is_new = false;
    for entry in entries {
        let key = (entry.coin.clone(), entry.name.clone(), entry.network);
        let difficulty = entry.difficulty.to_bits();
        let known = all.insert(key, entry);
        is_new |= known.is_none_or(|known| known.difficulty.to_bits() != difficulty);
    }
    is_new
}

/// Forgets what has ended, and the first of too many.
fn bound(all: &mut All, now: u64) {
    all.retain(|_, entry| entry.until > now);
    if all.len() > MOST {
        let mut list: Vec<(Key, Entry)> = all.drain().collect();
        list.sort_unstable_by_key(|(_, entry)| std::cmp::Reverse(entry.until));
        all.extend(list.into_iter().take(MOST));
    }
}

fn write(folder: &Path, file: &Path, all: &All) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let entries: Vec<&Entry> = all.values().collect();
    // The worker that had this slot may still be about to end, with another process id.
    let new = file.with_extension(std::process::id().to_string());
    let written = serde_json::to_vec(&entries)
        .map_err(io::Error::other)
        .and_then(|json| File::create(&new)?.write_all(&json))
        .and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

impl Worker {
    /// Takes note of a miner, when this round is for that.
    pub(super) fn note_start(&mut self, key: usize, now: Now) {
        if !self.keeper.as_ref().is_some_and(Keeper::is_collecting) {
            return;
        }
        let miner = self.miners.get(key);
        let coin = miner.and_then(|miner| self.gates.get(&miner.port)).map(|gate| &gate.coin);
        if let (Some(miner), Some(coin), Some(keeper)) = (miner, coin, &mut self.keeper) {
            keeper.note(coin, &miner.session, miner.address, now);
        }
    }

    /// Writes down with which difficulty everybody who is still here would start.
    pub(super) fn keep_starts(&mut self, now: Now) {
        let Some(mut keeper) = self.keeper.take() else { return };
        for (_, miner) in &self.miners {
            if let Some(gate) = self.gates.get(&miner.port) {
                keeper.note(&gate.coin, &miner.session, miner.address, now);
            }
        }
        keeper.finish();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(name: &str, difficulty: f64, until: u64) -> Entry {
        let network = IpAddr::from([203, 0, 113, 0]);
        Entry { coin: "c".to_owned(), name: name.to_owned(), network, difficulty, until }
    }

    fn all(entries: impl IntoIterator<Item = Entry>) -> All {
        let mut all = All::new();
        assert!(merge(&mut all, entries.into_iter()));
        all
    }

    fn loaded(data_dir: &Path) -> Vec<(String, f64, u64)> {
        let kept = load(data_dir, |coin| (coin == "c").then_some(Unit(-4)));
        let plain = kept.into_iter().map(|((_, name, _), start, left)| {
            (name, start.difficulty().as_f64(), left.div_ceil(1000))
        });
        plain.collect()
    }

    #[test]
    fn all_files_are_read_the_newest_last_and_garbage_is_passed_over() {
        let (dir, now) = (tempfile::tempdir().unwrap(), unix_ms());
        assert_eq!(loaded(dir.path()), []);
        let folder = folder(dir.path());
        let file = |name: &str| folder.join(name);
        let foreign = Entry { coin: "other".to_owned(), ..entry("b", 1.0, now + 9000) };
        let mine = [entry("a", 512.0, now + 60_000), entry("gone", 1.0, now), foreign];
        write(&folder, &file("00.json"), &all(mine)).unwrap();
        let late = entry("late", 0.25, now + 10 * OWN_MS);
        let other = [entry("a", 8.0, now + 30_000), late, entry("none", -1.0, now + 9000)];
        write(&folder, &file("07.json"), &all(other)).unwrap();
        for garbage in ["", "[{", "{}", "\u{0}\u{0}"] {
            fs::write(file("01.json"), garbage).unwrap();
            let a = |difficulty, left| ("a".to_owned(), difficulty, left);
            let late = ("late".to_owned(), 0.25, OWN_MS / 1000);
            assert_eq!(loaded(dir.path()), [a(8.0, 30), a(512.0, 60), late], "{garbage:?}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "no file in between is left");
    }

    #[test]
    fn only_news_are_worth_a_write() {
        let mut known = all([entry("a", 8.0, 100_000)]);
        let mut is_new = |entry| merge(&mut known, [entry].into_iter());
        assert!(!is_new(entry("a", 8.0, 105_000)));
        assert!(is_new(entry("a", 16.0, 105_000)));
        assert!(is_new(entry("b", 16.0, 105_000)));
        assert_eq!(known.values().map(|entry| entry.until).max(), Some(105_000));
    }

    #[test]
    fn the_bound_holds() {
        let many = (0..).take(MOST + 500).map(|at| entry(&at.to_string(), 1.0, 1000 + at));
        let mut many = all(many);
        bound(&mut many, 1100);
        assert_eq!(many.len(), MOST);
        assert!(many.values().all(|entry| entry.until >= 1500), "the first to end go first");
        bound(&mut many, 1_000_000);
        assert!(many.is_empty());
        let mut equal = all((0..=MOST).map(|at| entry(&at.to_string(), 1.0, 2000)));
        bound(&mut equal, 1100);
        assert_eq!(equal.len(), MOST);
    }
}
