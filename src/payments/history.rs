//! Whether the wallet paid what the book does not know of: then the book was set back together with
//! all that lies beside it, which no claim can tell.

use super::coin::{Coin, Trouble, now};
use super::of_operator;
use super::stuck::tip;
use crate::chain::Hash;
use crate::config::Pool;
use crate::daemon::{Entry, since, wallet};
use crate::ledger::book::{ADOPTED, Book};
use std::path::Path;

/// Under which name the book has the tip of the chain when it first saw that.
const BEGINNING: &str = "tip";

impl Coin {
    /// Looks once in a process's life, before it pays: a book is not set back under one that pays.
    /// When an operator has adopted the book, all that the wallet paid until now is settled.
    pub(super) fn check_history(&self, book: &mut Book) -> Result<(), Trouble> {
        let adopted = book.noted(ADOPTED)?.is_some();
        if self.history_checked.get() && !adopted {
            return Ok(());
        }
        let block = Self::newest_known(book)?;
        for txid in Entry::sent(&since(&self.wallet, block.as_ref())?) {
            if book.has_payout(&txid)? || book.knows(&txid)? {
                continue;
            }
            if adopted {
                book.know(&txid, now())?;
            } else if let Some(name) = self.payee_of(book, &txid)? {
                return Err(Trouble::Words(format!(
                    "the wallet has paid {name} by transaction {txid}, and the book does not know \
                     of it: was it set back? Then bring the newest one back. Was that paid by hand, \
                     run `romp payouts {id} known {txid}`; `romp payouts {id} adopt` settles all \
                     that the wallet paid until now",
                    id = self.id()
                )));
            }
        }
        book.forget(ADOPTED)?;
        self.history_checked.set(true);
        Ok(())
    }

    /// Notes where the chain ends when the book sees it first.
    pub(super) fn note_beginning(book: &mut Book, tip: &Hash) -> Result<(), Trouble> {
        match book.noted(BEGINNING)? {
            Some(_) => Ok(()),
            None => Ok(book.note_once(BEGINNING, &tip.to_string())?),
        }
    }

    /// An account of the book that a transaction pays.
    fn payee_of(&self, book: &Book, txid: &Hash) -> Result<Option<String>, Trouble> {
        let Some((found, read)) = wallet::whole(&self.wallet, txid)? else { return Ok(None) };
        for conflict in &found.conflicts {
            // It stands in a payout's place, and is looked at there.
            if book.has_payout(conflict)? {
                return Ok(None);
            }
        }
        for output in read.iter().flat_map(|read| &read.outputs) {
            if let Some(name) = book.name_of(&output.script)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The block that all payments which the book does not know come after: the tip when its newest
    /// payout was signed, or when it began.
    fn newest_known(book: &Book) -> Result<Option<Hash>, Trouble> {
        let signing = match book.newest_payout()? {
            Some(txid) => book.noted(&tip(&txid))?,
            None => None,
        };
        let block = signing.map_or_else(|| book.noted(BEGINNING), |block| Ok(Some(block)))?;
        Ok(block.and_then(|block| Hash::from_display(&block)))
    }
}

/// The operator says that a payment of the wallet, which is none of the book's payouts, is settled.
/// Returns what was done, in words.
///
/// # Errors
/// Why nothing was changed, for the operator.
pub fn known(pool: &Pool, data_dir: &Path, txid: &Hash) -> Result<String, String> {
    let coin = of_operator(pool, data_dir)?;
    let settle = || -> Result<bool, Trouble> {
        let mut book = Book::open_for_operator(data_dir, coin.id())?;
        if book.has_payout(txid)? {
            return Err(Trouble::Words(format!("transaction {txid} is a payout of the book")));
        }
        let is_there = wallet::transaction(&coin.wallet, txid)?.is_some();
        if is_there {
            book.know(txid, now())?;
        }
        Ok(is_there)
    };
    match settle().map_err(|trouble| trouble.to_string())? {
        true => Ok(format!("transaction {txid} counts as settled; balances are as they were")),
        false => Err(format!("the wallet does not know transaction {txid}")),
    }
}
