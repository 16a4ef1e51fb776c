//! A coin's streams merged by time: what the tally, history and MPOS are filled from.

use super::tail::Tail;
use crate::history;
use crate::journal::{self, Record};
use crate::ledger::Batch;
use crate::mpos;
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::path::Path;

/// How long a record waits for the watermark, ms (at most twice that). After that the clock has
/// been set back, or a worker's promise is stuck, and order matters less than counting.
pub(super) const PATIENCE: u64 = 2000;
/// Most worker names of one batch of the tally: a script of Redis takes a few milliseconds for
/// them.
const NAMES: usize = 1000;
/// Most records of one batch of the tally: few names may have many, and each batch waits for the
/// disk once.
const RECORDS: usize = 16_384;

/// A coin's streams by name.
pub(super) type Tails = BTreeMap<String, Tail>;
/// The streams that have something, by a time that their next record is not before.
pub(super) type Heads = BinaryHeap<Reverse<(u64, String)>>;

/// Closes what was added of slots where nobody writes any more, until there is more: each reload
/// leaves its slots for others.
pub(super) fn close_left(tails: &mut Tails, occupied: &dyn Fn(usize) -> bool) {
    for tail in tails.values_mut().filter(|tail| tail.is_open()) {
        if !occupied(tail.stream.slot) {
            tail.close_if_done();
        }
    }
}

/// What records are put into.
pub(super) trait Load {
    /// Adds a record that stands at `from..to` in a stream. `false`: it does not fit any more, and
    /// nothing was added.
    fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool;
    /// Whether it must be applied before more is added.
    fn is_full(&self) -> bool;
}

impl Load for Batch {
    fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool {
        Self::add(self, stream, from, to, record)
    }

    fn is_full(&self) -> bool {
        self.records >= RECORDS || self.credits.len() >= NAMES || self.is_whole()
    }
}

impl Load for history::Batch {
    fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool {
        Self::add(self, stream, from, to, record);
        true
    }

    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

impl Load for mpos::Batch {
    fn add(&mut self, stream: &str, from: u64, to: u64, record: Record) -> bool {
        Self::add(self, stream, from, to, record);
        true
    }

    fn is_full(&self) -> bool {
        Self::is_full(self)
    }
}

/// Takes up new streams, each at the position that is stored for it.
pub(super) fn list(
    tails: &mut Tails,
    stored: &BTreeMap<String, u64>,
    data_dir: &Path,
    coin: &str,
) -> io::Result<()> {
    for stream in journal::streams(data_dir, coin)? {
        let name = stream.name.clone();
        if !tails.contains_key(&name) {
            let path = journal::path(data_dir, coin, &name);
            let position = stored.get(&name).copied().unwrap_or(0);
            let mut new = Tail::new(stream, path, position, unix_ms());
            for tail in tails.values_mut() {
                tail.note(&new.stream);
                new.note(&tail.stream);
            }
            tails.insert(name, new);
        }
    }
    Ok(())
}

/// The streams that have something.
pub(super) fn heads(tails: &mut Tails, coin: &str, unit: Unit) -> Heads {
    let bounds = tails.iter_mut().filter_map(|(name, tail)| {
        tail.bound(coin, unit).map(|time| Reverse((time, name.clone())))
    });
    bounds.collect()
}

/// Puts records into a batch in the order of time until it is full, or nothing is complete and
/// older than `watermark` (unix ms). `now` is in monotonic ms.
///
/// # Errors
/// Which record does not fit.
pub(super) fn collect(
    load: &mut impl Load,
    coin: &str,
    unit: Unit,
    tails: &mut Tails,
    heads: &mut Heads,
    (watermark, now): (u64, u64),
) -> Result<(), String> {
    let mut later = Vec::new();
    while !load.is_full() {
        let Some(Reverse((bound, name))) = heads.pop() else { break };
        let Some(tail) = tails.get_mut(&name) else { continue };
        if bound >= watermark && !tail.is_ripe(now, PATIENCE) {
            later.push(Reverse((bound, name)));
            continue;
        }
        let Some(time) = tail.peek(coin, unit) else { continue };
        if time > bound {
            heads.push(Reverse((time, name)));
            continue;
        }
        // One record after the other, as long as no other stream has an earlier one.
        loop {
            let from = tail.from();
            let Some((record, to)) = tail.take() else { break };
            if !load.add(&name, from, to, record) {
                return Err(format!("the work in {name} at byte {from}"));
            }
            let Some(time) = tail.peek(coin, unit) else { break };
            let is_next = heads
                .peek()
                .is_none_or(|Reverse((other, stream))| (time, &name) < (*other, stream));
            if load.is_full() || !is_next || time >= watermark {
                heads.push(Reverse((time, name)));
                break;
            }
        }
    }
    heads.extend(later);
    Ok(())
}
