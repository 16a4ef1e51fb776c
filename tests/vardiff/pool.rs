//! The pool's side: the product's session, vardiff and memory, moved as a worker process moves
//! them (`src/worker/hear.rs`), with a judge that knows how good a hash was instead of hashing.

use romp::stratum::{Action, JobId, PortRules, Reject, Session, Submit};
use romp::worker::Starts;
use std::net::IpAddr;

pub(crate) const COIN: &str = "coin";

/// What all connections share.
pub(crate) struct Pool {
    pub(crate) rules: PortRules,
    pub(crate) starts: Starts,
    /// The present job, the first of its tip, and the next free number.
    latest: JobId,
    tip_first: u32,
    next: u32,
}

/// What became of a line.
#[derive(Default)]
pub(crate) struct Outcome {
    /// To be sent.
    pub(crate) bytes: Vec<u8>,
    /// The verdict on a share, and what it was credited with.
    pub(crate) verdict: Option<(Submit, Result<f64, Reject>)>,
    pub(crate) close: bool,
}

impl Pool {
    pub(crate) fn new(rules: PortRules) -> Self {
        let latest = JobId { lane: 1, number: 1 };
        Self { rules, starts: Starts::default(), latest, tip_first: 1, next: 2 }
    }

    fn take_number(&mut self) -> JobId {
        let id = JobId { lane: 1, number: self.next };
        self.next += 1;
        id
    }

    fn line(id: JobId, clean: bool) -> Vec<u8> {
        format!("{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{id}\",{clean}]}}\n")
            .into_bytes()
    }

    /// New work, perhaps on a new tip; for the session, if there is one.
    pub(crate) fn post(&mut self, tip: bool, session: Option<&mut Session>, now: u64) -> Outcome {
        self.latest = self.take_number();
        if tip {
            self.tip_first = self.latest.number;
        }
        let mut outcome = Outcome::default();
        if let Some(session) = session {
            let clean = tip || session.needs_clean();
            let line = Self::line(self.latest, clean);
            session.offer(self.latest, &line, clean, &self.rules, now, &mut outcome.bytes);
        }
        outcome
    }

    fn send_work(&mut self, session: &mut Session, now: u64, out: &mut Vec<u8>) {
        let latest = self.latest;
        if session.difficulty_of(latest).is_some() || session.is_stale(latest) {
            self.latest = self.take_number();
        }
        let clean = session.needs_clean();
        session.offer(self.latest, &Self::line(self.latest, clean), clean, &self.rules, now, out);
    }

    /// Whether a job is one of the present tip.
    pub(crate) fn is_current(&self, job: JobId) -> bool {
        job.number >= self.tip_first
    }

    /// A line of the miner; `worth` is the difficulty that the hash of a submit reaches.
    pub(crate) fn receive(
        &mut self,
        session: &mut Session,
        line: &str,
        worth: f64,
        address: IpAddr,
        now: u64,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let actions = session.receive(line.as_bytes(), &self.rules, now, &mut outcome.bytes);
        self.perform(session, actions, worth, address, now, &mut outcome);
        outcome
    }

    /// The look at a session that comes each second.
    pub(crate) fn tick(&mut self, session: &mut Session, address: IpAddr, now: u64) -> Outcome {
        let mut outcome = Outcome::default();
        let actions = session.tick(&self.rules, now, &mut outcome.bytes);
        self.perform(session, actions, 0.0, address, now, &mut outcome);
        outcome
    }

    fn perform(
        &mut self,
        session: &mut Session,
        actions: Vec<Action>,
        worth: f64,
        address: IpAddr,
        now: u64,
        outcome: &mut Outcome,
    ) {
        for action in actions {
            let more = match action {
                Action::SendWork => {
                    self.send_work(session, now, &mut outcome.bytes);
                    Vec::new()
                }
                Action::Authorize(request) => {
                    if let Some(start) = self.starts.find(COIN, &request.name, address, now) {
                        session.remembered(start, &self.rules);
                    }
                    session.authorized(&request, Ok(()), &self.rules, now, &mut outcome.bytes)
                }
                Action::Submit(submit) => {
                    let verdict = judge(session, &submit, worth);
                    let result = verdict.map(|_| ());
                    let out = &mut outcome.bytes;
                    let more = session.answer(&submit, result, &self.rules, now, out);
                    outcome.verdict = Some((submit, verdict));
                    more
                }
                Action::Close(_) => {
                    outcome.close = true;
                    Vec::new()
                }
                Action::Rejected(..) | Action::BadLine => panic!("the rig spoke well: {action:?}"),
            };
            self.perform(session, more, worth, address, now, outcome);
        }
    }
}

/// The verdict on a share whose hash reaches `worth`, and its credit.
fn judge(session: &Session, submit: &Submit, worth: f64) -> Result<f64, Reject> {
    if session.is_stale(submit.job) {
        return Err(Reject::Stale);
    }
    let difficulty = session.difficulty_of(submit.job).ok_or(Reject::UnknownJob)?.as_f64();
    if worth < difficulty { Err(Reject::LowDifficulty) } else { Ok(difficulty) }
}
