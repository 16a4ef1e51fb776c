//! `romp balance`, `payouts` and `verify`: what the book says; also while the pool is down.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{pool_of, print, print_json, printable};
use super::{CONFIGURATION, DONE, FAILED, USAGE, resolve, thresholds};
use crate::chain::Hash;
use crate::config::{Loaded, Pool};
use crate::ledger::book::{Book, BookError, Line, Payout, State};
use crate::rewards::Amount;
use crate::sys::clock::unix_ms;
use clap::Subcommand;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What `romp payouts` does.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Show payouts, newest first, and what is set aside
    List {
        /// All payouts, and not only the newest hundred
        #[arg(long)]
        all: bool,
    },
    /// Set an address's money aside: it earns, and is not paid
    Hold {
        /// Address, as `romp payouts` or `romp balance` writes it
        address: String,
        /// Why, for those who come after you
        #[arg(long, default_value = "held by the operator")]
        reason: String,
    },
    /// Begin the book of a coin whose ledger has blocks already
    Begin {
        /// Those blocks are not paid: they were paid by hand, or by another machine
        #[arg(long)]
        without_old: bool,
    },
    /// Let this machine's book pay: only when no other machine and no other copy of it pays
    Adopt,
    /// Pay at the next look, and try those again that a daemon refused to pay
    Retry,
    /// Give up a payout whose money was spent elsewhere: its amounts are owed again
    Void {
        /// Transaction id, as `romp payouts` writes it
        txid: String,
    },
    /// Another transaction has paid all that a payout was to pay, as with a fee that was raised
    Replaced {
        /// Transaction id of the payout, as `romp payouts` writes it
        txid: String,
        /// Id of the other transaction
        new: String,
    },
    /// A payment of the wallet that the book does not know was made by hand, and is settled
    Known {
        /// Transaction id
        txid: String,
    },
    /// Move the money of a name that is no address to an address
    Assign {
        /// The name with its question mark, as `romp payouts` writes it
        name: String,
        /// Address
        address: String,
    },
    /// Set from which debt on an address is paid
    Threshold {
        /// Address
        address: String,
        /// Coins, such as 0.5; or `default`: what the configuration says
        amount: String,
    },
    /// Settle a payout of which nobody knows whether it was sent
    Resolve {
        /// Its mark, as `romp payouts` writes it
        mark: String,
        /// It was not sent, and never will be: its amounts are owed again
        #[arg(long, required_unless_present = "txid", conflicts_with = "txid")]
        unsent: bool,
        /// It was sent as this transaction
        #[arg(long)]
        txid: Option<String>,
    },
    /// Pay an address again that was set aside
    Release {
        /// Address
        address: String,
    },
}

/// Payouts that are shown where not all are asked for.
const NEWEST: u32 = 100;

/// Finds the coin and opens its book.
pub(super) fn with_book(
    dir: &Path,
    coin: &str,
    show: impl FnOnce(&Pool, Option<Book>, &PathBuf) -> Result<u8, BookError>,
) -> u8 {
    let Loaded { config, errors, .. } = crate::config::load(dir);
    let Some(config) = config else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        return CONFIGURATION;
    };
    let Some(pool) = pool_of(&config, coin) else { return USAGE };
    let opened = Book::open_for_reading(&config.data_dir, &pool.coin.id);
    match opened.and_then(|book| show(pool, book, &config.data_dir)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            FAILED
        }
    }
}

pub(super) fn no_book(pool: &Pool) -> u8 {
    print(&format!("{}: nothing has been booked yet", pool.coin.id));
    DONE
}

/// `romp balance COIN ADDRESS`. Returns the exit code.
#[must_use]
pub fn balance(dir: &Path, coin: &str, address: &str, json: bool) -> u8 {
    with_book(dir, coin, |pool, book, _| {
        let Some(book) = book else { return Ok(no_book(pool)) };
        let Some(balance) = book.balance(address)? else {
            eprintln!("error: {} has no account `{}`", pool.coin.id, printable(address));
            return Ok(FAILED);
        };
        let before = book.paid_before(address)?;
        let minimum = thresholds::of(pool, &book, address)?;
        if json {
            print_json(&json!({
                "address": address, "unpaid": balance.unpaid, "in_flight": balance.in_flight,
                "paid": balance.paid, "held": balance.held, "paid_before": before,
                "minimum": minimum,
            }));
            return Ok(DONE);
        }
        let symbol = &pool.coin.symbol;
        print(&format!("unpaid      {:>20} {symbol}", balance.unpaid));
        print(&format!("being paid  {:>20} {symbol}", balance.in_flight));
        print(&format!("paid        {:>20} {symbol}", balance.paid));
        if before != Amount(0) {
            print(&format!("paid before {before:>20} {symbol}, by the software before this one"));
        }
        if let Some(minimum) = minimum {
            print(&format!("paid from   {minimum:>20} {symbol} on"));
        }
        if let Some(reason) = &balance.held {
            print(&format!("set aside: {}", printable(reason)));
        }
        Ok(DONE)
    })
}

/// `romp payouts COIN`. Returns the exit code.
#[must_use]
pub fn payouts(dir: &Path, coin: &str, action: &Action, json: bool) -> u8 {
    with_book(dir, coin, |pool, book, data_dir| {
        let Some(book) = book else {
            let code = no_book(pool);
            return Ok(if matches!(action, Action::List { .. }) { code } else { FAILED });
        };
        let (address, reason) = match action {
            Action::Begin { without_old } => {
                drop(book);
                return super::payouts::begin(pool, data_dir, *without_old);
            }
            Action::Adopt => return super::payouts::adopt(pool, data_dir),
            Action::Retry => return super::payouts::retry(pool, data_dir),
            Action::Void { txid } => return super::payouts::void(pool, data_dir, txid),
            Action::Replaced { txid, new } => {
                return super::payouts::replaced(pool, data_dir, txid, new);
            }
            Action::Known { txid } => return super::payouts::known(pool, data_dir, txid),
            Action::Assign { name, address } => {
                return super::payouts::assign(pool, data_dir, name, address);
            }
            Action::Threshold { address, amount } => {
                drop(book);
                return thresholds::set(pool, data_dir, address, amount);
            }
            Action::Resolve { mark, txid, .. } => {
                drop(book);
                return resolve::run(pool, data_dir, mark, txid.as_deref());
            }
            Action::List { all } => {
                list(pool, &book, *all, json)?;
                return Ok(DONE);
            }
            Action::Hold { address, reason } => (address, Some(reason.as_str())),
            Action::Release { address } => (address, None),
        };
        drop(book);
        let mut book = Book::open_for_operator(data_dir, &pool.coin.id)?;
        if !book.hold(address, reason, unix_ms())? {
            eprintln!("error: {} has no such payable account: `{}`", coin, printable(address));
            return Ok(FAILED);
        }
        print(&format!("{}: {}", printable(address), reason.map_or("released", |_| "held")));
        Ok(DONE)
    })
}

fn list(pool: &Pool, book: &Book, all: bool, json: bool) -> Result<(), BookError> {
    let payouts = book.newest_payouts(if all { u32::MAX } else { NEWEST })?;
    let held = book.held()?;
    let intents = book.intents()?;
    if json {
        let payout = |payout: &Payout| {
            json!({
                "txid": payout.txid, "state": payout.state.name(), "time": payout.time,
                "confirmations": payout.depth, "fee": payout.fee, "waits_for": payout.words,
            })
        };
        let held = held
            .iter()
            .map(|held| json!({"name": held.name, "amount": held.balance, "reason": held.reason}));
        print_json(&json!({
            "payouts": payouts.iter().map(payout).collect::<Vec<_>>(),
            "without_transaction": resolve::values(&intents),
            "set_aside": held.collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for block in book.blocks(&[State::Found, State::Immature])? {
        let words = printable(&block.words);
        let depth = block.depth;
        print(&format!("block {:>9}  {} deep  {}  {words}", block.height, depth, block.hash));
    }
    print(&format!("{}: {} payouts", pool.coin.id, payouts.len()));
    for payout in &payouts {
        let words = printable(&payout.words);
        print(&format!("{:<9}  {}  {words}", payout.state.name(), payout.txid));
    }
    resolve::lines(&intents).for_each(|line| print(&line));
    for held in &held {
        let (name, reason) = (printable(&held.name), printable(&held.reason));
        print(&format!("set aside  {} {}  {name}: {reason}", held.balance, pool.coin.symbol));
    }
    Ok(())
}

/// `romp verify COIN BLOCK [ADDRESS]`: who had which work in a block's reward, computed again.
/// Returns the exit code.
#[must_use]
pub fn verify(dir: &Path, coin: &str, block: &str, address: Option<&str>, json: bool) -> u8 {
    let Some(hash) = Hash::from_display(block) else {
        eprintln!("error: `{}` is no block hash (64 hexadecimal digits)", printable(block));
        return USAGE;
    };
    with_book(dir, coin, |pool, book, _| {
        let Some(record) = book.map(|book| book.record(&hash)).transpose()?.flatten() else {
            eprintln!("error: {} has not credited a block {hash}", pool.coin.id);
            return Ok(FAILED);
        };
        let lines = record.lines.iter().filter(|line| address.is_none_or(|name| line.name == name));
        let sum: u128 = record.lines.iter().map(|line| u128::from(line.amount.0)).sum();
        let whole = sum + u128::from(record.fee.0) == u128::from(record.value.0);
        let fair = whole && record.is_fair();
        if json {
            let line = |line: &Line| json!({"name": line.name, "weight": line.weight.to_string(), "amount": line.amount});
            print_json(&json!({
                "block": hash, "scheme": record.scheme, "value": record.value, "fee": record.fee,
                "digest": record.digest(), "fair": fair,
                "credits": lines.map(line).collect::<Vec<_>>(),
            }));
            return Ok(if fair { DONE } else { FAILED });
        }
        let symbol = &pool.coin.symbol;
        print(&format!("block   {hash}"));
        print(&format!("scheme  {}", record.scheme));
        print(&format!("reward  {} {symbol}, of it the pool's fee {}", record.value, record.fee));
        print(&format!("digest  {}", record.digest()));
        for line in lines {
            print(&format!("{}  {}  {}", printable(&line.name), line.weight, line.amount));
        }
        if !fair {
            eprintln!("error: the credits are not the reward split by work");
            return Ok(FAILED);
        }
        print(&format!(
            "The credits of {} addresses are the reward split by work.",
            record.lines.len()
        ));
        Ok(DONE)
    })
}
