//! Blocknotify: what a line says, who may say it, and how often it is passed on. Pure.
//!
//! Two forms, both NOMP's: the early `{"password": ..., "coin": ..., "hash": ...}` and the later
//! `{"command": "blocknotify", "params": [coin, hash], "options": {}}`. A notice is a hint: the
//! worst a liar can do is to make the pool look for a block that is not there, ten times a second.

use crate::chain::Hash;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Longest line, in bytes.
pub(crate) const LONGEST_LINE: usize = 1024;
/// Wrong passwords after which a source is not listened to.
const WRONG_PASSWORDS: u32 = 5;
/// For how long (ms).
const SILENCE: u64 = 60_000;
/// Sources that are remembered.
const SOURCES: usize = 4096;
/// Least time (ms) between two notices of one coin that are passed on.
const APART: u64 = 100;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The password, if the line has one.
    pub(crate) password: Option<String>,
    /// The coin as written.
    pub(crate) coin: String,
    /// The new tip, if it is a hash.
    pub(crate) hash: Option<Hash>,
}

#[derive(Deserialize)]
struct Early {
    password: Option<String>,
    coin: String,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Later {
    command: String,
    #[serde(default)]
    params: Vec<String>,
    password: Option<String>,
}

/// Reads a line (without its end).
///
/// # Errors
/// In words for whoever sent it.
pub(crate) fn parse(line: &[u8]) -> Result<Notice, String> {
    if let Ok(later) = serde_json::from_slice::<Later>(line) {
        if later.command != "blocknotify" {
            return Err(format!("unknown command `{}`", brief(&later.command)));
        }
        let mut params = later.params.into_iter();
        let Some(coin) = params.next() else {
            return Err("blocknotify needs a coin and a hash".to_owned());
        };
        let hash = params.next().as_deref().and_then(Hash::from_display);
        return Ok(Notice { password: later.password, coin, hash });
    }
    let early: Early = serde_json::from_slice(line)
        .map_err(|_| "refused: not a line of blocknotify".to_owned())?;
    let hash = early.hash.as_deref().and_then(Hash::from_display);
    Ok(Notice { password: early.password, coin: early.coin, hash })
}

/// A text from outside for an answer or the log: at most 40 characters, nothing but text.
pub(crate) fn brief(text: &str) -> String {
    crate::sys::log::escape(&text.chars().take(40).collect::<String>())
}

/// Whether a line's password is the listener's, in a time that says nothing about either.
pub(crate) fn is_right(given: Option<&str>, wanted: &str) -> bool {
    // Lengths differ in time: hash first, so that equal lengths are compared.
    let digest = |text: &str| crate::chain::sha256d(text.as_bytes()).0;
    bool::from(digest(given.unwrap_or_default()).ct_eq(&digest(wanted))) && given.is_some()
}

/// Who gave wrong passwords, and when.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    sources: HashMap<IpAddr, Source>,
    /// Wrong passwords since start.
    pub(crate) wrong: u64,
}

#[derive(Debug)]
struct Source {
    wrong: u32,
    last: u64,
}

impl Guard {
    /// Whether a source is to be left without an answer.
    pub(crate) fn is_silenced(&self, source: IpAddr, now: u64) -> bool {
        self.sources.get(&source).is_some_and(|source| {
            source.wrong >= WRONG_PASSWORDS && now.saturating_sub(source.last) < SILENCE
        })
    }

    /// A wrong password. Returns whether the source is silenced by it.
    pub(crate) fn wrong(&mut self, source: IpAddr, now: u64) -> bool {
        self.wrong += 1;
        if self.sources.len() >= SOURCES {
            self.sources.retain(|_, source| now.saturating_sub(source.last) < SILENCE);
        }
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.sources.clear();
        }
        let entry = self.sources.entry(source).or_insert(Source { wrong: 0, last: now });
        if now.saturating_sub(entry.last) >= SILENCE {
            entry.wrong = 0;
        }
        entry.wrong += 1;
        entry.last = now;
        entry.wrong == WRONG_PASSWORDS
    }

    /// A right password.
    pub(crate) fn right(&mut self, source: IpAddr) {
        self.sources.remove(&source);
    }
}

/// Keeps notices of one coin apart: the first passes at once, those that follow it closely become
/// one, the latest.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    coins: BTreeMap<String, Coin>,
}

#[derive(Debug)]
struct Coin {
    last: u64,
    waiting: Option<Option<Hash>>,
}

impl Pace {
    /// A notice has come. Returns it when it is to be passed on now. `coin` is an id of ours, so
    /// that there are few.
    pub(crate) fn notice(
        &mut self,
        coin: &str,
        hash: Option<Hash>,
        now: u64,
    ) -> Option<(String, Option<Hash>)> {
        match self.coins.get_mut(coin) {
            Some(known) if now.saturating_sub(known.last) < APART => {
                known.waiting = Some(hash);
                None
            }
            _ => {
                self.coins.insert(coin.to_owned(), Coin { last: now, waiting: None });
                Some((coin.to_owned(), hash))
            }
        }
    }

    /// Notices that have waited long enough.
    pub(crate) fn due(&mut self, now: u64) -> Vec<(String, Option<Hash>)> {
        let mut due = Vec::new();
        for (name, coin) in &mut self.coins {
            if now.saturating_sub(coin.last) >= APART
                && let Some(hash) = coin.waiting.take()
            {
                coin.last = now;
                due.push((name.clone(), hash));
            }
        }
        due
    }

    /// Whether a notice waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.coins.values().any(|coin| coin.waiting.is_some())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978";

    #[test]
    fn both_forms_are_understood() {
        let early = format!(r#"{{"password":"test","coin":"Litecoin","hash":"{HASH}"}}"#);
        let early = parse(early.as_bytes()).unwrap();
        assert_eq!((early.password.as_deref(), early.coin.as_str()), (Some("test"), "Litecoin"));
        assert_eq!(early.hash.unwrap().to_string(), HASH);
        let later = format!(
            r#"{{"command":"blocknotify","params":["litecoin","{HASH}"],"options":{{"a":1}}}}"#
        );
        let later = parse(later.as_bytes()).unwrap();
        assert_eq!((later.password, later.coin.as_str()), (None, "litecoin"));
        assert_eq!(later.hash, early.hash);
        // The C helper of NOMP sends no options; a hash that is none is left out.
        let bare = parse(br#"{"command":"blocknotify","params":["x","%s"]}"#).unwrap();
        assert_eq!((bare.coin.as_str(), bare.hash), ("x", None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, answer) in [
            (&b"hello"[..], "refused: not a line of blocknotify"),
            (b"", "refused: not a line of blocknotify"),
            (br#"{"coin":5}"#, "refused: not a line of blocknotify"),
            (br#"{"command":"blocknotify","params":[]}"#, "blocknotify needs a coin and a hash"),
            (b"{\"command\":\"rm\x7f\"}", "unknown command `rm\\u{7f}`"),
        ] {
            assert_eq!(parse(line).unwrap_err(), answer);
        }
    }

    #[test]
    fn passwords_are_compared_whole() {
        assert!(is_right(Some("test"), "test"));
        assert!(!is_right(Some("test "), "test"));
        assert!(!is_right(Some(""), "test"));
        assert!(!is_right(None, "test"));
        assert!(!is_right(None, ""));
    }

    #[test]
    fn a_source_is_silenced_for_a_minute() {
        let (liar, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut guard = Guard::default();
        for attempt in 1..=5 {
            assert!(!guard.is_silenced(liar, 1000));
            assert_eq!(guard.wrong(liar, 1000), attempt == 5);
        }
        assert!(guard.is_silenced(liar, 60_999));
        assert!(!guard.is_silenced(other, 1000));
        assert!(!guard.is_silenced(liar, 61_000));
        assert!(!guard.wrong(liar, 61_000), "counts from one again");
        guard.right(liar);
        assert_eq!(guard.wrong, 6);
    }

    #[test]
    fn memory_for_sources_is_bounded() {
        let mut guard = Guard::default();
        for address in 0..20_000_u32 {
            guard.wrong(IpAddr::from(address.to_be_bytes()), 0);
        }
        assert!(guard.sources.len() <= SOURCES);
    }

    #[test]
    fn a_storm_becomes_ten_a_second() {
        let mut pace = Pace::default();
        let mut passed = Vec::new();
        for now in 0..1000_u64 {
            let mut hash = Hash::default();
            hash.0[..8].copy_from_slice(&now.to_le_bytes());
            passed.extend(pace.notice("litecoin", Some(hash), now));
            passed.extend(pace.due(now));
        }
        assert!(pace.is_waiting());
        passed.extend(pace.due(2000));
        assert!((10..=11).contains(&passed.len()), "{}", passed.len());
        let mut last = Hash::default();
        last.0[..8].copy_from_slice(&999_u64.to_le_bytes());
        assert_eq!(passed.last().unwrap().1, Some(last), "the latest is never dropped");
        assert!(pace.notice("bitcoin", None, 999).is_some(), "coins do not wait for each other");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }

        #[test]
        fn no_text_panics(line in "\\{\"(command|coin|password|params)\":.{0,60}\\}") {
            let _ = parse(line.as_bytes());
        }
    }
}
