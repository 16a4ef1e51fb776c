//! The pool's daemons and its book as the witness of an import.

use super::{Stop, failed};
use crate::chain::address::Rules;
use crate::chain::{Hash, Network};
use crate::config::Pool;
use crate::daemon::{Client, block_hash, chain_info, plan};
use crate::import::{Pending, Witness, witness};
use crate::journal::BlockFound;
use crate::ledger::book::{Account, Book};
use crate::payments::{FIRST_BLOCK, Owners};
use crate::sys::clock::unix_ms;

/// What is asked, and who.
pub(super) struct Asked<'a> {
    pool: &'a Pool,
    book: Option<&'a Book>,
    daemon: Client,
    wallet: Client,
    tip: u64,
    script: Vec<u8>,
    network: Network,
    rules: Rules,
    owners: Owners,
}

impl<'a> Asked<'a> {
    /// Asks the first daemon that has the whole chain, and that of the wallet.
    pub(super) fn new(pool: &'a Pool, book: Option<&'a Book>) -> Result<Self, Stop> {
        let mut silent = "every daemon is syncing; repeat this when one is not".to_owned();
        let mut found = None;
        for daemon in &pool.daemons {
            let client = Client::new(daemon, pool.daemon_timeout);
            match chain_info(&client, pool.coin.has_get_info) {
                Ok(info) if !info.initial_download && info.headers <= info.blocks => {
                    found = Some((client, info));
                    break;
                }
                Ok(_) => {}
                Err(error) => silent = error.to_string(),
            }
        }
        let Some((daemon, info)) = found else { return Err(failed(silent)) };
        let first = block_hash(&daemon, 0).map_err(failed)?.to_string();
        if let Some(book) = book
            && book.noted(FIRST_BLOCK).map_err(failed)?.is_some_and(|ours| ours != first)
        {
            return Err(failed(format!(
                "daemon {} is on another chain than the book (`{}`)",
                daemon.address(),
                info.chain
            )));
        }
        let network = plan::network(&daemon.address(), &info).map_err(failed)?;
        let staked = plan::proof_of_stake(&daemon, pool, &info).map_err(failed)?;
        let script = plan::reward_script(&daemon, pool, &info, network, staked).map_err(failed)?;
        // Payments are off while something is imported.
        let payments = pool.written_payments().map(|payments| &payments.wallet);
        let wallet = payments.or(pool.daemons.first());
        let wallet = wallet.map_or_else(
            || Err(failed("the pool has no daemon")),
            |wallet| Ok(Client::new(wallet, pool.daemon_timeout)),
        )?;
        let rules = pool.coin.addresses.get(&network).cloned().unwrap_or_default();
        let (tip, owners) = (info.blocks, Owners::default());
        Ok(Self { pool, book, daemon, wallet, tip, script, network, rules, owners })
    }
}

impl Witness for Asked<'_> {
    fn owner(&mut self, worker: &str) -> Result<Account, String> {
        self.owners
            .of(worker, &self.rules, self.network, &self.daemon)
            .map_err(|error| error.to_string())
    }

    fn block(&mut self, pending: &Pending) -> Result<(BlockFound, bool), String> {
        let chain = witness::Chain {
            daemon: &self.daemon,
            wallet: &self.wallet,
            tip: self.tip,
            address: &self.pool.address,
            script: &self.script,
            now: unix_ms(),
        };
        chain.block(pending)
    }

    fn has(&mut self, block: &Hash) -> bool {
        self.book.is_some_and(|book| book.has_block(block).unwrap_or(true))
    }
}
