//! Money: amounts in the smallest unit, what shares earn, and how rewards are split.

mod amount;
mod scheme;
mod split;

pub use amount::{Amount, AmountError};
pub use scheme::Scheme;
pub use split::{fee, split};
