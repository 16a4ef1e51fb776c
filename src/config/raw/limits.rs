//! `limits` and `nftables` of `config.json` as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// What connections and addresses may do. 0 where a rate or a count stands: no limit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawLimits {
    /// Networks that have no limit of connections and are never banned, such as 192.0.2.0/24.
    pub(in crate::config) allow: Option<Vec<String>>,
    /// Connections of one IPv4 address, or of one IPv6 /64; default 256.
    pub(in crate::config) connections_per_address: Option<u32>,
    /// Connections of one IPv6 /48; default 1024.
    pub(in crate::config) connections_per_site: Option<u32>,
    /// Connections that mine for one account, rigs and all, of one coin; default any number.
    pub(in crate::config) connections_per_account: Option<u32>,
    /// New connections a second of one address, over ten seconds; default 20.
    pub(in crate::config) connects_per_second: Option<u32>,
    /// Bytes of a line before a name is authorised; default 4096.
    pub(in crate::config) line_before_authorize: Option<u32>,
    /// Bytes of a line after that; default 16384.
    pub(in crate::config) line: Option<u32>,
    /// Lines in a row that are no requests and end a connection; default 3.
    pub(in crate::config) bad_lines: Option<u8>,
    /// Requests other than shares a second; default 100.
    pub(in crate::config) requests_per_second: Option<u32>,
    /// Requests other than shares at once; default 300.
    pub(in crate::config) requests_burst: Option<u32>,
    /// Calls of mining.authorize a minute; default 60.
    pub(in crate::config) authorizes_per_minute: Option<u32>,
    /// Calls of mining.authorize at once; default 100.
    pub(in crate::config) authorizes_burst: Option<u32>,
    /// Shares a second; default 2000.
    pub(in crate::config) submits_per_second: Option<u32>,
    /// Shares at once; default 10000.
    pub(in crate::config) submits_burst: Option<u32>,
    /// Refused shares a second; default 50.
    pub(in crate::config) refused_per_second: Option<u32>,
    /// Refused shares at once; default 1000.
    pub(in crate::config) refused_burst: Option<u32>,
    /// Seconds until the first byte must have come; default 10.
    pub(in crate::config) first_byte_timeout: Option<f64>,
    /// Seconds until mining.subscribe must have come; default 20.
    pub(in crate::config) subscribe_timeout: Option<f64>,
    /// Seconds until a name must be authorised; default 60.
    pub(in crate::config) authorize_timeout: Option<f64>,
    /// Seconds in which a trusted proxy must have sent its header; default 3.
    pub(in crate::config) proxy_header_timeout: Option<f64>,
    /// Bytes that may wait for a miner who does not read; default 65536.
    pub(in crate::config) output: Option<u32>,
    /// Seconds that a byte may wait for a miner who does not read; default 30.
    pub(in crate::config) output_timeout: Option<f64>,
    /// Rig names of one address that are kept apart by one worker in one day; default 256.
    pub(in crate::config) rigs_per_address: Option<u32>,
}

/// Bans told to the kernel, too: it drops what begins a connection from there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct RawNftables {
    /// Tell it; default false.
    pub(in crate::config) enabled: Option<bool>,
    /// Table of the family inet that is made for this; begins with "romp"; default romp.
    pub(in crate::config) table: Option<String>,
    /// Only log and check what would be told; default false.
    pub(in crate::config) dry_run: Option<bool>,
    /// The program; default nft.
    pub(in crate::config) program: Option<String>,
}
