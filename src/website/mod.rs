//! The website role: pages, the JSON APIs, live numbers, metrics.
//!
//! The main thread listens to signals and the master. One thread looks at ledgers, books and the
//! master's status every `updateInterval` and publishes what it saw; one serves HTTP and reads
//! nothing but that. Only a miner's own numbers and old blocks and payouts are asked for when they
//! are wanted, a few at a time.

mod accept;
mod coin;
mod found;
mod gather;
mod guard;
mod immature;
mod live;
mod look;
mod luck;
mod metrics;
mod miner;
mod nomp;
mod own;
mod pages;
mod payday;
mod reply;
mod rigs;
mod routes;
mod snapshot;
mod text;
mod v1;
mod wake;

use crate::ipc::{Seat, Turn, Watch};
use crate::net::helper;
use crate::sys::clock::monotonic_ms;
use gather::Gatherer;
use routes::Site;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest turn of the main loop: the board's tick stays fresh, and a block that a worker has found
/// is on the pages within two seconds.
const TURN: Duration = Duration::from_millis(250);

/// The description of the API at `/api/v1`: OpenAPI 3.1.
#[must_use]
pub fn api_description() -> &'static serde_json::Value {
    v1::document()
}

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
    let mut watch = Watch::new(&seat)?;
    let listener = seat.listeners.pop().ok_or("it has no listening socket")?;
    let site = Arc::new(Site::new(seat.config.clone()).ok_or("it is not configured")?);
    let (looking, serving) = (Gatherer::new(site.clone()), site.clone());
    let threads = [
        helper::spawn("site-look", move || looking.run())?,
        helper::spawn("site-http", move || accept::run(&serving, listener.socket))?,
    ];
    let blocks = |id: &String| (id.clone(), wake::found(&seat.board, id));
    let mut found: BTreeMap<String, u64> = site.config.pools.keys().map(blocks).collect();
    let mut beat = monotonic_ms();
    seat.channel.send(&crate::ipc::Message::Ready, &[])?;
    loop {
        // It owes nobody anything, and bans and tips are no affair of browsers.
        if watch.turn(&mut seat, TURN, |_| ())? != Turn::On {
            return Ok(());
        }
        let now = monotonic_ms();
        for (id, known) in &mut found {
            let count = wake::found(&seat.board, id);
            if count != std::mem::replace(known, count) {
                site.wake.hurry(id, now);
            }
        }
        if now.saturating_sub(beat) >= live::BEAT {
            site.live.beat();
            beat = now;
        }
        if threads.iter().any(std::thread::JoinHandle::is_finished) {
            return Err("a thread has ended".into());
        }
    }
}

#[cfg(test)]
mod tests;
