//! The thread that talks to one daemon: it does what it is told, one call after the other, and
//! reports. Only this thread waits for the daemon, so one that hangs stalls nobody else.

use super::exam::Exam;
use crate::chain::{Plan, Template};
use crate::config::{Config, Daemon};
use crate::daemon::plan::{self, PlanError};
use crate::daemon::template::{self, FetchError};
use crate::daemon::{CallError, ChainInfo, Client, Payees, chain_info};
use crate::net::helper;
use crate::sys::clock;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

/// What to ask.
#[derive(Debug)]
pub(super) enum Question {
    /// How the chain is.
    Probe,
    /// A template for this plan; the number comes back with it.
    Template(u64, Box<Plan>),
    /// Network and scripts.
    Plan(Box<ChainInfo>),
}

/// What the daemon said.
#[derive(Debug)]
pub(super) enum Reply {
    /// How the chain is, and the milliseconds it took to say so.
    Probe(Result<ChainInfo, CallError>, u64),
    /// The template of that number.
    Template(u64, Box<Result<Template, FetchError>>),
    /// Network and scripts.
    Plan(Box<Result<Plan, PlanError>>),
}

/// Starts the thread of one daemon. `tell` gets each reply; the thread ends when it says no, or
/// when the sender is dropped.
pub(super) fn start(
    config: &Arc<Config>,
    coin: &str,
    daemon: &Daemon,
    timeout: Duration,
    tell: impl Fn(Reply) -> bool + Send + 'static,
) -> io::Result<Sender<Question>> {
    let (sender, questions) = mpsc::channel();
    let (config, coin, daemon) = (Arc::clone(config), coin.to_owned(), daemon.clone());
    helper::spawn(&format!("ask-{}", daemon.port), move || {
        let Some(pool) = config.pools.get(&coin) else { return };
        let client = Client::new(&daemon, timeout);
        let mut payees = Payees::default();
        let mut exam = Exam::new(pool, &daemon);
        for question in questions {
            let begun = clock::monotonic_ms();
            let reply = match question {
                Question::Probe => {
                    let answer = chain_info(&client, pool.coin.has_get_info);
                    Reply::Probe(answer, clock::monotonic_ms().saturating_sub(begun))
                }
                Question::Template(number, plan) => {
                    let answer = template::fetch_for(&client, &pool.coin, &plan, &mut payees);
                    let answer = exam.before_work(&client, pool, &mut payees, answer);
                    Reply::Template(number, Box::new(answer))
                }
                Question::Plan(info) => Reply::Plan(Box::new(plan::make(&client, pool, &info))),
            };
            let answered = matches!(reply, Reply::Probe(Ok(_), _));
            if !tell(reply) {
                return;
            }
            if answered {
                exam.ahead_of_work(&client, pool, &mut payees);
            }
        }
    })?;
    Ok(sender)
}
