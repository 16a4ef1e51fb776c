//! Numbers and names as people and NOMP's readers write them. Pure.

use crate::rewards::Amount;
use crate::stratum::is_unruly;
pub(super) use crate::stratum::{shown, tame};
use std::fmt::Write as _;

/// A hash rate as NOMP writes it: divided by 1000 once at least. Its list of units ended at `PH`
/// and went on with `undefined`.
pub(super) fn nomp_rate(mut rate: f64) -> String {
    const UNITS: [&str; 8] = ["KH", "MH", "GH", "TH", "PH", "EH", "ZH", "YH"];
    let mut at = 0;
    rate /= 1000.0;
    while rate > 1000.0 && at + 1 < UNITS.len() {
        rate /= 1000.0;
        at += 1;
    }
    format!("{rate:.2} {}", UNITS.get(at).unwrap_or(&"YH"))
}

/// A hash rate for people.
pub(super) fn rate(rate: f64) -> String {
    if rate < 1000.0 {
        return format!("{rate:.2} H/s");
    }
    let mut text = nomp_rate(rate).replace("KH", "kH");
    text.push_str("/s");
    text
}

/// A name without what hides, turns or breaks the text around it.
pub(super) fn bare(name: &str) -> String {
    name.chars().filter(|character| !is_unruly(*character)).collect()
}

/// A name as a part of a path.
pub(super) fn in_path(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    // A path of dots alone would be taken away by browsers.
    if out.bytes().all(|byte| byte == b'.') { out.replace('.', "%2E") } else { out }
}

/// Coins, from the smallest unit; also beyond 64 bits.
pub(super) fn coins(units: u128) -> String {
    format!("{}.{:08}", units / 100_000_000, units % 100_000_000)
}

/// Coins without zeros at the end, as Redis has them in NOMP.
pub(super) fn short_coins(units: u128) -> String {
    let text = coins(units);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An amount as coins.
pub(super) fn amount(amount: Amount) -> String {
    coins(u128::from(amount.0))
}

/// A difficulty, or work, of five digits or so that count.
pub(super) fn difficulty(difficulty: f64) -> String {
    match difficulty {
        0.0 => "0".to_owned(),
        small if small < 1e-3 => format!("{small:.2e}"),
        large if large >= 1000.0 => format!("{large:.0}"),
        other => ((other * 1000.0).round() / 1000.0).to_string(),
    }
}

/// How long ago that was: both unix milliseconds.
pub(super) fn ago(at: u64, now: u64) -> String {
    format!("{} ago", duration(now.saturating_sub(at) / 1000))
}

/// Seconds for people.
pub(super) fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Unix seconds as a date and a time.
pub(super) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year + era * 400, month + 3),
        _ => (year + era * 400 + 1, month - 9),
    };
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Parts per million as percent.
pub(super) fn percent(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The name in a `Host` header, without its port; `None` when it is no name.
pub(super) fn host_of(header: &str) -> Option<String> {
    let name = match header.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => format!("[{address}]"),
        None => header.split(':').next().unwrap_or_default().to_owned(),
    };
    let fine = |letter: char| letter.is_ascii_alphanumeric() || ".-[]:".contains(letter);
    (!name.is_empty() && name.len() <= 255 && name.chars().all(fine)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_nomp_did_where_it_was_right() {
        assert_eq!(nomp_rate(20_971.52), "20.97 KH");
        assert_eq!(nomp_rate(0.0), "0.00 KH");
        assert_eq!(nomp_rate(1_000_000.0), "1000.00 KH");
        assert_eq!(nomp_rate(2.5e6), "2.50 MH");
        assert_eq!(nomp_rate(3e18), "3.00 EH", "NOMP: undefined");
        assert_eq!(rate(12.0), "12.00 H/s");
        assert_eq!(rate(2.5e9), "2.50 GH/s");
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(in_path("a/b?c\"<\u{e9}"), "a%2Fb%3Fc%22%3C%C3%A9");
        assert_eq!(in_path(".."), "%2E%2E");
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_400_000_000, "2014-05-13 16:53:20"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds), format!("{date} UTC"));
        }
    }

    #[test]
    fn money_is_exact() {
        assert_eq!(coins(u128::from(u64::MAX) * 10), "1844674407370.95516150");
        assert_eq!(short_coins(1_250_000_000), "12.5");
        assert_eq!(short_coins(1_000_000_000), "10");
        assert_eq!(percent(15_000), "1.5 %");
    }
}
