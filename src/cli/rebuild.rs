//! `romp rebuild COIN`: empties the coin's ledger and fills it anew from the checkpoint and the
//! journals; through the bookkeeper while the pool runs.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{pool_of, print};
use super::{CONFIGURATION, DONE, FAILED, USAGE};
use crate::bookkeeper::rebuild;
use crate::config::{Config, Loaded, Pool};
use crate::master;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Between two looks for the bookkeeper's answer.
const LOOK: Duration = Duration::from_millis(100);
/// How long a bookkeeper may take to begin, in looks: it starts again after 60 s at most.
const BEGIN: u32 = 900;

/// Rebuilds a coin's ledger. Returns the exit code.
#[must_use]
pub fn run(dir: &Path, coin: &str, accept_loss: bool) -> u8 {
    let Loaded { config, errors, .. } = crate::config::load(dir);
    let Some(config) = config else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let Some(pool) = pool_of(&config, coin) else { return USAGE };
    match if_owned(&config).and_then(|()| rebuilt(&config, pool, accept_loss)) {
        Ok(report) => {
            report.lines().for_each(print);
            DONE
        }
        Err(words) => {
            eprintln!("error: {words}");
            FAILED
        }
    }
}

/// Files made by root would be closed to a pool that runs as somebody else.
pub(super) fn if_owned(config: &Config) -> Result<(), String> {
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|facts| facts.uid());
    match (owner(&config.data_dir), owner(Path::new("/proc/self"))) {
        (Some(pools), Some(own)) if pools != own => Err(format!(
            "{} belongs to user number {pools}: run this as that user",
            config.data_dir.display()
        )),
        _ => Ok(()),
    }
}

fn rebuilt(config: &Config, pool: &Pool, accept_loss: bool) -> Result<String, String> {
    let (data_dir, coin) = (&config.data_dir, pool.coin.id.as_str());
    let lock = match master::enter(data_dir) {
        Ok(lock) => lock,
        Err(_) if super::status::ask(&master::control_socket(data_dir)).is_ok() => {
            return ask(data_dir, coin, accept_loss);
        }
        Err(words) => return Err(words),
    };
    let report = rebuild::rebuild(pool, data_dir, config.instance, accept_loss);
    drop(lock);
    report.map_err(|error| error.to_string())
}

/// Lets the bookkeeper of the running pool do it.
fn ask(data_dir: &Path, coin: &str, accept_loss: bool) -> Result<String, String> {
    rebuild::ask(data_dir, coin, accept_loss)
        .map_err(|error| format!("the bookkeeper cannot be asked: {error}"))?;
    let mut looks = 0_u32;
    loop {
        if let Some(answer) = rebuild::answer(data_dir, coin) {
            return answer;
        }
        std::thread::sleep(LOOK);
        looks = looks.saturating_add(1);
        // Begun when the request is gone; then it takes as long as the journals are large.
        if looks >= BEGIN && rebuild::is_waiting(data_dir, coin) {
            rebuild::withdraw(data_dir, coin);
            return Err(
                "the bookkeeper did not begin within 90 s: look at `romp status`, or stop \
                        the pool and repeat this"
                    .to_owned(),
            );
        }
        if looks.is_multiple_of(50)
            && super::status::ask(&master::control_socket(data_dir)).is_err()
        {
            return Err("the pool was stopped meanwhile: repeat this".to_owned());
        }
    }
}
