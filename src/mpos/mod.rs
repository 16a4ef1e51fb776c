//! An MPOS database: shares go into its `shares`, difficulties into its `pool_worker`, and it says
//! who may mine; what it owes can be read out of it. All of its SQL is in this folder. See
//! `docs/mpos.md`.
//!
//! Every value travels as a bound parameter; names never become SQL.

mod balances;
mod connect;
mod register;
mod rows;
mod shape;
mod store;

pub use balances::{AccountRow, Balances, read_balances};
pub use register::{Answer, Register};
pub use rows::Batch;
pub use store::Store;

/// Why the database did not do what it was asked. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {words}")]
pub struct MposError {
    /// Which database: name, host, port.
    pub place: String,
    /// What is wrong, and what to do.
    pub words: String,
}
