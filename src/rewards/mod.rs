//! Money: amounts in the smallest unit, and how rewards are split.

mod amount;
mod split;

pub use amount::{Amount, AmountError};
pub use split::{fee, split};
