//! One stream as the bookkeeper follows it.

use crate::journal::{OpenError, Peek, Reader, Record, Stream};
use crate::stratum::Unit;
use std::path::PathBuf;

/// A stream and how far it has been added to the tally.
pub(super) struct Tail {
    pub(super) stream: Stream,
    pub(super) path: PathBuf,
    /// Offset up to which the tally has it; 0 before the first record.
    pub(super) position: u64,
    /// Time of the last record taken here, unix ms; 0 before the first.
    pub(super) last_record: u64,
    /// When it was first seen here, unix ms.
    pub(super) first_seen: u64,
    /// Length of the file at some monotonic ms while its records wait for the watermark.
    seen: Option<(u64, u64)>,
    /// Bytes that have been in the file for the bookkeeper's whole patience.
    ripe: u64,
    /// Why nothing is read from it any more.
    held: Option<String>,
    /// Why it could not be opened just now: said once.
    unreadable: bool,
    /// Length of the file when it last had no whole frame left.
    ended_at: Option<u64>,
    /// Its writer has begun a later stream: nothing more comes.
    superseded: bool,
    /// Whether the reader showed a record last: then the file need not be asked for its length.
    flowing: bool,
    reader: Option<Reader>,
}

impl Tail {
    pub(super) fn new(stream: Stream, path: PathBuf, position: u64, now_unix: u64) -> Self {
        Self {
            stream,
            last_record: 0,
            first_seen: now_unix,
            path,
            position,
            seen: None,
            ripe: 0,
            held: None,
            unreadable: false,
            ended_at: None,
            superseded: false,
            flowing: false,
            reader: None,
        }
    }

    /// Starts again at an offset that the tally names.
    pub(super) fn rewind(&mut self, position: u64) {
        self.position = position;
        self.reader = None;
        self.ended_at = None;
        self.flowing = false;
    }

    /// Whether it is given up from its position on.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Length of the file; `None` when it is gone.
    pub(super) fn length(&self) -> Option<u64> {
        std::fs::metadata(&self.path).ok().map(|facts| facts.len())
    }

    /// Whether everything that can be read has been added.
    pub(super) fn is_done(&self) -> bool {
        let length = self.length();
        !self.is_held()
            && length.is_some_and(|length| length <= self.position || self.ended_at == Some(length))
    }

    /// Closes the file until there is more: old streams would use up the descriptors.
    pub(super) fn close_if_done(&mut self) {
        if self.is_done() {
            self.reader = None;
        }
    }

    /// Takes note of another stream: of one writer's streams only the newest grows.
    pub(super) fn note(&mut self, other: &Stream) {
        let same = (other.instance, other.slot) == (self.stream.instance, self.stream.slot);
        self.superseded |= same && other.created > self.stream.created;
    }

    /// A time that the next record is not before; `None` when there is none now. Opens no file:
    /// after a long halt there may be more streams than descriptors.
    pub(super) fn bound(&mut self, coin: &str, unit: Unit) -> Option<u64> {
        if self.reader.is_some() || self.is_held() {
            return self.peek(coin, unit);
        }
        let length = self.length()?;
        let more = length > self.position && self.ended_at != Some(length);
        more.then_some(self.stream.created)
    }

    /// Whether its file is open.
    pub(super) fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// Time of the next record; `None` when there is none now.
    pub(super) fn peek(&mut self, coin: &str, unit: Unit) -> Option<u64> {
        if self.is_held() {
            return None;
        }
        let mut length = None;
        if !self.flowing {
            let read = self.reader.as_ref().map_or(self.position, Reader::position);
            length = self.length();
            if length.is_none_or(|length| length <= read) || self.ended_at == length {
                return None;
            }
        }
        if self.reader.is_none() {
            self.reader = self.open(coin, unit);
        }
        let reader = self.reader.as_mut()?;
        self.flowing = false;
        match reader.peek() {
            Ok(Peek::Record(record)) => {
                self.flowing = true;
                return Some(record.time());
            }
            Ok(Peek::End) => {
                self.ended_at = length;
                if self.superseded {
                    self.reader = None;
                }
            }
            Ok(Peek::Corrupt(words)) => {
                let words = format!("{words}, at byte {}", reader.position());
                self.hold(coin, words);
            }
            Err(error) => self.cannot_read(coin, &error.to_string()),
        }
        None
    }

    /// Takes the record that was seen by [`Tail::peek`], with the offset behind it.
    pub(super) fn take(&mut self) -> Option<(Record, u64)> {
        let reader = self.reader.as_mut()?;
        let record = reader.take()?;
        self.last_record = self.last_record.max(record.time());
        Some((record, reader.position()))
    }

    /// Whether the next record has been in the file for at least `patience` ms, or stands before
    /// one that has. Judged by bytes, so that a whole backlog ripens at once and not record by
    /// record: after the clock was set back, every record lies in the future for a while.
    pub(super) fn is_ripe(&mut self, now: u64, patience: u64) -> bool {
        match self.seen {
            Some((at, _)) if now.saturating_sub(at) < patience => {}
            before => {
                self.ripe = before.map_or(0, |(_, length)| length);
                self.seen = self.length().map(|length| (now, length));
            }
        }
        self.reader.as_ref().map_or(self.position, Reader::position) < self.ripe
    }

    /// Offset of the record that was seen by [`Tail::peek`], as the tally counts: the place behind
    /// the header is 0 until something was added.
    pub(super) fn from(&self) -> u64 {
        let read = self.reader.as_ref().map_or(self.position, Reader::position);
        if self.position == 0 && read <= crate::journal::HEADER_LEN { 0 } else { read }
    }

    fn open(&mut self, coin: &str, unit: Unit) -> Option<Reader> {
        match Reader::open(&self.path, self.position) {
            Ok(reader) if reader.header().coin != coin => {
                let words = format!("it belongs to the coin `{}`", reader.header().coin);
                self.hold(coin, words);
            }
            Ok(reader) if reader.header().unit != unit => {
                let words = format!(
                    "it counts in units of 2^{}, the coin in units of 2^{}",
                    reader.header().unit.0,
                    unit.0
                );
                self.hold(coin, words);
            }
            Ok(reader) => {
                self.unreadable = false;
                return Some(reader);
            }
            Err(OpenError::Empty) => {}
            Err(OpenError::Damaged(words)) => self.hold(coin, format!("it {words}")),
            Err(OpenError::Io(error)) => self.cannot_read(coin, &error.to_string()),
        }
        None
    }

    fn cannot_read(&mut self, coin: &str, words: &str) {
        self.reader = None;
        if !self.unreadable {
            self.unreadable = true;
            log::error!(
                "{coin}: {}: cannot be read: {words}; its shares wait, and it is tried again",
                self.path.display()
            );
        }
    }

    fn hold(&mut self, coin: &str, words: String) {
        log::error!(
            "{coin}: {}: {words}; no share behind that is counted and the file is kept. Other \
             streams go on. Restore the file if you can and restart the pool; else its remaining \
             shares are lost",
            self.path.display()
        );
        self.reader = None;
        self.held = Some(words);
    }
}
