//! MPOS's accounts as a draft.

use super::ImportError;
use super::judge::{Draft, Judge, Money, Outcome};
use super::witness::Witness;
use crate::config;
use crate::ledger::book::{ImportKind, Imported};
use crate::mpos::{Balances, read_balances};

/// Names the source for ever.
#[must_use]
pub fn source(mpos: &config::Mpos) -> String {
    format!("mpos {}:{}/{}", mpos.host, mpos.port, mpos.database)
}

/// Reads what accounts are owed.
///
/// # Errors
/// [`ImportError`].
pub fn read(mpos: &config::Mpos, currency: &str, deep: u32) -> Result<Balances, ImportError> {
    read_balances(mpos, currency, deep)
        .map_err(|error| ImportError { place: error.place, words: error.words })
}

/// Judges accounts. What blocks without enough confirmations will bring is only told.
pub fn draft(
    source: &str,
    balances: &Balances,
    before: &Imported,
    witness: &mut dyn Witness,
) -> Draft {
    let mut judge = Judge::new(source, before, witness);
    for row in &balances.accounts {
        if row.name.is_empty() {
            let words = "transactions of an account that is not there";
            judge.line(ImportKind::Balance, "", None, Outcome::Refused, words);
            continue;
        }
        let address = row.address.as_deref().map(str::trim);
        judge.account(ImportKind::Balance, &row.name, address, &row.confirmed);
        // Who is not there any more needs no history.
        if address.is_some() {
            judge.account(ImportKind::Paid, &row.name, address, &row.paid);
        }
        judge.later(&row.name, &row.unconfirmed, Money::Coins);
    }
    judge.done()
}
