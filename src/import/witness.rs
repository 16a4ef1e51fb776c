//! Who says what the foreign records do not: whose a name is, and what the chain has.

use super::record::Pending;
use crate::chain::Hash;
use crate::chain::transaction::Transaction;
use crate::daemon::{BlockFacts, CallError, Client, block_facts, block_hash, block_info, coinbase};
use crate::journal::BlockFound;
use crate::ledger::book::Account;
use crate::rewards::{Amount, Scheme};

/// Blocks on top of a height after which nothing below it changes: Bitcoin's coinbase maturity.
const BURIED: u64 = 100;

/// What is asked while records are judged. Errors are sentences for the operator.
pub trait Witness {
    /// The account of a worker.
    ///
    /// # Errors
    /// When it cannot be told now.
    fn owner(&mut self, worker: &str) -> Result<Account, String>;

    /// The whole of a pending block, and whether it is in the chain now.
    ///
    /// # Errors
    /// Why it cannot be taken.
    fn block(&mut self, pending: &Pending) -> Result<(BlockFound, bool), String>;

    /// Whether the book has a block.
    fn has(&mut self, block: &Hash) -> bool;
}

/// Completes pending blocks from a coin daemon and the pool's wallet.
pub struct Chain<'a> {
    /// A daemon that has the whole chain.
    pub daemon: &'a Client,
    /// The pool's wallet.
    pub wallet: &'a Client,
    /// Height of the daemon's tip.
    pub tip: u64,
    /// The pool's address.
    pub address: &'a str,
    /// Its script.
    pub script: &'a [u8],
    /// Unix ms.
    pub now: u64,
}

impl Chain<'_> {
    /// The whole of a pending block, and whether it is in the chain now. A block that the daemon
    /// does not know at all, under a hundred others, is an orphan: what it would have paid is not
    /// asked for, and its work is taken.
    ///
    /// # Errors
    /// Why it cannot be taken, in words.
    pub fn block(&self, pending: &Pending) -> Result<(BlockFound, bool), String> {
        let say = |error: CallError| error.to_string();
        match block_facts(self.daemon, &pending.hash).map_err(say)? {
            Some(facts) if facts.height.is_some_and(|height| height != pending.height) => {
                Err("the daemon knows it at another height: is it the same coin and network?"
                    .into())
            }
            Some(facts) => {
                let value = self.value(&facts.coinbase, &pending.hash)?;
                Ok((self.found(pending, &facts, value), facts.confirmations > 0))
            }
            None if self.is_buried(pending).map_err(say)? => {
                let facts = BlockFacts {
                    confirmations: -1,
                    height: None,
                    time: self.now / 1000,
                    coinbase: pending.transaction,
                };
                Ok((self.found(pending, &facts, Amount(0)), false))
            }
            None => Err(format!(
                "the daemon {} does not know it, and height {} is not {BURIED} deep: is it the \
                 same coin and network? Else repeat this later",
                self.daemon.address(),
                pending.height
            )),
        }
    }

    /// Whether the daemon knows what stands at its height, deep enough.
    fn is_buried(&self, pending: &Pending) -> Result<bool, CallError> {
        if self.tip < pending.height.saturating_add(BURIED) {
            return Ok(false);
        }
        let other = block_hash(self.daemon, pending.height)?;
        let known = block_info(self.daemon, &other)?;
        Ok(other != pending.hash && known.is_some_and(|block| block.confirmations > 0))
    }

    /// What a coinbase pays to the pool's address.
    fn value(&self, id: &Hash, block: &Hash) -> Result<Amount, String> {
        let bytes = coinbase(self.daemon, self.wallet, id, block)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| {
                format!(
                    "neither the wallet at {} nor the daemon tells its coinbase {id}: is the \
                     pool's wallet loaded?",
                    self.wallet.address()
                )
            })?;
        let read = Transaction::named(&bytes, id);
        let read = read.ok_or_else(|| format!("its coinbase {id} cannot be read"))?;
        let ours = read.outputs.iter().filter(|output| output.script == self.script);
        let sum = ours.fold(0_u64, |sum, output| sum.saturating_add(output.value.0));
        if sum == 0 {
            return Err(format!(
                "its coinbase pays nothing to the pool's `address` {}: the pool file has to name \
                 the address that NOMP had",
                self.address
            ));
        }
        Ok(Amount(sum))
    }

    fn found(&self, pending: &Pending, facts: &BlockFacts, value: Amount) -> BlockFound {
        BlockFound {
            time: facts.time.saturating_mul(1000).min(self.now),
            hash: pending.hash,
            height: pending.height,
            previous: Hash([0; 32]),
            coinbase_txid: facts.coinbase,
            coinbase_value: value,
            pool_value: value,
            // NOMP does not say who found it; a block without work is not taken in.
            worker: String::new(),
            difficulty: 0.0,
            stale: false,
            scheme: Scheme::Prop,
        }
    }
}
