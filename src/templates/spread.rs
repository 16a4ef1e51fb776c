//! How long it takes from the first notice of a block until the last worker has its work.

use super::tally::Lags;
use crate::ipc::board::Board;
use crate::ipc::{Lag, Role};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A worker that has not got it by then is ending or hangs: not measured.
const PATIENCE_MS: u64 = 5_000;

/// One block's way. Unix milliseconds, as the workers write them to the board.
#[derive(Debug, Clone, Copy)]
struct Way {
    told: u64,
    sent: u64,
}

/// Measures for one coin.
#[derive(Debug)]
pub(super) struct Spread {
    board: Arc<Board>,
    way: Option<Way>,
    lags: Lags,
}

impl Spread {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board, way: None, lags: Lags::default() }
    }

    /// Work for a new block went out at `sent`, told `ago` milliseconds before.
    pub(super) fn sent(&mut self, sent: u64, ago: u64) {
        self.way = Some(Way { told: sent.saturating_sub(ago), sent });
    }

    /// Looks whether all workers have it by now.
    pub(super) fn look(&mut self, unix: u64, coin: &str) {
        let Some(way) = self.way else { return };
        if let Some(last) = last_work(&self.board, coin, way.sent) {
            self.lags.add(last.saturating_sub(way.told));
            self.way = None;
        } else if unix.saturating_sub(way.sent) >= PATIENCE_MS {
            self.way = None;
        }
    }

    pub(super) fn show(&self) -> Option<Lag> {
        self.lags.show()
    }
}

/// When the last worker got work, if all have got some since then.
fn last_work(board: &Board, coin: &str, since: u64) -> Option<u64> {
    let mut last = None;
    for (_, row) in board.rows() {
        let worker = row.role.load(Ordering::Acquire) == Role::Worker.number();
        if !worker || row.pid.load(Ordering::Acquire) == 0 {
            continue;
        }
        let at = row.find(coin)?.work_at.load(Ordering::Relaxed);
        if at < since {
            return None;
        }
        last = last.max(Some(at));
    }
    last
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_last_worker_counts() {
        let board = Board::new().unwrap();
        let mut spread = Spread::new(Arc::clone(&board));
        let cell = |slot: usize| board.row(slot).unwrap().coin("coin").unwrap();
        for slot in 0..3 {
            let row = board.row(slot).unwrap();
            row.role.store(if slot < 2 { 1 } else { 2 }, Ordering::Release);
            row.pid.store(7, Ordering::Release);
        }
        spread.sent(1_000, 4);
        cell(0).work_at.store(1_001, Ordering::Relaxed);
        cell(1).work_at.store(900, Ordering::Relaxed);
        spread.look(1_002, "coin");
        assert_eq!(spread.show(), None, "one has not got it");
        cell(1).work_at.store(1_003, Ordering::Relaxed);
        spread.look(1_050, "coin");
        assert_eq!(spread.show(), Some(Lag { last: 7, median: 7 }));
        // A worker that hangs is not waited for for ever.
        spread.sent(9_000, 0);
        spread.look(20_000, "coin");
        cell(0).work_at.store(20_000, Ordering::Relaxed);
        cell(1).work_at.store(20_000, Ordering::Relaxed);
        spread.look(20_001, "coin");
        assert_eq!(spread.show(), Some(Lag { last: 7, median: 7 }));
    }
}
