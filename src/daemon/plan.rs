//! The facts that a coin needs once: its network, and the scripts that the coinbase pays.

use crate::chain::address::{self, AddressError};
use crate::chain::transaction::is_payable;
use crate::chain::{Network, Plan, Recipient, hex_array};
use crate::config::{Key, Pool};
use crate::daemon::{CallError, ChainInfo, Client, Fault, public_key, script_of, tells_stake};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The daemon could not be asked: try again.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The operator has to do something.
    #[error("{words}")]
    Operator {
        /// The setting to look at.
        key: Key,
        /// What is wrong and what to do.
        words: String,
    },
}

/// The network that the pool's coin can be mined on with this daemon.
///
/// # Errors
/// [`PlanError::Operator`] when it cannot.
pub fn network(address: &str, info: &ChainInfo) -> Result<Network, PlanError> {
    let stop = |words| Err(PlanError::Operator { key: Key::pool(&["daemons"]), words });
    let Some(network) = info.network else {
        return stop(format!(
            "daemon {address} is on a network that romp does not know: `{}`",
            info.chain
        ));
    };
    Ok(network)
}

/// Whether the coin is a proof-of-stake coin, of which the pool finds the blocks that are proof of
/// work: by `reward` of the coin file, or else by the daemon's difficulty, as NOMP does.
///
/// # Errors
/// [`CallError`] when the daemon gives no answer.
pub fn proof_of_stake(client: &Client, pool: &Pool, info: &ChainInfo) -> Result<bool, CallError> {
    match pool.coin.proof_of_stake {
        Some(written) => Ok(written),
        None => Ok(info.proof_of_stake || tells_stake(client)?),
    }
}

/// The script by which blocks pay the pool: that of `address`, or, on a proof-of-stake coin, that
/// of the address's public key, with which the daemon signs a block that is submitted to it.
///
/// # Errors
/// [`PlanError`].
pub fn reward_script(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    network: Network,
    proof_of_stake: bool,
) -> Result<Vec<u8>, PlanError> {
    let script = pool_script(client, pool, info, network)?;
    if !proof_of_stake {
        return Ok(script);
    }
    if let Some(key) = public_key(client, &pool.address)? {
        return Ok(address::pubkey_script(&key));
    }
    Err(PlanError::Operator {
        key: Key::pool(&["address"]),
        words: format!(
            "{} is a proof-of-stake coin: blocks pay to a public key, and the daemon signs them \
             with it. Daemon {} does not tell the public key of `{}`; put an address of its own \
             wallet there (`getnewaddress`), unlocked, or `\"reward\": \"POW\"` into the coin file \
             if it is none",
            pool.coin.name,
            client.address(),
            pool.address
        ),
    })
}

/// The script of `address`, or why there is none.
///
/// # Errors
/// [`PlanError`].
pub fn pool_script(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    network: Network,
) -> Result<Vec<u8>, PlanError> {
    let asker = Asker { client, pool, network, chain: &info.chain };
    asker.script("`address`", Key::pool(&["address"]), &pool.address)
}

/// The script of a reward recipient, or why there is none.
///
/// # Errors
/// [`PlanError`].
pub fn recipient_script(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    network: Network,
    destination: &str,
) -> Result<Vec<u8>, PlanError> {
    // NOMP's mining key: the HASH160 of a public key, the same for every coin.
    if let Some(hash) = hex_array::<20>(destination) {
        return Ok(address::pubkey_hash_script(&hash));
    }
    let asker = Asker { client, pool, network, chain: &info.chain };
    let key = Key::pool(&["rewardRecipients", destination]);
    asker.script("the reward recipient", key, destination)
}

/// The script that the pool's fee is paid to, or why there is none.
///
/// # Errors
/// [`PlanError`], also when nodes do not relay payments to it.
pub fn fee_script(
    client: &Client,
    pool: &Pool,
    info: &ChainInfo,
    network: Network,
    fee_address: &str,
) -> Result<Vec<u8>, PlanError> {
    let asker = Asker { client, pool, network, chain: &info.chain };
    let key = || Key::pool(&["paymentProcessing", "feeReceiveAddress"]);
    let script = asker.script("the fee's address", key(), fee_address)?;
    let has_rules = pool.coin.addresses.contains_key(&network);
    if has_rules && !is_payable(&script) {
        let words = format!(
            "the fee's address `{fee_address}` is of a kind that nodes do not relay payments to; \
             put another one into `feeReceiveAddress`"
        );
        return Err(PlanError::Operator { key: key(), words });
    }
    Ok(script)
}

/// The plan of a pool's coinbase over scripts that are known.
#[must_use]
pub fn with_scripts(
    pool: &Pool,
    network: Network,
    pool_script: Vec<u8>,
    recipients: Vec<Recipient>,
    proof_of_stake: bool,
) -> Plan {
    Plan {
        coin: pool.coin.id.clone(),
        network,
        algorithm: pool.coin.algorithm,
        ids: pool.coin.ids,
        pool_script,
        recipients,
        tag: pool.tag.clone(),
        extranonce2_size: pool.extranonce2_size,
        tx_message: pool.coin.tx_messages.then(|| pool.tag.clone()),
        proof_of_stake,
        payees: pool.coin.payees.clone(),
        addresses: pool.coin.addresses.get(&network).cloned().unwrap_or_default(),
    }
}

/// Makes the plan of a pool's coinbase, asking a daemon on its network for every address.
///
/// # Errors
/// [`PlanError`], the first one.
pub fn make(client: &Client, pool: &Pool, info: &ChainInfo) -> Result<Plan, PlanError> {
    let network = network(&client.address(), info)?;
    let mut recipients = Vec::with_capacity(pool.recipients.len());
    for recipient in &pool.recipients {
        let script = recipient_script(client, pool, info, network, &recipient.destination)?;
        recipients.push(Recipient { script, ppm: recipient.ppm });
    }
    let staked = proof_of_stake(client, pool, info)?;
    let script = reward_script(client, pool, info, network, staked)?;
    Ok(with_scripts(pool, network, script, recipients, staked))
}

struct Asker<'a> {
    client: &'a Client,
    pool: &'a Pool,
    network: Network,
    chain: &'a str,
}

impl Asker<'_> {
    /// The script of an address, by the coin file and by the daemon; both must agree, since a
    /// wrong script pays nobody (NOMP O5).
    fn script(&self, what: &str, key: Key, address: &str) -> Result<Vec<u8>, PlanError> {
        let (chain, daemon) = (self.chain, self.client.address());
        let local = match self.pool.coin.addresses.get(&self.network) {
            Some(rules) => address::script(address, rules, self.network),
            None => Err(AddressError::NoRules(self.network)),
        };
        let stop = |words: String| Err(PlanError::Operator { key, words });
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
                 that daemon {daemon} is on{}; no work until it is: put an address of that \
                 network there, or connect a daemon of the right network",
                self.other_network(address)
            )),
            // Daemons that cannot tell, or may not (rpcwhitelist): the coin file must know.
            (local, Err(error))
                if error.is_unknown_method()
                    || matches!(error.fault, Fault::Garbage(_) | Fault::Auth(403)) =>
            {
                match local {
                    Ok(script) => Ok(script),
                    Err(why) => stop(format!("{what} `{address}`: {why}, and {error}")),
                }
            }
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// `, but one of ...` when the coin file knows the address on another of the coin's networks.
    fn other_network(&self, address: &str) -> String {
        let mut others = self.pool.coin.addresses.iter().filter(|(network, rules)| {
            **network != self.network && address::script(address, rules, **network).is_ok()
        });
        let name = &self.pool.coin.name;
        others.next().map_or_else(String::new, |(network, _)| {
            format!(", but one of {name}'s {} network", network.name())
        })
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
pub(crate) mod tests;
