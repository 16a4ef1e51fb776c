//! Payouts that a daemon refuses: whether they can still happen. One whose money was spent by
//! something else, deep in the chain, cannot.

use super::coin::{Chain, Coin, Trouble, now};
use super::of_operator;
use super::pay::DEEP;
use crate::chain::transaction::{Output, Transaction};
use crate::chain::{Hash, hex_decode};
use crate::config::Pool;
use crate::daemon::spend::{self, Outpoint};
use crate::daemon::wallet::{self, Mined};
use crate::daemon::{Entry, since};
use crate::ledger::book::{Book, Payout, PayoutState};
use std::path::Path;

/// Blocks that a payout's money must have been gone for before the payout is void.
const HELD: u64 = 100;

/// Longest pause between two looks, in blocks, after which the money may have been back meanwhile.
const PAUSE: u64 = 10;

/// Under which name the book has the tip of the chain at a payout's signing.
pub(super) fn tip(txid: &Hash) -> String {
    format!("tip {txid}")
}

/// Under which name the book has the heights at which a payout's money was found gone, first and
/// last.
fn gone(txid: &Hash) -> String {
    format!("gone {txid}")
}

pub(super) fn parsed(payout: &Payout) -> Option<Transaction> {
    hex_decode(&payout.hex).and_then(|bytes| Transaction::named(&bytes, &payout.txid))
}

impl Coin {
    /// Notes where the chain ends before a payout is signed into the book: whatever takes its place
    /// comes later.
    pub(super) fn note_tip(&self, book: &mut Book, txid: &Hash) -> Result<(), Trouble> {
        let chain = self.chain(book)?;
        let (_, info) = chain.first()?;
        Ok(book.note_once(&tip(txid), &info.best.to_string())?)
    }

    /// Keeps the wallet from spending a payout's money by itself before the payout is sent, or lets
    /// it again. A daemon that starts anew has forgotten it. A help only, so that no failure of it
    /// holds anything up.
    pub(super) fn lock(&self, payout: &Payout, locked: bool) {
        let Some(read) = parsed(payout) else { return };
        if let Err(error) = spend::lock(&self.wallet, &read.inputs, locked) {
            log::debug!("{}: {error}", self.id());
        }
    }

    /// Forgets that a payout's money was gone: it is not, or the payout is void.
    pub(super) fn forget_gone(book: &mut Book, payout: &Payout) -> Result<(), Trouble> {
        Ok(book.forget(&gone(&payout.txid)).map(drop)?)
    }

    /// Since which height a payout's money is gone, from now on at the latest; and the height of the
    /// lowest tip. `looks`: this is one of the looks that must not be far apart. A single one, by
    /// hand, counts from the first on, and closes no gap between those.
    fn gone_since(
        book: &mut Book,
        payout: &Payout,
        chain: &Chain<'_>,
        looks: bool,
    ) -> Result<(u64, u64), Trouble> {
        let tip = chain.daemons.iter().map(|(_, info)| info.blocks).min().unwrap_or(0);
        let name = gone(&payout.txid);
        let noted = book.noted(&name)?;
        let heights = noted.as_deref().and_then(|text| {
            let (first, last) = text.split_once(' ')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let since = match heights {
            Some((first, last)) if !looks || tip.saturating_sub(last) <= PAUSE => first,
            _ => tip,
        };
        if looks || heights.is_none() {
            let now = format!("{since} {tip}");
            if noted.as_ref() != Some(&now) {
                book.note_last(&name, &now)?;
            }
        }
        Ok((since, tip))
    }

    /// What becomes of a payout that the daemon refused, which said `words`.
    pub(super) fn judge(
        &self,
        book: &mut Book,
        payout: &Payout,
        state: PayoutState,
        words: String,
    ) -> Result<(PayoutState, String), Trouble> {
        match self.judged(book, payout) {
            Ok(None) => Ok((state, words)),
            Ok(Some((PayoutState::Void, words))) => Ok((PayoutState::Void, words)),
            Ok(Some((_, more))) => Ok((state, format!("{words}: {more}"))),
            Err(Trouble::Book(error)) => Err(error.into()),
            Err(trouble) => {
                Ok((state, format!("{words}; whether it can still happen is not known: {trouble}")))
            }
        }
    }

    fn judged(
        &self,
        book: &mut Book,
        payout: &Payout,
    ) -> Result<Option<(PayoutState, String)>, Trouble> {
        let Some(read) = parsed(payout) else { return Ok(None) };
        let chain = self.chain(book)?;
        if !self.is_gone(&read, &chain)? {
            Self::forget_gone(book, payout)?;
            return Ok(None);
        }
        let (since, tip) = Self::gone_since(book, payout, &chain, true)?;
        let void_at = since.saturating_add(HELD);
        if tip < void_at {
            let words = format!(
                "something else in the chain has spent its money; it is void at height {void_at}"
            );
            return Ok(Some((payout.state, words)));
        }
        self.check_wallet(book)?;
        if self.is_in_chain(&read, &chain)? {
            Self::forget_gone(book, payout)?;
            return Ok(None);
        }
        if let Some(rival) = self.rivals(book, payout, &read, &[])?.first() {
            return Ok(Some((payout.state, self.compare(payout, rival))));
        }
        Ok(Some((PayoutState::Void, "its money was spent elsewhere".to_owned())))
    }

    /// Whether one of the inputs can never be spent: no daemon that has the whole chain has it any
    /// more, and the wallet knows that it was there, or that it never comes.
    fn is_gone(&self, read: &Transaction, chain: &Chain<'_>) -> Result<bool, Trouble> {
        for input in &read.inputs {
            if self.is_there(input, chain)? {
                continue;
            }
            // One that was not made yet is not there, either.
            let Some(parent) = wallet::transaction(&self.wallet, &input.0)? else { continue };
            let orphan = parent.mined.iter().any(|(it, _)| *it == Mined::Orphan);
            if parent.confirmations != 0 || orphan {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the wallet's daemon, or any that has the whole chain, has an output, not spent.
    fn is_there(&self, output: &Outpoint, chain: &Chain<'_>) -> Result<bool, Trouble> {
        let daemons = chain.daemons.iter().map(|(client, _)| *client);
        for client in std::iter::once(&self.wallet).chain(daemons) {
            if spend::unspent(client, output, false)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a transaction's own outputs are in the chain, which explains where its money went.
    fn is_in_chain(&self, read: &Transaction, chain: &Chain<'_>) -> Result<bool, Trouble> {
        let known = wallet::transaction(&self.wallet, &read.txid)?;
        if known.is_some_and(|known| known.confirmations > 0) {
            return Ok(true);
        }
        for (n, _) in (0..).zip(&read.outputs) {
            if self.is_there(&(read.txid, n), chain)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What may have paid in a payout's place: `conflicts`, and payments of the wallet since the
    /// signing, that pay any of the same addresses; and such that cannot be read. One of other money
    /// is paid by hand, when the wallet's had been swept; no payout of the book is one, and none of
    /// other money that the operator knows of.
    pub(super) fn rivals(
        &self,
        book: &Book,
        payout: &Payout,
        read: &Transaction,
        conflicts: &[Hash],
    ) -> Result<Vec<Rival>, Trouble> {
        let ours = book.outputs(payout.id)?;
        let block = book.noted(&tip(&payout.txid))?.and_then(|text| Hash::from_display(&text));
        let mut all = Entry::sent(&since(&self.wallet, block.as_ref())?);
        all.extend(conflicts);
        let mut rivals = Vec::new();
        for txid in all {
            if book.has_payout(&txid)? {
                continue;
            }
            let other = wallet::whole(&self.wallet, &txid)?.and_then(|(_, other)| other);
            let spends =
                |other: &Transaction| other.inputs.iter().any(|input| read.inputs.contains(input));
            let is_twin = conflicts.contains(&txid) || other.as_ref().is_some_and(spends);
            if !is_twin && book.knows(&txid)? {
                continue;
            }
            let paid: Vec<Output> = match other {
                Some(other) => {
                    let pays = |one: &&Output| {
                        other.outputs.iter().any(|output| output.script == one.script)
                    };
                    ours.iter().filter(pays).cloned().collect()
                }
                None => ours.clone(),
            };
            if !paid.is_empty() {
                rivals.push(Rival { txid, is_twin, paid });
            }
        }
        Ok(rivals)
    }
}

/// What may have paid in a payout's place.
pub(super) struct Rival {
    pub(super) txid: Hash,
    /// It may spend the payout's own money.
    pub(super) is_twin: bool,
    /// The payout's outputs whose addresses it pays.
    paid: Vec<Output>,
}

/// The operator says that a payout can never happen: its amounts are owed again. Refused unless its
/// money is gone in the chain of every daemon, six blocks deep. Addresses that another transaction with its money
/// pays are set aside first. Returns what was done, or why nothing was, in words.
///
/// # Errors
/// A sentence for the operator.
pub fn void(pool: &Pool, data_dir: &Path, txid: &Hash) -> Result<String, String> {
    let coin = of_operator(pool, data_dir)?;
    coin.give_up(txid).map_err(|trouble| trouble.to_string())
}

impl Coin {
    fn give_up(&self, txid: &Hash) -> Result<String, Trouble> {
        let no = |words: String| Err(Trouble::Words(words));
        let mut book = Book::open_for_operator(&self.data_dir, self.id())?;
        let (payout, read) = self.open_payout(&book, txid)?;
        if let Some(words) = self.may_happen(&mut book, &payout, &read)? {
            return no(words);
        }
        let mut report = format!("payout {txid} is void; its amounts are owed again");
        let known = wallet::transaction(&self.wallet, txid)?;
        let conflicts = known.map(|known| known.conflicts).unwrap_or_default();
        let rivals = self.rivals(&book, &payout, &read, &conflicts)?;
        for rival in &rivals {
            book.know(&rival.txid, now())?;
        }
        for (name, script) in book.payees(payout.id)? {
            let pays = |rival: &&Rival| rival.paid.iter().any(|output| output.script == script);
            let Some(rival) = rivals.iter().find(pays) else { continue };
            let words = format!("transaction {} may have paid it in place of {txid}", rival.txid);
            book.hold(&name, Some(&words), now())?;
            report.push_str(&format!("\n{name} is set aside: {words}"));
        }
        if !book.void(&payout, "the operator said so", now())? {
            return no(format!("payout {txid} is not signed or sent any more"));
        }
        self.lock(&payout, false);
        Ok(report)
    }

    /// A payout that is signed or sent, and its transaction.
    pub(super) fn open_payout(
        &self,
        book: &Book,
        txid: &Hash,
    ) -> Result<(Payout, Transaction), Trouble> {
        let open = book.payouts(&PayoutState::OPEN)?;
        let payout = open
            .into_iter()
            .find(|payout| payout.txid == *txid)
            .ok_or_else(|| Trouble::Words(format!("no payout {txid} is signed or sent")))?;
        let read = parsed(&payout).ok_or_else(|| {
            let id = self.id();
            Trouble::Words(format!("payout {txid} cannot be read: see `romp audit {id}`"))
        })?;
        Ok((payout, read))
    }

    /// Why a payout may still happen, in words; `None`: it never can, since its money is gone in the
    /// chain of every daemon, six blocks deep.
    pub(super) fn may_happen(
        &self,
        book: &mut Book,
        payout: &Payout,
        read: &Transaction,
    ) -> Result<Option<String>, Trouble> {
        let txid = payout.txid;
        let chain = self.chain(book)?;
        if chain.daemons.len() < self.pool.daemons.len() {
            let words = "not every daemon answers and has the whole chain: try again then";
            return Ok(Some(words.to_owned()));
        }
        self.check_wallet(book)?;
        if self.is_in_chain(read, &chain)? {
            return Ok(Some(format!("payout {txid} is in the chain")));
        }
        if !self.is_gone(read, &chain)? {
            return Ok(Some(format!(
                "payout {txid} can still happen: its money is there, or the wallet does not know \
                 where it came from. Will the daemon never take it, spend one of its inputs to the \
                 pool's own address by hand{}, and repeat this when that is {DEEP} blocks deep",
                read.inputs.first().map_or_else(String::new, |(id, n)| {
                    format!(" ({id}, `vout` {n}; `lockunspent true` lets it go)")
                })
            )));
        }
        // A reorganisation may bring the money back, and other nodes may have the payout.
        let known = wallet::transaction(&self.wallet, &txid)?;
        let (since, tip) = Self::gone_since(book, payout, &chain, false)?;
        let sure_at = since.saturating_add(DEEP.unsigned_abs());
        let is_early = tip < sure_at && known.is_none_or(|known| known.confirmations > -DEEP);
        Ok(is_early.then(|| {
            format!(
                "the money of payout {txid} was spent only now: repeat this at height {sure_at}"
            )
        }))
    }
}
