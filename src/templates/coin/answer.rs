//! What daemons answered, and what that means for the coin.

use super::{Coin, Held};
use crate::chain::{Network, Plan, Template};
use crate::daemon::choice::Seen;
use crate::daemon::plan::PlanError;
use crate::daemon::template::FetchError;
use crate::daemon::{CallError, ChainInfo, sanity};
use crate::special;
use crate::sys::clock;
use crate::templates::asker::Reply;

/// Answers to wait for until a template that runs ahead of its daemon's tip is given up.
const LOOKS: u8 = 3;

impl Coin {
    pub(super) fn reply(&mut self, daemon: usize, reply: Reply) {
        let now = clock::monotonic_ms();
        match reply {
            Reply::Probe(answer, latency) => self.probed(daemon, now, answer, latency),
            Reply::Plan(answer) => self.planned(daemon, now, *answer),
            Reply::Template(number, answer) => {
                // An answer to a question that was given up is no answer.
                if self.asked.is_some_and(|asked| asked.number == number) {
                    self.asked = None;
                    self.answered(daemon, now, *answer);
                }
            }
        }
    }

    pub(super) fn probed(
        &mut self,
        daemon: usize,
        now: u64,
        answer: Result<ChainInfo, CallError>,
        latency: u64,
    ) {
        let seen = match &answer {
            Ok(info) => self.on_our_network(daemon, info).map(|()| seen(info)),
            Err(error) => Err(error.fault.to_string()),
        };
        if let Some(line) = self.lines.get_mut(daemon) {
            line.waiting = false;
            if let Ok(info) = &answer {
                let block_time = self.pool.coin.block_time;
                let old =
                    sanity::old_tip(info.network, info.tip_time, block_time, clock::unix_ms());
                let fine = old.is_none();
                if let Some(words) = old.filter(|_| !line.tip_warned && !info.initial_download) {
                    log::warn!("{}: daemon {}: {words}", self.pool.coin.id, line.address);
                }
                line.tip_warned = !fine;
            }
            line.info = answer.ok().or(line.info.take());
        }
        self.judge.probed(daemon, now, seen.clone(), latency);
        if let Ok(seen) = seen {
            let highest = self.judge.top(now).is_some_and(|top| seen.height >= top.height);
            if highest && let Some((source, at)) = self.notices.tally.shown(now, seen.tip) {
                self.notices.first = Some((seen.tip, at));
                log::debug!(
                    "{}: block {} ({}) on {}, noticed by {}",
                    self.id(),
                    seen.height,
                    seen.tip,
                    self.address(daemon),
                    source.name()
                );
            }
        }
        self.look_again(daemon, now);
    }

    pub(super) fn on_our_network(&self, daemon: usize, info: &ChainInfo) -> Result<(), String> {
        match self.plan.as_ref().map(|plan| plan.network) {
            Some(ours) if info.network != Some(ours) => Err(format!(
                "daemon {} is on the network `{}`, the pool works on {}: not used",
                self.address(daemon),
                info.chain,
                ours.name()
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn planned(&mut self, daemon: usize, now: u64, answer: Result<Plan, PlanError>) {
        self.plan_waiting = None;
        // Another daemon was asked meanwhile and was faster: one plan, one network.
        if self.plan.is_some() {
            return;
        }
        match answer {
            Ok(plan) => {
                let kind = if plan.proof_of_stake { "proof of stake" } else { "proof of work" };
                special!("{}: on the {} network, {kind}", self.id(), plan.network.name());
                let (config, events) = (&self.config, &self.events);
                self.notices.listen_to_peer(config, &self.pool, plan.network, events);
                self.plan = Some(plan);
                self.plan_problem = None;
            }
            Err(PlanError::Call(error)) => {
                let problem = format!("{}: {}", error.method, error.fault);
                match error.is_not_ready() {
                    true => self.judge.not_ready(daemon, now, problem),
                    false => self.refuse(daemon, now, problem),
                }
            }
            Err(error @ PlanError::Operator { .. }) => {
                // One daemon of a wrong network, say, must not keep the others from working.
                if self.has_another(daemon, now) {
                    self.plan_asked = None;
                    return self.refuse(daemon, now, error.to_string());
                }
                log::error!("{}: no work for miners: {error}", self.id());
                self.plan_problem = Some(error.to_string());
            }
        }
    }

    pub(super) fn answered(
        &mut self,
        daemon: usize,
        now: u64,
        answer: Result<Template, FetchError>,
    ) {
        match answer {
            // By another way the work is out already.
            Ok(template) if !self.refresh.is_news(now, &template.previous) => {
                self.remember_poll(daemon, &template);
                self.judge.worked(daemon, now);
            }
            Ok(template) => self.consider(Held { daemon, template, looks: LOOKS }, now),
            Err(error) if error.is_not_ready() => {
                self.judge.not_ready(daemon, now, error.problem());
            }
            Err(error) => self.refuse(daemon, now, error.problem()),
        }
    }
}

fn seen(info: &ChainInfo) -> Seen {
    Seen {
        height: info.blocks,
        tip: info.best,
        headers: info.headers,
        initial_download: info.initial_download,
        test_chain: info.network.is_some_and(|network| network != Network::Main),
    }
}
