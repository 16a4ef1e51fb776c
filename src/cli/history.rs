//! `romp history COIN [ADDRESS]`: work over time, of the pool or of the workers of an address; also
//! while the pool is down.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{pool_of, print, print_json, printable};
use super::status::hash_rate;
use super::{CONFIGURATION, DONE, FAILED, USAGE};
use crate::config::Loaded;
use crate::history::{History, HistoryError, Point, Sum};
use crate::stratum::Unit;
use crate::sys::clock::unix_ms;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Slots that a table has, about.
const LINES: u64 = 120;

/// What is needed to show a slot.
struct Scale {
    unit: Unit,
    /// The algorithm's `multiplier_shift`.
    shift: u32,
    /// Unix seconds.
    now: u64,
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
impl Scale {
    /// Hashes a second; of a slot that is not over, since it began.
    fn hash_rate(&self, point: &Point) -> f64 {
        let seconds = self.now.saturating_sub(point.at).clamp(1, point.length.max(1));
        self.unit.hash_rate(point.sum.weight as f64, self.shift, seconds as f64)
    }

    fn value(&self, point: &Point) -> Value {
        json!({
            "at": point.at, "length": point.length, "hashrate": self.hash_rate(point),
            "work": point.sum.weight as f64 * self.unit.as_f64(), "shares": point.sum.shares,
            "rejected": point.sum.rejected, "reasons": point.sum.reasons, "workers": point.workers,
            "miners": point.miners,
        })
    }

    fn line(&self, point: &Point, last: &str) -> String {
        let (time, rate) = (utc(point.at), hash_rate(self.hash_rate(point)));
        let (sum, why) = (&point.sum, reasons(&point.sum));
        format!("{time}  {rate:>12}  {:>9}  {:>8}  {last}{why}", sum.shares, sum.rejected)
    }
}

/// Runs the command. Returns the exit code.
#[must_use]
pub fn run(dir: &Path, coin: &str, address: Option<&str>, hours: u32, json: bool) -> u8 {
    let Loaded { config, errors, .. } = crate::config::load_sparing_secrets(dir);
    let Some(config) = config else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let Some(pool) = pool_of(&config, coin) else { return USAGE };
    let (now, id) = (unix_ms() / 1000, &pool.coin.id);
    let shift = pool.coin.algorithm.multiplier_shift();
    let span = u64::from(hours) * 3600;
    let (from, to, step) = (now.saturating_sub(span), now + 1, span / LINES);
    let ask = || -> Result<(), HistoryError> {
        let history = History::open_for_reading(&config.data_dir, id)?;
        let unit = history.as_ref().map(History::unit).transpose()?.flatten();
        let scale = Scale { unit: unit.unwrap_or(pool.unit), shift, now };
        match (&history, address) {
            (Some(history), None) => {
                show_pool(id, &history.pool(from, to, step)?, &scale, json);
            }
            (Some(history), Some(address)) => {
                let workers = history.miner(address, from, to, step)?;
                show_miner(id, address, &workers, &scale, json);
            }
            (None, None) => show_pool(id, &[], &scale, json),
            (None, Some(address)) => show_miner(id, address, &BTreeMap::new(), &scale, json),
        }
        Ok(())
    };
    match ask() {
        Ok(()) => DONE,
        Err(error) => {
            eprintln!("error: the history of {id} cannot be read: {error}");
            FAILED
        }
    }
}

/// Why shares were refused, at the end of a line.
fn reasons(sum: &Sum) -> String {
    let each: Vec<String> =
        sum.reasons.each().map(|(reject, count)| format!("{} {count}", reject.name())).collect();
    if each.is_empty() { String::new() } else { format!("  ({})", each.join(", ")) }
}

const HEAD: &str = "time (UTC)           hash rate     shares   refused";

fn show_pool(coin: &str, points: &[Point], scale: &Scale, json: bool) {
    if json {
        let points: Vec<_> = points.iter().map(|point| scale.value(point)).collect();
        return print_json(&json!({"coin": coin, "points": points}));
    }
    if points.is_empty() {
        return print(&format!("{coin}: no work in this time"));
    }
    print(&format!("{HEAD}  workers"));
    points.iter().for_each(|point| print(&scale.line(point, &point.workers.to_string())));
}

fn show_miner(
    coin: &str,
    address: &str,
    workers: &BTreeMap<String, Vec<Point>>,
    scale: &Scale,
    json: bool,
) {
    if json {
        let values = |points: &Vec<Point>| -> Value {
            points.iter().map(|point| scale.value(point)).collect()
        };
        let workers: BTreeMap<_, _> =
            workers.iter().map(|(name, points)| (name, values(points))).collect();
        return print_json(&json!({"coin": coin, "address": address, "workers": workers}));
    }
    if workers.is_empty() {
        return print(&format!("{coin}: no work of {} in this time", printable(address)));
    }
    print(&format!("{HEAD}  worker"));
    for (name, points) in workers {
        points.iter().for_each(|point| print(&scale.line(point, &printable(name))));
    }
}

/// Unix seconds as `2026-11-28 10:00`.
fn utc(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    // Years that begin in March, so that a leap day is the last one; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (year + era * 400, month + 3),
        _ => (year + era * 400 + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stratum::Reject;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_164_800, "2024-02-29 00:00"),
            (1_767_225_599, "2025-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }

    #[test]
    fn a_slot_that_is_not_over_counts_since_it_began() {
        let scale = |now| Scale { unit: Unit(-10), shift: 16, now };
        let sum = Sum { weight: 1024, shares: 1, rejected: 2, ..Sum::default() };
        let point = Point { at: 600, length: 600, sum, workers: 3, miners: Some(2) };
        // One share of difficulty 1 of scrypt is 65,536 hashes.
        for (now, seconds) in [(600, 1.0), (700, 100.0), (1200, 600.0), (99_999, 600.0)] {
            assert!((scale(now).hash_rate(&point) - 65_536.0 / seconds).abs() < 1e-6);
        }
        let line = scale(1200).line(&point, "3");
        assert_eq!(line, "1970-01-01 00:10    109.23 H/s          1         2  3");
        assert_eq!(line.find("109.23 H/s").map(|at| at + 10), HEAD.find("rate").map(|at| at + 4));
        assert_eq!(scale(1200).value(&point).get("work"), Some(&json!(1.0)));
        let refused = Point { sum: Sum::refused(Reject::LowDifficulty, 2), ..point };
        assert!(scale(1200).line(&refused, "3").ends_with("  2  3  (low-difficulty 2)"));
    }
}
