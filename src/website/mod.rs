//! The website role: pages, the JSON APIs, live numbers, metrics.
//!
//! The main thread listens to signals and the master. One thread looks at ledgers, books and the
//! master's status every `updateInterval` and publishes what it saw; one serves HTTP and reads
//! nothing but that. Only a miner's own numbers and old blocks and payouts are asked for when they
//! are wanted, a few at a time.

mod accept;
mod admin;
mod coin;
mod forwarded;
mod found;
mod gather;
mod guard;
mod immature;
mod listeners;
mod live;
mod look;
mod luck;
mod machine;
mod metrics;
mod miner;
mod nomp;
mod own;
mod pace;
mod pages;
mod payday;
mod reply;
mod rigs;
mod routes;
mod snapshot;
mod text;
mod tls;
mod turns;
mod v1;
mod wake;

use crate::ipc::{Channel, ChannelError, Message, Seat, Turn, Watch};
use crate::net::helper;
use crate::sys::clock::{monotonic_ms, ms};
use gather::Gatherer;
use routes::Site;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
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
    // What the site has no use for, it does not keep.
    seat.config = Arc::new(seat.config.for_site());
    let sockets = seat.listeners.drain(..).map(|listener| (listener.port, listener.socket));
    let sockets: Vec<_> = sockets.collect();
    let remembered = std::mem::take(&mut seat.remembered);
    let site = Site::new(seat.config.clone(), &remembered).ok_or("it is not configured")?;
    let site = Arc::new(site);
    let (looking, serving) = (Gatherer::new(site.clone(), seat.board.clone()), site.clone());
    let threads = [
        helper::spawn("site-look", move || looking.run())?,
        helper::spawn("site-http", move || accept::run(&serving, sockets))?,
    ];
    let blocks = |id: &String| (id.clone(), wake::found(&seat.board, id));
    let mut found: BTreeMap<String, u64> = site.config.pools.keys().map(blocks).collect();
    let mut beat = monotonic_ms();
    seat.channel.send(&Message::Ready, &[])?;
    loop {
        // Bans and tips are no affair of browsers.
        match watch.turn(&mut seat, TURN, |_| ())? {
            Turn::On => {}
            Turn::Finish => {
                // Answers that have begun are finished: one of them may be that of a reload.
                site.ending.send_replace(true);
                wait(&threads, || watch.tick(&seat));
                tell(&site, &mut seat.channel)?;
                return Ok(());
            }
            // It owes nobody anything.
            Turn::Stop | Turn::Gone => return Ok(()),
        }
        let now = monotonic_ms();
        for (id, known) in &mut found {
            let count = wake::found(&seat.board, id);
            let more = count.wrapping_sub(std::mem::replace(known, count));
            if more > 0 {
                site.wake.hurry(id, now, more);
            }
        }
        if now.saturating_sub(beat) >= live::BEAT {
            site.live.beat();
            beat = now;
        }
        tell(&site, &mut seat.channel)?;
        if threads.iter().any(JoinHandle::is_finished) {
            return Err("a thread has ended".into());
        }
    }
}

/// Has the master remember who is logged in.
fn tell(site: &Site, channel: &mut Channel) -> Result<(), ChannelError> {
    if let Some(text) = site.admin.as_deref().and_then(admin::Center::news) {
        channel.send(&Message::Remember { text }, &[])?;
    }
    channel.flush()?;
    Ok(())
}

/// Waits until nothing is served any more, a little longer than that may take.
fn wait(threads: &[JoinHandle<()>; 2], tick: impl Fn()) {
    let end = monotonic_ms() + ms(accept::LAST) + 500;
    let [_, serving] = threads;
    while !serving.is_finished() && monotonic_ms() < end {
        tick();
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests;
