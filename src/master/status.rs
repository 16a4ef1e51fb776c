//! Control commands, and what `romp status` shows. The shape of the answer is in
//! `docs/operations.md`; fields are added, never changed.

use super::Master;
use super::fleet::{Child, Slot};
use super::ports;
use super::roles::Kind;
use crate::chain::Hash;
use crate::ipc::board::Row;
use crate::ipc::{Role, TipState};
use crate::stratum::{Cause, Reject};
use crate::sys::clock::unix_ms;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A `templates` that has not moved for so long is not there: it moves every 50 ms.
const UNATTENDED_MS: u64 = 3_000;

/// A command on the control socket.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
enum Command {
    /// How everything is.
    Status,
    /// A new block.
    Blocknotify {
        /// Coin.
        coin: String,
        /// Hash.
        hash: Option<String>,
    },
    /// Living bans.
    Bans,
    /// Ban a network.
    Ban {
        /// Network or address.
        network: String,
        /// For so long; absent: until it is lifted.
        seconds: Option<u64>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Lift a ban.
    Unban {
        /// Network or address.
        network: String,
    },
    /// As `SIGHUP`. What came of it is `reloaded` of the status, a moment later.
    Reload,
}

impl Master {
    /// A line at the control socket; the answer, one line of JSON.
    pub(super) fn command(&mut self, line: &[u8], now: u64) -> String {
        match serde_json::from_slice(line) {
            Ok(Command::Status) => self.status(now).to_string(),
            Ok(Command::Blocknotify { coin, hash }) => {
                let hash = hash.as_deref().and_then(Hash::from_display);
                json!({ "answer": self.notice(&coin, hash, now) }).to_string()
            }
            Ok(Command::Bans) => self.list_bans().to_string(),
            Ok(Command::Ban { network, seconds, reason }) => {
                self.add_ban(&network, seconds, &reason).to_string()
            }
            Ok(Command::Unban { network }) => self.remove_ban(&network).to_string(),
            Ok(Command::Reload) => {
                self.reload_wanted = true;
                json!({ "reloads": self.reloaded.count, "generation": self.generation }).to_string()
            }
            Err(error) => json!({ "error": error.to_string() }).to_string(),
        }
    }

    fn status(&self, now: u64) -> Value {
        let mut workers = Vec::new();
        let mut children = Vec::new();
        for slot in self.fleet.slots() {
            let child = self.show_child(slot, now);
            if Kind::of(slot.role).serves_miners {
                workers.push(child.clone());
            }
            children.push(child);
        }
        let coins: Map<String, Value> = self
            .config
            .pools
            .keys()
            .map(|coin| (coin.clone(), self.show_coin(coin, now)))
            .collect();
        let ports: Vec<Value> = ports::stratum_ports(&self.config)
            .into_iter()
            .map(|(port, coin)| json!({ "port": port, "coin": coin }))
            .collect();
        json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "generation": self.generation,
            "reloaded": self.reloaded,
            "uptime_seconds": now.saturating_sub(self.started) / 1000,
            "workers": workers,
            "children": children,
            "coins": coins,
            "ports": ports,
            "waits": self.kept.troubles.get("").cloned().unwrap_or_default(),
            "bans": self.kept.bans.living(unix_ms()).count(),
            "refused": self.show_refused(),
            "wrong_passwords": self.guard.wrong,
            "nofile": { "soft": self.descriptors.soft, "hard": self.descriptors.hard },
        })
    }

    fn show_child(&self, slot: &Slot, now: u64) -> Value {
        let row = self.board.row(slot.row);
        let child = slot.child.as_ref();
        let level =
            |of: fn(&Row) -> &AtomicU32| row.map_or(0, |row| of(row).load(Ordering::Relaxed));
        let count =
            |of: fn(&Row) -> &AtomicU64| row.map_or(0, |row| of(row).load(Ordering::Relaxed));
        let tick = count(|row| &row.tick);
        json!({
            "role": slot.role.name(),
            "slot": slot.row,
            "pid": child.map(|child| child.pid),
            "state": state(slot, child),
            "lane": child.and_then(|child| child.lane),
            "generation": level(|row| &row.generation),
            "miners": level(|row| &row.miners),
            "accepted": count(|row| &row.accepted),
            "rejected": count(|row| &row.rejected),
            "tick_ms_ago": (tick > 0).then(|| now.saturating_sub(tick)),
            "uptime_seconds": child.map(|child| now.saturating_sub(child.started) / 1000),
            "restarts": slot.restarts,
            "deaths": slot.deaths,
        })
    }

    /// Connections refused or ended by cause, over all workers; only causes that occurred.
    fn show_refused(&self) -> Map<String, Value> {
        let sum = |cause: Cause| -> u64 {
            let rows = self.board.rows().filter_map(|(_, row)| row.refused.get(cause as usize));
            rows.map(|counter| counter.load(Ordering::Relaxed)).sum()
        };
        let all = Cause::ALL.into_iter().map(|cause| (cause.name().to_owned(), sum(cause)));
        all.filter(|(_, count)| *count > 0).map(|(name, count)| (name, json!(count))).collect()
    }

    /// Whether `templates` is there and moves: what it last said is true only then.
    pub(super) fn is_attended(&self, now: u64) -> bool {
        self.fleet.slots().iter().any(|slot| {
            let ready = slot.child.as_ref().is_some_and(|child| child.ready);
            let tick = self.board.row(slot.row).map_or(0, |row| row.tick.load(Ordering::Relaxed));
            slot.role == Role::Templates && ready && now.saturating_sub(tick) < UNATTENDED_MS
        })
    }

    fn show_coin(&self, coin: &str, now: u64) -> Value {
        let (mut miners, mut accepted, mut blocks, mut notices, mut fallbacks) = (0, 0, 0, 0, 0);
        let mut rejected: Map<String, Value> = Map::new();
        for (_, row) in self.board.rows() {
            let Some(cell) = row.find(coin) else { continue };
            miners += u64::from(cell.miners.load(Ordering::Relaxed));
            accepted += cell.accepted.load(Ordering::Relaxed);
            blocks += cell.blocks.load(Ordering::Relaxed);
            notices += cell.notices.load(Ordering::Relaxed);
            fallbacks += cell.fallbacks.load(Ordering::Relaxed);
            for reject in Reject::ALL {
                let count = cell.rejected.get(usize::from(reject as u8));
                let count = count.map_or(0, |count| count.load(Ordering::Relaxed));
                if count > 0 {
                    let before = rejected.get(reject.name()).and_then(Value::as_u64).unwrap_or(0);
                    rejected.insert(reject.name().to_owned(), json!(before + count));
                }
            }
        }
        let known = self.kept.coins.get(coin);
        let state = known.map_or(&TipState::Waiting, |status| &status.state);
        let mut shown = json!({
            "height": known.and_then(|status| status.height),
            "tip": known.and_then(|status| status.tip),
            "difficulty": known.and_then(|status| status.difficulty),
            "work_at": known.and_then(|status| status.work_at),
            "daemons": known.map(|status| &status.daemons[..]).unwrap_or_default(),
            "noticed": known.map(|status| status.noticed.clone()).unwrap_or_default(),
            "notices_by": known.map(|status| &status.notices),
            "notice_to_work": known.and_then(|status| status.notice_to_work),
            "waits": self.kept.troubles.get(coin).cloned().unwrap_or_default(),
            "miners": miners,
            "accepted": accepted,
            "rejected": rejected,
            "blocks": blocks,
            "notices": notices,
            "fallbacks": fallbacks,
        });
        // `state` and what belongs to it (`blocks` of a syncing daemon would clash) stand apart.
        let (name, detail) = match state {
            TipState::Waiting => ("waiting", Value::Null),
            TipState::Syncing { blocks, headers } => {
                ("syncing", json!({ "blocks": blocks, "headers": headers }))
            }
            TipState::Fresh => ("fresh", Value::Null),
            TipState::Stale { since } => ("stale", json!({ "since": since })),
        };
        // Workers ask the daemons themselves meanwhile, and say nothing of what they hear.
        let (name, detail) = match known.is_some() && !self.is_attended(now) {
            true => ("unattended", Value::Null),
            false => (name, detail),
        };
        if let Some(object) = shown.as_object_mut() {
            object.insert("state".to_owned(), json!(name));
            object.insert("detail".to_owned(), detail);
        }
        shown
    }
}

fn state(slot: &Slot, child: Option<&Child>) -> &'static str {
    match child {
        Some(child) if child.is_ending() => "ending",
        Some(child) if child.ready => "ready",
        Some(_) => "starting",
        None if slot.refused => "refused",
        None => "waiting",
    }
}
