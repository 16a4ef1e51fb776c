//! Time: what happens next between one miner and the pool, and what is noted of it.

use crate::pool::{COIN, Outcome, Pool};
use crate::random::Random;
use crate::rig::{Head, Rig};
use crate::stats::Stats;
use romp::stratum::{PortRules, Session};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// New work on the same tip each half minute; a new tip each 150 s on average (litecoin).
const WORK_MS: u64 = 30_000;
const TIP_MS: f64 = 150_000.0;
/// A miner whom the pool sent away comes back after this.
const RETRY_MS: u64 = 5_000;
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// Lines on their way, with what the judge and the notes must know of a submit.
struct Line {
    at: u64,
    text: String,
    worth: f64,
    meant: f64,
}

struct Connection {
    session: Session,
    head: Head,
    up: VecDeque<Line>,
    down: VecDeque<(u64, Vec<u8>)>,
    since: u64,
    shares: u32,
}

/// One miner at one port.
pub(crate) struct Sim {
    pool: Pool,
    rig: Rig,
    random: Random,
    now: u64,
    connection: Option<Connection>,
    connect_at: u64,
    names: u32,
    next_second: u64,
    next_work: u64,
    next_tip: u64,
    next_speed: u64,
    speed: f64,
    pub(crate) stats: Stats,
}

impl Sim {
    pub(crate) fn new(rules: PortRules, rig: Rig, seed: u64) -> Self {
        let stats = Stats::new(&rules);
        let (pool, random) = (Pool::new(rules), Random::new(seed));
        Self {
            pool,
            rig,
            random,
            now: 0,
            connection: None,
            connect_at: 0,
            names: 0,
            next_second: 0,
            next_work: WORK_MS,
            next_tip: 0,
            next_speed: 0,
            speed: 0.0,
            stats,
        }
    }

    /// Lets so many milliseconds pass.
    pub(crate) fn run(mut self, ms: u64) -> Stats {
        while self.now < ms {
            self.now = self.next_event().min(ms);
            self.happen();
        }
        self.stats.finish(ms);
        self.stats
    }

    fn next_event(&self) -> u64 {
        let mut at =
            self.next_second.min(self.next_work).min(self.next_tip.max(1)).min(self.next_speed);
        match &self.connection {
            Some(connection) => {
                at = at.min(connection.head.switch_at());
                at = at.min(connection.up.front().map_or(u64::MAX, |line| line.at));
                at = at.min(connection.down.front().map_or(u64::MAX, |(at, _)| *at));
                at = at.min(connection.head.share_at.ceil() as u64);
            }
            None if self.speed > 0.0 => at = at.min(self.connect_at),
            None => {}
        }
        at.max(self.now)
    }

    fn happen(&mut self) {
        let now = self.now;
        if self.next_speed <= now {
            (self.speed, self.next_speed) = self.rig.speed(now);
            self.stats.speed(now, self.speed);
            if let Some(connection) = &mut self.connection {
                connection.head.draw(now, self.speed, &mut self.random);
            }
        }
        if self.connection.is_none() && self.speed > 0.0 && self.connect_at <= now {
            self.connect();
        }
        self.rig_turn();
        self.pool_turn();
        if self.next_second <= now {
            self.next_second = now + 1000;
            if let Some(mut connection) = self.connection.take() {
                let outcome = self.pool.tick(&mut connection.session, ADDRESS, now);
                self.connection = Some(connection);
                self.take(outcome);
            }
        }
        if let Some(connection) = &self.connection {
            let late = self.rig.reconnects.is_some_and(|after| now - connection.since >= after);
            let cheats = self.rig.cheats.is_some_and(|shares| connection.shares >= shares);
            if late || cheats {
                self.disconnect(if cheats { 200 } else { 1000 });
            }
        }
    }

    fn connect(&mut self) {
        let now = self.now;
        if self.names == 0 || self.rig.cheats.is_some() {
            self.names += 1;
        }
        let session = Session::new([1, 0, 0, 1], &self.pool.rules, now);
        let at = now + self.rig.latency;
        let line = |text: String| Line { at, text, worth: 0.0, meant: 0.0 };
        let subscribe = r#"{"id":1,"method":"mining.subscribe","params":["rig"]}"#.to_owned();
        let name = format!("payee.{}", self.names);
        let authorize =
            format!(r#"{{"id":2,"method":"mining.authorize","params":["{name}","x"]}}"#);
        let up = VecDeque::from([line(subscribe), line(authorize)]);
        let (head, down) = (Head::default(), VecDeque::new());
        self.connection = Some(Connection { session, head, up, down, since: now, shares: 0 });
        self.connection.as_mut().expect("made above").head.share_at = f64::MAX;
        self.stats.connections += 1;
    }

    fn disconnect(&mut self, after: u64) {
        if let Some(connection) = self.connection.take() {
            let rules = &self.pool.rules;
            if !self.rig.is_forgotten {
                self.pool.starts.keep(COIN, &connection.session, rules, ADDRESS, self.now);
            }
            self.stats.works_at(self.now, 0.0);
        }
        self.connect_at = self.now + after;
    }

    /// The rig hears, begins work and finds shares.
    fn rig_turn(&mut self) {
        let now = self.now;
        let Some(connection) = &mut self.connection else { return };
        let head = &mut connection.head;
        while connection.down.front().is_some_and(|(at, _)| *at <= now) {
            let (_, bytes) = connection.down.pop_front().unwrap_or_default();
            let text = String::from_utf8(bytes).expect("the pool speaks UTF-8");
            text.lines().for_each(|line| head.hear(line, now, self.rig.lag));
        }
        if head.switch(now) {
            head.draw(now, self.speed, &mut self.random);
            let difficulty = head.work.as_ref().map_or(0.0, |work| work.difficulty);
            self.stats.works_at(now, difficulty);
        }
        if head.share_at <= now as f64 {
            let work = head.work.clone().expect("shares are of work");
            let text = format!(
                r#"{{"id":4,"method":"mining.submit","params":["payee.{}","{}","00000000","53724dff","00000001"]}}"#,
                self.names, work.job
            );
            // A hash that meets a difficulty meets one of n times that with chance 1/n.
            let worth = work.difficulty / (1.0 - self.random.uniform()).max(1e-9);
            let at = now + self.rig.latency;
            connection.up.push_back(Line { at, text, worth, meant: work.difficulty });
            head.draw(now, self.speed, &mut self.random);
        }
    }

    /// The pool hears, and makes work.
    fn pool_turn(&mut self) {
        let now = self.now;
        while let Some(connection) = &mut self.connection
            && connection.up.front().is_some_and(|line| line.at <= now)
        {
            let Some(line) = connection.up.pop_front() else { break };
            let session = &mut connection.session;
            connection.shares += u32::from(line.meant > 0.0);
            let outcome = self.pool.receive(session, &line.text, line.worth, ADDRESS, now);
            if let Some((submit, verdict)) = &outcome.verdict {
                let current = self.pool.is_current(submit.job);
                self.stats.share(now, *verdict, line.meant, current);
            }
            self.take(outcome);
        }
        let tip = self.next_tip <= now;
        if tip || self.next_work <= now {
            self.next_work = now + WORK_MS;
            if tip {
                self.next_tip = now + (TIP_MS * self.random.exponential()) as u64 + 1;
            }
            let session = self.connection.as_mut().map(|connection| &mut connection.session);
            let outcome = self.pool.post(tip, session, now);
            self.take(outcome);
        }
    }

    fn take(&mut self, outcome: Outcome) {
        let Some(connection) = &mut self.connection else { return };
        if !outcome.bytes.is_empty() {
            let told = outcome.bytes.windows(18).filter(|it| it == b"mining.set_difficu").count();
            self.stats.told(self.now, told);
            connection.down.push_back((self.now + self.rig.latency, outcome.bytes));
        }
        if outcome.close {
            self.disconnect(RETRY_MS);
        }
    }
}
