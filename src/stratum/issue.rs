//! The jobs of a session: giving them out, and what changes only together with a new one.

use super::{Action, Cause, Difficulty, JobId, PortRules, Seen, Session, reply};

/// Jobs of the present tip whose shares are taken; older ones become stale.
pub(super) const JOBS: usize = 64;
/// Jobs remembered at all, so that a late share is called stale and not unknown.
pub(super) const JOBS_REMEMBERED: usize = 96;

impl Session {
    /// Gives the miner a job: at most one `set_difficulty`, then the notify line. Binds the
    /// difficulty to the job. `clean` makes older jobs stale and forgets their shares. An id that
    /// this session has already had is only repeated. Nothing before the miner has subscribed.
    pub fn offer(
        &mut self,
        id: JobId,
        notify: &[u8],
        clean: bool,
        rules: &PortRules,
        now: u64,
        out: &mut Vec<u8>,
    ) {
        if !self.is_subscribed() {
            return;
        }
        if self.has_job(id) {
            out.extend_from_slice(notify);
            return;
        }
        if std::mem::take(&mut self.tell_extranonce) {
            self.extranonce2_size = rules.extranonce2_size;
            reply::set_extranonce(out, self.extranonce1, self.extranonce2_size);
        }
        if std::mem::take(&mut self.tell_mask) {
            self.version_mask = self.wanted_mask & rules.version_mask;
            reply::set_version_mask(out, self.version_mask);
        }
        if self.told != Some(self.difficulty) {
            reply::set_difficulty(out, self.difficulty);
            self.told = Some(self.difficulty);
        }
        out.extend_from_slice(notify);
        self.vardiff.offered(now);
        self.needs_clean = false;
        if clean {
            self.forget_tip();
        }
        self.jobs.push(id, self.difficulty, JOBS, JOBS_REMEMBERED);
    }

    /// All jobs become stale, so their shares need not be remembered.
    fn forget_tip(&mut self) {
        self.jobs.age();
        self.seen.clear();
    }

    /// Whether the next job must be offered clean: the first one, and after a new extranonce1.
    #[must_use]
    pub const fn needs_clean(&self) -> bool {
        self.needs_clean
    }

    /// What a share of the job must reach; `None` when this session never had the job, or so
    /// long ago that it is forgotten.
    #[must_use]
    pub fn difficulty_of(&self, job: JobId) -> Option<Difficulty> {
        self.jobs.find(job).map(|(difficulty, _)| difficulty)
    }

    /// Whether the job was given to this session, but for an older tip (or too long ago).
    #[must_use]
    pub fn is_stale(&self, job: JobId) -> bool {
        self.jobs.find(job).is_some_and(|(_, stale)| stale)
    }

    /// Whether the session was given that job and still knows it, fresh or stale.
    #[must_use]
    pub fn has_job(&self, job: JobId) -> bool {
        self.jobs.find(job).is_some()
    }

    /// The job that the session was given last.
    #[must_use]
    pub fn newest_job(&self) -> Option<JobId> {
        self.jobs.newest()
    }

    /// The shares had on this tip.
    pub const fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    /// The port's rules changed: new bounds and a new mask come with a new job.
    pub fn change_rules(&mut self, rules: &PortRules, now: u64) -> Vec<Action> {
        let _ = now;
        let mask = self.wanted_mask & rules.version_mask;
        self.tell_mask = mask != self.version_mask;
        let wanted = match rules.var_diff {
            Some(_) => self.difficulty,
            None => self.asked.unwrap_or(rules.start),
        };
        let actions = self.want(wanted, rules);
        if self.is_subscribed() && self.extranonce2_size != rules.extranonce2_size {
            return self.change_extranonce();
        }
        self.extranonce2_size = rules.extranonce2_size;
        if self.tell_mask && actions.is_empty() { self.work() } else { actions }
    }

    /// Another extranonce1, told with the next job, which must be clean: [`Action::SendWork`] for
    /// a miner that understands it, [`Action::Close`] for one that does not. All its jobs become
    /// stale.
    pub fn set_extranonce1(&mut self, extranonce1: [u8; 4]) -> Vec<Action> {
        self.extranonce1 = extranonce1;
        if self.is_subscribed() { self.change_extranonce() } else { Vec::new() }
    }

    fn change_extranonce(&mut self) -> Vec<Action> {
        if !self.knows_extranonce {
            return vec![Action::Close(Cause::Extranonce)];
        }
        self.tell_extranonce = true;
        self.needs_clean = true;
        self.forget_tip();
        self.work()
    }
}
