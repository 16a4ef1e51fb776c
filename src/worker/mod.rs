//! A worker: one synchronous loop that accepts miners, speaks stratum with them, judges shares,
//! records them and answers. What would block it goes to helper threads.
//!
//! `turn` is the loop; `accept`, `arrive`, `hear`, `trial` and `reply` are its steps in their order;
//! `admit` says who may come in, `charge` who is banned for what. `orders` is what comes from the
//! master, `reports` what comes from helpers. `give` and `take` move miners between workers, `adopt`
//! goes on with those of a dead one. `judge`, `hasher`, `jobs`, `conduct`, `rigs`,
//! `courtesy`, `fallback`, `memory` and `authorize` know no sockets.

mod accept;
mod account;
mod admit;
mod adopt;
mod arrive;
mod authorize;
mod candidate;
mod charge;
mod coin;
mod conduct;
mod courtesy;
mod desk;
mod fallback;
mod gates;
mod give;
mod hasher;
mod hear;
mod jobs;
pub mod judge;
mod keeper;
mod members;
mod memory;
mod miner;
mod orders;
mod passing;
mod reply;
mod reports;
mod rigs;
mod rollout;
mod rounds;
mod scheme;
mod starts;
mod take;
mod trial;
mod turn;

use crate::net::bans::Bans;
use crate::net::tls::Acceptor;
use accept::Gate;
use authorize::Addresses;
use coin::Coin;
use conduct::Conduct;
use desk::Desk;
use hasher::Hasher;
use hear::LastHeard;
use jobs::Numbers;
use keeper::Keeper;
use memory::Memory;
use miner::Miner;
use reply::Batches;
pub use starts::Starts;

use crate::config::Config;
use crate::ipc::board::{Board, CoinCell};
use crate::ipc::roster::Hint;
use crate::ipc::{Channel, Message, Seat};
use crate::sys::{clock, failpoint, log as logging, signals};
use ipnet::IpNet;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Token, Waker};
use slab::Slab;
use std::collections::BTreeMap;
use std::error::Error;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Tokens: a port's listening socket has the port's number, then these, then the miners.
const CHANNEL: Token = Token(1 << 16);
const SIGNALS: Token = Token((1 << 16) + 1);
const WAKER: Token = Token((1 << 16) + 2);
/// Pairs with other workers: looked at in each turn while there are some.
const PAIRS: Token = Token((1 << 16) + 3);
const MINERS: usize = 1 << 17;

/// Networks whose departed connections are remembered.
const DEPARTED: usize = 10_000;

/// The moment of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Monotonic milliseconds.
    pub(crate) mono: u64,
    /// Unix milliseconds; never goes back in one worker.
    pub(crate) unix: u64,
}

/// A stop that has begun.
#[derive(Debug, Clone, Copy)]
struct Stop {
    /// Monotonic milliseconds by which what can be sent must have been.
    deadline: u64,
    /// Monotonic milliseconds until which found blocks on their way are waited for.
    blocks_until: u64,
}

/// All that a worker has.
struct Worker {
    slot: usize,
    generation: u32,
    config: Arc<Config>,
    channel: Channel,
    board: Arc<Board>,
    poll: Poll,
    signals: signals::Signals,
    desk: Desk,
    coins: BTreeMap<String, Coin>,
    gates: BTreeMap<u16, Gate>,
    /// With the certificate for miners, if there is one.
    acceptor: Option<Acceptor>,
    miners: Slab<Miner>,
    serials: u64,
    /// Most descriptors that this process may have open.
    descriptors: u64,
    /// Who left within this second.
    left: u32,
    /// Who this is on the roster.
    pid: u32,
    hint: Hint,
    numbers: Numbers,
    bans: Bans,
    /// Conduct of connections that have left, by network.
    departed: Memory<IpNet, Conduct>,
    addresses: Addresses,
    starts: Starts,
    /// `None` when the last words are said.
    keeper: Option<Keeper>,
    batches: Batches,
    /// Miners with something to hear, and those with something to send or to settle.
    ready: Vec<usize>,
    last_heard: LastHeard,
    hasher: Hasher,
    touched: Vec<usize>,
    scratch: Vec<u8>,
    /// What one miner is sent, while it is put together.
    line: Vec<u8>,
    rollouts: Vec<rollout::Rollout>,
    givings: Vec<give::Giving>,
    takings: Vec<take::Taking>,
    leaving: Option<give::Leaving>,
    stop: Option<Stop>,
    /// The master is gone.
    orphaned: bool,
    /// The master takes no more messages: it is stopped.
    master_is_deaf: bool,
    last_unix: u64,
    /// Monotonic microseconds at which this turn's events came.
    began: u64,
    next_second: u64,
    /// Where the second's round of all miners goes on; `None` when it is over.
    next_round: Option<usize>,
    /// Rounds so far.
    rounds: usize,
    next_purge: u64,
    complained_at: Option<u64>,
    /// The last warning about a miner's conduct.
    warned_at: Option<u64>,
}

/// Serves miners until told to stop. Returns the exit code: 0 after a planned stop.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    logging::tag(&format!("WRK-{:02}", seat.slot));
    match Worker::new(seat) {
        Ok(mut worker) => worker.serve(),
        Err(error) => {
            log::error!("this worker cannot start: {error}");
            1
        }
    }
}

impl Worker {
    fn new(seat: Seat) -> Result<Self, Box<dyn Error>> {
        let Seat { slot, lane, generation, channel, board, config, listeners, opens, .. } = seat;
        let poll = Poll::new()?;
        let registry = poll.registry();
        let mut signals = signals::Signals::new(&[
            signals::SIGTERM,
            signals::SIGINT,
            signals::SIGQUIT,
            signals::SIGUSR1,
        ])?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&channel.as_raw_fd()), CHANNEL, both)?;
        let desk = Desk::new(Waker::new(registry, WAKER)?)?;
        let (mono, unix) = (clock::monotonic_ms(), clock::unix_ms());
        let mut worker = Self {
            slot,
            generation,
            config: Arc::clone(&config),
            channel,
            board,
            poll,
            signals,
            desk,
            coins: BTreeMap::new(),
            gates: BTreeMap::new(),
            acceptor: gates::acceptor(&config)?,
            miners: Slab::new(),
            serials: 0,
            descriptors: crate::sys::limits::descriptors()?,
            left: 0,
            pid: std::process::id(),
            hint: Hint::new(slot),
            // Lanes begin 4.6 hours apart: a miner who changes its worker must not be given a number that
            // it had for the same work.
            numbers: Numbers::new(lane, unix.wrapping_add(u64::from(lane) << 24)),
            bans: Bans::default(),
            departed: Memory::new(DEPARTED),
            addresses: Addresses::default(),
            starts: Starts::default(),
            keeper: Some(Keeper::new(&config.data_dir, slot, Now { mono, unix })?),
            batches: Batches::default(),
            ready: Vec::new(),
            last_heard: LastHeard::default(),
            hasher: Hasher::new(crate::sys::cpu::mixer()),
            touched: Vec::new(),
            scratch: vec![0; miner::READ_A_TURN],
            line: Vec::new(),
            rollouts: Vec::new(),
            givings: Vec::new(),
            takings: Vec::new(),
            leaving: None,
            stop: None,
            orphaned: false,
            master_is_deaf: false,
            last_unix: unix,
            began: clock::monotonic_us(),
            next_second: mono,
            next_round: None,
            rounds: 0,
            next_purge: mono,
            complained_at: None,
            warned_at: None,
        };
        if let Some(row) = worker.board.row(slot) {
            row.miners.store(0, Ordering::Relaxed);
            row.coins().for_each(|cell| cell.miners.store(0, Ordering::Relaxed));
        }
        worker.board.crowd.clear(slot);
        for (id, pool) in &config.pools {
            let coin = Coin::new(pool.clone(), &config, slot, mono)?;
            worker.coins.insert(id.clone(), coin);
        }
        let unit = |coin: &str| worker.coins.get(coin).map(|coin| coin.unit);
        worker.starts.recall(keeper::load(&config.data_dir, unit), mono);
        worker.make_gates(listeners, opens)?;
        worker.publish(worker.now());
        failpoint::point("worker-begins");
        worker.channel.send(&Message::Ready, &[])?;
        Ok(worker)
    }

    /// The moment, with a wall clock that never goes back.
    fn now(&self) -> Now {
        Now { mono: clock::monotonic_ms(), unix: clock::unix_ms().max(self.last_unix) }
    }

    /// This worker's counters for a coin.
    fn cell(&self, coin: &str) -> Option<&CoinCell> {
        self.board.row(self.slot)?.coin(coin)
    }
}

#[cfg(test)]
mod tests;
