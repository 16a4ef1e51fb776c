//! The miner's side of a stratum connection: lines in, events out. Pure.

use super::job::{Extranonce, Job, target};
use crate::chain::Target;
use crate::pow::Algorithm;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// What a line from the pool leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// Send this line (without line end).
    Send(String),
    /// The pool knows us.
    Authorized,
    /// Hash this from now on.
    Job(Arc<Job>),
    /// A share was accepted.
    Accepted,
    /// A share was rejected, and why.
    Rejected(String),
    /// Words for the user.
    Say(String),
    /// The connection is of no use.
    Hopeless(String),
    /// Connect again, to another port of the same host if one is named.
    Reconnect {
        /// The port.
        port: Option<u16>,
        /// Seconds to wait before, at most 60.
        wait: u64,
    },
}

const SUBSCRIBE: u64 = 1;
const AUTHORIZE: u64 = 2;
const EXTRANONCE: u64 = 3;
const FIRST_SUBMIT: u64 = 10;
/// What we call ourselves.
const AGENT: &str = concat!("romp-miner/", env!("CARGO_PKG_VERSION"));

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    algorithm: Algorithm,
    host: String,
    user: String,
    password: String,
    extranonce: Option<Extranonce>,
    /// Difficulty for the next job.
    difficulty: f64,
    target: Target,
    current: Option<Arc<Job>>,
    /// The extranonce changed: the next job makes older ones worthless.
    renewed: bool,
    /// Jobs before this one are worth nothing.
    live_from: u64,
    next_sequence: u64,
    next_id: u64,
    unanswered: HashSet<u64>,
}

impl Client {
    /// A new connection to `host`. `first_sequence`: above all jobs of earlier connections.
    pub(super) fn new(
        algorithm: Algorithm,
        (host, user, password): (&str, &str, &str),
        first_sequence: u64,
    ) -> Self {
        Self {
            algorithm,
            host: host.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            extranonce: None,
            difficulty: 1.0,
            target: target(1.0, algorithm),
            current: None,
            renewed: false,
            live_from: first_sequence,
            next_sequence: first_sequence,
            next_id: FIRST_SUBMIT,
            unanswered: HashSet::new(),
        }
    }

    /// The first line to send.
    pub(super) fn hello() -> String {
        request(SUBSCRIBE, "mining.subscribe", &json!([AGENT]))
    }

    /// Difficulty that the pool asked for last.
    pub(super) fn difficulty(&self) -> f64 {
        self.difficulty
    }

    /// Sequence for the first job of the next connection.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Submitted shares without an answer.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// The line that submits a share; `None` when its job is worth nothing any more.
    pub(super) fn submit(&mut self, job: &Job, extranonce2: &[u8], nonce: u32) -> Option<String> {
        // With the extranonce just changed the pool may already check against the new one.
        if job.sequence < self.live_from || self.renewed {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.unanswered.insert(id);
        let (extranonce2, time) = (crate::chain::hex_encode(extranonce2), job.time);
        let params =
            json!([self.user, job.id, extranonce2, format!("{time:08x}"), format!("{nonce:08x}")]);
        Some(request(id, "mining.submit", &params))
    }

    /// Takes one line of the pool.
    pub(super) fn receive(&mut self, line: &str) -> Vec<Event> {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return vec![Event::Hopeless("the pool sent a line that is not JSON".to_owned())];
        };
        let id = message.get("id").unwrap_or(&Value::Null);
        let params = message.get("params").unwrap_or(&Value::Null);
        match message.get("method").and_then(Value::as_str) {
            Some(method) => self.called(method, id, params),
            None => id.as_u64().map_or_else(Vec::new, |id| self.answered(id, &message)),
        }
    }

    /// A request or notification of the pool.
    fn called(&mut self, method: &str, id: &Value, params: &Value) -> Vec<Event> {
        let first = params.get(0);
        match method {
            "mining.notify" => self.notified(params),
            "mining.set_difficulty" => match first.and_then(Value::as_f64) {
                Some(difficulty) if difficulty.is_normal() && difficulty > 0.0 => {
                    self.difficulty = difficulty;
                    self.target = target(difficulty, self.algorithm);
                    Vec::new()
                }
                _ => vec![Event::Say(format!("the pool sent a strange difficulty: {params}"))],
            },
            "mining.set_extranonce" => {
                let size = params.get(1).and_then(Value::as_u64);
                let old = self.extranonce.as_ref().map(|old| old.second_size as u64);
                let first = first.and_then(Value::as_str);
                match first.zip(size.or(old)).and_then(|(hex, size)| Extranonce::new(hex, size)) {
                    Some(extranonce) => {
                        self.renewed |= self.extranonce.as_ref() != Some(&extranonce);
                        self.extranonce = Some(extranonce);
                        Vec::new()
                    }
                    None => vec![Event::Hopeless(format!("unusable extranonce: {params}"))],
                }
            }
            "client.reconnect" => vec![self.asked_to_reconnect(params)],
            "client.show_message" => {
                let text = first.and_then(Value::as_str).unwrap_or_default();
                let text = text.chars().filter(|char| !char.is_control()).take(256);
                vec![Event::Say(format!("message of the pool: {}", text.collect::<String>()))]
            }
            // Notifications get no answer.
            _ if id.is_null() => Vec::new(),
            "mining.ping" => vec![reply(id, &json!("pong"))],
            "client.get_version" => vec![reply(id, &json!(AGENT))],
            _ => {
                let error = json!([20, "Not supported.", null]);
                vec![Event::Send(json!({"id": id, "result": null, "error": error}).to_string())]
            }
        }
    }

    fn notified(&mut self, params: &Value) -> Vec<Event> {
        let Some(extranonce) = self.extranonce.clone() else {
            return vec![Event::Hopeless("a job came before the answer to subscribe".to_owned())];
        };
        let Some(mut job) = Job::parse(params, self.next_sequence, extranonce, self.target) else {
            return vec![Event::Say("the pool sent a job that is not understood".to_owned())];
        };
        self.next_sequence += 1;
        let moved = self.current.as_ref().is_some_and(|old| old.previous != job.previous);
        job.clean |= moved || self.renewed;
        self.renewed = false;
        if job.clean {
            self.live_from = job.sequence;
        }
        let job = Arc::new(job);
        self.current = Some(Arc::clone(&job));
        vec![Event::Job(job)]
    }

    /// A pool may send us away only within its own host: anyone on the line could send this.
    fn asked_to_reconnect(&self, params: &Value) -> Event {
        let host = params.get(0).and_then(Value::as_str).unwrap_or_default();
        if !host.is_empty() && !host.eq_ignore_ascii_case(&self.host) {
            return Event::Say("ignored the pool's request to connect to another host".to_owned());
        }
        let number = |index: usize| match params.get(index)? {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let port = number(1).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
        Event::Reconnect { port, wait: number(2).unwrap_or(0).min(60) }
    }

    /// An answer to one of our requests.
    fn answered(&mut self, id: u64, message: &Value) -> Vec<Event> {
        let result = message.get("result").unwrap_or(&Value::Null);
        let yes = *result == true;
        match id {
            SUBSCRIBE => self.subscribed(result, message),
            AUTHORIZE if yes => vec![
                Event::Authorized,
                Event::Send(request(EXTRANONCE, "mining.extranonce.subscribe", &json!([]))),
            ],
            AUTHORIZE => vec![Event::Hopeless(format!("the pool refuses us: {}", why(message)))],
            _ if !self.unanswered.remove(&id) => Vec::new(),
            _ if yes => vec![Event::Accepted],
            _ => vec![Event::Rejected(why(message))],
        }
    }

    fn subscribed(&mut self, result: &Value, message: &Value) -> Vec<Event> {
        let first = result.get(1).and_then(Value::as_str);
        let size = result.get(2).and_then(Value::as_u64);
        match first.zip(size).and_then(|(first, size)| Extranonce::new(first, size)) {
            Some(extranonce) => {
                self.extranonce = Some(extranonce);
                let names = json!([self.user, self.password]);
                vec![Event::Send(request(AUTHORIZE, "mining.authorize", &names))]
            }
            None => vec![Event::Hopeless(format!(
                "the pool does not let us subscribe, or with an unusable extranonce: {}",
                why(message)
            ))],
        }
    }
}

fn request(id: u64, method: &str, params: &Value) -> String {
    json!({"id": id, "method": method, "params": params}).to_string()
}

fn reply(id: &Value, result: &Value) -> Event {
    Event::Send(json!({"id": id, "result": result, "error": null}).to_string())
}

/// The words of an error reply, whether array, object or text; printable and short.
fn why(message: &Value) -> String {
    let error = message.get("error").unwrap_or(&Value::Null);
    let words = error.get(1).or_else(|| error.get("message")).unwrap_or(error);
    let text = match words {
        Value::Null => "no reason given".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().filter(|char| !char.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
