//! Whose a worker's work is: the address in its name.

use crate::chain::address::{self, AddressError, Rules};
use crate::chain::transaction::is_payable;
use crate::chain::{Network, hex_array};
use crate::daemon::{CallError, Client, script_of};
use crate::ledger::book::Account;
use crate::stratum::address_part;
use std::collections::HashMap;

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
