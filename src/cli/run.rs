//! `romp run`: the server in the foreground; and where every forked child finds its role.

#![allow(clippy::print_stderr)] // Before the log is open, and for what must reach the terminal.

use super::{CONFIGURATION, FAILED, doctor};
use crate::ipc::{Role, Seat};
use crate::master::{self, Master, Outcome};
use crate::sys::{log as pool_log, privileges, signals, systemd};
use crate::{bookkeeper, config, notifier, payments, special, templates, website, worker};
use std::path::Path;

/// What is said when the doctor has found a contradiction.
const NOT_STARTED: &str = "nothing started: configuration and daemons contradict each other, see \
    the errors above; `romp doctor` shows every check, `\"doctor\": false` in a pool's file leaves \
    it out";

/// Runs the pool until it is stopped. The exit code.
#[must_use]
pub fn run(dir: &Path) -> u8 {
    // First of all: before this process has any descriptor of its own.
    let handed_over = systemd::handed_over();
    let estate = match master::inherit() {
        Ok(estate) => estate,
        Err(why) => {
            eprintln!("{why}");
            return FAILED;
        }
    };
    let dir = match std::path::absolute(dir) {
        Ok(dir) => dir,
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            return FAILED;
        }
    };
    let loaded = config::load(&dir);
    for text in loaded.warnings.iter().chain(&loaded.errors) {
        eprintln!("{text}");
    }
    let Some(config) = loaded.config else {
        eprintln!("the configuration is wrong: nothing started");
        return CONFIGURATION;
    };
    pool_log::start(&config.logging, "MAIN");
    // A reload or a rotated log while the doctor works is heard of afterwards.
    if let Err(error) = signals::hold(&[signals::SIGHUP, signals::SIGUSR1]) {
        log::warn!("signals: {error}");
    }
    signals::survive_large_files();
    if let Some(warning) = crate::sys::room::warning(&config.data_dir) {
        log::warn!("{warning}");
    }
    special!("romp {} starts, pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
    let log_is_a_file = config.logging.file.is_some();
    // Who goes on for a pool that runs need not ask whether it can.
    let before = match estate {
        None => doctor::before_start(&config, &dir),
        Some(_) => doctor::Start::Go,
    };
    match before {
        doctor::Start::Go => {}
        doctor::Start::Stop => {
            log::error!("{NOT_STARTED}");
            if log_is_a_file {
                eprintln!("{NOT_STARTED}");
            }
            return CONFIGURATION;
        }
        doctor::Start::Doctor(code) => return code,
    }
    let master = match Master::new(config, &dir, handed_over, estate) {
        Ok(master) => master,
        Err(error) => {
            for line in error.to_string().lines() {
                log::error!("{line}");
                if log_is_a_file {
                    eprintln!("{line}");
                }
            }
            return FAILED;
        }
    };
    match master.run() {
        Outcome::Exit(code) => code,
        Outcome::Seated(seat) => sit(*seat),
    }
}

/// A child's life.
fn sit(seat: Seat) -> u8 {
    pool_log::tag(&master::tag(seat.role, seat.slot));
    if let Err(error) = privileges::give_up_firewall() {
        log::error!("capabilities: {error}");
        return FAILED;
    }
    match seat.role {
        Role::Worker => worker::run(seat),
        Role::Templates => templates::run(seat),
        Role::Bookkeeper => bookkeeper::run(seat),
        Role::Payments => payments::run(seat),
        Role::Website => website::run(seat),
        Role::Notifier => notifier::run(seat),
    }
}
