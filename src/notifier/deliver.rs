//! A thread for each target: its messages in their order, again and again until it has taken them.

use super::event::Event;
use super::outbox::{Outbox, OutboxError};
use super::target::{Failure, Target};
use crate::ipc::Troubles;
use crate::sys::clock::{ms, unix_ms};
use crate::sys::failpoint;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// First and longest wait (ms) between two tries.
const BACK_OFF: (u64, u64) = (1000, super::outbox::LONGEST_WAIT);
/// A message that is older (ms) is given up.
const OLDEST: u64 = super::coin::NEWS;
/// Tries of a message that the other side says is wrong (HTTP 400, 413, 422): a quarter of an hour.
const REFUSALS: u64 = 10;
/// Failures in a row from which on `romp status` shows it.
const TROUBLE: u64 = 3;
/// As what `romp status` shows the outbox.
const OUTBOX: &str = "notifications";
/// Longest time without a look: word of a new message that comes just before the wait is missed.
const LOOK: Duration = Duration::from_secs(2);

/// The outbox, between those who fill it and those who empty it.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<(Mutex<Outbox>, Condvar)>);

impl Shared {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self(Arc::new((Mutex::new(outbox), Condvar::new())))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who deliver.
    pub(super) fn wake(&self) {
        self.0.1.notify_all();
    }

    /// Waits until there may be something.
    fn wait(&self, time: Duration) {
        let guard = self.lock();
        drop(self.0.1.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner));
    }
}

/// How long (ms) to wait after so many failures in a row.
fn back_off(failures: u64) -> u64 {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    (BACK_OFF.0 << doublings).min(BACK_OFF.1)
}

/// What `romp status` shows of a target that fails.
fn waits(words: &str) -> String {
    format!("{words}; messages wait")
}

/// Delivers to one target.
#[derive(Debug)]
pub(super) struct Deliverer {
    target: Target,
    shared: Shared,
    troubles: Troubles,
    /// The message that the other side said is wrong, and how often.
    refused: (i64, u64),
}

impl Deliverer {
    pub(super) fn new(target: Target, shared: Shared, troubles: Troubles) -> Self {
        Self { target, shared, troubles, refused: (0, 0) }
    }

    /// Delivers for ever.
    pub(super) fn run(mut self) {
        // The master has what a process before this one has said.
        if let Ok(standing) = self.shared.lock().standing(&self.target.name) {
            let fails = standing.failures >= TROUBLE;
            self.say(fails.then(|| waits(&standing.error)).as_deref());
        }
        loop {
            match self.turn() {
                Ok(Some(next)) => {
                    self.troubles.say("", OUTBOX, None);
                    let wait = Duration::from_millis(next.saturating_sub(unix_ms()));
                    self.shared.wait(wait.clamp(Duration::from_millis(1), LOOK));
                }
                Ok(None) => return self.idle(),
                Err(error) => {
                    log::error!("{error}");
                    self.troubles.say("", OUTBOX, Some(&error.to_string()));
                    std::thread::sleep(Duration::from_secs(10));
                }
            }
        }
    }

    /// For a target that wants nothing more: what comes is given up.
    fn idle(&self) {
        loop {
            if let Err(error) = self.shared.lock().drop_of(&self.target.name, None) {
                log::error!("{error}");
            }
            std::thread::sleep(Duration::from_secs(60));
        }
    }

    fn say(&self, words: Option<&str>) {
        self.troubles.say("", &self.target.label, words);
    }

    /// One message, if one is due. When to look again, unix ms; `None`: never.
    fn turn(&mut self) -> Result<Option<u64>, OutboxError> {
        let (name, label) = (&self.target.name, &self.target.label);
        let now = unix_ms();
        let head = match self.shared.lock().head(name, now)? {
            Ok(head) => head,
            Err(next) => return Ok(Some(next)),
        };
        let Some(event) = head.event else {
            log::error!("{label}: a message that cannot be read is given up");
            self.shared.lock().drop_of(name, Some(head.n))?;
            return Ok(Some(now));
        };
        if now.saturating_sub(head.time) > OLDEST {
            log::error!("{label}: not told within three days, given up: {}", event.text);
            self.shared.lock().drop_of(name, Some(head.n))?;
            return Ok(Some(now));
        }
        failpoint::point("notifier-before-send");
        let sent = self.target.send(&event, now / 1000);
        failpoint::point("notifier-after-send");
        match sent {
            Ok(answer) => {
                let mut outbox = self.shared.lock();
                let before = outbox.standing(name)?;
                outbox.took(name, head.n, unix_ms())?;
                drop(outbox);
                log::debug!("{label}: told {} ({answer})", event.id);
                if before.failures >= TROUBLE {
                    log::warn!("{label}: takes messages again");
                }
                self.say(None);
                Ok(Some(now))
            }
            Err(failure) => self.failed(head.n, &event, &failure, unix_ms()),
        }
    }

    fn failed(
        &mut self,
        n: i64,
        event: &Event,
        failure: &Failure,
        now: u64,
    ) -> Result<Option<u64>, OutboxError> {
        let (name, label, words) = (&self.target.name, &self.target.label, &failure.words);
        if failure.is_gone {
            let count = self.shared.lock().drop_of(name, None)?;
            log::error!(
                "{label}: {words}: it wants no more messages, {count} are given up. It is off until \
                 the pool is started anew or its configuration is read again"
            );
            self.say(Some(&format!("{words}: off")));
            return Ok(None);
        }
        if failure.is_refused {
            let before = if self.refused.0 == n { self.refused.1 } else { 0 };
            self.refused = (n, before + 1);
            if self.refused.1 >= REFUSALS {
                self.shared.lock().drop_of(name, Some(n))?;
                log::error!("{label}: {words}; it does not take this, given up: {}", event.text);
                return Ok(Some(now));
            }
        }
        let mut outbox = self.shared.lock();
        let failures = outbox.standing(name)?.failures + 1;
        let next = now + back_off(failures).max(ms(failure.wait));
        outbox.failed(name, words, next, now)?;
        drop(outbox);
        if failures == TROUBLE {
            log::error!("{label}: {words}; messages wait, and are tried again for three days");
        } else {
            log::debug!("{label}: {words}; next try in {} s", (next - now) / 1000);
        }
        if failures >= TROUBLE {
            self.say(Some(&waits(words)));
        }
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour() {
        let waits: Vec<u64> = [1, 2, 3, 12, 13, 1000, u64::MAX].map(back_off).to_vec();
        assert_eq!(waits, [1000, 2000, 4000, 2_048_000, 3_600_000, 3_600_000, 3_600_000]);
    }
}
