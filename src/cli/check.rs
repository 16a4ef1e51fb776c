//! `romp check`: reads the configuration and says all that is wrong with it.

use crate::config::{load, load_coloured};
use crate::sys::privileges;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Exit code for a configuration that cannot be used (sysexits' EX_CONFIG).
const BROKEN: u8 = 78;

/// Checks the configuration of a folder: findings to stderr, a summary to stdout. 0 or 78.
#[must_use]
pub fn run(dir: &Path) -> u8 {
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let loaded = if coloured { load_coloured(dir) } else { load(dir) };
    // A reader that went away is no fault of the configuration.
    let _ = std::io::stderr().write_all(loaded.findings().as_bytes());
    let Some(config) = loaded.config else { return BROKEN };
    // Only a warning: the files may be checked on another machine than they are for.
    if let Some(user) = &config.user
        && let Err(error) = privileges::find(user, config.group.as_deref())
    {
        let _ = writeln!(std::io::stderr(), "warning: config.json: {error} on this machine\n");
    }
    if let Some(warning) = crate::sys::room::warning(&config.data_dir) {
        let _ = writeln!(std::io::stderr(), "warning: {warning}\n");
    }
    let _ = writeln!(std::io::stdout(), "{}", config.summary());
    0
}
