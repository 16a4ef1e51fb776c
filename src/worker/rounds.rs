//! The worker's rounds: what is looked at once a second, and who leaves.

use super::reply::judge_conduct;
use super::{Now, Worker};
use crate::stratum::{Cause, Session};
use crate::sys::clock::{ms, unix_ms};
use crate::sys::limits;
use mio::event::Source;
use std::net::Shutdown;

/// Miners that one turn's part of the round looks at.
const MINERS_A_TURN: usize = 512;
/// Who leaves has a line in the log, so many in a second: a flood must not fill the disk.
const LINES_A_SECOND: u32 = 20;

impl Worker {
    /// Silence, handshakes, old work, full disks, ended bans.
    pub(super) fn each_second(&mut self, now: Now) {
        self.publish_coins();
        let unsaid = std::mem::take(&mut self.left).saturating_sub(LINES_A_SECOND);
        if unsaid > 0 {
            log::debug!("{unsaid} more left within a second");
        }
        if let Ok(descriptors) = limits::descriptors() {
            self.descriptors = descriptors;
        }
        self.hear_waiting(now);
        self.next_round = Some(0);
        self.rounds = self.rounds.wrapping_add(1);
        if let Some(keeper) = &mut self.keeper {
            keeper.begin(now);
        }
        self.look_after_coins(now);
        self.see_off(now);
        if self.next_purge <= now.mono {
            let intervals = self.coins.values().filter_map(|coin| coin.pool.banning.as_ref());
            let shortest = intervals.map(|banning| ms(banning.purge_interval)).min();
            self.next_purge = now.mono.saturating_add(shortest.unwrap_or(300_000).max(1000));
            self.bans.expire(unix_ms());
        }
    }

    /// A part of the second's round of all miners; the rest has its turn when others were served.
    pub(super) fn go_on_round(&mut self, now: Now) {
        let Some(begin) = self.next_round else { return };
        let end = begin.saturating_add(MINERS_A_TURN);
        let mut out = Vec::new();
        for key in begin..end.min(self.miners.capacity()) {
            let ban = self.with_miner(key, now, |miner, room| {
                if miner.closing.is_some() {
                    return None;
                }
                let age = now.mono.saturating_sub(miner.since);
                if miner.awaits_header && age >= ms(room.limits.proxy_header) {
                    miner.end(Cause::ProxyHeader);
                } else if !miner.heard && age >= ms(room.limits.first_byte) {
                    let shakes = miner.stream.is_shaking_hands();
                    miner.end(if shakes { Cause::TlsFailed } else { Cause::Silent });
                }
                let actions = miner.session.tick(room.rules, now.mono, &mut out);
                let _no_submits = room.perform(miner, actions, &mut out);
                miner.send(&out, room.limits, now.mono);
                out.clear();
                judge_conduct(miner, room.coin, now)
            });
            if self.miners.get(key).is_some_and(|miner| {
                // What a socket did not take for long is looked at without an event, too.
                miner.closing.is_some() || !miner.outbox.is_empty()
            }) {
                self.touched.push(key);
            }
            self.note_start(key, now);
            if let Some(Some(banning)) = ban {
                self.charge(key, &banning, now);
            }
        }
        // Whom a busy master could not take in before, or a full one did not.
        self.keep_for_heirs(begin..end.min(self.miners.capacity()), Some(self.rounds));
        self.next_round = (end < self.miners.capacity()).then_some(end);
        if let Some(keeper) = self.keeper.as_mut().filter(|_| self.next_round.is_none()) {
            keeper.end(now);
        }
    }

    /// Sends miners away from coins that cannot be mined now.
    fn look_after_coins(&mut self, now: Now) {
        let mut closed = Vec::new();
        for (id, coin) in &mut self.coins {
            let age = now.mono.saturating_sub(coin.work_at);
            let limit = coin.stale_after();
            if !coin.stale && coin.jobs.latest().is_some() && age > ms(limit) {
                coin.stale = true;
                log::error!(
                    "{id}: no fresh work for {} s: miners are sent away until there is; look after \
                     the coin's daemons",
                    limit.as_secs()
                );
                closed.push((id.clone(), "the pool has no fresh work, please use another pool"));
            }
            if coin.probe(now) {
                log::warn!("{id}: shares can be recorded again: miners are let in");
            }
            if coin.must_close(now.mono) {
                log::error!("{id}: shares cannot be recorded: miners are sent away for a while");
                closed.push((id.clone(), "the pool cannot record shares, please use another pool"));
            }
        }
        for (id, words) in closed {
            self.send_away(&id, words, "the coin cannot be mined now");
        }
    }

    /// Says goodbye to all miners of a coin.
    pub(super) fn send_away(&mut self, id: &str, words: &str, why: &'static str) {
        let mut line = Vec::new();
        Session::message(words, &mut line);
        for (key, miner) in &mut self.miners {
            if self.gates.get(&miner.port).is_none_or(|gate| gate.coin == id) {
                miner.outbox.push(&line, 0);
                miner.close(why);
                self.touched.push(key);
            }
        }
    }

    /// Sends what waits, and sees off those who are done.
    pub(super) fn flush(&mut self, now: Now) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        let mut left = false;
        for key in touched.iter().copied() {
            let Some(miner) = self.miners.get_mut(key) else { continue };
            miner.flush(&self.config.limits, now.mono);
            if miner.is_finished() {
                miner.close("closed by the miner");
            }
            if miner.closing.is_some() {
                self.remove(key, now);
                left = true;
            }
        }
        self.keep_for_heirs(touched.drain(..), None);
        // Its memory is used again; what was pushed meanwhile (nothing, today) is kept.
        touched.append(&mut self.touched);
        self.touched = touched;
        if left {
            self.publish_miners();
        }
    }

    fn remove(&mut self, key: usize, now: Now) {
        let Some(mut miner) = self.miners.try_remove(key) else { return };
        miner.stream.say_goodbye();
        if miner.kept {
            // The master's duplicate would keep it open.
            let _ = miner.stream.socket().shutdown(Shutdown::Both);
        }
        // Dropping the socket closes it all the same.
        let _ = miner.stream.socket().deregister(self.poll.registry());
        self.board.roster.give_back(miner.ticket, self.pid, &mut self.hint);
        self.leave(&miner);
        self.remember_conduct(&miner, now);
        if let Some(gate) = self.gates.get(&miner.port) {
            let (session, rules) = (&miner.session, &gate.rules);
            self.starts.keep(&gate.coin, session, rules, miner.address, now.mono);
            if let Some(keeper) = &mut self.keeper {
                keeper.note(&gate.coin, session, miner.address, now);
            }
        }
        // A flood of newcomers must not be one of the log.
        if matches!(miner.cause, Some(Cause::Banned | Cause::TooMany | Cause::ConnectRate)) {
            return;
        }
        self.left = self.left.saturating_add(1);
        if self.left > LINES_A_SECOND {
            return;
        }
        log::debug!(
            "port {}: {} {} left: {}{}{}",
            miner.port,
            miner.address,
            miner.session.workers().next().unwrap_or("(nobody)"),
            miner.closing.unwrap_or_default(),
            if miner.tls_error.is_some() { ": " } else { "" },
            miner.tls_error.as_deref().unwrap_or_default()
        );
    }
}
