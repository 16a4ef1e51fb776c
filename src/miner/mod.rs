//! `romp miner`: a small honest CPU miner that speaks stratum, for trying a pool and for tests.
//!
//! The main thread talks to the pool; one thread reads its lines, others hash. `job` and
//! `protocol` are pure, `shell` performs what they say.

mod address;
mod job;
mod protocol;
mod shell;
mod way;

pub use crate::net::connector::Trust;
use crate::pow::Algorithm;

/// What to mine and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Proof of work.
    pub algorithm: Algorithm,
    /// Hashing threads; at least one is started.
    pub threads: usize,
    /// `stratum+tcp://host:port` (the scheme may be left out), or `stratum+ssl://host:port`.
    pub url: String,
    /// TLS, and whose certificates are believed. `None`: as the address says.
    pub tls: Option<Trust>,
    /// User name: an address, perhaps with `.rig`.
    pub user: String,
    /// Password.
    pub password: String,
    /// Stop after that many seconds.
    pub seconds: Option<u64>,
}

/// Mines until `options.seconds` have passed or SIGINT or SIGTERM comes.
///
/// Exit code: 0 after a signal, or when time is up and a share was accepted; 1 when time is up and
/// none was, or threads cannot be started; 2 when the address is not understood.
#[must_use]
pub fn run(options: Options) -> u8 {
    shell::run(&options)
}
