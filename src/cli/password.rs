//! `romp password`: the hash of a password, for `website.adminCenter.password`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use super::{DONE, FAILED};
use crate::config::phc;
use crate::sys::{random, terminal};
use std::io::{self, IsTerminal};

/// Reads a password from the standard input and prints its hash. The exit code.
#[must_use]
pub fn run() -> u8 {
    match hash() {
        Ok(hash) => {
            println!("{hash}");
            DONE
        }
        Err(why) => {
            eprintln!("{why}");
            FAILED
        }
    }
}

fn hash() -> Result<String, String> {
    let said = |error: io::Error| format!("the password cannot be read: {error}");
    let password = terminal::hidden_line("Password: ").map_err(said)?;
    let salt = random::bytes().map_err(|error| format!("/dev/urandom: {error}"))?;
    let hash = phc::make(&password, salt)?;
    if io::stdin().is_terminal() && terminal::hidden_line("Again: ").map_err(said)? != password {
        return Err("these are two passwords".to_owned());
    }
    Ok(hash)
}
