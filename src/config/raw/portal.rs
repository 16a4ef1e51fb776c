//! `config.json` as written.

use super::limits::{RawLimits, RawNftables};
use super::notifications::RawNotifications;
use super::parts::{RawForks, RawRedis, RawSecret};
use super::pool::{RawPool, RawPort};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The portal: `config.json`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawPortal {
    /// For editors: where the JSON Schema of this file is.
    #[serde(rename = "$schema")]
    pub(in crate::config) schema: Option<String>,
    /// Least severity that is logged: debug, warning, error or special; default debug.
    pub(in crate::config) log_level: Option<String>,
    /// Colours in the log when it goes to a terminal; default true.
    pub(in crate::config) log_colors: Option<bool>,
    /// File to log to; default the standard error.
    pub(in crate::config) log_file: Option<String>,
    /// "text" or "json" (one object a line); default text.
    pub(in crate::config) log_format: Option<String>,
    /// Folder of journals, found blocks, the embedded ledger and the control socket; default data.
    pub(in crate::config) data_dir: Option<String>,
    /// User to become after the ports are bound.
    pub(in crate::config) user: Option<String>,
    /// Group to become after the ports are bound; default the user's.
    pub(in crate::config) group: Option<String>,
    /// Address that stratum ports bind; default 0.0.0.0.
    pub(in crate::config) stratum_bind: Option<String>,
    /// Number of this machine among those that share a ledger, 0 to 65535; default 0.
    pub(in crate::config) instance_id: Option<u16>,
    /// Acknowledge shares only after they are on disk; default false.
    pub(in crate::config) fsync: Option<bool>,
    /// Seconds after a block notice until a worker asks a daemon itself; default 1.
    pub(in crate::config) template_fallback: Option<f64>,
    /// Seconds that a graceful stop may take; default 10.
    pub(in crate::config) shutdown_timeout: Option<f64>,
    /// Port on 127.0.0.1 for blocknotify without password.
    pub(in crate::config) cli_port: Option<u16>,
    /// What connections and addresses may do.
    pub(in crate::config) limits: Option<RawLimits>,
    /// Bans told to the kernel, too.
    pub(in crate::config) nftables: Option<RawNftables>,
    /// Networks of HAProxy and the like whose PROXY headers are believed; default loopback.
    pub(in crate::config) trusted_proxies: Option<Vec<String>>,
    /// Worker processes.
    pub(in crate::config) clustering: Option<RawClustering>,
    /// Listener for blocknotify with a password.
    pub(in crate::config) block_notify_listener: Option<RawNotify>,
    /// Block notices over Redis (early NOMP).
    pub(in crate::config) redis_block_notify_listener: Option<RawRedisNotify>,
    /// Pool keys for pools that lack them.
    pub(in crate::config) default_pool_configs: Option<RawPool>,
    /// The web site.
    pub(in crate::config) website: Option<RawWebsite>,
    /// A certificate for miners: ports may speak TLS.
    pub(in crate::config) tls: Option<RawCertificate>,
    /// Messages to the operator.
    pub(in crate::config) notifications: Option<RawNotifications>,
    /// Redis server for the ledgers of all pools; without one each pool keeps a file in dataDir.
    pub(in crate::config) redis: Option<RawRedis>,
    /// Ports whose miners move from coin to coin, by name.
    pub(in crate::config) switching: Option<BTreeMap<String, RawSwitching>>,
    /// Choice of the most profitable coin.
    pub(in crate::config) profit_switch: Option<RawProfitSwitch>,
    /// Coin switching of early NOMP.
    pub(in crate::config) proxy: Option<BTreeMap<String, serde_json::Value>>,
}

/// Worker processes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawClustering {
    /// More than one worker; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// "auto" (one per core) or a number; default auto.
    pub(in crate::config) forks: Option<RawForks>,
}

/// Listener for blocknotify with a password.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawNotify {
    /// Listen; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// Address to listen on; default 0.0.0.0.
    pub(in crate::config) host: Option<String>,
    /// Port; default 8117.
    pub(in crate::config) port: Option<u16>,
    /// Password that each message carries.
    pub(in crate::config) password: Option<RawSecret>,
}

/// Block notices over Redis (early NOMP).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawRedisNotify {
    /// Subscribe.
    pub(in crate::config) enabled: Option<bool>,
    /// Redis host.
    pub(in crate::config) redis_host: Option<String>,
    /// Redis port.
    pub(in crate::config) redis_port: Option<u16>,
    /// Pattern of channels.
    pub(in crate::config) psubscribe_key: Option<String>,
}

/// The web site.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawWebsite {
    /// Serve it; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// Address to listen on; default 127.0.0.1.
    pub(in crate::config) host: Option<String>,
    /// Port to listen on; default 80.
    pub(in crate::config) port: Option<u16>,
    /// Host name of the stratum ports, as shown to miners.
    pub(in crate::config) stratum_host: Option<String>,
    /// Folder with the operator's own texts, logo and style.
    pub(in crate::config) folder: Option<String>,
    /// Statistics.
    pub(in crate::config) stats: Option<RawStats>,
    /// Pages for the operator.
    pub(in crate::config) admin_center: Option<RawAdmin>,
    /// A certificate: the site speaks TLS.
    pub(in crate::config) tls: Option<RawTls>,
    /// Live numbers on the pages (early NOMP; never read there).
    pub(in crate::config) live_stats: Option<bool>,
    /// Networks that may read /metrics; default all.
    pub(in crate::config) metrics_allow: Option<Vec<String>>,
    /// Title of the pages; default romp.
    pub(in crate::config) site_title: Option<String>,
    /// Seconds between statistics (early NOMP).
    pub(in crate::config) stat_update_interval: Option<f64>,
    /// Seconds over which the hash rate is taken (early NOMP).
    pub(in crate::config) hashrate_window: Option<f64>,
}

/// Statistics of the web site.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawStats {
    /// Seconds between updates, at least 5; default 15.
    pub(in crate::config) update_interval: Option<f64>,
    /// Seconds that /api/pool_stats goes back; default 43200.
    pub(in crate::config) historical_retention: Option<f64>,
    /// Seconds over which the hash rate is taken; default 300.
    pub(in crate::config) hashrate_window: Option<f64>,
}

/// Pages for the operator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawAdmin {
    /// Serve them; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// The hash of the operator's password, as `romp password` prints it.
    pub(in crate::config) password: Option<RawSecret>,
    /// For scripts: at least 32 letters.
    pub(in crate::config) token: Option<RawSecret>,
    /// Networks that may come here; default loopback and private ones.
    pub(in crate::config) allow: Option<Vec<String>>,
}

/// A certificate for miners.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawCertificate {
    /// File with the certificate and those that it is signed by, PEM.
    pub(in crate::config) cert: Option<String>,
    /// File with its private key, PEM.
    pub(in crate::config) key: Option<String>,
}

/// The certificate of the web site.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawTls {
    /// File with the certificate and those that it is signed by, PEM.
    pub(in crate::config) cert: Option<String>,
    /// File with its private key, PEM.
    pub(in crate::config) key: Option<String>,
    /// Plain port that sends browsers to the TLS one; default none.
    pub(in crate::config) redirect_port: Option<u16>,
}

/// A set of switching ports.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawSwitching {
    /// Open them.
    pub(in crate::config) enabled: Option<bool>,
    /// Algorithm of the coins.
    pub(in crate::config) algorithm: Option<String>,
    /// Ports, as in a pool.
    pub(in crate::config) ports: Option<BTreeMap<String, RawPort>>,
}

/// Choice of the most profitable coin.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawProfitSwitch {
    /// Choose.
    pub(in crate::config) enabled: Option<bool>,
    /// Seconds between choices.
    pub(in crate::config) update_interval: Option<f64>,
    /// Share of the order book that counts, 0 to 1.
    pub(in crate::config) depth: Option<f64>,
    /// Ask Poloniex.
    pub(in crate::config) use_poloniex: Option<bool>,
    /// Ask Cryptsy.
    pub(in crate::config) use_cryptsy: Option<bool>,
    /// Ask Mintpal.
    pub(in crate::config) use_mintpal: Option<bool>,
    /// Ask Bittrex.
    pub(in crate::config) use_bittrex: Option<bool>,
}
