//! Vardiff: NOMP's settings, mended.
//!
//! NOMP looks only when a share comes and only every `retargetTime`; a miner that is far too slow
//! is never helped and one that is far too fast floods for minutes (A18). Here a newcomer is
//! raised after 4 shares, silence lowers, each step is at most fourfold, and a settled miner is
//! changed only when the deviation is more than chance. Shares count only on jobs of the present
//! difficulty, so that a burst of late ones does not raise it twice.

use super::start::Measured;
use super::{Difficulty, VarDiffRules};
use serde::{Deserialize, Serialize};

/// Shares from which a rate is read at all, and a difficulty counts as good.
const ENOUGH: u32 = 4;
/// Largest step on ordinary evidence; its inverse is the largest step down.
const STEP: f64 = 4.0;
/// Largest step up, for shares that come more than 32 times too fast: an eighth of what they say.
/// Four of them say eight times too much once in 150 cases.
const LEAP: f64 = 64.0;
const LEAP_PART: f64 = 8.0;
/// In `x2mode` a smaller deviation than this factor changes nothing: twice of it, halved, would be
/// as far off on the other side, and the next look would double again.
const X2_BAND: f64 = 1.5;
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
    /// Whether any share came, here or on the connection before.
    heard: bool,
    /// When the silence began: at the last share, or when the difficulty was offered.
    silent: u64,
    /// Last difficulty with enough shares, or to which they have raised the miner.
    good: Option<Difficulty>,
    /// What an earlier connection measured at the difficulty whose job comes next.
    before: Measured,
}

impl VarDiff {
    /// The last difficulty at which at least four shares came, or the one that these four led up to:
    /// who leaves at that moment must not start as low again.
    pub(super) const fn good(&self) -> Option<Difficulty> {
        self.good
    }

    /// A change was decided; nothing is measured until its job is offered.
    pub(super) fn pause(&mut self) {
        self.start = None;
        self.before = Measured::default();
    }

    /// A job of the present difficulty was offered.
    pub(super) fn offered(&mut self, now: u64) {
        if self.start.is_none() {
            self.shares = 0;
            self.proven = 0;
            self.looked = now;
            self.silent = now;
            self.start = Some(now);
            self.add_before(now);
        }
    }

    /// Goes on measuring where an earlier connection at the same difficulty ended.
    pub(super) fn go_on(&mut self, before: Measured) {
        self.heard |= before.heard;
        self.before = before;
        if let Some(start) = self.start {
            self.add_before(start);
        }
    }

    fn add_before(&mut self, start: u64) {
        let before = std::mem::take(&mut self.before);
        self.start = Some(start.saturating_sub(before.elapsed));
        self.silent = self.silent.saturating_sub(before.silent);
        self.looked = self.looked.saturating_sub(before.looked);
        self.shares = self.shares.saturating_add(before.shares);
        self.proven = self.proven.saturating_add(before.shares);
    }

    /// What was measured; without what only holds `at_present`, at the present difficulty.
    pub(super) fn measured(&self, at_present: bool, now: u64) -> Measured {
        let nothing = Measured { heard: self.heard, ..Measured::default() };
        self.start.filter(|_| at_present).map_or(nothing, |start| Measured {
            shares: self.shares,
            elapsed: now.saturating_sub(start),
            silent: now.saturating_sub(self.silent.max(start)),
            looked: now.saturating_sub(self.looked.max(start)),
            heard: self.heard,
        })
    }

    /// The miner may begin only now: waiting for its authorisation was no silence.
    pub(super) fn authorized(&mut self, now: u64) {
        if self.start.is_some() && !self.heard {
            self.start = Some(now);
            self.looked = now;
            self.silent = now;
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
        self.heard = true;
        self.silent = now;
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
                let step = (ratio / 2.0).min(STEP).max((ratio / LEAP_PART).min(LEAP));
                return self.change(present, step, rules);
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
        let (mut low, mut high) = (1.0 / (1.0 + band), 1.0 / (1.0 - band));
        if rules.x2_mode {
            (low, high) = (low.min(1.0 / X2_BAND), high.max(X2_BAND));
        }
        let outside = ratio < low || ratio > high;
        let deviation = (f64::from(self.shares) - expected).abs();
        if outside && deviation >= DEVIATIONS * expected.sqrt() {
            return self.change(present, ratio.clamp(1.0 / STEP, STEP), rules);
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
        self.start?;
        let target = target_ms(rules);
        let (limit, ratio) = if self.proven >= ENOUGH {
            // It may be chance after all: half now, more when the silence goes on.
            (LONG_SILENCE * target, 0.5)
        } else if self.heard {
            (SHORT_SILENCE * target, 1.0 / STEP)
        } else {
            // Nothing speaks for this difficulty, and a step too far costs a few shares.
            (FIRST_LOOK_MS.max(2.0 * target).min(SHORT_SILENCE * target), 1.0 / STEP)
        };
        if millis(now.saturating_sub(self.silent)) < limit {
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
            (false, _) => ratio,
        };
        let wanted = rules.clamp(Difficulty::nearest(present.as_f64() * step, present.unit));
        // Rounding at the bounds may turn the step round; then there is nothing to gain.
        if wanted.weight == present.weight || (wanted.weight > present.weight) != (step > 1.0) {
            return None;
        }
        self.pause();
        if step > 1.0 {
            self.good = Some(wanted);
        }
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
