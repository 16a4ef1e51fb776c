//! `dataDir`: made, locked so that only one master uses it, given to the user that the pool runs as.

use crate::config::Config;
use crate::sys::limits::Descriptors;
use crate::sys::privileges::{self, Identity};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long the lock is waited for: a master that was killed just now is still being cleared away.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Makes `dataDir` (mode 0750) and takes its lock. The lock lasts until the returned file is
/// closed; children close theirs at once, so that a killed master leaves none behind.
///
/// # Errors
/// In words for the operator.
pub(crate) fn enter(data_dir: &Path) -> Result<File, String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(data_dir)
        .map_err(|error| format!("cannot make dataDir {}: {error}", data_dir.display()))?;
    let path = data_dir.join("romp.lock");
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(&path)
        .map_err(named)?;
    let deadline = Instant::now() + LOCK_WAIT;
    let mut locked = lock.try_lock();
    while matches!(locked, Err(TryLockError::WouldBlock)) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        locked = lock.try_lock();
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = lock.read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() };
            return Err(format!(
                "already running, pid {pid} (it uses {}); `romp status` shows it, `kill {pid}` \
                 stops it",
                data_dir.display()
            ));
        }
        Err(TryLockError::Error(error)) => return Err(named(error)),
    }
    sign(&mut lock).map_err(named)?;
    Ok(lock)
}

/// Writes this process's id into the lock.
pub(crate) fn sign(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// What romp keeps in `dataDir`. Nothing else there is given away: the folder may be one that
/// others use, too.
const OURS: [&str; 11] = [
    "romp.lock",
    "romp.sock",
    "bans.json",
    "journal",
    "ledger",
    "vault",
    "checkpoint",
    "book",
    "history",
    "notifier",
    "starts",
];

/// Gives `dataDir`, what romp keeps there, and the log to the user.
///
/// # Errors
/// In words for the operator.
fn hand_over(config: &Config, identity: &Identity) -> Result<(), String> {
    let advice = |error| format!("cannot give files to user {}: {error}", identity.name);
    identity.own(&config.data_dir).map_err(advice)?;
    for name in OURS {
        identity.own_all(&config.data_dir.join(name)).map_err(advice)?;
    }
    match &config.logging.file {
        Some(file) if file.exists() => identity.own(file).map_err(advice),
        _ => Ok(()),
    }
}

/// Becomes the configured user, if there is one and it is another one.
///
/// # Errors
/// In words for the operator.
pub(crate) fn become_user(config: &Config) -> Result<(), String> {
    let Some(user) = &config.user else {
        if privileges::is_root() {
            log::warn!("running as root: set `user` in config.json to a user without rights");
        }
        return Ok(());
    };
    let identity =
        privileges::find(user, config.group.as_deref()).map_err(|error| error.to_string())?;
    if identity.is_current() {
        return Ok(());
    }
    if !privileges::is_root() {
        return Err(format!(
            "`user` is `{user}`, but only root can become another user: start as root or as {user}"
        ));
    }
    hand_over(config, &identity)?;
    identity
        .become_for_good(config.nftables.is_some())
        .map_err(|error| format!("cannot become user `{user}`: {error}"))
}

/// Below so many descriptors the operator is warned.
const FEW_DESCRIPTORS: u64 = 4096;

pub(super) fn warn_of_few_descriptors(descriptors: Descriptors) {
    if descriptors.soft < FEW_DESCRIPTORS {
        log::warn!(
            "only {} open files allowed per process: that many miners per worker at most. Raise \
             it with `LimitNOFILE=` in the systemd unit or `ulimit -n`",
            descriptors.soft
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_second_master_is_refused_by_name_and_a_left_lock_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep/data");
        let first = enter(&data).unwrap();
        let refused = enter(&data).unwrap_err();
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        drop(first);
        enter(&data).unwrap();
    }
}
