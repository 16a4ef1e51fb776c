//! Stratum ports and their difficulties checked.

use super::check_portal::Ports;
use super::check_scheme;
use super::checked::{Port, PortTls, RewardScheme, VarDiff};
use super::diagnostics::shown;
use super::raw::{RawPool, RawPortTls, RawVarDiff};
use super::values::{Judge, Keys};
use std::collections::BTreeMap;

/// NOMP's difficulty for a port that names none.
const DEFAULT_DIFF: f64 = 8.0;
/// Below it, a share is a few hashes: no miner's difficulty, but somebody's slip.
const LEAST_DIFF: f64 = 1e-10;
/// Above it, no miner finds a share in a lifetime; weights stay far within 64 bits.
const MOST_DIFF: f64 = 1e15;
/// The ledger counts in units of a thousandth of the smallest difficulty, in 53 bits.
const MOST_SPREAD: f64 = 4e12;

/// Checks the ports of a pool, whose ports earn by `scheme`.
pub(super) fn ports(
    raw: &RawPool,
    keys: &Keys<'_>,
    file: &str,
    (taken, scheme): (&mut Ports, RewardScheme),
    judge: &mut Judge<'_>,
) -> BTreeMap<u16, Port> {
    let mut ports = BTreeMap::new();
    for (name, raw) in raw.ports.iter().flatten() {
        let path = ["ports", name.as_str()];
        let number = name.parse::<u16>().ok().filter(|n| *n > 0 && n.to_string() == *name);
        let Some(number) = number else {
            let title = format!("`{}` is no port", shown(name));
            let hint = "must be a number from 1 to 65535 in quotes";
            judge.report.error(&keys.key(&path), &title, hint);
            continue;
        };
        taken.take(number, file.to_owned(), keys, &path, judge);
        let diff =
            difficulty(raw.diff, Some(DEFAULT_DIFF), keys, &[&path[..], &["diff"]].concat(), judge);
        if raw.diff.is_none() {
            let hint = "8 is used";
            judge.report.warning(&keys.key(&path), "the port has no `diff`", hint);
        }
        let rules = raw
            .var_diff
            .as_ref()
            .map(|raw| var_diff(raw, keys, &[&path[..], &["varDiff"]].concat(), judge));
        if let Some(rules) = &rules
            && !(rules.min_diff..=rules.max_diff).contains(&diff)
            && rules.min_diff <= rules.max_diff
        {
            let title = "the start difficulty is outside of `minDiff` to `maxDiff`";
            let at = keys.at(&[&path[..], &["diff"]].concat());
            judge.report.warning(&at, title, "vardiff will move it in");
        }
        let scheme = check_scheme::port(raw.reward_scheme.as_deref(), scheme, keys, &path, judge);
        let tls = tls(raw.tls.as_ref(), keys, &[&path[..], &["tls"]].concat(), judge);
        ports.insert(number, Port { diff, var_diff: rules, scheme, tls });
    }
    let refused = raw.ports.is_none() && keys.has(&["ports"]);
    if raw.ports.iter().flatten().next().is_none() && !refused {
        let hint = "add `\"ports\": {\"3032\": {\"diff\": 32}}`";
        judge.report.error(&keys.at(&["ports"]), "the pool has no port", hint);
    }
    spread(&ports, keys, judge);
    ports
}

fn tls(raw: Option<&RawPortTls>, keys: &Keys<'_>, path: &[&str], judge: &mut Judge<'_>) -> PortTls {
    match raw {
        None | Some(RawPortTls::Switch(false)) => PortTls::Off,
        Some(RawPortTls::Switch(true)) => PortTls::Both,
        Some(RawPortTls::Word(word)) if word == "only" => PortTls::Only,
        Some(RawPortTls::Word(_)) => {
            let hint = "must be true (TLS and plain on one port), false, or \"only\" (TLS alone)";
            judge.report.error(&keys.at(path), "unknown kind of TLS", hint);
            PortTls::Off
        }
    }
}

/// Reports ports that speak TLS, where `config.json` has no certificate.
pub(super) fn needs_certificate(
    ports: &BTreeMap<u16, Port>,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) {
    for (port, _) in ports.iter().filter(|(_, port)| port.tls != PortTls::Off) {
        let port = port.to_string();
        let hint = "add `\"tls\": {\"cert\": \"FILE\", \"key\": \"FILE\"}` to config.json";
        let title = "TLS without a certificate";
        judge.report.error(&keys.at(&["ports", &port, "tls"]), title, hint);
    }
}

fn spread(ports: &BTreeMap<u16, Port>, keys: &Keys<'_>, judge: &mut Judge<'_>) {
    let all = || {
        ports.values().flat_map(|port| {
            let rules = port.var_diff.as_ref();
            [Some(port.diff), rules.map(|r| r.min_diff), rules.map(|r| r.max_diff)]
        })
    };
    let least = all().flatten().fold(f64::INFINITY, f64::min);
    let most = all().flatten().fold(0.0, f64::max);
    if most > least * MOST_SPREAD {
        let title = "the difficulties of this pool are too far apart to be counted exactly";
        let hint = format!("the greatest may be {MOST_SPREAD:e} times the smallest");
        judge.report.error(&keys.key(&["ports"]), title, &hint);
    }
}

fn difficulty(
    value: Option<f64>,
    default: Option<f64>,
    keys: &Keys<'_>,
    path: &[&str],
    judge: &mut Judge<'_>,
) -> f64 {
    let fine = LEAST_DIFF..=MOST_DIFF;
    match value.or(default) {
        Some(value) if fine.contains(&value) => return value,
        Some(_) => {
            let title = format!("`{}` is no difficulty", shown(&path.join(".")));
            let hint = format!("must be from {LEAST_DIFF:e} to {MOST_DIFF:e}");
            judge.report.error(&keys.at(path), &title, &hint);
        }
        None => missing(keys, path, judge),
    }
    DEFAULT_DIFF
}

fn missing(keys: &Keys<'_>, path: &[&str], judge: &mut Judge<'_>) {
    if keys.has(path) {
        return;
    }
    let (key, above) = path.split_last().unwrap_or((&"", &[]));
    let title = format!("varDiff has no `{}`", shown(key));
    judge.report.error(&keys.key(above), &title, &format!("add `\"{key}\": ...`"));
}

fn var_diff(raw: &RawVarDiff, keys: &Keys<'_>, path: &[&str], judge: &mut Judge<'_>) -> VarDiff {
    let below = |key| [path, &[key]].concat();
    let min_diff = difficulty(raw.min_diff, None, keys, &below("minDiff"), judge);
    let max_diff = difficulty(raw.max_diff, None, keys, &below("maxDiff"), judge);
    if raw.min_diff.is_some() && raw.max_diff.is_some() && min_diff > max_diff {
        let hint = "must not be above `maxDiff`";
        judge.report.error(&keys.at(&below("minDiff")), "impossible varDiff", hint);
    }
    let mut number = |key, value: Option<f64>, bounds| {
        if value.is_none() {
            missing(keys, &below(key), judge);
        }
        judge.number(keys, &below(key), value, 15.0, &bounds)
    };
    VarDiff {
        target_time: number("targetTime", raw.target_time, 0.001..=86_400.0),
        retarget_time: number("retargetTime", raw.retarget_time, 0.001..=86_400.0),
        variance_percent: number("variancePercent", raw.variance_percent, 0.0..=100.0),
        x2_mode: raw.x2_mode.unwrap_or(false),
        min_diff,
        max_diff,
    }
}
