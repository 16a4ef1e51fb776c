//! New work on its way to all miners of a coin, some of them in each turn: ten thousand writes take
//! a tenth of a second, and who sends a share meanwhile is answered between them.

use super::jobs::{Issue, is_before};
use super::{Now, Worker};
use crate::sys::clock::monotonic_us;

/// Miners that one turn gives new work to: about two milliseconds of writing. Tests have few.
const A_TURN: usize = if cfg!(test) { 2 } else { 256 };

/// Work on its way.
#[derive(Debug)]
pub(super) struct Rollout {
    coin: String,
    issue: Issue,
    clean: bool,
    /// Monotonic milliseconds of the first word of the tip, if it is new.
    since: Option<u64>,
    /// Miners that were given it.
    told: usize,
    /// Place in the slab of the next miner to look at.
    next: usize,
}

impl Worker {
    /// Gives the coin's miners a job, from this turn on. One that is still on its way is overtaken.
    pub(super) fn roll_out(&mut self, coin: &str, issue: Issue, clean: bool, since: Option<u64>) {
        let before = self.rollouts.iter().position(|rollout| rollout.coin == coin);
        let overtaken = before.map(|place| self.rollouts.swap_remove(place));
        // Whoever has not heard of the tip that an overtaken job was for must drop older work, too.
        let clean = clean || overtaken.as_ref().is_some_and(|rollout| rollout.clean);
        let since = since.or(overtaken.and_then(|rollout| rollout.since));
        let coin = coin.to_owned();
        self.rollouts.push(Rollout { coin, issue, clean, since, told: 0, next: 0 });
    }

    /// A turn's part of what is on its way.
    pub(super) fn go_on_rolling_out(&mut self, now: Now) {
        let mut rollouts = std::mem::take(&mut self.rollouts);
        rollouts.retain_mut(|rollout| {
            let mut line = std::mem::take(&mut self.line);
            let mut told = 0;
            while told < A_TURN && rollout.next < self.miners.capacity() {
                told += usize::from(self.tell_job(rollout, &mut line, now));
                rollout.next += 1;
            }
            self.line = line;
            rollout.told += told;
            let done = rollout.next >= self.miners.capacity();
            if done && rollout.told > 0 {
                self.measure(rollout);
            }
            !done
        });
        self.rollouts = rollouts;
    }

    /// Shows the board how long a new tip took to reach the last miner.
    fn measure(&self, rollout: &Rollout) {
        if let (Some(since), Some(cell)) = (rollout.since, self.cell(&rollout.coin)) {
            let took = monotonic_us().saturating_sub(since.saturating_mul(1000));
            cell.changes.add(took, 1);
        }
    }

    /// Gives the job to the miner whose turn it is, if it is one of the coin's and wants work.
    fn tell_job(&mut self, rollout: &Rollout, line: &mut Vec<u8>, now: Now) -> bool {
        let (key, issue) = (rollout.next, &rollout.issue);
        let Some(miner) = self.miners.get_mut(key) else { return false };
        let Some(gate) = self.gates.get(&miner.port) else { return false };
        if gate.coin != rollout.coin {
            return false;
        }
        if rollout.clean {
            miner.late = 0;
        }
        // A session whose extranonce2 has another size gets its work after a reload's goodbye. Who
        // has the job or a later one came, or had a wish, while it was on its way.
        let size = issue.posted.work.plan.extranonce2_size;
        if !miner.session.is_subscribed()
            || gate.rules.extranonce2_size != size
            || miner.closing.is_some()
            || miner.session.newest_job().is_some_and(|job| {
                // A job of another lane came from the worker that had this miner before.
                job.lane == issue.id.lane && !is_before(job.number, issue.id.number)
            })
        {
            return false;
        }
        // Who came from another worker may have a job of this tip: it stays good.
        let jobs = self.coins.get(&rollout.coin).map(|coin| &coin.jobs);
        let newest = miner.session.newest_job();
        let has_tip = newest.is_some_and(|job| jobs.is_some_and(|jobs| jobs.is_current(job)));
        let clean = rollout.clean && !has_tip || miner.session.needs_clean();
        let notify = if clean { &issue.clean_line } else { &issue.line };
        line.clear();
        miner.session.offer(issue.id, notify, clean, &gate.rules, now.mono, line);
        miner.send(line, &self.config.limits, now.mono);
        if miner.closing.is_some() {
            self.touched.push(key);
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
