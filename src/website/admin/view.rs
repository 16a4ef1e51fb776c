//! What the Admin Center shows: everything is text already.

use super::super::text::{ago, amount, duration, shown};
use super::Whole;
use super::pages::lines;
use crate::config::Config;
use crate::ledger::book::{Book, BookError, PayoutState};
use serde_json::Value;

/// Rows of a list that one page shows.
const ROWS: usize = 200;

/// What came of the last reload.
pub(super) struct Reload {
    pub(super) done: bool,
    pub(super) outcome: String,
    pub(super) words: String,
}

/// A process.
pub(super) struct Child {
    pub(super) role: String,
    pub(super) slot: String,
    pub(super) pid: String,
    pub(super) state: String,
    pub(super) generation: String,
    pub(super) up: String,
    pub(super) restarts: String,
    pub(super) miners: String,
    pub(super) accepted: String,
    pub(super) rejected: String,
}

/// A coin.
pub(super) struct Coin {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) ports: String,
    pub(super) waits: Vec<String>,
    pub(super) daemons: Vec<Daemon>,
    pub(super) book: Option<Waiting>,
}

/// A daemon.
pub(super) struct Daemon {
    pub(super) address: String,
    pub(super) state: &'static str,
    pub(super) height: String,
    pub(super) latency: String,
}

/// What is on hold in a coin's book.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(super) struct Waiting {
    pub(super) trouble: Option<String>,
    pub(super) held: Vec<Held>,
    pub(super) waiting: Vec<Payout>,
    pub(super) more: usize,
}

/// An account that is set aside.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) amount: String,
    pub(super) why: String,
}

/// A payout that waits.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Payout {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) time: String,
    pub(super) why: String,
}

/// A ban.
pub(super) struct Ban {
    pub(super) network: String,
    pub(super) left: String,
    pub(super) offences: String,
    pub(super) reason: String,
}

fn text(of: &Value, key: &str) -> String {
    match of.get(key) {
        Some(Value::String(text)) => shown(text),
        None | Some(Value::Null) => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn number(of: &Value, key: &str) -> Option<u64> {
    of.get(key).and_then(Value::as_u64)
}

/// Facts about the server.
pub(super) fn facts(status: &Value) -> Vec<(&'static str, String)> {
    let refused = status.get("refused").and_then(Value::as_object).into_iter().flatten();
    let refused: Vec<_> = refused.map(|(cause, count)| format!("{cause} {count}")).collect();
    vec![
        ("Version", text(status, "version")),
        ("Pid", text(status, "pid")),
        ("Configuration", text(status, "generation")),
        ("Up", duration(number(status, "uptime_seconds").unwrap_or(0))),
        ("Bans", text(status, "bans")),
        ("Wrong notice passwords", text(status, "wrong_passwords")),
        ("Refused connections", if refused.is_empty() { "0".into() } else { refused.join(", ") }),
    ]
}

/// What came of the last reload, if there was one.
pub(super) fn reload(status: &Value, now: u64) -> Option<Reload> {
    let last = status.get("reloaded")?;
    let at = number(last, "at").filter(|at| *at > 0)?;
    let done = last.get("done").and_then(Value::as_bool) == Some(true);
    let words: Vec<_> = list(last, "words").filter_map(Value::as_str).collect();
    let when = ago(at, now);
    Some(Reload {
        done,
        outcome: match done {
            true => format!("Configuration {} is in use, {when}.", text(status, "generation")),
            false => format!("The configuration was not changed, {when}."),
        },
        words: lines(&words.join("\n")),
    })
}

/// The fleet.
pub(super) fn children(status: &Value) -> Vec<Child> {
    let one = |child: &Value| Child {
        role: text(child, "role"),
        slot: text(child, "slot"),
        pid: text(child, "pid"),
        state: text(child, "state"),
        generation: text(child, "generation"),
        up: number(child, "uptime_seconds").map_or_else(|| "-".to_owned(), duration),
        restarts: text(child, "restarts"),
        miners: text(child, "miners"),
        accepted: text(child, "accepted"),
        rejected: text(child, "rejected"),
    };
    list(status, "children").map(one).collect()
}

/// Every coin.
pub(super) fn coins(whole: &Whole, config: &Config) -> Vec<Coin> {
    let none = Value::Null;
    let coins = config.pools.iter().map(|(id, pool)| {
        let status = whole.status.get("coins").and_then(|coins| coins.get(id)).unwrap_or(&none);
        let ports: Vec<_> = pool.ports.keys().map(u16::to_string).collect();
        let waits = status.get("waits").and_then(Value::as_object).into_iter().flatten();
        let waits = waits
            .map(|(part, words)| format!("{part}: {}", shown(words.as_str().unwrap_or_default())));
        Coin {
            id: id.clone(),
            state: text(status, "state"),
            ports: ports.join(", "),
            waits: waits.collect(),
            daemons: list(status, "daemons").map(daemon).collect(),
            book: whole.books.get(id).cloned(),
        }
    });
    coins.collect()
}

fn daemon(daemon: &Value) -> Daemon {
    let yes = |key| daemon.get(key).and_then(Value::as_bool) == Some(true);
    Daemon {
        address: text(daemon, "address"),
        state: match (yes("fresh"), yes("chosen")) {
            (true, true) => "in use",
            (true, false) => "ready",
            _ => "not usable",
        },
        height: text(daemon, "height"),
        latency: number(daemon, "latency").map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
    }
}

/// The first bans, and how many more there are.
pub(super) fn bans(answer: &Value, now: u64) -> (Vec<Ban>, usize) {
    let one = |ban: &Value| Ban {
        network: text(ban, "network"),
        left: match number(ban, "until") {
            Some(until) => duration(until.saturating_sub(now) / 1000),
            None => "until lifted".to_owned(),
        },
        offences: text(ban, "offences"),
        reason: text(ban, "reason"),
    };
    let all = list(answer, "bans").count();
    (list(answer, "bans").take(ROWS).map(one).collect(), all.saturating_sub(ROWS))
}

/// What is on hold in a coin's book. Reads a file.
pub(super) fn waiting(config: &Config, coin: &str, symbol: &str, now: u64) -> Waiting {
    let read = || -> Result<Waiting, BookError> {
        let Some(book) = Book::open_for_reading(&config.data_dir, coin)? else {
            return Ok(Waiting::default());
        };
        let mut found = Waiting::default();
        for held in book.held()? {
            found.held.push(Held {
                name: shown(&held.name),
                amount: format!("{} {symbol}", amount(held.balance)),
                why: shown(&held.reason),
            });
        }
        for payout in book.payouts(&PayoutState::OPEN)? {
            found.waiting.push(Payout {
                name: payout.txid.to_string(),
                state: payout.state.name(),
                time: ago(payout.time, now),
                why: shown(&payout.words),
            });
        }
        for intent in book.intents()?.into_iter().filter(|intent| intent.is_open) {
            found.waiting.push(Payout {
                name: shown(&intent.mark),
                state: "asked for",
                time: ago(intent.time, now),
                why: shown(&intent.words),
            });
        }
        let rows = found.held.len() + found.waiting.len();
        found.held.truncate(ROWS);
        found.waiting.truncate(ROWS);
        found.more = rows - found.held.len() - found.waiting.len();
        Ok(found)
    };
    read().unwrap_or_else(|error| {
        let trouble = Some(format!("The book cannot be read: {error}"));
        Waiting { trouble, ..Waiting::default() }
    })
}
