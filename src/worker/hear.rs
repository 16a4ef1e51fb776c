//! What miners say: lines to the session, its wishes performed.

use super::account::Accounts;
use super::authorize::{self, Addresses, Check, PATIENCE_MS, TRY_AGAIN};
use super::coin::Coin;
use super::desk::{Desk, News};
use super::hasher::{Cost, TURN_NS};
use super::jobs::Numbers;
use super::miner::{Miner, SUBMITS_OF_ALL, Waiting};
use super::starts::Starts;
use super::trial::{Piece, Said};
use super::{Now, Worker};
use crate::config::{Limits, Pool};
use crate::daemon;
use crate::journal::{Record, Row};
use crate::net::lines::Next;
use crate::stratum::{Action, Authorize, Cause, JobId, PortRules, Session, Submit, TLS};
use std::collections::VecDeque;

/// What the loop lends while it deals with one miner.
pub(super) struct Room<'a> {
    pub(super) coin: &'a mut Coin,
    pub(super) limits: &'a Limits,
    pub(super) rules: &'a PortRules,
    pub(super) numbers: &'a mut Numbers,
    pub(super) addresses: &'a mut Addresses,
    pub(super) starts: &'a Starts,
    pub(super) desk: &'a Desk,
    pub(super) accounts: Accounts<'a>,
    /// What a proof of work of the coin takes.
    pub(super) cost: Cost,
    pub(super) now: Now,
}

/// Miners by how long the proofs of work of their coin take: microseconds, or by design much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Quick,
    Slow,
    /// Not a word of Stratum yet: see [`Worker::shake_hands`].
    Arriving,
}

/// Who of each pace was heard last.
#[derive(Debug, Default)]
pub(super) struct LastHeard {
    quick: usize,
    slow: usize,
    arriving: usize,
}

impl LastHeard {
    pub(super) const fn of(&mut self, pace: Pace) -> &mut usize {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
            Pace::Arriving => &mut self.arriving,
        }
    }
}

impl Worker {
    /// Lends one miner and what is needed to serve it.
    pub(super) fn with_miner<T>(
        &mut self,
        key: usize,
        now: Now,
        serve: impl FnOnce(&mut Miner, &mut Room<'_>) -> T,
    ) -> Option<T> {
        let miner = self.miners.get_mut(key)?;
        let gate = self.gates.get(&miner.port)?;
        let coin = self.coins.get_mut(&gate.coin)?;
        let mut room = Room {
            cost: self.hasher.cost(coin.pool.coin.algorithm),
            coin,
            limits: &self.config.limits,
            rules: &gate.rules,
            numbers: &mut self.numbers,
            addresses: &mut self.addresses,
            starts: &self.starts,
            desk: &self.desk,
            accounts: Accounts { board: &self.board, slot: self.slot },
            now,
        };
        Some(serve(miner, &mut room))
    }

    /// Hears the miners of a pace that may have something to say, as long as their shares have room
    /// in this turn. In a flood everybody has a turn: this one goes on after who was heard last.
    pub(super) fn hear(&mut self, pace: Pace, now: Now) -> Vec<Said> {
        let ready = std::mem::take(&mut self.ready);
        let (mut those, others) = ready.into_iter().partition(|key| self.pace(*key) == pace);
        self.ready = others;
        let mut last = *self.last_heard.of(pace);
        in_turn(&mut those, last);
        let mut scratch = std::mem::take(&mut self.scratch);
        let (mut all, mut submits, mut left) = (Vec::new(), 0, TURN_NS);
        let mut keys = those.into_iter();
        while submits < SUBMITS_OF_ALL && left > 0 {
            let Some(key) = keys.next() else { break };
            last = key;
            self.take_header(key, &mut scratch, now);
            let heard = self.with_miner(key, now, |miner, room| {
                let most = miner.submits_a_turn().min(room.cost.room(left));
                let said = hear(key, miner, room, most, &mut scratch);
                let shares = said.as_ref().map_or(0, Said::shares);
                (said, shares, room.cost.of(shares), miner.more || miner.is_arriving())
            });
            let Some((said, shares, cost, more)) = heard else { continue };
            submits += shares;
            left = left.saturating_sub(cost);
            all.extend(said);
            self.touched.push(key);
            if more {
                self.ready.push(key);
            }
        }
        self.ready.extend(keys);
        self.scratch = scratch;
        *self.last_heard.of(pace) = last;
        all
    }

    /// The pace of a miner's coin.
    pub(super) fn pace(&self, key: usize) -> Pace {
        let miner = self.miners.get(key);
        if miner.is_some_and(Miner::is_arriving) {
            return Pace::Arriving;
        }
        let gate = miner.and_then(|miner| self.gates.get(&miner.port));
        let coin = gate.and_then(|gate| self.coins.get(&gate.coin));
        match coin {
            Some(coin) if coin.pool.coin.algorithm.is_memory_hard() => Pace::Slow,
            _ => Pace::Quick,
        }
    }

    /// Sees to miners who wait for their authorisation.
    pub(super) fn hear_waiting(&mut self, now: Now) {
        let mut waiting: Vec<(Option<u64>, usize)> = self
            .miners
            .iter()
            .filter(|(_, miner)| miner.waiting.is_some() && !miner.held)
            .map(|(key, miner)| (miner.waiting.as_ref().map(|waiting| waiting.since), key))
            .collect();
        // Daemons are asked only so often: who came first is asked about first.
        waiting.sort_unstable();
        for (_, key) in waiting {
            self.with_miner(key, now, |miner, room| {
                let Some(Waiting { request, since }) = miner.waiting.take() else { return };
                let mut out = Vec::new();
                room.authorize(miner, request, since, &mut out);
                miner.outbox.push(&out, now.mono);
            });
            self.touched.push(key);
            // Lines may have gathered meanwhile.
            self.ready.push(key);
        }
    }
}

/// Puts miners into the order in which they are heard, each once, beginning after `last`.
pub(super) fn in_turn(keys: &mut Vec<usize>, last: usize) {
    keys.sort_unstable();
    keys.dedup();
    let heard = keys.partition_point(|key| *key <= last);
    keys.rotate_left(heard);
}

/// Reads and takes lines with at most so many submits.
fn hear(
    key: usize,
    miner: &mut Miner,
    room: &mut Room<'_>,
    most: usize,
    scratch: &mut [u8],
) -> Option<Said> {
    let mut pieces = Vec::new();
    let mut out = Vec::new();
    let mut submits = 0;
    let mut has_read = false;
    while miner.may_speak() && submits < most {
        let limit = miner.line_limit(room.limits);
        match miner.input.next(limit) {
            Next::Line(line) => {
                if std::mem::take(&mut miner.forgives) && !is_request(line) {
                    continue;
                }
                let actions = miner.session.receive(line, room.rules, room.now.mono, &mut out);
                for submit in room.perform(miner, actions, &mut out) {
                    submits += 1;
                    if !out.is_empty() {
                        pieces.push(Piece::Bytes(std::mem::take(&mut out)));
                    }
                    pieces.push(Piece::Share { submit, verdict: Ok(()) });
                }
            }
            Next::TooLong => {
                let told = Cause::LineTooLong.advice().unwrap_or_default();
                Session::message(told, &mut out);
                miner.end(Cause::LineTooLong);
            }
            Next::Nothing => {
                if miner.input.starts_with(&TLS) {
                    // A handshake has no line ends: its sender would wait for the deadline.
                    miner.end(Cause::Tls);
                }
                if has_read || !miner.readable {
                    break;
                }
                miner.read(scratch);
                has_read = true;
            }
        }
    }
    miner.more = miner.may_speak() && (miner.readable || submits >= most);
    if pieces.is_empty() {
        miner.outbox.push(&out, room.now.mono);
        return None;
    }
    if !out.is_empty() {
        pieces.push(Piece::Bytes(out));
    }
    let (serial, since) = (miner.serial, miner.readable_at);
    Some(Said { key, serial, coin: room.coin.id().to_owned(), since, pieces })
}

impl Room<'_> {
    /// Does what a session asks for. Submits come back: they are judged with all others.
    pub(super) fn perform(
        &mut self,
        miner: &mut Miner,
        actions: Vec<Action>,
        out: &mut Vec<u8>,
    ) -> Vec<Submit> {
        let mut submits = Vec::new();
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Submit(submit) => submits.push(submit),
                Action::Authorize(request) => {
                    actions.extend(self.decide(miner, request, self.now.mono, out));
                }
                Action::SendWork => self.send_work(miner, out),
                Action::Rejected(worker, reject) => {
                    self.coin.rejected(&worker, reject);
                    if self.coin.keeps_rows() && !worker.is_empty() {
                        let weight = miner.session.difficulty().weight;
                        let (time, address) = (self.now.unix, miner.address);
                        let (reject, solution) = (Some(reject), None);
                        let row = Row { time, worker, weight, reject, address, solution };
                        self.coin.record(Record::Row(Box::new(row)));
                    }
                    if reject.is_misbehaviour() {
                        miner.conduct.bad(self.now.mono);
                    }
                }
                Action::BadLine => miner.conduct.bad(self.now.mono),
                Action::Close(cause) => {
                    if let Some(text) = cause.advice() {
                        Session::message(text, out);
                    }
                    if cause == Cause::RequestRate {
                        miner.conduct.flood(self.now.mono);
                    }
                    miner.end(cause);
                }
            }
        }
        submits
    }

    /// Gives a miner the present work under an id that it has not had.
    pub(super) fn send_work(&mut self, miner: &mut Miner, out: &mut Vec<u8>) {
        if !miner.session.is_subscribed() {
            return;
        }
        let Some(latest) = self.coin.jobs.latest() else { return };
        if latest.posted.work.plan.extranonce2_size != self.rules.extranonce2_size {
            return;
        }
        // After a crash: what it did on the newest job is not known here, so it gets another one.
        let known = miner.forgives
            || miner.session.difficulty_of(latest.id).is_some()
            || miner.session.is_stale(latest.id);
        let issue = if known { self.coin.jobs.reissue(self.numbers) } else { Some(latest.clone()) };
        let Some(issue) = issue else { return };
        // Work for a new tip may be on its way to this miner still.
        let jobs = &self.coin.jobs;
        let is_old = |job: JobId| !jobs.is_current(job);
        let clean = miner.session.needs_clean() || miner.session.newest_job().is_some_and(is_old);
        let line = if clean { &issue.clean_line } else { &issue.line };
        miner.session.offer(issue.id, line, clean, self.rules, self.now.mono, out);
        let weight = miner.session.difficulty().weight;
        if miner.shown.replace(weight).is_some_and(|shown| shown != weight) {
            for worker in miner.session.workers() {
                self.coin.retarget(worker, weight, self.now.unix);
            }
        }
    }

    /// Authorises, and performs what follows from it. For a name that had to wait.
    fn authorize(&mut self, miner: &mut Miner, request: Authorize, since: u64, out: &mut Vec<u8>) {
        let actions = self.decide(miner, request, since, out);
        let _no_submits = self.perform(miner, actions, out);
    }

    /// The verdict on a name; without one yet the miner waits.
    fn decide(
        &mut self,
        miner: &mut Miner,
        request: Authorize,
        since: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let network = self.coin.jobs.latest().map(|latest| latest.posted.work.plan.network);
        let verdict = match authorize::check(&request.name, &self.coin.pool, network) {
            Check::Accept => self.is_member(&request),
            Check::Refuse(why) => Some(Err(why)),
            Check::Wait => None,
            Check::Ask(address) => self.ask(&address),
        };
        let late = self.now.mono.saturating_sub(since) >= PATIENCE_MS;
        let Some(verdict) = verdict.or_else(|| late.then(|| Err(TRY_AGAIN.to_owned()))) else {
            miner.waiting = Some(Waiting { request, since });
            return Vec::new();
        };
        let (coin, name) = (self.coin.id(), &request.name);
        let enter = |()| self.accounts.enter(miner, coin, name, self.limits);
        let verdict = verdict.and_then(enter);
        if verdict.is_ok() {
            self.coin.retarget(&request.name, miner.session.difficulty().weight, self.now.unix);
            let (coin, address) = (self.coin.id(), miner.address);
            if let Some(start) = self.starts.find(coin, &request.name, address, self.now.mono) {
                miner.session.remembered(start, self.rules);
            }
        }
        miner.session.authorized(&request, verdict, self.rules, self.now.mono, out)
    }

    /// What the MPOS database says of a worker, if the pool has one; asks it when nothing is known.
    fn is_member(&mut self, request: &Authorize) -> Option<Result<(), String>> {
        let Some(mpos) = &self.coin.pool.mpos else { return Some(Ok(())) };
        let id = &self.coin.pool.coin.id;
        self.coin.members.ask(id, mpos, request, self.desk, self.now.mono)
    }

    /// What the daemons say of an address; asks them when nothing is known.
    fn ask(&mut self, address: &str) -> Option<Result<(), String>> {
        let (coin, now) = (self.coin.id().to_owned(), self.now.mono);
        match self.addresses.known(&coin, address, now) {
            Some(true) => return Some(Ok(())),
            Some(false) => return Some(Err(format!("`{address}` is not an address"))),
            None => {}
        }
        if self.addresses.begin(&coin, address, now) {
            let (pool, text) = (self.coin.pool.clone(), address.to_owned());
            let key = coin.clone();
            let asked = self.desk.run("address", move |reporter| {
                let valid = is_address(&pool, &text);
                reporter.tell(News::Address { coin: key, address: text, valid });
            });
            if asked.is_err() {
                self.addresses.end(&coin, address, None, now);
            }
        }
        None
    }
}

/// Whether a line is whole: a JSON object. The rest of one never is.
fn is_request(line: &[u8]) -> bool {
    line.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// Asks one daemon after the other; the first that answers decides. Blocks.
fn is_address(pool: &Pool, text: &str) -> Option<bool> {
    pool.daemons.iter().find_map(|daemon| {
        let client = daemon::Client::new(daemon, pool.daemon_timeout);
        match daemon::script_of(&client, text) {
            Ok(script) => Some(script.is_some()),
            Err(error) => {
                log::debug!("{}: {error}", pool.coin.id);
                None
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
