//! The table of roles: one row a kind of child. Profit is a further row.

use crate::config::{Config, Forks};
use crate::ipc::Role;

/// What the master knows about a kind of child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// The role.
    pub(crate) role: Role,
    /// Beginning of its tag in the log.
    pub(crate) tag: &'static str,
    /// Its rows on the board: the first, and how many.
    pub(crate) rows: (usize, usize),
    /// Whether it gets the listening sockets, a lane, and what is kept for workers.
    pub(crate) serves_miners: bool,
    /// Whether it deals with what those who serve miners leave behind: a graceful stop starts it
    /// again if it is missing when the last of them has ended.
    pub(crate) finishes_last: bool,
}

/// Every kind, in the order of their start. Those that serve miners are stopped first, so that the
/// others can deal with their last words.
pub(crate) const KINDS: [Kind; 6] = [
    Kind {
        role: Role::Templates,
        tag: "TMPL",
        rows: (240, 1),
        serves_miners: false,
        finishes_last: false,
    },
    Kind {
        role: Role::Bookkeeper,
        tag: "BOOK",
        rows: (241, 1),
        serves_miners: false,
        finishes_last: true,
    },
    Kind {
        role: Role::Payments,
        tag: "PAY",
        rows: (242, 1),
        serves_miners: false,
        finishes_last: false,
    },
    Kind {
        role: Role::Website,
        tag: "WEB",
        rows: (243, 1),
        serves_miners: false,
        finishes_last: false,
    },
    Kind {
        role: Role::Notifier,
        tag: "NOTE",
        rows: (244, 1),
        serves_miners: false,
        finishes_last: false,
    },
    Kind {
        role: Role::Worker,
        tag: "WRK",
        rows: (0, 240),
        serves_miners: true,
        finishes_last: false,
    },
];

impl Kind {
    /// The kind of a role.
    pub(crate) fn of(role: Role) -> Self {
        // The table has every role (tested); the fallback is never taken.
        KINDS.into_iter().find(|kind| kind.role == role).unwrap_or(Self {
            role,
            tag: "?",
            rows: (crate::ipc::board::SLOTS, 0),
            serves_miners: false,
            finishes_last: false,
        })
    }

    /// The tag of one child: `WRK-03`, `TMPL`.
    pub(crate) fn tag(self, row: usize) -> String {
        match self.rows {
            (_, 1) => self.tag.to_owned(),
            (first, _) => format!("{}-{:02}", self.tag, row.saturating_sub(first)),
        }
    }
}

/// The tag of a child in the log, e.g. `WRK-03`.
#[must_use]
pub fn tag(role: Role, slot: usize) -> String {
    Kind::of(role).tag(slot)
}

/// Workers that a configuration asks for.
pub(crate) fn configured_workers(config: &Config) -> usize {
    let count = match config.forks {
        Forks::Auto => std::thread::available_parallelism().map_or(1, usize::from),
        Forks::Count(count) => usize::from(count),
    };
    clamp_workers(count)
}

/// As many workers as there can be: at least one, at most half of the rows that the board has for
/// them, so that their successors have rows, too.
pub(crate) fn clamp_workers(count: usize) -> usize {
    count.clamp(1, Kind::of(Role::Worker).rows.1 / 2)
}

/// The fleet that is wanted; `pays`: a pool pays its miners; `shows`: there is a web site; `tells`:
/// the operator is told what happens.
pub(crate) fn wanted(workers: usize, pays: bool, shows: bool, tells: bool) -> Vec<(Role, usize)> {
    let count = |kind: &Kind| match kind.role {
        Role::Worker => workers,
        Role::Payments => usize::from(pays),
        Role::Website => usize::from(shows),
        Role::Notifier => usize::from(tells),
        Role::Templates | Role::Bookkeeper => 1,
    };
    KINDS.iter().map(|kind| (kind.role, count(kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::board::SLOTS;

    #[test]
    fn every_role_has_rows_of_its_own() {
        let mut taken = [false; SLOTS];
        for role in Role::ALL {
            let kind = Kind::of(role);
            assert!(kind.rows.1 > 0, "{role:?} is missing in the table");
            for row in kind.rows.0..kind.rows.0 + kind.rows.1 {
                assert!(!std::mem::replace(taken.get_mut(row).unwrap_or(&mut true), true), "{row}");
            }
        }
        assert_eq!(tag(Role::Worker, 3), "WRK-03");
        assert_eq!(tag(Role::Templates, 240), "TMPL");
    }
}
