//! What the coins of a role wait for: from their threads to the master, for `romp status`.

use super::Message;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Whose trouble: a coin, and what of it waits.
type Whose = (String, String);

/// Shared between the threads of a role and its main loop.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    now: BTreeMap<Whose, Option<String>>,
    news: Vec<Whose>,
}

impl Troubles {
    /// Says what a coin's `part` waits for, or that it does not. Of no coin: `""`.
    pub fn say(&self, coin: &str, part: &str, words: Option<&str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = (coin.to_owned(), part.to_owned());
        let words = words.map(str::to_owned);
        if known.now.get(&whose) != Some(&words) {
            known.now.insert(whose.clone(), words);
            known.news.push(whose);
        }
    }

    /// What has changed since the last call, for the master.
    #[must_use]
    pub fn news(&self) -> Vec<Message> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = std::mem::take(&mut known.news);
        let message = |whose: Whose| {
            let words = known.now.get(&whose).cloned().flatten();
            Message::Trouble { coin: whose.0, part: whose.1, words }
        };
        news.into_iter().map(message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let troubles = Troubles::default();
        let told = |words: Option<&str>| Message::Trouble {
            coin: "litecoin".to_owned(),
            part: "payments".to_owned(),
            words: words.map(str::to_owned),
        };
        troubles.clone().say("litecoin", "payments", None);
        assert_eq!(troubles.news(), [told(None)]);
        troubles.say("litecoin", "payments", Some("locked"));
        troubles.say("litecoin", "payments", Some("locked"));
        assert_eq!(troubles.news(), [told(Some("locked"))]);
        assert_eq!(troubles.news(), []);
        troubles.say("litecoin", "payments", None);
        assert_eq!(troubles.news(), [told(None)]);
    }
}
