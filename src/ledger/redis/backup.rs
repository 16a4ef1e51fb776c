//! The tally in Redis as a checkpoint holds it.

use super::{BEGUN, KEYS, Redis, SLICE, unavailable};
use crate::ledger::checkpoint::{Closed, Sums};
use crate::ledger::{BlockState, Minute, TallyError};
use crate::stratum::Weight;
use redis::{Commands, Connection, Pipeline, RedisError, Value};
use std::collections::{BTreeMap, HashMap};

type Texts = HashMap<String, String>;

/// Tries to read all slices at one moment.
const LOOKS: u32 = 10;
/// Most fields of one command: none keeps the server busy for long.
const CHUNK: usize = 1000;

impl Redis {
    /// All but the closed rounds.
    pub(super) fn read_sums(&mut self) -> Result<Sums, TallyError> {
        let mut slices = Vec::new();
        let mut looks = 0;
        let (read, work) = loop {
            let (read, work) = self.read_all(&slices)?;
            let there = read.get(6).map(Self::slice_numbers).unwrap_or_default();
            // Another slice was begun meanwhile, or this was the first look.
            if there == slices {
                break (read, work);
            }
            slices = there;
            looks += 1;
            if looks == LOOKS {
                let words = "slices come faster than they can be read".to_owned();
                return Err(TallyError::Unavailable { place: self.place.clone(), words });
            }
        };
        let mut read = read.into_iter();
        let [mut meta, positions, rejected, round, minutes, shares] =
            std::array::from_fn(|_| read.next().unwrap_or_default());
        let unit = meta.remove("unit").and_then(|text| text.parse().ok());
        let mut sums = Sums { unit, ..Sums::default() };
        for (name, value) in self.numbers("meta", meta)? {
            sums.take_meta(&name, value);
        }
        sums.positions = self.numbers("positions", positions)?;
        sums.positions.remove(BEGUN);
        sums.rejected = self.numbers("rejected", rejected)?;
        sums.round = self.numbers("round", round)?;
        for (n, work) in slices.into_iter().zip(work) {
            sums.slices.insert(n, self.numbers(&format!("{SLICE}{n}"), work)?);
        }
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

    /// The hashes of a checkpoint and the work of some slices, at one moment.
    fn read_all(&mut self, slices: &[u64]) -> Result<(Vec<Texts>, Vec<Texts>), TallyError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for name in ["meta", "positions", "rejected", "round", "minutes", "shares", "slices"] {
            pipe.hgetall(self.key(name));
        }
        for &n in slices {
            pipe.hgetall(self.slice(n));
        }
        let mut read: Vec<Texts> =
            pipe.query(&mut self.connection).map_err(|error| unavailable(&self.place, &error))?;
        let work = read.split_off(read.len().saturating_sub(slices.len()));
        Ok((read, work))
    }

    fn slice_numbers(slices: &Texts) -> Vec<u64> {
        let mut numbers: Vec<u64> = slices.keys().filter_map(|n| n.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Fills an empty tally; `false`: it is not empty. What makes it one that is not, the unit and
    /// the positions, comes last and at once: a cut in the middle is repeated from the start.
    pub(super) fn fill(
        &mut self,
        sums: &Sums,
        rounds: &mut dyn Iterator<Item = Result<Closed, TallyError>>,
    ) -> Result<bool, TallyError> {
        let (meta, positions) = (self.key("meta"), self.key("positions"));
        let used = is_used(&mut self.connection, &meta, &positions);
        if used.map_err(|error| unavailable(&self.place, &error))? {
            return Ok(false);
        }
        // The blocks come with the rest: a block that is there already cuts no round, and another
        // machine may be ahead of us with a copy that knows less of them.
        let mut blocks = Vec::new();
        for closed in rounds {
            let Closed { block, miners, .. } = closed?;
            let key = self.closed(&block.found.hash);
            let mut pipe = redis::pipe();
            pipe.atomic().del(&key).ignore();
            put(&mut pipe, &key, miners);
            pipe.query::<()>(&mut self.connection)
                .map_err(|error| unavailable(&self.place, &error))?;
            blocks.push(block);
        }
        let json = |error| self.damaged(format!("a block that is no JSON: {error}"));
        let (mut found, mut states, mut answers, mut order) = (vec![], vec![], vec![], vec![]);
        for block in blocks {
            let hash = block.found.hash.to_string();
            found.push((hash.clone(), serde_json::to_string(&block.found).map_err(json)?));
            order.push((block.found.time, hash.clone()));
            if block.state != BlockState::Found {
                states.push((hash.clone(), block.state.name()));
                answers.push((hash, serde_json::to_string(&block.answers).map_err(json)?));
            }
        }
        let watched = [self.key("meta"), self.key("positions")];
        let keys = KEYS.map(|name| self.key(name));
        let windows: Vec<_> = sums.slices.iter().map(|(n, work)| (self.slice(*n), work)).collect();
        let [meta, positions, rejected, round, rows @ .., minutes, shares, slices] = &keys;
        let [blocks, states_key, answers_key, order_key] = rows;
        let filled = redis::transaction(&mut self.connection, &watched, |connection, pipe| {
            if is_used(connection, meta, positions)? {
                return Ok(Some(false));
            }
            // What lies about without positions is nobody's.
            pipe.del(&keys).ignore();
            put(pipe, positions, &sums.positions);
            put(pipe, rejected, &sums.rejected);
            put(pipe, round, &sums.round);
            put(pipe, blocks, found.iter().map(|(hash, text)| (hash, text)));
            put(pipe, states_key, states.iter().map(|(hash, text)| (hash, text)));
            put(pipe, answers_key, answers.iter().map(|(hash, text)| (hash, text)));
            for some in order.chunks(CHUNK) {
                pipe.zadd_multiple(order_key, some).ignore();
            }
            put(pipe, slices, sums.slices.iter().map(|(n, work)| (n, total(work))));
            for (key, work) in &windows {
                pipe.del(key).ignore();
                put(pipe, key, work.iter());
            }
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
            put(pipe, positions, sums.unit.map(|_| (BEGUN, 0)));
            let done: Option<Value> = pipe.query(connection)?;
            Ok(done.map(|_| true))
        });
        filled.map_err(|error| unavailable(&self.place, &error))
    }

    /// Deletes all of the coin's keys at once: positions without their rounds would pass for whole.
    pub(in crate::ledger) fn clear(&mut self) -> Result<(), TallyError> {
        let mut all = KEYS.map(|name| self.key(name)).to_vec();
        for kind in ["round:", SLICE] {
            let prefix = self.prefix.replace(['[', ']', '*', '?', '\\'], "?");
            let pattern = format!("{prefix}{kind}*");
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(CHUNK);
                let (next, keys): (u64, Vec<String>) = self.call(&scan)?;
                all.extend(keys);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        for some in all.chunks(CHUNK) {
            pipe.unlink(some).ignore();
        }
        pipe.query(&mut self.connection).map_err(|error| unavailable(&self.place, &error))
    }
}

fn total(work: &BTreeMap<String, Weight>) -> Weight {
    work.values().fold(0, |sum, &weight| sum.saturating_add(weight))
}

/// Whether somebody has begun to count here.
fn is_used(connection: &mut Connection, meta: &str, positions: &str) -> Result<bool, RedisError> {
    Ok(connection.exists(positions)? || connection.hexists(meta, "unit")?)
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
