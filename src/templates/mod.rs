//! The templates role: the only regular reader of the daemons. Asks them for templates, makes work
//! of these for all workers, and sees that found blocks get an answer.
//!
//! Threads: the main one (channel, signals, board), one per coin that decides, one per daemon that
//! waits for it and one that lets it wait for blocks, one per peer and publisher that tells of
//! blocks, one per coin for the vault. Only the last four kinds ever wait for a daemon.

mod asker;
mod coin;
mod exam;
mod listen;
mod longpoll;
mod notices;
mod refresh;
mod spread;
mod status;
mod tally;
mod vault;

use crate::chain::Hash;
use crate::ipc::{ChannelError, Message, Received, Seat};
use crate::net::helper;
use crate::sys::clock;
use crate::sys::log::reopen;
use crate::sys::signals::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, Signals};
use coin::{Coin, Event};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use tally::Source;

/// Role number on the board.
const ROLE: u32 = 2;
/// Longest sleep: the board's tick stays fresh.
const TICK: Duration = Duration::from_millis(500);
const CHANNEL: Token = Token(0);
const SIGNALS: Token = Token(1);
const WAKER: Token = Token(2);

/// Somebody says that there is a new block.
#[derive(Debug, Clone, Copy)]
struct Notice {
    source: Source,
    hash: Option<Hash>,
    /// Monotonic milliseconds.
    at: u64,
}

/// The way of the coins' threads to the master.
#[derive(Debug, Clone)]
struct Outlet {
    sender: Sender<(Message, Option<OwnedFd>)>,
    waker: Arc<Waker>,
}

impl Outlet {
    /// Sends a message; the process is ending when nobody takes it.
    fn send(&self, message: Message, descriptor: Option<OwnedFd>) {
        if self.sender.send((message, descriptor)).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

/// Runs the role until the master goes away or says stop. Returns the exit code.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    match serve(seat) {
        Ok(()) => 0,
        Err(error) => {
            log::error!("templates: {error}");
            1
        }
    }
}

fn serve(mut seat: Seat) -> io::Result<()> {
    let mut signals = Signals::new(&[SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1])?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let registry = poll.registry();
    registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
    let channel = seat.channel.as_raw_fd();
    registry.register(&mut SourceFd(&channel), CHANNEL, Interest::READABLE | Interest::WRITABLE)?;
    let waker = Arc::new(Waker::new(registry, WAKER)?);
    let (sender, messages) = mpsc::channel();
    let coins = start(&seat, &Outlet { sender, waker })?;
    seat.channel.send(&Message::Ready, &[]).map_err(other)?;
    let board = Arc::clone(&seat.board);
    let row = board.row(seat.slot);
    if let Some(row) = row {
        row.pid.store(std::process::id(), Ordering::Release);
        row.generation.store(seat.generation, Ordering::Release);
        row.miners.store(0, Ordering::Release);
        row.role.store(ROLE, Ordering::Release);
    }
    loop {
        if let Some(row) = row {
            row.tick.store(clock::monotonic_ms(), Ordering::Release);
        }
        for signal in signals.pending() {
            match signal {
                SIGTERM | SIGINT | SIGQUIT => return Ok(()),
                SIGUSR1 => reopen(),
                // HUP is the master's: it starts a successor.
                _ => {}
            }
        }
        // A master that is gone is the planned end of a child.
        if !relay(&mut seat, &coins, &messages)? {
            return Ok(());
        }
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

/// Moves messages both ways. False when the master is gone.
fn relay(
    seat: &mut Seat,
    coins: &BTreeMap<String, Sender<Event>>,
    messages: &Receiver<(Message, Option<OwnedFd>)>,
) -> io::Result<bool> {
    loop {
        match seat.channel.receive() {
            Ok(Received::Message(message, _)) => hear(*message, coins),
            Ok(Received::Nothing) => break,
            Ok(Received::Closed) | Err(ChannelError::Os(_)) => return Ok(false),
            Err(error) => log::error!("templates: {error}"),
        }
    }
    while let Ok((message, descriptor)) = messages.try_recv() {
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        match seat.channel.send(&message, &descriptors) {
            Ok(()) => {}
            Err(ChannelError::Os(_)) => return Ok(false),
            Err(error) => return Err(other(error)),
        }
    }
    match seat.channel.flush() {
        Ok(()) => Ok(true),
        Err(ChannelError::Os(_)) => Ok(false),
        Err(error) => Err(other(error)),
    }
}

fn hear(message: Message, coins: &BTreeMap<String, Sender<Event>>) {
    let (coin, source, hash) = match message {
        Message::Blocknotify { coin, hash } => (coin, Source::Blocknotify, hash),
        Message::BlockFound { coin, hash, .. } => (coin, Source::BlockFound, Some(hash)),
        _ => return,
    };
    let notice = Notice { source, hash, at: clock::monotonic_ms() };
    if let Some(sender) = coins.get(&coin) {
        // Its thread ends only with the process.
        let _ = sender.send(Event::Notice(notice));
    }
}

/// Starts all threads; a sender per coin.
fn start(seat: &Seat, outlet: &Outlet) -> io::Result<BTreeMap<String, Sender<Event>>> {
    let mut coins = BTreeMap::new();
    for (id, pool) in &seat.config.pools {
        let (sender, events) = mpsc::channel();
        let board = Arc::clone(&seat.board);
        let coin = Coin::new(&seat.config, pool, outlet.clone(), board, sender.clone())?;
        helper::spawn(&format!("coin-{id}"), move || coin.run(&events))?;
        vault::start(&seat.config, id, seat.slot)?;
        coins.insert(id.clone(), sender);
    }
    Ok(coins)
}

fn other(error: ChannelError) -> io::Error {
    match error {
        ChannelError::Os(error) => error,
        error => io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
