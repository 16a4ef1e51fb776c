//! The board: shared memory made before the first fork, one row per slot, each row written by its
//! owner only. It outlives its master: the next binary goes on with it. Levels that others read: liveness, courtesy at accept, numbers for `status`.

use super::crowd::{Crowd, Keys};
use super::histogram::Histogram;
use super::roster::Roster;
use crate::stratum::Cause;
use crate::sys::shared::Shared;
use std::array;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Rows on the board: the most children there can be.
pub const SLOTS: usize = 256;
/// Coins that one row has counters for.
pub const COINS: usize = 32;
/// Memory files of a board.
pub const FILES: usize = 4;

/// The board. All fields are atomics; counters and histograms stay over respawns of a slot, so that
/// they go back to 0 only with the master.
#[derive(Debug)]
pub struct Board {
    rows: Shared<Row>,
    /// Connections by address.
    pub crowd: Crowd,
    /// Connections by owner.
    pub roster: Roster,
}

/// What one child shows.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row {
    /// Process id; 0 when the slot is empty. Written by the master.
    pub pid: AtomicU32,
    /// 0 none, 1 worker, 2 templates, 3 bookkeeper ... (`Role::number`). Written by the master.
    pub role: AtomicU32,
    /// Generation of the configuration that the child serves.
    pub generation: AtomicU32,
    /// Monotonic milliseconds of the child's last turn; refreshed at least every 500 ms.
    pub tick: AtomicU64,
    /// Unix milliseconds: every record older than this is in the journal files.
    pub journal_tick: AtomicU64,
    /// Connected miners. Reset by the child at its start.
    pub miners: AtomicU32,
    /// 1 while the child takes newcomers. Written by the child.
    pub is_open: AtomicU32,
    /// Shares accepted since the master's start.
    pub accepted: AtomicU64,
    /// Shares rejected since the master's start.
    pub rejected: AtomicU64,
    /// Connections refused or ended, by `Cause as usize`, since the master's start.
    pub refused: [AtomicU64; Cause::COUNT],
    /// From the event that a share's line can be read until its answer was written.
    pub replies: Histogram,
    /// Counters by coin.
    cells: [CoinCell; COINS],
}

/// A child's counters for one coin.
#[derive(Debug, Default)]
#[repr(C)]
pub struct CoinCell {
    /// [`key`] of the coin; 0 while the cell is free.
    pub key: AtomicU64,
    /// Connected miners.
    pub miners: AtomicU32,
    /// Shares accepted.
    pub accepted: AtomicU64,
    /// Shares rejected, by `Reject as u8`.
    pub rejected: [AtomicU64; 12],
    /// Block candidates found.
    pub blocks: AtomicU64,
    /// Block notices received.
    pub notices: AtomicU64,
    /// Unix milliseconds of the last work received.
    pub work_at: AtomicU64,
    /// Times that it had to ask a daemon itself.
    pub fallbacks: AtomicU64,
    /// From the first word of a new block until the last of its miners was given new work.
    pub changes: Histogram,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            pid: AtomicU32::default(),
            role: AtomicU32::default(),
            generation: AtomicU32::default(),
            tick: AtomicU64::default(),
            journal_tick: AtomicU64::default(),
            miners: AtomicU32::default(),
            is_open: AtomicU32::default(),
            accepted: AtomicU64::default(),
            rejected: AtomicU64::default(),
            refused: array::from_fn(|_| AtomicU64::default()),
            replies: Histogram::default(),
            cells: array::from_fn(|_| CoinCell::default()),
        }
    }
}

impl Board {
    /// A new board, all zero.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> io::Result<Arc<Self>> {
        let (rows, crowd) = (Shared::new("board", SLOTS)?, Crowd::new(SLOTS)?);
        Ok(Arc::new(Self { rows, crowd, roster: Roster::new()? }))
    }

    /// The board of another process, by its [`Board::files`] and [`Crowd::keys`].
    ///
    /// # Errors
    /// When a file has another size: it is of a romp that shows other things on its board.
    pub fn attach(files: [OwnedFd; FILES], keys: Keys) -> io::Result<Arc<Self>> {
        let [rows, crowd, heads, bodies] = files;
        let (rows, crowd) = (Shared::attach(rows, SLOTS)?, Crowd::attach(crowd, SLOTS, keys)?);
        Ok(Arc::new(Self { rows, crowd, roster: Roster::attach([heads, bodies])? }))
    }

    /// The memory files that it is made of.
    #[must_use]
    pub fn files(&self) -> [BorrowedFd<'_>; FILES] {
        let [heads, bodies] = self.roster.files();
        [self.rows.as_fd(), self.crowd.as_fd(), heads, bodies]
    }

    /// The row of a slot; `None` from [`SLOTS`] on.
    #[must_use]
    pub fn row(&self, slot: usize) -> Option<&Row> {
        self.rows.as_slice().get(slot)
    }

    /// Every row with its slot.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.as_slice().iter().enumerate()
    }
}

impl Row {
    /// For the row's owner: the coin's cell, claimed if there was none. `None` when all
    /// [`COINS`] cells belong to other coins.
    #[must_use]
    pub fn coin(&self, coin: &str) -> Option<&CoinCell> {
        let key = key(coin);
        self.find(coin).or_else(|| {
            self.cells.iter().find(|cell| {
                cell.key.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire).is_ok()
            })
        })
    }

    /// For the row's owner: counts a connection that was refused or ended.
    pub fn count(&self, cause: Cause) {
        if let Some(counter) = self.refused.get(cause as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// For readers: the coin's cell, if the row has one.
    #[must_use]
    pub fn find(&self, coin: &str) -> Option<&CoinCell> {
        let key = key(coin);
        self.cells.iter().find(|cell| cell.key.load(Ordering::Acquire) == key)
    }

    /// Cells in use.
    pub fn coins(&self) -> impl Iterator<Item = &CoinCell> {
        self.cells.iter().filter(|cell| cell.key.load(Ordering::Acquire) != 0)
    }
}

/// FNV-1a (64 bits) of a coin id, never 0.
#[must_use]
pub fn key(coin: &str) -> u64 {
    let hash = coin.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_claimed_once() {
        let board = Board::new().unwrap();
        let row = board.row(3).unwrap();
        assert!(row.find("litecoin").is_none());
        row.coin("litecoin").unwrap().accepted.fetch_add(2, Ordering::Relaxed);
        row.coin("litecoin").unwrap().accepted.fetch_add(3, Ordering::Relaxed);
        row.coin("bitcoin").unwrap().accepted.fetch_add(7, Ordering::Relaxed);
        assert_eq!(row.find("litecoin").unwrap().accepted.load(Ordering::Relaxed), 5);
        assert_eq!(row.coins().count(), 2);
        assert_eq!(board.row(4).unwrap().coins().count(), 0);
    }

    #[test]
    fn a_full_row_has_no_more_cells() {
        let board = Board::new().unwrap();
        let row = board.row(SLOTS - 1).unwrap();
        for number in 0..COINS {
            assert!(row.coin(&format!("coin{number}")).is_some());
        }
        assert!(row.coin("one-more").is_none());
        assert!(row.coin("coin5").is_some());
        assert!(board.row(SLOTS).is_none());
        assert_eq!(board.rows().count(), SLOTS);
    }
}
