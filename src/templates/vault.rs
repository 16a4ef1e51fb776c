//! Found blocks without an answer: asked for, submitted again, and settled.
//!
//! A worker submits what it finds itself. What is still in the vault after that, because the
//! worker died or no daemon answered, is taken up here, at start and every 10 s.

use crate::chain::Hash;
use crate::config::{Config, Pool};
use crate::daemon::{CallError, Client, block_info, submit};
use crate::journal::{self, Answer, Outcome, Record, Verdict, vault};
use crate::net::helper;
use crate::special;
use crate::sys::clock;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the vault is looked through.
const EVERY: Duration = Duration::from_secs(10);
/// A worker has so long to settle its block itself.
const YOUNG_MS: u64 = 15_000;
/// Deadline of one submission.
const SUBMIT: Duration = Duration::from_secs(30);
/// A block that a daemon has outside its chain for so long has lost.
const LOST_MS: u64 = 3_600_000;
/// With a parent of more confirmations than that, a sibling of the block has 6 blocks on it.
const BURIED_PARENT: i64 = 8;
/// All must have refused for so long before a block counts as refused.
const REFUSED_MS: u64 = 10 * 60_000;
/// First and longest time between two looks at one block.
const BACK_OFF_MS: (u64, u64) = (10_000, 60_000);

/// What one daemon knows of a block: confirmations (-1: not in the chain), `None`: unknown.
type Known = Result<Option<i64>, CallError>;

/// What is remembered of one block while this process lives.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    refused_since: Option<u64>,
    next: u64,
    looks: u32,
    told: bool,
}

/// What the daemons' knowledge of a block means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// At least one has it in its chain.
    InChain,
    /// Every one answered, and none has it in its chain.
    Nowhere,
    /// Some gave no answer.
    Unclear,
}

/// Starts the thread of one coin.
pub(super) fn start(config: &Arc<Config>, coin: &str, slot: usize) -> io::Result<()> {
    let (config, coin) = (Arc::clone(config), coin.to_owned());
    let started = clock::unix_ms();
    helper::spawn(&format!("vault-{coin}"), move || {
        let Some(pool) = config.pools.get(&coin) else { return };
        let mut replay = Replay::new(&config.data_dir, config.instance, slot, pool, started);
        loop {
            replay.turn();
            std::thread::sleep(EVERY);
        }
    })
    .map(|_| ())
}

/// One coin's vault.
struct Replay<'a> {
    data_dir: &'a Path,
    instance: u16,
    slot: usize,
    pool: &'a Pool,
    started: u64,
    clients: Vec<Client>,
    tracks: HashMap<Hash, Track>,
    /// The stream of this process, once there was an answer.
    journal: RefCell<Option<journal::Writer>>,
}

impl<'a> Replay<'a> {
    fn new(data_dir: &'a Path, instance: u16, slot: usize, pool: &'a Pool, started: u64) -> Self {
        let clients =
            pool.daemons.iter().map(|daemon| Client::new(daemon, pool.daemon_timeout)).collect();
        Self {
            data_dir,
            instance,
            slot,
            pool,
            started,
            clients,
            tracks: HashMap::new(),
            journal: RefCell::new(None),
        }
    }

    fn coin(&self) -> &str {
        &self.pool.coin.id
    }

    fn turn(&mut self) {
        let pending = match vault::pending(self.data_dir, self.coin()) {
            Ok(pending) => pending,
            Err(error) => {
                let folder = vault::folder(self.data_dir, self.coin());
                log::error!(
                    "{}: the vault {} cannot be read: {error}; found blocks there are not \
                     submitted again",
                    self.coin(),
                    folder.display()
                );
                return;
            }
        };
        let open: Vec<Hash> = pending.iter().map(|candidate| candidate.found.hash).collect();
        self.tracks.retain(|hash, _| open.contains(hash));
        for candidate in &pending {
            let (now, monotonic) = (clock::unix_ms(), clock::monotonic_ms());
            let mut track = self.tracks.get(&candidate.found.hash).copied().unwrap_or_default();
            let ready = is_ready(candidate.found.time, self.started, now);
            if ready && monotonic >= track.next {
                self.look(candidate, &mut track);
                track.next = clock::monotonic_ms() + back_off(track.looks);
                track.looks = track.looks.saturating_add(1);
                self.tracks.insert(candidate.found.hash, track);
            }
        }
    }

    fn look(&self, candidate: &vault::Candidate, track: &mut Track) {
        let found = &candidate.found;
        if !std::mem::replace(&mut track.told, true) {
            special!(
                "{}: block {} at height {} found by {} has no answer yet: asking the daemons",
                self.coin(),
                found.hash,
                found.height,
                found.worker
            );
        }
        let headers = self.headers(&found.hash);
        let finding = judge(&headers);
        if finding == Finding::InChain {
            return self.settle(found, Verdict::Accepted, self.words(&headers));
        }
        if is_known(&headers) {
            let parents = self.headers(&found.previous);
            if clock::unix_ms().saturating_sub(found.time) >= LOST_MS || is_buried(&parents) {
                return self.shelve(found, self.words(&headers));
            }
            // Nothing is left to be done for it where it is known: should that daemon's chain come
            // to it, it does so by itself. One that lacks it may stand on the block before.
            if !is_lacking(&headers) {
                return;
            }
        }
        let answers = submit::everywhere(&self.pool.daemons, &candidate.block, SUBMIT);
        match submit::overall(&answers) {
            Verdict::Accepted => self.settle(found, Verdict::Accepted, answers),
            Verdict::Rejected if finding == Finding::Nowhere => {
                let now = clock::monotonic_ms();
                let since = *track.refused_since.get_or_insert(now);
                if now.saturating_sub(since) >= REFUSED_MS {
                    self.settle(found, Verdict::Rejected, answers);
                }
            }
            _ => {
                let words: Vec<_> = answers
                    .iter()
                    .map(|answer| format!("{}: {}", answer.daemon, answer.words))
                    .collect();
                log::warn!(
                    "{}: block {} is still without an answer, it stays in the vault. {}",
                    self.coin(),
                    found.hash,
                    words.join(". ")
                );
            }
        }
    }

    fn headers(&self, hash: &Hash) -> Vec<Known> {
        let depth = |client| block_info(client, hash).map(|it| it.map(|it| it.confirmations));
        self.clients.iter().map(depth).collect()
    }

    fn words(&self, headers: &[Known]) -> Vec<Answer> {
        let each = self.clients.iter().zip(headers);
        each.map(|(client, known)| {
            let (verdict, words) = match known {
                Ok(Some(depth)) if *depth >= 0 => {
                    (Verdict::Accepted, format!("in the chain, {depth} confirmations"))
                }
                Ok(Some(_)) => (Verdict::Unknown, "known, not in the chain".to_owned()),
                Ok(None) => (Verdict::Unknown, "not known".to_owned()),
                Err(error) => (Verdict::Unknown, error.fault.to_string()),
            };
            Answer { daemon: client.address(), verdict, words }
        })
        .collect()
    }

    /// Puts a block aside that a daemon has, outside its chain: the ledger keeps it as unknown, and
    /// payments believe the chain.
    fn shelve(&self, found: &journal::BlockFound, answers: Vec<Answer>) {
        let (coin, hash, height) = (self.coin(), found.hash, found.height);
        let time = clock::unix_ms();
        let outcome = Outcome { time, hash, verdict: Verdict::Unknown, answers };
        let shelved = self
            .record(found, outcome)
            .and_then(|()| vault::shelve(self.data_dir, coin, &found.hash));
        match shelved {
            Ok(()) => log::warn!(
                "{coin}: block {hash} at height {height} lost against another one; it is kept in \
                 the vault's folder `known`"
            ),
            Err(error) => log::error!("{coin}: block {hash} cannot be put aside: {error}"),
        }
    }

    /// Journal first: a crash between the two repeats the record, which changes nothing.
    fn settle(&self, found: &journal::BlockFound, verdict: Verdict, answers: Vec<Answer>) {
        let words: Vec<_> =
            answers.iter().map(|answer| format!("{}: {}", answer.daemon, answer.words)).collect();
        let outcome = Outcome { time: clock::unix_ms(), hash: found.hash, verdict, answers };
        let settled = self
            .record(found, outcome)
            .and_then(|()| vault::settle(self.data_dir, self.coin(), &found.hash, verdict));
        let (coin, hash, height) = (self.coin(), found.hash, found.height);
        let words = words.join("; ");
        match (settled, verdict) {
            (Err(error), _) => log::error!(
                "{coin}: block {hash} at height {height}: the answer ({verdict:?}) cannot be \
                 stored: {error}; trying again"
            ),
            (Ok(()), Verdict::Rejected) => log::error!(
                "{coin}: BLOCK REFUSED by every daemon: {hash} at height {height}: {words}. The \
                 block is kept in the vault's folder `rejected`; look whether the coin file fits \
                 the coin"
            ),
            (Ok(()), _) => special!("{coin}: block {hash} at height {height} taken: {words}"),
        }
    }

    /// One stream for all answers of this process: many files would cost the bookkeeper more than
    /// one that stays open.
    ///
    /// The block itself comes first: a worker that was killed between vault and journal has left no
    /// record of it. Where there is one, a second changes nothing.
    fn record(&self, found: &journal::BlockFound, outcome: Outcome) -> io::Result<()> {
        let mut open = self.journal.borrow_mut();
        let mut writer = match open.take() {
            Some(writer) => writer,
            None => {
                let unit = journal::unit(self.data_dir, self.coin(), self.pool.unit)?;
                let (coin, now) = (self.coin(), clock::unix_ms());
                journal::Writer::open(self.data_dir, coin, self.instance, self.slot, unit, now)?
            }
        };
        writer.push(&Record::Block(Box::new(found.clone())));
        writer.push(&Record::Outcome(Box::new(outcome)));
        writer.commit()?;
        *open = Some(writer);
        Ok(())
    }
}

/// Whether a block found at `time` is to be taken up: its worker has had its time, or it is from
/// before this process. One from the future is from before the clock was set back.
fn is_ready(time: u64, started: u64, now: u64) -> bool {
    time < started || now.abs_diff(time) >= YOUNG_MS
}

fn judge(headers: &[Known]) -> Finding {
    if headers.iter().any(|known| matches!(known, Ok(Some(depth)) if *depth >= 0)) {
        Finding::InChain
    } else if !headers.is_empty() && headers.iter().all(Result::is_ok) {
        Finding::Nowhere
    } else {
        Finding::Unclear
    }
}

/// Whether a daemon has the block, if not in its chain.
fn is_known(headers: &[Known]) -> bool {
    headers.iter().any(|known| matches!(known, Ok(Some(_))))
}

/// Whether a daemon says that it does not have the block.
fn is_lacking(headers: &[Known]) -> bool {
    headers.iter().any(|known| matches!(known, Ok(None)))
}

/// Whether the chain has gone on without the block, judged by its parent.
fn is_buried(parents: &[Known]) -> bool {
    parents.iter().any(|parent| matches!(parent, Ok(Some(depth)) if *depth > BURIED_PARENT))
}

/// 10 s, doubled with each look, at most 60 s.
fn back_off(looks: u32) -> u64 {
    BACK_OFF_MS.0.saturating_mul(1 << looks.min(10)).min(BACK_OFF_MS.1)
}

#[cfg(test)]
#[path = "vault/tests.rs"]
mod tests;
