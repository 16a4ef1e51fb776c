//! The log: NOMP's lines or JSON, to stderr or a file that can be reopened.
//!
//! Severities are NOMP's: debug < warning < error < special. `log::debug!`, `log::warn!` and
//! `log::error!` are the first three (`log::info!` counts as debug); [`crate::special!`] is what an
//! operator must always see: started, block found, configuration changed.
//!
//! Text from outside is escaped: no line break or terminal code of a miner reaches the operator.

use crate::config::{LogLevel, Logging};
use crate::stratum::is_unruly;
use env_logger::fmt::style::{AnsiColor, Style};
use env_logger::{Builder, Target, WriteStyle};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Target of lines that are shown at every level.
pub const SPECIAL: &str = "special";

/// Logs what an operator must see at every `logLevel`. Arguments as for `log::error!`.
#[macro_export]
macro_rules! special {
    ($($argument:tt)+) => { ::log::error!(target: $crate::sys::log::SPECIAL, $($argument)+) };
}

static LEVEL: AtomicUsize = AtomicUsize::new(LevelFilter::Debug as usize);
static TAG: Mutex<String> = Mutex::new(String::new());
static FILE: Mutex<Option<(PathBuf, File)>> = Mutex::new(None);

/// Starts the log of this process and what it forks. A panic is logged and then aborts, so that no
/// half-changed state is ever used again. Called a second time it changes level and file only.
pub fn start(logging: &Logging, name: &str) {
    tag(name);
    super::stderr::prepare();
    set_level(logging.level);
    let opened = set_file(logging.file.as_deref());
    let json = logging.json;
    let colors = logging.colors && io::stderr().is_terminal();
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Debug);
    // Colours are chosen line by line: a reload may move the log from the terminal to a file.
    builder.target(Target::Pipe(Box::new(Reopenable))).write_style(WriteStyle::Always);
    builder.format(move |out, record| {
        let time = out.timestamp_millis().to_string();
        let name = TAG.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if json {
            let line = serde_json::json!({
                "time": time, "level": level_name(record), "process": name,
                "message": record.args().to_string(),
            });
            return writeln!(out, "{line}");
        }
        let to_file = FILE.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let style = if colors && !to_file { style(record) } else { Style::new() };
        let time = plain_time(&time);
        let (word, text) = (word(record), escape(&record.args().to_string()));
        writeln!(out, "{style}{time} [{name}] {word}{text}{style:#}")
    });
    if log::set_boxed_logger(Box::new(Gate(builder.build()))).is_ok() {
        log::set_max_level(LevelFilter::Debug);
        std::panic::set_hook(Box::new(|info| {
            log::error!("this is a bug, please report it: {info}");
            std::process::abort();
        }));
    }
    if let Err(error) = opened {
        log::error!("{error}; logging to stderr");
    }
}

/// Sets the name of this process in its lines, e.g. `WRK-03`.
pub fn tag(name: &str) {
    name.clone_into(&mut TAG.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Sets the lowest severity that is shown.
pub fn set_level(level: LogLevel) {
    let filter = match level {
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Special => LevelFilter::Off,
    };
    LEVEL.store(filter as usize, Ordering::Relaxed);
}

/// Opens the log file again under its name (after `logrotate` has moved it away). If that fails
/// the open file is kept, and the failure is logged to it.
pub fn reopen() {
    let path = FILE.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|it| it.0.clone());
    if let Err(error) = path.map_or(Ok(()), |path| set_file(Some(&path))) {
        log::error!("{error}; going on with the old log file");
    }
}

/// Changes where lines go; `None` is stderr.
///
/// # Errors
/// When the file cannot be opened; nothing changes.
pub fn set_file(path: Option<&Path>) -> io::Result<()> {
    let new = match path {
        None => None,
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
            let named = |error| io::Error::other(format!("logFile {}: {error}", path.display()));
            Some((path.to_owned(), file.map_err(named)?))
        }
    };
    *FILE.lock().unwrap_or_else(PoisonError::into_inner) = new;
    Ok(())
}

/// Replaces unruly characters by escapes, so that a text stays on its line and reads as it is.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unruly(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// A line is shown when its severity is, or when it is special.
fn shown(metadata: &Metadata<'_>) -> bool {
    metadata.target() == SPECIAL || metadata.level() as usize <= LEVEL.load(Ordering::Relaxed)
}

/// Other packages' debug lines (HTTP, database) can hold passwords, and are not for operators.
fn is_for_operators(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target() == SPECIAL || metadata.target().starts_with("romp");
    ours || metadata.level() <= Level::Warn
}

fn level_name(record: &Record<'_>) -> &'static str {
    match record.level() {
        _ if record.target() == SPECIAL => "special",
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info | Level::Debug | Level::Trace => "debug",
    }
}

/// Severity before the text: colours are lost in files.
fn word(record: &Record<'_>) -> &'static str {
    match level_name(record) {
        "error" => "error: ",
        "warning" => "warning: ",
        _ => "",
    }
}

/// NOMP's colours: grey, yellow, red, cyan.
fn style(record: &Record<'_>) -> Style {
    let color = match level_name(record) {
        "special" => AnsiColor::Cyan,
        "error" => AnsiColor::Red,
        "warning" => AnsiColor::Yellow,
        _ => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(color.into()))
}

/// `2026-11-22T15:00:00.123Z` as NOMP writes it, in UTC: `2026-11-22 15:00:00`.
fn plain_time(rfc3339: &str) -> String {
    rfc3339.chars().take(19).map(|char| if char == 'T' { ' ' } else { char }).collect()
}

/// Lets through what the level allows.
struct Gate(env_logger::Logger);

impl Log for Gate {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        shown(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if shown(record.metadata()) && is_for_operators(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Writes to the file that is open now, or to stderr.
struct Reopenable;

impl Write for Reopenable {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match FILE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some((_, file)) => file.write(line),
            None => {
                super::stderr::write(line);
                Ok(line.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_stays_on_its_line() {
        assert_eq!(escape("ok \u{e4}"), "ok \u{e4}");
        assert_eq!(escape("a\u{200f}b"), "a\\u{200f}b");
        assert_eq!(escape("a\nb\u{1b}[31m\r"), "a\\nb\\u{1b}[31m\\r");
        assert_eq!(escape("\u{202e}evil"), "\\u{202e}evil");
    }

    #[test]
    fn times_are_written_as_nomp_does() {
        assert_eq!(plain_time("2026-11-22T15:00:00.123Z"), "2026-11-22 15:00:00");
    }

    #[test]
    fn a_log_that_was_moved_away_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("romp.log"), dir.path().join("romp.log.1"));
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        set_file(Some(&path)).unwrap();
        Reopenable.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        Reopenable.write_all(b"two\n").unwrap();
        reopen();
        Reopenable.write_all(b"three\n").unwrap();
        // What cannot be opened changes nothing.
        let error = set_file(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("logFile"), "{error}");
        Reopenable.write_all(b"four\n").unwrap();
        set_file(None).unwrap();
        assert_eq!((read(&moved), read(&path)), ("one\ntwo\n".into(), "three\nfour\n".into()));
    }

    #[test]
    fn what_other_packages_tell_of_their_work_is_left_out() {
        let line = |target, level| Metadata::builder().target(target).level(level).build();
        for target in ["ureq_proto::client::prepare", "ureq::unversioned::transport", "redis"] {
            assert!(!is_for_operators(&line(target, Level::Debug)), "{target}");
            assert!(is_for_operators(&line(target, Level::Warn)), "{target}");
        }
        assert!(is_for_operators(&line("romp::worker", Level::Debug)));
        assert!(is_for_operators(&line(SPECIAL, Level::Error)));
    }

    #[test]
    fn severities_gate() {
        let line = |target, level| Metadata::builder().target(target).level(level).build();
        set_level(LogLevel::Special);
        assert!(!shown(&line("romp", Level::Error)));
        assert!(shown(&line(SPECIAL, Level::Error)));
        set_level(LogLevel::Warning);
        assert!(shown(&line("romp", Level::Warn)));
        assert!(!shown(&line("romp", Level::Info)));
        set_level(LogLevel::Debug);
        assert!(shown(&line("romp", Level::Debug)));
    }
}
