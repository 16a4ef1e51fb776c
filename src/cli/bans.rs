//! `romp bans`: who is banned; bans by hand. Works through the master's control socket.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use super::status::{command, duration, is_down, unanswered};
use super::{DONE, FAILED, NOT_RUNNING, USAGE};
use crate::config::{self, limits::network};
use crate::master;
use crate::sys::{clock, log::escape};
use clap::Subcommand;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show who is banned; the same as `romp bans` alone
    List,
    /// Ban an address or a network, and close its connections
    Add {
        /// Such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64
        #[arg(value_name = "NET")]
        network: String,
        /// How long, such as 90s, 10m, 24h or 7d; left out: until it is removed
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        time: Option<u64>,
        /// Why, for the list
        #[arg(long, default_value = "by hand")]
        reason: String,
    },
    /// Lift a ban
    Remove {
        /// As it stands in the list
        #[arg(value_name = "NET")]
        network: String,
    },
}

/// Seconds of `90`, `90s`, `10m`, `24h`, `7d`.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()) {
        "" => return Err("must be a number with s, m, h or d, such as 10m".to_owned()),
        number => (number, text.get(number.len()..).unwrap_or_default()),
    };
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("`{unit}` is none of s, m, h, d")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{number}` is no whole number"))?;
    match number.checked_mul(factor) {
        Some(0) => Err("must be more than nothing".to_owned()),
        // A thousand years: the calendar of the list ends somewhere.
        Some(seconds) if seconds <= 365_000 * 86_400 => Ok(seconds),
        _ => Err("is too long; leave it out to ban until further notice".to_owned()),
    }
}

/// Does it. The exit code.
#[must_use]
pub fn run(dir: &Path, action: &Action, as_json: bool) -> u8 {
    let request = match action {
        Action::List => json!({ "command": "bans" }),
        Action::Add { network, time, reason } => {
            json!({ "command": "ban", "network": network, "seconds": time, "reason": reason })
        }
        Action::Remove { network } => json!({ "command": "unban", "network": network }),
    };
    if let Action::Add { network: text, .. } | Action::Remove { network: text } = action
        && let Err(why) = network(text)
    {
        eprintln!("`{}` {why}", escape(text));
        return USAGE;
    }
    // A file that is being edited just now must not hide a running pool.
    let config = config::load_sparing_secrets(dir).config;
    let data_dir = config.map_or_else(|| dir.join("data"), |config| config.data_dir);
    let socket = master::control_socket(&data_dir);
    let answer = match command(&socket, &request) {
        Ok(answer) => answer,
        Err(error) if is_down(&error) => {
            eprintln!("the pool is not running (nobody at {})", socket.display());
            return NOT_RUNNING;
        }
        Err(error) => {
            eprintln!("{}", unanswered(&socket, &error));
            return FAILED;
        }
    };
    let error = answer.get("error").and_then(Value::as_str);
    match (error, action) {
        (Some(error), _) => eprintln!("{}", escape(error)),
        _ if as_json => println!("{answer}"),
        (None, Action::List) => print!("{}", table(&answer, clock::unix_ms())),
        (None, Action::Add { time, .. }) => {
            let time =
                time.map_or("until removed".to_owned(), |time| format!("for {}", duration(time)));
            println!("{} is banned {time}", text(&answer, "network"));
        }
        (None, Action::Remove { .. }) => println!("{} is free again", text(&answer, "network")),
    }
    if error.is_some() { FAILED } else { DONE }
}

fn table(answer: &Value, now: u64) -> String {
    let bans = answer.get("bans").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kernel = kernel(answer.get("nftables").unwrap_or(&Value::Null));
    if bans.is_empty() {
        return format!("nobody is banned\n{kernel}");
    }
    let mut out = format!("{:<43} {:>14} {:>8}  reason\n", "network", "for", "offences");
    for ban in bans {
        let left = match ban.get("until").and_then(Value::as_u64) {
            Some(until) => duration(until.saturating_sub(now) / 1000),
            None => "until removed".to_owned(),
        };
        let offences = text(ban, "offences");
        let (network, reason) = (text(ban, "network"), text(ban, "reason"));
        let _ = writeln!(out, "{network:<43} {left:>14} {offences:>8}  {reason}");
    }
    out + &kernel
}

/// Whether the kernel is told, too; nothing where that is not wanted.
fn kernel(nftables: &Value) -> String {
    let Some(table) = nftables.get("table") else { return String::new() };
    let table = escape(table.as_str().unwrap_or_default());
    let trouble = nftables.get("trouble").and_then(Value::as_str);
    let is_dry = nftables.get("dry_run") == Some(&Value::Bool(true));
    match (trouble, is_dry) {
        (Some(words), _) => format!("nftables: {}\n", escape(words)),
        (None, true) => "nftables: a dry run, the kernel is told nothing\n".to_owned(),
        (None, false) => format!("nftables: the kernel drops them (table inet {table})\n"),
    }
}

fn text(of: &Value, key: &str) -> String {
    match of.get(key) {
        Some(Value::String(text)) => escape(text),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in
            [("90", 90), ("90s", 90), ("10m", 600), ("24h", 86_400), ("7d", 604_800)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "0", "0s", "-1", "1.5h", "10 m", "10w", "99999999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_shows_what_counts() {
        let answer = json!({"bans": [
            {"network": "192.0.2.7/32", "until": 700_000, "offences": 2, "reason": "bad\u{1b}"},
            {"network": "2001:db8::/32", "until": null, "offences": 0, "reason": "by hand"},
        ]});
        let table = table(&answer, 100_000);
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.get(1), Some(&vec!["192.0.2.7/32", "10", "min", "2", "bad\\u{1b}"]));
        let expected = vec!["2001:db8::/32", "until", "removed", "0", "by", "hand"];
        assert_eq!(lines.get(2), Some(&expected));
        for (nftables, words) in [
            (Value::Null, ""),
            (json!({"table": "romp", "dry_run": false, "trouble": null}), "table inet romp"),
            (json!({"table": "romp", "dry_run": true, "trouble": null}), "a dry run"),
            (json!({"table": "romp", "dry_run": false, "trouble": "no\u{1b}"}), "no\\u{1b}"),
        ] {
            let said = super::table(&json!({"bans": [], "nftables": nftables}), 0);
            assert!(said.starts_with("nobody is banned\n") && said.contains(words), "{said}");
            assert_eq!(said.lines().count(), if words.is_empty() { 1 } else { 2 });
        }
    }
}
