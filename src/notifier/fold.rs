//! Storms are folded: so many messages of a kind in ten minutes, then one about all others. Pure.

use super::event::Event;
use crate::config::EventKind;
use serde::{Deserialize, Serialize};

/// Messages of a kind within [`WINDOW`].
const MOST: u32 = 30;
/// Ten minutes, ms.
const WINDOW: u64 = 600_000;
/// Ids of folded events that their summary has.
const EXAMPLES: usize = 100;

/// What has passed, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Fold(Vec<Window>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    kind: EventKind,
    /// When it began, unix ms.
    began: u64,
    passed: u32,
    folded: u64,
    ids: Vec<String>,
}

impl Window {
    fn is_over(&self, now: u64) -> bool {
        now.abs_diff(self.began) >= WINDOW
    }
}

impl Fold {
    /// What of some events is to be told at `now`, unix ms, with the summaries that are due.
    pub(super) fn pass(&mut self, events: Vec<Event>, now: u64) -> Vec<Event> {
        let mut told = self.close(now);
        for event in events {
            let window = match self.0.iter_mut().find(|window| window.kind == event.event) {
                Some(window) => window,
                None => {
                    let kind = event.event;
                    self.0.push(Window { kind, began: now, passed: 0, folded: 0, ids: Vec::new() });
                    let Some(window) = self.0.last_mut() else { continue };
                    window
                }
            };
            if window.passed < MOST {
                window.passed += 1;
                told.push(event);
            } else {
                window.folded += 1;
                if window.ids.len() < EXAMPLES {
                    window.ids.push(event.id);
                }
            }
        }
        told
    }

    /// Whether a summary is due at `now`, unix ms.
    pub(super) fn owes_summary(&self, now: u64) -> bool {
        self.0.iter().any(|window| window.is_over(now) && window.folded > 0)
    }

    /// Ends windows that are over.
    fn close(&mut self, now: u64) -> Vec<Event> {
        let over = self.0.iter().filter(|window| window.is_over(now) && window.folded > 0);
        let summaries = over.map(|window| {
            let (kind, count) = (window.kind, window.folded);
            let words = format!(
                "{count} more messages of the kind \u{201c}{}\u{201d} within ten minutes are not told one by one",
                kind.name()
            );
            let event = Event::new(kind, "", &format!("more:{}", window.began), now, words);
            event.with("folded", count).with("ids", window.ids.clone())
        });
        let summaries = summaries.collect();
        self.0.retain(|window| !window.is_over(now));
        summaries
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn storm(count: u64) -> Vec<Event> {
        let event =
            |n: u64| Event::new(EventKind::PayoutHeld, "c", &n.to_string(), 0, String::new());
        (0..count).map(event).collect()
    }

    #[test]
    fn a_storm_is_thirty_messages_and_a_summary() {
        let mut fold = Fold::default();
        assert_eq!(fold.pass(storm(500), 1000).len(), 30);
        let other = Event::new(EventKind::DaemonDown, "c", "x", 0, String::new());
        assert_eq!(fold.pass(vec![other.clone()], 2000), [other]);
        assert_eq!(fold.pass(storm(5), 3000), []);
        assert!(!fold.owes_summary(600_999) && fold.owes_summary(601_000));
        let summary = fold.pass(Vec::new(), 601_000);
        assert_eq!(summary.len(), 1);
        assert_eq!(summary[0].data["folded"], 475);
        assert_eq!(summary[0].id, "payout-held:more:1000");
        assert_eq!(fold.pass(Vec::new(), 700_000), []);
        assert_eq!(fold.pass(storm(7), 800_000).len(), 7);
    }

    proptest! {
        /// Each event is told or counted in a summary.
        #[test]
        fn none_is_forgotten(counts in proptest::collection::vec((0_u64..50, 0_u64..300_000), 0..30)) {
            let (mut fold, mut now, mut sum, mut told) = (Fold::default(), 1, 0, 0);
            for (count, wait) in counts.into_iter().chain([(0, WINDOW)]) {
                now += wait;
                sum += count;
                for event in fold.pass(storm(count), now) {
                    told += event.data.get("folded").and_then(serde_json::Value::as_u64).unwrap_or(1);
                }
            }
            prop_assert_eq!(told, sum);
        }
    }
}
