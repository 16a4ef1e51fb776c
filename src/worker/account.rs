//! How many connections mine for one account, over all workers: counted when a name is authorised.

use super::miner::Miner;
use crate::config::Limits;
use crate::ipc::board::Board;
use crate::stratum::{Cause, address_part};

/// What a name's verdict needs of the worker to count the account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accounts<'a> {
    pub(super) board: &'a Board,
    pub(super) slot: usize,
}

impl Accounts<'_> {
    /// Counts a connection for the account of a name, once, if the account may have one more; else
    /// says why not, for the miner to read. Whoever is exempt from limits of connections is neither
    /// counted nor limited. Counted also without a limit, so that one that comes with a reload
    /// knows who is here.
    pub(super) fn enter(
        self,
        miner: &mut Miner,
        coin: &str,
        name: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let crowd = &self.board.crowd;
        let account = crowd.key(&(coin, address_part(name)));
        if miner.accounts.contains(&account) || limits.is_exempt(&miner.address) {
            return Ok(());
        }
        let most = limits.per_account;
        if most > 0 && crowd.account(account) >= most {
            if let Some(row) = self.board.row(self.slot) {
                row.count(Cause::TooManyOfAccount);
            }
            return Err(format!(
                "{most} connections mine for {} already; ask the pool to raise the limit",
                address_part(name)
            ));
        }
        crowd.enter_account(self.slot, account);
        miner.accounts.push(account);
        Ok(())
    }

    /// The same for a miner who was let in elsewhere: it is counted, whatever the limit.
    pub(super) fn enter_again(self, miner: &mut Miner, coin: &str, limits: &Limits) {
        miner.accounts.clear();
        if limits.is_exempt(&miner.address) {
            return;
        }
        for name in miner.session.workers() {
            let account = self.board.crowd.key(&(coin, address_part(name)));
            if !miner.accounts.contains(&account) {
                self.board.crowd.enter_account(self.slot, account);
                miner.accounts.push(account);
            }
        }
    }
}
