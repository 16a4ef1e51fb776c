//! The thread that looks: every `updateInterval` it reads what there is to know and publishes it.

use super::found::{Fate, Found, newest};
use super::look::Memory;
use super::machine::Machine;
use super::nomp;
use super::reply::{Kind, Prepared};
use super::routes::Site;
use super::snapshot::Snapshot;
use crate::config::Pool;
use crate::ipc::board::Board;
use crate::ipc::control;
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads, and publishes to a site.
#[derive(Debug)]
pub(super) struct Gatherer {
    site: Arc<Site>,
    board: Arc<Board>,
    last: Snapshot,
    memories: BTreeMap<String, Memory>,
}

impl Gatherer {
    /// For a site and its pool's board; nothing is read yet.
    pub(super) fn new(site: Arc<Site>, board: Arc<Board>) -> Self {
        Self { site, board, last: Snapshot::default(), memories: BTreeMap::new() }
    }

    /// Looks for ever: at all, and in between at coins that cannot wait.
    pub(super) fn run(mut self) {
        let interval = ms(self.site.settings.interval);
        loop {
            let begun = monotonic_ms();
            self.look(unix_ms());
            let next = (begun + interval).max(monotonic_ms() + 1000);
            loop {
                let hurried = self.site.wake.wait(next);
                if hurried.is_empty() {
                    break;
                }
                self.look_for_blocks(&hurried, unix_ms());
            }
        }
    }

    /// Looks whether ledgers know more of blocks than before, and shows it at once.
    fn look_for_blocks(&mut self, coins: &[String], now: u64) {
        let config = self.site.config.clone();
        let mut more = false;
        for id in coins {
            let Some(pool) = config.pools.get(id) else { continue };
            more |= self.refresh(id, pool, now);
        }
        if more {
            self.show(now);
        }
    }

    /// Looks once, at unix ms.
    pub(super) fn look(&mut self, now: u64) {
        let begun = monotonic_ms();
        let config = self.site.config.clone();
        let socket = control::socket(&config.data_dir);
        let status = control::command(&socket, &json!({ "command": "status" }));
        self.last.master.take("the master's status", status, now);
        for (id, pool) in &config.pools {
            self.refresh(id, pool, now);
        }
        self.last.machine = Machine::look(&self.board, config.pools.keys());
        self.last.took = monotonic_ms().saturating_sub(begun);
        self.show(now);
    }

    /// Reads a coin anew. Whether more is known of its blocks than before.
    fn refresh(&mut self, id: &str, pool: &Pool, now: u64) -> bool {
        let status = self.last.master.value.as_deref();
        let status = status.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null);
        let coin = self.last.coins.entry(id.to_owned()).or_default();
        let (known, first) = (newest(coin), coin.ledger.at == 0);
        let memory = self.memories.entry(id.to_owned()).or_default();
        memory.refresh(coin, pool, (&self.site.config, &self.site.settings), status, now);
        let blocks = newest(coin);
        let is_new = |block: &&Found| known.iter().all(|it| it.hash != block.hash);
        let new = blocks.iter().filter(is_new).count() as u64;
        let open = blocks.iter().any(|block| block.fate == Fate::Submitted);
        // What is there at the first look was found before.
        self.site.wake.saw(id, if first { 0 } else { new }, open);
        blocks != known
    }

    fn show(&mut self, now: u64) {
        let config = self.site.config.clone();
        let next = &mut self.last;
        next.at = now;
        next.stats = Prepared::new(Kind::Json, nomp::stats(next, &config));
        next.pool_stats = Prepared::new(Kind::Json, nomp::pool_stats(next));
        self.site.publish(next.clone());
    }
}
