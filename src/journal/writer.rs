//! The writing end of a journal: one per worker and coin.

use super::frame::{self, Header};
use super::{HEADER_LEN, Record};
use crate::stratum::Unit;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes after which a new stream is begun: small enough to delete in steps, large enough that
/// files stay few.
const ROTATE_AT: u64 = 64 << 20;

/// Appends records to a stream. Nothing is written before [`Writer::commit`].
#[derive(Debug)]
pub struct Writer {
    data_dir: PathBuf,
    coin: String,
    instance: u16,
    slot: usize,
    unit: Unit,
    current: Option<Open>,
    /// Streams left behind with bytes that no helper has synced yet.
    unsynced: Vec<File>,
    buffer: Vec<u8>,
    last_time: u64,
    rotate_at: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    name: String,
    length: u64,
    dirty: bool,
}

impl Writer {
    /// Begins a new stream of the coin in `data_dir`, which no other process ever writes.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn open(
        data_dir: &Path,
        coin: &str,
        instance: u16,
        slot: usize,
        unit: Unit,
        now_unix_ms: u64,
    ) -> io::Result<Self> {
        let mut writer = Self {
            data_dir: data_dir.to_owned(),
            coin: coin.to_owned(),
            instance,
            slot,
            unit,
            current: None,
            unsynced: Vec::new(),
            buffer: Vec::new(),
            last_time: now_unix_ms,
            rotate_at: ROTATE_AT,
        };
        writer.current = Some(writer.begin()?);
        Ok(writer)
    }

    /// Puts a record into the buffer. A time before that of the record before it is raised to it:
    /// times never go back in a stream, whatever the clock does.
    pub fn push(&mut self, record: &Record) {
        self.last_time = self.last_time.max(record.time());
        frame::encode(record, self.last_time, &mut self.buffer);
    }

    /// Writes what was pushed, with one `write` (a helper's sync makes it safe from power cuts).
    ///
    /// # Errors
    /// Nothing of the buffer counts then: it is dropped, and what a part of it left in the file is
    /// cut off again and the stream given up for a new one. The next commit tries anew.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.write(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(open) = &self.current {
            // Somebody deleted the file (or its folder): what goes there nobody will ever count.
            let deleted = open.file.metadata()?.nlink() == 0;
            if deleted || open.length >= self.rotate_at {
                self.abandon();
            }
        }
        let mut open = match self.current.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let mut written = 0_usize;
        let result = loop {
            let rest = bytes.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match open.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if result.is_err() && written > 0 {
            // The bookkeeper may have read whole frames of the part already, so the place is never
            // written again: at worst a refused share counts, never a frame in the middle of one.
            let _ = open.file.set_len(open.length);
            if open.dirty {
                self.unsynced.push(open.file);
            }
            return result;
        }
        if result.is_ok() {
            open.length += bytes.len() as u64;
            open.dirty = true;
        }
        self.current = Some(open);
        result
    }

    /// Makes a new stream's file. The name is new (`O_EXCL`), so nobody else has it.
    fn begin(&self) -> io::Result<Open> {
        super::make_folder(&super::folder(&self.data_dir, &self.coin))?;
        let stem = format!("{:04x}-{:012x}-{:02x}", self.instance, self.last_time, self.slot);
        let mut counter = 0_u32;
        loop {
            let name = if counter == 0 { stem.clone() } else { format!("{stem}-{counter}") };
            let path = super::path(&self.data_dir, &self.coin, &name);
            match OpenOptions::new().append(true).create_new(true).mode(0o640).open(&path) {
                Ok(mut file) => {
                    // Held until the file is closed, also by a kill: nobody deletes it meanwhile.
                    // A file system without locks leaves it to the slot's being occupied.
                    let _ = file.try_lock_shared();
                    let (unit, coin) = (self.unit, self.coin.clone());
                    let header = Header { unit, coin, created: self.last_time };
                    if let Err(error) = file.write_all(&header.encode()) {
                        let _ = std::fs::remove_file(&path);
                        return Err(error);
                    }
                    return Ok(Open { file, name, length: HEADER_LEN, dirty: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    counter = counter.checked_add(1).ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Leaves the stream; the next commit begins a new one. For a helper's failed `sync_data`:
    /// the kernel forgets such an error, so the same file is never trusted again.
    pub fn abandon(&mut self) {
        if let Some(open) = self.current.take()
            && open.dirty
        {
            self.unsynced.push(open.file);
        }
    }

    /// A handle for a helper's `sync_data`, of the oldest file that has bytes since its last
    /// handle. Call it while [`Writer::dirty`]; then everything committed before is covered.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated, or there is no open stream.
    pub fn file(&mut self) -> io::Result<File> {
        if !self.unsynced.is_empty() {
            return Ok(self.unsynced.remove(0));
        }
        let open = self.current.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let file = open.file.try_clone()?;
        open.dirty = false;
        Ok(file)
    }

    /// Whether bytes were committed that no handle of [`Writer::file`] covers yet.
    #[must_use]
    pub fn dirty(&self) -> bool {
        !self.unsynced.is_empty() || self.current.as_ref().is_some_and(|open| open.dirty)
    }

    /// Name of the stream, while one is open.
    #[must_use]
    pub fn stream(&self) -> Option<&str> {
        self.current.as_ref().map(|open| open.name.as_str())
    }

    /// Sets the rotation size, for tests.
    #[cfg(test)]
    pub(super) fn rotate_at(&mut self, bytes: u64) {
        self.rotate_at = bytes;
    }
}
