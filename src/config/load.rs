//! Brings the files together: reads all, checks all, reports all at once.

use super::check_pool::Around;
use super::check_portal::Ports;
use super::checked::{Coin, Config, Pool};
use super::decode::decode;
use super::diagnostics::{Report, Severity, nearest, shown};
use super::document::Document;
use super::raw::{RawCoin, RawPool, RawPortal};
use super::values::{Judge, Keys, Secrets};
use super::{Loaded, check_coin, check_pool, check_portal, notes};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Keys that only NOMP's later pool files have.
const LATER: [&str; 8] = [
    "paymentProcessing",
    "rewardRecipients",
    "mposMode",
    "jobRebroadcastTimeout",
    "emitInvalidBlockHashes",
    "validateWorkerUsername",
    "tcpProxyProtocol",
    "redis",
];

/// Reads and checks a configuration folder; `colour` for messages to a terminal.
pub(super) fn load(dir: &Path, colour: bool, secrets: Secrets) -> Loaded {
    let mut report = Report::new(colour);
    let config = match dir.canonicalize() {
        Ok(dir) if is_missing(&dir.join("config.json")) => {
            let hint = "no configuration here; name its folder with -C, or start with a copy of \
                romp's config.json, coins/ and pool_configs/";
            let name = dir.join("config.json").display().to_string();
            report.file(Severity::Error, &name, hint);
            None
        }
        Ok(dir) => folder(&dir, secrets, &mut report),
        Err(error) => {
            let name = dir.display().to_string();
            report.file(Severity::Error, &name, &format!("no such folder to read: {error}"));
            None
        }
    };
    let config = config.filter(|_| report.errors.is_empty());
    if config.is_none() && report.errors.is_empty() {
        let name = dir.display().to_string();
        report.file(Severity::Error, &name, "the configuration cannot be used");
    }
    report.finish();
    Loaded { config, errors: report.errors, warnings: report.warnings }
}

fn folder(dir: &Path, secrets: Secrets, report: &mut Report) -> Option<Config> {
    let document = Document::open(dir, "config.json", report);
    let mut ports = Ports::default();
    let portal = document.as_ref().map(|document| {
        let (raw, value) = decode::<RawPortal>(document, Severity::Error, report);
        let keys = Keys::of(document);
        let mut judge = Judge { dir, report: &mut *report, secrets };
        notes::portal(&raw, &keys, &mut judge);
        let defaults = value.get("defaultPoolConfigs").and_then(Value::as_object).cloned();
        let checked = check_portal::check(&raw, &keys, &mut ports, &mut judge);
        (raw, checked, defaults.unwrap_or_default())
    });
    let none = Map::new();
    let pools = Pools {
        dir,
        secrets,
        portal: document.as_ref(),
        defaults: portal.as_ref().map_or(&none, |(_, _, defaults)| defaults),
        redis: portal.as_ref().and_then(|(_, checked, _)| checked.redis.as_ref()),
        has_certificate: portal.as_ref().is_none_or(|(raw, _, _)| raw.tls.is_some()),
        ports,
        files: BTreeMap::new(),
    };
    let pools = pools.read(report);
    let (raw, portal, _) = portal?;
    let believed = match &raw.trusted_proxies {
        None => Some("only proxies on this machine (loopback) are"),
        Some(proxies) if proxies.is_empty() => Some("no proxy is"),
        Some(_) => None,
    };
    if let (Some(believed), Some(document)) = (believed, &document) {
        for pool in pools.values().filter(|pool| pool.proxy_protocol) {
            let title = format!(
                "`tcpProxyProtocol` of {} without `trustedProxies` in config.json",
                pool.file
            );
            let hint =
                format!("{believed} believed; name yours: \"trustedProxies\": [\"192.0.2.10\"]");
            report.warning(&Keys::of(document).at(&[]), &title, &hint);
        }
    }
    Some(Config {
        dir: dir.to_owned(),
        data_dir: portal.data_dir,
        logging: portal.logging,
        forks: portal.forks,
        bind: portal.bind,
        notify: portal.notify,
        user: raw.user,
        group: raw.group,
        instance: raw.instance_id.unwrap_or(0),
        fsync: raw.fsync.unwrap_or(false),
        template_fallback: portal.template_fallback,
        shutdown_timeout: portal.shutdown_timeout,
        limits: portal.limits,
        nftables: portal.nftables,
        website: portal.website,
        tls: portal.tls,
        notifications: portal.notifications,
        historical_retention: portal.historical_retention,
        pools,
    })
}

fn is_missing(file: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    file.symlink_metadata().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Names of the JSON files of a folder, in order.
fn json_files(dir: &Path, folder: &str) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reading of the pool files.
struct Pools<'a> {
    dir: &'a Path,
    secrets: Secrets,
    portal: Option<&'a Document>,
    defaults: &'a Map<String, Value>,
    redis: Option<&'a super::Redis>,
    /// `tls` is written in `config.json`.
    has_certificate: bool,
    ports: Ports,
    /// Pool file by coin file, of the pools so far.
    files: BTreeMap<String, String>,
}

impl Pools<'_> {
    fn read(mut self, report: &mut Report) -> BTreeMap<String, Pool> {
        let mut pools: BTreeMap<String, Pool> = BTreeMap::new();
        let mut on = false;
        let names = json_files(self.dir, "pool_configs").unwrap_or_else(|error| {
            let text = format!("the folder cannot be read: {error}");
            report.file(Severity::Error, "pool_configs", &text);
            on = true;
            Vec::new()
        });
        for name in names {
            let name = format!("pool_configs/{name}");
            let Some(document) = Document::open(self.dir, &name, report) else {
                on = true;
                continue;
            };
            let wanted = wanted(&document, report);
            on |= wanted;
            let severity = if wanted { Severity::Error } else { Severity::Warning };
            let (_, value) = decode::<RawPool>(&document, severity, report);
            if !wanted {
                continue;
            }
            if let Some(pool) = self.pool(&document, value, &pools, report) {
                pools.insert(pool.coin.id.clone(), pool);
            }
        }
        if !on {
            let text = "no pool is enabled: there is nothing to mine";
            report.file(Severity::Warning, "pool_configs", text);
        }
        pools
    }

    fn pool(
        &mut self,
        document: &Document,
        own: Value,
        others: &BTreeMap<String, Pool>,
        report: &mut Report,
    ) -> Option<Pool> {
        // NOMP 1.2: a key of the defaults counts where the pool has no such top-level key.
        let mut merged = self.defaults.clone();
        if let Value::Object(own) = own {
            merged.extend(own);
        }
        let raw = serde_json::from_value::<RawPool>(Value::Object(merged)).unwrap_or_default();
        let keys = Keys::with_defaults(document, self.portal);
        let name = document.name.clone();
        let coin = self.coin(&raw, &keys, &name, report);
        if let Some(coin) = &coin
            && let Some(other) = others.get(&coin.id)
        {
            let title = format!("two pools for the coin `{}`", coin.id);
            let hint = format!("{} has it already", other.file);
            report.error(&keys.at(&["coin"]), &title, &hint);
        }
        let mut judge = Judge { dir: self.dir, report, secrets: self.secrets };
        let around = Around { coin, redis: self.redis, has_certificate: self.has_certificate };
        let pool = check_pool::check(&raw, &keys, &name, around, &mut self.ports, &mut judge)?;
        let wallet = |pool: &Pool| {
            pool.payments.as_ref().map(|paid| (paid.wallet.host.clone(), paid.wallet.port))
        };
        let same = |other: &&Pool| wallet(other).is_some() && wallet(other) == wallet(&pool);
        if let Some(other) = others.values().find(same) {
            let title = format!("{} pays from the same wallet", other.file);
            let hint = "payouts of the two can choose the same coins, and one of them waits 100 \
                        blocks then: give each coin a daemon with a wallet of its own";
            report.warning(&keys.at(&["paymentProcessing"]), &title, hint);
        }
        Some(pool)
    }

    fn coin(
        &mut self,
        raw: &RawPool,
        keys: &Keys<'_>,
        pool: &str,
        report: &mut Report,
    ) -> Option<Coin> {
        let Some(file) = raw.coin.as_deref() else {
            if !keys.has(&["coin"]) {
                let hint = "add `\"coin\"`: a file in coins/";
                report.error(&keys.at(&[]), "the pool has no coin", hint);
            }
            return None;
        };
        let place = keys.at(&["coin"]);
        let outside = |letter: char| letter == '/' || letter == '\\' || letter.is_control();
        if file.is_empty() || file.starts_with('.') || file.contains(outside) {
            let title = format!("`{}` is not a file in coins/", shown(file));
            report.error(&place, &title, "write a file name, such as litecoin.json");
            return None;
        }
        if let Some(other) = self.files.get(file) {
            let hint = format!("{other} has it already");
            report.error(&place, &format!("two pools for `{}`", shown(file)), &hint);
            return None;
        }
        self.files.insert(file.to_owned(), pool.to_owned());
        let name = format!("coins/{file}");
        if !self.dir.join(&name).exists() {
            let known = json_files(self.dir, "coins").unwrap_or_default();
            let hint = match nearest(file, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "put the coin's file there".to_owned(),
            };
            report.error(&place, &format!("there is no {}", shown(&name)), &hint);
            return None;
        }
        let document = Document::open(self.dir, &name, report)?;
        let (raw, _) = decode::<RawCoin>(&document, Severity::Error, report);
        let mut judge = Judge { dir: self.dir, report, secrets: self.secrets };
        check_coin::check(&raw, &Keys::of(&document), &mut judge)
    }
}

/// Whether a pool file is to be used: `enabled`, else not `disabled`, else by the schema it is
/// written in: later NOMP takes silence as off, early NOMP as on.
fn wanted(document: &Document, report: &mut Report) -> bool {
    let key = |key: &str| document.value.get(key);
    if let Some(enabled) = key("enabled") {
        return enabled.as_bool().unwrap_or(true);
    }
    if let Some(disabled) = key("disabled") {
        return !disabled.as_bool().unwrap_or(false);
    }
    let Some(later) = LATER.into_iter().find(|name| key(name).is_some()) else { return true };
    let title = "this pool is off: it has no `enabled`, which NOMP takes as false";
    let place = document.key_place(&[later.to_owned()]);
    report.note(&place, title, "so in files of this schema; add `\"enabled\": true`");
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::config::Store;

    /// The pool's ledger and folder are known where none of its secrets is.
    #[test]
    fn secrets_can_be_spared() {
        let dir = tempfile::tempdir().unwrap();
        let unset = r#"{"env": "ROMP_TEST_THAT_NOBODY_SETS"}"#;
        let portal = format!(
            r#"{{"dataDir": "elsewhere", "redis": {{"password": {unset}}},
                "blockNotifyListener": {{"enabled": true, "password": {unset}}},
                "website": {{"enabled": true, "host": "127.0.0.1",
                    "adminCenter": {{"enabled": true, "password": {unset}, "token": {unset}}}}},
                "notifications": {{
                    "webhooks": [{{"url": {unset}}}, {{"url": "https://a.b/c", "secret": {unset}}}],
                    "mail": {{"host": "a.b", "from": "a@b.c", "to": ["a@b.c"], "user": "u",
                        "password": {unset}}}}}}}"#
        );
        let pool = format!(
            r#"{{"enabled": true, "coin": "bitcoin.json", "ports": {{"4000": {{"diff": 1}}}},
                "address": "1KRotMnQpxu3sePQnsVLRy3EraRFYfJQFR",
                "redis": {{"password": {unset}}},
                "daemons": [{{"port": 1, "user": "u", "password": {unset}}}],
                "paymentProcessing": {{"enabled": true, "minimumPayment": 1,
                    "daemon": {{"port": 2, "user": "u", "password": {unset}}}}}}}"#
        );
        let bitcoin = include_str!("../../coins/bitcoin.json");
        for (name, text) in [
            ("config.json", &*portal),
            ("coins/bitcoin.json", bitcoin),
            ("pool_configs/bitcoin.json", &pool),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let loaded = load(dir.path(), false, Secrets::Spared);
        assert_eq!(loaded.errors, Vec::<String>::new());
        let config = loaded.config.unwrap();
        assert!(config.data_dir.ends_with("elsewhere"));
        assert!(matches!(config.pools["bitcoin"].store, Store::Redis(_)));
        assert_eq!(config.pools["bitcoin"].daemons.len(), 1);
        let loaded = load(dir.path(), false, Secrets::Needed);
        assert_eq!(loaded.errors.len(), 10, "{}", loaded.findings());
        assert!(loaded.errors.iter().all(|error| error.contains("cannot be read")));
    }
}
