//! `romp audit`: whether the book balances, and agrees with the chain.

use super::book::{no_book, with_book};
use super::shares::{print, print_json, printable};
use super::{DONE, FAILED};
use crate::config::Pool;
use crate::daemon::{Client, block_info, chain_info, wallet};
use crate::ledger::book::audit::Audit;
use crate::ledger::book::{Book, BookError, PayoutState, State};
use crate::payments;
use std::path::Path;

/// `romp audit COIN`: adds the book up, and asks the chain about what it says. Returns the exit
/// code: 1 when something does not agree or could not be asked.
#[must_use]
pub fn run(dir: &Path, coin: &str, offline: bool, json: bool) -> u8 {
    with_book(dir, coin, |pool, book, _| {
        let Some(book) = book else { return Ok(no_book(pool)) };
        let mut audit = book.audit(true)?;
        if !offline && let Err(error) = ask_chain(pool, &book, &mut audit)? {
            audit.wrong.push(format!("the chain could not be asked: {error}"));
        }
        if json {
            print_json(&audit);
        } else {
            table(pool, &audit);
        }
        Ok(if audit.wrong.is_empty() { DONE } else { FAILED })
    })
}

fn table(pool: &Pool, audit: &Audit) {
    for (what, units) in [
        ("rewards of mature blocks", audit.rewards),
        ("  fees kept in the wallet", audit.fees - audit.fees_credited),
        ("  fees credited to an account", audit.fees_credited),
        ("  credited to miners", audit.credits),
        ("imported from another pool", audit.imported),
        ("    owed", audit.owed),
        ("    set aside", audit.held),
        ("    being paid", audit.in_flight),
        ("    paid", audit.paid),
        ("lost with blocks that left the chain", audit.lost),
        ("transaction fees of the wallet", audit.transaction_fees),
    ] {
        print(&format!("{what:<38} {:>20} {}", coins(units), pool.coin.symbol));
    }
    for line in &audit.wrong {
        print(&format!("WRONG: {}", printable(line)));
    }
    if audit.wrong.is_empty() {
        print("The book balances.");
    }
}

/// The first daemon that has the whole chain.
fn whole(pool: &Pool) -> Result<Client, String> {
    let mut words = "every daemon is syncing".to_owned();
    for daemon in &pool.daemons {
        let client = Client::new(daemon, pool.daemon_timeout);
        match chain_info(&client, pool.coin.has_get_info) {
            Ok(info) if !info.initial_download && info.headers <= info.blocks => return Ok(client),
            Ok(_) => {}
            Err(error) => words = error.to_string(),
        }
    }
    Err(words)
}

/// Whether the chain has the blocks that were credited, and the payouts that count as paid.
fn ask_chain(pool: &Pool, book: &Book, audit: &mut Audit) -> Result<Result<(), String>, BookError> {
    let Some(payments) = &pool.payments else { return Ok(Ok(())) };
    let client = match whole(pool) {
        Ok(client) => client,
        Err(error) => return Ok(Err(error)),
    };
    let wallet = Client::new(&payments.wallet, pool.daemon_timeout.max(payments::PATIENCE));
    for block in book.blocks(&[State::Mature])? {
        match block_info(&client, &block.hash) {
            Ok(Some(info)) if info.confirmations > 0 => {}
            Ok(_) => audit.wrong.push(format!(
                "block {} at {} was credited, and {} does not have it in its chain",
                block.hash,
                block.height,
                client.address()
            )),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    for payout in book.payouts(&[PayoutState::Confirmed])? {
        match wallet::transaction(&wallet, &payout.txid) {
            Ok(Some(known)) if known.confirmations > 0 => {}
            Ok(_) => audit.wrong.push(format!(
                "payout {} counts as paid, and the wallet at {} does not have it in the chain",
                payout.txid,
                wallet.address()
            )),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(Ok(()))
}

fn coins(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:08}", units / 100_000_000, units % 100_000_000)
}
