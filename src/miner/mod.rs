//! The miner role.
