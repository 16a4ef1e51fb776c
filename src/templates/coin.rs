//! One coin: its thread decides what its daemons are asked, and turns templates into work.
//!
//! Waits only for events, never for a daemon: see [`super::asker`].

mod answer;
mod ask;
mod hear;
mod work;

use super::asker::{self, Question, Reply};
use super::listen::Told;
use super::longpoll::{self, LongPoll};
use super::notices::{self, Notices};
use super::refresh::Refresh;
use super::status::{Numbers, Teller};
use super::tally::Source;
use super::{Notice, Outlet};
use crate::chain::{Plan, Template};
use crate::config::{Config, Pool};
use crate::daemon;
use crate::daemon::ChainInfo;
use crate::daemon::choice::{Judge, Standing};
use crate::daemon::sanity::Memory;
use crate::ipc::Message;
use crate::ipc::board::Board;
use crate::sys::clock::{self, ms};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// Longest sleep of a coin's thread, and the one while something is awaited.
const TURN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(10));
/// How often what stops the work is said again.
const NAG_MS: u64 = 60_000;
/// What a daemon's own deadline may be exceeded by before it counts as hanging.
const SLACK_MS: u64 = 500;
/// Events that are taken between two looks at what is due: a flood of notices delays nothing else.
const AT_ONCE: usize = 256;

/// What a coin's thread hears.
#[derive(Debug)]
pub(super) enum Event {
    /// From the daemon of that index.
    Reply(usize, Reply),
    /// From the main thread.
    Notice(Notice),
    /// From the listener of that source to the daemon of that index.
    Told(Source, usize, Told),
    /// From the long poll of the daemon of that index.
    LongPoll(usize, longpoll::Answer),
}

/// One daemon, from here.
struct Line {
    address: String,
    ask: Sender<Question>,
    /// When it was last asked how its chain is; the answer is open while `waiting`.
    probed_at: Option<u64>,
    waiting: bool,
    info: Option<ChainInfo>,
    clock_warned: bool,
    tip_warned: bool,
    /// None when the pool's file turns it off.
    long_poll: Option<LongPoll>,
}

/// A template that was asked for.
#[derive(Clone, Copy)]
struct Asked {
    daemon: usize,
    number: u64,
    at: u64,
}

/// A template that builds on a block which no daemon has shown yet.
struct Held {
    daemon: usize,
    template: Template,
    looks: u8,
}

/// One coin's thread.
pub(super) struct Coin {
    config: Arc<Config>,
    pool: Pool,
    /// By which its helpers reach this thread.
    events: Sender<Event>,
    out: Outlet,
    lines: Vec<Line>,
    judge: Judge,
    refresh: Refresh,
    plan: Option<Plan>,
    /// Why there is no plan, and when it was last asked for.
    plan_problem: Option<String>,
    plan_asked: Option<u64>,
    plan_waiting: Option<u64>,
    asked: Option<Asked>,
    held: Option<Held>,
    memory: Memory,
    height: Option<u64>,
    work_at: Option<u64>,
    number: u64,
    notices: Notices,
    teller: Teller,
    fork_said: Option<u64>,
}

impl Coin {
    /// Starts the threads of a coin's daemons, which report by `events`.
    pub(super) fn new(
        config: &Arc<Config>,
        pool: &Pool,
        out: Outlet,
        board: Arc<Board>,
        events: Sender<Event>,
    ) -> io::Result<Self> {
        let mut notices = Notices::new(board);
        let mut lines = Vec::with_capacity(pool.daemons.len());
        for (index, daemon) in pool.daemons.iter().enumerate() {
            let timeout = pool.daemon_timeout;
            let sender = events.clone();
            let tell = move |reply| sender.send(Event::Reply(index, reply)).is_ok();
            let ask = asker::start(config, &pool.coin.id, daemon, timeout, tell)?;
            let sender = events.clone();
            let tell = move |answer| sender.send(Event::LongPoll(index, answer)).is_ok();
            let polls =
                pool.long_poll.then(|| LongPoll::start(config, &pool.coin.id, daemon, tell));
            notices.listen_to_publisher(index, daemon, &events)?;
            lines.push(Line {
                address: daemon::address(daemon),
                ask,
                probed_at: None,
                waiting: false,
                info: None,
                clock_warned: false,
                tip_warned: false,
                long_poll: polls.transpose()?,
            });
        }
        let fresh_for = ms(notices::poll_every(pool))
            .saturating_mul(2)
            .saturating_add(ms(pool.daemon_timeout) + SLACK_MS);
        Ok(Self {
            judge: Judge::new(lines.len(), fresh_for),
            refresh: Refresh::new(refresh_every(pool)),
            teller: Teller::new(&pool.coin.id),
            config: Arc::clone(config),
            pool: pool.clone(),
            events,
            out,
            lines,
            plan: None,
            plan_problem: None,
            plan_asked: None,
            plan_waiting: None,
            asked: None,
            held: None,
            memory: Memory::default(),
            height: None,
            work_at: None,
            number: 0,
            notices,
            fork_said: None,
        })
    }

    /// Runs until the process ends.
    pub(super) fn run(mut self, events: &Receiver<Event>) {
        loop {
            let now = clock::monotonic_ms();
            self.turn(now);
            let busy = self.refresh.is_chasing() || self.held.is_some();
            let mut event = events.recv_timeout(if busy { TURN.1 } else { calm(&self.pool) });
            for _ in 0..AT_ONCE {
                match event {
                    Ok(Event::Reply(daemon, reply)) => self.reply(daemon, reply),
                    Ok(Event::Notice(notice)) => self.notice(notice),
                    Ok(Event::Told(source, daemon, told)) => self.told(source, daemon, told),
                    Ok(Event::LongPoll(daemon, answer)) => self.long_polled(daemon, answer),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                event = events.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
        }
    }

    fn id(&self) -> &str {
        &self.pool.coin.id
    }

    fn address(&self, daemon: usize) -> String {
        self.lines.get(daemon).map_or_else(String::new, |line| line.address.clone())
    }

    /// Asks what is due.
    fn turn(&mut self, now: u64) {
        let all = self.refresh.chases(now);
        for daemon in 0..self.lines.len() {
            self.probe(daemon, now, all);
        }
        self.give_up_hanging(now);
        let chosen = self.judge.choose(now);
        if let Some(daemon) = chosen {
            self.ask_plan(daemon, now);
            self.ask_template(daemon, now);
            self.long_poll(daemon, now);
        }
        self.notices.spread.look(clock::unix_ms(), &self.pool.coin.id);
        if self.judge.forked(now) {
            if self.fork_said.is_none_or(|at| now.saturating_sub(at) >= NAG_MS) {
                self.fork_said = Some(now);
                log::error!(
                    "{}: the daemons have stood on different blocks of one height for a minute; \
                     work follows {}. One of them is on a wrong fork: compare getchaintips and \
                     versions",
                    self.id(),
                    chosen.map_or_else(String::new, |daemon| self.address(daemon))
                );
            }
        } else {
            self.fork_said = None;
        }
        self.tell(now);
    }

    fn tell(&mut self, now: u64) {
        let addresses: Vec<&str> = self.lines.iter().map(|line| line.address.as_str()).collect();
        let info = self.judge.chosen().and_then(|daemon| self.lines.get(daemon)?.info.as_ref());
        let difficulty = info.and_then(|info| info.difficulty);
        let status = self.teller.status(
            &self.judge,
            &addresses,
            now,
            self.plan_problem.as_deref(),
            Numbers { work_at: self.work_at, difficulty, notices: &self.notices },
        );
        if let Some(status) = status {
            self.out.send(Message::CoinStatus(status), None);
        }
    }

    fn refuse(&mut self, daemon: usize, now: u64, problem: String) {
        self.judge.refused(daemon, now, problem);
    }

    /// Whether another daemon could give the work, at once or when it has the newest block.
    fn has_another(&self, daemon: usize, now: u64) -> bool {
        let could = |it: Standing| matches!(it, Standing::Fresh | Standing::Behind { .. });
        (0..self.lines.len()).any(|other| other != daemon && could(self.judge.standing(other, now)))
    }
}

/// Time between two turns when nothing happens.
pub(super) fn calm(pool: &Pool) -> Duration {
    TURN.0.min(notices::poll_every(pool) / 2).max(TURN.1)
}

/// A job from new transactions at least so often, and often enough that work never looks stale to
/// the workers while all is well.
fn refresh_every(pool: &Pool) -> u64 {
    let wanted = match ms(pool.job_refresh) {
        0 => 55_000,
        some => some,
    };
    wanted.min(ms(pool.stale_work) / 2).max(1_000)
}
