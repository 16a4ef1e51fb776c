//! The end of a turn: one write per journal, then the replies; with `fsync` only when the disk has
//! it.

use super::coin::Coin;
use super::miner::Miner;
use super::trial::{Piece, Said};
use super::{Now, Worker, candidate};
use crate::config::Banning;
use crate::stratum::Reject;
use crate::sys::clock::monotonic_us;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::sync::atomic::Ordering;

/// Milliseconds between syncs of the journals when replies do not wait for them.
const SYNC_MS: u64 = 200;

/// Replies that wait for the disk.
#[derive(Debug, Default)]
pub(super) struct Batches {
    waiting: VecDeque<Batch>,
    /// Ticket of the sync under way.
    under_way: Option<u64>,
    tickets: u64,
    /// Monotonic milliseconds of the last sync's begin.
    last: u64,
}

#[derive(Debug)]
struct Batch {
    said: Vec<Said>,
    /// The sync that covers it; `None` until one does.
    ticket: Option<u64>,
}

impl Batches {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Worker {
    /// Writes each coin's records. Returns the coins of which nothing counts.
    pub(super) fn commit(&mut self, now: Now) -> BTreeSet<String> {
        let mut failed = BTreeSet::new();
        let row = self.board.row(self.slot);
        for (id, coin) in &mut self.coins {
            let (rejects, result) = coin.commit(now.mono, now.unix);
            if result.is_err() {
                failed.insert(id.clone());
            }
            for (reject, count) in rejects {
                if let Some(row) = row {
                    count_reject(row, id, reject, u64::from(count));
                }
            }
        }
        failed
    }

    /// Answers what was said, now or when the disk has it.
    pub(super) fn settle(&mut self, mut said: Vec<Said>, failed: &BTreeSet<String>, now: Now) {
        for said in said.iter_mut().filter(|said| failed.contains(&said.coin)) {
            refuse_all(said, self.coins.get_mut(&said.coin));
        }
        if !self.config.fsync {
            self.reply(said, now);
            if now.mono.saturating_sub(self.batches.last) >= SYNC_MS {
                self.sync(now);
            }
            return;
        }
        if !said.is_empty() {
            for said in &said {
                if let Some(miner) = self.miners.get_mut(said.key) {
                    miner.held = true;
                }
            }
            self.batches.waiting.push_back(Batch { said, ticket: None });
        }
        self.sync(now);
    }

    /// Has everything synced that was committed, unless a sync is under way.
    fn sync(&mut self, now: Now) {
        if self.batches.under_way.is_some() {
            return;
        }
        let files: Vec<(String, File)> = self
            .coins
            .iter_mut()
            .flat_map(|(id, coin)| coin.unsynced_files().into_iter().map(|file| (id.clone(), file)))
            .collect();
        if files.is_empty() && self.batches.is_empty() {
            return;
        }
        self.batches.last = now.mono;
        self.batches.tickets += 1;
        let ticket = self.batches.tickets;
        for batch in &mut self.batches.waiting {
            batch.ticket.get_or_insert(ticket);
        }
        if files.is_empty() {
            self.release(ticket, &[], now);
        } else if self.desk.sync(ticket, files) {
            self.batches.under_way = Some(ticket);
        } else {
            log::error!("the thread that syncs journals is gone; this worker stops");
            self.begin_stop(now);
        }
    }

    /// A sync has ended: its replies leave, and the next sync begins.
    pub(super) fn synced(&mut self, ticket: u64, failed: &[String], now: Now) {
        self.batches.under_way = None;
        for (id, coin) in &mut self.coins {
            coin.synced(!failed.contains(id));
        }
        self.release(ticket, failed, now);
        if self.config.fsync {
            self.sync(now);
        }
    }

    fn release(&mut self, ticket: u64, failed: &[String], now: Now) {
        while self.batches.waiting.front().is_some_and(|batch| batch.ticket == Some(ticket)) {
            let Some(mut batch) = self.batches.waiting.pop_front() else { break };
            for said in batch.said.iter_mut().filter(|said| failed.contains(&said.coin)) {
                refuse_all(said, self.coins.get_mut(&said.coin));
            }
            for said in &batch.said {
                if let Some(miner) = self.miners.get_mut(said.key)
                    && miner.serial == said.serial
                {
                    miner.held = false;
                    self.ready.push(said.key);
                }
            }
            self.reply(batch.said, now);
        }
    }

    /// Answers, in the order in which each miner asked.
    fn reply(&mut self, all: Vec<Said>, now: Now) {
        let board = std::sync::Arc::clone(&self.board);
        let row = board.row(self.slot);
        let mut out = std::mem::take(&mut self.line);
        let mut wishes = Vec::new();
        for said in all {
            let key = said.key;
            out.clear();
            let ban = self.with_miner(key, now, |miner, room| {
                if miner.serial != said.serial {
                    return None;
                }
                let (mut accepted, mut answered) = (0, 0);
                for piece in said.pieces {
                    let (submit, verdict) = match piece {
                        Piece::Bytes(bytes) => {
                            out.extend_from_slice(&bytes);
                            continue;
                        }
                        Piece::Share { submit, verdict } => (submit, verdict),
                    };
                    answered += 1;
                    match verdict {
                        Ok(()) => {
                            miner.conduct.good(now.mono);
                            accepted += 1;
                        }
                        Err(reject) if reject.is_misbehaviour() => miner.conduct.bad(now.mono),
                        Err(_) => {}
                    }
                    let (rules, mono) = (room.rules, now.mono);
                    wishes.extend(miner.session.answer(&submit, verdict, rules, mono, &mut out));
                }
                if let Some(row) = row.filter(|_| accepted > 0) {
                    row.accepted.fetch_add(accepted, Ordering::Relaxed);
                    if let Some(cell) = row.coin(room.coin.id()) {
                        cell.accepted.fetch_add(accepted, Ordering::Relaxed);
                    }
                }
                // After all that was said before: a job line between two older ones would leave
                // the miner at another difficulty than the session.
                let wishes = std::mem::take(&mut wishes);
                let _no_submits = room.perform(miner, wishes, &mut out);
                miner.send(&out, room.limits, now.mono);
                if let Some(row) = row {
                    row.replies.add(monotonic_us().saturating_sub(said.since), answered);
                }
                judge_conduct(miner, room.coin, now)
            });
            self.touched.push(key);
            if let Some(Some(banning)) = ban {
                self.charge(key, &banning, now);
            }
        }
        self.line = out;
    }

    /// Begins the submissions of the turn's blocks.
    pub(super) fn submit_blocks(&mut self, now: Now) {
        for coin in self.coins.values_mut().filter(|coin| !coin.submissions.is_empty()) {
            candidate::begin(coin, &self.desk, now.mono);
        }
    }
}

/// Whether the miner's conduct leads to a charge now, and by which settings.
pub(super) fn judge_conduct(miner: &mut Miner, coin: &Coin, now: Now) -> Option<Banning> {
    let banning = coin.pool.banning.as_ref()?;
    miner.conduct.judge(banning, now.mono).then(|| banning.clone())
}

/// Nothing of it could be recorded. That much is, with the next turn that can.
fn refuse_all(said: &mut Said, mut coin: Option<&mut Coin>) {
    for piece in &mut said.pieces {
        if let Piece::Share { submit, verdict: verdict @ Ok(()) } = piece {
            *verdict = Err(Reject::Storage);
            if let Some(coin) = &mut coin {
                coin.rejected(&submit.name, Reject::Storage);
            }
        }
    }
}

fn count_reject(row: &crate::ipc::board::Row, coin: &str, reject: Reject, count: u64) {
    row.rejected.fetch_add(count, Ordering::Relaxed);
    if let Some(cell) = row.coin(coin)
        && let Some(counter) = cell.rejected.get(reject as usize)
    {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
