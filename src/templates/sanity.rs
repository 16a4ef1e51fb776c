//! Whether a template may become work: cheap checks against what the daemons say (reliability
//! 4.2.6). Pure.

use crate::chain::{Hash, Template};

/// What of a template is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) height: u64,
    pub(super) previous: Hash,
    pub(super) time: u32,
    pub(super) min_time: u32,
}

impl From<&Template> for Facts {
    fn from(template: &Template) -> Self {
        let Template { height, previous, time, min_time, .. } = *template;
        Self { height, previous, time, min_time }
    }
}

/// What is known beside the template.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// Height of the template's previous block, if a daemon has it as its tip.
    pub(super) previous_height: Option<u64>,
    /// Height of the highest tip now.
    pub(super) top: Option<u64>,
    /// Height that the last work builds.
    pub(super) current: Option<u64>,
}

/// What to do with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// Use it.
    Good,
    /// It builds on a block that no daemon has shown yet: look again at its daemon's tip.
    Unproven,
    /// Do not use it.
    Bad(String),
}

/// Looks at a template.
pub(super) fn check(facts: Facts, known: Known) -> Finding {
    let Facts { height, previous, time, min_time } = facts;
    if min_time > time {
        return Finding::Bad(format!("mintime {min_time} is later than curtime {time}"));
    }
    if let (Some(current), Some(top)) = (known.current, known.top)
        && height < current
        && height <= top
    {
        return Finding::Bad(format!(
            "it builds height {height}, but work for height {current} is out and the chain is at \
             {top}"
        ));
    }
    match known.previous_height {
        None => Finding::Unproven,
        Some(tip) if tip.checked_add(1) == Some(height) => Finding::Good,
        Some(tip) => Finding::Bad(format!(
            "it says height {height}, but builds on {previous}, which has height {tip}"
        )),
    }
}

/// Words when the daemon's clock and ours differ by more than two hours: blocks may be refused.
pub(super) fn clock_warning(time: u32, unix_ms: u64) -> Option<String> {
    let ours = unix_ms / 1000;
    let apart = u64::from(time).abs_diff(ours);
    (apart > 7_200).then(|| {
        format!(
            "its clock and this machine's are {apart} seconds apart: set them, or blocks get lost"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(height: u64) -> Facts {
        Facts { height, previous: Hash([7; 32]), time: 1_000, min_time: 900 }
    }

    #[test]
    fn sorts_templates() {
        let known = Known { previous_height: Some(9), top: Some(9), current: Some(10) };
        assert_eq!(check(facts(10), known), Finding::Good);
        assert!(matches!(check(facts(11), known), Finding::Bad(_)));
        assert!(matches!(check(facts(9), known), Finding::Bad(_)));
        assert!(matches!(check(facts(u64::MAX), known), Finding::Bad(_)));
        let unseen = Known { previous_height: None, ..known };
        assert_eq!(check(facts(11), unseen), Finding::Unproven);
        assert!(matches!(check(Facts { min_time: 1_001, ..facts(10) }, known), Finding::Bad(_)));
        assert_eq!(
            check(facts(1), Known { previous_height: Some(0), ..Known::default() }),
            Finding::Good
        );
    }

    #[test]
    fn goes_back_only_when_the_chain_did() {
        let reorganised = Known { previous_height: Some(7), top: Some(7), current: Some(10) };
        assert_eq!(check(facts(8), reorganised), Finding::Good);
        let one_left_behind = Known { previous_height: Some(8), top: Some(9), current: Some(10) };
        assert!(matches!(check(facts(9), one_left_behind), Finding::Bad(_)));
    }

    #[test]
    fn warns_of_clocks_apart() {
        assert_eq!(clock_warning(1_000_000, 1_000_000_000), None);
        assert!(clock_warning(1_000_000, 1_008_000_000).is_some());
        assert!(clock_warning(1_008_000, 1_000_000_000).is_some());
    }
}
