//! Children that were asked to end, and what is said of those who have.

use super::Stop;
use crate::sys::fork::Ended;
use crate::sys::signals::{SIGQUIT, SIGTERM};

/// A child that was asked to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) how: Stop,
    pub(super) kill_at: u64,
    pub(super) killed: bool,
    /// Whether nobody served miners any more when it was asked.
    pub(super) last: bool,
    /// Whether it was not asked at all, but hung.
    pub(super) hung: bool,
    /// Whether it goes on serving its miners until others have them.
    pub(super) leaves: bool,
}

impl Ending {
    pub(super) const fn asked(how: Stop, kill_at: u64) -> Self {
        Self { how, kill_at, killed: false, last: false, hung: false, leaves: false }
    }

    pub(super) const fn killed(now: u64) -> Self {
        Self { killed: true, ..Self::asked(Stop::Fast, now) }
    }

    /// What is to be said of its end.
    pub(super) const fn farewell(&self, how: Ended) -> Farewell {
        match how {
            // A child that has just begun cannot obey yet: what asks it ends it.
            Ended::Exit(_) | Ended::Signal(SIGTERM | SIGQUIT) => Farewell::Planned,
            Ended::Signal(_) if self.killed => Farewell::Planned,
            Ended::Signal(_) => Farewell::Fell,
        }
    }
}

/// What the master should say about an ended child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It was asked to.
    Planned,
    /// It was, but died of something else before it had.
    Fell,
    /// It was not; it is started again after so many milliseconds.
    Again(u64),
    /// It cannot work with this configuration.
    Refused,
}
