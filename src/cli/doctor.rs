//! `romp doctor`: examines the coin daemons at will; and the same before the server starts.

#![allow(clippy::print_stderr)] // A command's output.

use super::shares::{pool_of, print, print_json, printable};
use super::{CONFIGURATION, DONE, FAILED, USAGE};
use crate::config::{self, Config, Places, Pool};
use crate::doctor::{Finding, Patient, Verdict, contradicts, examine};
use crate::sys::fork::{self, Ended, Forked};
use crate::sys::{log as pool_log, privileges};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// How long all daemons together may take. The start waits for it at most so long.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Row<'a> {
    coin: &'a str,
    daemon: &'a str,
    check: &'a str,
    verdict: Verdict,
    words: &'a str,
    /// `file:line:column` of the setting to look at.
    place: Option<String>,
}

/// Examines the daemons of one coin, or of all. Returns the exit code.
#[must_use]
pub fn run(dir: &Path, coin: Option<&str>, json: bool) -> u8 {
    let loaded = config::load(dir);
    let Some(config) = loaded.config else {
        loaded.errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let pools: Vec<&Pool> = match coin.map(|coin| pool_of(&config, coin)) {
        None => config.pools.values().collect(),
        Some(Some(pool)) => vec![pool],
        Some(None) => return USAGE,
    };
    let places = Places::read(dir, &config);
    let patients = examine(&pools, PATIENCE);
    let rows: Vec<Row<'_>> = patients.iter().flat_map(|it| rows(it, &config, &places)).collect();
    if json {
        print_json(&rows);
    } else {
        rows.iter().for_each(|row| print(&line(row)));
    }
    if contradicts(&patients) {
        CONFIGURATION
    } else if patients.iter().any(|patient| !patient.answered) {
        FAILED
    } else {
        DONE
    }
}

fn rows<'a>(patient: &'a Patient, config: &Config, places: &Places) -> Vec<Row<'a>> {
    let row = |finding: &'a Finding| Row {
        coin: &patient.coin,
        daemon: &patient.daemon,
        check: finding.what,
        verdict: finding.verdict,
        words: &finding.words,
        place: place(patient, finding, config, places),
    };
    patient.findings.iter().map(row).collect()
}

fn place(patient: &Patient, finding: &Finding, config: &Config, places: &Places) -> Option<String> {
    Some(places.of(config.pools.get(&patient.coin)?, finding.key.as_ref()?))
}

fn line(row: &Row<'_>) -> String {
    let verdict = match row.verdict {
        Verdict::Ok => "ok",
        Verdict::Skip => "skip",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let place = row.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
    let words = printable(row.words);
    format!("{verdict:<4}  {} {} {}: {place}{words}", row.coin, row.daemon, row.check)
}

/// What the doctor says before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing speaks against it.
    Go,
    /// It has named what has to be corrected.
    Stop,
    /// This is the doctor's own process: end with that code.
    Doctor(u8),
}

/// Examines the daemons in a process of its own: the server has one thread and talks to no daemon,
/// and one that hangs cannot hold it up. What is found goes to the log.
pub(super) fn before_start(config: &Config, dir: &Path) -> Start {
    let pools: Vec<&Pool> = config.pools.values().filter(|pool| pool.doctor).collect();
    if pools.is_empty() {
        return Start::Go;
    }
    let ended = match fork::fork() {
        Ok(Forked::Child) => return Start::Doctor(child(config, dir, &pools)),
        Ok(Forked::Parent(pid)) => fork::wait(pid),
        Err(error) => Err(error),
    };
    match ended {
        Ok(Ended::Exit(code)) if code == i32::from(DONE) => Start::Go,
        Ok(Ended::Exit(code)) if code == i32::from(CONFIGURATION) => Start::Stop,
        Ok(ended) => {
            log::warn!("the daemons were not examined: the doctor ended with {ended}");
            Start::Go
        }
        Err(error) => {
            log::warn!("the daemons were not examined: {error}");
            Start::Go
        }
    }
}

fn child(config: &Config, dir: &Path, pools: &[&Pool]) -> u8 {
    pool_log::tag("DOCT");
    // Read while this may still be root: the files hold passwords.
    let places = Places::read(dir, config);
    if let Some(user) = config.user.as_ref().filter(|_| privileges::is_root()) {
        let became = privileges::find(user, config.group.as_deref())
            .and_then(|identity| identity.become_for_good(false));
        if let Err(error) = became {
            // The server itself says what is wrong with that.
            log::debug!("the daemons are not examined: {error}");
            return DONE;
        }
    }
    if let Err(error) = fork::die_with_parent() {
        log::debug!("{error}");
    }
    let patients = examine(pools, PATIENCE);
    for patient in &patients {
        say_what_is_well(patient);
        for finding in &patient.findings {
            say(patient, finding, place(patient, finding, config, &places), config);
        }
    }
    if contradicts(&patients) { CONFIGURATION } else { DONE }
}

/// One line a daemon: `romp doctor` shows each check.
fn say_what_is_well(patient: &Patient) {
    let Patient { coin, daemon, findings, .. } = patient;
    let well = findings.iter().filter(|finding| finding.verdict == Verdict::Ok);
    let well: Vec<_> = well.map(|finding| finding.what).collect();
    if !well.is_empty() {
        log::debug!("{coin}: daemon {daemon} is examined; in order: {}", well.join(", "));
    }
}

fn say(patient: &Patient, finding: &Finding, place: Option<String>, config: &Config) {
    let coin = &patient.coin;
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    let words = &finding.words;
    match finding.verdict {
        Verdict::Ok | Verdict::Skip => {}
        Verdict::Warn => log::warn!("{coin}: {place}{words}"),
        Verdict::Fail => {
            log::error!("{coin}: {place}{words}");
            if config.logging.file.is_some() {
                eprintln!("{coin}: {place}{words}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_verdict_place_and_no_control_letters() {
        let row = Row {
            coin: "litecoin",
            daemon: "127.0.0.1:19332",
            check: "algorithm",
            verdict: Verdict::Fail,
            words: "it says\u{1b}[31m so",
            place: Some("coins/litecoin.json:4:18".to_owned()),
        };
        assert_eq!(
            line(&row),
            "FAIL  litecoin 127.0.0.1:19332 algorithm: coins/litecoin.json:4:18: it says\\u{1b}[31m \
             so"
        );
    }
}
