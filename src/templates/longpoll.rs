//! Long polls (BIP 22): a `getblocktemplate` that the daemon answers when it has a new block. Each
//! daemon has a thread for them with a connection of its own, so that nothing else waits.
//!
//! A waiting call holds one of the daemon's RPC threads, of which it has four by default, and it
//! goes on holding it when the caller is gone, until the next block or transactions. So there is
//! never more than one of this process, and none while others wait already: a pool that is
//! restarted often on a quiet chain would otherwise block the daemon for everybody.

use crate::chain::{Hash, Plan, Template};
use crate::config::{Config, Daemon};
use crate::daemon::{self, Client, Payees, template};
use crate::net::helper;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

/// Longest wait for an answer. A daemon's whole chain may stand still for longer.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Waiting calls of others, or of a process before this one, beside which none is added.
const MOST_WAITING: usize = 2;
/// An answer that brings no block is expected after a minute, when transactions came. One that
/// comes sooner than this says that the daemon does not wait at all.
const DULL_MS: u64 = 10_000;
/// Least time between two polls.
const APART_MS: u64 = 250;
/// First and longest back-off.
const BACK_OFF_MS: (u64, u64) = (1_000, 60_000);

/// What a long poll is asked with: `longpollid` and plan.
type Question = (String, Box<Plan>);

/// What came of a long poll.
#[derive(Debug)]
pub(super) enum Answer {
    /// The daemon waits for a block.
    Waiting,
    /// A template.
    Template(Box<Template>),
    /// There was none, or there cannot be one now; why.
    Failed(String),
}

/// When to poll: pure. Times are monotonic milliseconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    asked_at: Option<u64>,
    next_at: u64,
    failures: u32,
}

impl Pace {
    /// Whether to poll now.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.asked_at.is_none() && now >= self.next_at
    }

    /// A poll went out.
    pub(super) fn asked(&mut self, now: u64) {
        self.asked_at = Some(now);
    }

    /// The daemon answered, with a block or without.
    pub(super) fn answered(&mut self, now: u64, block: bool) {
        let asked = self.asked_at.take().unwrap_or(now);
        if !block && now.saturating_sub(asked) < DULL_MS {
            self.failed(now);
        } else {
            self.failures = 0;
            self.next_at = now.saturating_add(APART_MS);
        }
    }

    /// It did not.
    pub(super) fn failed(&mut self, now: u64) {
        self.asked_at = None;
        let wait = BACK_OFF_MS.0.saturating_mul(1 << self.failures.min(10)).min(BACK_OFF_MS.1);
        self.next_at = now.saturating_add(wait);
        self.failures = self.failures.saturating_add(1);
    }
}

/// One daemon's long polls, from its coin's thread.
#[derive(Debug)]
pub(super) struct LongPoll {
    ask: Sender<Question>,
    pub(super) pace: Pace,
    /// `longpollid` of the daemon's last template, and what that builds on; `None` when the daemon
    /// knows no long poll.
    last: Option<(String, Hash)>,
    /// What the template builds on that the daemon is to better.
    asked_on: Option<Hash>,
}

impl LongPoll {
    /// Starts the thread of one daemon. It ends when `tell` says no, or with this value.
    pub(super) fn start(
        config: &Arc<Config>,
        coin: &str,
        daemon: &Daemon,
        tell: impl Fn(Answer) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (ask, questions) = mpsc::channel::<Question>();
        let (config, coin, daemon) = (Arc::clone(config), coin.to_owned(), daemon.clone());
        helper::spawn(&format!("wait-{}", daemon.port), move || {
            let Some(pool) = config.pools.get(&coin) else { return };
            let quick = Client::new(&daemon, pool.daemon_timeout);
            let client = Client::new(&daemon, DEADLINE);
            let mut payees = Payees::default();
            for (id, plan) in questions {
                let answer = match may_wait(&quick) {
                    Ok(()) if !tell(Answer::Waiting) => return,
                    Ok(()) => template::wait_for(&client, &pool.coin, &plan, &mut payees, &id)
                        .map(|template| Answer::Template(Box::new(template)))
                        .unwrap_or_else(|error| Answer::Failed(error.to_string())),
                    Err(why) => Answer::Failed(why),
                };
                if !tell(answer) {
                    return;
                }
            }
        })?;
        Ok(Self { ask, pace: Pace::default(), last: None, asked_on: None })
    }

    /// Polls if it is time.
    pub(super) fn ask(&mut self, now: u64, plan: &Plan) {
        if let Some((id, previous)) = &self.last
            && self.pace.is_due(now)
            && self.ask.send((id.clone(), Box::new(plan.clone()))).is_ok()
        {
            self.pace.asked(now);
            self.asked_on = Some(*previous);
        }
    }

    /// Keeps what the next poll is asked with.
    pub(super) fn remember(&mut self, template: &Template) {
        let id = template.long_poll_id.clone();
        self.last = id.map(|id| (id, template.previous));
    }

    /// The daemon answered; whether with a block, and not only with transactions.
    pub(super) fn answered(&mut self, now: u64, template: &Template) -> bool {
        let block = self.asked_on.take() != Some(template.previous);
        self.pace.answered(now, block);
        self.remember(template);
        block
    }
}

/// Whether the daemon has an RPC thread to spare.
fn may_wait(client: &Client) -> Result<(), String> {
    match daemon::waiting_calls(client, "getblocktemplate") {
        Ok(waiting) if waiting < MOST_WAITING => Ok(()),
        Ok(waiting) => Err(format!(
            "{}: {waiting} of its RPC threads wait for a block already, perhaps for a pool that \
             was stopped",
            client.address()
        )),
        Err(error) if error.is_unknown_method() => Err(format!(
            "{}: it cannot tell how many of its RPC threads wait (no getrpcinfo)",
            client.address()
        )),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::stub::{self, Answer as Stub};

    #[test]
    fn no_call_waits_beside_two_that_wait() {
        let asked = |answer: &'static str| {
            let daemon = stub::daemon(move |_, _| match answer {
                "" => Stub::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
                "403" => Stub::Http(403, String::new()),
                calls => Stub::Result(format!("{{\"active_commands\":[{calls}]}}")),
            });
            may_wait(&Client::new(&daemon, Duration::from_secs(20)))
        };
        assert_eq!(asked(r#"{"method":"getrpcinfo","duration":10}"#), Ok(()));
        assert_eq!(asked(r#"{"method":"getblocktemplate","duration":2000000}"#), Ok(()));
        // One that has just begun is being answered.
        let with_new = r#"{"method":"getblocktemplate","duration":2000000},
            {"method":"getblocktemplate","duration":900000}"#;
        assert_eq!(asked(with_new), Ok(()));
        let two = r#"{"method":"getblocktemplate","duration":2000000},
            {"method":"getblocktemplate","duration":1000000}"#;
        assert!(asked(two).is_err_and(|why| why.contains("2 of its RPC threads wait")));
        assert!(asked("").is_err_and(|why| why.contains("getrpcinfo")));
        assert!(asked("403").is_err_and(|why| why.contains("rpcwhitelist")));
    }

    #[test]
    fn polls_again_at_once_after_a_block_and_after_transactions() {
        let mut pace = Pace::default();
        assert!(pace.is_due(0));
        pace.asked(0);
        assert!(!pace.is_due(1_000_000), "one at a time");
        pace.answered(5, true);
        assert!(!pace.is_due(254) && pace.is_due(255));
        pace.asked(255);
        pace.answered(61_000, false);
        assert!(pace.is_due(61_250));
    }

    #[test]
    fn a_daemon_that_does_not_wait_or_fails_is_asked_ever_less() {
        let mut pace = Pace::default();
        let mut asked = Vec::new();
        for now in (0..200_000).step_by(10) {
            if pace.is_due(now) {
                pace.asked(now);
                pace.answered(now, false);
                asked.push(now / 1_000);
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        pace.answered(200_000, true);
        assert!(pace.is_due(200_250), "a block makes up for it");
    }

    #[test]
    fn a_daemon_that_flips_between_blocks_is_asked_four_times_a_second() {
        let mut pace = Pace::default();
        let mut asked = 0;
        for now in 0..1_000 {
            if pace.is_due(now) {
                pace.asked(now);
                pace.answered(now, true);
                asked += 1;
            }
        }
        assert_eq!(asked, 4);
    }
}
