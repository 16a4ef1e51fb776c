//! Hostile bytes for every place where bytes from outside enter, on stable Rust.
//!
//! Each target (`targets/`) first gets the kept corpus in `fuzz/corpus`, then mutations of it for a
//! bounded time. `fuzz/` runs the same targets with coverage as a guide, and finds what belongs
//! into the corpus. See docs/testing.md.
//!
//! | variable | meaning |
//! |---|---|
//! | `ROMP_FUZZ_SECONDS` | seconds for each target after its corpus; 2 without it |
//! | `ROMP_FUZZ_SEED` | seed of the mutations, as an earlier run printed it |
//! | `ROMP_FUZZ_INPUT` | a file: the target gets it and nothing else |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and tells what it saw on stderr"
)]

mod mutate;
mod run;
mod targets;

use mutate::Shape;
use run::run;

#[test]
fn stratum() {
    run("stratum", Shape::Lines, targets::stratum::target);
}

#[test]
fn session() {
    run("session", Shape::Lines, targets::session::target);
}

#[test]
fn config() {
    run("config", Shape::Lines, targets::config::target);
}

#[test]
fn daemon() {
    run("daemon", Shape::Lines, targets::daemon::target);
}

#[test]
fn journal() {
    run("journal", Shape::Bytes, targets::journal::target);
}

#[test]
fn ipc() {
    run("ipc", Shape::Bytes, targets::ipc::target);
}

#[test]
fn notice() {
    run("notice", Shape::Bytes, targets::notice::target);
}

#[test]
fn proxy() {
    run("proxy", Shape::Bytes, targets::proxy::target);
}

#[test]
fn pow() {
    run("pow", Shape::Bytes, targets::pow::target);
}
