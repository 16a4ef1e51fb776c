//! What miners earn, and who pays them: settings of a pool as the program uses them.

use super::Daemon;
use crate::config::Secret;
use crate::rewards::Amount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A fee recipient as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardRecipient {
    /// Address, or 40 hex digits (HASH160, NOMP's mining key).
    pub destination: String,
    /// Parts per million of the reward.
    pub ppm: u32,
}

/// How shares earn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RewardScheme {
    /// A block's reward is split over the work since the block before.
    #[default]
    Prop,
    /// Over the last work before it.
    Pplns {
        /// `pplnsWindow` (default 2): how much work, in multiples of the network difficulty.
        window: f64,
    },
    /// It is the finder's.
    Solo,
}

impl RewardScheme {
    /// As the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prop => "prop",
            Self::Pplns { .. } => "pplns",
            Self::Solo => "solo",
        }
    }
}

/// How miners are paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payments {
    /// `daemon`, else the pool's first: its wallet has to own the pool's `address`.
    pub wallet: Daemon,
    /// `paymentInterval` (default 600 s): from the end of one round of payouts to the next.
    pub interval: Duration,
    /// `minimumPayment` (default 0.01 coins): who is owed less waits.
    pub minimum: Amount,
    /// `minimumReserve` (default 0): stays in the wallet.
    pub reserve: Amount,
    /// `feePercent`, parts per million of each reward; 0 where the coinbase pays the fee.
    pub fee_ppm: u32,
    /// Whom the fee is credited to; `None`: it stays in the wallet.
    pub fee_account: Option<FeeAccount>,
    /// `minimumPayments`: addresses that have a minimum of their own.
    pub minimums: BTreeMap<String, Amount>,
}

/// The account that the pool's fee is credited to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeAccount {
    /// `feeReceiveAddress`.
    pub address: String,
    /// `feeWithdrawalThreshold` (default `minimumPayment`): it is paid when it is owed that much.
    pub threshold: Amount,
}

/// An MPOS database that shares are written to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mpos {
    /// Host name, address, or path of a Unix socket (begins with `/`).
    pub host: String,
    /// Port, 3306 by default.
    pub port: u16,
    /// Database user.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Name of the database.
    pub database: String,
    /// Whom it lets in.
    pub auth: MposAuth,
    /// `autoCreateWorker`: unknown workers of known accounts are entered.
    pub auto_create: bool,
    /// `mposDiffMultiplier` of the coin file: factor for the difficulties of shares.
    pub multiplier: f64,
}

/// Which miners an MPOS database lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MposAuth {
    /// Everybody; it is not asked.
    None,
    /// Those whose name is in `pool_worker`.
    Worker,
    /// Those whose name and password are.
    Password,
}
