//! The facts that a coin needs once: its network, and the scripts that the coinbase pays.

use crate::chain::address::{self, AddressError, Rules};
use crate::chain::{Network, Plan, Recipient, hex_array};
use crate::config::Pool;
use crate::daemon::{CallError, ChainInfo, Client, Fault, script_of};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlanError {
    /// The daemon could not be asked: try again.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The operator has to do something.
    #[error("{0}")]
    Operator(String),
}

/// Makes the plan of a pool's coinbase, asking a daemon on its network for every address.
pub(super) fn make(client: &Client, pool: &Pool, info: &ChainInfo) -> Result<Plan, PlanError> {
    let network = info.network.ok_or_else(|| {
        PlanError::Operator(format!(
            "daemon {} is on a network that romp does not know: `{}`",
            client.address(),
            info.chain
        ))
    })?;
    if info.proof_of_stake {
        return Err(PlanError::Operator(format!(
            "{} is a proof-of-stake coin (its daemon {} tells a proof-of-stake difficulty); this \
             version of romp does not mine those, a later one will",
            pool.coin.name,
            client.address()
        )));
    }
    let rules = pool.coin.addresses.get(&network);
    let asker = Asker { client, rules, network, chain: &info.chain };
    let mut recipients = Vec::with_capacity(pool.recipients.len());
    for recipient in &pool.recipients {
        // NOMP's mining key: the HASH160 of a public key, the same for every coin.
        let script = match hex_array::<20>(&recipient.destination) {
            Some(hash) => [&[0x76, 0xa9, 20][..], &hash, &[0x88, 0xac]].concat(),
            None => asker.script("the reward recipient", &recipient.destination)?,
        };
        recipients.push(Recipient { script, ppm: recipient.ppm });
    }
    Ok(Plan {
        coin: pool.coin.id.clone(),
        network,
        algorithm: pool.coin.algorithm,
        pool_script: asker.script("`address`", &pool.address)?,
        recipients,
        tag: pool.tag.clone(),
        extranonce2_size: pool.extranonce2_size,
        tx_message: pool.coin.tx_messages.then(|| pool.tag.clone()),
        addresses: rules.cloned().unwrap_or_default(),
    })
}

struct Asker<'a> {
    client: &'a Client,
    rules: Option<&'a Rules>,
    network: Network,
    chain: &'a str,
}

impl Asker<'_> {
    /// The script of an address, by the coin file and by the daemon; both must agree, since a
    /// wrong script pays nobody (NOMP O5).
    fn script(&self, what: &str, address: &str) -> Result<Vec<u8>, PlanError> {
        let (chain, daemon) = (self.chain, self.client.address());
        let local = match self.rules {
            Some(rules) => address::script(address, rules, self.network),
            None => Err(AddressError::NoRules(self.network)),
        };
        let stop = |words: String| Err(PlanError::Operator(words));
        match (local, script_of(self.client, address)) {
            (Ok(local), Ok(Some(remote))) if local == remote => Ok(local),
            (Ok(_), Ok(Some(_))) => stop(format!(
                "{what} `{address}` means one script by the coin file and another one to daemon \
                 {daemon}; no work until they agree: look at the address versions in the coin file"
            )),
            (Err(AddressError::NoRules(_)), Ok(Some(remote))) => Ok(remote),
            (Err(error), Ok(Some(remote))) => {
                log::warn!(
                    "{what} `{address}`: {error} by the coin file, but daemon {daemon} takes it; \
                     using the daemon's script"
                );
                Ok(remote)
            }
            (_, Ok(None)) => stop(format!(
                "{what} `{address}` in the pool's file is no address of the `{chain}` network \
                 that daemon {daemon} is on; no work until it is: put an address of that network \
                 there, or connect a daemon of the right network"
            )),
            // Daemons that cannot tell: the coin file must know.
            (local, Err(error))
                if error.is_unknown_method() || matches!(error.fault, Fault::Garbage(_)) =>
            {
                match local {
                    Ok(script) => Ok(script),
                    Err(why) => stop(format!("{what} `{address}`: {why}, and {error}")),
                }
            }
            (_, Err(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
