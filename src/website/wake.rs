//! Which coins are to be looked at before their time: one of their workers says that it found a
//! block, and the ledger does not know it yet.

use crate::ipc::board::Board;
use crate::sys::clock::monotonic_ms;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two looks at such a coin, ms. A ledger hears of a block within a second: a worker promises
/// twice a second that nothing older comes, and the bookkeeper looks as often.
const PACE: u64 = 250;
/// For so long, ms. From then on twice as long between each two that follow: a look reads everything.
const BRISK: u64 = 2000;
/// How long a ledger may take to hear of a block, ms. One that takes longer is seen with all other
/// numbers.
const PATIENCE: u64 = 10_000;

/// A coin to look at; monotonic ms.
#[derive(Debug, Clone, Copy)]
struct Hurry {
    next: u64,
    pace: u64,
    /// Until when the pace stays.
    brisk: u64,
    until: u64,
    /// Blocks that the ledger has not told of yet.
    missing: u64,
}

impl Hurry {
    const fn new(now: u64, missing: u64) -> Self {
        Self { next: now, pace: PACE, brisk: now + BRISK, until: now + PATIENCE, missing }
    }
}

/// Coins that cannot wait.
#[derive(Debug, Default)]
pub(super) struct Wake {
    coins: Mutex<BTreeMap<String, Hurry>>,
    bell: Condvar,
}

impl Wake {
    /// So many more blocks of a coin were found: has it looked at, now and again until they are there.
    pub(super) fn hurry(&self, coin: &str, now: u64, more: u64) {
        let mut coins = self.lock();
        let missing = coins.get(coin).map_or(0, |hurry| hurry.missing);
        coins.insert(coin.to_owned(), Hurry::new(now, missing.saturating_add(more)));
        self.bell.notify_all();
    }

    /// The coin shows so many blocks that it did not show before. `open`: of some it is not known yet
    /// what daemons say.
    pub(super) fn saw(&self, coin: &str, new: u64, open: bool) {
        let mut coins = self.lock();
        let Some(hurry) = coins.get_mut(coin) else { return };
        hurry.missing = hurry.missing.saturating_sub(new);
        if hurry.missing == 0 && !open {
            coins.remove(coin);
        }
    }

    /// Waits for coins to look at; none: the moment (monotonic ms) has come.
    pub(super) fn wait(&self, until: u64) -> Vec<String> {
        let mut coins = self.lock();
        loop {
            let now = monotonic_ms();
            let (due, next) = due(&mut coins, now);
            if !due.is_empty() || now >= until {
                return due;
            }
            let rest = Duration::from_millis(next.unwrap_or(until).min(until).saturating_sub(now));
            let waited = self.bell.wait_timeout(coins, rest);
            coins = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Hurry>> {
        self.coins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Coins that it is time for, and when it is time for another one.
fn due(coins: &mut BTreeMap<String, Hurry>, now: u64) -> (Vec<String>, Option<u64>) {
    coins.retain(|_, hurry| hurry.until > now);
    let mut due = Vec::new();
    for (coin, hurry) in coins.iter_mut().filter(|(_, hurry)| hurry.next <= now) {
        if now >= hurry.brisk {
            hurry.pace *= 2;
        }
        hurry.next = now + hurry.pace;
        due.push(coin.clone());
    }
    (due, coins.values().map(|hurry| hurry.next).min())
}

/// Block candidates of a coin that all workers have counted.
pub(super) fn found(board: &Board, coin: &str) -> u64 {
    let cells = board.rows().filter_map(|(_, row)| row.find(coin));
    cells.fold(0, |sum, cell| sum.wrapping_add(cell.blocks.load(Ordering::Relaxed)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_is_looked_at_again_until_patience_ends() {
        let mut coins: BTreeMap<String, Hurry> = BTreeMap::new();
        coins.insert("a".to_owned(), Hurry::new(1000, 1));
        let mut looks = Vec::new();
        let mut now = 1000;
        loop {
            let (names, next) = due(&mut coins, now);
            looks.extend(names.iter().map(|_| now - 1000));
            let Some(next) = next else { break };
            assert!(next > now);
            now = next;
        }
        assert_eq!(looks.get(..9), Some(&[0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000][..]));
        assert_eq!(looks.get(9..), Some(&[2500, 3500, 5500, 9500][..]));
        assert!(coins.is_empty());
    }

    #[test]
    fn who_waits_is_woken_and_otherwise_waits_to_the_end() {
        let wake = Wake::default();
        let now = monotonic_ms();
        assert!(wake.wait(now + 1).is_empty());
        wake.hurry("litecoin", now, 1);
        assert_eq!(wake.wait(now + 600_000), ["litecoin"]);
        wake.saw("litecoin", 1, false);
        assert!(wake.wait(now + 1).is_empty());
    }

    #[test]
    fn a_coin_is_calm_when_all_its_blocks_are_there_and_judged() {
        let wake = Wake::default();
        let is_calm = || wake.lock().is_empty();
        wake.hurry("litecoin", 1000, 1);
        wake.hurry("litecoin", 1100, 1);
        for (new, open, calm) in [
            (0, false, false),
            (1, false, false),
            (0, false, false),
            (1, true, false),
            (0, false, true),
        ] {
            wake.saw("litecoin", new, open);
            assert_eq!(is_calm(), calm, "{new} {open}");
        }
        wake.saw("litecoin", 1, false);
        assert!(is_calm(), "found by somebody else");
    }

    #[test]
    fn what_all_workers_found_is_added_up() {
        let board = Board::new().unwrap();
        for (slot, count) in [(0, 2), (5, 3)] {
            let cell = board.row(slot).unwrap().coin("litecoin").unwrap();
            cell.blocks.store(count, Ordering::Relaxed);
        }
        assert_eq!((found(&board, "litecoin"), found(&board, "other")), (5, 0));
    }
}
