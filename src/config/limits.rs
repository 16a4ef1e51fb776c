//! `limits` and `trustedProxies` of `config.json`: what connections and addresses may do.

use super::diagnostics::shown;
use super::raw::{RawLimits, RawPortal};
use super::values::{Judge, Keys, Scale};
use crate::stratum::{Rate, SessionLimits};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What connections and addresses may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What one connection may do.
    pub session: SessionLimits,
    /// Bytes of a line, its end not counted, before a name is authorised.
    pub line_before_authorize: usize,
    /// The same after that.
    pub line: usize,
    /// Until the first byte must have come.
    pub first_byte: Duration,
    /// In which a trusted proxy must have sent its header.
    pub proxy_header: Duration,
    /// Bytes that may wait for a miner who does not read.
    pub output: usize,
    /// How long a byte may wait for a miner who does not read.
    pub output_age: Duration,
    /// Connections of one IPv4 address or one IPv6 /64; 0: any number.
    pub per_address: u32,
    /// Connections of one IPv6 /48; 0: any number.
    pub per_site: u32,
    /// Connections that mine for one account; 0: any number.
    #[serde(default)]
    pub per_account: u32,
    /// New connections a second of one IPv4 address or one IPv6 /64; 0: any number.
    pub connects_per_second: u32,
    /// Rig names of one address that a worker keeps apart in a day; 0: any number.
    pub rigs: usize,
    /// Networks without limits of connections that are never banned.
    pub allow: Vec<IpNet>,
    /// Networks whose PROXY headers are believed.
    pub proxies: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session: SessionLimits::default(),
            line_before_authorize: 4096,
            line: 16_384,
            first_byte: Duration::from_secs(10),
            proxy_header: Duration::from_secs(3),
            output: 65_536,
            output_age: Duration::from_secs(30),
            per_address: 256,
            per_site: 1024,
            per_account: 0,
            connects_per_second: 20,
            rigs: 256,
            allow: Vec::new(),
            proxies: loopback(),
        }
    }
}

impl Limits {
    /// Whether an address has no limit of connections and is never banned: loopback, where the
    /// operator's own tools come from, proxies, who stand for many, and whom the operator allows.
    #[must_use]
    pub fn is_exempt(&self, address: &IpAddr) -> bool {
        address.is_loopback() || holds(&self.allow, address) || self.is_proxy(address)
    }

    /// Whether a PROXY header from this address is believed.
    #[must_use]
    pub fn is_proxy(&self, address: &IpAddr) -> bool {
        holds(&self.proxies, address)
    }

    /// Whether every address of a network is one that is never banned.
    #[must_use]
    pub fn is_exempt_network(&self, network: &IpNet) -> bool {
        self.exempt().any(|one| one.contains(network))
    }

    /// Networks whose addresses are never banned.
    pub fn exempt(&self) -> impl Iterator<Item = IpNet> {
        self.allow.iter().chain(&self.proxies).copied().chain(loopback())
    }
}

/// Whether an address is in one of the networks.
pub(super) fn holds(networks: &[IpNet], address: &IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

pub(super) fn loopback() -> Vec<IpNet> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .into_iter()
        .filter_map(|address| {
            IpNet::new(address, if address.is_ipv4() { 8 } else { 128 }).ok().map(|net| net.trunc())
        })
        .collect()
}

/// A network as people write it: `192.0.2.0/24`, `2001:db8::/32`, or one address.
///
/// # Errors
/// In words, when it is neither, or when bits are set behind the prefix: that is mostly a slip.
pub fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text
        .parse()
        .map_err(|_| "must be an address or a network such as 192.0.2.0/24".to_owned())?;
    // Miners' addresses are looked at in this form, too.
    if let IpNet::V6(wide) = network
        && let (Some(address), Some(length)) =
            (wide.addr().to_ipv4_mapped(), wide.prefix_len().checked_sub(96))
    {
        return self::network(&format!("{address}/{length}"));
    }
    match network.trunc() {
        same if same == network => Ok(network),
        meant => Err(format!("has bits behind its prefix; did you mean {meant}?")),
    }
}

/// The shortest prefix that somebody can mean by one network of many: 8 bits, IPv6 16.
#[must_use]
pub fn widest(network: &IpNet) -> u8 {
    if network.addr().is_ipv4() { 8 } else { 16 }
}

/// Checks them.
pub(super) fn check(raw: &RawPortal, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Limits {
    let none = RawLimits::default();
    let written = raw.limits.as_ref().unwrap_or(&none);
    let default = Limits::default();
    let mut seconds = |key, value, default: Duration| {
        let bounds = 0.1..=3600.0;
        judge.duration(
            keys,
            &["limits", key],
            value,
            default.as_secs_f64(),
            &bounds,
            Scale::Seconds,
        )
    };
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let subscribe = Duration::from_millis(default.session.subscribe_ms);
    let authorize = Duration::from_millis(default.session.authorize_ms);
    let subscribe = seconds("subscribeTimeout", written.subscribe_timeout, subscribe);
    let authorize = seconds("authorizeTimeout", written.authorize_timeout, authorize);
    let first_byte = seconds("firstByteTimeout", written.first_byte_timeout, default.first_byte);
    let proxy_header =
        seconds("proxyHeaderTimeout", written.proxy_header_timeout, default.proxy_header);
    let output_age = seconds("outputTimeout", written.output_timeout, default.output_age);
    let mut bytes = |key, value: Option<u32>, default: usize| {
        let value = value.map(f64::from);
        let usual = f64::from(u32::try_from(default).unwrap_or(u32::MAX));
        // A template's notify has a few KiB; a megabyte times ten thousand miners is too much.
        let number = judge.number(keys, &["limits", key], value, usual, &(1024.0..=1_048_576.0));
        number as usize
    };
    let line = bytes("line", written.line, default.line);
    let line_before_authorize =
        bytes("lineBeforeAuthorize", written.line_before_authorize, default.line_before_authorize);
    let output = bytes("output", written.output, default.output);
    // A worker's count of newcomers ends at a hundred a second.
    let connects_per_second = judge.number(
        keys,
        &["limits", "connectsPerSecond"],
        written.connects_per_second.map(f64::from),
        f64::from(default.connects_per_second),
        &(0.0..=100.0),
    ) as u32;
    let usual = default.session;
    let bad_lines = judge.number(
        keys,
        &["limits", "badLines"],
        written.bad_lines.map(f64::from),
        f64::from(usual.bad_lines),
        &(1.0..=f64::from(u8::MAX)),
    ) as u8;
    let mut rate = |key: &str, count: Option<u32>, a_minute: u32, burst, default: Rate| {
        let most = f64::from(u32::MAX / 60);
        let value = judge.number(
            keys,
            &["limits", key],
            count.map(f64::from),
            f64::from(default.per_minute / a_minute),
            &(0.0..=most),
        );
        let (burst_key, value_of_burst): (&str, Option<u32>) = burst;
        let burst = judge.number(
            keys,
            &["limits", burst_key],
            value_of_burst.map(f64::from),
            f64::from(default.burst),
            &(1.0..=f64::from(u32::MAX)),
        );
        Rate { per_minute: value as u32 * a_minute, burst: burst as u32 }
    };
    let session = SessionLimits {
        bad_lines,
        requests: rate(
            "requestsPerSecond",
            written.requests_per_second,
            60,
            ("requestsBurst", written.requests_burst),
            usual.requests,
        ),
        authorizes: rate(
            "authorizesPerMinute",
            written.authorizes_per_minute,
            1,
            ("authorizesBurst", written.authorizes_burst),
            usual.authorizes,
        ),
        submits: rate(
            "submitsPerSecond",
            written.submits_per_second,
            60,
            ("submitsBurst", written.submits_burst),
            usual.submits,
        ),
        refused: rate(
            "refusedPerSecond",
            written.refused_per_second,
            60,
            ("refusedBurst", written.refused_burst),
            usual.refused,
        ),
        subscribe_ms: milliseconds(subscribe),
        authorize_ms: milliseconds(authorize),
    };
    let proxies = match &raw.trusted_proxies {
        Some(proxies) => {
            let wide = "nearly everybody may pretend to be any address: name the proxies only";
            networks(proxies, keys, &["trustedProxies"], wide, judge)
        }
        None => default.proxies,
    };
    let allow = written.allow.as_deref().unwrap_or_default();
    let wide = "nearly everybody is free of limits of connections and of bans";
    Limits {
        session,
        line_before_authorize,
        line,
        first_byte,
        proxy_header,
        output,
        output_age,
        per_address: written.connections_per_address.unwrap_or(default.per_address),
        per_site: written.connections_per_site.unwrap_or(default.per_site),
        per_account: written.connections_per_account.unwrap_or(default.per_account),
        connects_per_second,
        rigs: written.rigs_per_address.map_or(default.rigs, |rigs| rigs as usize),
        allow: networks(allow, keys, &["limits", "allow"], wide, judge),
        proxies,
    }
}

/// Networks of a list.
pub(super) fn networks(
    written: &[String],
    keys: &Keys<'_>,
    path: &[&str],
    wide: &str,
    judge: &mut Judge<'_>,
) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let index = index.to_string();
        let at = keys.at(&[path, &[&index]].concat());
        match network(text) {
            Ok(network) => {
                if network.prefix_len() < widest(&network) {
                    judge.report.warning(&at, &format!("`{network}` is very wide"), wide);
                }
                networks.push(network);
            }
            Err(why) => {
                judge.report.error(&at, &format!("`{}` is no network", shown(text)), &why);
            }
        }
    }
    networks
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_people_write_them() {
        assert_eq!(network("192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(network("::ffff:192.0.2.7").unwrap().to_string(), "192.0.2.7/32");
        assert_eq!(network("::ffff:192.0.2.0/120").unwrap().to_string(), "192.0.2.0/24");
        assert!(network("::ffff:192.0.2.7/120").unwrap_err().contains("192.0.2.0/24"));
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert!(network("192.0.2.7/24").unwrap_err().contains("192.0.2.0/24"));
        for text in ["", "pool.example.com", "1.2.3", "1.2.3.4/33", "10/8", "1.2.3.4/-1"] {
            assert!(network(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exempt_are_loopback_proxies_and_the_allowed() {
        let limits =
            Limits { allow: vec![network("198.51.100.0/24").unwrap()], ..Limits::default() };
        let exempt = |text: &str| limits.is_exempt(&text.parse().unwrap());
        assert!(exempt("127.0.0.9") && exempt("::1") && exempt("198.51.100.200"));
        assert!(!exempt("198.51.101.1") && !exempt("2001:db8::1"));
        let whole = |text: &str| limits.is_exempt_network(&network(text).unwrap());
        assert!(whole("127.0.0.1") && whole("198.51.100.128/25"));
        assert!(!whole("198.51.0.0/16"));
    }
}
