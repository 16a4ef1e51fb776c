//! Drives the real `romp` binary from outside: by its command line, its ports and its signals.
//!
//! One crate, so that the harness is built once. Tests that start processes hold
//! [`harness::alone`], so that they run one after the other whatever `--test-threads` says; they
//! wait for conditions with a deadline and leave nothing running.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and tells what it saw on stderr"
)]

mod harness;

mod algorithms;
mod api;
mod architecture;
mod bans;
mod bitcoin;
mod blocknotify;
mod blocks;
mod coins;
mod config;
mod courtesy;
mod crash;
mod daemons;
mod defences;
mod doctor;
mod handover;
mod haproxy;
mod history;
mod hostile;
mod import;
mod limits;
mod master;
mod metrics;
mod miners_tls;
mod mpos;
mod names;
mod nftables;
mod notices;
mod notify;
mod payments;
mod payouts;
#[cfg(debug_assertions)] // a release has no fail points
mod payouts_killed;
mod payouts_odd;
mod reload;
mod restore;
mod runbook;
mod schemes;
mod secrets;
mod sendmany;
mod signals;
mod slow;
mod stake;
mod stores;
mod systemd;
mod upgrade;
mod vardiff;
mod website;
mod website_admin;
mod website_browser;
mod website_tls;
