//! Journals: append-only files, one per worker and coin, that say what was accepted; and the vault
//! of found blocks.
//!
//! `dataDir/journal/<coin>/<stream>.log`; `dataDir/vault/<coin>/<hash>.json`.

mod frame;
mod lag;
mod reader;
mod record;
pub mod vault;
mod writer;

pub use frame::{FRAME_MOST, HEADER_LEN, Header};
pub use lag::{Lag, lag};
pub use reader::{OpenError, Peek, Reader};
pub use record::{Answer, BlockFound, Outcome, Record, Row, Verdict};
pub use writer::Writer;

use crate::stratum::Unit;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// One journal file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// Its name without `.log`: `{instance:04x}-{unix_ms:012x}-{slot:02x}`, `-{n}` on a collision.
    pub name: String,
    /// Machine that wrote it (`instanceId`).
    pub instance: u16,
    /// When it was begun, unix milliseconds.
    pub created: u64,
    /// Slot of the worker that wrote it.
    pub slot: usize,
}

impl Stream {
    /// Reads a stream's name; `None` for files that are something else.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut parts = name.splitn(4, '-');
        let instance = u16::from_str_radix(parts.next()?, 16).ok()?;
        let created = u64::from_str_radix(parts.next()?, 16).ok()?;
        let slot = usize::from_str_radix(parts.next()?, 16).ok()?;
        if let Some(counter) = parts.next() {
            counter.parse::<u32>().ok()?;
        }
        Some(Self { name: name.to_owned(), instance, created, slot })
    }
}

/// The folder of a coin's journals.
#[must_use]
pub fn folder(data_dir: &Path, coin: &str) -> PathBuf {
    data_dir.join("journal").join(coin)
}

/// The file of a stream.
#[must_use]
pub fn path(data_dir: &Path, coin: &str, stream: &str) -> PathBuf {
    folder(data_dir, coin).join(format!("{stream}.log"))
}

/// A coin's streams, oldest name first. No folder yet: none.
///
/// # Errors
/// When the folder cannot be read.
pub fn streams(data_dir: &Path, coin: &str) -> io::Result<Vec<Stream>> {
    let entries = match std::fs::read_dir(folder(data_dir, coin)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let stream = name.to_str().and_then(|name| name.strip_suffix(".log"));
        found.extend(stream.and_then(Stream::from_name));
    }
    found.sort();
    Ok(found)
}

/// Files in a coin's folder whose names say that they are no streams, though they end in `.log`.
/// Never read and never deleted.
///
/// # Errors
/// When the folder cannot be read.
pub fn foreign(data_dir: &Path, coin: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(data_dir, coin))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stream = name.strip_suffix(".log");
        if stream.is_some_and(|stream| Stream::from_name(stream).is_none()) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Deletes a stream's file, unless its writer lives. No such file: done already.
///
/// # Errors
/// `WouldBlock` when it has a writer; else what the system said.
pub fn delete(path: &Path) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match File::open(path) {
        Err(error) if gone(&error) => return Ok(()),
        file => file?,
    };
    // Where locks do not work the writer has none either.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if gone(&error) => Ok(()),
        removed => removed,
    }
}

/// The unit in which a coin's work is counted: reads `journal/<coin>/unit`, or makes it with
/// `wanted`. Of several processes that make it at once, one wins and all return its unit.
///
/// # Errors
/// When the file can be neither read nor made, or holds no exponent.
pub fn unit(data_dir: &Path, coin: &str, wanted: Unit) -> io::Result<Unit> {
    let folder = folder(data_dir, coin);
    let path = folder.join("unit");
    if let Some(unit) = read_unit(&path)? {
        return Ok(unit);
    }
    make_folder(&folder)?;
    let temporary = folder.join(format!(".unit.{}", std::process::id()));
    let mut file = create(&temporary)?;
    file.write_all(format!("{}\n", wanted.0).as_bytes())?;
    file.sync_data()?;
    let linked = std::fs::hard_link(&temporary, &path);
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    read_unit(&path)?.ok_or_else(|| io::Error::other(format!("{}: vanished", path.display())))
}

/// The unit of a coin that has one.
///
/// # Errors
/// When the file cannot be read, or holds no exponent.
pub fn known_unit(data_dir: &Path, coin: &str) -> io::Result<Option<Unit>> {
    read_unit(&folder(data_dir, coin).join("unit"))
}

fn read_unit(path: &Path) -> io::Result<Option<Unit>> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(text) => text.trim().parse().map(|exponent| Some(Unit(exponent))).map_err(|_| {
            let words = format!(
                "{}: holds `{}`, not the exponent of the coin's unit; write the one that the \
                 ledger names back into it",
                path.display(),
                text.trim().escape_default()
            );
            io::Error::new(io::ErrorKind::InvalidData, words)
        }),
    }
}

/// Makes a folder and its parents, for the pool's user and group only.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Creates (or empties) a private file for writing.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
