//! `romp shares COIN`: who has how much of the current round, from the ledger; also while the pool
//! is down.

#![allow(clippy::print_stderr)] // a command prints

use super::{CONFIGURATION, DONE, FAILED, USAGE};
use crate::config::{Config, Loaded, Pool};
use crate::journal;
use crate::ledger::{Overview, Tally, TallyError, open_for_reading};
use crate::sys::clock::unix_ms;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Shares<'a> {
    coin: &'a str,
    accepted: u64,
    rejected: u64,
    round: Round,
    rejected_by_reason: BTreeMap<&'static str, u64>,
    blocks_found: u64,
    /// Journal bytes that are not in the ledger yet.
    pending_bytes: u64,
}

#[derive(Serialize)]
struct Round {
    height: Option<u64>,
    miners: BTreeMap<String, f64>,
    started: Option<u64>,
}

/// Prints the current round of a coin. Returns the exit code.
#[must_use]
pub fn run(dir: &Path, coin: &str, json: bool) -> u8 {
    with_ledger(dir, coin, |pool, data_dir, tally| {
        let (overview, positions) = match tally {
            Some(mut tally) => (tally.overview(1)?, tally.positions()?),
            None => (Overview::default(), BTreeMap::new()),
        };
        let mut overview = overview;
        overview.round.height = working_on(data_dir, &pool.coin.id).or(overview.round.height);
        let pending_bytes = journal::lag(data_dir, &pool.coin.id, &positions, unix_ms()).bytes;
        let shares = summary(&pool.coin.id, &overview, pending_bytes);
        if json {
            print_json(&shares)
        } else {
            table(&shares)
        }
        Ok(())
    })
}

/// The height that miners work on, if the pool is running: a round lasts until the pool itself
/// finds a block, and the ledger only knows where it began.
fn working_on(data_dir: &Path, coin: &str) -> Option<u64> {
    let status = super::status::ask(&crate::master::control_socket(data_dir)).ok()?;
    status.get("coins")?.get(coin)?.get("height")?.as_u64()?.checked_add(1)
}

fn summary<'a>(coin: &'a str, overview: &Overview, pending_bytes: u64) -> Shares<'a> {
    let difficulty = |weight: &u64| overview.difficulty(*weight);
    let miners = overview.round.miners.iter();
    let reasons = overview.rejected.iter();
    Shares {
        coin,
        accepted: overview.accepted,
        rejected: overview.rejected_total(),
        round: Round {
            height: overview.round.height,
            miners: miners.map(|(name, weight)| (name.clone(), difficulty(weight))).collect(),
            started: overview.round.started,
        },
        rejected_by_reason: reasons.map(|(reason, count)| (reason.name(), *count)).collect(),
        blocks_found: overview.blocks_found,
        pending_bytes,
    }
}

fn table(shares: &Shares<'_>) {
    print(&format!(
        "{}: {} shares accepted, {} rejected, {} blocks found",
        shares.coin, shares.accepted, shares.rejected, shares.blocks_found
    ));
    for (reason, count) in &shares.rejected_by_reason {
        print(&format!("  rejected {reason}: {count}"));
    }
    let total: f64 = shares.round.miners.values().sum();
    match shares.round.height {
        Some(height) => print(&format!("current round, for height {height} or later:")),
        None => print("current round, the first:"),
    }
    if shares.round.miners.is_empty() {
        print("  no shares yet");
    }
    let mut miners: Vec<_> = shares.round.miners.iter().collect();
    miners.sort_by(|a, b| b.1.total_cmp(a.1));
    for (name, difficulty) in miners {
        // Escaped: a miner chose the name, and a terminal obeys some bytes.
        print(&format!(
            "{difficulty:>20} {:>6.2} %  {}",
            difficulty / total * 100.0,
            printable(name)
        ));
    }
    if shares.pending_bytes > 0 {
        eprintln!(
            "note: {} bytes of the journals are not in the ledger yet; the pool adds them while \
             it runs",
            shares.pending_bytes
        );
    }
}

/// A name without control characters.
pub(super) fn printable(name: &str) -> String {
    let escape = |character: char| match character {
        _ if character.is_control() => character.escape_unicode().to_string(),
        _ => character.to_string(),
    };
    name.chars().map(escape).collect()
}

/// Prints a line. That nobody reads on (`| head`) is no failure.
pub(super) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a value as indented JSON.
pub(super) fn print_json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => eprintln!("cannot print: {error}"),
    }
}

/// The pool of a coin; without one, says so and which there are.
pub(super) fn pool_of<'a>(config: &'a Config, coin: &str) -> Option<&'a Pool> {
    let pool = config.pools.get(&coin.to_lowercase());
    if pool.is_none() {
        let known: Vec<_> = config.pools.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        eprintln!("error: no pool mines `{}`; pools of this folder: {known}", printable(coin));
    }
    pool
}

/// Reads the configuration, finds the coin, opens its ledger, and says what is wrong with that.
pub(super) fn with_ledger(
    dir: &Path,
    coin: &str,
    show: impl FnOnce(&Pool, &PathBuf, Option<Box<dyn Tally>>) -> Result<(), TallyError>,
) -> u8 {
    let Loaded { config, errors, .. } = crate::config::load_sparing_secrets(dir);
    let Some(config) = config else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let Some(pool) = pool_of(&config, coin) else { return USAGE };
    let opened = open_for_reading(pool, &config.data_dir);
    match opened.and_then(|tally| show(pool, &config.data_dir, tally)) {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("error: the ledger of {} cannot be read: {error}", pool.coin.id);
            FAILED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stratum::{Reject, Unit};

    #[test]
    fn json_begins_with_what_scripts_expect() -> Result<(), serde_json::Error> {
        let mut overview = Overview { unit: Some(Unit(-10)), accepted: 3, ..Overview::default() };
        overview.rejected = [(Reject::Stale, 1), (Reject::Duplicate, 1)].into();
        overview.round.miners = [("a.1".to_owned(), 1536)].into();
        let text = serde_json::to_string(&summary("litecoin", &overview, 0))?;
        let expected = r#"{"coin":"litecoin","accepted":3,"rejected":2,"round":{"height":null,"miners":{"a.1":1.5}"#;
        assert!(text.starts_with(expected), "{text}");
        Ok(())
    }

    #[test]
    fn names_cannot_command_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jé"), "a\\u{1b}[2Jé");
    }
}
