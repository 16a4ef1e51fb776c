//! One coin as a worker serves it: its pool, jobs and journal.

use super::Now;
use super::candidate::Submission;
use super::fallback::Fallback;
use super::jobs::Jobs;
use super::members::Members;
use super::rigs::Rigs;
use crate::chain::{Hash, Network};
use crate::config::{Config, Pool, Port};
use crate::journal::{self, Record, Writer};
use crate::stratum::{Difficulty, PortRules, Reject, SessionLimits, Unit, VarDiffRules, Weight};
use crate::sys::clock::ms;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Milliseconds between attempts to open a journal that could not be opened.
const RETRY_MS: u64 = 1000;
/// Turns in a row that could not be recorded before miners are sent to their other pools.
const FAILURES: u32 = 3;
/// Milliseconds for which newcomers are kept out after that, unless the journal can be written.
const KEPT_OUT_MS: u64 = 30_000;
/// Milliseconds for which they are kept out at least, so that miners do not come and go.
const KEPT_OUT_LEAST_MS: u64 = 3_000;
/// Found blocks that are remembered, so that none is handled twice.
const FOUND: usize = 64;
/// Milliseconds between the records of refused shares, which cost their sender nothing: they must
/// not fill the disk as fast as they come ...
const REJECTS_MS: u64 = 1000;
/// ... and as many names and reasons at most wait for that.
const MOST_REJECTS: usize = 4096;

/// One coin.
#[derive(Debug)]
pub(crate) struct Coin {
    pub(crate) pool: Pool,
    /// What a connection may do.
    pub(crate) limits: SessionLimits,
    /// Rig names of an address that are kept apart; 0: any number.
    pub(crate) most_rigs: usize,
    pub(crate) rigs: Rigs,
    /// Unit of the coin's ledger.
    pub(crate) unit: Unit,
    pub(crate) jobs: Jobs,
    /// What the MPOS database said about workers.
    pub(crate) members: Members,
    /// Monotonic milliseconds of the last work; of the coin's start while there was none.
    pub(crate) work_at: u64,
    /// Monotonic milliseconds at which the present work came from a daemon, asked by this worker.
    pub(crate) own_work_at: Option<u64>,
    /// Work is too old: miners were sent away, newcomers are too.
    pub(crate) stale: bool,
    pub(crate) fallback: Fallback,
    /// Blocks that are being submitted.
    pub(crate) submissions: Vec<Submission>,
    found: VecDeque<Hash>,
    journal: Journal,
    /// Refused shares that are not written yet.
    rejects: BTreeMap<(String, Reject), u32>,
    /// Monotonic milliseconds at which they are.
    rejects_due: u64,
    /// It was said that a window is cut short.
    pub(super) told_of_window: Cell<bool>,
    /// Refused shares of this turn.
    refused: BTreeMap<Reject, u32>,
}

#[derive(Debug)]
struct Journal {
    data_dir: PathBuf,
    instance: u16,
    slot: usize,
    writer: Option<Writer>,
    /// Monotonic milliseconds before which opening is not tried again.
    retry_at: u64,
    /// Records of this turn, as things happened.
    records: Vec<Record>,
    /// Blocks and outcomes of earlier turns that could not be written yet.
    lasting: Vec<Record>,
    failures: u32,
    /// Syncs in a row that failed.
    lost: u32,
    /// Monotonic milliseconds until which newcomers are kept out.
    closed_until: u64,
}

impl Coin {
    pub(crate) fn new(pool: Pool, config: &Config, slot: usize, now: u64) -> io::Result<Self> {
        let unit = journal::unit(&config.data_dir, &pool.coin.id, pool.unit).map_err(|error| {
            let dir = config.data_dir.display();
            io::Error::new(error.kind(), format!("{}: journal in {dir}: {error}", pool.coin.id))
        })?;
        Ok(Self {
            pool,
            limits: config.limits.session,
            most_rigs: config.limits.rigs,
            rigs: Rigs::default(),
            unit,
            jobs: Jobs::default(),
            members: Members::default(),
            work_at: now,
            own_work_at: None,
            stale: false,
            fallback: Fallback::default(),
            submissions: Vec::new(),
            found: VecDeque::new(),
            journal: Journal {
                data_dir: config.data_dir.clone(),
                instance: config.instance,
                slot,
                writer: None,
                retry_at: 0,
                records: Vec::new(),
                lasting: Vec::new(),
                failures: 0,
                lost: 0,
                closed_until: 0,
            },
            rejects: BTreeMap::new(),
            rejects_due: now,
            told_of_window: Cell::new(false),
            refused: BTreeMap::new(),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.pool.coin.id
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.journal.data_dir
    }

    /// Counts a refused share; it is written with others of its kind.
    pub(crate) fn rejected(&mut self, worker: &str, reject: Reject) {
        let count = self.rejects.entry((worker.to_owned(), reject)).or_insert(0);
        *count = count.saturating_add(1);
        *self.refused.entry(reject).or_insert(0) += 1;
    }

    /// A record of this turn, in the order in which things happened: a share that is a block
    /// stands before the block that closes its round. Shares count only if this turn's commit
    /// succeeds; blocks and what became of them are written now or later.
    pub(crate) fn record(&mut self, record: Record) {
        self.journal.records.push(record);
    }

    /// Whether shares are recorded for MPOS, too.
    pub(crate) fn keeps_rows(&self) -> bool {
        self.pool.mpos.is_some()
    }

    /// Records a worker's new difficulty for MPOS.
    pub(crate) fn retarget(&mut self, worker: &str, weight: Weight, unix: u64) {
        if self.keeps_rows() {
            self.record(Record::Retarget { time: unix, worker: worker.to_owned(), weight });
        }
    }

    /// Whether found blocks wait for daemons, or for the journal.
    pub(crate) fn is_busy(&self) -> bool {
        !self.submissions.is_empty()
            || !self.journal.lasting.is_empty()
            || !self.journal.records.is_empty()
    }

    /// Whether the loop must not sleep for long: records are not on the disk yet, blocks are being
    /// submitted, or work is awaited.
    pub(crate) fn is_soon_due(&self) -> bool {
        self.is_busy()
            || self.fallback.is_awaiting()
            || self.journal.writer.as_ref().is_some_and(Writer::dirty)
    }

    /// Whether this hash was not found before; it is then remembered.
    pub(crate) fn is_new_find(&mut self, hash: &Hash) -> bool {
        let new = !self.found.contains(hash);
        if new {
            self.found.push_back(*hash);
            if self.found.len() > FOUND {
                self.found.pop_front();
            }
        }
        new
    }

    /// Has the next commit write all that was refused.
    pub(crate) fn hurry(&mut self) {
        self.rejects_due = 0;
    }

    /// Writes the turn's records with one `write`. On an error none of the shares count.
    /// Returns what was refused in this turn, for the counters.
    pub(crate) fn commit(&mut self, mono: u64, unix: u64) -> (Vec<(Reject, u32)>, io::Result<()>) {
        let counts = std::mem::take(&mut self.refused).into_iter().collect();
        if self.rejects_due <= mono || self.rejects.len() >= MOST_REJECTS {
            self.rejects_due = mono.saturating_add(REJECTS_MS);
            let rejects = std::mem::take(&mut self.rejects);
            let refused = rejects.into_iter().map(|((worker, reject), count)| Record::Rejected {
                time: unix,
                worker,
                reject,
                count,
            });
            self.journal.records.extend(refused);
        }
        let id = &self.pool.coin.id;
        (counts, self.journal.commit(id, self.unit, mono, unix))
    }

    /// Whether miners are to be sent away because nothing can be recorded; said once each time.
    pub(crate) fn must_close(&mut self, now: u64) -> bool {
        let journal = &mut self.journal;
        let failures = journal.failures.max(journal.lost);
        let must = failures >= FAILURES && journal.closed_until <= now;
        if must {
            journal.failures = 0;
            journal.lost = 0;
            journal.closed_until = now.saturating_add(KEPT_OUT_MS);
        }
        must
    }

    /// While newcomers are kept out nobody's shares show whether the journal can be written again,
    /// so a record that counts nothing does. `true`: it can, and newcomers are let in.
    pub(crate) fn probe(&mut self, now: Now) -> bool {
        let until = self.journal.closed_until;
        let closed_for = KEPT_OUT_MS.saturating_sub(until.saturating_sub(now.mono));
        if until <= now.mono || closed_for < KEPT_OUT_LEAST_MS {
            return false;
        }
        let (time, reject) = (now.unix, Reject::Storage);
        self.record(Record::Rejected { time, worker: String::new(), reject, count: 0 });
        let works = self.journal.commit(&self.pool.coin.id, self.unit, now.mono, now.unix).is_ok();
        if works {
            self.journal.closed_until = now.mono;
        } else {
            self.journal.failures = 1; // said already, and not a reason to close again
        }
        works
    }

    /// Why newcomers cannot be served now, in words for them.
    pub(crate) fn closed(&self, now: u64) -> Option<&'static str> {
        if self.stale {
            Some("the pool has no fresh work, please use another pool for now")
        } else if self.journal.closed_until > now {
            Some("the pool cannot record shares, please use another pool for now")
        } else {
            None
        }
    }

    /// A handle for syncing, if something was written since the last one.
    pub(crate) fn unsynced_files(&mut self) -> Vec<std::fs::File> {
        let Some(writer) = &mut self.journal.writer else { return Vec::new() };
        let mut files = Vec::new();
        while writer.dirty() {
            match writer.file() {
                Ok(file) => files.push(file),
                Err(_) => break,
            }
        }
        files
    }

    /// A sync has ended. The disk that lost what was written is never trusted with that file again.
    pub(crate) fn synced(&mut self, well: bool) {
        let journal = &mut self.journal;
        if well {
            journal.lost = 0;
            return;
        }
        journal.lost = journal.lost.saturating_add(1);
        if let Some(writer) = &mut journal.writer {
            writer.abandon();
        }
    }

    /// How long work may be the newest: the operator's setting. While all is well the templates
    /// process refreshes work in half of it, but at most once a second.
    pub(crate) fn stale_after(&self) -> Duration {
        self.pool.stale_work.max(Duration::from_secs(3))
    }

    /// The highest difficulty that finds every block: the network's own. A miner at a higher one
    /// would throw blocks away (NOMP: "network difficulty will be used if it is lower"). Not on
    /// regtest, where every second hash is a block and vardiff could never be tried.
    fn cap(&self) -> Option<Difficulty> {
        let work = &self.jobs.latest()?.posted.work;
        let shift = work.plan.algorithm.multiplier_shift();
        (work.plan.network != Network::Regtest).then(|| {
            Difficulty::at_most(work.target.difficulty() * f64::from(shift).exp2(), self.unit)
        })
    }

    /// What sessions on one of the pool's ports need to know, at the present network difficulty.
    pub(crate) fn rules(&self, port: &Port) -> PortRules {
        let cap = self.cap();
        let exact = |difficulty| {
            let wanted = Difficulty::nearest(difficulty, self.unit);
            cap.filter(|cap| cap.weight < wanted.weight).unwrap_or(wanted)
        };
        PortRules {
            unit: self.unit,
            shift: self.pool.coin.algorithm.multiplier_shift(),
            start: exact(port.diff),
            var_diff: port.var_diff.as_ref().map(|var_diff| VarDiffRules {
                min: exact(var_diff.min_diff),
                max: exact(var_diff.max_diff),
                target_time: var_diff.target_time,
                retarget_time: var_diff.retarget_time,
                variance_percent: var_diff.variance_percent,
                x2_mode: var_diff.x2_mode,
            }),
            extranonce2_size: self.pool.extranonce2_size,
            version_mask: self.pool.version_mask,
            connection_timeout_ms: ms(self.pool.connection_timeout),
            limits: self.limits,
        }
    }
}

/// What is written some time, though not in its turn: found blocks and what is about them.
fn is_lasting(record: &Record) -> bool {
    match record {
        Record::Block(_) | Record::Outcome(_) => true,
        Record::Row(row) => row.solution.is_some(),
        _ => false,
    }
}

impl Journal {
    fn commit(&mut self, coin: &str, unit: Unit, mono: u64, unix: u64) -> io::Result<()> {
        if self.records.is_empty() && self.lasting.is_empty() {
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.lasting);
        records.append(&mut self.records);
        let result = self.open(coin, unit, mono, unix).and_then(|writer| {
            records.iter().for_each(|record| writer.push(record));
            writer.commit()
        });
        match &result {
            Ok(()) => self.failures = 0,
            Err(error) => {
                records.retain(is_lasting);
                self.lasting = records;
                if self.failures == 0 {
                    log::error!(
                        "{coin}: shares cannot be recorded in {}: {error}; they are refused until \
                         that works again",
                        self.data_dir.display()
                    );
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
        result
    }

    fn open(&mut self, coin: &str, unit: Unit, mono: u64, unix: u64) -> io::Result<&mut Writer> {
        if self.writer.is_none() {
            if mono < self.retry_at {
                return Err(io::Error::other("the journal could not be opened"));
            }
            self.retry_at = mono.saturating_add(RETRY_MS);
            let opened = Writer::open(&self.data_dir, coin, self.instance, self.slot, unit, unix)?;
            self.writer = Some(opened);
        }
        self.writer.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
