//! The thread that looks: every `updateInterval` it reads what there is to know and publishes it.

use super::look::Memory;
use super::nomp;
use super::reply::{Kind, Prepared};
use super::routes::Site;
use super::snapshot::Snapshot;
use crate::ipc::control;
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Reads, and publishes to a site.
#[derive(Debug)]
pub(super) struct Gatherer {
    site: Arc<Site>,
    last: Snapshot,
    memories: BTreeMap<String, Memory>,
}

impl Gatherer {
    /// For a site; nothing is read yet.
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self { site, last: Snapshot::default(), memories: BTreeMap::new() }
    }

    /// Looks for ever.
    pub(super) fn run(mut self) {
        let interval = ms(self.site.settings.interval);
        loop {
            let begun = monotonic_ms();
            self.look(unix_ms());
            let rest = interval.saturating_sub(monotonic_ms().saturating_sub(begun));
            std::thread::sleep(Duration::from_millis(rest.max(1000)));
        }
    }

    /// Looks once, at unix ms.
    pub(super) fn look(&mut self, now: u64) {
        let begun = monotonic_ms();
        let config = self.site.config.clone();
        let socket = control::socket(&config.data_dir);
        let status = control::command(&socket, &json!({ "command": "status" }));
        let next = &mut self.last;
        next.master.take("the master's status", status, now);
        for (id, pool) in &config.pools {
            let coin = next.coins.entry(id.clone()).or_default();
            let status = next.master.value.as_deref();
            let status = status.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null);
            let memory = self.memories.entry(id.clone()).or_default();
            memory.refresh(coin, pool, (&config, &self.site.settings), status, now);
        }
        next.at = now;
        next.stats = Prepared::new(Kind::Json, nomp::stats(next, &config));
        next.pool_stats = Prepared::new(Kind::Json, nomp::pool_stats(next));
        next.took = monotonic_ms().saturating_sub(begun);
        self.site.publish(next.clone());
    }
}
