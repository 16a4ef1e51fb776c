//! Money: amounts in the smallest unit, and (from the payouts issue on) how rewards are split.

mod amount;

pub use amount::{Amount, AmountError};
