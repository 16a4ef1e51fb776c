//! The configuration as the program uses it: complete, checked, defaults filled in.

mod money;

use super::{Certificate, Limits, Nftables, Notifications, Secret, Website};
use crate::chain::address::Rules;
use crate::chain::{Network, PayeeField};
use crate::pow::Algorithm;
use crate::pow::ids::{Ids, TransactionId};
use crate::stratum::Unit;
pub use money::{FeeAccount, Mpos, MposAuth, Payments, RewardRecipient, RewardScheme};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The folder it was read from, absolute.
    pub dir: PathBuf,
    /// `dataDir` (default `data` in `dir`): journals, vault, embedded ledger, control socket.
    pub data_dir: PathBuf,
    /// Log settings.
    pub logging: Logging,
    /// `clustering`: how many workers.
    pub forks: Forks,
    /// Address that stratum ports bind (`stratumHost` of the server; default all addresses).
    pub bind: std::net::IpAddr,
    /// Listeners for blocknotify: `blockNotifyListener` and `cliPort`.
    pub notify: Vec<NotifyListener>,
    /// `user` to become after binding.
    pub user: Option<String>,
    /// `group` to become after binding (default: the user's).
    pub group: Option<String>,
    /// `instanceId`: which machine this is among those that share a ledger, 0..=65535.
    pub instance: u16,
    /// `fsync`: acknowledge shares only after `fdatasync` of the journal.
    pub fsync: bool,
    /// `templateFallback` (default 1 s): how long after a block notice a worker waits for the
    /// templates process before it asks a daemon itself.
    pub template_fallback: Duration,
    /// `shutdownTimeout` (default 10 s): how long a graceful stop may take.
    pub shutdown_timeout: Duration,
    /// `limits` and `trustedProxies`.
    #[serde(default)]
    pub limits: Limits,
    /// `nftables`; `None` when the kernel is told nothing.
    #[serde(default)]
    pub nftables: Option<Nftables>,
    /// `website`; `None` when it is off.
    #[serde(default)]
    pub website: Option<Website>,
    /// `tls`: the certificate for miners; there if a port speaks TLS.
    #[serde(default)]
    pub tls: Option<Certificate>,
    /// `notifications`; `None` when nobody is told anything.
    #[serde(default)]
    pub notifications: Option<Notifications>,
    /// `historicalRetention` (default a year; at least 30 days count): of history's slots of a day.
    #[serde(default)]
    pub historical_retention: Duration,
    /// Pools by coin id (lower-cased coin name).
    pub pools: BTreeMap<String, Pool>,
}

impl Config {
    /// Whether a pool pays its miners.
    #[must_use]
    pub fn pays(&self) -> bool {
        self.pools.values().any(|pool| pool.payments.is_some())
    }

    /// The same without the secrets that the web site has no use for: those of daemons, wallets,
    /// MPOS databases, block notices, notifications and miners' TLS.
    #[must_use]
    pub fn for_site(&self) -> Self {
        let mut bare = Self { notifications: None, tls: None, ..self.clone() };
        let hide = |secret: &mut Secret| *secret = Secret::new(String::new());
        bare.notify.iter_mut().filter_map(|notify| notify.password.as_mut()).for_each(hide);
        for pool in bare.pools.values_mut() {
            pool.daemons.iter_mut().for_each(|daemon| hide(&mut daemon.password));
            let payments = pool.payments.iter_mut().chain(pool.idle_payments.iter_mut());
            payments.for_each(|payments| hide(&mut payments.wallet.password));
            pool.mpos.iter_mut().for_each(|mpos| hide(&mut mpos.password));
        }
        bare
    }

    /// What it is about, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let pools = self.pools.len();
        let plural = if pools == 1 { "" } else { "s" };
        let coins = self.pools.keys().cloned().collect::<Vec<_>>().join(", ");
        let ports = self.pools.values().flat_map(|pool| pool.ports.keys());
        let ports = ports.map(u16::to_string).collect::<Vec<_>>().join(", ");
        match pools {
            0 => "configuration is fine: 0 pools".to_owned(),
            _ => format!("configuration is fine: {pools} pool{plural} ({coins}), ports {ports}"),
        }
    }
}

/// Log settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// `logLevel`.
    pub level: LogLevel,
    /// `logColors`.
    pub colors: bool,
    /// `logFile`; stderr when absent.
    pub file: Option<PathBuf>,
    /// `logFormat: "json"`: one JSON object a line.
    pub json: bool,
}

/// NOMP's severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Warnings, errors, and what must be seen.
    Warning,
    /// Errors, and what must be seen.
    Error,
    /// Only what must be seen.
    Special,
}

/// How many workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forks {
    /// One per core.
    Auto,
    /// That many, at least 1.
    Count(u16),
}

/// A TCP listener for blocknotify lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyListener {
    /// Where to listen. `blockNotifyListener` (all addresses, 8117); `cliPort` (127.0.0.1).
    pub address: SocketAddr,
    /// Password that a line must carry (`blockNotifyListener`); `None` for `cliPort`.
    pub password: Option<Secret>,
}

/// One pool: a coin, its ports, its daemons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// The coin file.
    pub coin: Coin,
    /// The pool's file name, for messages.
    pub file: String,
    /// `address` that block rewards go to.
    pub address: String,
    /// `rewardRecipients` (and `feePercent` with `feeReceiveAddress`).
    pub recipients: Vec<RewardRecipient>,
    /// Stratum ports.
    pub ports: BTreeMap<u16, Port>,
    /// Daemons in the operator's order of preference, at least one.
    pub daemons: Vec<Daemon>,
    /// Where the tally is.
    pub store: Store,
    /// Ledger unit that fits the smallest difficulty of the ports; the ledger's own, once made,
    /// wins (see `journal::unit`).
    pub unit: Unit,
    /// `blockRefreshInterval`: polling for new blocks; zero: none.
    pub block_refresh: Duration,
    /// `txRefreshInterval` (ms, early) or `jobRebroadcastTimeout` (s, later): new job from new
    /// transactions, clean = false. Default 55 s.
    pub job_refresh: Duration,
    /// `staleWorkTimeout` (default 120 s): with no fresh daemon for so long, miners are sent away.
    pub stale_work: Duration,
    /// `connectionTimeout`: a miner without a share for so long is disconnected.
    pub connection_timeout: Duration,
    /// `validateWorkerUsername` / `validateWorkerAddress`.
    pub validate_username: bool,
    /// `banning`; `None` when disabled.
    pub banning: Option<Banning>,
    /// `tcpProxyProtocol`: connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// `extranonce2Size`, 4..=8, default 4.
    pub extranonce2_size: u8,
    /// `versionMask` (BIP 310): bits miners may roll, default 0x1fffe000; 0 turns it off.
    pub version_mask: u32,
    /// `poolTag` in the coinbase, default `/romp/`.
    pub tag: String,
    /// `daemonTimeout` (default 5 s): deadline of one call.
    pub daemon_timeout: Duration,
    /// `p2p`; `None` when disabled.
    pub p2p: Option<P2p>,
    /// `longPoll` (default true): let getblocktemplate wait for the next block.
    pub long_poll: bool,
    /// `paymentProcessing`; `None` when nobody is paid.
    pub payments: Option<Payments>,
    /// The same, written and not enabled: for an operator's commands.
    #[serde(skip)]
    pub idle_payments: Option<Payments>,
    /// `doctor` (default true): the daemons are examined before the ports open, and each one
    /// before its first work is used.
    pub doctor: bool,
    /// `mposMode`, or `shareProcessing.mpos`; `None` when off.
    #[serde(default)]
    pub mpos: Option<Mpos>,
}

/// A coin profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coin {
    /// Identity everywhere: the lower-cased `name`, `[a-z0-9_-]{1,32}`.
    pub id: String,
    /// `name` as written.
    pub name: String,
    /// `symbol`, upper-cased.
    pub symbol: String,
    /// `algorithm`.
    pub algorithm: Algorithm,
    /// `blockId`, `transactionId`.
    #[serde(default)]
    pub ids: Ids,
    /// Address rules by network; empty where the file does not say.
    pub addresses: BTreeMap<Network, Rules>,
    /// `peerMagic` by network, wire order.
    pub magic: BTreeMap<Network, [u8; 4]>,
    /// `txMessages`.
    pub tx_messages: bool,
    /// `reward`: whether it is "POS"; `None`: the daemon is asked.
    #[serde(default)]
    pub proof_of_stake: Option<bool>,
    /// `payees`.
    #[serde(default)]
    pub payees: Vec<PayeeField>,
    /// `hasGetInfo`: an old daemon without `getblockchaininfo`.
    pub has_get_info: bool,
    /// `mposDiffMultiplier`, default 1.
    #[serde(default = "one")]
    pub mpos_multiplier: f64,
    /// `rules` for getblocktemplate (default `["segwit"]`; Litecoin `["mweb","segwit"]`).
    pub template_rules: Vec<String>,
    /// `templateAlgorithm`: what getblocktemplate is told beside its request, of a coin whose
    /// daemons give work for several algorithms.
    #[serde(default)]
    pub template_algorithm: Option<String>,
    /// `versionMask`: bits that miners may roll at most. Merge-mined chains of SHA-256 have their
    /// chain id there and refuse blocks with another.
    #[serde(default = "all_bits")]
    pub version_mask: u32,
    /// `severalAlgorithms`: not all blocks of its chain are of `algorithm`.
    #[serde(default)]
    pub several_algorithms: bool,
    /// `blockTime`, seconds, if known.
    pub block_time: Option<u32>,
    /// `explorer` links by kind (`block`, `transaction`, `address`) with `{}` for the value.
    pub explorer: BTreeMap<String, String>,
}

impl Coin {
    /// How its transactions' ids are made.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.ids.transaction(self.algorithm)
    }
}

const fn all_bits() -> u32 {
    u32::MAX
}

fn one() -> f64 {
    1.0
}

/// One stratum port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// Start difficulty.
    pub diff: f64,
    /// Variable difficulty, if any.
    pub var_diff: Option<VarDiff>,
    /// `rewardScheme`, else the pool's.
    #[serde(default)]
    pub scheme: RewardScheme,
    /// `tls`.
    #[serde(default)]
    pub tls: PortTls,
}

/// Whether a port speaks TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortTls {
    /// No.
    #[default]
    Off,
    /// To miners who begin with it; others are served as they are.
    Both,
    /// To all.
    Only,
}

/// NOMP's vardiff settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VarDiff {
    /// Lowest difficulty.
    pub min_diff: f64,
    /// Highest difficulty.
    pub max_diff: f64,
    /// Seconds per share aimed at.
    pub target_time: f64,
    /// Seconds between checks.
    pub retarget_time: f64,
    /// Tolerance around the target time in percent.
    pub variance_percent: f64,
    /// Only double or halve.
    pub x2_mode: bool,
}

/// One coin daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Host name or address.
    pub host: String,
    /// RPC port.
    pub port: u16,
    /// RPC user.
    pub user: String,
    /// RPC password.
    pub password: Secret,
    /// `zmq`: where it publishes `hashblock`.
    pub zmq: Option<Endpoint>,
}

/// A TCP server of a daemon beside its RPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name or address, IPv6 addresses without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `p2p`: a connection to a daemon as a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct P2p {
    /// `host` (default: the first daemon's) and `port`.
    pub peer: Endpoint,
    /// `magic`, wire order; that of the coin file's network when absent.
    pub magic: Option<[u8; 4]>,
    /// `protocolVersion`; what the first daemon says over RPC when absent.
    pub version: Option<u32>,
    /// Not `disableTransactions` (default true): be told of transactions.
    pub transactions: bool,
}

/// NOMP's banning settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Banning {
    /// How long a ban lasts.
    pub time: Duration,
    /// Percent of bad shares that bans.
    pub invalid_percent: f64,
    /// Shares between checks.
    pub check_threshold: u32,
    /// How often old bans are cleared.
    pub purge_interval: Duration,
    /// How long the longest ban of a repeater lasts.
    pub max_time: Duration,
    /// Bad shares and lines within ten seconds that ban; 0: no such ban.
    pub burst: u32,
}

/// Where a pool's tally is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// `dataDir/ledger/<coin>.sqlite`.
    Sqlite,
    /// A Redis server.
    Redis(Redis),
}

/// A Redis server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redis {
    /// Host name, address, or path of a Unix socket (begins with `/`).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Password, if any.
    pub password: Option<Secret>,
    /// Database number.
    pub database: u32,
}
