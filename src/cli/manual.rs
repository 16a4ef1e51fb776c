//! `romp manual DIR`: man pages and shell completions, made of the command line itself, for
//! packages (`scripts/package`).

#![allow(clippy::print_stderr)]

use super::{DONE, FAILED};
use clap::Command;
use clap_complete::Shell;
use std::io;
use std::path::Path;

/// Writes `romp.1`, one `romp-COMMAND.1` a command, `romp.bash`, `_romp` and `romp.fish`. The exit
/// code.
#[must_use]
pub(super) fn run(command: Command, dir: &Path) -> u8 {
    match write(command, dir) {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            FAILED
        }
    }
}

fn write(mut command: Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "romp", dir)?;
    }
    clap_mangen::generate_to(command, dir)
}
