//! The loop and its turn: read, judge, record, reply; then show the board.

use super::coin::Coin;
use super::hear::Pace;
use super::trial::{Said, judge_all};
use super::{CHANNEL, MINERS, Now, PAIRS, SIGNALS, Stop, WAKER, Worker};
use crate::sys::clock::{monotonic_us, ms};
use crate::sys::{self, signals};
use mio::event::Event;
use mio::{Events, Token};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Milliseconds between turns when nothing happens: the board's tick must stay fresh.
const IDLE_MS: u64 = 350;
/// The same while something is soon due: a sync of the journals, work that has not come.
const SOON_MS: u64 = 50;
/// Milliseconds between turns while newcomers wait that courtesy or a shortage leaves waiting.
const WAITING_MS: u64 = 20;
/// Milliseconds between turns while miners are on their way: who waits for one pauses.
const MOVING_MS: u64 = 1;
/// Milliseconds that a stop may take to send what is waiting to be sent.
const FAREWELL_MS: u64 = 2000;

impl Worker {
    /// Turns until the end.
    pub(super) fn serve(&mut self) -> u8 {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = Duration::from_millis(self.patience());
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    log::error!("the worker cannot wait for events: {error}");
                    return 1;
                }
                _ => {}
            }
            self.began = monotonic_us();
            let mut signalled = false;
            for event in &events {
                signalled |= event.token() == SIGNALS;
                self.note(event);
            }
            if signalled && self.obey() {
                return self.last_words();
            }
            let now = self.now();
            self.last_unix = now.unix;
            self.turn(now);
            if self.is_done(now) {
                return self.last_words();
            }
        }
    }

    /// Milliseconds to wait for events.
    fn patience(&self) -> u64 {
        let more = self.gates.values().any(|gate| gate.more);
        let moving = !self.givings.is_empty() || !self.takings.is_empty();
        // A worker that stops hears nobody any more.
        let hears = self.stop.is_none() && !self.ready.is_empty();
        if more || hears || !self.rollouts.is_empty() || self.next_round.is_some() {
            0
        } else if moving {
            MOVING_MS
        } else if self.stop.is_some() || self.gates.values().any(|gate| gate.pending) {
            WAITING_MS
        } else if self.coins.values().any(Coin::is_soon_due) {
            SOON_MS
        } else {
            IDLE_MS
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event.token() {
            // Looked at in each turn.
            CHANNEL | SIGNALS | WAKER | PAIRS => {}
            Token(number) => {
                if let Some(key) = number.checked_sub(MINERS) {
                    let Some(miner) = self.miners.get_mut(key) else { return };
                    // An error or the other side's end is found by reading.
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        // What has not been heard of an earlier event waits since that one.
                        if !miner.readable && !miner.more {
                            miner.readable_at = self.began;
                        }
                        miner.readable = true;
                        miner.ending |= event.is_read_closed() || event.is_error();
                        self.ready.push(key);
                    }
                    self.touched.push(key);
                } else if let Ok(port) = u16::try_from(number)
                    && let Some(gate) = self.gates.get_mut(&port)
                {
                    gate.pending = true;
                }
            }
        }
    }

    /// One turn.
    pub(super) fn turn(&mut self, now: Now) {
        self.hear_master(now);
        self.hear_helpers(now);
        if self.stop.is_none() {
            self.accept(now);
        }
        self.go_on_taking(now);
        self.go_on_rolling_out(now);
        let hears = self.stop.is_none();
        if hears {
            self.shake_hands(now);
        }
        let quick = if hears { self.hear(Pace::Quick, now) } else { Vec::new() };
        self.answer(quick, now);
        // Who has quick proofs of work has his answer before the slow ones are even begun.
        let slow = if hears { self.hear(Pace::Slow, now) } else { Vec::new() };
        if !slow.is_empty() {
            self.answer(slow, now);
        }
        self.submit_blocks(now);
        if hears {
            self.go_on_giving(now);
            if self.orphaned && self.givings.is_empty() {
                self.begin_stop(now);
            }
        }
        if self.next_second <= now.mono {
            self.next_second = now.mono.saturating_add(1000);
            self.each_second(now);
        }
        self.go_on_round(now);
        self.ask_daemons(now);
        self.flush(now);
        if let Err(error) = self.channel.flush()
            && !self.orphaned
        {
            log::warn!("the way to the master is broken: {error}");
            self.orphan(now);
        }
        self.publish(now);
    }

    /// Judges what was said, records it, and only then answers.
    fn answer(&mut self, mut said: Vec<Said>, now: Now) {
        let Self { miners, coins, hasher, .. } = self;
        judge_all(&mut said, miners, coins, hasher, now);
        let failed = self.commit(now);
        self.settle(said, &failed, now);
    }

    /// Obeys signals; `true`: stop at once.
    fn obey(&mut self) -> bool {
        let mut at_once = false;
        for signal in self.signals.pending() {
            match signal {
                signals::SIGUSR1 => sys::log::reopen(),
                signals::SIGTERM => self.begin_stop(self.now()),
                _ => at_once = true,
            }
        }
        at_once
    }

    /// Takes nobody and hears nobody any more; what was heard is recorded and answered.
    pub(super) fn begin_stop(&mut self, now: Now) {
        if self.stop.is_some() {
            return;
        }
        self.shut_gates();
        // Whoever gives miners here keeps those who have not come.
        self.takings.clear();
        self.ready.clear();
        let half = ms(self.config.shutdown_timeout) / 2;
        self.stop = Some(Stop {
            deadline: now.mono.saturating_add(FAREWELL_MS),
            blocks_until: now.mono.saturating_add(half.max(FAREWELL_MS)),
        });
    }

    /// The master is gone, so this worker ends too. Miners who are on their way to another one, whose
    /// master may live, go there first.
    pub(super) fn orphan(&mut self, now: Now) {
        self.orphaned = true;
        if self.givings.is_empty() {
            self.begin_stop(now);
        }
    }

    fn is_done(&self, now: Now) -> bool {
        let Some(stop) = self.stop else { return self.has_left() };
        let blocks = self.coins.values().any(|coin| !coin.submissions.is_empty());
        let unsent = self.miners.iter().any(|(_, miner)| !miner.outbox.is_empty());
        let waiting = !self.batches.is_empty() || unsent;
        (!waiting || now.mono >= stop.deadline) && (!blocks || now.mono >= stop.blocks_until)
    }

    /// Records and syncs what there is, and ends.
    fn last_words(&mut self) -> u8 {
        let now = self.now();
        self.coins.values_mut().for_each(Coin::hurry);
        self.commit(now);
        for (id, coin) in &mut self.coins {
            for file in coin.unsynced_files() {
                if let Err(error) = file.sync_data() {
                    log::error!("{id}: the journal cannot be synced to the disk: {error}");
                }
            }
        }
        self.keep_starts(now);
        self.flush(now);
        self.miners.iter_mut().for_each(|(_, miner)| miner.stream.say_goodbye());
        if let Some(row) = self.board.row(self.slot) {
            row.miners.store(0, Ordering::Relaxed);
            row.coins().for_each(|cell| cell.miners.store(0, Ordering::Relaxed));
            row.journal_tick.store(now.unix, Ordering::Relaxed);
        }
        0
    }

    /// Shows the board what siblings, master and bookkeeper look at.
    pub(super) fn publish(&self, now: Now) {
        let Some(row) = self.board.row(self.slot) else { return };
        row.generation.store(self.generation, Ordering::Relaxed);
        row.tick.store(now.mono, Ordering::Relaxed);
        // All of this turn was committed, and later turns have later times.
        row.journal_tick.store(now.unix, Ordering::Release);
        row.miners.store(self.miner_count(), Ordering::Relaxed);
    }

    /// Shows the number of miners, and of each coin's.
    pub(super) fn publish_miners(&self) {
        if let Some(row) = self.board.row(self.slot) {
            row.miners.store(self.miner_count(), Ordering::Relaxed);
        }
    }

    /// Counts miners by coin, for `status`.
    pub(super) fn publish_coins(&self) {
        let mut counts: BTreeMap<&str, u32> = self.coins.keys().map(|id| (&**id, 0)).collect();
        for (_, miner) in &self.miners {
            if let Some(gate) = self.gates.get(&miner.port)
                && let Some(count) = counts.get_mut(gate.coin.as_str())
            {
                *count += 1;
            }
        }
        for (id, count) in counts {
            if let Some(cell) = self.cell(id) {
                cell.miners.store(count, Ordering::Relaxed);
            }
        }
    }
}
