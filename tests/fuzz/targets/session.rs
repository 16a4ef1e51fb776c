//! A whole conversation: lines of one miner, and what happens around it.
//!
//! The input is text. A line is what the miner sends (a `> ` before it is left out, so that
//! transcripts can be played), or an event:
//!
//! | event | what happens |
//! |---|---|
//! | `@ authorize ok`, `@ authorize no` | verdict on the oldest name that waits |
//! | `@ judge` | verdict on the oldest share that waits; every hash is taken to be good enough |
//! | `@ offer clean`, `@ offer fresh` | a job for everybody |
//! | `@ time N` | N seconds pass |
//! | `@ rules N` | another configuration of the port |
//! | `@ extranonce`, `@ remembered N` | as a reload and an earlier connection do |
//! | `@ hand` | the session goes to another process |

use super::miners::{UNIT, bounds, is_answer, lines, rules, work};
use romp::chain::{Header, Work};
use romp::stratum::{
    Action, Authorize, Cause, Difficulty, Inserted, JobId, PortRules, Reject, Session,
};
use romp::stratum::{Start, Submit, notify_line};
use romp::worker::judge;
use std::collections::{HashMap, HashSet, VecDeque};

/// Events of one conversation that are played.
const MOST_EVENTS: usize = 2000;
/// Bytes of a session as JSON beside the shares that it remembers: 64 names of 255 bytes (control
/// characters are refused, a quote takes two), 96 jobs, and the rest.
const MOST_STATE: usize = 64 * 600 + 96 * 100 + 4096;
/// Bytes for one remembered share.
const SHARE_STATE: usize = 48;

/// Any bytes as a conversation.
pub(crate) fn target(data: &[u8]) {
    let mut stage = Stage::new();
    for line in data.split(|byte| *byte == b'\n').take(MOST_EVENTS) {
        match line.strip_prefix(b"@ ") {
            Some(event) => stage.event(&String::from_utf8_lossy(event)),
            None => stage.line(line.strip_prefix(b"> ").unwrap_or(line)),
        }
    }
    stage.drain();
    stage.check_state();
}

struct Stage {
    session: Session,
    rules: PortRules,
    work: Work,
    now: u64,
    jobs: u32,
    names: VecDeque<Authorize>,
    shares: VecDeque<Submit>,
    /// Lines that may be answered, and answers.
    asked: usize,
    answered: usize,
    /// What the miner was told: the difficulty, and the one before each job.
    told: Option<f64>,
    promised: HashMap<JobId, f64>,
    /// Every header that was ever credited.
    credited: HashSet<Header>,
    closed: bool,
}

impl Stage {
    fn new() -> Self {
        let rules = rules(0);
        Self {
            session: Session::new([8, 0, 0, 1], &rules, 1000),
            work: work(rules.extranonce2_size),
            rules,
            now: 1000,
            jobs: 0,
            names: VecDeque::new(),
            shares: VecDeque::new(),
            asked: 0,
            answered: 0,
            told: None,
            promised: HashMap::new(),
            credited: HashSet::new(),
            closed: false,
        }
    }

    fn line(&mut self, line: &[u8]) {
        if self.closed || line.trim_ascii().is_empty() {
            return;
        }
        self.asked += 1;
        let mut out = Vec::new();
        let actions = self.session.receive(line, &self.rules, self.now, &mut out);
        self.perform(actions, out);
    }

    fn event(&mut self, event: &str) {
        if self.closed {
            return;
        }
        let mut out = Vec::new();
        let (word, rest) = event.split_once(' ').unwrap_or((event, ""));
        let number = rest.trim().parse::<u64>().unwrap_or(1);
        let actions = match word {
            "offer" => {
                self.offer(rest == "clean", &mut out);
                Vec::new()
            }
            "time" => {
                self.now += number.min(1 << 40) * 1000;
                self.session.tick(&self.rules, self.now, &mut out)
            }
            "authorize" => {
                let Some(request) = self.names.pop_front() else { return };
                let verdict = if rest == "no" { Err("not here".to_owned()) } else { Ok(()) };
                self.session.authorized(&request, verdict, &self.rules, self.now, &mut out)
            }
            "judge" => {
                let Some(submit) = self.shares.pop_front() else { return };
                let verdict = self.judge(&submit);
                self.session.answer(&submit, verdict, &self.rules, self.now, &mut out)
            }
            "rules" => {
                self.rules = rules(u8::try_from(number % 3).unwrap());
                self.work = work(self.rules.extranonce2_size);
                self.session.change_rules(&self.rules, self.now)
            }
            "extranonce" => self.session.set_extranonce1([9, 9, 9, 9]),
            "remembered" => {
                let wanted = Difficulty::nearest(number as f64, UNIT);
                self.session.remembered(Start::at(wanted), &self.rules);
                Vec::new()
            }
            "hand" => {
                self.check_state();
                Vec::new()
            }
            _ => return,
        };
        self.perform(actions, out);
    }

    fn offer(&mut self, clean: bool, out: &mut Vec<u8>) {
        self.jobs += 1;
        let id = JobId { lane: 0x0a, number: self.jobs };
        let notify = notify_line(id, &self.work, clean);
        self.session.offer(id, &notify, clean, &self.rules, self.now, out);
    }

    /// Does what a shell does, and reads what the miner would read.
    fn perform(&mut self, actions: Vec<Action>, mut out: Vec<u8>) {
        let mut foreign = false;
        for action in actions {
            match action {
                Action::SendWork => {
                    let clean = self.session.needs_clean();
                    self.offer(clean, &mut out);
                }
                Action::Authorize(request) => {
                    assert!((1..=255).contains(&request.name.len()), "{}", request.name.len());
                    assert!(!request.name.contains(char::is_control), "{:?}", request.name);
                    self.names.push_back(request);
                }
                Action::Submit(submit) => self.shares.push_back(submit),
                Action::Close(why) => {
                    foreign |= why == Cause::Http;
                    self.closed = true;
                }
                Action::Rejected(name, _) => {
                    assert!(name.is_empty() || self.session.workers().any(|known| known == name));
                }
                Action::BadLine => {}
            }
        }
        assert!(self.session.workers().count() <= 64, "too many names");
        if !foreign {
            self.read(&out);
        }
        let given = self.session.difficulty();
        let (least, most) = bounds(&self.rules);
        assert!((least..=most).contains(&given.weight), "{given:?} is not the port's to give");
    }

    fn read(&mut self, out: &[u8]) {
        for line in lines(out) {
            if is_answer(&line) {
                assert!(!line["id"].is_null(), "an answer without its id: {line}");
                self.answered += 1;
                continue;
            }
            assert!(line["id"].is_null(), "a notification with an id: {line}");
            let params = &line["params"];
            match line["method"].as_str().unwrap_or_default() {
                "mining.set_difficulty" => {
                    let told = params[0].as_f64().expect("a number");
                    assert!(told.is_finite() && told > 0.0, "{told}");
                    self.told = Some(told);
                }
                "mining.notify" => {
                    let job = params[0].as_str().and_then(|id| id.parse().ok()).expect("an id");
                    let told = self.told.expect("a job before any difficulty");
                    assert!(self.promised.insert(job, told).is_none(), "the same job twice");
                }
                "mining.set_extranonce" | "mining.set_version_mask" => {}
                other => panic!("{other} was told unasked"),
            }
        }
        let answered = self.answered + self.names.len() + self.shares.len();
        assert!(answered <= self.asked, "more answers than questions");
    }

    /// The judge's part, as if every hash met its target.
    fn judge(&mut self, submit: &Submit) -> Result<(), Reject> {
        let Some(difficulty) = self.session.difficulty_of(submit.job) else {
            return Err(Reject::UnknownJob);
        };
        if self.session.is_stale(submit.job) {
            return Err(Reject::Stale);
        }
        let (extranonce1, mask) = (self.session.extranonce1(), self.session.version_mask());
        let prepared = judge::prepare(submit, &self.work, extranonce1, mask, 1_400_000_000)?;
        match self.session.seen().insert(prepared.key()) {
            Inserted::Duplicate => return Err(Reject::Duplicate),
            Inserted::Full => return Err(Reject::TooMany),
            Inserted::New => {}
        }
        assert!(self.credited.insert(prepared.header), "the same header was credited twice");
        let promised = self.promised.get(&submit.job).expect("a job that nobody was told of");
        assert_eq!(difficulty.as_f64(), *promised, "credit for other work than was asked for");
        Ok(())
    }

    /// Everybody who waits is answered: never more often than asked.
    fn drain(&mut self) {
        while !self.closed && (!self.names.is_empty() || !self.shares.is_empty()) {
            self.event("authorize ok");
            self.event("judge");
        }
    }

    /// The session is bounded, and is the same after it was handed on.
    fn check_state(&mut self) {
        let text = serde_json::to_vec(&self.session).expect("a session is plain data");
        let most = MOST_STATE + SHARE_STATE * self.credited.len();
        assert!(text.len() <= most, "a session of {} bytes", text.len());
        self.session = serde_json::from_slice(&text).expect("a session reads itself");
        let again = serde_json::to_vec(&self.session).expect("a session is plain data");
        assert_eq!(text.len(), again.len(), "the session is another after it was handed on");
    }
}
