//! A log that a kill cut short.
//!
//! Redis 7.0 writes a script's changes into its append-only file between MULTI and EXEC. Killed in
//! the middle of that, with the last command cut short, it starts without these changes, but leaves
//! the beginning of them in the file. The next script's MULTI is then ignored as a nested one, and
//! with its EXEC the start after that applies both: shares would count twice. A rewritten file does
//! not have them any more.

use super::Redis;
use super::words::unavailable;
use crate::ledger::TallyError;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs of servers whose file was rewritten since their start, or could not be.
static RENEWED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
/// How long a rewriting is waited for at once.
const WAIT: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

fn is_renewed(run: &str, renewed: bool) -> bool {
    let mut runs = RENEWED.lock().unwrap_or_else(PoisonError::into_inner);
    let runs = runs.get_or_insert_default();
    if renewed {
        runs.insert(run.to_owned());
    }
    runs.contains(run)
}

impl Redis {
    /// Has a server that was started rewrite its append-only file before anything is added. One that
    /// cannot, or does not let us ask, is taken as it is.
    pub(super) fn renew_log(&mut self) -> Result<(), TallyError> {
        let end = Instant::now() + WAIT;
        let mut ordered = false;
        loop {
            let info: String = match redis::cmd("INFO").query(&mut self.connection) {
                Ok(info) => info,
                Err(error) if redis::RedisError::code(&error) == Some("NOPERM") => return Ok(()),
                Err(error) => return Err(unavailable(&self.place, &error)),
            };
            let value = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name));
            let run = value("run_id:").unwrap_or_default();
            if value("aof_enabled:") != Some("1") || is_renewed(run, false) {
                return Ok(());
            }
            let busy = value("aof_rewrite_in_progress:") == Some("1")
                || value("aof_rewrite_scheduled:") == Some("1");
            // Servers before 7 do not count.
            let done = value("aof_rewrites:").map_or(ordered, |count| count != "0");
            if done && !busy {
                if value("aof_last_bgrewrite_status:") != Some("ok") {
                    self.warn("its last try failed");
                }
                is_renewed(run, true);
                return Ok(());
            }
            if !ordered && !busy {
                ordered = true;
                let order: redis::RedisResult<String> =
                    redis::cmd("BGREWRITEAOF").query(&mut self.connection);
                if let Err(error) = order {
                    if error.is_io_error() || error.is_timeout() {
                        return Err(unavailable(&self.place, &error));
                    }
                    self.warn(&error.to_string());
                    is_renewed(run, true);
                    return Ok(());
                }
                continue;
            }
            if Instant::now() >= end {
                return Err(TallyError::Unavailable {
                    place: self.place.clone(),
                    words: "it was started, and rewrites its append-only file before anything is \
                            added; counting goes on then"
                        .to_owned(),
                });
            }
            std::thread::sleep(LOOK);
        }
    }

    fn warn(&self, words: &str) {
        log::warn!(
            "{}: it was started and its append-only file cannot be rewritten ({words}); if it was \
             killed in the middle of a write and is started once more, some shares may count twice. \
             `BGREWRITEAOF` by hand prevents that",
            self.place
        );
    }
}
