//! A log that a kill cut short.
//!
//! Redis 7.0 writes a script's changes into its append-only file between MULTI and EXEC. Killed in
//! the middle of that, with the last command cut short, it starts without these changes, but leaves
//! the beginning of them in the file. The next script's MULTI is then ignored as a nested one, and
//! with its EXEC the start after that applies both: shares would count twice. A rewritten file does
//! not have them any more.

use super::Redis;
use super::settings::info_value;
use super::words::unavailable;
use crate::ledger::TallyError;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs of servers whose file was rewritten since their start, or could not be; and places that may
/// not be asked.
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
        loop {
            let Some(info) = self.info()? else {
                if !is_renewed(&self.place, false) {
                    is_renewed(&self.place, true);
                    self.warn("it may not be asked: NOPERM");
                }
                return Ok(());
            };
            let value = |name: &str| info_value(&info, name);
            let run = value("run_id:").unwrap_or_default();
            // While it reads its files it says that it writes none.
            if value("loading:") == Some("1") {
                let words = "it is still reading its files".to_owned();
                return Err(TallyError::Unavailable { place: self.place.clone(), words });
            }
            if value("aof_enabled:") != Some("1") || is_renewed(run, false) {
                return Ok(());
            }
            let failed = value("aof_last_bgrewrite_status:") == Some("err");
            let scheduled = value("aof_rewrite_scheduled:") == Some("1");
            let busy = value("aof_rewrite_in_progress:") == Some("1");
            // -1 until the first one since the start has ended.
            let ended = value("aof_last_rewrite_time_sec:").is_some_and(|seconds| seconds != "-1");
            if !busy && (ended || failed) {
                if failed {
                    self.warn("its last try failed");
                }
                is_renewed(run, true);
                return Ok(());
            }
            if !scheduled && !busy {
                let order: redis::RedisResult<String> =
                    redis::cmd("BGREWRITEAOF").query(&mut self.connection);
                match order {
                    Ok(_) => {}
                    Err(error) if error.is_io_error() || error.is_timeout() => {
                        return Err(unavailable(&self.place, &error));
                    }
                    Err(error) => {
                        self.warn(&error.to_string());
                        is_renewed(run, true);
                        return Ok(());
                    }
                }
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
