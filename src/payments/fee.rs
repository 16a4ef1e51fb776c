//! The pool's fee: what is taken off a reward, and the account that it is credited to.

use super::coin::{Chain, Coin, Trouble};
use crate::chain::address;
use crate::daemon::plan;
use crate::ledger::book::{Account, Fee};

impl Coin {
    /// The fee of rewards that are credited now.
    pub(super) fn fee(&self, chain: &Chain<'_>) -> Result<Fee, Trouble> {
        let ppm = self.payments.fee_ppm;
        let Some(fee) = &self.payments.fee_account else { return Ok(Fee::kept(ppm)) };
        let (client, info) = chain.first()?;
        let script = plan::fee_script(client, &self.pool, info, chain.network, &fee.address)?;
        // Named as a miner's account is: it may be one.
        let name = address::encode(&script, &chain.rules).unwrap_or_else(|| fee.address.clone());
        Ok(Fee { ppm, account: Some(Account { name, script }) })
    }
}
