//! What a coin asks its daemons, and when.

use super::{Asked, Coin, NAG_MS, SLACK_MS};
use crate::sys::clock::ms;
use crate::templates::asker::Question;
use crate::templates::notices;

impl Coin {
    pub(super) fn ask_plan(&mut self, daemon: usize, now: u64) {
        let late = ms(self.pool.daemon_timeout) * 4;
        if self.plan_waiting.is_some_and(|at| now.saturating_sub(at) < late) {
            return;
        }
        // What only the operator can change is looked at once a minute, the rest each second.
        let again = if self.plan_problem.is_some() { NAG_MS } else { 1_000 };
        let due = self.plan_asked.is_none_or(|at| now.saturating_sub(at) >= again);
        if self.plan.is_some() || !due {
            return;
        }
        if let Some(line) = self.lines.get(daemon)
            && let Some(info) = &line.info
            && line.ask.send(Question::Plan(Box::new(info.clone()))).is_ok()
        {
            self.plan_asked = Some(now);
            self.plan_waiting = Some(now);
        }
    }

    pub(super) fn ask_template(&mut self, daemon: usize, now: u64) {
        let Some(seen) = self.judge.seen(daemon) else { return };
        let Some(plan) = &self.plan else { return };
        // What another daemon was asked for before it was left, or has given and cannot prove, is
        // not waited for: it may hang, and this one has the newer block.
        let busy = self.asked.is_some_and(|asked| asked.daemon == daemon)
            || self.held.as_ref().is_some_and(|held| held.daemon == daemon);
        if busy || !self.refresh.is_due(now, &seen.tip) {
            return;
        }
        self.number += 1;
        let number = self.number;
        if let Some(line) = self.lines.get(daemon)
            && line.ask.send(Question::Template(number, Box::new(plan.clone()))).is_ok()
        {
            self.refresh.asked(now);
            self.asked = Some(Asked { daemon, number, at: now });
        }
    }

    /// A daemon that keeps its template for longer than its deadline is left for the next one.
    pub(super) fn give_up_hanging(&mut self, now: u64) {
        let limit = ms(self.pool.daemon_timeout) + SLACK_MS;
        let Some(asked) = self.asked.filter(|asked| now.saturating_sub(asked.at) > limit) else {
            return;
        };
        self.asked = None;
        self.refuse(asked.daemon, now, format!("hangs: no template within {limit} ms"));
    }

    pub(super) fn probe(&mut self, daemon: usize, now: u64, at_once: bool) {
        let every =
            self.judge.probe_back_off(daemon).unwrap_or(ms(notices::poll_every(&self.pool)));
        let Some(line) = self.lines.get_mut(daemon) else { return };
        let due = line.probed_at.is_none_or(|at| now.saturating_sub(at) >= every.max(10));
        if !line.waiting && (due || at_once) && line.ask.send(Question::Probe).is_ok() {
            line.waiting = true;
            line.probed_at = Some(now);
        }
    }
}
