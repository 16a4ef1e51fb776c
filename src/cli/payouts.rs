//! What an operator does to payouts beside the process that pays.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{print, printable};
use super::{DONE, FAILED, USAGE};
use crate::chain::Hash;
use crate::config::Pool;
use crate::ledger::book::{Book, BookError};
use crate::ledger::{REDIS_BLOCKS_KEPT, checkpoint, open_for_reading};
use crate::payments;
use crate::sys::clock::unix_ms;
use std::path::Path;

/// Begins a book beside a ledger that has blocks already.
pub(super) fn begin(pool: &Pool, data_dir: &Path, without_old: bool) -> Result<u8, BookError> {
    let mut book = Book::open_for_operator(data_dir, &pool.coin.id)?;
    if book.noted(payments::BEGUN)?.is_some() {
        eprintln!("error: the book of {} has begun already", pool.coin.id);
        return Ok(FAILED);
    }
    let rows = match open_for_reading(pool, data_dir) {
        Ok(Some(mut tally)) => tally.overview(u32::MAX).map(|overview| overview.blocks),
        Ok(None) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let copied = checkpoint::read(data_dir, &pool.coin.id)
        .map(|copy| copy.map_or(0, |copy| copy.sums.blocks.min(REDIS_BLOCKS_KEPT)));
    let (rows, copied) = match rows.and_then(|rows| Ok((rows, copied?))) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("error: the ledger of {} cannot be read: {error}", pool.coin.id);
            return Ok(FAILED);
        }
    };
    if (rows.len() as u64) < copied {
        eprintln!(
            "error: the ledger of {} has {} blocks, and had {copied}: it was emptied and is filled \
             again while the pool runs. Try again then",
            pool.coin.id,
            rows.len()
        );
        return Ok(FAILED);
    }
    if without_old {
        for row in &rows {
            book.pass_over(&row.found, unix_ms())?;
        }
    }
    book.begin(payments::BEGUN, if without_old { "without old blocks" } else { "with all" })?;
    let what = if without_old { "passed over" } else { "taken in" };
    print(&format!("{}: the book begins; {} blocks are {what}", pool.coin.id, rows.len()));
    Ok(DONE)
}

/// Makes this machine's book the one that pays.
pub(super) fn adopt(pool: &Pool, data_dir: &Path) -> Result<u8, BookError> {
    let id = &pool.coin.id;
    let mut book = Book::open_for_operator(data_dir, id)?;
    let stored = open_for_reading(pool, data_dir)
        .and_then(|tally| tally.map_or(Ok(None), |mut tally| tally.claimed()));
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            eprintln!("error: the ledger of {id} cannot be read: {error}");
            return Ok(FAILED);
        }
    };
    let own = book.adopt(stored, unix_ms())?;
    match stored {
        Some(other) if other.book != own.book => print(&format!(
            "{id}: this book pays from now on, with fence {}; another one, with fence {}, pays \
             nobody any more",
            own.fence, other.fence
        )),
        Some(other) => print(&format!(
            "{id}: this book pays from now on, with fence {}; copies of it that knew fence {} pay \
             nobody any more",
            own.fence, other.fence
        )),
        None => print(&format!("{id}: this book pays from now on, with fence {}", own.fence)),
    }
    Ok(DONE)
}

/// Lets payments try at once, also those that a daemon refused to pay.
pub(super) fn retry(pool: &Pool, data_dir: &Path) -> Result<u8, BookError> {
    let id = &pool.coin.id;
    let released = Book::open_for_operator(data_dir, id)?.retry(unix_ms())?;
    for name in &released {
        print(&format!("{}: released", printable(name)));
    }
    print(&format!("{id}: payments try at their next look, within ten seconds"));
    Ok(DONE)
}

/// Gives a payout up that can never happen.
pub(super) fn void(pool: &Pool, data_dir: &Path, txid: &str) -> Result<u8, BookError> {
    let Some(txid) = transaction_id(txid) else { return Ok(USAGE) };
    Ok(told(payments::void(pool, data_dir, &txid)))
}

/// Lets another transaction be a payout that it has paid.
pub(super) fn replaced(
    pool: &Pool,
    data_dir: &Path,
    txid: &str,
    new: &str,
) -> Result<u8, BookError> {
    let (Some(txid), Some(new)) = (transaction_id(txid), transaction_id(new)) else {
        return Ok(USAGE);
    };
    Ok(told(payments::replaced(pool, data_dir, &txid, &new)))
}

/// Lets a payment of the wallet count as settled.
pub(super) fn known(pool: &Pool, data_dir: &Path, txid: &str) -> Result<u8, BookError> {
    let Some(txid) = transaction_id(txid) else { return Ok(USAGE) };
    Ok(told(payments::known(pool, data_dir, &txid)))
}

fn transaction_id(text: &str) -> Option<Hash> {
    let txid = Hash::from_display(text);
    if txid.is_none() {
        eprintln!("error: `{}` is no transaction id (64 hexadecimal digits)", printable(text));
    }
    txid
}

/// Moves the money of a name that is no address to an address.
pub(super) fn assign(
    pool: &Pool,
    data_dir: &Path,
    name: &str,
    address: &str,
) -> Result<u8, BookError> {
    let account = match payments::account_of(pool, data_dir, address) {
        Ok(account) => account,
        Err(words) => return Ok(told(Err(words))),
    };
    let mut book = Book::open_for_operator(data_dir, &pool.coin.id)?;
    Ok(told(match book.assign(name, &account, unix_ms())? {
        Some(moved) => {
            let symbol = &pool.coin.symbol;
            Ok(format!("{moved} {symbol} of {name} are owed to {} now", account.name))
        }
        None => Err(format!(
            "nothing is set aside under `{name}`: name it as `romp payouts {}` does, with the \
             question mark, in quotes",
            pool.coin.id
        )),
    }))
}

/// Prints what was done, or why nothing was. Returns the exit code.
fn told(result: Result<String, String>) -> u8 {
    match result {
        Ok(words) => {
            words.lines().for_each(|line| print(&printable(line)));
            DONE
        }
        Err(words) => {
            eprintln!("error: {}", printable(&words));
            FAILED
        }
    }
}
