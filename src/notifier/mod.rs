//! The notifier role: tells the operator what happens, by webhooks and mail.
//!
//! The main thread listens to signals and the master. One thread looks at the master's status, one
//! at each coin's ledger and book; what they see that is new goes to an outbox on disk, together with
//! what was seen. One thread for each target sends what waits there. Nobody else waits for mail
//! servers and webhooks.

mod coin;
mod deliver;
mod event;
mod fold;
mod hook;
mod level;
mod look;
mod mail;
mod memory;
mod outbox;
mod pool;
mod target;

use crate::config::EventKind;
use crate::ipc::{Message, Seat, Troubles, Turn, Watch};
use crate::net::helper;
use crate::sys::clock::monotonic_ms;
use deliver::{Deliverer, Shared};
pub use event::Event;
use look::Looker;
pub use outbox::{Outbox, OutboxError, Standing};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
pub use target::{Failure, Target, targets};

/// Longest turn of the main loop: the board's tick stays fresh.
const TURN: Duration = Duration::from_millis(500);
/// Between two tries to open the outbox, ms.
const REOPEN: u64 = 10_000;

/// An example of each kind, at `now` (unix ms), about a coin or none (`""`).
#[must_use]
pub fn sample(kind: EventKind, coin: &str, now: u64) -> Event {
    event::sample(kind, coin, now)
}

/// Runs the role until it is told to stop or the master is gone; returns the exit code.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    match serve(seat) {
        Ok(()) => 0,
        Err(error) => {
            log::error!("notifications cannot go on: {error}");
            1
        }
    }
}

/// Starts the threads that look and deliver.
fn start(
    seat: &Seat,
    troubles: &Troubles,
    mut outbox: Outbox,
) -> Result<Vec<JoinHandle<()>>, Box<dyn std::error::Error>> {
    let config = seat.config.clone();
    let targets = targets(&config);
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    for name in outbox.keep_only(&names)? {
        log::warn!("{name}: no longer in the configuration, what waited for it is given up");
    }
    let shared = Shared::new(outbox);
    let told = targets.iter().map(|target| (target.name.clone(), target.events.clone()));
    let looker = Looker { config, shared: shared.clone(), targets: Arc::new(told.collect()) };
    let mut threads = Vec::new();
    for (n, target) in targets.into_iter().enumerate() {
        let deliverer = Deliverer::new(target, shared.clone(), troubles.clone());
        threads.push(helper::spawn(&format!("tell-{n}"), move || deliverer.run())?);
    }
    for id in looker.config.pools.keys() {
        let (looker, id) = (looker.clone(), id.clone());
        threads.push(helper::spawn(&format!("look-{id}"), move || looker.look_at_coin(&id))?);
    }
    threads.push(helper::spawn("look-pool", move || looker.look_at_pool())?);
    Ok(threads)
}

fn serve(mut seat: Seat) -> Result<(), Box<dyn std::error::Error>> {
    let mut watch = Watch::new(&seat)?;
    let troubles = Troubles::default();
    seat.channel.send(&Message::Ready, &[])?;
    let mut threads = Vec::new();
    let mut next = 0;
    loop {
        if threads.is_empty() && monotonic_ms() >= next {
            match Outbox::open(&seat.config.data_dir) {
                Ok(outbox) => {
                    troubles.say("", "notifications", None);
                    threads = start(&seat, &troubles, outbox)?;
                }
                Err(error) => {
                    if next == 0 {
                        log::error!("nobody is told anything: {error}");
                    }
                    troubles.say("", "notifications", Some(&error.to_string()));
                    next = monotonic_ms() + REOPEN;
                }
            }
        }
        // What waits is on disk: the process may end at any time.
        if watch.turn(&mut seat, TURN, |_| ())? != Turn::On {
            return Ok(());
        }
        for message in troubles.news() {
            seat.channel.send(&message, &[])?;
        }
        if threads.iter().any(JoinHandle::is_finished) {
            return Err("a thread has ended".into());
        }
    }
}
