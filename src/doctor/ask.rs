//! The questions to one daemon, one after the other. Blocks: for helper threads.

use super::{Finding, Verdict, judge, stake};
use crate::chain::{Built, Hash, Network, Recipient, Work, hex_encode};
use crate::config::{Key, Pool};
use crate::daemon::plan::{self, PlanError};
use crate::daemon::template::{FetchError, fetch_for};
use crate::daemon::{self, ChainInfo, Client, Payees, chain_info, raw_header};
use crate::pow::Algorithm;
use crate::sys::clock;
use std::time::{Duration, Instant};

/// Headers that are looked at: coins of several algorithms show each of theirs among so many.
const HEADERS: usize = 24;

/// What came out for one daemon.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// In the order of the questions.
    pub findings: Vec<Finding>,
    /// Its network, once it said.
    pub network: Option<Network>,
    /// It told of its chain.
    pub answered: bool,
    /// Every question was put; those that were not are still to be asked when it is ready.
    pub complete: bool,
}

impl Examined {
    /// The first contradiction, in words.
    #[must_use]
    pub fn contradiction(&self) -> Option<&str> {
        let mut findings = self.findings.iter();
        findings.find(|it| it.verdict == Verdict::Fail).map(|it| it.words.as_str())
    }

    /// Of a daemon that was not through within `patience`.
    pub(super) fn late(address: &str, patience: Duration) -> Self {
        let words = format!(
            "daemon {address} was not examined within {} s; it will be when it answers",
            patience.as_secs()
        );
        Self { findings: vec![Finding::new("rpc", Verdict::Warn, words)], ..Self::default() }
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Examines the daemon at `index` of the pool's list, until that moment and one call longer.
/// `payees` remembers the scripts of payees that its templates name.
#[must_use]
pub fn daemon(
    client: &Client,
    pool: &Pool,
    index: usize,
    until: Instant,
    payees: &mut Payees,
) -> Examined {
    let mut out = Examined::default();
    let info = match chain_info(client, pool.coin.has_get_info) {
        Ok(info) => info,
        Err(error) => {
            out.add(judge::silent(&error, Some(index)));
            return out;
        }
    };
    let address = client.address();
    out.answered = true;
    out.network = info.network;
    let words = format!("answers; `{}` network, block {}", info.chain, info.blocks);
    out.add(Finding::new("rpc", Verdict::Ok, words));
    let network = match plan::network(&address, &info) {
        Ok(network) => network,
        Err(error) => {
            out.add(operator("network", error));
            return out;
        }
    };
    out.add(judge::sync(&address, pool, &info, clock::unix_ms() / 1000));
    if let Ok(peers) = daemon::peers(client) {
        out.add(judge::peers(&address, &peers));
    }
    let staked = stake::ask(client, pool, &info, &mut out.findings);
    let plan = staked.and_then(|staked| scripts(client, pool, &info, network, staked, &mut out));
    let fee = pool.payments.as_ref().and_then(|paid| paid.fee_account.as_ref());
    if let Some(fee) = fee
        && let Err(error) = plan::fee_script(client, pool, &info, network, &fee.address)
    {
        out.add(operator("address", error));
    }
    if pool.payments.as_ref().is_some_and(|paid| daemon::address(&paid.wallet) == address) {
        wallet(client, pool, &mut out);
    }
    let now = Instant::now();
    if now < until {
        // Half of what is left: where each call takes long, the block must have its turn too, or
        // the examination is never complete and begins anew before every template.
        let half = until.saturating_duration_since(now) / 2;
        // Two say enough where each may take a second to hash.
        let is_jane = matches!(pool.coin.algorithm, Algorithm::ScryptJane(_));
        let most = if is_jane { 2 } else { HEADERS };
        let headers = headers(client, &info.best, most, now + half);
        match staked {
            Some(true) => out.add(stake::algorithm(&address, pool, &headers)),
            Some(false) => out.add(judge::algorithm(&address, pool, info.blocks, &headers)),
            // Of a chain of stake most headers would be wrong.
            None => {}
        }
    }
    if let Some(plan) = plan
        && Instant::now() < until
    {
        block(client, pool, &plan, payees, &mut out);
    }
    out
}

/// Examines a daemon that only holds the wallet.
pub(super) fn wallet_only(client: &Client, pool: &Pool) -> Examined {
    let mut out = Examined { answered: true, ..Examined::default() };
    wallet(client, pool, &mut out);
    out
}

fn wallet(client: &Client, pool: &Pool, out: &mut Examined) {
    let answer = daemon::owns(client, &pool.address);
    out.add(judge::wallet(&client.address(), &pool.address, answer));
}

fn operator(what: &'static str, error: PlanError) -> Finding {
    match error {
        PlanError::Call(error) => judge::unanswered(what, &error),
        PlanError::Operator { key, words } => Finding::new(what, Verdict::Fail, words).at(key),
    }
}

/// Every address as the daemon sees it; the plan, when all of them are right.
fn scripts(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    network: Network,
    staked: bool,
    out: &mut Examined,
) -> Option<crate::chain::Plan> {
    let mut recipients = Vec::new();
    let pool_script = match plan::reward_script(client, pool, info, network, staked) {
        Ok(script) => {
            let words = format!("`{}` is an address of the `{}` network", pool.address, info.chain);
            out.add(Finding::new("address", Verdict::Ok, words));
            Some(script)
        }
        Err(error) => {
            out.add(operator("address", error));
            None
        }
    };
    for recipient in &pool.recipients {
        let destination = &recipient.destination;
        match plan::recipient_script(client, pool, info, network, destination) {
            Ok(script) => recipients.push(Recipient { script, ppm: recipient.ppm }),
            Err(error) => out.add(operator("address", error)),
        }
    }
    let all = recipients.len() == pool.recipients.len();
    let script = pool_script.filter(|_| all)?;
    Some(plan::with_scripts(pool, network, script, recipients, staked))
}

/// The last headers, newest first, as many as there are and time allows.
fn headers(client: &Client, tip: &Hash, most: usize, until: Instant) -> Vec<(Hash, Vec<u8>)> {
    let mut headers = Vec::new();
    let mut next = *tip;
    while headers.len() < most && next != Hash::default() && Instant::now() < until {
        let Ok(Some(bytes)) = raw_header(client, &next) else { break };
        let previous = bytes.get(4..36).and_then(|hash| hash.try_into().ok()).map(Hash);
        headers.push((next, bytes));
        let Some(previous) = previous else { break };
        next = previous;
    }
    headers
}

/// A template, the block that romp makes of it, and what the daemon thinks of that.
fn block(
    client: &Client,
    pool: &Pool,
    plan: &crate::chain::Plan,
    payees: &mut Payees,
    out: &mut Examined,
) {
    let address = client.address();
    let rules = &pool.coin.template_rules;
    let template = match fetch_for(client, &pool.coin, plan, payees) {
        Ok(template) => template,
        Err(error) => {
            out.complete = !matches!(error, FetchError::Call(_));
            out.add(judge::no_template(&error));
            return;
        }
    };
    out.complete = true;
    let words = format!("for block {}, under the rules {rules:?}", template.height);
    out.add(Finding::new("template", Verdict::Ok, words));
    out.add(judge::clock(&address, template.time, clock::unix_ms() / 1000));
    let Built { work, body } = match Work::build(&template, plan) {
        Ok(built) => built,
        Err(error) => {
            let words =
                format!("no block can be made of the template of daemon {address}: {error}");
            out.add(Finding::new("block", Verdict::Fail, words).at(Key::coin(&[])));
            return;
        }
    };
    let extranonce2 = vec![0; usize::from(plan.extranonce2_size)];
    let coinbase = work.coinbase(0, [0; 4], &extranonce2);
    let root = work.merkle_root(&coinbase);
    let header = work.header(work.version, &root, work.time, 0);
    let hex = hex_encode(&work.block(&header, &coinbase, &body));
    out.add(judge::proposal(&address, &daemon::propose(client, rules, &hex)));
}
