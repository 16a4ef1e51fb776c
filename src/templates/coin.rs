//! One coin: its thread decides what its daemons are asked, and turns templates into work.
//!
//! Waits only for events, never for a daemon: see [`super::asker`].

mod hear;

use super::asker::{self, Question, Reply};
use super::listen::Told;
use super::longpoll::{self, LongPoll};
use super::notices::{self, Notices};
use super::refresh::Refresh;
use super::sanity::{self, Facts, Finding, Known, Memory};
use super::status::{Numbers, Teller};
use super::tally::Source;
use super::{Notice, Outlet};
use crate::chain::{Plan, Template, Work};
use crate::config::{Config, Pool};
use crate::daemon::choice::{Judge, Seen, Standing};
use crate::daemon::plan::PlanError;
use crate::daemon::template::FetchError;
use crate::daemon::{CallError, ChainInfo};
use crate::ipc::Message;
use crate::ipc::board::Board;
use crate::sys::{clock, memfd};
use crate::{chain, daemon, special};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// Longest sleep of a coin's thread, and the one while something is awaited.
const TURN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_millis(10));
/// How often what stops the work is said again.
const NAG_MS: u64 = 60_000;
/// What a daemon's own deadline may be exceeded by before it counts as hanging.
const SLACK_MS: u64 = 500;
/// Answers to wait for until a template that runs ahead of its daemon's tip is given up.
const LOOKS: u8 = 3;

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
        let fresh_for =
            2 * millis(notices::poll_every(pool)) + millis(pool.daemon_timeout) + SLACK_MS;
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
            let calm = TURN.0.min(self.pool.block_refresh / 2).max(TURN.1);
            let mut event = events.recv_timeout(if busy { TURN.1 } else { calm });
            loop {
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

    fn probe(&mut self, daemon: usize, now: u64, at_once: bool) {
        let every =
            self.judge.probe_back_off(daemon).unwrap_or(millis(notices::poll_every(&self.pool)));
        let Some(line) = self.lines.get_mut(daemon) else { return };
        let due = line.probed_at.is_none_or(|at| now.saturating_sub(at) >= every.max(10));
        if !line.waiting && (due || at_once) && line.ask.send(Question::Probe).is_ok() {
            line.waiting = true;
            line.probed_at = Some(now);
        }
    }

    fn ask_plan(&mut self, daemon: usize, now: u64) {
        let late = millis(self.pool.daemon_timeout) * 4;
        if self.plan_waiting.is_some_and(|at| now.saturating_sub(at) < late) {
            return;
        }
        // What only the operator can change is looked at once a minute, the rest each second.
        let again = if self.plan_problem.is_some() { NAG_MS } else { 1_000 };
        let due = self.plan_asked.is_none_or(|at| now.saturating_sub(at) >= again);
        if self.plan.is_some() || !due {
            return;
        }
        if let Some(line) = self.lines.get(daemon)
            && let Some(info) = &line.info
            && line.ask.send(Question::Plan(Box::new(info.clone()))).is_ok()
        {
            self.plan_asked = Some(now);
            self.plan_waiting = Some(now);
        }
    }

    fn ask_template(&mut self, daemon: usize, now: u64) {
        let Some(seen) = self.judge.seen(daemon) else { return };
        let Some(plan) = &self.plan else { return };
        let idle = self.asked.is_none() && self.held.is_none();
        if !idle || !self.refresh.is_due(now, &seen.tip) {
            return;
        }
        self.number += 1;
        let number = self.number;
        if let Some(line) = self.lines.get(daemon)
            && line.ask.send(Question::Template(number, Box::new(plan.clone()))).is_ok()
        {
            self.refresh.asked(now);
            self.asked = Some(Asked { daemon, number, at: now });
        }
    }

    /// A daemon that keeps its template for longer than its deadline is left for the next one.
    fn give_up_hanging(&mut self, now: u64) {
        let limit = millis(self.pool.daemon_timeout) + SLACK_MS;
        let Some(asked) = self.asked.filter(|asked| now.saturating_sub(asked.at) > limit) else {
            return;
        };
        self.asked = None;
        self.refuse(asked.daemon, now, format!("hangs: no template within {limit} ms"));
    }

    fn refuse(&mut self, daemon: usize, now: u64, problem: String) {
        self.judge.refused(daemon, now, problem);
    }

    fn reply(&mut self, daemon: usize, reply: Reply) {
        let now = clock::monotonic_ms();
        match reply {
            Reply::Probe(answer, latency) => self.probed(daemon, now, answer, latency),
            Reply::Plan(answer) => self.planned(daemon, now, *answer),
            Reply::Template(number, answer) => {
                // An answer to a question that was given up is no answer.
                if self.asked.is_some_and(|asked| asked.number == number) {
                    self.asked = None;
                    self.answered(daemon, now, *answer);
                }
            }
        }
    }

    fn probed(
        &mut self,
        daemon: usize,
        now: u64,
        answer: Result<ChainInfo, CallError>,
        latency: u64,
    ) {
        let seen = match &answer {
            Ok(info) => self.on_our_network(daemon, info).map(|()| seen(info)),
            Err(error) => Err(error.fault.to_string()),
        };
        if let Some(line) = self.lines.get_mut(daemon) {
            line.waiting = false;
            if let Ok(info) = &answer {
                let block_time = self.pool.coin.block_time;
                let old =
                    sanity::old_tip(info.network, info.tip_time, block_time, clock::unix_ms());
                let fine = old.is_none();
                if let Some(words) = old.filter(|_| !line.tip_warned && !info.initial_download) {
                    log::warn!("{}: daemon {}: {words}", self.pool.coin.id, line.address);
                }
                line.tip_warned = !fine;
            }
            line.info = answer.ok().or(line.info.take());
        }
        self.judge.probed(daemon, now, seen.clone(), latency);
        if let Ok(seen) = seen {
            let highest = self.judge.top(now).is_some_and(|top| seen.height >= top.height);
            if highest && let Some((source, at)) = self.notices.tally.shown(now, seen.tip) {
                self.notices.first = Some((seen.tip, at));
                log::debug!(
                    "{}: block {} ({}) on {}, noticed by {}",
                    self.id(),
                    seen.height,
                    seen.tip,
                    self.address(daemon),
                    source.name()
                );
            }
        }
        self.look_again(daemon, now);
    }

    fn on_our_network(&self, daemon: usize, info: &ChainInfo) -> Result<(), String> {
        let ours = self.plan.as_ref().map(|plan| plan.network);
        match ours {
            Some(ours) if info.network != Some(ours) => Err(format!(
                "daemon {} is on the network `{}`, the pool works on {ours:?}: not used",
                self.address(daemon),
                info.chain
            )),
            _ => Ok(()),
        }
    }

    /// Whether another daemon could give the work, at once or when it has the newest block.
    fn has_another(&self, daemon: usize, now: u64) -> bool {
        let could = |it: Standing| matches!(it, Standing::Fresh | Standing::Behind { .. });
        (0..self.lines.len()).any(|other| other != daemon && could(self.judge.standing(other, now)))
    }

    fn planned(&mut self, daemon: usize, now: u64, answer: Result<Plan, PlanError>) {
        self.plan_waiting = None;
        match answer {
            Ok(plan) => {
                special!("{}: on the {:?} network", self.id(), plan.network);
                let (config, events) = (&self.config, &self.events);
                self.notices.listen_to_peer(config, &self.pool, plan.network, events);
                self.plan = Some(plan);
                self.plan_problem = None;
            }
            Err(PlanError::Call(error)) => log::warn!("{}: {error}", self.id()),
            Err(error @ PlanError::Operator { .. }) => {
                // One daemon of a wrong network, say, must not keep the others from working.
                if self.has_another(daemon, now) {
                    self.plan_asked = None;
                    return self.refuse(daemon, now, error.to_string());
                }
                log::error!("{}: no work for miners: {error}", self.id());
                self.plan_problem = Some(error.to_string());
            }
        }
    }

    fn answered(&mut self, daemon: usize, now: u64, answer: Result<Template, FetchError>) {
        match answer {
            // By another way the work is out already.
            Ok(template) if !self.refresh.is_news(now, &template.previous) => {
                self.remember_poll(daemon, &template);
                self.judge.worked(daemon, now);
            }
            Ok(template) => self.consider(Held { daemon, template, looks: LOOKS }, now),
            Err(error) if error.is_not_ready() => {
                self.judge.not_ready(daemon, now, error.problem());
            }
            Err(error) => self.refuse(daemon, now, error.problem()),
        }
    }

    /// Makes work of a template, or holds it until its daemon's tip is known to be its parent.
    fn consider(&mut self, held: Held, now: u64) {
        let facts = Facts::from(&held.template);
        let known = Known {
            previous_height: self.judge.height_of(&facts.previous, now),
            top: self.judge.top(now).map(|top| top.height),
            current: self.height,
        };
        let finding = match sanity::check(facts, known) {
            Finding::Good => self.doubt(held.daemon, facts, now),
            finding => finding,
        };
        match finding {
            Finding::Good => {
                self.memory.keep(facts);
                self.work(&held, now);
            }
            Finding::Bad(why) => {
                let problem = format!("its template is not usable: {why}");
                log::error!("{}: daemon {}: {problem}", self.id(), self.address(held.daemon));
                self.refuse(held.daemon, now, problem);
            }
            // The chain went on meanwhile: the next template is for its new tip.
            Finding::Unproven if held.looks == 0 && known.top >= Some(facts.height) => {
                log::debug!("{}: a template is out of date", self.id());
            }
            Finding::Unproven if held.looks == 0 => {
                let previous = facts.previous;
                let problem =
                    format!("its template builds on {previous}, which is no daemon's tip");
                log::error!("{}: daemon {}: {problem}", self.id(), self.address(held.daemon));
                self.refuse(held.daemon, now, problem);
            }
            Finding::Unproven => {
                self.probe(held.daemon, now, true);
                self.held = Some(Held { looks: held.looks - 1, ..held });
            }
        }
    }

    /// What is strange is refused while another daemon can give work; alone it may be right.
    fn doubt(&self, daemon: usize, facts: Facts, now: u64) -> Finding {
        let network = self.plan.as_ref().map_or(chain::Network::Main, |plan| plan.network);
        match self.memory.doubt(facts, network, clock::unix_ms()) {
            Some(words) if self.has_another(daemon, now) => Finding::Bad(words),
            Some(words) => {
                let (id, address) = (self.id(), self.address(daemon));
                log::error!(
                    "{id}: daemon {address}: strange template: {words}; used for want of another"
                );
                Finding::Good
            }
            None => Finding::Good,
        }
    }

    fn look_again(&mut self, daemon: usize, now: u64) {
        if let Some(held) = self.held.take_if(|held| held.daemon == daemon) {
            self.consider(held, now);
        }
    }

    fn work(&mut self, held: &Held, now: u64) {
        let Held { daemon, template, .. } = held;
        let Some(plan) = &self.plan else { return };
        let made = Work::build(template, plan).map_err(|error| error.to_string());
        let made = made.and_then(|built| {
            let body = memfd::sealed("block-body", &built.body);
            body.map(|body| (built, body)).map_err(|error| format!("no memory file: {error}"))
        });
        let (chain::Built { mut work, .. }, body) = match made {
            Ok(made) => made,
            Err(why) => {
                log::error!("{}: no work from a template: {why}", self.id());
                return self.refuse(*daemon, now, why);
            }
        };
        self.judge.worked(*daemon, now);
        self.remember_poll(*daemon, template);
        work.clean = self.refresh.worked(now, work.previous);
        let unix = clock::unix_ms();
        let warning = sanity::clock_warning(template.time, unix);
        if let (Some(words), Some(line)) = (warning, self.lines.get_mut(*daemon))
            && !std::mem::replace(&mut line.clock_warned, true)
        {
            log::warn!("{}: daemon {}: {words}", self.pool.coin.id, line.address);
        }
        log::debug!(
            "{}: work for block {} from {}, {} transactions, {}",
            self.id(),
            work.height,
            self.address(*daemon),
            work.transactions,
            if work.clean { "new tip" } else { "same tip" }
        );
        if self.height.is_none() {
            special!("{}: first work, for block {}", self.id(), work.height);
        }
        self.height = Some(work.height);
        self.work_at = Some(unix);
        self.notices.sent(work.previous, now, unix);
        self.out.send(Message::Work { work: Box::new(work) }, Some(body));
    }
}

fn seen(info: &ChainInfo) -> Seen {
    Seen {
        height: info.blocks,
        tip: info.best,
        headers: info.headers,
        initial_download: info.initial_download,
        test_chain: info.network.is_some_and(|network| network != chain::Network::Main),
    }
}

/// A job from new transactions at least so often, and often enough that work never looks stale to
/// the workers while all is well.
fn refresh_every(pool: &Pool) -> u64 {
    let wanted = match millis(pool.job_refresh) {
        0 => 55_000,
        some => some,
    };
    wanted.min(millis(pool.stale_work) / 2).max(1_000)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 8)
}
