//! One miner's conversation, as plain data that can be handed to another process.

use super::issued::IssuedJobs;
use super::request::{self, Line, Param, Request};
use super::vardiff::VarDiff;
use super::{Bucket, Cause, Difficulty, PortRules, Reject, Seen, Start, Submit, reply};
use crate::chain::hex_encode;
use serde::{Deserialize, Serialize};

/// Subscriptions of one connection: cgminer tries again after an error.
const SUBSCRIPTIONS: u8 = 4;
/// Characters of the miner's software name that are kept.
const AGENT_CHARS: usize = 64;

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
    /// Make a fresh [`super::JobId`] of the present work and [`Session::offer`] it; clean when
    /// [`Session::needs_clean`].
    SendWork,
    /// A line that no honest miner sends: counts towards a ban.
    BadLine,
    /// Close, after what stands in `out` is sent. Why, for the log.
    Close(Cause),
}

/// A name that wants to mine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub(super) extranonce1: [u8; 4],
    pub(super) extranonce2_size: u8,
    pub(super) subscriptions: u8,
    /// Understands `mining.set_extranonce`.
    pub(super) knows_extranonce: bool,
    /// An extranonce that the miner has yet to be told.
    pub(super) tell_extranonce: bool,
    pub(super) agent: String,
    pub(super) names: Vec<String>,
    /// Names being checked.
    pub(super) pending: u8,
    /// Names refused.
    pub(super) refused: u8,
    /// Version bits that the miner would roll; 0 before it asked.
    pub(super) wanted_mask: u32,
    /// Version bits that it may roll.
    pub(super) version_mask: u32,
    /// A mask that the miner has yet to be told.
    pub(super) tell_mask: bool,
    /// Of the next job.
    pub(super) difficulty: Difficulty,
    /// What the miner was told last.
    pub(super) told: Option<Difficulty>,
    /// The miner's own lower bound (`minimum-difficulty`).
    pub(super) minimum: Option<Difficulty>,
    /// `d=` of a password.
    pub(super) asked: Option<Difficulty>,
    /// The last suggestion that took effect, and when.
    pub(super) suggested: Option<(Difficulty, u64)>,
    /// From an earlier connection.
    pub(super) remembered: Option<Start>,
    pub(super) jobs: IssuedJobs,
    pub(super) needs_clean: bool,
    pub(super) seen: Seen,
    pub(super) vardiff: VarDiff,
    pub(super) bad_in_row: u8,
    pub(super) connected: u64,
    /// When a share last came that was work, were it late; first, when it was authorised.
    pub(super) last_share: u64,
    pub(super) requests: Bucket,
    pub(super) authorizes: Bucket,
    pub(super) submits: Bucket,
    pub(super) refused_shares: Bucket,
}

/// Answers what has no sense as the method's parameters.
pub(super) fn bad_params(id: &str, out: &mut Vec<u8>) -> Vec<Action> {
    reply::error(out, id, 20, "Bad params");
    vec![Action::BadLine]
}

impl Session {
    /// A newcomer's session.
    #[must_use]
    pub fn new(extranonce1: [u8; 4], rules: &PortRules, now: u64) -> Self {
        Self {
            extranonce1,
            extranonce2_size: rules.extranonce2_size,
            subscriptions: 0,
            knows_extranonce: false,
            tell_extranonce: false,
            agent: String::new(),
            names: Vec::new(),
            pending: 0,
            refused: 0,
            wanted_mask: 0,
            version_mask: 0,
            tell_mask: false,
            difficulty: rules.newcomer(),
            told: None,
            minimum: None,
            asked: None,
            suggested: None,
            remembered: None,
            jobs: IssuedJobs::default(),
            needs_clean: true,
            seen: Seen::default(),
            vardiff: VarDiff::default(),
            bad_in_row: 0,
            connected: now,
            last_share: now,
            requests: Bucket::new(now),
            authorizes: Bucket::new(now),
            submits: Bucket::new(now),
            refused_shares: Bucket::new(now),
        }
    }

    /// One line from the miner, with or without its line end.
    pub fn receive(
        &mut self,
        line: &[u8],
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        if let Some(action) = super::foreign::line(line, out) {
            return vec![action];
        }
        let request = match request::parse(line) {
            Line::Empty => {
                // Allowed as often as shares, so that a flood of line ends is one, too.
                let allowed = self.submits.take(rules.limits.submits, now);
                return if allowed { Vec::new() } else { vec![Action::Close(Cause::RequestRate)] };
            }
            Line::Malformed => return self.bad_line(rules),
            Line::NoMethod(id) => {
                reply::error(out, id, 20, "No method");
                return self.bad_line(rules);
            }
            Line::Answer => None,
            Line::Request(request) => Some(request),
        };
        self.bad_in_row = 0;
        let method = request.as_ref().map(|request| &*request.method);
        if let Some(flood) = self.flood(method, rules, now) {
            return flood;
        }
        request.map_or_else(Vec::new, |request| self.request(request, rules, now, out))
    }

    fn request(
        &mut self,
        mut request: Request<'_>,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        if let Some(action) = super::foreign::method(&request, out) {
            return vec![action];
        }
        let Some(params) = request.params.take() else {
            return bad_params(request.id, out);
        };
        let id = request.id;
        match &*request.method {
            "mining.submit" => {
                let action = self.submit(&request, &params, out);
                let refused = matches!(action, Action::Rejected(..));
                let close = refused.then(|| self.refused_share(rules, now)).flatten();
                return std::iter::once(action).chain(close).collect();
            }
            "mining.subscribe" => return self.subscribe(id, &params, rules, out),
            "mining.authorize" => return self.authorize(&request, &params, rules, out),
            "mining.configure" => return self.configure(&request, &params, rules, out),
            "mining.suggest_target" => {
                return self.suggest_target(&request, &params, rules, now, out);
            }
            method if method.split('(').next() == Some("mining.suggest_difficulty") => {
                return self.suggest_difficulty(&request, &params, rules, now, out);
            }
            "mining.extranonce.subscribe" => {
                self.knows_extranonce = true;
                reply::result(out, id, "true");
            }
            // Meant for miners, but proxies ask too.
            "client.get_version" => {
                reply::result(out, id, concat!("\"romp/", env!("CARGO_PKG_VERSION"), "\""));
            }
            "mining.ping" => reply::result(out, id, "\"pong\""),
            "mining.get_transactions" => reply::result(out, id, "[]"),
            // Any answer will do; the rolling itself is a matter of mining.configure.
            "mining.multi_version" => reply::result(out, id, "true"),
            _ => reply::error(out, id, 20, "Unknown method"),
        }
        Vec::new()
    }

    /// `mining.subscribe`. Session ids, hosts and ports that miners add are passed over: nothing
    /// is resumed, and the reply is the first that a miner hears.
    fn subscribe(
        &mut self,
        id: &str,
        params: &[Param<'_>],
        rules: &PortRules,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        if self.subscriptions >= SUBSCRIPTIONS {
            reply::error(out, id, 20, "Subscribed too often");
            return vec![Action::BadLine];
        }
        self.subscriptions += 1;
        if let Some(agent) = params.first().and_then(Param::text) {
            let printable = agent.chars().filter(|character| !character.is_control());
            self.agent = printable.take(AGENT_CHARS).collect();
        }
        self.extranonce2_size = rules.extranonce2_size;
        self.tell_extranonce = false;
        self.told = None;
        self.needs_clean = true;
        let extranonce1 = hex_encode(&self.extranonce1);
        let size = self.extranonce2_size;
        let result = format!(
            "[[[\"mining.set_difficulty\",\"{extranonce1}01\"],\
             [\"mining.notify\",\"{extranonce1}02\"]],\"{extranonce1}\",{size}]"
        );
        reply::result(out, id, &result);
        vec![Action::SendWork]
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
        match result {
            Ok(()) => reply::result(out, &submit.id, "true"),
            Err(reject) => reply::reject(out, &submit.id, reject),
        }
        // Not the miner's doing: a disk of ours, or a difficulty that is too low for it.
        let ours = matches!(result, Ok(()) | Err(Reject::Storage | Reject::TooMany));
        if !ours && let Some(close) = self.refused_share(rules, now) {
            return vec![close];
        }
        // Late work is work all the same; anything else says nothing about the miner's rate.
        if !ours && result != Err(Reject::Stale) {
            return Vec::new();
        }
        self.last_share = now;
        let counts = result.is_ok() && self.difficulty_of(submit.job) == Some(self.difficulty);
        let Some(var_diff) = self.var_diff(rules) else { return Vec::new() };
        match self.vardiff.share(counts, self.difficulty, &var_diff, now) {
            Some(difficulty) => self.change(difficulty),
            None => Vec::new(),
        }
    }

    /// Call about once a second: silence, `connectionTimeout`, deadlines of the handshake.
    pub fn tick(&mut self, rules: &PortRules, now: u64, out: &mut Vec<u8>) -> Vec<Action> {
        // Nothing is said of itself; a keep-alive is the shell's next job.
        let _ = out;
        let connected = now.saturating_sub(self.connected);
        if !self.is_subscribed() && connected >= rules.limits.subscribe_ms {
            return vec![Action::Close(Cause::NotSubscribed)];
        }
        if self.names.is_empty() {
            let late = connected >= rules.limits.authorize_ms;
            return if late { vec![Action::Close(Cause::NotAuthorized)] } else { Vec::new() };
        }
        let idle = now.saturating_sub(self.last_share);
        if rules.connection_timeout_ms > 0 && idle >= rules.connection_timeout_ms {
            return vec![Action::Close(Cause::Idle)];
        }
        let Some(var_diff) = self.var_diff(rules) else { return Vec::new() };
        match self.vardiff.tick(self.difficulty, &var_diff, now) {
            Some(difficulty) => self.change(difficulty),
            None => Vec::new(),
        }
    }

    /// Fresh work, if there is somebody to work.
    pub(super) fn work(&self) -> Vec<Action> {
        if self.is_subscribed() { vec![Action::SendWork] } else { Vec::new() }
    }

    fn bad_line(&mut self, rules: &PortRules) -> Vec<Action> {
        self.bad_in_row = self.bad_in_row.saturating_add(1);
        if self.bad_in_row < rules.limits.bad_lines {
            return vec![Action::BadLine];
        }
        vec![Action::BadLine, Action::Close(Cause::BadLines)]
    }

    /// Counts a request by its method; too many of a kind end the connection.
    fn flood(&mut self, method: Option<&str>, rules: &PortRules, now: u64) -> Option<Vec<Action>> {
        let limits = &rules.limits;
        let is_authorize = method == Some("mining.authorize");
        if method == Some("mining.submit") {
            let allowed = self.submits.take(limits.submits, now);
            (!allowed).then(|| vec![Action::Close(Cause::SubmitRate)])
        } else if !self.requests.take(limits.requests, now)
            || is_authorize && !self.authorizes.take(limits.authorizes, now)
        {
            Some(vec![Action::BadLine, Action::Close(Cause::RequestRate)])
        } else {
            None
        }
    }

    /// Counts a refused share. A flood of them costs the connection, also of late work, which
    /// never counts towards a ban.
    fn refused_share(&mut self, rules: &PortRules, now: u64) -> Option<Action> {
        let allowed = self.refused_shares.take(rules.limits.refused, now);
        (!allowed).then_some(Action::Close(Cause::RefusedRate))
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

    /// Milliseconds since the connection was made.
    #[must_use]
    pub const fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.connected)
    }

    /// Whether work may be offered.
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        self.subscriptions > 0
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

    /// A text for the miner's operator (`client.show_message`); ESP-Miner shows 256 bytes.
    pub fn message(text: &str, out: &mut Vec<u8>) {
        reply::notification(out, "client.show_message", &reply::quoted(text));
    }

    /// Asks the miner to connect again (`client.reconnect`): to another host after `wait_s`
    /// seconds, or to the same one at once, for which the parameters are empty.
    pub fn reconnect(host: Option<(&str, u16)>, wait_s: u32, out: &mut Vec<u8>) {
        let params = host.map(|(host, port)| format!("{},{port},{wait_s}", reply::quoted(host)));
        reply::notification(out, "client.reconnect", &params.unwrap_or_default());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
