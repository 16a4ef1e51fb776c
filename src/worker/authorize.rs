//! Who may mine under which name: the address in a user name, checked here where the coin file
//! tells how, and by the daemons where it does not.

use super::memory::Memory;
use crate::chain::address::{self, AddressError, Rules};
use crate::chain::transaction::is_payable;
use crate::chain::{Network, hex_array};
use crate::config::Pool;
use crate::stratum::address_part;
use std::collections::HashSet;

/// Milliseconds for which a daemon's yes is believed.
const YES_MS: u64 = 24 * 3600 * 1000;
/// Milliseconds for which a daemon's no is believed.
const NO_MS: u64 = 60 * 1000;
/// Answers that are kept.
const ANSWERS: usize = 10_000;
/// Questions to daemons a second, over all coins.
const QUESTIONS_A_SECOND: u32 = 20;
/// Questions that may be under way at once: each holds a helper thread.
const UNDER_WAY: usize = 4;
/// Milliseconds that a miner waits for an answer before it is asked to try again.
pub(crate) const PATIENCE_MS: u64 = 10_000;
/// Longest name that the journal takes.
const LONGEST_NAME: usize = 255;

/// What is said to a miner whose name cannot be checked at present.
pub(crate) const TRY_AGAIN: &str = "the pool cannot check the name right now, try again";

/// What becomes of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// Welcome.
    Accept,
    /// Not welcome, in words for the miner.
    Refuse(String),
    /// Only a daemon can tell whether this is an address.
    Ask(String),
    /// The coin's network is not known yet.
    Wait,
}

/// Checks a user name. `network` is what the daemons report, once known.
pub(crate) fn check(name: &str, pool: &Pool, network: Option<Network>) -> Check {
    if name.trim().is_empty() {
        return Check::Refuse("a user name is needed".to_owned());
    }
    if name.len() > LONGEST_NAME {
        return Check::Refuse("the user name is longer than 255 bytes".to_owned());
    }
    if !pool.validate_username {
        return Check::Accept;
    }
    let part = address_part(name);
    if part.is_empty() {
        return Check::Refuse("the user name must begin with an address".to_owned());
    }
    if hex_array::<20>(part).is_some() {
        return Check::Accept;
    }
    let Some(network) = network else { return Check::Wait };
    let Some(rules) = pool.coin.addresses.get(&network).filter(|rules| says_something(rules))
    else {
        return ask(part);
    };
    match address::script(part, rules, network) {
        // Its money would be set aside for ever.
        Ok(script) if pool.payments.is_some() && !is_payable(&script) => Check::Refuse(format!(
            "nodes do not relay payments to addresses like `{part}`: please use another kind"
        )),
        Ok(_) => Check::Accept,
        Err(AddressError::NoRules(_)) => ask(part),
        Err(error) => Check::Refuse(error.to_string()),
    }
}

fn says_something(rules: &Rules) -> bool {
    !rules.is_empty()
}

/// A daemon is asked only about what could be an address: nothing else leaves the house.
fn ask(part: &str) -> Check {
    let plausible = (8..=128).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':');
    if plausible {
        Check::Ask(part.to_owned())
    } else {
        Check::Refuse(format!("`{}` is not an address", part.escape_debug()))
    }
}

/// What daemons said about addresses, and what they are being asked.
#[derive(Debug)]
pub(crate) struct Addresses {
    answers: Memory<(String, String), bool>,
    asking: HashSet<(String, String)>,
    /// Second and count of the questions in it.
    second: (u64, u32),
}

impl Default for Addresses {
    fn default() -> Self {
        Self { answers: Memory::new(ANSWERS), asking: HashSet::new(), second: (0, 0) }
    }
}

impl Addresses {
    /// What is known about an address of a coin. `now`: monotonic milliseconds.
    pub(crate) fn known(&self, coin: &str, address: &str, now: u64) -> Option<bool> {
        self.answers.get(&(coin.to_owned(), address.to_owned()), now).copied()
    }

    /// Whether to ask now: not when it is asked already, and never too often. A yes is counted.
    pub(crate) fn begin(&mut self, coin: &str, address: &str, now: u64) -> bool {
        let key = (coin.to_owned(), address.to_owned());
        if self.second.0 != now / 1000 {
            self.second = (now / 1000, 0);
        }
        let free = self.asking.len() < UNDER_WAY && self.second.1 < QUESTIONS_A_SECOND;
        if !free || !self.asking.insert(key) {
            return false;
        }
        self.second.1 += 1;
        true
    }

    /// A question has ended; `None`: no daemon could tell.
    pub(crate) fn end(&mut self, coin: &str, address: &str, valid: Option<bool>, now: u64) {
        let key = (coin.to_owned(), address.to_owned());
        self.asking.remove(&key);
        if let Some(valid) = valid {
            let until = now.saturating_add(if valid { YES_MS } else { NO_MS });
            self.answers.put(key, valid, until);
        }
    }
}
