//! What holds a miner's next payout. Pure.

#![allow(dead_code, reason = "what pages and the API take of it comes with them")]

use super::coin::CoinView;
use super::text::{amount, coins, duration};
use crate::config::Pool;
use crate::ledger::book::Balance;
use crate::rewards::Amount;
use serde_json::Value;

/// Something that a miner's next payout waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// The pool pays nothing by itself.
    Off,
    /// The operator has set its money aside, or its name is no address. Why is the operator's
    /// affair.
    Held,
    /// Its blocks, about so much, are not ripe.
    Ripening {
        /// About what they bring, in the smallest unit.
        about: u128,
    },
    /// It is owed less than is paid out at once.
    BelowMinimum {
        /// What is missing.
        missing: Amount,
        /// From which debt on it is paid.
        minimum: Amount,
    },
    /// A payout is on its way.
    InFlight {
        /// How much.
        amount: Amount,
    },
    /// Payments wait for something: wallet, daemon, or the operator.
    Waiting,
    /// Nothing: it is paid in the next round of payouts, at most so many seconds from now, or as
    /// soon as the wallet has so much to spend.
    Due {
        /// From one round of payouts to the next, seconds.
        within: u64,
    },
    /// It has earned nothing yet.
    Nothing,
}

impl Hold {
    /// Its name in JSON.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Off => "payments-off",
            Self::Held => "held",
            Self::Ripening { .. } => "ripening",
            Self::BelowMinimum { .. } => "below-minimum",
            Self::InFlight { .. } => "in-flight",
            Self::Waiting => "payments-waiting",
            Self::Due { .. } => "due",
            Self::Nothing => "nothing-earned",
        }
    }

    /// In words for the miner.
    pub(super) fn words(&self, pool: &Pool) -> String {
        let symbol = &pool.coin.symbol;
        match self {
            Self::Off => "This pool pays nothing by itself: ask its operator.".to_owned(),
            Self::Held => "Your money is set aside: ask the operator of the pool.".to_owned(),
            Self::Ripening { about } => format!(
                "About {} {symbol} are in blocks that the network has to confirm first.",
                coins(*about)
            ),
            Self::BelowMinimum { missing, minimum } => format!(
                "{} {symbol} are missing to the {} {symbol} from which on you are paid.",
                amount(*missing),
                amount(*minimum)
            ),
            Self::InFlight { amount: sum } => format!(
                "{} {symbol} are on their way: the network has to confirm the transaction.",
                amount(*sum)
            ),
            Self::Waiting => {
                "Payments wait at the moment; nothing is lost, and they go on by themselves or when \
                 the operator has looked."
                    .to_owned()
            }
            Self::Due { within } => format!(
                "Nothing: you are paid within {}, as far as the pool's wallet can spend.",
                duration(*within)
            ),
            Self::Nothing => "You have earned nothing yet.".to_owned(),
        }
    }
}

/// All that holds a payout, the weightiest first. `immature`: what blocks that are not ripe bring.
/// `waits`: what the master says that parts of the coin wait for.
pub(super) fn holds(
    pool: &Pool,
    balance: Option<&Balance>,
    minimum: Option<Amount>,
    immature: u128,
    waits: &Value,
) -> Vec<Hold> {
    let Some(payments) = &pool.payments else { return vec![Hold::Off] };
    let mut holds = Vec::new();
    let held = balance.is_some_and(|balance| balance.held.is_some());
    if held {
        holds.push(Hold::Held);
    }
    if let Some(balance) = balance.filter(|balance| balance.in_flight > Amount(0)) {
        holds.push(Hold::InFlight { amount: balance.in_flight });
    }
    let (unpaid, minimum) =
        (balance.map_or(Amount(0), |balance| balance.unpaid), minimum.unwrap_or(payments.minimum));
    let missing = minimum.0.saturating_sub(unpaid.0);
    if unpaid > Amount(0) && missing > 0 {
        holds.push(Hold::BelowMinimum { missing: Amount(missing), minimum });
    }
    if unpaid > Amount(0) && missing == 0 && !held {
        match waits.get("payments").is_some_and(|words| !words.is_null()) {
            true => holds.push(Hold::Waiting),
            false => holds.push(Hold::Due { within: payments.interval.as_secs() }),
        }
    }
    if immature > 0 {
        holds.push(Hold::Ripening { about: immature });
    }
    if holds.is_empty() {
        holds.push(Hold::Nothing);
    }
    holds
}

impl CoinView {
    /// What an address's unripe blocks bring, about.
    pub(super) fn unripe(&self, address: &str) -> u128 {
        self.immature.get(address).copied().unwrap_or_default()
    }
}
