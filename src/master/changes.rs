//! What a new configuration changes, in words, and what of it needs a restart. Pure.

use crate::config::Config;
use serde_json::Value;

/// Longest value shown.
const LONGEST: usize = 60;

/// A new configuration beside the old one.
#[derive(Debug)]
pub(crate) struct Changes {
    /// What is used from now on: the new one, except for what needs a restart.
    pub(crate) config: Config,
    /// What changes, one line each, no secrets.
    pub(crate) words: Vec<String>,
    /// What was written but waits for a restart.
    pub(crate) restart: Vec<String>,
}

/// Compares.
pub(crate) fn between(old: &Config, mut new: Config) -> Changes {
    let mut restart = Vec::new();
    let mut keep = |same: bool, what: &str| {
        if !same {
            restart.push(format!("{what}: needs a restart; the old one stays until then"));
        }
    };
    keep(old.data_dir == new.data_dir, "dataDir");
    keep(old.user == new.user, "user");
    keep(old.group == new.group, "group");
    keep(old.instance == new.instance, "instanceId");
    keep(old.bind == new.bind, "the address of the stratum ports");
    keep(old.logging.json == new.logging.json, "logFormat");
    keep(old.logging.colors == new.logging.colors, "logColors");
    new.data_dir.clone_from(&old.data_dir);
    new.user.clone_from(&old.user);
    new.group.clone_from(&old.group);
    new.instance = old.instance;
    new.bind = old.bind;
    new.logging.json = old.logging.json;
    new.logging.colors = old.logging.colors;
    for (coin, pool) in &mut new.pools {
        let Some(before) = old.pools.get(coin) else { continue };
        // Shares of one ledger must all be of one kind of work.
        keep(before.coin.algorithm == pool.coin.algorithm, &format!("{coin}: algorithm"));
        pool.coin.algorithm = before.coin.algorithm;
        keep(before.store == pool.store, &format!("{coin}: where its ledger is"));
        pool.store.clone_from(&before.store);
    }
    let mut words = Vec::new();
    match (serde_json::to_value(old), serde_json::to_value(&new)) {
        (Ok(old), Ok(new)) => compare("", &old, &new, &mut words),
        _ => words.push("something".to_owned()),
    }
    Changes { config: new, words, restart }
}

fn compare(path: &str, old: &Value, new: &Value, words: &mut Vec<String>) {
    if old == new {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if !is_duration(old) => {
            for (key, before) in old {
                match new.get(key) {
                    Some(now) => compare(&below(key), before, now, words),
                    None => words.push(format!("{}: removed", below(key))),
                }
            }
            for key in new.keys().filter(|key| !old.contains_key(*key)) {
                words.push(format!("{}: added", below(key)));
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (before, now)) in old.iter().zip(new).enumerate() {
                compare(&below(&(index + 1).to_string()), before, now, words);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            words.push(format!("{path}: {} before, {} now", old.len(), new.len()));
        }
        _ if is_secret(path) => words.push(format!("{path}: changed")),
        _ => words.push(format!("{path}: {} before, {} now", show(old), show(new))),
    }
}

/// Whether a setting's value is not for the log: a secret, an address that is its own password, or a
/// certificate's many letters.
fn is_secret(path: &str) -> bool {
    const NAMES: [&str; 7] = ["password", "token", "key", "cert", "secret", "url", "login"];
    path.split('.').any(|name| NAMES.contains(&name))
}

fn is_duration(object: &serde_json::Map<String, Value>) -> bool {
    object.len() == 2 && object.contains_key("secs") && object.contains_key("nanos")
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Object(object) if is_duration(object) => {
            let number = |key| object.get(key).and_then(Value::as_f64).unwrap_or_default();
            format!("{} s", number("secs") + number("nanos") / 1e9)
        }
        // Its fields may hold a password.
        Value::Object(_) | Value::Array(_) => "something".to_owned(),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(LONGEST) {
                Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
                None => text,
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    /// A small configuration: one Litecoin pool on port 3032.
    pub(crate) fn sample() -> Config {
        let second = json!({"secs": 1, "nanos": 0});
        serde_json::from_value(json!({
            "dir": "/srv/pool", "data_dir": "/srv/pool/data",
            "logging": {"level": "debug", "colors": false, "file": null, "json": false},
            "forks": {"count": 2}, "bind": "127.0.0.1",
            "notify": [{"address": "127.0.0.1:8117", "password": "hush"}],
            "user": null, "group": null, "instance": 0, "fsync": false,
            "template_fallback": second, "shutdown_timeout": second,
            "pools": {"litecoin": {
                "coin": {"id": "litecoin", "name": "Litecoin", "symbol": "LTC",
                    "algorithm": "scrypt", "addresses": {}, "magic": {}, "tx_messages": false,
                    "has_get_info": false, "template_rules": ["mweb", "segwit"],
                    "block_time": 150, "explorer": {}},
                "file": "litecoin.json", "address": "x", "recipients": [],
                "ports": {"3032": {"diff": 8.0, "var_diff": null}},
                "daemons": [{"host": "127.0.0.1", "port": 19332, "user": "u", "password": "hush"}],
                "store": "sqlite", "unit": -7, "block_refresh": second, "job_refresh": second,
                "stale_work": second, "connection_timeout": second, "validate_username": false,
                "banning": null, "proxy_protocol": false, "extranonce2_size": 4,
                "version_mask": 0, "tag": "/romp/", "daemon_timeout": second,
                "payments": null, "doctor": true, "long_poll": true, "p2p": null
            }}
        }))
        .unwrap()
    }

    #[test]
    fn no_way_to_write_a_secret_shows_it() {
        for path in [
            "pools.litecoin.daemons.1.password",
            "notifications.webhooks.2.url",
            "notifications.webhooks.2.secret",
            "notifications.mail.login.2",
            "website.tls.key",
        ] {
            let mut words = Vec::new();
            compare(path, &json!("old hush"), &json!("new hush"), &mut words);
            assert_eq!(words, [format!("{path}: changed")]);
        }
    }

    #[test]
    fn nothing_changed_is_nothing_said() {
        let changes = between(&sample(), sample());
        assert!(changes.words.is_empty() && changes.restart.is_empty());
    }

    #[test]
    fn changes_are_named_without_secrets() {
        let mut new = sample();
        let pool = new.pools.get_mut("litecoin").unwrap();
        pool.ports.get_mut(&3032).unwrap().diff = 16.0;
        let port = pool.ports.get(&3032).unwrap().clone();
        pool.ports.insert(3033, port);
        pool.daemons.first_mut().unwrap().password = crate::config::Secret::new("loud".into());
        pool.block_refresh = std::time::Duration::from_millis(2500);
        new.notify.clear();
        let words = between(&sample(), new).words;
        for line in [
            "pools.litecoin.ports.3032.diff: 8.0 before, 16.0 now",
            "pools.litecoin.ports.3033: added",
            "pools.litecoin.daemons.1.password: changed",
            "pools.litecoin.block_refresh: 1 s before, 2.5 s now",
            "notify: 1 before, 0 now",
        ] {
            assert!(words.iter().any(|word| word == line), "{line} in {words:#?}");
        }
        assert_eq!(words.len(), 5);
        assert!(!words.concat().contains("hush") && !words.concat().contains("loud"));
    }

    #[test]
    fn what_needs_a_restart_stays_as_it_was() {
        let mut new = sample();
        new.data_dir = "/elsewhere".into();
        new.user = Some("pool".into());
        new.instance = 7;
        new.pools.get_mut("litecoin").unwrap().coin.algorithm = crate::pow::Algorithm::Sha256;
        let changes = between(&sample(), new);
        assert_eq!(changes.config, sample());
        assert!(changes.words.is_empty());
        assert_eq!(changes.restart.len(), 4, "{:?}", changes.restart);
    }
}
