//! What a Redis server must be set to before a ledger is trusted to it.

use super::Redis;
use super::words::unavailable;
use crate::ledger::TallyError;
use redis::RedisError;
use std::sync::atomic::{AtomicBool, Ordering};

/// The warning is given once in a process's life.
static TOLD_OF_AOF: AtomicBool = AtomicBool::new(false);

/// What a line of `INFO` says; `name` with its colon.
pub(super) fn info_value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim().strip_prefix(name))
}

impl Redis {
    /// What the server says of itself; `None`: it does not let us ask.
    pub(super) fn info(&mut self) -> Result<Option<String>, TallyError> {
        match redis::cmd("INFO").query(&mut self.connection) {
            Ok(info) => Ok(Some(info)),
            Err(error) if RedisError::code(&error) == Some("NOPERM") => Ok(None),
            Err(error) => Err(unavailable(&self.place, &error)),
        }
    }

    /// Refuses a server that throws keys away when its memory is full. One that does not let us
    /// ask is taken as it is.
    pub(super) fn check_settings(&mut self) -> Result<(), TallyError> {
        let Some(info) = self.info()? else { return Ok(()) };
        let value = |name: &str| info_value(&info, name);
        let policy = value("maxmemory_policy:").unwrap_or_default();
        if policy.starts_with("allkeys-") && value("maxmemory:") != Some("0") {
            return Err(TallyError::Settings {
                place: self.place.clone(),
                words: format!(
                    "`maxmemory-policy {policy}` would throw shares away when memory is full; set \
                     `maxmemory-policy noeviction` (counting goes on by itself then)"
                ),
            });
        }
        if value("role:") == Some("slave") {
            return Err(TallyError::Settings {
                place: self.place.clone(),
                words: "it is a replica, which takes no writes: let `redis` in the pool file name \
                        the server that it follows (counting goes on by itself then)"
                    .to_owned(),
            });
        }
        // While it reads its files it says that none is written.
        let writes_none = value("aof_enabled:") == Some("0") && value("loading:") != Some("1");
        if writes_none && !TOLD_OF_AOF.swap(true, Ordering::Relaxed) {
            log::warn!(
                "{}: `appendonly` is off, so a Redis that is killed forgets what came since its \
                 last save. Shares are not lost by that: romp notices and adds them again from its \
                 journals and its checkpoint. `CONFIG SET appendonly yes` spares the work",
                self.place
            );
        }
        Ok(())
    }
}
