//! A template that a worker asks for itself. What the templates process would refuse is refused
//! here, too: nobody has looked at these daemons since that was last heard of.

use crate::chain::{Template, Work};
use crate::config::{Daemon, Pool};
use crate::daemon::sanity::{self, Facts, Finding, Known, Memory};
use crate::daemon::{Client, Payees, block_info, template};
use crate::sys::{clock, memfd};
use std::os::fd::OwnedFd;

/// Work from the pool's daemons, asked in turn: the first usable template on a new block, else the
/// first on the block of the `latest` work. A strange one is only used for want of another. Blocks.
pub(crate) fn work(pool: &Pool, latest: &Work) -> Result<(Box<Work>, OwnedFd), String> {
    let mut best: Option<Offer> = None;
    let mut problems = Vec::new();
    for daemon in &pool.daemons {
        match offer(daemon, pool, latest) {
            Ok(offer) => {
                if best.as_ref().is_none_or(|best| offer.rank(latest) < best.rank(latest)) {
                    best = Some(offer);
                }
            }
            Err(problem) => problems.push(problem),
        }
        if best.as_ref().is_some_and(|best| best.rank(latest) == BEST) {
            break;
        }
    }
    let Some(Offer { template, doubt }) = best else { return Err(problems.join("; ")) };
    if let Some(doubt) = doubt {
        let coin = &pool.coin.id;
        log::error!("{coin}: {doubt}; used for want of another");
    }
    let built = Work::build(&template, &latest.plan).map_err(|error| error.to_string())?;
    let body = memfd::sealed("block-body", &built.body).map_err(|error| error.to_string())?;
    Ok((Box::new(built.work), body))
}

/// A usable template.
struct Offer {
    template: Template,
    /// What is strange about it.
    doubt: Option<String>,
}

/// No doubt, and a new block.
const BEST: (bool, bool) = (false, false);

impl Offer {
    /// The smaller, the better.
    fn rank(&self, latest: &Work) -> (bool, bool) {
        (self.doubt.is_some(), self.template.previous == latest.previous)
    }
}

fn offer(daemon: &Daemon, pool: &Pool, latest: &Work) -> Result<Offer, String> {
    let client = Client::new(daemon, pool.daemon_timeout);
    let plan = &latest.plan;
    let template = template::fetch_for(&client, &pool.coin, plan, &mut Payees::default())
        .map_err(|error| error.to_string())?;
    let facts = Facts::from(&template);
    let address = client.address();
    let tip_height = latest.height.saturating_sub(1);
    let previous_height = if template.previous == latest.previous {
        Some(tip_height)
    } else {
        // One that was examined gave the latest work: who knows the block that this builds on is
        // on the same chain, and need not be examined.
        let known = |hash| block_info(&client, hash).map_err(|error| error.to_string());
        if known(&latest.previous)?.is_none() {
            return Err(format!(
                "daemon {address} does not know block {}, which miners build on",
                latest.previous
            ));
        }
        known(&template.previous)?.and_then(|block| block.height)
    };
    let known = Known { previous_height, top: Some(tip_height), current: Some(latest.height) };
    let unusable = |why: &str| format!("daemon {address}: its template is not usable: {why}");
    match sanity::check(facts, known) {
        Finding::Good => {}
        Finding::Bad(why) => return Err(unusable(&why)),
        Finding::Unproven => {
            let why = format!("it builds on {}, whose height it does not tell", facts.previous);
            return Err(unusable(&why));
        }
    }
    let mut memory = Memory::default();
    memory.keep(Facts::from(latest));
    let doubt = memory
        .doubt(facts, plan.network, clock::unix_ms())
        .map(|words| format!("daemon {address}: strange template: {words}"));
    Ok(Offer { template, doubt })
}

#[cfg(test)]
#[path = "ask/tests.rs"]
mod tests;
