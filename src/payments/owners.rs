//! Whose a worker's work is: the address in its name.

use super::coin::Trouble;
use super::of_operator;
use crate::chain::address::{self, AddressError, Rules};
use crate::chain::transaction::is_payable;
use crate::chain::{Network, hex_array};
use crate::config::Pool;
use crate::daemon::{CallError, Client, script_of};
use crate::ledger::book::{Account, Book};
use crate::stratum::address_part;
use std::collections::HashMap;
use std::path::Path;

/// The account of an address that an operator names, made or not.
///
/// # Errors
/// A sentence for the operator.
pub fn account_of(pool: &Pool, data_dir: &Path, address: &str) -> Result<Account, String> {
    let coin = of_operator(pool, data_dir)?;
    let found = || -> Result<Account, Trouble> {
        let mut book = Book::open_for_operator(data_dir, coin.id())?;
        let chain = coin.chain(&mut book)?;
        let (client, _) = chain.first()?;
        Ok(coin.owners.borrow_mut().of(address, &chain.rules, chain.network, client)?)
    };
    let account = found().map_err(|trouble| trouble.to_string())?;
    match account.script.is_empty() {
        true => Err(format!("`{address}` is no address of {} that can be paid", coin.id())),
        false => Ok(account),
    }
}

/// Scripts that are remembered.
const REMEMBERED: usize = 100_000;

/// Accounts by the address in a worker's name.
#[derive(Debug, Default)]
pub struct Owners {
    known: HashMap<String, Account>,
}

impl Owners {
    /// The account of a worker. Addresses are judged by the coin file's rules, and where it has
    /// none by the daemon.
    ///
    /// # Errors
    /// [`CallError`] when a daemon is needed and does not answer.
    pub fn of(
        &mut self,
        worker: &str,
        rules: &Rules,
        network: Network,
        client: &Client,
    ) -> Result<Account, CallError> {
        // A name without an address part is told apart by the rest of it.
        let part = match address_part(worker) {
            "" => worker,
            part => part,
        };
        if let Some(account) = self.known.get(part) {
            return Ok(account.clone());
        }
        let script = match hex_array::<20>(part) {
            // NOMP's mining key: the hash of a public key. Its address is the same account.
            Some(hash) => Some(address::pubkey_hash_script(&hash)),
            None => match address::script(part, rules, network) {
                Ok(script) => Some(script),
                Err(AddressError::NoRules(_)) => script_of(client, part)?,
                Err(_) => None,
            },
        };
        let account = match script {
            Some(script) if rules.is_empty() || is_payable(&script) => {
                let name = address::encode(&script, rules).unwrap_or_else(|| part.to_owned());
                Account { name, script }
            }
            _ => {
                let plain = part.chars().filter(|c| !c.is_control());
                let name = std::iter::once('?').chain(plain).collect();
                Account { name, script: Vec::new() }
            }
        };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(part.to_owned(), account.clone());
        Ok(account)
    }
}
