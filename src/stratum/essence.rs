//! What another process must know of a session whose own process died.

use super::issued::IssuedJobs;
use super::{Seen, Session};

/// What of a session a successor cares for: names, difficulty, version bits, what was subscribed to.
pub type Stamp = (usize, u64, u32, (u8, bool));

impl Session {
    /// What a successor must know to go on with this miner: all but its jobs and their shares. At
    /// most so many names.
    #[must_use]
    pub fn essence(&self, names: usize) -> Self {
        Self {
            names: self.names.iter().take(names).cloned().collect(),
            agent: self.agent.clone(),
            jobs: IssuedJobs::default(),
            seen: Seen::default(),
            vardiff: self.vardiff.clone(),
            ..*self
        }
    }

    /// Whether [`Session::essence`] has changed in what counts.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let flags = (self.subscriptions, self.knows_extranonce);
        (self.names.len(), self.difficulty.weight, self.wanted_mask, flags)
    }

    /// Goes on after another process died: the miner is told difficulty and work anew.
    pub fn resume(&mut self, now: u64) {
        self.told = None;
        self.tell_mask = self.wanted_mask != 0;
        self.needs_clean = true;
        self.pending = 0;
        self.last_share = now;
    }
}
