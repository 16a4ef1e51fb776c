//! Vardiff: NOMP's settings, mended.
//!
//! NOMP looks only when a share comes and only every `retargetTime`; a miner that is far too slow
//! is never helped and one that is far too fast floods for minutes (A18). Here a newcomer is
//! raised after 4 shares, silence lowers, each step is at most fourfold, and a settled miner is
//! changed only when the deviation is more than chance. Shares count only on jobs of the present
//! difficulty, so that a burst of late ones does not raise it twice.

use super::{Difficulty, VarDiffRules};
use serde::{Deserialize, Serialize};

/// Shares from which a rate is read at all, and a difficulty counts as good.
const ENOUGH: u32 = 4;
/// Largest step up; its inverse is the largest step down.
const STEP: f64 = 4.0;
/// The silence after which a miner that had shares at this difficulty is lowered, in target
/// times: chance makes one such gap in 3000 shares.
const LONG_SILENCE: f64 = 8.0;
/// The same for a difficulty that has not had enough shares yet.
const SHORT_SILENCE: f64 = 4.0;
/// The first look at a silent newcomer, milliseconds, if that is two target times or more.
const FIRST_LOOK_MS: f64 = 30_000.0;
/// Standard deviations of the share count that are not taken for chance.
const DEVIATIONS: f64 = 1.6;
/// Expected shares, and retarget times, after which half the window is forgotten.
const WINDOW_SHARES: f64 = 48.0;
const WINDOW_LOOKS: f64 = 8.0;

/// What vardiff knows about one miner.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct VarDiff {
    /// When the first job of the present difficulty was offered, later moved forward as the
    /// window slides; `None` while a change waits for its job.
    start: Option<u64>,
    /// Shares of the present difficulty in the window.
    shares: u32,
    /// Shares at the present difficulty since it was offered, in or out of the window.
    proven: u32,
    /// When the rate was last looked at.
    looked: u64,
    /// When any share last came.
    last_share: Option<u64>,
    /// Last difficulty with enough shares.
    good: Option<Difficulty>,
}

impl VarDiff {
    /// The last difficulty at which at least four shares came.
    pub(super) const fn good(&self) -> Option<Difficulty> {
        self.good
    }

    /// A change was decided; nothing is measured until its job is offered.
    pub(super) fn pause(&mut self) {
        self.start = None;
    }

    /// A job of the present difficulty was offered.
    pub(super) fn offered(&mut self, now: u64) {
        if self.start.is_none() {
            self.start = Some(now);
            self.looked = now;
            self.shares = 0;
            self.proven = 0;
        }
    }

    /// The miner may begin only now: waiting for its authorisation was no silence.
    pub(super) fn authorized(&mut self, now: u64) {
        if self.start.is_some() && self.last_share.is_none() {
            self.start = Some(now);
            self.looked = now;
        }
    }

    /// A share came; `counts` when its job has the present difficulty. The new difficulty, if it
    /// should change.
    pub(super) fn share(
        &mut self,
        counts: bool,
        present: Difficulty,
        rules: &VarDiffRules,
        now: u64,
    ) -> Option<Difficulty> {
        self.last_share = Some(now);
        let start = self.start?;
        if !counts {
            return None;
        }
        self.shares = self.shares.saturating_add(1);
        self.proven = self.proven.saturating_add(1);
        if self.proven >= ENOUGH {
            self.good = Some(present);
        }
        let elapsed = millis(now.saturating_sub(start)).max(1.0);
        let target = target_ms(rules);
        if self.shares >= ENOUGH {
            // The last share ends the time in which the others came. Half of the estimate: four
            // shares say little, and the next four will say the rest.
            let ratio = f64::from(self.shares - 1) * target / elapsed;
            if ratio >= STEP {
                return self.change(present, ratio / 2.0, rules);
            }
        }
        let retarget = rules.retarget_time.max(1.0) * 1000.0;
        if millis(now.saturating_sub(self.looked)) < retarget {
            return None;
        }
        self.looked = now;
        let expected = elapsed / target;
        let ratio = f64::from(self.shares) / expected;
        // NOMP compares times between shares, the inverse of the ratio.
        let band = (rules.variance_percent / 100.0).clamp(0.0, 0.99);
        let outside = ratio < 1.0 / (1.0 + band) || ratio > 1.0 / (1.0 - band);
        let deviation = (f64::from(self.shares) - expected).abs();
        if outside && deviation >= DEVIATIONS * expected.sqrt() {
            return self.change(present, ratio, rules);
        }
        if elapsed >= (WINDOW_SHARES * target).max(WINDOW_LOOKS * retarget) {
            self.shares /= 2;
            self.start = Some(now.saturating_sub(now.saturating_sub(start) / 2));
        }
        None
    }

    /// Time passed; the new difficulty, if the miner has been silent for too long.
    pub(super) fn tick(
        &mut self,
        present: Difficulty,
        rules: &VarDiffRules,
        now: u64,
    ) -> Option<Difficulty> {
        let since = self.start?.max(self.last_share.unwrap_or(0));
        let target = target_ms(rules);
        let silence = millis(now.saturating_sub(since));
        let (limit, ratio) = match self.last_share {
            None => (FIRST_LOOK_MS.max(2.0 * target).min(SHORT_SILENCE * target), target / silence),
            Some(_) if self.proven < ENOUGH => (SHORT_SILENCE * target, target / silence),
            // It may be chance after all: half now, more when the silence goes on.
            Some(_) => (LONG_SILENCE * target, 0.5),
        };
        if silence < limit {
            return None;
        }
        self.change(present, ratio, rules)
    }

    fn change(
        &mut self,
        present: Difficulty,
        ratio: f64,
        rules: &VarDiffRules,
    ) -> Option<Difficulty> {
        let step = match (rules.x2_mode, ratio > 1.0) {
            (true, true) => 2.0,
            (true, false) => 0.5,
            (false, _) => ratio.clamp(1.0 / STEP, STEP),
        };
        let wanted = rules.clamp(Difficulty::nearest(present.as_f64() * step, present.unit));
        // Rounding at the bounds may turn the step round; then there is nothing to gain.
        if wanted.weight == present.weight || (wanted.weight > present.weight) != (step > 1.0) {
            return None;
        }
        self.pause();
        Some(wanted)
    }
}

fn target_ms(rules: &VarDiffRules) -> f64 {
    rules.target_time.max(0.1) * 1000.0
}

/// Milliseconds as a float: exact for 285,000 years.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn millis(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
mod tests;
