//! `romp notify`: tries whom the operator named for messages, and shows what waits for them.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command's output.

use super::{CONFIGURATION, DONE, FAILED};
use crate::config::{self, Config, EventKind};
use crate::notifier::{self, Failure, Outbox, Target};
use crate::sys::clock::unix_ms;
use crate::sys::log::escape;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Longest wish of a target to be left alone that a test keeps to: chat services take five messages
/// in two seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Send a sample of each event that a target wants, now. Exit code 1 when one was not taken
    Test {
        /// Only that event, also to who does not want it; may be repeated
        #[arg(long = "event", value_name = "KIND", value_parser = PossibleValuesParser::new(EventKind::ALL.map(EventKind::name)))]
        events: Vec<String>,
        /// Only to that webhook, by its number in the configuration from 1 on, or `mail`
        #[arg(long, value_name = "WHOM")]
        to: Option<String>,
    },
    /// Show whom messages go to, how many wait, and what went wrong last
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. The exit code.
#[must_use]
pub fn run(dir: &Path, action: &Action) -> u8 {
    let loaded = config::load(dir);
    let Some(config) = loaded.config else {
        eprintln!("the configuration has errors (`romp check` shows them)");
        return CONFIGURATION;
    };
    if config.notifications.is_none() {
        eprintln!("nobody is told anything: config.json has no `notifications`");
        return FAILED;
    }
    match action {
        Action::Test { events, to } => test(&config, events, to.as_deref()),
        Action::List { json } => list(&config, *json),
    }
}

fn test(config: &Config, events: &[String], to: Option<&str>) -> u8 {
    let targets = notifier::targets(config);
    // `webhook 2 (...)` is called 2, `mail (...)` mail.
    let is_meant = |target: &&Target| {
        let mut words = target.label.split(' ');
        to.is_none_or(|to| words.next() == Some(to) || words.next() == Some(to))
    };
    let meant: Vec<&Target> = targets.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let all: Vec<&str> = targets.iter().map(|target| target.label.as_str()).collect();
        eprintln!("there is no such target; there are: {}", all.join(", "));
        return FAILED;
    }
    let asked: Vec<EventKind> =
        events.iter().filter_map(|name| EventKind::from_name(name)).collect();
    let coin = config.pools.keys().next().map(String::as_str).unwrap_or_default();
    let mut code = DONE;
    for target in meant {
        let kinds = if asked.is_empty() { &target.events } else { &asked };
        if kinds.is_empty() {
            println!("{}: wants no events", escape(&target.label));
        }
        for &kind in kinds {
            let answer = send(target, kind, coin);
            let name = kind.name();
            match answer {
                Ok(answer) => println!("{}: {name}: taken: {answer}", escape(&target.label)),
                Err(failure) => {
                    let words = escape(&failure.words);
                    println!("{}: {name}: not taken: {words}", escape(&target.label));
                    code = FAILED;
                }
            }
        }
    }
    code
}

/// Sends a sample; once more if the other side wants to be left alone for a moment.
fn send(target: &Target, kind: EventKind, coin: &str) -> Result<String, Failure> {
    let event = notifier::sample(kind, coin, unix_ms());
    match target.send(&event, unix_ms() / 1000) {
        Err(failure) if !failure.wait.is_zero() && failure.wait <= PATIENCE => {
            std::thread::sleep(failure.wait);
            target.send(&event, unix_ms() / 1000)
        }
        answer => answer,
    }
}

fn list(config: &Config, as_json: bool) -> u8 {
    let outbox = match Outbox::open_for_reading(&config.data_dir) {
        Ok(outbox) => outbox,
        Err(error) => {
            eprintln!("{error}");
            return FAILED;
        }
    };
    let now = unix_ms();
    let mut all = Vec::new();
    for target in notifier::targets(config) {
        let standing = match outbox.as_ref().map(|outbox| outbox.standing(&target.name)) {
            Some(Ok(standing)) => standing,
            None => notifier::Standing::default(),
            Some(Err(error)) => {
                eprintln!("{error}");
                return FAILED;
            }
        };
        all.push((target, standing));
    }
    if as_json {
        let targets = all.iter().map(|(target, standing)| {
            json!({
                "target": target.label,
                "events": target.events.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
                "waiting": standing.waiting,
                "failures": standing.failures,
                "error": standing.error,
                "failing_since": (standing.since > 0).then_some(standing.since / 1000),
                "next_try": (standing.next > now).then_some(standing.next / 1000),
                "sent": standing.sent,
                "last_sent": (standing.sent_at > 0).then_some(standing.sent_at / 1000),
                "given_up": standing.dropped,
            })
        });
        println!("{}", json!({ "targets": targets.collect::<Vec<_>>() }));
        return DONE;
    }
    for (target, standing) in all {
        println!(
            "{}: {} wait, {} sent, {} given up",
            escape(&target.label),
            standing.waiting,
            standing.sent,
            standing.dropped
        );
        if standing.failures > 0 {
            println!(
                "  {} failures in a row for {} s, next try in {} s: {}",
                standing.failures,
                now.saturating_sub(standing.since) / 1000,
                standing.next.saturating_sub(now) / 1000,
                escape(&standing.error)
            );
        }
    }
    DONE
}
