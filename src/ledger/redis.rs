//! The tally in Redis: keys `romp:{coin}:…`, one script per batch.
//!
//! Every call has a deadline. After any error the connection is not used again: a late answer
//! would be read as that of the next call (redis-rs issue 1252).

mod backup;
mod claim;
mod renew;
mod settings;
mod words;

use super::batch::SLICES_KEPT;
use super::checkpoint::{Closed, Sums};
use super::{Applied, Batch, BlockRow, BlockState, Claim, Claimed, Minute, Overview, Round};
use super::{Tally, TallyError};
use crate::chain::Hash;
use crate::config;
use crate::rewards::Scheme;
use crate::stratum::{Reject, Unit, Weight};
use redis::{Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, Script};
use redis::{RedisError, Value};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use words::unavailable;

/// Deadline of connecting, and of each call.
const TIMEOUT: Duration = Duration::from_secs(5);
const APPLY: &str = include_str!("apply.lua");
const FORGET: &str = include_str!("forget.lua");
const TRIM: &str = include_str!("trim.lua");
/// A field of `positions` that is no stream: the key stays when all streams are forgotten, so that
/// its loss shows.
const BEGUN: &str = "-";

/// Keys in the order in which `apply.lua` has them; the closed round comes last.
const KEYS: [&str; 11] = [
    "meta",
    "positions",
    "rejected",
    "round",
    "blocks",
    "states",
    "answers",
    "order",
    "minutes",
    "shares",
    "slices",
];
/// What the key of a slice's work begins with; its number follows.
const SLICE: &str = "slice:";
const META: usize = 1;
const REJECTED: usize = 3;
const ROUND: usize = 4;
const MINUTES: usize = 9;
const SHARES: usize = 10;

/// A coin's keys on a Redis server.
pub(super) struct Redis {
    connection: Connection,
    prefix: String,
    place: String,
    apply: Script,
    forget: Script,
    trim: Script,
}

impl Redis {
    /// Connects.
    pub(super) fn open(settings: &config::Redis, coin: &str) -> Result<Self, TallyError> {
        Self::open_with(settings, coin, TIMEOUT)
    }

    /// Connects, with a deadline of connecting and of each call.
    pub(super) fn open_with(
        settings: &config::Redis,
        coin: &str,
        timeout: Duration,
    ) -> Result<Self, TallyError> {
        let unix = settings.host.starts_with('/');
        let (address, place) = if unix {
            (ConnectionAddr::Unix(settings.host.clone().into()), settings.host.clone())
        } else {
            let address = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
            (address, format!("{}:{}", settings.host, settings.port))
        };
        let place = format!("redis {place}");
        let mut login = RedisConnectionInfo::default()
            .set_db(i64::from(settings.database))
            .set_skip_set_lib_name();
        if let Some(password) = &settings.password {
            login = login.set_password(password.expose());
        }
        let opened = address
            .into_connection_info()
            .and_then(|info| redis::Client::open(info.set_redis_settings(login)))
            .and_then(|client| client.get_connection_with_timeout(timeout))
            .and_then(|connection| {
                connection.set_read_timeout(Some(timeout))?;
                connection.set_write_timeout(Some(timeout))?;
                Ok(connection)
            });
        let connection = opened.map_err(|error| unavailable(&place, &error))?;
        let prefix = format!("romp:{{{coin}}}:");
        let [apply, forget, trim] = [APPLY, FORGET, TRIM].map(Script::new);
        let mut tally = Self { connection, prefix, place, apply, forget, trim };
        tally.check_settings()?;
        Ok(tally)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn closed(&self, block: &Hash) -> String {
        format!("{}round:{block}", self.prefix)
    }

    fn slice(&self, n: u64) -> String {
        format!("{}{SLICE}{n}", self.prefix)
    }

    fn damaged(&self, words: String) -> TallyError {
        TallyError::Damaged { place: self.place.clone(), words }
    }

    fn call<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, TallyError> {
        command.query(&mut self.connection).map_err(|error| unavailable(&self.place, &error))
    }

    /// A hash of names to natural numbers.
    fn numbers(&self, key: &str, texts: HashMap<String, String>) -> Result<Numbers, TallyError> {
        let read = texts.into_iter().map(|(name, text)| match text.parse() {
            Ok(number) => Ok((name, number)),
            Err(_) => Err(self.damaged(format!(
                "field `{}` of key `{}` holds `{}`, not a number",
                name.escape_default(),
                self.key(key),
                text.escape_default()
            ))),
        });
        read.collect()
    }

    /// What the script said when it changed nothing.
    fn refused(&self, reply: &[String], batch: &Batch) -> TallyError {
        let word = |index: usize| {
            reply.get(index).map(|word| word.escape_default().to_string()).unwrap_or_default()
        };
        match word(0).as_str() {
            "unit" => TallyError::Unit {
                place: self.place.clone(),
                stored: word(1).parse().unwrap_or_default(),
                wanted: batch.unit.0,
            },
            "type" => {
                self.damaged(format!("key `{}` is a {}, not a {}", word(1), word(2), word(3)))
            }
            "number" => self.damaged(format!(
                "field `{}` of key `{}` holds `{}`, not a number",
                word(2),
                word(1),
                word(3)
            )),
            "overflow" => TallyError::Overflow {
                place: self.place.clone(),
                what: format!("field `{}` of key `{}`", word(2), word(1)),
            },
            "lost" => self.damaged(format!(
                "key `{}` is gone, but key `{}` is there: a part of the ledger was deleted",
                word(1),
                word(2)
            )),
            "exists" => self.damaged(format!(
                "key `{}` exists, but its block is not in `{}`",
                word(1),
                self.key("blocks")
            )),
            _ => self.damaged(format!("the script answered `{}`", reply.join(" "))),
        }
    }
}

type Numbers = BTreeMap<String, u64>;

impl Tally for Redis {
    fn unit(&mut self) -> Result<Option<Unit>, TallyError> {
        let command = redis::cmd("HGET").arg(self.key("meta")).arg("unit").clone();
        let text: Option<String> = self.call(&command)?;
        Ok(text.and_then(|text| text.parse().ok()).map(Unit))
    }

    fn renew(&mut self) -> Result<(), TallyError> {
        self.renew_log()
    }

    fn positions(&mut self) -> Result<Numbers, TallyError> {
        let command = redis::cmd("HGETALL").arg(self.key("positions")).clone();
        let texts = self.call(&command)?;
        let mut positions = self.numbers("positions", texts)?;
        positions.remove(BEGUN);
        Ok(positions)
    }

    fn apply(&mut self, batch: &Batch) -> Result<Applied, TallyError> {
        let closed = match &batch.cut {
            Some(block) => self.closed(&block.hash),
            None => self.key("round:none"),
        };
        let mut call = self.apply.prepare_invoke();
        for name in KEYS {
            call.key(format!("{}{name}", self.prefix));
        }
        call.key(closed);
        call.arg(self.key(SLICE))
            .arg(batch.unit.0)
            .arg(u8::from(batch.first))
            .arg(batch.moves.len());
        for (stream, (from, to)) in &batch.moves {
            call.arg(stream).arg(from).arg(to);
        }
        let accepted = usize::from(batch.accepted > 0);
        let sums = accepted + batch.rejected.len() + batch.credits.len() + 2 * batch.minutes.len();
        call.arg(sums);
        if batch.accepted > 0 {
            call.arg(META).arg("accepted").arg(batch.accepted);
        }
        for (reject, count) in &batch.rejected {
            call.arg(REJECTED).arg(reject.name()).arg(count);
        }
        for (worker, weight) in &batch.credits {
            call.arg(ROUND).arg(worker).arg(weight);
        }
        for (minute, work) in &batch.minutes {
            call.arg(MINUTES).arg(minute).arg(work.weight);
            call.arg(SHARES).arg(minute).arg(work.shares);
        }
        let size = batch.slice.unwrap_or(0);
        call.arg(size).arg(size.saturating_mul(SLICES_KEPT));
        call.arg(usize::from(batch.cut.is_some()));
        if let Some(block) = &batch.cut {
            let json = serde_json::to_string(block)
                .map_err(|error| self.damaged(format!("a block that is no JSON: {error}")))?;
            call.arg(block.hash.to_string()).arg(block.time).arg(json);
            let window = match block.scheme {
                Scheme::Pplns { window } => window,
                Scheme::Prop | Scheme::Solo => 0,
            };
            call.arg(block.scheme.name()).arg(window).arg(&block.worker);
        }
        call.arg(batch.outcomes.len());
        for outcome in &batch.outcomes {
            let state = BlockState::from(outcome.verdict);
            let answers = serde_json::to_string(&outcome.answers)
                .map_err(|error| self.damaged(format!("answers that are no JSON: {error}")))?;
            call.arg(outcome.hash.to_string()).arg(state.name()).arg(state as u8).arg(answers);
        }
        // On NOSCRIPT (a restarted server) the library sends the script itself and asks again.
        let reply: Vec<String> =
            call.invoke(&mut self.connection).map_err(|error| unavailable(&self.place, &error))?;
        match reply.split_first() {
            Some((word, _)) if word == "done" => Ok(Applied::Done),
            Some((word, rest)) if word == "moved" => {
                let texts = rest.as_chunks::<2>().0.iter().cloned();
                let texts = texts.map(|[stream, offset]| (stream, offset)).collect();
                self.numbers("positions", texts).map(Applied::Moved)
            }
            _ => Err(self.refused(&reply, batch)),
        }
    }

    fn forget(&mut self, instance: u16, streams: &[String]) -> Result<u64, TallyError> {
        let mut call = self.forget.prepare_invoke();
        call.key(self.key("meta")).key(self.key("positions"));
        call.arg(format!("deleted-{instance:04x}")).arg(BEGUN);
        for stream in streams {
            call.arg(stream);
        }
        let count: Option<u64> =
            call.invoke(&mut self.connection).map_err(|error| unavailable(&self.place, &error))?;
        count.ok_or_else(|| TallyError::Unavailable {
            place: self.place.clone(),
            words: "it was emptied just now".to_owned(),
        })
    }

    fn forgotten(&mut self, instance: u16) -> Result<u64, TallyError> {
        let field = format!("deleted-{instance:04x}");
        let command = redis::cmd("HGET").arg(self.key("meta")).arg(field).clone();
        Ok(self.call::<Option<u64>>(&command)?.unwrap_or(0))
    }

    fn trim(&mut self, oldest_minute: u64) -> Result<(), TallyError> {
        let mut call = self.trim.prepare_invoke();
        for name in ["minutes", "shares", "order", "blocks", "states", "answers"] {
            call.key(format!("{}{name}", self.prefix));
        }
        call.arg(oldest_minute).arg(super::REDIS_BLOCKS_KEPT).arg(self.key("round:"));
        call.invoke::<Value>(&mut self.connection)
            .map(drop)
            .map_err(|error| unavailable(&self.place, &error))?;
        self.check_settings()
    }

    fn overview(&mut self, blocks: u32) -> Result<Overview, TallyError> {
        type Texts = HashMap<String, String>;
        let newest = i64::from(blocks.max(1)) - 1;
        type Sums = (Texts, Texts, Texts, Vec<String>, Texts, Texts);
        let read: Result<Sums, RedisError> = redis::pipe()
            .atomic()
            .hgetall(self.key("meta"))
            .hgetall(self.key("rejected"))
            .hgetall(self.key("round"))
            .zrevrange(self.key("order"), 0, isize::try_from(newest).unwrap_or(isize::MAX))
            .hgetall(self.key("minutes"))
            .hgetall(self.key("shares"))
            .query(&mut self.connection);
        let (meta, rejected, round, order, minutes, shares) =
            read.map_err(|error| unavailable(&self.place, &error))?;
        let mut rows = Vec::new();
        if !order.is_empty() {
            type Column = Vec<Option<String>>;
            let (found, states, answers): (Column, Column, Column) = redis::pipe()
                .atomic()
                .cmd("HMGET")
                .arg(self.key("blocks"))
                .arg(&order)
                .cmd("HMGET")
                .arg(self.key("states"))
                .arg(&order)
                .cmd("HMGET")
                .arg(self.key("answers"))
                .arg(&order)
                .query(&mut self.connection)
                .map_err(|error| unavailable(&self.place, &error))?;
            for ((found, state), answers) in found.into_iter().zip(states).zip(answers) {
                let Some(found) = found else { continue };
                let json = |error| self.damaged(format!("a block cannot be read: {error}"));
                rows.push(BlockRow {
                    found: serde_json::from_str(&found).map_err(json)?,
                    state: state.map_or(BlockState::Found, |name| BlockState::from_name(&name)),
                    answers: serde_json::from_str(answers.as_deref().unwrap_or("[]"))
                        .map_err(json)?,
                });
            }
        }
        let number = |name: &str| meta.get(name).and_then(|text| text.parse::<u64>().ok());
        let counts = self.numbers("rejected", rejected)?;
        let shares = self.numbers("shares", shares)?;
        let minutes = self.numbers("minutes", minutes)?;
        let minutes = minutes.into_iter().filter_map(|(minute, weight)| {
            let shares = shares.get(&minute).copied().unwrap_or(0);
            Some((minute.parse().ok()?, Minute { weight, shares }))
        });
        Ok(Overview {
            unit: meta.get("unit").and_then(|text| text.parse().ok()).map(Unit),
            accepted: number("accepted").unwrap_or(0),
            rejected: Reject::ALL
                .into_iter()
                .filter_map(|reject| Some((reject, *counts.get(reject.name())?)))
                .collect(),
            round: Round {
                height: rows.first().map(|row| row.found.height.saturating_add(1)),
                started: number("round_started"),
                miners: self.numbers("round", round)?,
            },
            blocks_found: number("blocks").unwrap_or(0),
            blocks: rows.into_iter().take(blocks as usize).collect(),
            minutes: minutes.collect(),
        })
    }

    fn round(&mut self, block: &Hash) -> Result<BTreeMap<String, Weight>, TallyError> {
        let key = self.closed(block);
        let texts = self.call(redis::cmd("HGETALL").arg(key))?;
        self.numbers(&format!("round:{block}"), texts)
    }

    fn sums(&mut self) -> Result<Sums, TallyError> {
        self.read_sums()
    }

    fn restore(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError> {
        self.fill(sums, rounds)
    }

    fn claim(&mut self, claim: Claim) -> Result<Claimed, TallyError> {
        self.make_claim(claim)
    }

    fn claimed(&mut self) -> Result<Option<Claim>, TallyError> {
        self.stored_claim()
    }
}
