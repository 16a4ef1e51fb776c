//! `romp check`: reads the configuration and says all that is wrong with it.

use crate::config::{Config, Loaded, load, load_coloured};
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
    let _ = std::io::stderr().write_all(findings(&loaded).as_bytes());
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
    let _ = writeln!(std::io::stdout(), "{}", summary(&config));
    0
}

fn findings(loaded: &Loaded) -> String {
    let mut text = String::new();
    for finding in loaded.warnings.iter().chain(&loaded.errors) {
        text.push_str(finding);
        text.push_str("\n\n");
    }
    match loaded.errors.len() {
        0 => {}
        1 => text.push_str("the configuration has 1 error\n"),
        many => text.push_str(&format!("the configuration has {many} errors\n")),
    }
    text
}

fn summary(config: &Config) -> String {
    let list = |words: Vec<String>| words.join(", ");
    let pools = config.pools.len();
    let plural = if pools == 1 { "" } else { "s" };
    let coins = list(config.pools.keys().cloned().collect());
    let ports = config.pools.values().flat_map(|pool| pool.ports.keys());
    let ports = list(ports.map(u16::to_string).collect());
    match pools {
        0 => "configuration is fine: 0 pools".to_owned(),
        _ => format!("configuration is fine: {pools} pool{plural} ({coins}), ports {ports}"),
    }
}
