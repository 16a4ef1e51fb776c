//! The tally in Redis as a checkpoint holds it.

use super::{KEYS, Redis, unavailable};
use crate::ledger::checkpoint::{Closed, Sums};
use crate::ledger::{BlockState, Minute, TallyError};
use redis::{Commands, Pipeline, RedisError, Value};
use std::collections::HashMap;

/// Most fields of one command: none keeps the server busy for long.
const CHUNK: usize = 1000;

impl Redis {
    /// All but the closed rounds.
    pub(super) fn read_sums(&mut self) -> Result<Sums, TallyError> {
        type Texts = HashMap<String, String>;
        let read: Result<[Texts; 6], RedisError> = redis::pipe()
            .atomic()
            .hgetall(self.key("meta"))
            .hgetall(self.key("positions"))
            .hgetall(self.key("rejected"))
            .hgetall(self.key("round"))
            .hgetall(self.key("minutes"))
            .hgetall(self.key("shares"))
            .query(&mut self.connection);
        let [mut meta, positions, rejected, round, minutes, shares] =
            read.map_err(|error| unavailable(&self.place, &error))?;
        let unit = meta.remove("unit").and_then(|text| text.parse().ok());
        let mut sums = Sums { unit, ..Sums::default() };
        for (name, value) in self.numbers("meta", meta)? {
            match name.as_str() {
                "accepted" => sums.accepted = value,
                "blocks" => sums.blocks = value,
                "round_started" => sums.round_started = Some(value),
                _ => {
                    if let Some(instance) = name.strip_prefix("deleted-") {
                        sums.deleted.insert(instance.to_owned(), value);
                    }
                }
            }
        }
        sums.positions = self.numbers("positions", positions)?;
        sums.rejected = self.numbers("rejected", rejected)?;
        sums.round = self.numbers("round", round)?;
        let shares = self.numbers("shares", shares)?;
        let minutes = self.numbers("minutes", minutes)?;
        sums.minutes = minutes
            .into_iter()
            .filter_map(|(minute, weight)| {
                let shares = shares.get(&minute).copied().unwrap_or(0);
                Some((minute.parse().ok()?, Minute { weight, shares }))
            })
            .collect();
        Ok(sums)
    }

    /// Fills an empty tally; `false`: it is not empty. What makes it one that is not, the unit and
    /// the positions, comes last and at once: a cut in the middle is repeated from the start.
    pub(super) fn fill(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError> {
        if self.is_used()? {
            return Ok(false);
        }
        for closed in rounds {
            self.fill_round(&closed?)?;
        }
        let watched = [self.key("meta"), self.key("positions")];
        let keys = KEYS.map(|name| self.key(name));
        let [meta, positions, rejected, round, .., minutes, shares] = &keys;
        let filled = redis::transaction(&mut self.connection, &watched, |connection, pipe| {
            if connection.exists::<_, u64>(&watched)? > 0 {
                return Ok(Some(false));
            }
            // A round that lies about without positions is nobody's.
            pipe.del(round).ignore();
            put(pipe, positions, &sums.positions);
            put(pipe, rejected, &sums.rejected);
            put(pipe, round, &sums.round);
            put(pipe, minutes, sums.minutes.iter().map(|(at, work)| (at, work.weight)));
            put(pipe, shares, sums.minutes.iter().map(|(at, work)| (at, work.shares)));
            put(pipe, meta, [("accepted", sums.accepted), ("blocks", sums.blocks)]);
            put(pipe, meta, sums.round_started.map(|started| ("round_started", started)));
            put(
                pipe,
                meta,
                sums.deleted.iter().map(|(id, count)| (format!("deleted-{id}"), count)),
            );
            put(pipe, meta, sums.unit.map(|unit| ("unit", i64::from(unit))));
            let done: Option<Value> = pipe.query(connection)?;
            Ok(done.map(|_| true))
        });
        filled.map_err(|error| unavailable(&self.place, &error))
    }

    fn is_used(&mut self) -> Result<bool, TallyError> {
        let keys = [self.key("meta"), self.key("positions")];
        self.call::<u64>(redis::cmd("EXISTS").arg(&keys)).map(|count| count > 0)
    }

    fn fill_round(&mut self, closed: &Closed) -> Result<(), TallyError> {
        let Closed { block, miners, .. } = closed;
        let hash = block.found.hash.to_string();
        let json = |error| self.damaged(format!("a block that is no JSON: {error}"));
        let found = serde_json::to_string(&block.found).map_err(json)?;
        let answers = serde_json::to_string(&block.answers).map_err(json)?;
        let round = self.closed(&block.found.hash);
        let mut pipe = redis::pipe();
        pipe.atomic().del(&round).ignore();
        put(&mut pipe, &round, miners);
        pipe.hset(self.key("blocks"), &hash, found).ignore();
        pipe.zadd(self.key("order"), &hash, block.found.time).ignore();
        if block.state != BlockState::Found {
            pipe.hset(self.key("states"), &hash, block.state.name()).ignore();
            pipe.hset(self.key("answers"), &hash, answers).ignore();
        }
        pipe.query(&mut self.connection).map_err(|error| unavailable(&self.place, &error))
    }

    /// Deletes all of the coin's keys: closed rounds first, the rest at once.
    pub(in crate::ledger) fn clear(&mut self) -> Result<(), TallyError> {
        let pattern = format!("{}round:*", self.prefix.replace(['[', ']', '*', '?', '\\'], "?"));
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(CHUNK);
            let (next, keys): (u64, Vec<String>) = self.call(&scan)?;
            if !keys.is_empty() {
                self.call::<Value>(redis::cmd("DEL").arg(keys))?;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let keys = KEYS.map(|name| self.key(name));
        self.call::<Value>(redis::cmd("DEL").arg(&keys)).map(drop)
    }
}

/// Sets fields of a hash, in commands of a bounded size.
fn put<F: redis::ToRedisArgs, V: redis::ToRedisArgs>(
    pipe: &mut Pipeline,
    key: &str,
    rows: impl IntoIterator<Item = (F, V)>,
) {
    let rows: Vec<(F, V)> = rows.into_iter().collect();
    for some in rows.chunks(CHUNK) {
        pipe.hset_multiple(key, some).ignore();
    }
}
