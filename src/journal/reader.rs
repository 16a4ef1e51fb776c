//! The reading end of a journal: whole frames from an offset, one after the other.

use super::frame::{self, Frame, Header};
use super::{FRAME_MOST, HEADER_LEN, Record};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Reads a stream's frames.
#[derive(Debug)]
pub struct Reader {
    file: File,
    header: Header,
    /// Offset of the next frame.
    position: u64,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame begins.
    start: usize,
    next: Option<(Record, usize)>,
}

/// What stands next in a stream.
#[derive(Debug, PartialEq)]
pub enum Peek<'a> {
    /// A record.
    Record(&'a Record),
    /// No whole frame (yet): the end, a write under way, or a torn tail.
    End,
    /// Damage at the reader's position: nothing behind it can be trusted.
    Corrupt(&'static str),
}

/// Why a stream cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The header is not written yet, or the writer died before it was: no records.
    #[error("has no header yet")]
    Empty,
    /// The header is damaged.
    #[error("{0}")]
    Damaged(String),
}

impl Reader {
    /// Opens a stream at an offset; one within the header means the first frame.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, position: u64) -> Result<Self, OpenError> {
        let file = File::open(path)?;
        let mut header = [0; HEADER_LEN as usize];
        match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(OpenError::Empty);
            }
            other => other?,
        }
        if header == [0; HEADER_LEN as usize] {
            return Err(OpenError::Empty); // a power cut kept the length but not the bytes
        }
        let header = Header::decode(&header).map_err(OpenError::Damaged)?;
        let position = position.max(HEADER_LEN);
        Ok(Self { file, header, position, buffer: Vec::new(), start: 0, next: None })
    }

    /// What the file says about all of its records.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Offset of the frame that [`Reader::peek`] shows; all before it was taken.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Looks at the next record.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn peek(&mut self) -> io::Result<Peek<'_>> {
        if self.next.is_none() {
            let mut fresh = false;
            loop {
                match frame::decode(self.buffer.get(self.start..).unwrap_or_default()) {
                    Frame::Whole(record, size) => {
                        self.next = Some((record, size));
                        break;
                    }
                    Frame::Partial if fresh => return Ok(Peek::End),
                    Frame::Damaged(words) if fresh => {
                        return Ok(if self.only_zeros()? {
                            Peek::End
                        } else {
                            Peek::Corrupt(words)
                        });
                    }
                    // Look again at what the file says now before judging.
                    Frame::Partial | Frame::Damaged(_) => {
                        self.fill()?;
                        fresh = true;
                    }
                }
            }
        }
        Ok(self.next.as_ref().map_or(Peek::End, |(record, _)| Peek::Record(record)))
    }

    /// Takes the record that [`Reader::peek`] showed.
    pub fn take(&mut self) -> Option<Record> {
        let (record, size) = self.next.take()?;
        self.start += size;
        self.position += size as u64;
        Some(record)
    }

    /// Reads the buffer anew from the position on.
    fn fill(&mut self) -> io::Result<()> {
        self.start = 0;
        self.buffer.resize(CHUNK, 0);
        let mut filled = 0_usize;
        // A whole frame is always wanted, however short the reads are.
        while filled < FRAME_MOST {
            let Some(rest) = self.buffer.get_mut(filled..) else { break };
            match self.file.read_at(rest, self.position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    /// Whether nothing but zeros follows: what a power cut leaves of bytes that were never synced.
    fn only_zeros(&self) -> io::Result<bool> {
        let mut chunk = [0_u8; 4096];
        let mut position = self.position;
        loop {
            let count = self.file.read_at(&mut chunk, position)?;
            if count == 0 {
                return Ok(true);
            }
            if chunk.iter().take(count).any(|&byte| byte != 0) {
                return Ok(false);
            }
            position += count as u64;
        }
    }
}
