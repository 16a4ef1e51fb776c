//! `romp payouts COIN resolve`, and payouts of which the transaction is not known.

#![allow(clippy::print_stderr)] // a command prints

use super::shares::{print, printable};
use super::{DONE, FAILED, USAGE};
use crate::chain::Hash;
use crate::config::Pool;
use crate::ledger::book::{Book, BookError, Intent};
use crate::payments::{self, Fact};
use crate::sys::clock::unix_ms;
use serde_json::{Value, json};
use std::path::Path;

/// Settles a payout of which nobody knows whether it was sent; `txid`: `None` says that it was not.
/// Returns the exit code.
pub(super) fn run(
    pool: &Pool,
    data_dir: &Path,
    mark: &str,
    txid: Option<&str>,
) -> Result<u8, BookError> {
    let fact = match txid.map(|text| (text, Hash::from_display(text))) {
        None => Fact::Unsent,
        Some((_, Some(txid))) => Fact::Txid(txid),
        Some((text, None)) => {
            eprintln!("error: `{}` is no transaction id (64 hexadecimal digits)", printable(text));
            return Ok(USAGE);
        }
    };
    let mut book = Book::open_for_operator(data_dir, &pool.coin.id)?;
    match payments::resolve(pool, data_dir, &mut book, (mark, fact), unix_ms()) {
        Ok(words) => {
            print(&format!("{}: {words}", printable(mark)));
            Ok(DONE)
        }
        Err(words) => {
            eprintln!("error: nothing was changed: {words}");
            Ok(FAILED)
        }
    }
}

fn state(intent: &Intent) -> &'static str {
    if intent.is_open { "intended" } else { "void" }
}

/// Lines of `romp payouts COIN`.
pub(super) fn lines(intents: &[Intent]) -> impl Iterator<Item = String> {
    let line = |it: &Intent| format!("{:<9}  {}  {}", state(it), it.mark, printable(&it.words));
    intents.iter().map(line)
}

/// The same as JSON.
pub(super) fn values(intents: &[Intent]) -> Vec<Value> {
    let value = |it: &Intent| {
        json!({
            "mark": it.mark, "state": state(it), "time": it.time, "amount": it.amount,
            "waits_for": it.words,
        })
    };
    intents.iter().map(value).collect()
}
