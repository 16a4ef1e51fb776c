//! `config.json` checked: everything of [`Config`](super::Config) except its pools.

use super::check_notifications::notifications;
use super::check_tls::{Certificate, for_miners};
use super::check_website::{Website, website};
use super::checked::{Forks, LogLevel, Logging, NotifyListener, Redis};
use super::diagnostics::{nearest, shown};
use super::nftables::nftables;
use super::raw::{RawForks, RawPortal};
use super::values::{Judge, Keys, Scale};
use super::{Limits, Nftables, Notifications};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// NOMP's words for severities.
const LEVELS: [(&str, LogLevel); 4] = [
    ("debug", LogLevel::Debug),
    ("warning", LogLevel::Warning),
    ("error", LogLevel::Error),
    ("special", LogLevel::Special),
];

/// More workers than this help nobody, and each keeps a lane of 256.
const MOST_FORKS: u16 = 128;

/// `config.json` checked.
pub(super) struct Portal {
    pub(super) data_dir: PathBuf,
    pub(super) logging: Logging,
    pub(super) forks: Forks,
    pub(super) bind: IpAddr,
    pub(super) notify: Vec<NotifyListener>,
    pub(super) template_fallback: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) redis: Option<Redis>,
    pub(super) limits: Limits,
    pub(super) nftables: Option<Nftables>,
    pub(super) website: Option<Website>,
    pub(super) tls: Option<Certificate>,
    pub(super) notifications: Option<Notifications>,
    pub(super) historical_retention: Duration,
}

/// Which ports are taken, and by what.
#[derive(Default)]
pub(super) struct Ports {
    taken: BTreeMap<u16, String>,
}

impl Ports {
    /// Takes a port, or reports who has it already.
    pub(super) fn take(
        &mut self,
        port: u16,
        who: String,
        keys: &Keys<'_>,
        path: &[&str],
        judge: &mut Judge<'_>,
    ) {
        if let Some(other) = self.taken.get(&port) {
            let title = format!("port {port} is used twice");
            judge.report.error(&keys.key(path), &title, &format!("{other} has it already"));
        } else {
            self.taken.insert(port, who);
        }
    }
}

/// Checks `config.json`.
pub(super) fn check(
    raw: &RawPortal,
    keys: &Keys<'_>,
    ports: &mut Ports,
    judge: &mut Judge<'_>,
) -> Portal {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let folder = raw.data_dir.as_deref().unwrap_or("data");
    if folder.is_empty() {
        judge.report.error(&keys.at(&["dataDir"]), "`dataDir` is empty", "name a folder");
    }
    let bounds = 0.01..=3600.0;
    let seconds = |judge: &mut Judge<'_>, key: &str, value, default| {
        judge.duration(keys, &[key], value, default, &bounds, Scale::Seconds)
    };
    Portal {
        data_dir: judge.dir.join(folder),
        forks: forks(raw, keys, judge),
        bind: address(raw.stratum_bind.as_deref(), any, keys, &["stratumBind"], judge),
        notify: listeners(raw, keys, ports, judge),
        template_fallback: seconds(judge, "templateFallback", raw.template_fallback, 1.0),
        shutdown_timeout: seconds(judge, "shutdownTimeout", raw.shutdown_timeout, 10.0),
        redis: raw.redis.as_ref().and_then(|raw| judge.redis(keys, &["redis"], raw)),
        logging: logging(raw, keys, judge),
        limits: super::limits::check(raw, keys, judge),
        nftables: raw.nftables.as_ref().and_then(|raw| nftables(raw, keys, judge)),
        website: website(raw, keys, ports, judge),
        tls: raw.tls.as_ref().and_then(|raw| for_miners(raw, keys, judge)),
        notifications: notifications(raw, keys, judge),
        historical_retention: retention(raw, keys, judge),
    }
}

/// How long history is kept, in slots of a day: from nothing to ten years, a year by default.
fn retention(raw: &RawPortal, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Duration {
    const YEAR: f64 = 365.0 * 86_400.0;
    let path = ["website", "stats", "historicalRetention"];
    let stats = raw.website.as_ref().and_then(|website| website.stats.as_ref());
    let value = stats.and_then(|stats| stats.historical_retention);
    judge.duration(keys, &path, value, YEAR, &(0.0..=10.0 * YEAR), Scale::Seconds)
}

fn logging(raw: &RawPortal, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Logging {
    let word = raw.log_level.as_deref().unwrap_or("debug");
    let level = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    if level.is_none() {
        let names = LEVELS.map(|(name, _)| name);
        let hint = match nearest(word, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("must be one of: {}", names.join(", ")),
        };
        let title = format!("unknown log level `{}`", shown(word));
        judge.report.error(&keys.at(&["logLevel"]), &title, &hint);
    }
    let format = raw.log_format.as_deref().unwrap_or("text");
    if !["text", "json"].contains(&format) {
        let place = keys.at(&["logFormat"]);
        judge.report.error(&place, "unknown log format", "must be \"text\" or \"json\"");
    }
    Logging {
        level: level.map_or(LogLevel::Debug, |&(_, level)| level),
        colors: raw.log_colors.unwrap_or(true),
        file: raw.log_file.as_ref().map(|file| judge.dir.join(file)),
        json: format == "json",
    }
}

fn forks(raw: &RawPortal, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Forks {
    let Some(clustering) = &raw.clustering else { return Forks::Count(1) };
    let path = ["clustering", "forks"];
    let forks = match &clustering.forks {
        None => Forks::Auto,
        Some(RawForks::Word(word)) if word == "auto" => Forks::Auto,
        Some(RawForks::Word(word)) => match word.parse::<u16>() {
            Ok(count) if count.to_string() == *word => {
                let hint = "read as a number; leave the quotes out";
                judge.report.warning(&keys.at(&path), "a number in quotes", hint);
                count_of(i64::from(count), keys, judge)
            }
            _ => {
                let hint = "must be \"auto\" or a number of workers";
                judge.report.error(&keys.at(&path), "no number of workers", hint);
                Forks::Auto
            }
        },
        Some(RawForks::Count(count)) => count_of(*count, keys, judge),
    };
    if clustering.enabled.unwrap_or(false) { forks } else { Forks::Count(1) }
}

fn count_of(count: i64, keys: &Keys<'_>, judge: &mut Judge<'_>) -> Forks {
    let place = keys.at(&["clustering", "forks"]);
    if count < 0 {
        judge.report.error(&place, "a negative number of workers", "must be at least 1");
    } else if count == 0 {
        judge.report.warning(&place, "no workers", "1 is used");
    } else if count > i64::from(MOST_FORKS) {
        let hint = format!("{MOST_FORKS} are used; one per core is best");
        judge.report.warning(&place, "too many workers", &hint);
    }
    Forks::Count(u16::try_from(count.clamp(1, i64::from(MOST_FORKS))).unwrap_or(1))
}

pub(super) fn address(
    text: Option<&str>,
    default: IpAddr,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> IpAddr {
    match text {
        None => default,
        // NOMP's users write names only for this machine; a listener must not wait for DNS.
        Some("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(text) => text.parse().unwrap_or_else(|_| {
            let title = format!("`{}` is no address to listen on", path.join("."));
            let hint = "must be an IP address: 0.0.0.0, 127.0.0.1, [...] without port";
            judge.report.error(&keys.at(path), &title, hint);
            default
        }),
    }
}

fn listeners(
    raw: &RawPortal,
    keys: &Keys<'_>,
    ports: &mut Ports,
    judge: &mut Judge<'_>,
) -> Vec<NotifyListener> {
    let mut listeners = Vec::new();
    if let Some(port) = raw.cli_port {
        let port = judge.port(keys, &["cliPort"], port);
        ports.take(port, "config.json (`cliPort`)".to_owned(), keys, &["cliPort"], judge);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        listeners.push(NotifyListener { address, password: None });
    }
    let Some(notify) = raw.block_notify_listener.as_ref().filter(|n| n.enabled == Some(true))
    else {
        return listeners;
    };
    const NAME: &str = "blockNotifyListener";
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let host = address(notify.host.as_deref(), any, keys, &[NAME, "host"], judge);
    let port = judge.port(keys, &[NAME, "port"], notify.port.unwrap_or(8117));
    ports.take(port, format!("config.json (`{NAME}`)"), keys, &[NAME, "port"], judge);
    let path = [NAME, "password"];
    let password = match &notify.password {
        Some(raw) => judge.secret(keys, &path, raw),
        None if host.is_loopback() => None,
        None => {
            let title = "blockNotifyListener has no password and is open to the network";
            let hint = "add `password`, or `\"host\": \"127.0.0.1\"`";
            judge.report.error(&keys.key(&[NAME]), title, hint);
            None
        }
    };
    let weak = password.as_ref().is_some_and(|text| ["", "test"].contains(&text.expose()));
    if weak && !host.is_loopback() {
        let title = "everybody can guess this password, and the port is open to the network";
        let hint = "choose another, or set `host` to 127.0.0.1";
        judge.report.warning(&keys.at(&path), title, hint);
    }
    listeners.push(NotifyListener { address: SocketAddr::new(host, port), password });
    listeners
}
