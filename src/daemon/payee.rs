//! Payees that a template names by address only: their scripts.

use super::calls::script_of;
use super::client::Client;
use super::error::CallError;
use crate::chain::{Plan, Template, address};
use std::collections::HashMap;

/// Scripts that are remembered: more than any coin has masternodes.
const MOST: usize = 16_384;

/// Scripts of payees by address, as daemons told them.
#[derive(Debug, Default)]
pub struct Payees {
    known: HashMap<String, Vec<u8>>,
}

impl Payees {
    /// Gives every payee that has only an address its script. Where the coin file knows the address
    /// this is left to it; else the daemon is asked, once for each address. One that the daemon
    /// does not know either is left as it is: no work can be made of that template.
    ///
    /// # Errors
    /// [`CallError`] when the daemon could not be asked.
    pub fn resolve(
        &mut self,
        client: &Client,
        template: &mut Template,
        plan: &Plan,
    ) -> Result<(), CallError> {
        let unknown: Vec<String> = template
            .payee_addresses()
            .filter(|text| address::script(text, &plan.addresses, plan.network).is_err())
            .map(str::to_owned)
            .collect();
        for address in unknown {
            if !self.known.contains_key(&address) {
                let Some(script) = script_of(client, &address)? else { continue };
                if self.known.len() >= MOST {
                    self.known.clear();
                }
                self.known.insert(address.clone(), script);
            }
            if let Some(script) = self.known.get(&address) {
                template.resolve_payee(&address, script);
            }
        }
        Ok(())
    }
}
