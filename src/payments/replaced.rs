//! Payouts in whose place another transaction stands: a fee that was raised by hand, or the same
//! transaction under another id. One that pays just the same is the payout from then on.

use super::coin::{Coin, Trouble, now};
use super::of_operator;
use super::pay::{CONFLICT, DEEP};
use super::sendmany::places_among;
use super::stuck::{Rival, parsed, tip};
use crate::chain::Hash;
use crate::config::Pool;
use crate::daemon::block_info;
use crate::daemon::wallet::{self, WalletTransaction};
use crate::ledger::book::{Book, Made, Payout, PayoutState};
use std::path::Path;

impl Coin {
    /// What becomes of a payout that the wallet sees another transaction in the place of; `None`:
    /// that one is the payout now.
    pub(super) fn displaced(
        &self,
        book: &mut Book,
        payout: &Payout,
        known: &WalletTransaction,
    ) -> Result<Option<(PayoutState, String)>, Trouble> {
        if known.conflicts.is_empty() {
            // As with one that spends the change of a transaction that was displaced itself.
            let words =
                "the wallet sees another transaction in its place, and not which".to_owned();
            return self.judge(book, payout, payout.state, words).map(Some);
        }
        let mut words =
            "another transaction spends its money; six blocks deep it is the payout, if it pays all \
             of the same; else this one is void when it is 100 blocks deep"
                .to_owned();
        for other in &known.conflicts {
            let reason = match self.replace(book, payout, other) {
                Ok(None) => return Ok(None),
                Ok(Some(reason)) => reason,
                Err(Trouble::Book(error)) => return Err(error.into()),
                // Who is away holds up no other payout.
                Err(trouble) => trouble.to_string(),
            };
            words.push_str(&format!(". By now {reason}"));
        }
        if known.confirmations > CONFLICT {
            return Ok(Some((payout.state, words)));
        }
        let Some(read) = parsed(payout) else {
            return Ok(Some((payout.state, "it cannot be read".to_owned())));
        };
        let rivals = self.rivals(book, payout, &read, &known.conflicts)?;
        Ok(Some(match rivals.first() {
            Some(rival) => (payout.state, self.compare(payout, rival)),
            None => (PayoutState::Void, "its money was spent elsewhere".to_owned()),
        }))
    }

    /// What an operator does about a payout and another transaction that may have paid the same.
    pub(super) fn compare(&self, payout: &Payout, rival: &Rival) -> String {
        let (id, txid, rival, is_twin) = (self.id(), payout.txid, rival.txid, rival.is_twin);
        let other = match is_twin {
            true => String::new(),
            false => format!("was it for something else, `romp payouts {id} known {rival}`; "),
        };
        format!(
            "transaction {rival} pays some of the same addresses, or cannot be read; compare the \
             two. Does it pay all of them just the same, run `romp payouts {id} replaced {txid} \
             {rival}`; {other}else `romp payouts {id} void {txid}`"
        )
    }

    /// Enters a transaction that pays all that a payout does, and is six blocks deep in the chain of
    /// every daemon, in its place. What is in the way of that, in words.
    fn replace(
        &self,
        book: &mut Book,
        payout: &Payout,
        txid: &Hash,
    ) -> Result<Option<String>, Trouble> {
        if book.has_payout(txid)? {
            return Ok(Some(format!("transaction {txid} is another payout of the book")));
        }
        let Some((known, read)) = wallet::whole(&self.wallet, txid)? else {
            return Ok(Some(format!("the wallet does not know transaction {txid}")));
        };
        if known.confirmations < DEEP {
            let count = known.confirmations.max(0);
            let words =
                format!("transaction {txid} has {count} confirmations; it must have {DEEP}");
            return Ok(Some(words));
        }
        let outputs = book.outputs(payout.id)?;
        // A wallet that raises a fee may take the pool's address for somebody else's, and add change.
        let Some(places) = read.and_then(|read| places_among(&read.outputs, &outputs)) else {
            let words =
                format!("transaction {txid} does not pay all that payout {} does", payout.txid);
            return Ok(Some(words));
        };
        self.check_wallet(book)?;
        for (client, _) in &self.chain(book)?.daemons {
            let info = match &known.block {
                Some(block) => block_info(client, block)?,
                None => None,
            };
            if info.is_none_or(|info| info.confirmations < DEEP) {
                return Ok(Some(format!(
                    "daemon {} does not have the block of transaction {txid} in its chain, {DEEP} \
                     deep",
                    client.address()
                )));
            }
        }
        if let Some(block) = book.noted(&tip(&payout.txid))? {
            book.note_once(&tip(txid), &block)?;
        }
        // The wallet knows it still.
        book.know(&payout.txid, now())?;
        Self::forget_gone(book, payout)?;
        let made = Made { txid: *txid, bytes: known.bytes, fee: known.fee, places };
        if !book.replace(payout, &made, now())? {
            return Ok(Some("it was settled meanwhile".to_owned()));
        }
        log::warn!(
            "{}: transaction {txid} pays all that payout {} does, and has taken its place",
            self.id(),
            payout.txid
        );
        Ok(None)
    }

    fn instead(&self, txid: &Hash, by: &Hash) -> Result<String, Trouble> {
        let no = |words: String| Err(Trouble::Words(words));
        let mut book = Book::open_for_operator(&self.data_dir, self.id())?;
        let (payout, read) = self.open_payout(&book, txid)?;
        if let Some(words) = self.may_happen(&mut book, &payout, &read)? {
            return no(words);
        }
        match self.replace(&mut book, &payout, by)? {
            Some(words) => no(words),
            None => Ok(format!("transaction {by} is the payout now, and is watched from now on")),
        }
    }
}

/// The operator says that a transaction has paid what a payout was to pay, which can never happen
/// itself: it is the payout from then on. Returns what was done, in words.
///
/// # Errors
/// Why nothing was changed, for the operator.
pub fn replaced(pool: &Pool, data_dir: &Path, txid: &Hash, by: &Hash) -> Result<String, String> {
    let coin = of_operator(pool, data_dir)?;
    coin.instead(txid, by).map_err(|trouble| trouble.to_string())
}
