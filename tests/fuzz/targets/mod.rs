//! What is tried with hostile bytes: one function for each place where bytes from outside enter.
//!
//! Each takes any bytes and panics when a promise is broken, not only when the code under test
//! panics by itself. `tests/fuzz` runs them on stable Rust, `fuzz/` with coverage as a guide.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a broken promise is told by panicking; each fuzz program uses one of the targets"
)]

mod bytes;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod ipc;
pub(crate) mod journal;
mod miners;
pub(crate) mod notice;
pub(crate) mod pow;
pub(crate) mod proxy;
mod scratch;
pub(crate) mod session;
pub(crate) mod stratum;
