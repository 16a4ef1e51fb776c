//! Payouts: built and signed first, then in the book, then sent, as often as needed. The same bytes
//! cannot pay twice.

use super::coin::{Coin, FIRST_BLOCK, Trouble, first_block, now};
use super::sendmany::lacks_raw_transactions;
use crate::chain::transaction::{Output, Transaction, is_payable, unfunded};
use crate::daemon::wallet::{self, Verdict};
use crate::daemon::{self, CallError, Fault, chain_info, plan};
use crate::ledger::book::{Book, Due, NewPayout, Payout, PayoutState};
use crate::rewards::Amount;
use crate::sys::failpoint::{point, point_if};

/// Confirmations after which a payout counts as paid.
pub(super) const DEEP: i64 = 6;
/// A confirmed payout is watched until it is so deep.
const WATCHED: u64 = 100;
/// A foreign transaction that spends a payout's money makes it void when it is so deep.
pub(super) const CONFLICT: i64 = -100;
/// Most outputs of a transaction: some 8 kB, far below what nodes relay.
const OUTPUTS: usize = 200;
/// What `testmempoolaccept` says when it is an output's script that is wrong.
const SCRIPTS_FAULT: &str = "scriptpubkey";
/// And when an output is too small to be relayed.
const DUST: &str = "dust";
/// What a wallet says of such an output before it has made a transaction.
pub(super) const TOO_SMALL: &str = "too small";
/// A fee up to that many units is never too high; above it, up to a twentieth of what is paid.
pub(super) const SMALL_FEE: u64 = 1_000_000;

impl Coin {
    /// Looks at all payouts that are not settled for good: sends again what the chain does not have.
    pub(super) fn watch(&self, book: &mut Book) -> Result<(), Trouble> {
        self.look_for(book)?;
        let open = book.payouts(&PayoutState::OPEN)?;
        for payout in open.into_iter().chain(book.shallow(WATCHED)?) {
            self.look_at(book, &payout)?;
        }
        Ok(())
    }

    fn look_at(&self, book: &mut Book, payout: &Payout) -> Result<(), Trouble> {
        let known = wallet::transaction(&self.wallet, &payout.txid)?;
        let confirmations = known.as_ref().map_or(0, |known| known.confirmations);
        let depth = u64::try_from(confirmations).unwrap_or(0);
        let (state, words) = match (confirmations, &known) {
            (DEEP.., _) => (PayoutState::Confirmed, String::new()),
            (1.., _) => (PayoutState::Sent, String::new()),
            (..=-1, Some(known)) => match self.displaced(book, payout, known)? {
                Some(found) => found,
                None => return Ok(()),
            },
            // Not in the chain: the same bytes again.
            (..=0, _) => {
                point("payments.sending-again");
                if payout.state == PayoutState::Signed {
                    self.lock(payout, true);
                }
                match self.send(payout)? {
                    (state, words) if !words.is_empty() => {
                        self.judge(book, payout, state, words)?
                    }
                    sent => sent,
                }
            }
        };
        let deep = state == PayoutState::Confirmed && payout.state != state;
        point_if(deep, "payments.confirming");
        if state == PayoutState::Void {
            if !book.void(payout, &words, now())? {
                return Ok(());
            }
        } else {
            book.settle(payout.id, state, depth, &words, now())?;
        }
        point_if(deep, "payments.confirmed");
        if words.is_empty() || state == PayoutState::Void {
            Self::forget_gone(book, payout)?;
        }
        if state == PayoutState::Void {
            log::error!(
                "{}: payout {} can never happen: something else spent its money. Its amounts are \
                 owed again",
                self.id(),
                payout.txid
            );
            self.lock(payout, false);
        }
        Ok(())
    }

    fn send(&self, payout: &Payout) -> Result<(PayoutState, String), Trouble> {
        match wallet::send(&self.wallet, &payout.hex) {
            Ok(txid) if txid != payout.txid => Err(Trouble::Words(format!(
                "the daemon calls payout {} {txid}; it cannot be followed",
                payout.txid
            ))),
            Ok(_) => Ok((PayoutState::Sent, String::new())),
            // Already in the chain (Bitcoin Core's RPC_VERIFY_ALREADY_IN_CHAIN).
            Err(error) if error.code() == Some(-27) => Ok((PayoutState::Sent, String::new())),
            // A wallet without raw transactions sends again what it has, by itself.
            Err(error) if error.is_unknown_method() && payout.state != PayoutState::Signed => {
                Ok((PayoutState::Sent, String::new()))
            }
            Err(CallError { fault: Fault::Rpc { code, message }, .. }) if code != -28 => {
                let words = format!("the daemon does not take it ({code}: {message})");
                let state = match payout.state {
                    PayoutState::Confirmed => PayoutState::Sent,
                    state => state,
                };
                Ok((state, words))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Pays who is due, as far as the wallet's money goes, the oldest debts first.
    pub(super) fn pay(&self, book: &mut Book) -> Result<(), Trouble> {
        self.claim(book)?;
        Self::check_intents(book)?;
        let stuck = book.payouts(&[PayoutState::Signed])?;
        if let Some(payout) = stuck.first() {
            return Err(Trouble::Words(format!(
                "payout {} was not taken yet ({}); it is sent again, and no other is made before",
                payout.txid, payout.words
            )));
        }
        let minimums = self.minimums(book)?;
        let due = book.due(minimums)?;
        if due.is_empty() {
            return Ok(());
        }
        let audit = book.audit(false)?;
        if let Some(wrong) = audit.wrong.first() {
            return Err(Trouble::Words(format!(
                "nothing is paid from a book that does not balance: {wrong}; see `romp audit {}`",
                self.id()
            )));
        }
        self.check_wallet(book)?;
        self.check_history(book)?;
        let spendable = wallet::spendable(&self.wallet)?;
        let transactions = due.len().div_ceil(OUTPUTS) as u64;
        let kept = self.payments.reserve.0.saturating_add(SMALL_FEE.saturating_mul(transactions));
        let mut left = spendable.0.saturating_sub(kept);
        let mut covered = Vec::new();
        let mut missing = 0_u64;
        for one in due {
            match left.checked_sub(one.balance.0) {
                Some(rest) if missing == 0 => {
                    left = rest;
                    covered.push(one);
                }
                // A debt that is larger than what is there is paid in part, so that it holds up
                // nobody for ever.
                None if missing == 0 && left >= self.payments.minimum.0 => {
                    missing = one.balance.0 - left;
                    covered.push(Due { balance: Amount(left), ..one });
                }
                _ => missing = missing.saturating_add(one.balance.0),
            }
        }
        for chunk in covered.chunks(OUTPUTS) {
            point("payments.due");
            self.pay_these(book, chunk)?;
        }
        if missing > 0 {
            return Err(Trouble::Words(format!(
                "the wallet can spend {spendable}{}: {} more are owed and wait, the oldest debts \
                 were paid first",
                match self.payments.reserve.0 {
                    0 => String::new(),
                    _ => format!(", of which {} stay in it", self.payments.reserve),
                },
                Amount(missing)
            )));
        }
        Ok(())
    }

    /// Whether the wallet is the pool's, and sees the book's chain to its end.
    pub(super) fn check_wallet(&self, book: &mut Book) -> Result<(), Trouble> {
        let info = chain_info(&self.wallet, self.pool.coin.has_get_info)?;
        let chain = self.chain(book)?;
        let behind = chain.daemons.iter().all(|(_, other)| other.blocks > info.blocks + 1);
        let place = self.wallet.address();
        if info.initial_download || info.headers > info.blocks || behind {
            let words = format!("the wallet's daemon {place} is not at the end of the chain yet");
            return Err(Trouble::Words(words));
        }
        if Some(first_block(&self.wallet)?) != book.noted(FIRST_BLOCK)? {
            let words = format!("the wallet's daemon {place} is on another chain than the book");
            return Err(Trouble::Words(words));
        }
        if daemon::owns(&self.wallet, &self.pool.address)? == Some(false) {
            return Err(Trouble::Words(format!(
                "the wallet at {place} does not own the pool's address {}: is another one loaded?",
                self.pool.address
            )));
        }
        Ok(())
    }

    /// Pays these. Where the daemon would not take the transaction for one of them, that one is
    /// found by halves and set aside, and the others are paid.
    fn pay_these(&self, book: &mut Book, due: &[Due]) -> Result<(), Trouble> {
        let outputs: Vec<Output> = due
            .iter()
            .map(|one| Output { value: one.balance, script: one.script.clone() })
            .collect();
        if self.is_staked(book)? {
            // Its transactions have a time, which what romp makes has not.
            return self.send_many(book, due);
        }
        let new = match self.signed(book, &outputs) {
            Err(Trouble::Call(error)) if lacks_raw_transactions(&error) => {
                return self.send_many(book, due);
            }
            Err(Trouble::Call(CallError { fault: Fault::Rpc { code: -4, message }, .. }))
                if message.contains(TOO_SMALL) =>
            {
                return self.pay_by_halves(book, due, &message);
            }
            new => new?,
        };
        match wallet::verdict(&self.wallet, &new.bytes)? {
            Verdict::Good => {}
            Verdict::Refused(reason) if reason.contains(DUST) => {
                return self.pay_by_halves(book, due, &reason);
            }
            // Not when it is the change, which all of them have.
            Verdict::Refused(reason)
                if reason.contains(SCRIPTS_FAULT) && is_payable(&self.change(book)?) =>
            {
                return self.pay_by_halves(book, due, &reason);
            }
            Verdict::Refused(reason) => {
                return Err(Trouble::Words(format!(
                    "the daemon would not take a payout ({reason}); nothing was sent"
                )));
            }
            // What it does not take would be in the book, and stop the coin.
            Verdict::Untold => {
                let good = self.understood(book, due)?;
                match good.len() {
                    0 => return Ok(()),
                    count if count < due.len() => return self.pay_these(book, &good),
                    _ => {}
                }
            }
        }
        let owed = due.iter().map(|one| (one.account, one.script.clone(), one.balance)).collect();
        let new = NewPayout { outputs: owed, ..new };
        self.note_tip(book, &new.txid)?;
        point("payments.claiming");
        self.claim(book)?;
        point("payments.booking");
        book.sign(&new, now())?;
        point("payments.booked");
        let signed = book.payouts(&[PayoutState::Signed])?;
        for payout in signed.iter().filter(|payout| payout.txid == new.txid) {
            self.lock(payout, true);
            let (state, words) = self.send(payout)?;
            point("payments.sent");
            book.settle(payout.id, state, 0, &words, now())?;
            point("payments.settled");
            if state == PayoutState::Signed {
                return Err(Trouble::Words(format!("payout {}: {words}", payout.txid)));
            }
            log::info!("{}: payout {} to {} addresses", self.id(), payout.txid, due.len());
        }
        Ok(())
    }

    /// Pays these in two transactions, or sets the only one aside: one of them is refused.
    fn pay_by_halves(&self, book: &mut Book, due: &[Due], reason: &str) -> Result<(), Trouble> {
        if let [one] = due {
            return self.set_aside(book, one, reason);
        }
        let (first, second) = due.split_at(due.len() / 2);
        self.pay_these(book, first)?;
        self.pay_these(book, second)
    }

    /// Whether the coin is a proof-of-stake coin.
    fn is_staked(&self, book: &mut Book) -> Result<bool, Trouble> {
        let chain = self.chain(book)?;
        let (client, info) = chain.first()?;
        Ok(plan::proof_of_stake(client, &self.pool, info)?)
    }

    /// The script of the pool's address, which change goes to.
    fn change(&self, book: &mut Book) -> Result<Vec<u8>, Trouble> {
        let chain = self.chain(book)?;
        let (client, info) = chain.first()?;
        Ok(plan::pool_script(client, &self.pool, info, chain.network)?)
    }

    /// A transaction of the wallet that pays just these outputs, and the rest back to the pool.
    fn signed(&self, book: &mut Book, outputs: &[Output]) -> Result<NewPayout, Trouble> {
        let change = self.change(book)?;
        let funded =
            wallet::fund(&self.wallet, &unfunded(outputs), &self.pool.address, outputs.len())?;
        point("payments.funded");
        let total = outputs.iter().fold(0_u64, |sum, output| sum.saturating_add(output.value.0));
        if funded.fee.0 > SMALL_FEE.max(total / 20) {
            return Err(Trouble::Words(format!(
                "the wallet wants a fee of {} for paying {}: that is too much. Set `paytxfee` or \
                 `maxtxfee` of the daemon, or raise `minimumPayment`",
                funded.fee,
                Amount(total)
            )));
        }
        let bytes = wallet::sign(&self.wallet, &funded.bytes).map_err(unlock)?;
        point("payments.signed");
        let id = self.pool.coin.transaction_id();
        let asked = Transaction::parse(&funded.bytes);
        let read = Transaction::parse_as(&bytes, id)
            .filter(|read| pays(read, outputs, &change))
            .filter(|read| asked.is_some_and(|asked| asked.inputs == read.inputs))
            .ok_or_else(|| {
                Trouble::Words(
                    "the wallet's transaction does not pay what it was asked to pay; it was not \
                     sent"
                        .to_owned(),
                )
            })?;
        self.check_fee(&read, funded.fee)?;
        Ok(NewPayout { txid: read.txid, bytes, fee: funded.fee, outputs: Vec::new() })
    }
}

/// Whether a transaction pays these outputs first, and nobody else but the pool.
fn pays(read: &Transaction, outputs: &[Output], change: &[u8]) -> bool {
    read.outputs.split_at_checked(outputs.len()).is_some_and(|(first, rest)| {
        first == outputs && rest.len() <= 1 && rest.iter().all(|output| output.script == change)
    })
}

pub(super) fn unlock(error: CallError) -> Trouble {
    match error.code() {
        Some(-13) => Trouble::Words(format!(
            "the wallet at {} is locked: unlock it for longer than payouts take, with \
             `walletpassphrase`, or keep it unlocked",
            error.daemon
        )),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Hash;

    #[test]
    fn a_transaction_that_pays_anybody_else_is_refused() {
        let output = |value, script: u8| Output { value: Amount(value), script: vec![script] };
        let read = |outputs: &[Output]| Transaction {
            txid: Hash([0; 32]),
            inputs: Vec::new(),
            outputs: outputs.to_vec(),
        };
        let wanted = [output(5, 1), output(6, 2)];
        let sound = |outputs: &[Output]| pays(&read(outputs), &wanted, &[9]);
        assert!(sound(&[output(5, 1), output(6, 2)]));
        assert!(sound(&[output(5, 1), output(6, 2), output(100, 9)]));
        assert!(!sound(&[output(5, 1), output(6, 2), output(100, 8)]));
        assert!(!sound(&[output(5, 1), output(6, 2), output(1, 9), output(1, 9)]));
        assert!(!sound(&[output(6, 2), output(5, 1)]));
        assert!(!sound(&[output(5, 1), output(7, 2)]));
        assert!(!sound(&[output(5, 1)]));
    }
}
