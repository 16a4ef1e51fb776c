//! romp, the Rust Open Mining Portal: a multi-process mining-pool server.
//!
//! The modules stand in layers; `ARCHITECTURE.md` holds the table of who may name whom, and
//! `tests/it/architecture.rs` keeps it true. Start reading at `cli`, then `master`.

pub mod bookkeeper;
pub mod chain;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod history;
pub mod import;
pub mod ipc;
pub mod journal;
pub mod ledger;
pub mod master;
pub mod miner;
pub mod mpos;
pub mod net;
pub mod notifier;
pub mod payments;
pub mod pow;
pub mod rewards;
pub mod stratum;
pub mod sys;
pub mod templates;
pub mod website;
pub mod worker;
