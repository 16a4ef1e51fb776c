//! The payments role: owns the book, follows found blocks, credits what they earned, and pays.
//!
//! The main thread listens to signals and the master; each coin that pays has a thread of its own,
//! so that a wallet that hangs holds up nobody else.

mod blocks;
mod claim;
mod coin;
mod cost;
mod fate;
mod fee;
mod history;
mod owners;
mod pay;
mod replaced;
mod resolve;
mod sendmany;
mod stuck;
mod thresholds;

use crate::config::Pool;
use crate::ipc::{Received, Seat, Troubles};
use crate::net::helper;
use crate::sys::clock::monotonic_ms;
use crate::sys::signals::{SIGINT, SIGQUIT, SIGTERM, SIGUSR1, Signals};
pub use blocks::BEGUN;
use coin::Coin;
pub use coin::{FIRST_BLOCK, PATIENCE};
pub use history::known;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
pub use owners::{Owners, account_of};
pub use replaced::replaced;
pub use resolve::{Fact, resolve};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
pub use stuck::void;

const CHANNEL: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Longest turn of the main loop: the board's tick stays fresh.
const TURN: Duration = Duration::from_millis(500);

/// A coin for an operator's command: also while nobody is paid, as for the steps of a recovery.
fn of_operator(pool: &Pool, data_dir: &Path) -> Result<Coin, String> {
    let payments = pool.written_payments().ok_or_else(|| {
        let words = "no wallet can be asked: its pool's file has no `paymentProcessing` with a \
                     daemon, or MPOS pays";
        format!("{}: {words}", pool.coin.id)
    })?;
    Ok(Coin::new(pool, payments, data_dir))
}

/// Runs the role until it is told to stop or the master is gone; returns the exit code.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    match serve(seat) {
        Ok(()) => 0,
        Err(error) => {
            log::error!("payments cannot go on: {error}");
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
    let troubles = Troubles::default();
    let mut threads = Vec::new();
    for (id, pool) in &seat.config.pools {
        let Some(payments) = &pool.payments else { continue };
        let coin = Coin::new(pool, payments, &seat.config.data_dir);
        let troubles = troubles.clone();
        threads.push(helper::spawn(&format!("pay-{id}"), move || coin.run(&troubles))?);
    }
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
                // Every step is whole in the book: the process may end between any two.
                _ => return Ok(()),
            }
        }
        loop {
            match seat.channel.receive() {
                Ok(Received::Message(..)) => {} // nothing here depends on tips and bans
                Ok(Received::Nothing) => break,
                Ok(Received::Closed) | Err(_) => return Ok(()),
            }
        }
        for message in troubles.news() {
            seat.channel.send(&message, &[])?;
        }
        seat.channel.flush()?;
        if threads.iter().any(JoinHandle::is_finished) {
            return Err("the thread of a coin has ended".into());
        }
    }
}

#[cfg(test)]
mod tests;
