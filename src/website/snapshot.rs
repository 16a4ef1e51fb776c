//! What the pool looked like at one moment. Made by the gatherer, read by everybody else.

use super::coin::CoinView;
use super::machine::Machine;
use super::pages::Written;
use super::reply::Prepared;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that may be away: the last of it stays. Copies share it.
#[derive(Debug)]
pub(super) struct Kept<T> {
    /// The last that was read; `None`: nothing yet.
    pub(super) value: Option<Arc<T>>,
    /// When, unix ms; 0: never.
    pub(super) at: u64,
    /// Why it cannot be read now.
    pub(super) trouble: Option<String>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, at: 0, trouble: None }
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), at: self.at, trouble: self.trouble.clone() }
    }
}

impl<T> Kept<T> {
    /// Takes in what an attempt brought.
    pub(super) fn take<E: std::fmt::Display>(
        &mut self,
        what: &str,
        result: Result<T, E>,
        now: u64,
    ) {
        match result {
            Ok(value) => {
                if self.trouble.is_some() {
                    log::info!("{what} can be read again");
                }
                *self = Self { value: Some(Arc::new(value)), at: now, trouble: None };
            }
            Err(error) => {
                if self.trouble.is_none() {
                    log::warn!(
                        "{what} cannot be read: {error}; the web site shows the last numbers"
                    );
                }
                self.trouble = Some(error.to_string());
            }
        }
    }
}

/// The pool at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// When, unix ms; 0: nobody has looked yet.
    pub(super) at: u64,
    /// How long it took to look, ms.
    pub(super) took: u64,
    /// The master's status.
    pub(super) master: Kept<Value>,
    /// What the processes cost, and how long miners waited.
    pub(super) machine: Machine,
    /// Each coin.
    pub(super) coins: BTreeMap<String, CoinView>,
    /// `/api/stats`.
    pub(super) stats: Prepared,
    /// `/api/pool_stats`.
    pub(super) pool_stats: Prepared,
    /// `/api/v1/pools`.
    pub(super) pools: Prepared,
    /// The pages that are the same for everybody.
    pub(super) pages: Written,
}

impl Snapshot {
    /// What is missing, or older than `most` (ms) at `now`, a line each; none: the site is ready.
    pub(super) fn missing(&self, most: u64, now: u64) -> Vec<String> {
        let old = |at: u64| now.saturating_sub(at) > most;
        let age = |at: u64| now.saturating_sub(at) / 1000;
        let mut missing = Vec::new();
        if self.at == 0 {
            missing.push("no numbers yet".to_owned());
        } else if old(self.at) {
            missing.push(format!("the numbers are {} s old", age(self.at)));
        }
        for (id, coin) in self.coins.iter().filter(|(_, coin)| old(coin.ledger.at)) {
            missing.push(match coin.ledger.at {
                0 => format!("the ledger of {id} has not been read yet"),
                at => format!("the ledger of {id} cannot be read (since {} s)", age(at)),
            });
        }
        missing
    }
}
