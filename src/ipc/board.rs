//! The board: shared memory made before the first fork, one row per slot, each row written by its
//! owner only. Levels that others read: liveness, courtesy at accept, numbers for `status`.

/// Rows on the board: the most children there can be.
pub const SLOTS: usize = 128;
/// Coins that one row has counters for.
pub const COINS: usize = 32;

/// The board. All fields are atomics inside; see the methods.
#[derive(Debug)]
pub struct Board {}
