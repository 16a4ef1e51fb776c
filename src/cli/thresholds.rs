//! `romp payouts COIN threshold`, and what `romp balance` says of it.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{print, printable};
use super::{DONE, FAILED, USAGE};
use crate::chain::address::script;
use crate::config::{DUST, Pool};
use crate::ledger::book::{Book, BookError};
use crate::rewards::Amount;
use crate::sys::clock::unix_ms;
use std::path::Path;

/// Sets an address's own minimum, or takes it away with `default`. Returns the exit code.
pub(super) fn set(
    pool: &Pool,
    data_dir: &Path,
    address: &str,
    text: &str,
) -> Result<u8, BookError> {
    let minimum = match text {
        "default" => None,
        coins => match Amount::from_coins(coins) {
            Ok(amount) if amount.0 >= DUST => Some(amount),
            Ok(_) => {
                eprintln!(
                    "error: it must be at least {} coins: nodes do not relay smaller outputs",
                    Amount(DUST)
                );
                return Ok(USAGE);
            }
            Err(error) => {
                eprintln!("error: {error}; write coins, such as 0.5, or `default`");
                return Ok(USAGE);
            }
        },
    };
    let mut book = Book::open_for_operator(data_dir, &pool.coin.id)?;
    if !book.set_minimum(address, minimum, unix_ms())? {
        eprintln!(
            "error: {} has no such payable account: `{}`. An address has one when it has earned",
            pool.coin.id,
            printable(address)
        );
        return Ok(FAILED);
    }
    let address = printable(address);
    match minimum {
        Some(minimum) => print(&format!("{address}: paid from {minimum} on")),
        None => print(&format!("{address}: paid from what the configuration says on")),
    }
    Ok(DONE)
}

/// From which debt on an account is paid; `None` when the pool pays nobody and nothing is set.
pub(super) fn of(pool: &Pool, book: &Book, name: &str) -> Result<Option<Amount>, BookError> {
    if let Some(own) = book.minimum(name)? {
        return Ok(Some(own));
    }
    let Some(payments) = &pool.payments else { return Ok(None) };
    let fee = payments.fee_account.iter().map(|fee| (&fee.address, fee.threshold));
    let minimums = payments.minimums.iter().map(|(address, &minimum)| (address, minimum));
    let mut written = fee.chain(minimums);
    let found = written.find(|(address, _)| is_same(pool, address, name));
    Ok(Some(found.map_or(payments.minimum, |(_, minimum)| minimum)))
}

/// Whether two addresses are one by the coin file, on any of its networks.
fn is_same(pool: &Pool, one: &str, other: &str) -> bool {
    let mut networks = pool.coin.addresses.iter();
    one == other
        || networks.any(|(network, rules)| {
            let script = |address| script(address, rules, *network).ok();
            script(one).is_some_and(|one| script(other) == Some(one))
        })
}
