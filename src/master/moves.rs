//! Who gives miners to whom: those who leave to those who stay, the fullest to the emptiest.

use super::Master;
use super::fleet::Stop;
use super::succession::{Word, alike, goods};
use crate::ipc::Message;
use crate::sys::descriptors;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

/// Milliseconds between looks at how full the workers are.
const LOOK_MS: u64 = 1000;
/// Most miners that change their worker after one look.
const A_LOOK: u32 = 256;
/// Milliseconds before a giving that was cut off is tried again.
const AGAIN_MS: u64 = 1000;
/// Milliseconds after which a giver that has not said that it is done is not waited for: its word
/// was lost.
const LOST_MS: u64 = 60_000;
/// Differences up to so many miners are left alone.
const LEAST: u32 = 8;

/// Who takes miners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taker {
    /// A worker, by its row.
    Worker(usize),
    /// One of the master's that goes on for this one.
    Successor,
}

/// Givings under way.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Who takes by row of the giver, and until when (monotonic ms) that is believed.
    under_way: BTreeMap<usize, (Taker, u64)>,
    /// Rows of leaving workers that still have miners who could go, and when (monotonic ms) that is
    /// tried.
    waiting: BTreeMap<usize, u64>,
    looked: u64,
}

impl Moves {
    /// Nobody lives in this row any more. Who gave miners to it says so itself.
    pub(super) fn forget(&mut self, row: usize) {
        self.under_way.remove(&row);
        self.waiting.remove(&row);
    }

    /// Givers of whose end nothing was heard for too long. They are not waited for any more.
    fn lost(&mut self, now: u64) -> Vec<usize> {
        let is_lost = |_: &usize, (_, until): &mut (Taker, u64)| *until <= now;
        self.under_way.extract_if(.., is_lost).map(|(giver, _)| giver).collect()
    }
}

impl Master {
    /// A worker is not wanted any more: its miners go to others.
    pub(super) fn leave(&mut self, row: usize) {
        // Newcomers are the others' from now on, also when its miners have to wait.
        let (ports, most) = (Vec::new(), 0);
        self.send(row, &Message::HandOver { ports, most, leaves: true }, &[]);
        self.moves.waiting.insert(row, 0);
    }

    /// A giver is done. `left`: its miners who could still go.
    pub(super) fn passed(&mut self, row: usize, left: u32, now: u64) {
        self.moves.under_way.remove(&row);
        if left > 0 {
            self.again(row, now.saturating_add(AGAIN_MS));
        }
    }

    /// A leaving worker's miners have to go some time.
    fn again(&mut self, row: usize, at: u64) {
        let leaves = self.fleet.slot(row).and_then(|slot| slot.child.as_ref());
        if leaves.is_some_and(super::fleet::Child::leaves) {
            self.moves.waiting.insert(row, at);
        }
    }

    /// Has miners moved where that is due.
    pub(super) fn move_miners(&mut self, now: u64) {
        if self.stop > Stop::No {
            return;
        }
        for row in self.moves.lost(now) {
            self.again(row, now);
        }
        let due: Vec<usize> =
            self.moves.waiting.iter().filter(|(_, at)| **at <= now).map(|(row, _)| *row).collect();
        for giver in due {
            let Some(taker) = self.taker(giver) else { continue };
            match self.begin_move(giver, taker, u32::MAX, now) {
                true => self.moves.waiting.remove(&giver),
                false => self.moves.waiting.insert(giver, now.saturating_add(AGAIN_MS)),
            };
        }
        let due = now.saturating_sub(self.moves.looked) >= LOOK_MS;
        if due && self.moves.under_way.is_empty() && self.moves.waiting.is_empty() {
            self.moves.looked = now;
            self.even_out(now);
        }
    }

    /// The worker that has most room: the fewest who give to it, then the fewest miners.
    fn taker(&self, giver: usize) -> Option<Taker> {
        if self.successors_goods().is_some() {
            return Some(Taker::Successor);
        }
        let takes = |row| {
            let takers = self.moves.under_way.values();
            takers.filter(|(taker, _)| *taker == Taker::Worker(row)).count()
        };
        let rows = self.fleet.serving().map(|(slot, _)| slot.row).filter(|row| *row != giver);
        rows.min_by_key(|row| (takes(*row), self.miners(*row))).map(Taker::Worker)
    }

    /// Miners of the worker in a row.
    pub(super) fn miners(&self, row: usize) -> u32 {
        self.board.row(row).map_or(0, |row| row.miners.load(Ordering::Relaxed))
    }

    fn even_out(&mut self, now: u64) {
        let mut all: Vec<(u32, usize)> =
            self.fleet.serving().map(|(slot, _)| (self.miners(slot.row), slot.row)).collect();
        all.sort_unstable();
        // The fullest gives to the emptiest, the next one to the next ...
        let pairs = all.len() / 2;
        let fullest = all.iter().rev().take(pairs);
        let moves: Vec<_> = all
            .iter()
            .zip(fullest)
            .filter_map(|(&(few, taker), &(many, giver))| {
                let difference = many.saturating_sub(few);
                let is_worth_it = difference > LEAST.max(many / 10);
                is_worth_it.then_some((giver, taker, (difference / 2).min(A_LOOK)))
            })
            .collect();
        for (giver, taker, count) in moves {
            let _again_later = self.begin_move(giver, Taker::Worker(taker), count, now);
        }
    }

    /// Who leaves knows that already. `false`: it could not be begun.
    fn begin_move(&mut self, giver: usize, taker: Taker, most: u32, now: u64) -> bool {
        let child = self.fleet.slot(giver).and_then(|slot| slot.child.as_ref());
        let Some(pid) = child.map(|child| child.pid) else { return false };
        let goods_of = |row| Some(goods(self.configs.get(&row)?));
        let after = match taker {
            Taker::Worker(row) => goods_of(row),
            Taker::Successor => self.successors_goods().cloned(),
        };
        let (Some(before), Some(after)) = (goods_of(giver), after) else { return false };
        let ports = alike(&before, &after);
        let (theirs, ours) = match descriptors::pair() {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("miners cannot move between workers: {error}");
                return false;
            }
        };
        self.moves.under_way.insert(giver, (taker, now.saturating_add(LOST_MS)));
        match taker {
            Taker::Worker(row) => {
                let message = Message::TakeOver { giver: pid, stranger: false };
                self.send(row, &message, &[ours.as_fd()]);
            }
            Taker::Successor => {
                self.tell_successor(&Word::TakeOver { giver: pid }, &[ours.as_fd()], now);
            }
        }
        let order = Message::HandOver { ports, most, leaves: false };
        self.send(giver, &order, &[theirs.as_fd()]);
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::changes::tests::sample;
    use super::*;

    #[test]
    fn who_never_says_that_it_is_done_is_not_waited_for() {
        let mut moves = Moves::default();
        let other = Taker::Worker(4);
        moves.under_way.extend([(1, (Taker::Successor, 1000)), (3, (other, 1001))]);
        assert_eq!(moves.lost(999), Vec::<usize>::new());
        assert_eq!(moves.lost(1000), [1]);
        assert_eq!(moves.under_way, BTreeMap::from([(3, (other, 1001))]));
    }

    #[test]
    fn only_ports_of_the_same_work_are_alike() {
        let before = sample();
        let ports: Vec<u16> = before.pools["litecoin"].ports.keys().copied().collect();
        assert_eq!(alike(&goods(&before), &goods(&before)), ports);
        let mut after = sample();
        after.pools.get_mut("litecoin").unwrap().ports.pop_first();
        assert_eq!(alike(&goods(&before), &goods(&after)), ports[1..]);
        let mut after = sample();
        after.pools.get_mut("litecoin").unwrap().extranonce2_size += 1;
        assert!(alike(&goods(&before), &goods(&after)).is_empty());
        let mut after = sample();
        let pool = after.pools.remove("litecoin").unwrap();
        after.pools.insert("goldcoin".to_owned(), pool);
        assert!(alike(&goods(&before), &goods(&after)).is_empty(), "another coin");
    }
}
