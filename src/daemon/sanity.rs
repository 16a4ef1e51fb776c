//! Whether a template may become work: cheap checks against what the daemons say and what was
//! mined on before (reliability 4.2.6). Pure. The templates process and workers that help themselves
//! check alike.

use crate::chain::{Hash, Network, Target, Template, Work};
use crate::rewards::Amount;
use std::collections::VecDeque;

/// A block's time may be so far ahead of other nodes' clocks, seconds (Bitcoin's consensus).
const AHEAD: u64 = 7_200;
/// A difficulty or reward that has changed by more than so many times is strange.
const DIFFICULTY_JUMP: u32 = 16;
const REWARD_JUMP: u64 = 4;
/// Rewards of as many blocks are remembered.
const REWARDS: usize = 100;
/// A daemon's tip of as many blocks' time is old; `mediantime` lags by another six.
const OLD_TIP: u64 = 26;

/// What of a template is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Height of the block to build.
    pub height: u64,
    /// Hash of the block to build on.
    pub previous: Hash,
    /// The daemon's time, unix seconds.
    pub time: u32,
    /// Compact target.
    pub bits: u32,
    /// Network target.
    pub target: Target,
    /// Reward and fees.
    pub value: Amount,
    /// See [`Template::foreign_id`].
    pub foreign_id: Option<usize>,
}

impl From<&Template> for Facts {
    fn from(template: &Template) -> Self {
        let Template { height, previous, time, bits, target, foreign_id, .. } = *template;
        let value = template.coinbase_value;
        Self { height, previous, time, bits, target, value, foreign_id }
    }
}

impl From<&Work> for Facts {
    /// What the template of this work said; its transactions are not looked at again.
    fn from(work: &Work) -> Self {
        Self {
            height: work.height,
            previous: work.previous,
            time: work.time,
            bits: work.bits,
            target: work.target,
            value: work.coinbase_value,
            foreign_id: None,
        }
    }
}

/// What is known beside the template.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Height of the template's previous block, if a daemon has it as its tip.
    pub previous_height: Option<u64>,
    /// Height of the highest tip now.
    pub top: Option<u64>,
    /// Height that the last work builds.
    pub current: Option<u64>,
}

/// What to do with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Use it.
    Good,
    /// It builds on a block that no daemon has shown yet: look again at its daemon's tip.
    Unproven,
    /// Do not use it.
    Bad(String),
}

/// Looks at a template.
#[must_use]
pub fn check(facts: Facts, known: Known) -> Finding {
    let Facts { height, previous, bits, target, .. } = facts;
    if !fits(target, bits) {
        return Finding::Bad(format!("its `target` is not that of its `bits` {bits:08x}"));
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

/// Whether a target is that of the compact form, but for the digits that this has no room for.
fn fits(target: Target, bits: u32) -> bool {
    let size = bits >> 24;
    let digits = if size > 3 { 8 * (size - 3) } else { 0 };
    Target::from_compact(bits).is_some_and(|compact| {
        target == compact || (digits < 256 && target.0 >> digits == compact.0 >> digits)
    })
}

/// What work was made of lately, to see jumps in it.
#[derive(Debug, Default)]
pub struct Memory {
    target: Option<Target>,
    height: u64,
    /// One for each height, the newest last.
    rewards: VecDeque<u64>,
}

impl Memory {
    /// Keeps what work was made of.
    pub fn keep(&mut self, facts: Facts) {
        self.target = Some(facts.target);
        if self.height != facts.height {
            self.height = facts.height;
            if self.rewards.len() >= REWARDS {
                self.rewards.pop_front();
            }
            self.rewards.push_back(facts.value.0);
        }
    }

    /// What makes a template strange, though it may be right: with another daemon at hand it is
    /// not used. `unix_ms` is this machine's clock.
    #[must_use]
    pub fn doubt(&self, facts: Facts, network: Network, unix_ms: u64) -> Option<String> {
        let ahead = u64::from(facts.time).saturating_sub(unix_ms / 1_000);
        if ahead > AHEAD {
            return Some(format!(
                "its time is {ahead} seconds ahead of this machine's: other nodes would refuse \
                 the block; set both clocks (NTP)"
            ));
        }
        if let Some(index) = facts.foreign_id {
            return Some(format!(
                "the bytes of its transaction {index} do not have the id that it says"
            ));
        }
        // Test networks let the difficulty fall to 1 when a block is late, private ones all do.
        if network != Network::Main {
            return None;
        }
        if let Some(last) = self.target {
            let apart = |low: Target, high: Target| {
                low.0.checked_mul(DIFFICULTY_JUMP.into()).is_some_and(|most| high.0 > most)
            };
            if apart(last, facts.target) || apart(facts.target, last) {
                return Some(format!(
                    "its difficulty is {}, that of the last work {}",
                    facts.target.difficulty(),
                    last.difficulty()
                ));
            }
        }
        let median = self.median_reward()?;
        (facts.value.0 > median.saturating_mul(REWARD_JUMP)).then(|| {
            format!(
                "its reward is {}, that of the last blocks about {}",
                facts.value,
                Amount(median)
            )
        })
    }

    fn median_reward(&self) -> Option<u64> {
        let mut rewards: Vec<u64> = self.rewards.iter().copied().collect();
        rewards.sort_unstable();
        rewards.get(rewards.len() / 2).copied()
    }
}

/// Words when the daemon's clock and ours differ by more than two hours: blocks may be refused.
#[must_use]
pub fn clock_warning(time: u32, unix_ms: u64) -> Option<String> {
    let ours = unix_ms / 1000;
    let apart = u64::from(time).abs_diff(ours);
    (apart > AHEAD).then(|| {
        format!(
            "its clock and this machine's are {apart} seconds apart: set them, or blocks get lost"
        )
    })
}

/// Words when a daemon's tip is so old that it may be cut off, or on a fork that died.
#[must_use]
pub fn old_tip(
    network: Option<Network>,
    tip_time: Option<u64>,
    block_time: Option<u32>,
    unix_ms: u64,
) -> Option<String> {
    let age = (unix_ms / 1_000).saturating_sub(tip_time?);
    let old = age > OLD_TIP * u64::from(block_time?) && network != Some(Network::Regtest);
    old.then(|| {
        format!(
            "its last block is {} minutes old: is it cut off, on a dead fork, or is a clock wrong?",
            age / 60
        )
    })
}

#[cfg(test)]
#[path = "sanity/tests.rs"]
mod tests;
