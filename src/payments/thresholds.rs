//! From which debt on an address is paid, as the configuration says.

use super::coin::{Coin, Trouble};
use crate::ledger::book::{Book, Minimums};

impl Coin {
    /// `minimumPayment`, and what single addresses have in its place.
    pub(super) fn minimums(&self, book: &mut Book) -> Result<Minimums, Trouble> {
        let mut minimums = Minimums::from(self.payments.minimum);
        if self.payments.minimums.is_empty() && self.payments.fee_account.is_none() {
            return Ok(minimums);
        }
        let chain = self.chain(book)?;
        let (client, _) = chain.first()?;
        for (address, &minimum) in &self.payments.minimums {
            let mut known = self.owners.borrow_mut();
            let account = known.of(address, &chain.rules, chain.network, client)?;
            // What nothing can be paid to is never due.
            minimums.by_script.insert(account.script, minimum);
        }
        if let Some(fee) = &self.payments.fee_account
            && let Some(account) = self.fee(&chain)?.account
        {
            minimums.by_script.insert(account.script, fee.threshold);
        }
        Ok(minimums)
    }
}
