//! Coin daemons over JSON-RPC: one client, typed calls, several daemons as one.
//!
//! Nothing here is trusted: every call has a deadline and a size limit, and an answer that is not
//! exactly what was asked for is a typed [`CallError`] with a sentence for the operator.

mod calls;
pub mod choice;
mod client;
mod error;
mod facts;
mod inquiry;
pub mod notice;
mod payee;
pub mod plan;
mod resolve;
pub mod sanity;
pub mod sendmany;
mod since;
pub mod spend;
pub mod submit;
pub mod template;
pub mod wallet;

pub use calls::{BlockInfo, ChainInfo, block_hash, block_info, chain_info};
pub use calls::{
    protocol_version, public_key, script_of, submit_block, tells_stake, waiting_calls,
};
pub use client::{Client, address};
pub use error::{CallError, Fault};
pub use facts::{BlockFacts, block_facts, coinbase};
pub use inquiry::{Peers, is_locked, owns, peers, propose, raw_header};
pub use payee::Payees;
pub use since::{Entry, since};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod stub;
