//! The web site: `website` of `config.json`, in both of NOMP's spellings.

use super::check_admin::{Admin, admin};
use super::check_own::{self, OwnFiles};
use super::check_portal::{Ports, address};
use super::check_tls::{Tls, tls};
use super::limits::{holds, networks};
use super::raw::RawPortal;
use super::values::{Judge, Keys, Scale};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// NOMP's port.
const PORT: u16 = 80;
/// Shortest time between two statistics, seconds: each reads every ledger.
const SHORTEST: f64 = 5.0;
/// How far `/api/pool_stats` goes back, seconds: as NOMP's example has it.
const RETENTION: f64 = 43_200.0;
const NAME: &str = "website";

/// The web site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Website {
    /// `host` (default 127.0.0.1) and `port` (default 80).
    pub address: SocketAddr,
    /// `siteTitle` (default `romp`).
    pub title: String,
    /// `stratumHost`: what miners are told to connect to; `None`: the name that the visitor uses.
    pub stratum_host: Option<String>,
    /// `stats.updateInterval` (default 15 s, at least 5 s).
    pub interval: Duration,
    /// `stats.historicalRetention` (default 12 h, from 10 minutes to a year): how far
    /// `/api/pool_stats` goes back.
    pub retention: Duration,
    /// `stats.hashrateWindow` (default 300 s): what hash rates are taken over.
    pub window: Duration,
    /// `folder`: where the operator's own texts, logo and style are.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// What is in it, when the configuration was read. Nobody but the site's own process has it.
    #[serde(skip)]
    pub own: OwnFiles,
    /// `tls`; `None`: plain HTTP.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// `adminCenter`; `None` when it is off.
    #[serde(default)]
    pub admin: Option<Admin>,
    /// `metricsAllow`: who may read `/metrics`; `None`: everybody.
    #[serde(default)]
    pub metrics: Option<Vec<IpNet>>,
}

impl Website {
    /// Where it listens: `address` first, then the plain port that sends browsers there, if any.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let plain = self.tls.as_ref().and_then(|tls| tls.redirect);
        let plain = plain.map(|port| SocketAddr::new(self.address.ip(), port));
        [Some(self.address), plain].into_iter().flatten().collect()
    }

    /// Whether an address may read `/metrics`.
    #[must_use]
    pub fn shows_metrics_to(&self, address: &IpAddr) -> bool {
        self.metrics.as_ref().is_none_or(|networks| holds(networks, address))
    }
}

/// The web site; `None` when it is off.
pub(super) fn website(
    raw: &RawPortal,
    keys: &Keys<'_>,
    ports: &mut Ports,
    judge: &mut Judge<'_>,
) -> Option<Website> {
    let site = raw.website.as_ref()?;
    if site.enabled != Some(true) {
        return None;
    }
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let host = address(site.host.as_deref(), loopback, keys, &[NAME, "host"], judge);
    let port = judge.port(keys, &[NAME, "port"], site.port.unwrap_or(PORT));
    ports.take(port, format!("config.json (`{NAME}`)"), keys, &[NAME, "port"], judge);
    let stratum_host =
        site.stratum_host.as_deref().map(|host| judge.host(keys, &[NAME, "stratumHost"], host));
    let title = site.site_title.clone().unwrap_or_else(|| "romp".to_owned());
    if title.is_empty() || title.chars().count() > 100 || title.chars().any(char::is_control) {
        let place = keys.at(&[NAME, "siteTitle"]);
        judge.report.error(&place, "no title of a site", "must have 1 to 100 letters");
    }
    let stats = site.stats.clone().unwrap_or_default();
    let (early, late) = (["website", "hashrateWindow"], ["website", "stats", "hashrateWindow"]);
    let (path, value, default): (&[&str], _, _) =
        match (stats.hashrate_window, site.hashrate_window) {
            (None, Some(value)) => (&early, Some(value), 600.0),
            (value, _) => (&late, value, 300.0),
        };
    let window = judge.duration(keys, path, value, default, &(60.0..=86_400.0), Scale::Seconds);
    // Early NOMP's example has 1.5.
    let early = site.stat_update_interval.filter(|it| it.is_finite()).map(|it| it.max(SHORTEST));
    let path = ["website", "stats", "updateInterval"];
    let value = stats.update_interval.or(early);
    let interval = judge.duration(keys, &path, value, 15.0, &(SHORTEST..=3600.0), Scale::Seconds);
    let retention = stats.historical_retention.filter(|it| it.is_finite()).unwrap_or(RETENTION);
    let retention = Duration::from_secs_f64(retention.clamp(600.0, 366.0 * 86_400.0));
    let folder = site.folder.as_ref().map(|folder| judge.dir.join(folder));
    let own = folder.as_deref().map(|folder| check_own::read(folder, keys, judge));
    let tls = site.tls.as_ref().and_then(|raw| tls(raw, keys, ports, judge));
    let plain = site.tls.is_none() && !host.is_loopback();
    let admin = site.admin_center.as_ref().and_then(|raw| admin(raw, plain, keys, judge));
    let metrics = site.metrics_allow.as_ref().map(|written| {
        let wide = "nearly everybody may read the metrics: without the key everybody may";
        networks(written, keys, &[NAME, "metricsAllow"], wide, judge)
    });
    Some(Website {
        address: SocketAddr::new(host, port),
        tls,
        admin,
        title,
        stratum_host,
        interval: interval.max(Duration::from_secs(5)),
        retention,
        window,
        folder,
        own: own.unwrap_or_default(),
        metrics,
    })
}
