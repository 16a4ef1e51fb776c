//! The machine below the pool: what its processes cost, and how long miners waited, from the board.

use crate::ipc::Role;
use crate::ipc::board::{Board, Row};
use crate::ipc::histogram::Times;
use crate::sys::process::{Cost, cost};
use std::os::unix::process::parent_id;
use std::sync::atomic::Ordering;

/// What was seen of it at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    /// The master and each living child: role, row, cost.
    pub(super) costs: Vec<(&'static str, Option<usize>, Cost)>,
    /// Each worker's row: from a share that can be read to its answer.
    pub(super) replies: Vec<(usize, Times)>,
    /// Coin and worker's row: from a new block to the last miner.
    pub(super) changes: Vec<(String, usize, Times)>,
}

impl Machine {
    /// Looks at the board, and at `/proc`. Workers that have gone show what they had counted, so that
    /// a sum over all never falls.
    pub(super) fn look<'a>(board: &Board, coins: impl Iterator<Item = &'a String> + Clone) -> Self {
        let mut machine = Self::default();
        let master = cost(parent_id()).map(|cost| ("master", None, cost));
        machine.costs.extend(master);
        for (slot, row) in board.rows() {
            let role = role(row);
            let pid = row.pid.load(Ordering::Relaxed);
            if let Some(role) = role
                && pid > 0
                && let Some(cost) = cost(pid)
            {
                machine.costs.push((role.name(), Some(slot), cost));
            }
            let replies = row.replies.read();
            if role == Some(Role::Worker) || replies.count() > 0 {
                machine.replies.push((slot, replies));
            }
            for coin in coins.clone() {
                let changes = row.find(coin).map(|cell| cell.changes.read());
                // Rows of other roles have no cells, or empty ones.
                if let Some(changes) = changes
                    && (role == Some(Role::Worker) || changes.count() > 0)
                {
                    machine.changes.push((coin.clone(), slot, changes));
                }
            }
        }
        machine
    }
}

fn role(row: &Row) -> Option<Role> {
    let number = row.role.load(Ordering::Relaxed);
    Role::ALL.into_iter().find(|role| role.number() == number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_have_counted_stays() {
        let board = Board::new().unwrap();
        let row = board.row(2).unwrap();
        row.role.store(Role::Worker.number(), Ordering::Relaxed);
        row.pid.store(std::process::id(), Ordering::Relaxed);
        row.replies.add(70, 5);
        row.coin("litecoin").unwrap().changes.add(3000, 1);
        let coins = ["bitcoin".to_owned(), "litecoin".to_owned()];
        let alive = Machine::look(&board, coins.iter());
        let roles: Vec<_> = alive.costs.iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(roles, [("master", None), ("worker", Some(2))]);
        row.role.store(0, Ordering::Relaxed);
        row.pid.store(0, Ordering::Relaxed);
        let dead = Machine::look(&board, coins.iter());
        assert_eq!(dead.costs.len(), 1);
        assert_eq!((&dead.replies, &dead.changes), (&alive.replies, &alive.changes));
        let (coin, slot, times) = dead.changes.first().unwrap();
        assert_eq!((&**coin, *slot, times.count(), times.sum_us), ("litecoin", 2, 1, 3000));
        assert_eq!(dead.replies.len(), 1, "nobody else has anything");
    }
}
