//! From a template to work: what is checked, doubted, held, and sent to the workers.

use super::{Coin, Held};
use crate::chain::{Built, Network, Work};
use crate::daemon::sanity::{self, Facts, Finding, Known};
use crate::ipc::Message;
use crate::special;
use crate::sys::{clock, memfd};

impl Coin {
    /// Makes work of a template, or holds it until its daemon's tip is known to be its parent.
    pub(super) fn consider(&mut self, held: Held, now: u64) {
        let facts = Facts::from(&held.template);
        let known = Known {
            previous_height: self.judge.height_of(&facts.previous, now),
            top: self.judge.top(now).map(|top| top.height),
            current: self.height,
        };
        let finding = match sanity::check(facts, known) {
            Finding::Good => self.doubt(held.daemon, facts, now),
            finding => finding,
        };
        match finding {
            Finding::Good => {
                self.memory.keep(facts);
                self.work(&held, now);
            }
            Finding::Bad(why) => {
                let problem = format!("its template is not usable: {why}");
                log::error!("{}: daemon {}: {problem}", self.id(), self.address(held.daemon));
                self.refuse(held.daemon, now, problem);
            }
            // The chain went on meanwhile: the next template is for its new tip.
            Finding::Unproven if held.looks == 0 && known.top >= Some(facts.height) => {
                log::debug!("{}: a template is out of date", self.id());
            }
            Finding::Unproven if held.looks == 0 => {
                let previous = facts.previous;
                let problem =
                    format!("its template builds on {previous}, which is no daemon's tip");
                log::error!("{}: daemon {}: {problem}", self.id(), self.address(held.daemon));
                self.refuse(held.daemon, now, problem);
            }
            Finding::Unproven => {
                self.probe(held.daemon, now, true);
                self.held = Some(Held { looks: held.looks - 1, ..held });
            }
        }
    }

    /// What is strange is refused while another daemon can give work; alone it may be right.
    pub(super) fn doubt(&self, daemon: usize, facts: Facts, now: u64) -> Finding {
        let network = self.plan.as_ref().map_or(Network::Main, |plan| plan.network);
        match self.memory.doubt(facts, network, clock::unix_ms()) {
            Some(words) if self.has_another(daemon, now) => Finding::Bad(words),
            Some(words) => {
                let (id, address) = (self.id(), self.address(daemon));
                log::error!(
                    "{id}: daemon {address}: strange template: {words}; used for want of another"
                );
                Finding::Good
            }
            None => Finding::Good,
        }
    }

    pub(super) fn look_again(&mut self, daemon: usize, now: u64) {
        if let Some(held) = self.held.take_if(|held| held.daemon == daemon) {
            self.consider(held, now);
        }
    }

    pub(super) fn work(&mut self, held: &Held, now: u64) {
        let Held { daemon, template, .. } = held;
        let Some(plan) = &self.plan else { return };
        let made = Work::build(template, plan).map_err(|error| error.to_string());
        let made = made.and_then(|built| {
            let body = memfd::sealed("block-body", &built.body);
            body.map(|body| (built, body)).map_err(|error| format!("no memory file: {error}"))
        });
        let (Built { mut work, .. }, body) = match made {
            Ok(made) => made,
            Err(why) => {
                log::error!("{}: no work from a template: {why}", self.id());
                return self.refuse(*daemon, now, why);
            }
        };
        // Another daemon's, which was quicker to be proven than the one that waits for that.
        self.held = None;
        self.judge.worked(*daemon, now);
        self.remember_poll(*daemon, template);
        work.clean = self.refresh.worked(now, work.previous);
        let unix = clock::unix_ms();
        let warning = sanity::clock_warning(template.time, unix);
        if let (Some(words), Some(line)) = (warning, self.lines.get_mut(*daemon))
            && !std::mem::replace(&mut line.clock_warned, true)
        {
            log::warn!("{}: daemon {}: {words}", self.pool.coin.id, line.address);
        }
        log::debug!(
            "{}: work for block {} from {}, {} transactions, {}",
            self.id(),
            work.height,
            self.address(*daemon),
            work.transactions,
            if work.clean { "new tip" } else { "same tip" }
        );
        if self.height.is_none() {
            special!("{}: first work, for block {}", self.id(), work.height);
        }
        self.height = Some(work.height);
        self.work_at = Some(unix);
        let told = self.notices.sent(work.previous, now, unix);
        self.out.send(Message::Work { work: Box::new(work), told }, Some(body));
    }
}
