//! Single values: durations, secrets, hosts, exact fractions; and where a key is written.

use super::check_notice::endpoint;
use super::checked::{Daemon, Redis};
use super::diagnostics::{Place, Report, Severity, shown};
use super::document::Document;
use super::raw::{RawDaemon, RawRedis, RawSecret};
use super::secret::Secret;
use crate::rewards::Amount;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// Bytes that a password file may have.
const MOST_SECRET_BYTES: u64 = 4096;

/// A part of a file: its document and the keys above it.
#[derive(Clone)]
struct Part<'a> {
    document: &'a Document,
    prefix: Vec<String>,
}

impl Part<'_> {
    fn path(&self, path: &[&str]) -> Vec<String> {
        self.prefix.iter().cloned().chain(path.iter().map(ToString::to_string)).collect()
    }
}

/// Where the keys of one thing are written: in its own file, or else in `defaultPoolConfigs`.
#[derive(Clone)]
pub(super) struct Keys<'a> {
    own: Part<'a>,
    defaults: Option<Part<'a>>,
}

impl<'a> Keys<'a> {
    /// All in one file.
    pub(super) fn of(document: &'a Document) -> Self {
        Self { own: Part { document, prefix: Vec::new() }, defaults: None }
    }

    /// In a file, with `defaultPoolConfigs` of the portal behind it.
    pub(super) fn with_defaults(document: &'a Document, portal: Option<&'a Document>) -> Self {
        let prefix = vec!["defaultPoolConfigs".to_owned()];
        let defaults = portal.map(|document| Part { document, prefix });
        Self { defaults, ..Self::of(document) }
    }

    /// Whether the own file has that top-level key.
    pub(super) fn owns(&self, key: &str) -> bool {
        self.own.document.has(&self.own.path(&[key]))
    }

    fn part(&self, path: &[&str]) -> &Part<'a> {
        // Without a key the file itself is meant, never the defaults.
        let Some(&top) = path.first() else { return &self.own };
        match &self.defaults {
            Some(part) if !self.owns(top) && part.document.has(&part.path(&[top])) => part,
            _ => &self.own,
        }
    }

    /// The place of a value, or of what should hold it.
    pub(super) fn at(&self, path: &[&str]) -> Place<'a> {
        let part = self.part(path);
        part.document.place(&part.path(path))
    }

    /// The place of a key, or of what should hold it.
    pub(super) fn key(&self, path: &[&str]) -> Place<'a> {
        let part = self.part(path);
        part.document.key_place(&part.path(path))
    }

    /// A value as written, without quotes.
    pub(super) fn written(&self, path: &[&str]) -> Option<&'a str> {
        let part = self.part(path);
        part.document.written(&part.path(path)).map(|text| text.trim_matches('"'))
    }

    /// Whether something was written there, also if it could not be used and was reported.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.written(path).is_some_and(|text| text != "null")
    }

    fn document(&self, path: &[&str]) -> &'a Document {
        self.part(path).document
    }
}

/// How a duration is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Reads values, reporting those that cannot be.
pub(super) struct Judge<'r> {
    /// The configuration folder.
    pub(super) dir: &'r Path,
    /// Where findings go.
    pub(super) report: &'r mut Report,
    /// Whether a secret that is not to be had here is an error.
    pub(super) secrets: Secrets,
}

/// Whether whoever reads a configuration sends secrets to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// One that cannot be read is an error.
    Needed,
    /// One that cannot be read is left out: it may be in the pool's environment only.
    Spared,
}

impl Judge<'_> {
    /// A duration within bounds (in its scale), or the default (likewise).
    pub(super) fn duration(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        value: Option<f64>,
        default: f64,
        bounds: &RangeInclusive<f64>,
        scale: Scale,
    ) -> Duration {
        let value = self.number(keys, path, value, default, bounds);
        let seconds = match scale {
            Scale::Seconds => value,
            Scale::Milliseconds => value / 1000.0,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// A number within bounds, or the default.
    pub(super) fn number(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        value: Option<f64>,
        default: f64,
        bounds: &RangeInclusive<f64>,
    ) -> f64 {
        let value = value.unwrap_or(default);
        if bounds.contains(&value) {
            return value;
        }
        let title = format!("`{}` is out of range", shown(&path.join(".")));
        let hint = format!("must be from {} to {}", bounds.start(), bounds.end());
        self.report.error(&keys.at(path), &title, &hint);
        default
    }

    /// A port, which 0 is not.
    pub(super) fn port(&mut self, keys: &Keys<'_>, path: &[&str], port: u16) -> u16 {
        if port == 0 {
            let title = format!("`{}` is no port", shown(&path.join(".")));
            self.report.error(&keys.at(path), &title, "must be from 1 to 65535");
        }
        port
    }

    /// A host: a name or an address, nothing more.
    pub(super) fn host(&mut self, keys: &Keys<'_>, path: &[&str], host: &str) -> String {
        let fine = |letter: char| letter.is_ascii_alphanumeric() || ".-_:[]%".contains(letter);
        if host.is_empty() || host.len() > 255 || !host.chars().all(fine) {
            let title = format!("`{}` is no host", path.join("."));
            let hint = "must be a bare name or address, without scheme, user or path";
            self.report.error(&keys.at(path), &title, hint);
        }
        host.to_owned()
    }

    /// A secret from where it is.
    pub(super) fn secret(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        raw: &RawSecret,
    ) -> Option<Secret> {
        let found = match raw {
            RawSecret::Inline(text) => {
                let document = keys.document(path);
                if document.world_readable && !text.is_empty() {
                    let why = "holds a password and everybody on this machine may read it; \
                        `chmod o-r` it, or use {\"file\": ...} or {\"env\": ...}";
                    self.report.file(Severity::Warning, &document.name, why);
                }
                return Some(Secret::new(text.clone()));
            }
            RawSecret::File { file } => {
                let path = self.dir.join(file);
                secret_file(&path).map_err(|why| format!("{}: {why}", path.display()))
            }
            RawSecret::Env { env } => match std::env::var(env) {
                Ok(text) if text.is_empty() => Err("the environment variable is empty".to_owned()),
                Ok(text) => Ok(text),
                Err(_) => Err("the environment variable is not set here, or not UTF-8 \
                    (sudo and systemd do not pass it on by themselves)"
                    .to_owned()),
            },
        };
        match found {
            Ok(text) => Some(Secret::new(text)),
            Err(_) if self.secrets == Secrets::Spared => None,
            Err(why) => {
                let title = format!("`{}` cannot be read", path.join("."));
                self.report.error(&keys.at(path), &title, &why);
                None
            }
        }
    }

    /// A server's password: empty where it is spared, so that the server still counts.
    pub(super) fn password(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        raw: &RawSecret,
    ) -> Option<Secret> {
        let spared = (self.secrets == Secrets::Spared).then(|| Secret::new(String::new()));
        self.secret(keys, path, raw).or(spared)
    }

    /// A Redis server.
    pub(super) fn redis(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        raw: &RawRedis,
    ) -> Option<Redis> {
        let below = |key| [path, &[key]].concat();
        let host = raw.host.as_deref().unwrap_or("127.0.0.1");
        let host = match host.starts_with('/') {
            true => host.to_owned(),
            false => self.host(keys, &below("host"), host),
        };
        let port = self.port(keys, &below("port"), raw.port.unwrap_or(6379));
        let password = match &raw.password {
            Some(raw) => Some(self.password(keys, &below("password"), raw)?),
            None => None,
        };
        let password = password.filter(|password| !password.expose().is_empty());
        Some(Redis { host, port, password, database: raw.database.unwrap_or(0) })
    }

    /// A coin daemon.
    pub(super) fn daemon(
        &mut self,
        keys: &Keys<'_>,
        path: &[&str],
        raw: &RawDaemon,
    ) -> Option<Daemon> {
        let below = |key| [path, &[key]].concat();
        let host = raw.host.as_deref().unwrap_or("127.0.0.1");
        let host = self.host(keys, &below("host"), host);
        let mut missing = Vec::new();
        let port = raw.port.map(|port| self.port(keys, &below("port"), port));
        for (key, absent) in [
            ("port", raw.port.is_none()),
            ("user", raw.user.is_none()),
            ("password", raw.password.is_none()),
        ] {
            if absent && !keys.has(&below(key)) {
                missing.push(format!("`{key}`"));
            }
        }
        let password =
            raw.password.as_ref().map(|raw| self.password(keys, &below("password"), raw));
        if !missing.is_empty() {
            let hint = format!("add {}", missing.join(", "));
            self.report.error(&keys.at(path), "a daemon is not complete", &hint);
        }
        let user = raw.user.clone()?;
        let zmq = raw.zmq.as_deref().and_then(|text| endpoint(text, keys, &below("zmq"), self));
        Some(Daemon { host, port: port?, user, password: password.flatten()?, zmq })
    }
}

/// An amount of coins exactly as written, since a float would not be exact.
pub(super) fn coins(
    keys: &Keys<'_>,
    path: &[&str],
    title: &str,
    judge: &mut Judge<'_>,
) -> Option<Amount> {
    let amount = keys.written(path).and_then(|text| scaled(text, 8)).map(Amount);
    if amount.is_none() {
        let hint = "must be a number of coins with at most 8 decimals";
        judge.report.error(&keys.at(path), title, hint);
    }
    amount
}

/// The first line's worth of a small file: its text without the newline at its end.
fn secret_file(path: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    let metadata = std::fs::metadata(path).map_err(said)?;
    if !metadata.is_file() || metadata.len() > MOST_SECRET_BYTES {
        return Err("not a file with a password".to_owned());
    }
    let mut text = std::fs::read_to_string(path).map_err(said)?;
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    if text.is_empty() { Err("the file is empty".to_owned()) } else { Ok(text) }
}

/// A decimal as written, times 10^shift, exactly; `None` when it is no plain non-negative decimal
/// or a fraction would remain. `1.5` shifted by 4 is 15000.
pub(super) fn scaled(text: &str, shift: usize) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places =
        i64::try_from(shift).ok()? + i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    let places = i32::try_from(places).ok()?;
    let number: u128 = digits.parse().ok()?;
    if number == 0 {
        return Some(0);
    }
    let power = 10_u128.checked_pow(places.unsigned_abs())?;
    let exact = if places >= 0 {
        number.checked_mul(power)?
    } else if number.is_multiple_of(power) {
        number / power
    } else {
        return None;
    };
    u64::try_from(exact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scales_exactly_or_not_at_all() {
        assert_eq!(scaled("1.5", 4), Some(15_000));
        assert_eq!(scaled("0.1", 4), Some(1_000));
        assert_eq!(scaled("0.02", 6), Some(20_000));
        assert_eq!(scaled("2e-2", 6), Some(20_000));
        assert_eq!(scaled("100", 4), Some(1_000_000));
        assert_eq!(scaled("0.00000", 4), Some(0));
        for text in ["0.00001", "-1", "", ".", "1e99", "1e-99", "1e999999999999", "abc", "1.2.3"] {
            assert_eq!(scaled(text, 4), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integer_arithmetic(number in 0_u64..1_000_000_000, decimals in 0_usize..5) {
            let power = 10_u64.pow(u32::try_from(decimals).unwrap_or_default());
            let text = match decimals {
                0 => number.to_string(),
                _ => format!("{}.{:0decimals$}", number / power, number % power),
            };
            prop_assert_eq!(scaled(&text, 4), Some(number * 10_000 / power));
        }

        #[test]
        fn survives_any_text(text in ".{0,30}") {
            let _ = scaled(&text, 4);
        }
    }
}
