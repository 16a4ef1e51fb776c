//! The website role: pages, the JSON APIs, live numbers, metrics.
//!
//! The main thread listens to signals and the master. One thread looks at ledgers, books and the
//! master's status every `updateInterval` and publishes what it saw; one serves HTTP and reads
//! nothing but that. Only a miner's own numbers and old blocks and payouts are asked for when they
//! are wanted, a few at a time.

mod accept;
mod coin;
mod gather;
mod guard;
mod machine;
mod metrics;
mod miner;
mod nomp;
mod pages;
mod reply;
mod routes;
mod snapshot;
mod text;
mod v1;

use crate::ipc::{Received, Seat};
use crate::net::helper;
use crate::sys::clock::monotonic_ms;
use crate::sys::signals::{SIGINT, SIGQUIT, SIGTERM, SIGUSR1, Signals};
use gather::Gatherer;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use routes::Site;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const CHANNEL: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Longest turn of the main loop: the board's tick stays fresh.
const TURN: Duration = Duration::from_millis(500);

/// Runs the role until it is told to stop or the master is gone; returns the exit code.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    match serve(seat) {
        Ok(()) => 0,
        Err(error) => {
            log::error!("the web site cannot go on: {error}");
            1
        }
    }
}

fn serve(mut seat: Seat) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = Signals::new(&[SIGTERM, SIGINT, SIGQUIT, SIGUSR1])?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
    let descriptor = seat.channel.as_raw_fd();
    poll.registry().register(&mut SourceFd(&descriptor), CHANNEL, Interest::READABLE)?;
    let row = seat.board.row(seat.slot).ok_or("its seat is not on the board")?;
    row.generation.store(seat.generation, Ordering::Relaxed);
    row.tick.store(monotonic_ms(), Ordering::Release);
    let listener = seat.listeners.pop().ok_or("it has no listening socket")?;
    let site = Arc::new(Site::new(seat.config.clone()).ok_or("it is not configured")?);
    let looking = Gatherer::new(site.clone(), seat.board.clone());
    let threads = [
        helper::spawn("site-look", move || looking.run())?,
        helper::spawn("site-http", move || accept::run(&site, listener.socket))?,
    ];
    seat.channel.send(&crate::ipc::Message::Ready, &[])?;
    let mut events = Events::with_capacity(16);
    loop {
        if let Err(error) = poll.poll(&mut events, Some(TURN))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        row.tick.store(monotonic_ms(), Ordering::Release);
        for signal in signals.pending() {
            match signal {
                SIGUSR1 => crate::sys::log::reopen(),
                // It owes nobody anything.
                _ => return Ok(()),
            }
        }
        loop {
            match seat.channel.receive() {
                Ok(Received::Message(..)) => {} // bans and tips are no affair of browsers
                Ok(Received::Nothing) => break,
                Ok(Received::Closed) | Err(_) => return Ok(()),
            }
        }
        seat.channel.flush()?;
        if threads.iter().any(std::thread::JoinHandle::is_finished) {
            return Err("a thread has ended".into());
        }
    }
}

#[cfg(test)]
mod tests;
