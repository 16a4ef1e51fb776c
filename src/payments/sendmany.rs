//! Payouts through a wallet without raw transactions, which makes, signs and sends in one call.
//!
//! Such a call cannot be repeated: the same bytes twice are one payment, two calls are two. So what
//! is to be paid is in the book first, under a mark that the wallet keeps with the transaction. After
//! silence the wallet is asked for that mark; where it does not know it, an operator decides.

use super::coin::{Coin, Trouble, now};
use super::pay::{SMALL_FEE, TOO_SMALL, unlock};
use super::stuck::tip;
use crate::chain::Hash;
use crate::chain::transaction::{Output, is_late};
use crate::daemon::{CallError, Entry, Fault, chain_info, script_of, sendmany, since, wallet};
use crate::ledger::book::{Book, Due, Intent, Made, REFUSED};
use crate::rewards::Amount;

/// Whether a wallet's refusal means that it knows no raw transactions, or that the coin's have
/// another form than Bitcoin's (-22: what it was given cannot be read).
pub(super) fn lacks_raw_transactions(error: &CallError) -> bool {
    let unfit = error.is_unknown_method() || error.code() == Some(-22);
    unfit && error.method == "fundrawtransaction"
}

impl Coin {
    /// No payout is made while it is not known what became of one.
    pub(super) fn check_intents(book: &Book) -> Result<(), Trouble> {
        match book.open_intent()? {
            Some(Intent { mark, words, .. }) => Err(Trouble::Words(format!(
                "payout {mark} ({words}); no other is made before that is known"
            ))),
            None => Ok(()),
        }
    }

    /// Pays these. Addresses that the wallet refuses are found by halves and set aside.
    pub(super) fn send_many(&self, book: &mut Book, due: &[Due]) -> Result<(), Trouble> {
        let due = self.understood(book, due)?;
        if due.is_empty() {
            return Ok(());
        }
        let tip = chain_info(&self.wallet, self.pool.coin.has_get_info)?.best;
        let account = sendmany::account_of(&self.wallet, &self.pool.address)?;
        let payments: Vec<(&str, Amount)> =
            due.iter().map(|one| (one.name.as_str(), one.balance)).collect();
        let owed: Vec<_> =
            due.iter().map(|one| (one.account, one.script.clone(), one.balance)).collect();
        self.check_bytes(book)?;
        self.claim(book)?;
        let intent = book.intend(&owed, &tip, now())?;
        match sendmany::send_many(&self.wallet, &account, &payments, &intent.mark) {
            Ok(txid) => match self.fulfil(book, &intent, &txid)? {
                None => Ok(()),
                Some(words) => Err(Trouble::Words(format!("payout {}: {words}", intent.mark))),
            },
            Err(error) if sendmany::was_refused(&error) => {
                book.refused(intent.id, &error.to_string(), now())?;
                let reason = match &error.fault {
                    Fault::Rpc { code: -5, message } => Some(message),
                    Fault::Rpc { message, .. } => Some(message).filter(|it| it.contains(TOO_SMALL)),
                    _ => None,
                };
                match (due.as_slice(), reason) {
                    ([one], Some(reason)) => self.set_aside(book, one, reason),
                    ([_, _, ..], Some(_)) => {
                        let (first, second) = due.split_at(due.len() / 2);
                        self.send_many(book, first)?;
                        self.send_many(book, second)
                    }
                    _ => Err(unlock(error)),
                }
            }
            Err(error) => {
                let words = format!("it is not known whether it was sent: {error}");
                book.note_intent(intent.id, &words)?;
                Err(Trouble::Words(format!("payout {}: {words}", intent.mark)))
            }
        }
    }

    /// Those whose addresses mean the same script to a daemon that cannot be asked whether it would
    /// take a transaction; others are set aside, since one of them would hold up all, or be paid to a
    /// stranger.
    pub(super) fn understood(&self, book: &mut Book, due: &[Due]) -> Result<Vec<Due>, Trouble> {
        let mut understood = Vec::new();
        for one in due {
            // Nodes of its age do not relay them, whatever the wallet makes of the address.
            if is_late(&one.script) {
                self.set_aside(book, one, "the daemon is older than addresses of its kind")?;
                continue;
            }
            match script_of(&self.wallet, &one.name) {
                Ok(None) => self.set_aside(book, one, "the wallet calls it no address")?,
                Ok(Some(script)) if script != one.script => {
                    self.set_aside(book, one, "it is another script to the wallet")?;
                }
                // Old wallets do not tell the script.
                Err(CallError { fault: Fault::Garbage(_), .. }) | Ok(_) => {
                    understood.push(one.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(understood)
    }

    pub(super) fn set_aside(
        &self,
        book: &mut Book,
        one: &Due,
        reason: &str,
    ) -> Result<(), Trouble> {
        let words = format!("{REFUSED}{reason}");
        log::error!("{}: {} is set aside: {words}", self.id(), one.name);
        book.hold(&one.name, Some(&words), now())?;
        Ok(())
    }

    /// Looks for the transaction of an intent whose call was not answered, or not heard.
    pub(super) fn look_for(&self, book: &mut Book) -> Result<(), Trouble> {
        let Some(intent) = book.open_intent()? else { return Ok(()) };
        let entries = since(&self.wallet, Some(&intent.tip))?;
        let found = Entry::marked(&entries, &intent.mark);
        let words = match found.iter().collect::<Vec<_>>().as_slice() {
            [txid] => self.fulfil(book, &intent, txid)?,
            [] => Some(format!(
                "the wallet at {} knows no transaction with its mark. It is not sent again by \
                 itself: `romp payouts {} resolve {}` with `--unsent`, or with `--txid ID`",
                self.wallet.address(),
                self.id(),
                intent.mark
            )),
            _ => Some("the wallet has several transactions with its mark".to_owned()),
        };
        if let Some(words) = words {
            book.note_intent(intent.id, &words)?;
        }
        Ok(())
    }

    /// Refuses a wallet whose transactions nobody tells the bytes of: what it pays could not be told
    /// from anything else. Asked of a reward, until a payout's were read.
    fn check_bytes(&self, book: &Book) -> Result<(), Trouble> {
        if book.has_fulfilled()? {
            return Ok(());
        }
        let txid = match book.newest_reward()? {
            Some(txid) => Some(txid),
            // As after an import. A wallet without any transaction has nothing to pay with.
            None => since(&self.wallet, None)?.iter().find_map(|entry| entry.txid),
        };
        let Some(txid) = txid else { return Ok(()) };
        match wallet::whole(&self.wallet, &txid)? {
            Some((_, None)) => {
                Err(Trouble::Words(format!("{}; nothing was sent", self.untold(&txid))))
            }
            _ => Ok(()),
        }
    }

    fn untold(&self, txid: &Hash) -> String {
        format!(
            "the daemon at {} tells no bytes of transaction {txid} that can be read, neither by \
             `gettransaction` nor by `getrawtransaction`: start it with `-txindex` (the first time \
             also `-reindex`), or run a newer one",
            self.wallet.address()
        )
    }

    /// Enters the transaction that an intent became. What is in the way of that, in words.
    pub(super) fn fulfil(
        &self,
        book: &mut Book,
        intent: &Intent,
        txid: &Hash,
    ) -> Result<Option<String>, Trouble> {
        let Some((known, read)) = wallet::whole(&self.wallet, txid)? else {
            return Ok(Some(format!("the wallet does not know transaction {txid}")));
        };
        let outputs = book.outputs(intent.id)?;
        let Some(read) = read else { return Ok(Some(self.untold(txid))) };
        let Some(places) = places(&read.outputs, &outputs) else {
            let words = format!("transaction {txid} does not pay what the book says of it");
            return Ok(Some(words));
        };
        book.note_once(&tip(txid), &intent.tip.to_string())?;
        let made = Made { txid: *txid, bytes: known.bytes, fee: known.fee, places };
        if !book.fulfil(intent.id, &made, now())? {
            return Ok(Some("it was settled meanwhile".to_owned()));
        }
        log::info!("{}: payout {txid} to {} addresses", self.id(), outputs.len());
        if made.fee.0 > SMALL_FEE.max(intent.amount.0 / 20) {
            log::warn!(
                "{}: the wallet took a fee of {} for paying {}. Set `paytxfee` or `maxtxfee` \
                 of the daemon, or raise `minimumPayment`",
                self.id(),
                made.fee,
                intent.amount
            );
        }
        Ok(None)
    }
}

/// Which output of a transaction each of these is; `None`: it does not pay all of them, or more than
/// one output besides, the change.
pub(super) fn places(read: &[Output], wanted: &[Output]) -> Option<Vec<usize>> {
    (read.len() <= wanted.len() + 1).then(|| places_among(read, wanted)).flatten()
}

/// The same, whatever else it pays.
pub(super) fn places_among(read: &[Output], wanted: &[Output]) -> Option<Vec<usize>> {
    let mut free: Vec<bool> = read.iter().map(|_| true).collect();
    let mut places = Vec::new();
    for output in wanted {
        let mut all = read.iter().zip(&mut free).enumerate();
        let (place, (_, is_free)) = all.find(|(_, (one, is_free))| **is_free && *one == output)?;
        *is_free = false;
        places.push(place);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_payment_is_an_output_of_its_own() {
        let output = |value, script: u8| Output { value: Amount(value), script: vec![script] };
        let (one, two, three) = (output(5, 1), output(6, 2), output(5, 3));
        let wanted = [one.clone(), two.clone(), three.clone()];
        let places = |read: &[Output]| places(read, &wanted);
        let (change, other) = (output(100, 9), output(5, 2));
        let all = [two.clone(), change.clone(), three.clone(), one.clone()];
        assert_eq!(places(&all), Some(vec![3, 0, 2]));
        assert_eq!(places(&wanted), Some(vec![0, 1, 2]));
        assert_eq!(places(&[one.clone(), other, three.clone()]), None);
        assert_eq!(places(&[one.clone(), two.clone(), change.clone()]), None);
        let more = [change.clone(), one.clone(), change, two.clone(), three.clone()];
        assert_eq!((places(&more), places_among(&more, &wanted)), (None, Some(vec![1, 3, 4])));
        assert_eq!(places_among(&more[2..], &wanted), None);
        assert_eq!(super::places(std::slice::from_ref(&one), &[one.clone(), one.clone()]), None);
    }
}
