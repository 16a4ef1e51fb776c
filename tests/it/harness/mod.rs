//! What the tests are made of: daemons, a pool, miners, and waiting with a deadline.

#![allow(dead_code, unused_imports, reason = "`it` and `chaos` use it, neither of them all of it")]

mod browser;
mod client;
mod http;
mod litecoin;
mod load;
mod mariadb;
mod network;
mod old_wallet;
mod process;
mod proxy;
mod redis;
mod romp;
mod rpc;
mod sink;
mod stub;
mod tls;
mod upgrade;

pub(crate) use browser::{Browser, View};
pub(crate) use client::{Attempt, Client, hex, scrypt, to_hex};
pub(crate) use litecoin::{NO_MWEB, Pair, to_satoshi};
pub(crate) use load::{Connector, Counts, Load};
pub(crate) use mariadb::MariaDb;
pub(crate) use network::in_own_network;
pub(crate) use old_wallet::{Fate, OldWallet};
pub(crate) use process::{Process, is_alive, is_mine, kill, system, take_orphans};
pub(crate) use proxy::{Proxy, Trick};
pub(crate) use redis::Redis;
pub(crate) use romp::{
    ADDRESS, BINARY, NOTIFY_PASSWORD, Pool, Romp, miner_counts, romp, start_miner,
};
pub(crate) use rpc::Rpc;
pub(crate) use sink::{Post, Posted, Sink};
pub(crate) use stub::{KEY, Mood, Stub};
pub(crate) use tls::{certificate, through_tls, tls, tls_over};

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Held by every test that starts processes: they are heavy, and a machine may have two cores.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that nobody listens on, below the ephemeral range (32768 and up), where a client's own
/// socket may hold it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Different runs start at different places, also those whose process ids are neighbours, so
    // that two of them rarely try the same port.
    let offset = u16::try_from(std::process::id() % 4000 * 97 % 4990).unwrap();
    for _ in 0..5000 {
        let port = 25_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 4990;
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port in 25000..29990");
}

/// Asks again and again until there is an answer; panics with `what` when the deadline passes.
pub(crate) fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// [`wait_for`] a condition.
pub(crate) fn wait_until(what: &str, deadline: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, deadline, || holds().then_some(()));
}

/// Shorthand.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
