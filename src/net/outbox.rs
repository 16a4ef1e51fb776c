//! Bytes on their way out: a bounded queue that takes what the socket does not take at once.

use std::io::{self, ErrorKind, Write};

/// Bytes not yet sent.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// End of what waited at `since`: while it is not sent, some byte has waited from then on.
    mark: usize,
    /// Milliseconds.
    since: u64,
}

impl Outbox {
    /// Queues bytes.
    pub fn push(&mut self, bytes: &[u8], now: u64) {
        let was_empty = self.is_empty();
        self.bytes.extend_from_slice(bytes);
        self.begin(was_empty, now);
    }

    /// Lets `write` append lines, as [`Outbox::push`] would.
    pub fn write_with<T>(&mut self, now: u64, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let was_empty = self.is_empty();
        let result = write(&mut self.bytes);
        self.begin(was_empty, now);
        result
    }

    fn begin(&mut self, was_empty: bool, now: u64) {
        if was_empty {
            (self.mark, self.since) = (self.bytes.len(), now);
        }
    }

    /// What waits, and the time since when some of it does, for another process.
    #[must_use]
    pub fn parts(&self) -> (&[u8], u64) {
        (self.bytes.get(self.sent..).unwrap_or_default(), self.since)
    }

    /// Queues bytes, and sends what the stream takes at once: usually all, so that nothing is
    /// copied and no memory is held.
    ///
    /// # Errors
    /// As [`Outbox::flush`].
    pub fn send(&mut self, bytes: &[u8], stream: &mut impl Write, now: u64) -> io::Result<()> {
        let mut rest = bytes;
        while self.is_empty() && !rest.is_empty() {
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if !rest.is_empty() {
            self.push(rest, now);
        }
        Ok(())
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Milliseconds for which some byte has waited: at least half of the oldest one's time, so that
    /// somebody who takes a byte now and then is found out, too.
    #[must_use]
    pub fn waited(&self, now: u64) -> u64 {
        if self.is_empty() { 0 } else { now.saturating_sub(self.since) }
    }

    /// Sends what the stream takes without waiting.
    ///
    /// # Errors
    /// When the connection is broken; not when the stream takes nothing more for now.
    pub fn flush(&mut self, stream: &mut impl Write, now: u64) -> io::Result<()> {
        while !self.is_empty() {
            match stream.write(self.bytes.get(self.sent..).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.sent = self.sent.saturating_add(taken);
                    if self.sent >= self.mark {
                        (self.mark, self.since) = (self.bytes.len(), now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.forget_sent();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        // Idle connections are many: they keep no buffer.
        self.bytes = Vec::new();
        Ok(())
    }

    /// Drops what was sent once it is the larger part: a queue that is never empty stays within
    /// twice of what waits, and each byte is moved once on average.
    fn forget_sent(&mut self) {
        if self.sent > 0 && self.sent >= self.len() {
            self.bytes.drain(..self.sent);
            self.mark = self.mark.saturating_sub(self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// Takes a set number of bytes, then none.
    struct Narrow {
        room: usize,
        got: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.room.min(bytes.len());
            if taken == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= taken;
            self.got.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_waits_and_nothing_is_sent_twice() {
        let mut outbox = Outbox::default();
        let mut stream = Narrow { room: 4, got: Vec::new() };
        outbox.push(b"abc", 10);
        outbox.push(b"def", 20);
        outbox.flush(&mut stream, 30).expect("open");
        assert_eq!((stream.got.as_slice(), outbox.len()), (b"abcd".as_slice(), 2));
        assert_eq!(outbox.waited(130), 100, "since all that waited before was taken");
        stream.room = 100;
        outbox.write_with(140, |bytes| bytes.extend_from_slice(b"gh"));
        outbox.flush(&mut stream, 150).expect("open");
        assert_eq!(stream.got, b"abcdefgh");
        assert_eq!((outbox.is_empty(), outbox.waited(999)), (true, 0));
    }

    /// A reader of one byte a second must not keep its connection for ever.
    #[test]
    fn a_byte_now_and_then_does_not_hide_an_old_one() {
        let mut outbox = Outbox::default();
        let mut stream = Narrow { room: 0, got: Vec::new() };
        outbox.push(&[0; 100], 0);
        for now in 1..100 {
            stream.room = 1;
            outbox.push(&[0; 5], now);
            outbox.flush(&mut stream, now).expect("open");
            assert_eq!(outbox.waited(now), now);
        }
        stream.room = 1;
        outbox.flush(&mut stream, 100).expect("open");
        assert_eq!(outbox.waited(150), 50, "all that waited from the beginning is sent");
        stream.room = 1000;
        outbox.flush(&mut stream, 160).expect("open");
        assert_eq!(outbox.waited(200), 0);
    }

    /// A reader who always leaves something waiting must not make the queue grow for ever.
    #[test]
    fn a_queue_that_is_never_empty_stays_small() {
        let mut outbox = Outbox::default();
        let mut stream = Narrow { room: 0, got: Vec::new() };
        let mut said = Vec::new();
        for number in 0..10_000_u32 {
            let bytes = number.to_be_bytes().repeat(10);
            outbox.push(&bytes, 0);
            said.extend_from_slice(&bytes);
            stream.room = if number == 0 { 3 } else { bytes.len() };
            outbox.flush(&mut stream, 0).expect("open");
            assert!(outbox.bytes.len() <= 200, "{} bytes kept", outbox.bytes.len());
        }
        assert_eq!(outbox.len(), 37);
        stream.room = 100;
        outbox.flush(&mut stream, 0).expect("open");
        assert_eq!(stream.got, said, "nothing lost, nothing twice");
    }

    #[test]
    fn what_is_sent_at_once_stays_in_order_with_what_waits() {
        let mut outbox = Outbox::default();
        let mut stream = Narrow { room: 4, got: Vec::new() };
        outbox.send(b"abc", &mut stream, 10).expect("open");
        assert!(outbox.is_empty());
        outbox.send(b"def", &mut stream, 20).expect("open");
        stream.room = 100;
        // Not before what waits.
        outbox.send(b"ghi", &mut stream, 30).expect("open");
        assert_eq!((stream.got.as_slice(), outbox.len()), (b"abcd".as_slice(), 5));
        outbox.flush(&mut stream, 40).expect("open");
        assert_eq!(stream.got, b"abcdefghi");
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_broken_stream_is_an_error() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut outbox = Outbox::default();
        outbox.push(b"x", 0);
        assert!(outbox.flush(&mut Broken, 0).is_err());
    }
}
