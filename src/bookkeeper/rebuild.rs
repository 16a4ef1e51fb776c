//! `romp rebuild COIN`: empties a coin's tally and fills it anew, exactly, from the checkpoint and
//! the journals.
//!
//! While the pool runs its bookkeeper does it: the command leaves a file `rebuild` in the coin's
//! journal folder and waits for the file `rebuilt` with the bookkeeper's words.

use super::coin::Coin;
use crate::config::Pool;
use crate::journal;
use crate::ledger::{self, TallyError};
use crate::sys::clock::unix_ms;
use std::io;
use std::path::{Path, PathBuf};

const ASKED: [&str; 2] = ["rebuild", "rebuild-accept-loss"];
const ANSWER: &str = "rebuilt";

fn file(data_dir: &Path, coin: &str, name: &str) -> PathBuf {
    journal::folder(data_dir, coin).join(name)
}

/// Rebuilds the tally of a pool that does not run; what was done, in words. `accept_loss`: also
/// when journals are deleted that no checkpoint covers.
///
/// # Errors
/// [`TallyError`]; repeat it then.
pub fn rebuild(
    pool: &Pool,
    data_dir: &Path,
    instance: u16,
    accept_loss: bool,
) -> Result<String, TallyError> {
    let mut coin = Coin::new(pool.clone(), data_dir.to_owned(), instance);
    let clear = || ledger::clear(pool, data_dir, unix_ms());
    coin.rebuild(accept_loss, &clear, &|| u64::MAX)
}

/// Asks the bookkeeper of a running pool to do it.
///
/// # Errors
/// When the file cannot be made.
pub fn ask(data_dir: &Path, coin: &str, accept_loss: bool) -> io::Result<()> {
    match std::fs::remove_file(file(data_dir, coin, ANSWER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let [plain, lossy] = ASKED;
    let name = if accept_loss { lossy } else { plain };
    journal::create(&file(data_dir, coin, name)).map(drop)
}

/// What the bookkeeper answered, if it has: done, or why not.
#[must_use]
pub fn answer(data_dir: &Path, coin: &str) -> Option<Result<String, String>> {
    let text = std::fs::read_to_string(file(data_dir, coin, ANSWER)).ok()?;
    match text.split_once('\n')? {
        ("done", words) => Some(Ok(words.to_owned())),
        (_, words) => Some(Err(words.to_owned())),
    }
}

/// Whether what was asked has not been begun.
#[must_use]
pub fn is_waiting(data_dir: &Path, coin: &str) -> bool {
    ASKED.iter().any(|name| file(data_dir, coin, name).exists())
}

/// Takes back what was asked and not begun.
pub fn withdraw(data_dir: &Path, coin: &str) {
    for name in ASKED {
        let _ = std::fs::remove_file(file(data_dir, coin, name));
    }
}

/// Does what was asked, if anything was.
pub(super) fn obey(coin: &mut Coin, pool: &Pool, data_dir: &Path, watermark: &dyn Fn() -> u64) {
    let id = pool.coin.id.as_str();
    let [plain, lossy] = ASKED.map(|name| file(data_dir, id, name).exists());
    if !plain && !lossy {
        return;
    }
    withdraw(data_dir, id);
    crate::special!("{id}: the ledger is emptied and filled anew, as `romp rebuild` asked");
    let clear = || ledger::clear(pool, data_dir, unix_ms());
    let text = match coin.rebuild(lossy, &clear, watermark) {
        Ok(report) => {
            report.lines().for_each(|line| crate::special!("{line}"));
            format!("done\n{report}")
        }
        Err(error) => {
            log::error!("{id}: `romp rebuild` failed: {error}");
            format!("failed\n{error}\n")
        }
    };
    let (temporary, path) = (file(data_dir, id, ".rebuilt"), file(data_dir, id, ANSWER));
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        log::warn!("{id}: `romp rebuild` waits in vain for its answer: {error}");
    }
}
