//! What the main thread of a role does while other threads do its work: it listens to signals and
//! the master, and shows on the board that it lives.

use super::{ChannelError, Message, Received, Seat};
use crate::sys::clock::monotonic_ms;
use crate::sys::log::reopen;
use crate::sys::signals::{SIGINT, SIGQUIT, SIGTERM, SIGUSR1, Signals};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

const CHANNEL: Token = Token(0);
const SIGNALS: Token = Token(1);

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The role goes on.
    On,
    /// It is to end when its work is done (TERM).
    Finish,
    /// It is to end now (INT, QUIT).
    Stop,
    /// The master is gone.
    Gone,
}

/// A main thread's ears.
#[derive(Debug)]
pub struct Watch {
    signals: Signals,
    poll: Poll,
    events: Events,
}

impl Watch {
    /// For the role in a seat, whose row on the board it begins. Call it before there are threads.
    ///
    /// # Errors
    /// When the operating system refuses, or the seat is not on the board.
    pub fn new(seat: &Seat) -> io::Result<Self> {
        let mut signals = Signals::new(&[SIGTERM, SIGINT, SIGQUIT, SIGUSR1])?;
        let poll = Poll::new()?;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        let channel = seat.channel.as_raw_fd();
        poll.registry().register(&mut SourceFd(&channel), CHANNEL, Interest::READABLE)?;
        let row = seat.board.row(seat.slot);
        let row = row.ok_or_else(|| io::Error::other("its seat is not on the board"))?;
        row.generation.store(seat.generation, Ordering::Relaxed);
        let watch = Self { signals, poll, events: Events::with_capacity(16) };
        watch.tick(seat);
        Ok(watch)
    }

    /// Shows that the role lives.
    pub fn tick(&self, seat: &Seat) {
        if let Some(row) = seat.board.row(seat.slot) {
            row.tick.store(monotonic_ms(), Ordering::Release);
        }
    }

    /// Waits until something happens, at most so long, and sends the master what is left to send.
    ///
    /// # Errors
    /// When the channel or the operating system fails.
    pub fn turn(
        &mut self,
        seat: &mut Seat,
        most: Duration,
        mut hear: impl FnMut(Message),
    ) -> io::Result<Turn> {
        match self.poll.poll(&mut self.events, Some(most)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.tick(seat);
        let turn = self.signalled();
        if turn != Turn::On {
            return Ok(turn);
        }
        loop {
            match seat.channel.receive() {
                Ok(Received::Message(message, _)) => hear(*message),
                Ok(Received::Nothing) => break,
                Ok(Received::Closed) | Err(_) => return Ok(Turn::Gone),
            }
        }
        match seat.channel.flush() {
            Ok(()) => Ok(Turn::On),
            Err(ChannelError::Os(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// What signals have asked for since the last look.
    pub fn signalled(&mut self) -> Turn {
        let mut turn = Turn::On;
        for signal in self.signals.pending() {
            match signal {
                SIGUSR1 => reopen(),
                SIGTERM if turn == Turn::On => turn = Turn::Finish,
                SIGTERM => {}
                _ => turn = Turn::Stop,
            }
        }
        turn
    }
}
