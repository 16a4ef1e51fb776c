//! The pool's fee: kept in the wallet, or credited to an account that is paid like any other.

use super::{Account, account, number};
use crate::rewards::Amount;
use rusqlite::{Connection, params};

/// What the pool takes off each reward.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fee {
    /// Parts per million.
    pub ppm: u32,
    /// Whom it is credited to; `None`: it stays in the wallet.
    pub account: Option<Account>,
}

impl Fee {
    /// A fee that stays in the wallet.
    #[must_use]
    pub const fn kept(ppm: u32) -> Self {
        Self { ppm, account: None }
    }
}

/// Credits the fee of a block. The account may be a miner's, too.
pub(super) fn credit(
    change: &Connection,
    block: &str,
    owner: &Account,
    fee: Amount,
    now: u64,
) -> rusqlite::Result<()> {
    let id = account(change, owner, now)?;
    change.execute("UPDATE block SET fee_account = ?2 WHERE hash = ?1", params![block, id])?;
    earn(change, id, fee, now)
}

/// Adds to what an account is owed.
pub(super) fn earn(
    change: &Connection,
    account: i64,
    amount: Amount,
    now: u64,
) -> rusqlite::Result<()> {
    let sql = "UPDATE account SET balance = balance + ?2,
        since = CASE balance WHEN 0 THEN ?3 ELSE since END WHERE id = ?1";
    change.execute(sql, params![account, number(amount.0)?, number(now)?]).map(drop)
}
