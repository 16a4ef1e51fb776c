//! What the operator is told: an event, as it is stored and sent.

use crate::config::EventKind;
use crate::stratum::tame;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Letters that an id may have: it stands in a header.
const LONGEST_ID: usize = 200;

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The same in every repetition of this message, and in no other one.
    pub id: String,
    /// What kind of thing.
    pub event: EventKind,
    /// When it was noticed, unix seconds.
    pub time: u64,
    /// Coin id; `None`: it is about no coin.
    pub coin: Option<String>,
    /// What happened, in words. Names in it hide and break nothing.
    pub text: String,
    /// The same for programs. Names are as their owners wrote them.
    pub data: Map<String, Value>,
}

impl Event {
    /// An event at `now`, unix milliseconds. `what` tells it from others of its kind and coin.
    pub(super) fn new(kind: EventKind, coin: &str, what: &str, now: u64, text: String) -> Self {
        let id = [kind.name(), coin, what];
        let id: Vec<&str> = id.into_iter().filter(|part| !part.is_empty()).collect();
        let sound = |letter: char| if letter.is_ascii_graphic() { letter } else { '_' };
        Self {
            id: id.join(":").chars().take(LONGEST_ID).map(sound).collect(),
            event: kind,
            time: now / 1000,
            coin: (!coin.is_empty()).then(|| coin.to_owned()),
            text,
            data: Map::new(),
        }
    }

    /// With something more for programs.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// As JSON, its markup and what turns text escaped.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).map(|json| tame(&json)).unwrap_or_default()
    }
}

/// An example of each kind, for `romp notify test`.
pub(super) fn sample(kind: EventKind, coin: &str, now: u64) -> Event {
    let text =
        format!("{}a test of \u{201c}{}\u{201d}: nothing has happened", start(coin), kind.name());
    let event = Event::new(kind, coin, &format!("test:{now}"), now, text);
    event.with("test", true)
}

/// How a text about a coin begins.
pub(super) fn start(coin: &str) -> String {
    if coin.is_empty() { String::new() } else { format!("{coin}: ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_line_of_ascii_whatever_it_is_made_of() {
        let event = Event::new(EventKind::BlockFound, "a\r\nb", "\u{202e}x y", 1500, String::new());
        assert_eq!(event.id, "block-found:a__b:_x_y");
        assert_eq!(event.time, 1);
        let long = Event::new(EventKind::BlockFound, "", &"x".repeat(999), 0, String::new());
        assert_eq!(long.id.len(), LONGEST_ID);
        assert_eq!(long.coin, None);
        let json = event.with("finder", "<b>\u{202e}").json();
        assert!(json.contains("\"event\":\"block-found\"") && json.is_ascii(), "{json}");
        assert!(!json.contains('<'), "{json}");
    }
}
