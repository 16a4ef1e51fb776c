//! The bookkeeper role: adds the journals to the tally, exactly once, in the order of time.
//!
//! The main thread listens to signals and the master; each coin has a thread of its own, so that
//! a database that hangs for one coin does not hold the others.

mod coin;
mod history;
mod merge;
mod mpos;
pub mod rebuild;
mod tail;

use crate::ipc::board::Board;
use crate::ipc::{Message, Seat, Troubles, Turn, Watch};
use crate::net::helper;
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use crate::sys::room;
use coin::Coin;
use history::Difficulty;
use merge::Tails;
use mpos::Follower;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Longest turn of the main loop: the board's tick stays fresh.
const TURN: Duration = Duration::from_millis(500);
/// Pause of a coin's thread that found nothing more to add.
const PAUSE: Duration = Duration::from_millis(50);
/// The same while no worker judges shares: only the board is looked at, the files once a second.
const CALM: (Duration, u64) = (Duration::from_millis(500), 1000);
/// How long after the last judged share the files are looked at in each pause, ms: longer than a
/// record waits for the watermark.
const LIVELY: u64 = 5000;
/// How long a worker's tick counts as a sign of life, ms.
const FRESH: u64 = 1000;
/// How long the last records may take when the master is gone, ms.
const ORPHANED: u64 = 2000;
/// First and longest pause after an error of the tally.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Between two looks at what may be deleted, ms.
const SWEEP: u64 = 60_000;
const WORKER: u32 = 1;

/// Runs the role until it is told to stop or the master is gone; returns the exit code.
#[must_use]
pub fn run(seat: Seat) -> u8 {
    match serve(seat) {
        Ok(code) => code,
        Err(error) => {
            log::error!("the bookkeeper cannot go on: {error}");
            1
        }
    }
}

fn serve(mut seat: Seat) -> Result<u8, Box<dyn std::error::Error>> {
    let mut watch = Watch::new(&seat)?;
    let draining = Arc::new(AtomicBool::new(false));
    let troubles = Troubles::default();
    let mut threads = Vec::new();
    let mut difficulties: BTreeMap<String, Difficulty> = BTreeMap::new();
    for (id, pool) in &seat.config.pools {
        let mut coin = Coin::new(pool.clone(), seat.config.data_dir.clone(), seat.config.instance);
        if let Some(mpos) = Follower::of(pool, &seat.config.data_dir, seat.config.instance) {
            coin.keep_until(mpos.written());
            let (board, draining) = (Arc::clone(&seat.board), Arc::clone(&draining));
            let troubles = troubles.clone();
            let life = move || keep(mpos, &board, &draining, &troubles, &|_, _| {});
            threads.push(helper::spawn(&format!("mpos-{id}"), life)?);
        }
        let history = history::Follower::of(pool, &seat.config);
        difficulties.insert(id.clone(), history.difficulty());
        coin.keep_for_history(history.written());
        let (board, flag) = (Arc::clone(&seat.board), Arc::clone(&draining));
        let said = troubles.clone();
        let life = move || keep(history, &board, &flag, &said, &|_, _| {});
        threads.push(helper::spawn(&format!("history-{id}"), life)?);
        let (board, draining) = (Arc::clone(&seat.board), Arc::clone(&draining));
        let (pool, data_dir) = (pool.clone(), seat.config.data_dir.clone());
        let obey = move |coin: &mut Coin, watermark: &dyn Fn() -> u64| {
            rebuild::obey(coin, &pool, &data_dir, watermark);
        };
        let troubles = troubles.clone();
        let life = move || keep(coin, &board, &draining, &troubles, &obey);
        threads.push(helper::spawn(&format!("tally-{id}"), life)?);
    }
    seat.channel.send(&Message::Ready, &[])?;

    let mut room = Room::default();
    loop {
        room.look(&seat.config.data_dir, monotonic_ms());
        // Nothing else here depends on tips and bans.
        let hear = |message: Message| {
            if let Message::CoinStatus(status) = message
                && let Some(place) = difficulties.get(&status.coin)
            {
                place.set(status.difficulty);
            }
        };
        match watch.turn(&mut seat, TURN, hear)? {
            Turn::On => {}
            Turn::Finish => {
                drain(&threads, &draining, ms(seat.config.shutdown_timeout), || {
                    watch.tick(&seat);
                    watch.signalled() == Turn::Stop
                });
                return Ok(0);
            }
            Turn::Stop => return Ok(0), // what is not in the tally is in the journals
            Turn::Gone => {
                drain(&threads, &draining, ORPHANED, || false);
                return Ok(0);
            }
        }
        for message in troubles.news() {
            seat.channel.send(&message, &[])?;
        }
        if threads.iter().any(JoinHandle::is_finished) {
            return Err("the thread of a coin has ended".into());
        }
    }
}

/// Watches the room on disk.
#[derive(Default)]
struct Room {
    next: u64,
    little: bool,
}

impl Room {
    /// Once a minute: warns when there is little room, and says when there is enough again.
    fn look(&mut self, data_dir: &Path, now: u64) {
        if now < self.next {
            return;
        }
        self.next = now.saturating_add(SWEEP);
        let warning = room::warning(data_dir);
        match (&warning, self.little) {
            (Some(words), false) => log::warn!("{words}"),
            (None, true) => log::warn!("{}: there is room again", data_dir.display()),
            _ => {}
        }
        self.little = warning.is_some();
    }
}

/// Lets the threads add what is complete, until all are done, `limit` ms have passed, or `give_up`
/// says so.
fn drain(
    threads: &[JoinHandle<()>],
    draining: &AtomicBool,
    limit: u64,
    mut give_up: impl FnMut() -> bool,
) {
    draining.store(true, Ordering::Release);
    threads.iter().map(JoinHandle::thread).for_each(Thread::unpark);
    let start = monotonic_ms();
    while !threads.iter().all(JoinHandle::is_finished) {
        if monotonic_ms().saturating_sub(start) >= limit || give_up() {
            log::warn!("the last shares are not in the tally yet; the next start adds them");
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Up to which unix millisecond every record is in the files: the least that a living worker
/// promises. A frozen or dead one holds nobody up; with none alive everything is there.
fn watermark(board: &Board, now: u64) -> u64 {
    let ticks = board.rows().filter_map(|(_, row)| {
        let alive = row.role.load(Ordering::Acquire) == WORKER
            && now.saturating_sub(row.tick.load(Ordering::Acquire)) < FRESH;
        let tick = row.journal_tick.load(Ordering::Acquire);
        (alive && tick > 0).then_some(tick)
    });
    ticks.min().unwrap_or(u64::MAX)
}

/// Shares judged by all workers, ever: while it stays, the journals hold hardly anything new.
fn judged(board: &Board) -> u64 {
    let counts = board.rows().map(|(_, row)| {
        row.accepted.load(Ordering::Relaxed).wrapping_add(row.rejected.load(Ordering::Relaxed))
    });
    counts.fold(0, u64::wrapping_add)
}

/// Whether somebody that may still write sits in a slot: a worker, or `templates` with the answers
/// to blocks that it submitted again.
fn occupied(board: &Board, slot: usize) -> bool {
    board.row(slot).is_some_and(|row| row.pid.load(Ordering::Acquire) != 0)
}

/// What a thread fills from a coin's journals.
trait Books {
    /// What it may say when it does not get on.
    type Error: std::fmt::Display;
    /// What is filled, in words.
    const WHAT: &'static str;
    /// The coin.
    fn id(&self) -> &str;
    /// Adds what is complete and older than `watermark` (unix ms). `true`: there is more to add at
    /// once. `now` is in monotonic ms.
    fn turn(&mut self, watermark: u64, now: u64) -> Result<bool, Self::Error>;
    /// Its streams.
    fn tails(&mut self) -> &mut Tails;
    /// What is to be done once a minute; `now` is in unix ms.
    fn sweep(&mut self, now: u64, occupied: &dyn Fn(usize) -> bool) -> Result<(), Self::Error>;
}

/// The life of a coin's thread. `obey` does what an operator has asked for.
fn keep<B: Books>(
    mut coin: B,
    board: &Board,
    draining: &AtomicBool,
    troubles: &Troubles,
    obey: &dyn Fn(&mut B, &dyn Fn() -> u64),
) {
    let mut pause = BACK_OFF.0;
    let mut trouble: Option<(String, u64)> = None;
    let mut swept: Option<u64> = None;
    let (mut seen, mut lively_until, mut look_at) = (judged(board), 0, 0);
    loop {
        let last = draining.load(Ordering::Acquire);
        let now = monotonic_ms();
        let count = judged(board);
        if std::mem::replace(&mut seen, count) != count {
            lively_until = now.saturating_add(LIVELY);
        }
        if !last && trouble.is_none() && now >= lively_until && now < look_at {
            std::thread::park_timeout(CALM.0);
            continue;
        }
        look_at = now.saturating_add(CALM.1);
        let mark = if last { u64::MAX } else { watermark(board, now) };
        if !last {
            obey(&mut coin, &|| watermark(board, monotonic_ms()));
        }
        let turn = coin.turn(mark, now).and_then(|more| {
            if !more && !last && swept.is_none_or(|at| now.saturating_sub(at) >= SWEEP) {
                swept = Some(now);
                coin.sweep(unix_ms(), &|slot| occupied(board, slot))?;
            }
            Ok(more)
        });
        match turn {
            Ok(more) => {
                if !more {
                    merge::close_left(coin.tails(), &|slot| occupied(board, slot));
                }
                if let Some((_, since)) = trouble.take() {
                    let seconds = now.saturating_sub(since) / 1000;
                    log::warn!("{}: {} counts again, after {seconds} s", coin.id(), B::WHAT);
                }
                troubles.say(coin.id(), B::WHAT, None);
                pause = BACK_OFF.0;
                match (more, last) {
                    (true, _) => {}
                    (false, true) => return,
                    (false, false) => std::thread::park_timeout(PAUSE),
                }
            }
            Err(error) => {
                let words = error.to_string();
                if trouble.as_ref().is_none_or(|(before, _)| *before != words) {
                    log::error!(
                        "{}: shares are safe in the journals, but {} waits: {words}",
                        coin.id(),
                        B::WHAT
                    );
                }
                troubles.say(coin.id(), B::WHAT, Some(&words));
                let since = trouble.map_or(now, |(_, since)| since);
                trouble = Some((words, since));
                if last {
                    return;
                }
                std::thread::park_timeout(pause);
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn worker(board: &Board, slot: usize, tick: u64, journal_tick: u64) {
        let row = board.row(slot).unwrap();
        row.pid.store(1, Ordering::Relaxed);
        row.role.store(WORKER, Ordering::Relaxed);
        row.tick.store(tick, Ordering::Relaxed);
        row.journal_tick.store(journal_tick, Ordering::Relaxed);
    }

    #[test]
    fn the_watermark_is_the_least_promise_of_those_alive() {
        let board = Board::new().unwrap();
        assert_eq!(watermark(&board, 5000), u64::MAX);
        worker(&board, 0, 4900, 70);
        worker(&board, 1, 5000, 60);
        worker(&board, 2, 4000, 10); // frozen
        worker(&board, 3, 5000, 0); // has not begun
        assert_eq!(watermark(&board, 5000), 60);
        board.row(1).unwrap().role.store(2, Ordering::Relaxed); // no worker
        assert_eq!(watermark(&board, 5000), 70);
        assert!(occupied(&board, 2) && occupied(&board, 1) && !occupied(&board, 9));
    }

    #[test]
    fn a_drain_adds_what_is_complete_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let board = Board::new().unwrap();
        let now = monotonic_ms();
        worker(&board, 0, now, 1); // a promise that would hold everything back
        coin::tests::written(dir.path());
        let draining = Arc::new(AtomicBool::new(false));
        let (coin, flag) = (coin::tests::coin(dir.path()), Arc::clone(&draining));
        let thread = helper::spawn("tally-test", move || {
            keep(coin, &board, &flag, &Troubles::default(), &|_, _| {})
        })
        .unwrap();
        drain(&[thread], &draining, 60_000, || false);
        assert_eq!(coin::tests::overview(dir.path()).accepted, 1);
    }
}
