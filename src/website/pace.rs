//! Who reads an answer too slowly is hung up on: a reader of a byte now and then would keep it, and
//! its connection, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long (ms) a reader may let us wait at most.
const MOST: u64 = 30_000;
/// Bytes that earn a second of waiting: slower readers run out of time.
const BYTES: u64 = 8 * 1024;

/// How much longer we wait for a reader. Pure: times come in.
#[derive(Debug)]
struct Patience {
    /// Milliseconds that are left.
    left: u64,
    /// Bytes that have earned less than a millisecond.
    rest: u64,
    /// Since when (ms) the reader takes nothing.
    since: Option<u64>,
}

impl Patience {
    const fn new() -> Self {
        Self { left: MOST, rest: 0, since: None }
    }

    /// The reader took bytes.
    fn took(&mut self, bytes: u64, now: u64) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(now.saturating_sub(since));
        }
        let earned = bytes.saturating_mul(1000).saturating_add(self.rest);
        self.rest = earned % BYTES;
        self.left = self.left.saturating_add(earned / BYTES).min(MOST);
    }

    /// The reader takes nothing now. When it is out of time.
    fn waits(&mut self, now: u64) -> u64 {
        let since = *self.since.get_or_insert(now);
        since.saturating_add(self.left)
    }
}

/// A connection whose reader has to keep up.
pub(super) struct Paced<S> {
    stream: S,
    began: Instant,
    patience: Patience,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    /// Over a connection.
    pub(super) fn new(stream: S) -> Self {
        let alarm = Box::pin(tokio::time::sleep(Duration::from_millis(MOST)));
        Self { stream, began: Instant::now(), patience: Patience::new(), alarm }
    }

    fn now(&self) -> u64 {
        crate::sys::clock::ms(self.began.elapsed())
    }

    /// Keeps the books of a write.
    fn judged(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let now = self.now();
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.patience.took(bytes as u64, now);
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                let end = self.began + Duration::from_millis(self.patience.waits(now));
                if self.alarm.deadline() != end {
                    self.alarm.as_mut().reset(end);
                }
                match self.alarm.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    Poll::Pending => Poll::Pending,
                }
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judged(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judged(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how many milliseconds a reader is waited for who takes so many bytes each second.
    fn lasts(bytes: u64) -> u64 {
        let mut patience = Patience::new();
        for second in 0..3600 {
            let now = second * 1000;
            let end = patience.waits(now);
            if end <= now + 1000 {
                return end;
            }
            patience.took(bytes, now + 1000);
        }
        u64::MAX
    }

    #[test]
    fn a_reader_of_a_byte_a_second_is_left_and_a_slow_line_is_not() {
        assert_eq!(lasts(0), MOST);
        assert!((MOST..MOST + 100).contains(&lasts(1)), "{}", lasts(1));
        assert!(lasts(BYTES / 2) < 2 * MOST + 1000, "{}", lasts(BYTES / 2));
        assert_eq!(lasts(BYTES), u64::MAX);
    }

    #[test]
    fn who_listens_for_days_is_not_asked_for_more() {
        let mut patience = Patience::new();
        for minute in 0..10_000_u64 {
            let now = minute * 60_000;
            patience.took(200, now);
            assert!(patience.waits(now) >= now + MOST - 100);
            patience.took(200, now + 20);
        }
    }
}
