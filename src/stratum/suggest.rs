//! Who asks for a difficulty gets it within the port's bounds: `mining.suggest_difficulty`,
//! `mining.suggest_target`, and the wishes of passwords.

use super::request::{self, Param, Request};
use super::session::bad_params;
use super::{Action, Difficulty, PortRules, Session, VarDiffRules, reply};
use crate::chain::{Hash, Target};
use ethnum::U256;

/// Shortest time between two suggestions that take effect, milliseconds.
const SUGGESTION_MS: u64 = 60_000;

/// The number of `mining.suggest_difficulty`, also in the form
/// `mining.suggest_difficulty(1000)` that some miners send as the method's name.
fn suggestion(method: &str, params: &[Param<'_>]) -> Option<f64> {
    match method.split_once('(') {
        Some((_, number)) => request::number(number.strip_suffix(')')?),
        None => params.first().and_then(Param::number),
    }
}

/// The difficulty of a target of up to 64 hex digits. `shift`: the algorithm's multiplier.
fn difficulty_of_target(text: &str, shift: u32) -> Option<f64> {
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let hash = Hash::from_display(&format!("{text:0>64}"))?;
    Some(Target(U256::from_le_bytes(hash.0)).difficulty() * f64::from(shift).exp2())
}

impl Session {
    /// `mining.suggest_difficulty`.
    pub(super) fn suggest_difficulty(
        &mut self,
        request: &Request<'_>,
        params: &[Param<'_>],
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        match suggestion(&request.method, params) {
            Some(wanted) => self.suggested(request.id, wanted, rules, now, out),
            None => bad_params(request.id, out),
        }
    }

    /// `mining.suggest_target`.
    pub(super) fn suggest_target(
        &mut self,
        request: &Request<'_>,
        params: &[Param<'_>],
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        let target = params.first().and_then(Param::text);
        match target.and_then(|text| difficulty_of_target(text, rules.shift)) {
            Some(wanted) => self.suggested(request.id, wanted, rules, now, out),
            None => bad_params(request.id, out),
        }
    }

    /// The first suggestion counts, and a different one a minute later. NerdMiner repeats its own
    /// every 30 s to keep the connection alive: that must not undo what vardiff found.
    fn suggested(
        &mut self,
        id: &str,
        wanted: f64,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Action> {
        reply::result(out, id, "true");
        let suggested = Difficulty::nearest(wanted, rules.unit);
        let takes_effect = match self.suggested {
            None => true,
            Some((before, at)) => before != suggested && now.saturating_sub(at) >= SUGGESTION_MS,
        };
        // Zero and less is no wish. A password's wish is the operator's own and goes first.
        if !takes_effect || wanted <= 0.0 || self.asked.is_some() || rules.var_diff.is_none() {
            return Vec::new();
        }
        self.suggested = Some((suggested, now));
        self.want(suggested, rules)
    }

    /// Goes to a difficulty as far as the port and the miner's own minimum allow.
    pub(super) fn want(&mut self, wanted: Difficulty, rules: &PortRules) -> Vec<Action> {
        let granted = rules.grant(wanted);
        let granted = match self.minimum {
            Some(minimum) if minimum.as_f64() > granted.as_f64() => rules.grant(minimum),
            _ => granted,
        };
        self.change(granted)
    }

    /// Vardiff's rules for this miner: the lower bound is also its own minimum.
    pub(super) fn var_diff(&self, rules: &PortRules) -> Option<VarDiffRules> {
        let var_diff = rules.var_diff?;
        let own = self.minimum.map_or(var_diff.min, |minimum| rules.grant(minimum));
        Some(VarDiffRules { min: own, ..var_diff })
    }

    /// A new difficulty comes with a new job, so that it never costs a share.
    pub(super) fn change(&mut self, difficulty: Difficulty) -> Vec<Action> {
        if difficulty == self.difficulty {
            return Vec::new();
        }
        self.difficulty = difficulty;
        self.vardiff.pause();
        self.work()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_in_three_forms() {
        let text = [Param::Text("0.001".into())];
        assert_eq!(suggestion("mining.suggest_difficulty", &[Param::Number("8")]), Some(8.0));
        assert_eq!(suggestion("mining.suggest_difficulty", &text), Some(0.001));
        assert_eq!(suggestion("mining.suggest_difficulty(1000)", &[]), Some(1000.0));
        assert_eq!(suggestion("mining.suggest_difficulty(", &[]), None);
        assert_eq!(suggestion("mining.suggest_difficulty", &[]), None);
    }

    #[test]
    fn a_target_is_a_difficulty() {
        let one = format!("00000000ffff{}", "0".repeat(52));
        assert!((difficulty_of_target(&one, 0).unwrap() - 1.0).abs() < 1e-9);
        // What scrypt calls difficulty 65536.
        assert!((difficulty_of_target(&one, 16).unwrap() - 65536.0).abs() < 1e-3);
        assert!((difficulty_of_target(&one[8..], 0).unwrap() - 1.0).abs() < 1e-9);
        assert!(difficulty_of_target("0", 0).unwrap().is_finite());
        for bad in ["", "zz", "+1", &"0".repeat(65)] {
            assert_eq!(difficulty_of_target(bad, 0), None);
        }
    }
}
