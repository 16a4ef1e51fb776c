//! What a signed transaction costs, from the values of what it spends.

use super::coin::{Coin, Trouble};
use crate::chain::transaction::Transaction;
use crate::daemon::spend::{self, Outpoint};
use crate::daemon::wallet;
use crate::rewards::Amount;

impl Coin {
    /// Refuses a transaction that costs another fee than the wallet says. One whose inputs the
    /// daemon and its wallet do not tell the values of passes.
    pub(super) fn check_fee(&self, read: &Transaction, said: Amount) -> Result<(), Trouble> {
        let mut inputs = 0_u64;
        for input in &read.inputs {
            let Some(value) = self.value_of(input)? else { return Ok(()) };
            inputs = inputs.saturating_add(value.0);
        }
        let outputs = read.outputs.iter().fold(0_u64, |sum, one| sum.saturating_add(one.value.0));
        if inputs.checked_sub(outputs) == Some(said.0) {
            return Ok(());
        }
        Err(Trouble::Words(format!(
            "the wallet says that a payout costs {said}, but it spends {} to pay {}; it was not sent",
            Amount(inputs),
            Amount(outputs)
        )))
    }

    fn value_of(&self, input: &Outpoint) -> Result<Option<Amount>, Trouble> {
        match spend::unspent(&self.wallet, input, true) {
            Ok(Some(value)) => return Ok(Some(value)),
            Ok(None) => {}
            // A daemon that lacks the call; its wallet may know.
            Err(error) if error.code().is_some() => {}
            Err(error) => return Err(error.into()),
        }
        let parent = wallet::whole(&self.wallet, &input.0)?.and_then(|(_, read)| read);
        let output = parent.as_ref().and_then(|parent| parent.outputs.get(input.1 as usize));
        Ok(output.map(|output| output.value))
    }
}
