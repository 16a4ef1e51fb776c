//! Functions that several algorithms are made of.
#![allow(
    clippy::indexing_slicing,
    reason = "indices are constants or reduced to the array's length, and vectors walk all of them"
)]

pub(super) mod romix;
