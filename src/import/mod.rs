//! Brings balances, pending blocks and open work from the software that a pool ran before into the
//! book: NOMP's Redis, MPOS's database. Nothing is ever written there. See `docs/import.md`.

mod decimal;
mod judge;
pub mod mpos;
pub mod nomp;
mod record;
mod rounds;
pub mod witness;

pub use judge::{Draft, Line, Money, Outcome, assumed, draft};
pub use record::{Fields, Pending, Style};
pub use witness::Witness;

/// Why nothing could be read. Says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {words}")]
pub struct ImportError {
    /// Server.
    pub place: String,
    /// What is wrong.
    pub words: String,
}

/// What is below the smallest unit and was dropped, as a number of the smallest unit.
#[must_use]
pub fn dropped_units(dropped: u128) -> String {
    let one = 10_u128.pow(decimal::DROPPED);
    let fraction = format!("{:018}", dropped % one);
    let fraction = fraction.trim_end_matches('0');
    match fraction {
        "" => format!("{}", dropped / one),
        _ => format!("{}.{fraction}", dropped / one),
    }
}

#[cfg(test)]
mod tests;
