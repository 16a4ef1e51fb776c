//! Examines coin daemons before their work is trusted: do address, algorithm, network and the
//! blocks that romp would build fit what the daemon itself says?
//!
//! `judge` is pure: findings from replies. `ask` puts the questions to one daemon. This file puts
//! all daemons side by side and says what counts when they differ.

mod ask;
mod judge;
mod stake;
mod words;

pub use ask::{Examined, daemon};

use crate::config::{self, Key, Payments, Pool};
use crate::daemon::{Client, Payees, address};
use crate::net::helper;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest wait for one call, whatever `daemonTimeout` says: the pool waits for the doctor.
const CALL: Duration = Duration::from_secs(5);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Cannot be told with this daemon, which is no fault.
    Skip,
    /// Look at it; the pool can go on.
    Warn,
    /// The configuration and the daemon contradict each other: no block would ever be paid.
    Fail,
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `rpc`, `network`, `sync`, `peers`, `reward`, `address`, `wallet`,
    /// `algorithm`, `template`, `clock` or `block`.
    pub what: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// A sentence for the operator.
    pub words: String,
    /// The setting to correct, if there is one.
    pub key: Option<Key>,
}

impl Finding {
    fn new(what: &'static str, verdict: Verdict, words: impl Into<String>) -> Self {
        Self { what, verdict, words: words.into(), key: None }
    }

    fn at(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// One daemon's findings.
#[derive(Debug, Clone)]
pub struct Patient {
    /// Coin id.
    pub coin: String,
    /// `host:port`.
    pub daemon: String,
    /// What was found, in the order of the questions.
    pub findings: Vec<Finding>,
    /// Whether its chain could be looked at.
    pub answered: bool,
}

/// Whether any finding is a contradiction.
#[must_use]
pub fn contradicts(patients: &[Patient]) -> bool {
    let mut findings = patients.iter().flat_map(|patient| &patient.findings);
    findings.any(|finding| finding.verdict == Verdict::Fail)
}

/// Examines all daemons of these pools side by side, within `patience`. Threads of daemons that
/// hang may outlive the call by one deadline.
#[must_use]
pub fn examine(pools: &[&Pool], patience: Duration) -> Vec<Patient> {
    let until = Instant::now() + patience;
    let (sender, receiver) = mpsc::channel();
    let mut waiting = BTreeMap::new();
    for (place, (pool, index, daemon)) in all(pools).into_iter().enumerate() {
        waiting.insert(place, (pool, address(&daemon)));
        let (sender, pool) = (sender.clone(), pool.clone());
        let started = helper::spawn("doctor", move || {
            let client = Client::new(&daemon, pool.daemon_timeout.min(CALL));
            let examined = match index {
                Some(index) => ask::daemon(&client, &pool, index, until, &mut Payees::default()),
                None => ask::wallet_only(&client, &pool),
            };
            let _ = sender.send((place, examined));
        });
        if let Err(error) = started {
            log::warn!("doctor: no thread: {error}");
        }
    }
    drop(sender);
    let mut done: BTreeMap<usize, Examined> = BTreeMap::new();
    while let Ok((place, examined)) =
        receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        done.insert(place, examined);
    }
    let patients = waiting.into_iter().map(|(place, (pool, daemon))| {
        let examined = done.remove(&place).unwrap_or_else(|| Examined::late(&daemon, patience));
        (pool.coin.id.clone(), daemon, examined)
    });
    compare(patients.collect())
}

/// Every daemon with its place in the pool's list; without one the wallet's, where it is another.
fn all<'a>(pools: &[&'a Pool]) -> Vec<(&'a Pool, Option<usize>, config::Daemon)> {
    let mut all = Vec::new();
    for pool in pools {
        for (index, daemon) in pool.daemons.iter().enumerate() {
            all.push((*pool, Some(index), daemon.clone()));
        }
        if let Some(Payments { wallet, .. }) = &pool.payments
            && !pool.daemons.iter().any(|daemon| address(daemon) == address(wallet))
        {
            all.push((*pool, None, wallet.clone()));
        }
    }
    all
}

/// What counts when the daemons of a coin differ: as long as one of them is in order the others'
/// contradictions are warnings, since no work is taken from those.
fn compare(examined: Vec<(String, String, Examined)>) -> Vec<Patient> {
    // A daemon that only holds the wallet gives no work: nobody asked for its network.
    let sound = |it: &Examined| {
        it.network.is_some() && it.findings.iter().all(|finding| finding.verdict != Verdict::Fail)
    };
    let mut networks = BTreeMap::new();
    let mut fine = BTreeSet::new();
    for (coin, _, it) in examined.iter().filter(|(_, _, it)| sound(it)) {
        fine.insert(coin.clone());
        if let Some(network) = it.network {
            networks.entry(coin.clone()).or_insert(network);
        }
    }
    let patient = |(coin, daemon, it): (String, String, Examined)| {
        let mut findings = it.findings;
        if let (Some(ours), Some(theirs)) = (networks.get(&coin), it.network)
            && *ours != theirs
            && findings.iter().all(|finding| finding.verdict != Verdict::Fail)
        {
            findings.push(judge::other_network(&daemon, *ours, theirs));
        }
        if fine.contains(&coin) {
            let failed = findings.iter_mut().filter(|it| it.verdict == Verdict::Fail);
            failed.for_each(|finding| {
                finding.verdict = Verdict::Warn;
                finding.words.push_str("; no work is taken from this daemon, only from the others");
            });
        }
        Patient { coin, daemon, findings, answered: it.answered }
    };
    examined.into_iter().map(patient).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
