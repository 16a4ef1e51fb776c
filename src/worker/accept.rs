//! Newcomers: courteous accept on the shared listening sockets.

use super::courtesy::{FRESH_MS, may_accept};
use super::miner::Miner;
use super::{MINERS, Now, Worker};
use crate::ipc::Role;
use crate::net::stream::{Offer, Stream};
use crate::stratum::{Cause, PortRules, Session};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Newcomers that one listening socket gives to one worker in one turn.
const A_TURN: usize = 16;
/// Milliseconds for which accepting rests when the process has no more descriptors.
const REST_MS: u64 = 100;
/// Milliseconds between log lines about that.
const COMPLAIN_MS: u64 = 60_000;
/// Descriptors that newcomers never get, so that a crowd cannot keep work, blocks and journals from
/// theirs: so many, and for each coin the works of two tips (32 each) and calls to daemons.
const RESERVE: usize = 64;
const RESERVE_PER_COIN: usize = 96;
/// Bytes that the kernel keeps of what is not sent yet. By itself it takes up to 4 MB for each
/// miner who does not read; what it does not take is ours to bound.
const UNSENT: u32 = 16 * 1024;
/// Miners without an accepted share that make room in a full worker, each time that it rests ...
const MAKE_ROOM: usize = 32;
/// ... and the milliseconds that each of them had.
const CHANCE_MS: u64 = 60_000;

/// One stratum port: its socket, and what it leads to.
#[derive(Debug)]
pub(crate) struct Gate {
    listener: Option<TcpListener>,
    /// Coin whose pool miners of this port are in now.
    pub(crate) coin: String,
    pub(crate) rules: PortRules,
    /// What newcomers are spoken with.
    pub(crate) offer: Offer,
    is_open: bool,
    /// Newcomers may be waiting.
    pub(crate) pending: bool,
    /// A turn's bound was reached: more of them surely are.
    pub(crate) more: bool,
    /// Monotonic milliseconds before which accepting rests.
    rest_until: u64,
}

impl Gate {
    /// A gate that is not open yet.
    pub(crate) fn new(
        socket: std::net::TcpListener,
        coin: String,
        (rules, offer): (PortRules, Offer),
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let listener = Some(TcpListener::from_std(socket));
        Ok(Self {
            listener,
            coin,
            rules,
            offer,
            is_open: false,
            pending: false,
            more: false,
            rest_until: 0,
        })
    }

    /// Listens for newcomers. Some may be waiting already.
    pub(crate) fn open(&mut self, registry: &Registry, port: u16) -> io::Result<()> {
        let Some(listener) = self.listener.as_mut().filter(|_| !self.is_open) else {
            return Ok(());
        };
        listener.register(registry, Token(usize::from(port)), Interest::READABLE)?;
        (self.is_open, self.pending) = (true, true);
        Ok(())
    }

    /// Stops listening; miners keep what they have.
    pub(crate) fn shut(&mut self, registry: &Registry) {
        if let Some(mut listener) = self.listener.take() {
            // Dropping closes it all the same.
            let _ = listener.deregister(registry);
        }
        (self.is_open, self.pending, self.more) = (false, false, false);
    }
}

impl Worker {
    /// Accepts on every port where somebody may be waiting, as far as courtesy allows.
    pub(super) fn accept(&mut self, now: Now) {
        let ports: Vec<u16> = self
            .gates
            .iter()
            .filter(|(_, gate)| gate.pending && gate.rest_until <= now.mono)
            .map(|(port, _)| *port)
            .collect();
        for port in ports {
            let more = (0..A_TURN).all(|_| self.accept_one(port, now));
            if let Some(gate) = self.gates.get_mut(&port) {
                gate.more = more;
            }
        }
    }

    /// Accepts one newcomer; `false` when there is none, or none for us.
    fn accept_one(&mut self, port: u16, now: Now) -> bool {
        if !may_accept(self.miner_count(), self.siblings(now)) {
            return false;
        }
        if self.miners.len() >= most_miners(self.descriptors, self.coins.len()) {
            self.make_room(now);
            self.rest(port, "the rest of the open files is for work and blocks", now);
            return false;
        }
        let Some(gate) = self.gates.get_mut(&port) else { return false };
        let Some(listener) = &gate.listener else { return false };
        match listener.accept() {
            Ok((stream, peer)) => {
                self.welcome(stream, peer, port, now);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                gate.pending = false;
                false
            }
            Err(error) if is_shortage(&error) => {
                self.rest(port, &error.to_string(), now);
                false
            }
            // The newcomer has gone already.
            Err(_) => true,
        }
    }

    /// Leaves newcomers waiting for a while, and tells the operator why.
    fn rest(&mut self, port: u16, why: &str, now: Now) {
        self.count(Cause::Descriptors);
        if let Some(gate) = self.gates.get_mut(&port) {
            gate.rest_until = now.mono.saturating_add(REST_MS);
        }
        if self.complained_at.is_none_or(|at| now.mono.saturating_sub(at) >= COMPLAIN_MS) {
            self.complained_at = Some(now.mono);
            log::error!(
                "port {port}: newcomers cannot be accepted: {why}; raise the limit of open files \
                 (LimitNOFILE=, ulimit -n) or the number of workers"
            );
        }
    }

    /// Ends the oldest connections that have never had a share accepted, so that somebody with many
    /// addresses cannot fill a worker for good with connections that cost nothing.
    fn make_room(&mut self, now: Now) {
        let limits = &self.config.limits;
        let idle = self
            .miners
            .iter()
            .filter(|(_, miner)| !miner.conduct.has_worked() && !limits.is_exempt(&miner.address));
        for key in oldest(idle.map(|(key, miner)| (miner.since, key)), now.mono) {
            if let Some(miner) = self.miners.get_mut(key) {
                miner.say(Cause::MadeRoom.advice().unwrap_or_default(), now.mono);
                miner.end(Cause::MadeRoom);
                self.touched.push(key);
            }
        }
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr, port: u16, now: Now) {
        let address = peer.ip().to_canonical();
        let Some(gate) = self.gates.get(&port) else { return };
        let mut stream = Stream::new(stream, &gate.offer);
        let is_proxy = self.awaits_header(port, &address);
        if !is_proxy && let Err(cause) = self.admit(&address, now) {
            self.count(cause);
            return refuse(&mut stream, &self.refusal(cause, &address));
        }
        if let Some(why) = self.coins.get(&gate.coin).and_then(|coin| coin.closed(now.mono)) {
            return refuse(&mut stream, why);
        }
        let Some(ticket) = self.board.roster.claim(self.pid, &mut self.hint) else {
            return refuse(&mut stream, "the pool is full");
        };
        let counted = if is_proxy { None } else { self.enter(address, now) };
        prepare(stream.socket());
        self.serials += 1;
        let entry = self.miners.vacant_entry();
        let key = entry.key();
        let rules = &gate.rules;
        let mut miner = Miner::new(stream, self.serials, address, port, ticket, rules, now.mono);
        (miner.awaits_header, miner.counted) = (is_proxy, counted);
        if let Err(error) = watch(self.poll.registry(), &mut miner, key) {
            log::error!("port {port}: a newcomer cannot be watched: {error}");
            self.board.roster.give_back(ticket, self.pid, &mut self.hint);
            self.leave(&miner);
            return;
        }
        entry.insert(miner);
        self.ready.push(key);
        // At once, so that siblings see it before they accept the next one.
        self.publish_miners();
    }

    /// Miners of this worker.
    pub(super) fn miner_count(&self) -> u32 {
        u32::try_from(self.miners.len()).unwrap_or(u32::MAX)
    }

    /// Miners of each other worker that is alive.
    fn siblings(&self, now: Now) -> impl Iterator<Item = u32> {
        self.board
            .rows()
            .filter(move |(slot, row)| {
                let tick = row.tick.load(Ordering::Relaxed);
                *slot != self.slot
                    && row.role.load(Ordering::Relaxed) == Role::Worker.number()
                    && row.is_open.load(Ordering::Relaxed) == 1
                    && now.mono.saturating_sub(tick) <= FRESH_MS
            })
            .map(|(_, row)| row.miners.load(Ordering::Relaxed))
    }
}

/// Has the loop told of what happens on a miner's socket. `key`: the miner's place in the slab.
pub(super) fn watch(registry: &Registry, miner: &mut Miner, key: usize) -> io::Result<()> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    registry.register(miner.stream.socket(), Token(MINERS.saturating_add(key)), interest)
}

/// The most miners of a worker that may open so many descriptors. Where that is very little,
/// miners get half.
fn most_miners(descriptors: u64, coins: usize) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let reserve = RESERVE.saturating_add(RESERVE_PER_COIN.saturating_mul(coins));
    descriptors - reserve.min(descriptors / 2)
}

/// Of connections, each with its begin, the oldest that had their chance.
fn oldest(connections: impl Iterator<Item = (u64, usize)>, now: u64) -> Vec<usize> {
    let had_chance = |(since, _): &(u64, usize)| now.saturating_sub(*since) >= CHANCE_MS;
    let mut had: Vec<_> = connections.filter(had_chance).collect();
    had.sort_unstable();
    had.into_iter().take(MAKE_ROOM).map(|(_, key)| key).collect()
}

/// Socket options of a miner's connection. A failure of one is no reason to refuse the miner.
fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let set = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
        .and_then(|()| socket.set_tcp_user_timeout(Some(Duration::from_secs(60))))
        .and_then(|()| socket.set_tcp_notsent_lowat(UNSENT));
    if let Err(error) = set {
        log::debug!("a miner's socket option cannot be set: {error}");
    }
}

/// Says why, to somebody who is closed then.
pub(super) fn refuse(stream: &mut Stream<TcpStream>, why: &str) {
    let mut line = Vec::new();
    Session::message(why, &mut line);
    stream.refuse(&line);
}

/// Whether the process or the machine has run out of descriptors or memory for sockets.
fn is_shortage(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let shortage = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|code| shortage.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::{CHANCE_MS, MAKE_ROOM, most_miners, oldest};

    #[test]
    fn the_oldest_without_a_share_make_room() {
        let keys = |ages: &[u64]| oldest(ages.iter().copied().zip(0..), CHANCE_MS + 100);
        assert_eq!(keys(&[100, 101, 0, 50]), [2, 3, 0], "oldest first, after their chance only");
        assert_eq!(keys(&[0; 1000]).len(), MAKE_ROOM);
    }

    #[test]
    fn newcomers_never_get_the_last_descriptors() {
        assert_eq!(most_miners(65_536, 1), 65_376);
        assert_eq!(most_miners(1024, 3), 672);
        assert_eq!(most_miners(256, 32), 128);
        assert_eq!(most_miners(1, 1), 1);
        assert!(most_miners(u64::MAX, 1) > 1 << 40);
    }
}
