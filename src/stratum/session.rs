//! One miner's conversation, as plain data that can be handed to another process.

use super::{Difficulty, JobId, PortRules, Reject, Seen, Submit};
use serde::{Deserialize, Serialize};

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Find out whether the name may mine here, then call [`Session::authorized`].
    Authorize(Authorize),
    /// Judge the share, then call [`Session::answer`].
    Submit(Submit),
    /// A share was refused here and has been answered: count it. The worker's name is empty when
    /// it is not an authorised one.
    Rejected(String, Reject),
    /// Make a fresh [`JobId`] of the present work and [`Session::offer`] it; clean when
    /// [`Session::needs_clean`].
    SendWork,
    /// A line that no honest miner sends: counts towards a ban.
    BadLine,
    /// Close, after what stands in `out` is sent. Why, for the log.
    Close(&'static str),
}

/// A name that wants to mine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    /// The request's id as raw JSON; empty when there must be no answer.
    pub id: String,
    /// The name: trimmed, 1 to 255 bytes, no control characters.
    pub name: String,
    /// The password, for options such as `d=1000`. Never logged.
    pub password: String,
}

/// One miner's conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    extranonce1: [u8; 4],
    difficulty: Difficulty,
    version_mask: u32,
    names: Vec<String>,
    agent: String,
    subscribed: bool,
    seen: Seen,
}

impl Session {
    /// A newcomer's session.
    #[must_use]
    pub fn new(extranonce1: [u8; 4], rules: &PortRules, now: u64) -> Self {
        let _ = now;
        Self {
            extranonce1,
            difficulty: rules.newcomer(),
            version_mask: 0,
            names: Vec::new(),
            agent: String::new(),
            subscribed: false,
            seen: Seen::default(),
        }
    }

    /// One line from the miner, without or with its line end.
    pub fn receive(
        &mut self,
        line: &[u8],
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let _ = (line, rules, now, out);
        Vec::new()
    }

    /// The verdict on an [`Action::Authorize`]; `Err` says why not, for the miner to read.
    pub fn authorized(
        &mut self,
        request: &Authorize,
        verdict: Result<(), String>,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let _ = (request, verdict, rules, now, out);
        Vec::new()
    }

    /// The difficulty that this worker did well with on an earlier connection
    /// ([`Session::good_difficulty`]). Call before [`Session::authorized`].
    pub fn remembered(&mut self, difficulty: Difficulty, rules: &PortRules) {
        let _ = (difficulty, rules);
    }

    /// Gives the miner a job: at most one `set_difficulty`, then the notify line. Binds the
    /// difficulty to the job. `clean` makes older jobs stale and forgets their shares. An id that
    /// this session has already had is only repeated.
    pub fn offer(
        &mut self,
        id: JobId,
        notify: &[u8],
        clean: bool,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) {
        let _ = (id, notify, clean, rules, now, out);
    }

    /// Whether the next job must be offered clean: the first one, and after a new extranonce1.
    #[must_use]
    pub fn needs_clean(&self) -> bool {
        true
    }

    /// What a share of the job must reach; `None` when this session never had the job, or so
    /// long ago that it is forgotten.
    #[must_use]
    pub fn difficulty_of(&self, job: JobId) -> Option<Difficulty> {
        let _ = job;
        None
    }

    /// Whether the job was given to this session, but for an older tip.
    #[must_use]
    pub fn is_stale(&self, job: JobId) -> bool {
        let _ = job;
        false
    }

    /// The shares had on this tip.
    pub fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    /// Answers a judged share, and lets vardiff see it.
    pub fn answer(
        &mut self,
        submit: &Submit,
        result: Result<(), Reject>,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let _ = (submit, result, rules, now, out);
        Vec::new()
    }

    /// Call about once a second: silence, `connectionTimeout`, deadlines of the handshake.
    pub fn tick(&mut self, rules: &PortRules, now: u64, out: &mut Vec<u8>) -> Vec<Action> {
        let _ = (rules, now, out);
        Vec::new()
    }

    /// The port's rules changed.
    pub fn change_rules(&mut self, rules: &PortRules, now: u64) -> Vec<Action> {
        let _ = (rules, now);
        Vec::new()
    }

    /// Another extranonce1, told with the next job: [`Action::SendWork`] for a miner that
    /// understands it, [`Action::Close`] for one that does not. All its jobs become stale.
    pub fn set_extranonce1(&mut self, extranonce1: [u8; 4]) -> Vec<Action> {
        self.extranonce1 = extranonce1;
        Vec::new()
    }

    /// The pool's part of the extranonce.
    #[must_use]
    pub const fn extranonce1(&self) -> [u8; 4] {
        self.extranonce1
    }

    /// The version bits that this miner may roll.
    #[must_use]
    pub const fn version_mask(&self) -> u32 {
        self.version_mask
    }

    /// The difficulty that the next job will have.
    #[must_use]
    pub const fn difficulty(&self) -> Difficulty {
        self.difficulty
    }

    /// The last difficulty at which several shares came in, worth remembering for this worker's
    /// next connection.
    #[must_use]
    pub fn good_difficulty(&self) -> Option<Difficulty> {
        None
    }

    /// Whether work may be offered.
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        self.subscribed
    }

    /// The authorised names, oldest first.
    pub fn workers(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The miner's software as it named itself, at most 64 characters, no control characters.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// A text for the miner's operator (`client.show_message`).
    pub fn message(text: &str, out: &mut Vec<u8>) {
        let _ = (text, out);
    }

    /// Asks the miner to connect again after `wait_s` seconds; `None` is the same host.
    pub fn reconnect(host: Option<(&str, u16)>, wait_s: u32, out: &mut Vec<u8>) {
        let _ = (host, wait_s, out);
    }
}
