//! Each daemon is examined once before its first work is used: one that was away when the pool
//! started must not slip past the doctor.

use crate::chain::Template;
use crate::config::{Daemon, Pool};
use crate::daemon::template::FetchError;
use crate::daemon::{Client, Payees};
use crate::doctor;
use crate::sys::clock;
use std::time::{Duration, Instant};

/// Longest examination: the daemon's thread answers nothing else meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a daemon that is not ready for all questions is asked ahead of its first template.
const AGAIN_MS: u64 = 10_000;

/// The examination of one daemon.
#[derive(Debug)]
pub(super) struct Exam {
    /// Its place in the pool's list.
    index: usize,
    passed: bool,
    looked: Option<u64>,
}

impl Exam {
    pub(super) fn new(pool: &Pool, daemon: &Daemon) -> Self {
        let index = pool.daemons.iter().position(|one| one == daemon).unwrap_or_default();
        Self { index, passed: !pool.doctor, looked: None }
    }

    /// While there is time: the daemon has answered a probe and is asked for nothing just now.
    pub(super) fn ahead_of_work(&mut self, client: &Client, pool: &Pool, payees: &mut Payees) {
        let now = clock::monotonic_ms();
        let due = self.looked.is_none_or(|at| now.saturating_sub(at) >= AGAIN_MS);
        if !self.passed && due {
            self.looked = Some(now);
            let _ = self.look(client, pool, payees);
        }
    }

    /// Lets a template pass when its daemon does.
    pub(super) fn before_work(
        &mut self,
        client: &Client,
        pool: &Pool,
        payees: &mut Payees,
        answer: Result<Template, FetchError>,
    ) -> Result<Template, FetchError> {
        if self.passed || answer.is_err() {
            return answer;
        }
        match self.look(client, pool, payees) {
            Some(words) => Err(FetchError::Contradiction { words }),
            None => answer,
        }
    }

    /// The contradiction, if there is one.
    fn look(&mut self, client: &Client, pool: &Pool, payees: &mut Payees) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        let examined = doctor::daemon(client, pool, self.index, until, payees);
        let contradiction = examined.contradiction().map(str::to_owned);
        self.passed = examined.complete && contradiction.is_none();
        contradiction
    }
}
