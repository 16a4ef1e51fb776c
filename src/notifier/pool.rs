//! What the master's status tells of: daemons, coins, processes, payments that wait. Pure.

use super::event::{Event, start};
use super::level::{Level, Turn};
use crate::config::EventKind;
use crate::stratum::shown;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Deaths within so many ms are one message.
const DEATHS_APART: u64 = 60_000;
/// How long (ms) payments may wait before that is told: a wallet that is busy for a moment is not
/// worth a message.
const PAYMENTS_WAIT: u64 = 60_000;

/// What was seen last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    /// Process id of the master; `None`: nothing was seen yet.
    master: Option<u64>,
    /// Deaths by place, as the master counts them.
    deaths: BTreeMap<String, u64>,
    /// Deaths that are still to be told, by role.
    untold: BTreeMap<String, u64>,
    /// When deaths were last told, unix ms.
    told: Option<u64>,
    /// `coin address` of daemons that are not well.
    daemons: BTreeMap<String, Level>,
    /// Coins that are not well.
    pools: BTreeMap<String, Level>,
    /// Coins whose payments wait.
    payments: BTreeMap<String, Level>,
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn objects<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    of.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

impl Known {
    /// What is to be told of a status at `now`, unix ms. `after` (ms): how long a daemon is down
    /// before it is told.
    pub(super) fn look(&mut self, status: &Value, now: u64, after: u64) -> Vec<Event> {
        let mut events = Vec::new();
        self.look_at_processes(status, now, &mut events);
        let coins: BTreeSet<&str> = objects(status, "coins").map(|(id, _)| id.as_str()).collect();
        let of_coin = |key: &str| coins.contains(key.split(' ').next().unwrap_or_default());
        self.daemons.retain(|key, _| of_coin(key));
        self.pools.retain(|key, _| of_coin(key));
        self.payments.retain(|key, _| of_coin(key));
        for (coin, of) in objects(status, "coins") {
            self.look_at_payments(coin, of, now, &mut events);
            // Nobody looks after the daemons, and what is said of them is old.
            if text(of, "state") == "unattended" {
                continue;
            }
            self.look_at_daemons(coin, of, now, after, &mut events);
            self.look_at_pool(coin, of, now, after, &mut events);
        }
        self.daemons.retain(|_, level| !level.is_well());
        self.pools.retain(|_, level| !level.is_well());
        self.payments.retain(|_, level| !level.is_well());
        events
    }

    fn look_at_processes(&mut self, status: &Value, now: u64, events: &mut Vec<Event>) {
        let master = status.get("pid").and_then(Value::as_u64);
        let mut deaths = BTreeMap::new();
        for child in list(status, "children") {
            let count = child.get("deaths").and_then(Value::as_u64).unwrap_or(0);
            let slot = child.get("slot").and_then(Value::as_u64).unwrap_or(0);
            let role = text(child, "role");
            let key = format!("{role} {slot}");
            // The first look tells nothing of the past; another master counts from zero.
            let before = match self.master {
                None => count,
                Some(pid) if Some(pid) != master => 0,
                Some(_) => self.deaths.get(&key).copied().unwrap_or(0),
            };
            if count > before {
                *self.untold.entry(role.to_owned()).or_default() += count - before;
            }
            deaths.insert(key, count);
        }
        (self.master, self.deaths) = (master, deaths);
        let due = self.told.is_none_or(|told| now.abs_diff(told) >= DEATHS_APART);
        if self.untold.is_empty() || !due {
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        self.told = Some(now);
        let sum: u64 = untold.values().sum();
        let name = |(role, count): (&String, &u64)| match count {
            1 => shown(role),
            count => format!("{} ({count} times)", shown(role)),
        };
        let names = untold.iter().map(name).collect::<Vec<_>>().join(", ");
        let words = match sum {
            1 => format!("a process has died and is started again: {names}. The log says why"),
            sum => format!(
                "{sum} processes have died and are started again: {names}. The log says why"
            ),
        };
        let event = Event::new(EventKind::ProcessDied, "", &now.to_string(), now, words);
        let processes: Map<String, Value> =
            untold.into_iter().map(|(role, count)| (role, count.into())).collect();
        events.push(event.with("processes", processes));
    }

    fn look_at_daemons(
        &mut self,
        coin: &str,
        of: &Value,
        now: u64,
        after: u64,
        events: &mut Vec<Event>,
    ) {
        for daemon in list(of, "daemons") {
            let address = text(daemon, "address");
            let fresh = daemon.get("fresh").and_then(Value::as_bool).unwrap_or(false);
            let level = self.daemons.entry(format!("{coin} {address}")).or_default();
            let Some(turn) = level.step(!fresh, now, after) else { continue };
            let (kind, since, words) = match turn {
                Turn::Bad(since) => {
                    let problem = match text(daemon, "problem") {
                        "" => "no answer yet".to_owned(),
                        problem => shown(problem),
                    };
                    let words = format!("daemon {} gives no work: {problem}", shown(address));
                    (EventKind::DaemonDown, since, words)
                }
                Turn::Well(since) => {
                    let words = format!("daemon {} gives work again", shown(address));
                    (EventKind::DaemonUp, since, words)
                }
            };
            let what = format!("{address}:{now}");
            let event = Event::new(kind, coin, &what, now, start(coin) + &words);
            events.push(event.with("daemon", address).with("since", since / 1000));
        }
    }

    fn look_at_pool(
        &mut self,
        coin: &str,
        of: &Value,
        now: u64,
        after: u64,
        events: &mut Vec<Event>,
    ) {
        let state = text(of, "state");
        let level = self.pools.entry(coin.to_owned()).or_default();
        let Some(turn) = level.step(state != "fresh", now, after) else { return };
        let (kind, since, words) = match turn {
            Turn::Bad(since) => {
                let why = match state {
                    "syncing" => "its daemon is downloading the chain",
                    "waiting" => "no daemon has answered yet",
                    _ => "no daemon can give work",
                };
                (EventKind::PoolDown, since, format!("it cannot be mined: {why}"))
            }
            Turn::Well(since) => (EventKind::PoolUp, since, "it is mined again".to_owned()),
        };
        let event = Event::new(kind, coin, &now.to_string(), now, start(coin) + &words);
        events.push(event.with("state", state).with("since", since / 1000));
    }

    fn look_at_payments(&mut self, coin: &str, of: &Value, now: u64, events: &mut Vec<Event>) {
        let waits = of.get("waits").map(|waits| text(waits, "payments")).unwrap_or_default();
        let level = self.payments.entry(coin.to_owned()).or_default();
        if let Some(Turn::Bad(since)) = level.step(!waits.is_empty(), now, PAYMENTS_WAIT) {
            let words = format!("{}payments wait, nothing is lost: {}", start(coin), shown(waits));
            let what = format!("wait:{now}");
            let event = Event::new(EventKind::PayoutHeld, coin, &what, now, words);
            events.push(event.with("reason", waits).with("since", since / 1000));
        }
    }
}

#[cfg(test)]
#[path = "pool/tests.rs"]
mod tests;
