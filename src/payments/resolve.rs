//! What an operator says of a payout that nobody knows whether it was sent: `romp payouts COIN
//! resolve`.

use super::coin::{Coin, Trouble};
use super::of_operator;
use super::sendmany::places;
use crate::chain::Hash;
use crate::config::Pool;
use crate::daemon::{Entry, sendmany, since, wallet};
use crate::ledger::book::{Book, Intent};
use std::collections::BTreeSet;
use std::path::Path;

/// No wallet works on a call for so long, ms: ten minutes. Our own wait for at most five.
const OLD: u64 = 600_000;

/// What the operator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// It was not sent, and never will be.
    Unsent,
    /// It is this transaction.
    Txid(Hash),
}

/// Settles an intent, unless the wallet knows better. What was done, in words.
///
/// # Errors
/// Why nothing was changed, for the operator.
pub fn resolve(
    pool: &Pool,
    data_dir: &Path,
    book: &mut Book,
    (mark, fact): (&str, Fact),
    now: u64,
) -> Result<String, String> {
    let coin = of_operator(pool, data_dir)?;
    settle(&coin, book, mark, fact, now).map_err(|trouble| trouble.to_string())
}

fn settle(
    coin: &Coin,
    book: &mut Book,
    mark: &str,
    fact: Fact,
    now: u64,
) -> Result<String, Trouble> {
    let no = |words: String| Err(Trouble::Words(words));
    let Some(intent) = book.open_intent()?.filter(|intent| intent.mark == mark) else {
        return no(format!("{} has no open payout {mark}", coin.id()));
    };
    // What another wallet does not know says nothing.
    coin.check_wallet(book)?;
    let txid = match fact {
        Fact::Txid(txid) => txid,
        Fact::Unsent => {
            if let Some(txid) = sent_as(coin, book, &intent)? {
                return no(format!("it was sent: the wallet has it as transaction {txid}"));
            }
            let age = now.saturating_sub(intent.time);
            if age < OLD {
                let left = (OLD - age).div_ceil(1000);
                return no(format!("the call may still be on its way: try again in {left} s"));
            }
            // A call that waits in a daemon that hangs is carried out when it goes on. Seconds that
            // have begun count as whole ones.
            let uptime = sendmany::uptime(&coin.wallet)?;
            if uptime.is_some_and(|seconds| seconds.saturating_add(1).saturating_mul(1000) >= age) {
                return no(format!(
                    "the daemon at {} has run since before that call, and may still carry it out: \
                     restart it first",
                    coin.wallet.address()
                ));
            }
            return match book.give_up(intent.id, "never sent, says the operator", now)? {
                true => Ok(format!("{} coins are owed again", intent.amount)),
                false => no("it was settled meanwhile".to_owned()),
            };
        }
    };
    if book.has_payout(&txid)? {
        return no(format!("transaction {txid} is another payout of the book"));
    }
    match coin.fulfil(book, &intent, &txid)? {
        Some(words) => no(words),
        None => Ok(format!("it is transaction {txid}, and is watched from now on")),
    }
}

/// The wallet's transaction that has the mark, or pays just what was intended: a wallet that was
/// killed may have forgotten the mark, and finds the transaction again in the chain.
fn sent_as(coin: &Coin, book: &Book, intent: &Intent) -> Result<Option<Hash>, Trouble> {
    let entries = since(&coin.wallet, Some(&intent.tip))?;
    if let Some(txid) = Entry::marked(&entries, &intent.mark).first() {
        return Ok(Some(*txid));
    }
    let outputs = book.outputs(intent.id)?;
    let all: BTreeSet<Hash> = entries.iter().filter_map(|entry| entry.txid).collect();
    for txid in all {
        if book.has_payout(&txid)? {
            continue;
        }
        let read = wallet::whole(&coin.wallet, &txid)?.and_then(|(_, read)| read);
        if read.is_some_and(|read| places(&read.outputs, &outputs).is_some()) {
            return Ok(Some(txid));
        }
    }
    Ok(None)
}
