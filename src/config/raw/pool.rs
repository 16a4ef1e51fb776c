//! `pool_configs/*.json` as written, and `defaultPoolConfigs`.

use super::parts::{RawDaemon, RawPortTls, RawRedis, RawSecret};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A pool: `pool_configs/*.json`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawPool {
    /// For editors: where the JSON Schema of this file is.
    #[serde(rename = "$schema")]
    pub(in crate::config) schema: Option<String>,
    /// Open this pool.
    pub(in crate::config) enabled: Option<bool>,
    /// Do not open this pool (early NOMP).
    pub(in crate::config) disabled: Option<bool>,
    /// File in coins/.
    pub(in crate::config) coin: Option<String>,
    /// Address that block rewards go to.
    pub(in crate::config) address: Option<String>,
    /// Percent of the block reward by address (or 40 hex digits of a public-key hash).
    pub(in crate::config) reward_recipients: Option<BTreeMap<String, f64>>,
    /// Payments to miners.
    pub(in crate::config) payment_processing: Option<RawPayments>,
    /// What a block's reward is split over: "prop" (default), "pplns" or "solo".
    pub(in crate::config) reward_scheme: Option<String>,
    /// "pplns": how much work counts, in multiples of the network difficulty; default 2.
    pub(in crate::config) pplns_window: Option<f64>,
    /// Stratum ports by number.
    pub(in crate::config) ports: Option<BTreeMap<String, RawPort>>,
    /// Coin daemons in order of preference.
    pub(in crate::config) daemons: Option<Vec<RawDaemon>>,
    /// Connection to a daemon as a peer.
    pub(in crate::config) p2p: Option<RawP2p>,
    /// Shares to an MPOS database.
    pub(in crate::config) mpos_mode: Option<RawMpos>,
    /// Milliseconds between polls for new blocks; default 1000; 0 or less: no polling.
    pub(in crate::config) block_refresh_interval: Option<f64>,
    /// Seconds until new transactions make a new job; default 55.
    pub(in crate::config) job_rebroadcast_timeout: Option<f64>,
    /// Milliseconds until new transactions make a new job (early NOMP).
    pub(in crate::config) tx_refresh_interval: Option<f64>,
    /// Seconds without a share until a miner is disconnected; default 600.
    pub(in crate::config) connection_timeout: Option<f64>,
    /// Seconds without a fresh daemon until miners get no more work; default 120.
    pub(in crate::config) stale_work_timeout: Option<f64>,
    /// Deadline of one call to a daemon, seconds; default 5.
    pub(in crate::config) daemon_timeout: Option<f64>,
    /// Let getblocktemplate wait for the next block (BIP 22) where the daemon can; default true.
    pub(in crate::config) long_poll: Option<bool>,
    /// Tell hashes of shares that are no blocks (NOMP's programs read them).
    pub(in crate::config) emit_invalid_block_hashes: Option<bool>,
    /// Miners' names must be addresses of the coin; default true.
    pub(in crate::config) validate_worker_username: Option<bool>,
    /// Connections of `trustedProxies` begin with HAProxy's PROXY header.
    pub(in crate::config) tcp_proxy_protocol: Option<bool>,
    /// Temporary bans for bad shares.
    pub(in crate::config) banning: Option<RawBanning>,
    /// Redis server of this pool's ledger.
    pub(in crate::config) redis: Option<RawRedis>,
    /// NOMP's number for extranonces; ours is in config.json.
    pub(in crate::config) instance_id: Option<u64>,
    /// For programs that embed NOMP.
    pub(in crate::config) api: Option<serde_json::Value>,
    /// Where shares go (early NOMP).
    pub(in crate::config) share_processing: Option<RawShareProcessing>,
    /// Bytes of extranonce2, 4 to 8; default 4.
    #[serde(rename = "extranonce2Size")]
    pub(in crate::config) extranonce2_size: Option<u8>,
    /// Version bits that miners may roll, 8 hex digits; default 1fffe000; 0: none.
    pub(in crate::config) version_mask: Option<String>,
    /// Text in the coinbase, up to 20 ASCII characters; default /romp/.
    pub(in crate::config) pool_tag: Option<String>,
    /// Examine the daemons before the ports open; default true.
    pub(in crate::config) doctor: Option<bool>,
}

/// Payments to miners.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawPayments {
    /// Pay.
    pub(in crate::config) enabled: Option<bool>,
    /// Seconds between payments.
    pub(in crate::config) payment_interval: Option<f64>,
    /// Coins a miner must have earned before a payment.
    pub(in crate::config) minimum_payment: Option<f64>,
    /// Coins that stay in the wallet.
    pub(in crate::config) minimum_reserve: Option<f64>,
    /// Coins that single addresses must have earned before a payment, in place of minimumPayment.
    pub(in crate::config) minimum_payments: Option<BTreeMap<String, f64>>,
    /// The pool's fee as a fraction: 0.02 is 2 %.
    pub(in crate::config) fee_percent: Option<f64>,
    /// Address that the fee is paid to; without it the fee stays in the wallet.
    pub(in crate::config) fee_receive_address: Option<String>,
    /// Coins of fees that make a payment to feeReceiveAddress; default minimumPayment.
    pub(in crate::config) fee_withdrawal_threshold: Option<f64>,
    /// Daemon whose wallet owns the pool's address.
    pub(in crate::config) daemon: Option<RawDaemon>,
}

/// A stratum port.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawPort {
    /// Start difficulty; default 8.
    pub(in crate::config) diff: Option<f64>,
    /// Difficulty that follows each miner's hash rate.
    pub(in crate::config) var_diff: Option<RawVarDiff>,
    /// true: TLS to miners who begin with it, beside the others; "only": TLS alone; default false.
    pub(in crate::config) tls: Option<RawPortTls>,
    /// "solo": a block found here is its finder's; default: the pool's `rewardScheme`.
    pub(in crate::config) reward_scheme: Option<String>,
}

/// Difficulty that follows each miner's hash rate.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawVarDiff {
    /// Lowest difficulty.
    pub(in crate::config) min_diff: Option<f64>,
    /// Highest difficulty.
    pub(in crate::config) max_diff: Option<f64>,
    /// Seconds per share aimed at.
    pub(in crate::config) target_time: Option<f64>,
    /// Seconds between checks.
    pub(in crate::config) retarget_time: Option<f64>,
    /// Tolerance around the target time, percent.
    pub(in crate::config) variance_percent: Option<f64>,
    /// Only double or halve; default false.
    #[serde(rename = "x2mode")]
    pub(in crate::config) x2_mode: Option<bool>,
}

/// Temporary bans.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawBanning {
    /// Ban; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// Seconds a ban lasts; default 600.
    pub(in crate::config) time: Option<f64>,
    /// Percent of bad shares that bans; default 50.
    pub(in crate::config) invalid_percent: Option<f64>,
    /// Shares between checks; default 500.
    pub(in crate::config) check_threshold: Option<u32>,
    /// Seconds that the longest ban of a repeater lasts; default 86400.
    pub(in crate::config) max_time: Option<f64>,
    /// Bad shares and lines within ten seconds that ban; default 50; 0: no such ban.
    pub(in crate::config) burst: Option<u32>,
    /// Seconds between removals of old bans; default 300.
    pub(in crate::config) purge_interval: Option<f64>,
}

/// Connection to a daemon as a peer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawP2p {
    /// Connect.
    pub(in crate::config) enabled: Option<bool>,
    /// Host name or address; default that of the first daemon.
    pub(in crate::config) host: Option<String>,
    /// Peer port (not the RPC port).
    pub(in crate::config) port: Option<u16>,
    /// Do not ask for transactions; default true.
    pub(in crate::config) disable_transactions: Option<bool>,
    /// Message start, hex; default that of the coin file.
    pub(in crate::config) magic: Option<String>,
    /// Protocol version told to the daemon; default what it says over RPC.
    pub(in crate::config) protocol_version: Option<u32>,
}

/// Shares to an MPOS database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawMpos {
    /// Write shares there.
    pub(in crate::config) enabled: Option<bool>,
    /// MySQL host.
    pub(in crate::config) host: Option<String>,
    /// MySQL port.
    pub(in crate::config) port: Option<u16>,
    /// MySQL user.
    pub(in crate::config) user: Option<String>,
    /// MySQL password.
    pub(in crate::config) password: Option<RawSecret>,
    /// MySQL database.
    pub(in crate::config) database: Option<String>,
    /// Check the worker's password, too.
    pub(in crate::config) check_password: Option<bool>,
    /// Make workers that are not known yet.
    pub(in crate::config) auto_create_worker: Option<bool>,
    /// "password", "worker" or "none" (early NOMP).
    pub(in crate::config) stratum_auth: Option<String>,
}

/// Where shares go (early NOMP).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawShareProcessing {
    /// To this pool's own ledger.
    pub(in crate::config) internal: Option<RawInternal>,
    /// To an MPOS database.
    pub(in crate::config) mpos: Option<RawMpos>,
}

/// The pool's own share processing (early NOMP).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawInternal {
    /// Use it.
    pub(in crate::config) enabled: Option<bool>,
    /// Miners' names must be addresses of the coin.
    pub(in crate::config) validate_worker_address: Option<bool>,
    /// Seconds between payments.
    pub(in crate::config) payment_interval: Option<f64>,
    /// Coins a miner must have earned before a payment.
    pub(in crate::config) minimum_payment: Option<f64>,
    /// Coins that stay in the wallet.
    pub(in crate::config) minimum_reserve: Option<f64>,
    /// The pool's fee as a fraction: 0.02 is 2 %.
    pub(in crate::config) fee_percent: Option<f64>,
    /// Address that the fee goes to.
    pub(in crate::config) fee_receive_address: Option<String>,
    /// Coins of fees that make a payment to feeReceiveAddress; without it the coinbase pays the fee.
    pub(in crate::config) fee_withdrawal_threshold: Option<f64>,
    /// Wallet account that collects fees.
    pub(in crate::config) fee_collect_account: Option<String>,
    /// Daemon whose wallet owns the pool's address.
    pub(in crate::config) daemon: Option<RawDaemon>,
    /// Redis server of this pool's ledger.
    pub(in crate::config) redis: Option<RawRedis>,
}
