//! Where a block stands, from what the daemons say: never an early verdict. Pure.

use crate::daemon::BlockInfo;

/// What one daemon says that has the whole chain. One that is syncing, or away, says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Height of its tip.
    pub(super) tip: u64,
    /// The block; `None`: it does not know it.
    pub(super) block: Option<BlockInfo>,
}

/// Where a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the chain of all daemons, at least so deep: 1 is the tip.
    InChain(u64),
    /// All daemons have other blocks at its height, buried as deep as a reward must be to be spent.
    Gone,
    /// They differ, say nothing, or it is too early.
    Unsure,
}

/// Decides from all views. `bury`: blocks on top of a height after which nothing below it changes.
pub(super) fn fate(views: &[View], height: u64, bury: u64) -> Fate {
    let depth = |view: &View| view.block.and_then(|block| u64::try_from(block.confirmations).ok());
    let deep = |view: &View| depth(view).filter(|&depth| depth > 0);
    if views.is_empty() {
        return Fate::Unsure;
    }
    if let Some(depths) = views.iter().map(deep).collect::<Option<Vec<u64>>>() {
        return depths.into_iter().min().map_or(Fate::Unsure, Fate::InChain);
    }
    let gone = |view: &View| {
        deep(view).is_none()
            // 0 is no answer that a daemon gives of a block.
            && view.block.is_none_or(|block| block.confirmations < 0)
            && view.tip >= height.saturating_add(bury)
    };
    if views.iter().all(gone) { Fate::Gone } else { Fate::Unsure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(tip: u64, confirmations: Option<i64>) -> View {
        let block = confirmations.map(|confirmations| BlockInfo { confirmations, height: None });
        View { tip, block }
    }

    #[test]
    fn only_agreement_decides() {
        let decide = |views: &[View]| fate(views, 1000, 100);
        assert_eq!(decide(&[]), Fate::Unsure);
        assert_eq!(decide(&[view(1004, Some(5)), view(1003, Some(4))]), Fate::InChain(4));
        assert_eq!(decide(&[view(1200, Some(201)), view(1200, Some(-1))]), Fate::Unsure);
        assert_eq!(decide(&[view(1099, Some(-1))]), Fate::Unsure);
        assert_eq!(decide(&[view(1100, Some(-1))]), Fate::Gone);
        // A daemon that was asked too early, or has lost its data, is no reason.
        assert_eq!(decide(&[view(1100, None), view(1099, None)]), Fate::Unsure);
        assert_eq!(decide(&[view(1100, None), view(1100, Some(-1))]), Fate::Gone);
        assert_eq!(decide(&[view(1100, Some(0))]), Fate::Unsure);
    }
}
