//! What has been seen of things that have ids, the last few thousand. Pure.

use serde::{Deserialize, Serialize};

/// How many are remembered: more than mature or settle at any one time.
const MOST: usize = 2000;
/// Letters of an id that tell it from others: the last, since hashes begin with zeros.
const LETTERS: usize = 16;

/// Ids, and how each was seen last, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Memory(Vec<(String, String)>);

impl Memory {
    /// Notes how something is now; how it was seen last, if it is not so still: `Some(None)` when
    /// it is new.
    pub(super) fn note(&mut self, id: &str, state: &str) -> Option<Option<String>> {
        let from = id.char_indices().rev().nth(LETTERS - 1).map_or(0, |(at, _)| at);
        let key = id.get(from..).unwrap_or(id);
        if let Some((_, last)) = self.0.iter_mut().rev().find(|(known, _)| known == key) {
            if last == state {
                return None;
            }
            return Some(Some(std::mem::replace(last, state.to_owned())));
        }
        self.0.push((key.to_owned(), state.to_owned()));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_news_once() {
        let mut memory = Memory::default();
        let id = format!("{}{}", "0".repeat(48), "abcdefghijklmnop");
        assert_eq!(memory.note(&id, "found"), Some(None));
        assert_eq!(memory.note(&id, "found"), None);
        assert_eq!(memory.note(&id, "mature"), Some(Some("found".to_owned())));
        assert_eq!(memory.note("short", "x"), Some(None));
        for n in 0..3 * MOST {
            memory.note(&format!("{n:064}"), "x");
        }
        assert_eq!(memory.0.len(), MOST);
        assert_eq!(memory.note(&format!("{:064}", 3 * MOST - 1), "x"), None);
    }
}
