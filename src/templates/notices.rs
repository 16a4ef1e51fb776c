//! All that tells one coin of new blocks: listeners, and what they are worth.

use super::coin::Event;
use super::listen::{self, Told};
use super::spread::Spread;
use super::tally::{Source, Tally};
use crate::chain::{Hash, Network};
use crate::config::{Config, Daemon, P2p, Pool};
use crate::daemon::notice::p2p::{self, Hello, Peer};
use crate::daemon::notice::zmq::Subscriber;
use crate::daemon::{self, Client};
use crate::ipc::board::Board;
use crate::special;
use crate::sys::clock;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// With polling off a daemon is still asked so often whether it is there.
const ALIVE: Duration = Duration::from_secs(10);

/// How often daemons are probed.
pub(super) fn poll_every(pool: &Pool) -> Duration {
    if pool.block_refresh.is_zero() { ALIVE } else { pool.block_refresh }
}

/// The notices of one coin.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) tally: Tally,
    pub(super) spread: Spread,
    /// The last new tip, and when it was first told of (monotonic milliseconds).
    pub(super) first: Option<(Hash, u64)>,
    peer: bool,
}

impl Notices {
    pub(super) fn new(board: Arc<Board>) -> Self {
        let (tally, spread) = (Tally::default(), Spread::new(board));
        Self { tally, spread, first: None, peer: false }
    }

    /// Listens to a daemon's ZMQ publisher, if it has one.
    pub(super) fn listen_to_publisher(
        &mut self,
        index: usize,
        daemon: &Daemon,
        events: &Sender<Event>,
    ) -> io::Result<()> {
        let Some(place) = &daemon.zmq else { return Ok(()) };
        self.tally.expect(Source::Zmq);
        let tell = teller(events, Source::Zmq, index);
        listen::start(&format!("zmq-{}", place.port), place.clone(), Subscriber::new, tell)
    }

    /// Listens to a daemon as a peer, if the pool's file says so, now that the network is known.
    pub(super) fn listen_to_peer(
        &mut self,
        config: &Arc<Config>,
        pool: &Pool,
        network: Network,
        events: &Sender<Event>,
    ) {
        let coin = &pool.coin.id;
        let Some(p2p) = pool.p2p.as_ref().filter(|_| !self.peer) else { return };
        self.tally.expect(Source::P2p);
        let Some(magic) = p2p.magic.or_else(|| pool.coin.magic.get(&network).copied()) else {
            let why = format!(
                "no message start of the {network:?} network: add `magic` to `p2p` in {}, or to \
                 `networks` in the coin file",
                pool.file
            );
            return self.down(coin, Source::P2p, 0, why);
        };
        let make = greeter(config, coin, p2p, magic);
        let tell = teller(events, Source::P2p, 0);
        let (name, place) = (format!("p2p-{}", p2p.peer.port), p2p.peer.clone());
        match listen::start(&name, place, make, tell) {
            Ok(()) => self.peer = true,
            Err(error) => self.down(coin, Source::P2p, 0, format!("no thread: {error}")),
        }
    }

    /// A listener's connection stands.
    pub(super) fn up(&mut self, coin: &str, source: Source, daemon: usize) {
        if self.tally.problem(source, daemon, None) {
            special!("{coin}: {} tells of blocks again", source.name());
        }
    }

    /// A listener's connection failed.
    pub(super) fn down(&mut self, coin: &str, source: Source, daemon: usize, why: String) {
        let line = format!("{coin}: no notices by {}: {why}", source.name());
        if self.tally.problem(source, daemon, Some(why)) {
            log::warn!("{line}");
        }
    }

    /// A daemon lets a call wait for a block.
    pub(super) fn polling(&mut self, daemon: usize) {
        self.tally.problem(Source::LongPoll, daemon, None);
    }

    /// Work on `previous` goes out. When that tip was first told of, if this is the first work on it.
    pub(super) fn sent(&mut self, previous: Hash, now: u64, unix: u64) -> Option<u64> {
        let (_, at) = self.first.take_if(|(hash, _)| *hash == previous)?;
        self.spread.sent(unix, now.saturating_sub(at));
        Some(at)
    }
}

fn teller(events: &Sender<Event>, source: Source, daemon: usize) -> impl Fn(Told) -> bool + use<> {
    let events = events.clone();
    move |told| events.send(Event::Told(source, daemon, told)).is_ok()
}

/// Makes the peer of each connection. The version that the daemon speaks, asked anew each time:
/// coins drop old versions, and it may have been upgraded meanwhile.
fn greeter(
    config: &Arc<Config>,
    coin: &str,
    p2p: &P2p,
    magic: [u8; 4],
) -> impl FnMut() -> Peer + Send + use<> {
    let (config, coin, p2p) = (Arc::clone(config), coin.to_owned(), p2p.clone());
    let mut number = 0;
    move || {
        let pool = config.pools.get(&coin);
        let client =
            pool.and_then(|pool| Some(Client::new(pool.daemons.first()?, pool.daemon_timeout)));
        let asked = || daemon::protocol_version(&client?).ok();
        number += 1;
        Peer::new(Hello {
            magic,
            version: p2p.version.or_else(asked).unwrap_or(p2p::VERSION),
            transactions: p2p.transactions,
            unix: i64::try_from(clock::unix_ms() / 1000).unwrap_or(0),
            // Ours alone: a process, a moment, a connection.
            nonce: u64::from(std::process::id()) << 32 ^ clock::monotonic_ms() << 8 ^ number,
        })
    }
}
