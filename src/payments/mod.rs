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
use crate::ipc::{Seat, Troubles, Turn, Watch};
use crate::net::helper;
pub use blocks::BEGUN;
use coin::Coin;
pub use coin::{FIRST_BLOCK, PATIENCE};
pub use history::known;
pub use owners::{Owners, account_of};
pub use replaced::replaced;
pub use resolve::{Fact, resolve};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
pub use stuck::void;

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
    let mut watch = Watch::new(&seat)?;
    let troubles = Troubles::default();
    let mut threads = Vec::new();
    for (id, pool) in &seat.config.pools {
        let Some(payments) = &pool.payments else { continue };
        let coin = Coin::new(pool, payments, &seat.config.data_dir);
        let troubles = troubles.clone();
        threads.push(helper::spawn(&format!("pay-{id}"), move || coin.run(&troubles))?);
    }
    seat.channel.send(&crate::ipc::Message::Ready, &[])?;
    loop {
        // Every step is whole in the book: the process may end between any two.
        if watch.turn(&mut seat, TURN, |_| ())? != Turn::On {
            return Ok(());
        }
        for message in troubles.news() {
            seat.channel.send(&message, &[])?;
        }
        if threads.iter().any(JoinHandle::is_finished) {
            return Err("the thread of a coin has ended".into());
        }
    }
}

#[cfg(test)]
mod tests;
