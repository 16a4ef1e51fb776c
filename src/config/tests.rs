//! Whole configurations: NOMP's examples, the shipped files, and one folder per mistake.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::rewards::Amount;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/configs").join(name)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// The base configuration with other files put over it.
pub(super) fn over_base(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    copy(&fixture("base"), dir.path());
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn loaded(dir: &Path) -> (Config, String) {
    let loaded = load(dir);
    let config = loaded.config.unwrap_or_else(|| panic!("{}", loaded.errors.join("\n")));
    assert!(loaded.errors.is_empty());
    (config, loaded.warnings.join("\n"))
}

#[test]
fn early_nomp_files_keep_their_meaning() {
    let (config, warnings) = loaded(&fixture("early"));
    let pool = &config.pools["litecoin"];
    assert_eq!(config.forks, Forks::Auto);
    assert_eq!(config.notify[0].address, "0.0.0.0:8117".parse().unwrap());
    assert_eq!(config.notify[0].password.as_ref().unwrap().expose(), "test");
    assert_eq!(pool.job_refresh, Duration::from_secs(20));
    assert_eq!(pool.recipients, []);
    assert!(matches!(&pool.store, Store::Redis(redis) if redis.host == "localhost"));
    let payments = pool.payments.as_ref().unwrap();
    assert_eq!((payments.minimum, payments.fee_ppm), (Amount(100_000), 20_000));
    let fee = payments.fee_account.as_ref().unwrap();
    let theirs = "LZz44iyF4zLCXJTU8RxztyyJZBntdS6fvv";
    assert_eq!((fee.address.as_str(), fee.threshold), (theirs, Amount(500_000_000)));
    assert_eq!(pool.daemons.len(), 2);
    assert_eq!(config.historical_retention, Duration::from_secs(365 * 86_400));
    assert_eq!(pool.ports[&3032].var_diff.as_ref().unwrap().max_diff, 512.0);
    assert!(pool.validate_username);
    assert_eq!(pool.coin.template_rules, ["mweb", "segwit"]);
    assert!(warnings.contains("everybody can guess this password"), "{warnings}");
    assert!(warnings.contains("accepted, without effect yet"), "{warnings}");
    let site = config.website.as_ref().unwrap();
    assert_eq!((site.title.as_str(), site.address), ("Cryppit", "127.0.0.1:80".parse().unwrap()));
    assert_eq!((site.interval, site.window), (Duration::from_secs(5), Duration::from_secs(600)));
}

#[test]
fn late_nomp_files_keep_their_meaning() {
    let (config, warnings) = loaded(&fixture("late"));
    let pool = &config.pools["litecoin"];
    assert_eq!(config.notify.len(), 1);
    assert_eq!(config.historical_retention, Duration::from_secs(43_200));
    assert_eq!(config.notify[0].address, "127.0.0.1:17117".parse().unwrap());
    assert_eq!(config.notify[0].password, None);
    let ppm: Vec<u32> = pool.recipients.iter().map(|recipient| recipient.ppm).collect();
    assert_eq!(ppm, [1_000, 15_000]);
    assert_eq!(pool.job_refresh, Duration::from_secs(55));
    assert_eq!(pool.banning.as_ref().unwrap().time, Duration::from_secs(600));
    assert!(matches!(pool.store, Store::Redis(_)));
    assert_eq!(pool.coin.magic[&crate::chain::Network::Main], [0xfb, 0xc0, 0xb6, 0xdb]);
    assert!(warnings.contains("admin center"), "{warnings}");
    let site = config.website.as_ref().unwrap();
    assert_eq!(site.address, "0.0.0.0:80".parse().unwrap());
    assert_eq!(site.stratum_host.as_deref(), Some("cryppit.com"));
    assert_eq!((site.interval, site.window), (Duration::from_secs(60), Duration::from_secs(300)));
    for silent in ["switching", "MPOS", "profit"] {
        assert!(!warnings.contains(silent), "{silent} in {warnings}");
    }
}

#[test]
fn travels_as_json() {
    for name in ["early", "late", "base"] {
        let (config, _) = loaded(&fixture(name));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

#[test]
fn each_mistake_is_told() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for case in fs::read_dir(fixture("broken")).unwrap() {
        let case = case.unwrap().path();
        let dir = TempDir::new().unwrap();
        copy(&fixture("base"), dir.path());
        copy(&case, dir.path());
        let expected = fs::read_to_string(case.join("expected.txt")).unwrap();
        let mut lines = expected.lines();
        let count: usize = lines.next().unwrap().strip_prefix("errors ").unwrap().parse().unwrap();
        let loaded = load(dir.path());
        let said = loaded.errors.join("\n\n");
        let context = format!("{}:\n{said}", case.display());
        let missing: Vec<&str> = lines.filter(|fragment| !said.contains(fragment)).collect();
        if !missing.is_empty() || loaded.errors.len() != count || loaded.config.is_some() {
            wrong.push(format!("{missing:?} not in {context}"));
        }
        for secret in ["hunter2", "77321"] {
            assert!(!said.contains(secret) && !loaded.warnings.join("").contains(secret));
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > 60);
}

#[test]
fn shipped_files_are_fine() {
    let dir = TempDir::new().unwrap();
    copy(&root().join("coins"), &{
        let coins = dir.path().join("coins");
        fs::create_dir(&coins).unwrap();
        coins
    });
    let pools = dir.path().join("pool_configs");
    fs::create_dir(&pools).unwrap();
    fs::copy(root().join("config.json"), dir.path().join("config.json")).unwrap();
    let example = fs::read_to_string(root().join("pool_configs/litecoin_example.json")).unwrap();
    fs::write(pools.join("litecoin_example.json"), &example).unwrap();
    let (config, warnings) = loaded(dir.path());
    assert!(config.pools.is_empty(), "the example is off until somebody sets an address");
    assert_eq!(warnings.matches("warning").count(), 1, "only that no pool is on: {warnings}");

    let on = example
        .replacen("\"enabled\": false", "\"enabled\": true", 1)
        .replace("{\"env\": \"LITECOIN_RPC_PASSWORD\"}", "{\"file\": \"secret\"}");
    fs::write(dir.path().join("secret"), "s3cret\n").unwrap();
    fs::write(pools.join("litecoin_example.json"), on).unwrap();
    for (file, address, port) in [
        ("bitcoin.json", "1KRotMnQpxu3sePQnsVLRy3EraRFYfJQFR", 4000),
        ("dogecoin.json", "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", 4001),
    ] {
        let pool = format!(
            r#"{{"enabled": true, "coin": "{file}", "address": "{address}",
                "ports": {{"{port}": {{"diff": 1}}}},
                "daemons": [{{"port": 1, "user": "u", "password": "p"}}]}}"#
        );
        fs::write(pools.join(file), pool).unwrap();
    }
    let (config, warnings) = loaded(dir.path());
    let ids: Vec<&str> = config.pools.keys().map(String::as_str).collect();
    assert_eq!(ids, ["bitcoin", "dogecoin", "litecoin"]);
    let pool = &config.pools["litecoin"];
    assert_eq!(pool.daemons[0].password.expose(), "s3cret");
    assert_eq!(pool.store, Store::Sqlite);
    assert_eq!(pool.coin.addresses.len(), 3);
    assert_eq!(pool.unit, crate::stratum::Unit(-7));
    assert!(!warnings.contains("s3cret"));
}

#[test]
fn an_address_of_another_coin_is_refused() {
    let litecoin = fs::read_to_string(root().join("coins/litecoin.json")).unwrap();
    let pool = fs::read_to_string(fixture("base/pool_configs/litecoin.json")).unwrap();
    let doge = "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L";
    let pool = pool.replace("mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc", doge);
    let dir =
        over_base(&[("coins/litecoin.json", &litecoin), ("pool_configs/litecoin.json", &pool)]);
    let loaded = load(dir.path());
    assert_eq!(loaded.errors.len(), 1, "{:?}", loaded.errors);
    assert!(loaded.errors[0].contains("is not an address of Litecoin"), "{:?}", loaded.errors);
}

#[test]
fn whether_a_pool_is_on_follows_its_schema() {
    let pool = fs::read_to_string(fixture("base/pool_configs/litecoin.json")).unwrap();
    let with = |text: &str| pool.replace("\"enabled\": true,", text);
    for (text, on) in [
        ("", true),
        ("\"disabled\": false,", true),
        ("\"disabled\": true,", false),
        ("\"enabled\": false,", false),
        ("\"enabled\": true, \"disabled\": true,", true),
        ("\"rewardRecipients\": {},", false),
        ("\"enabled\": true, \"rewardRecipients\": {},", true),
    ] {
        let dir = over_base(&[("pool_configs/litecoin.json", &with(text))]);
        let (config, warnings) = loaded(dir.path());
        assert_eq!(config.pools.len(), usize::from(on), "{text}");
        let told = warnings.contains("add `\"enabled\": true`");
        assert_eq!(told, text.starts_with("\"reward"), "{text}: {warnings}");
    }
    let off = with("\"enabled\": false, \"zzz\": 1,");
    let (_, warnings) = loaded(over_base(&[("pool_configs/litecoin.json", &off)]).path());
    assert!(warnings.contains("unknown key `zzz`"), "{warnings}");
}

#[test]
fn a_pool_key_wins_over_the_defaults_as_a_whole() {
    let portal = r#"{"defaultPoolConfigs": {"jobRebroadcastTimeout": 40, "connectionTimeout": 7,
        "banning": {"enabled": true, "time": 5}, "validateWorkerUsername": true},
        "redis": {"host": "portal"}}"#;
    let pool = fs::read_to_string(fixture("base/pool_configs/litecoin.json")).unwrap();
    let pool = pool.replace(
        "\"enabled\": true,",
        r#""txRefreshInterval": 3000, "banning": {"enabled": true},
           "shareProcessing": {"internal": {"validateWorkerAddress": false}},"#,
    );
    let dir = over_base(&[("config.json", portal), ("pool_configs/litecoin.json", &pool)]);
    let (config, _) = loaded(dir.path());
    let pool = &config.pools["litecoin"];
    assert_eq!(pool.connection_timeout, Duration::from_secs(7));
    assert_eq!(pool.banning.as_ref().unwrap().time, Duration::from_secs(600));
    assert_eq!(pool.job_refresh, Duration::from_secs(3), "the pool's own early key wins");
    assert!(!pool.validate_username, "the pool's own early key wins");
    assert!(matches!(&pool.store, Store::Redis(redis) if redis.host == "portal"));
}

#[test]
fn odd_values_that_are_accepted_are_told() {
    let pool = fs::read_to_string(fixture("base/pool_configs/litecoin.json")).unwrap();
    let pool = pool
        .replace("\"port\": 19332", "\"port\": \"19332\"")
        .replace(
            "{\"diff\": 32}",
            r#"{"diff": 2, "varDiff": {"minDiff": 4, "maxDiff": 8,
            "targetTime": 1, "retargetTime": 1, "variancePercent": 1}}"#,
        )
        .replace(
            "\"enabled\": true,",
            r#""blockRefreshInterval": 0, "versionMask": "ffffffff",
            "banning": {"enabled": true, "time": 600, "maxTime": 60},"#,
        );
    let portal = r#"{"clustering": {"enabled": true, "forks": 10000},
        "trustedProxies": ["0.0.0.0/0"], "limits": {"allow": ["2000::/3", "10.0.0.0/8"]}}"#;
    let dir = over_base(&[("config.json", portal), ("pool_configs/litecoin.json", &pool)]);
    let (config, warnings) = loaded(dir.path());
    assert_eq!(config.pools["litecoin"].daemons[0].port, 19332);
    assert_eq!(config.pools["litecoin"].block_refresh, Duration::ZERO);
    assert_eq!(config.forks, Forks::Count(128));
    for told in [
        "a number in quotes",
        "too many workers",
        "outside of `minDiff`",
        "nodes look at",
        "`banning.maxTime` is shorter",
        "`0.0.0.0/0` is very wide",
        "`2000::/3` is very wide",
    ] {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }
    assert!(!warnings.contains("`10.0.0.0/8` is"), "{warnings}");
}

#[test]
fn whose_proxy_headers_are_believed_is_told() {
    let pool = fs::read_to_string(fixture("base/pool_configs/litecoin.json")).unwrap();
    let pool = pool.replace("\"enabled\": true,", "\"enabled\": true, \"tcpProxyProtocol\": true,");
    for (portal, told) in [
        ("{}", "only proxies on this machine (loopback) are believed"),
        (r#"{"trustedProxies": []}"#, "no proxy is believed"),
        (r#"{"trustedProxies": ["192.0.2.10"]}"#, ""),
    ] {
        let dir = over_base(&[("config.json", portal), ("pool_configs/litecoin.json", &pool)]);
        let (_, warnings) = loaded(dir.path());
        assert!(warnings.contains(told), "{portal}: {warnings}");
        assert_eq!(warnings.contains("tcpProxyProtocol"), !told.is_empty(), "{portal}: {warnings}");
    }
}

#[test]
fn passwords_in_open_files_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let dir = over_base(&[]);
    let file = dir.path().join("pool_configs/litecoin.json");
    for (mode, told) in [(0o644, true), (0o640, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let (_, warnings) = loaded(dir.path());
        assert_eq!(warnings.contains("everybody on this machine may read it"), told, "{mode:o}");
    }
}

#[test]
fn files_that_are_no_files_are_told() {
    let said = |change: &dyn Fn(&Path)| {
        let dir = over_base(&[]);
        change(dir.path());
        let loaded = load(dir.path());
        assert!(loaded.config.is_none());
        loaded.errors.join("\n")
    };
    let file = "config.json";
    let text = said(&|dir| fs::remove_file(dir.join(file)).unwrap());
    assert!(text.contains("config.json: no configuration here"), "{text}");
    let text = said(&|dir| {
        fs::remove_file(dir.join(file)).unwrap();
        fs::create_dir(dir.join(file)).unwrap();
    });
    assert!(text.contains("config.json: is not a file"), "{text}");
    let text = said(&|dir| {
        fs::remove_file(dir.join(file)).unwrap();
        std::os::unix::fs::symlink(file, dir.join(file)).unwrap();
    });
    assert!(text.contains("config.json: cannot be read"), "{text}");
    let text = said(&|dir| fs::write(dir.join(file), vec![b' '; (4 << 20) + 1]).unwrap());
    assert!(text.contains("larger than 4 MiB"), "{text}");
    let text = said(&|dir| fs::write(dir.join(file), "[".repeat(200_000)).unwrap());
    assert!(text.contains("maximum nesting depth exceeded"), "{text}");
    let text = said(&|dir| fs::write(dir.join(file), b"{\n\"logFile\": \"\xff\"}").unwrap());
    assert!(text.contains("line 2 is not UTF-8"), "{text}");
    let text = said(&|dir| fs::remove_dir_all(dir.join("pool_configs")).unwrap());
    assert!(text.contains("pool_configs: the folder cannot be read"), "{text}");
    assert!(load(Path::new("/no/such/folder")).errors[0].contains("no such folder"));
}

/// Texts that an editor's slip, or an attacker, puts into a file.
const SLIPS: [&str; 12] =
    ["", "{", "}", "\"", ",", "null", "-1", "1e308", "[]", "{\"a\": 1}", "\\", "\u{e9}\u{0}"];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn a_damaged_file_gives_a_configuration_or_an_error(
        which in 0_usize..3, from in 0.0..1.0_f64, length in 0_usize..30, slip in 0_usize..12,
    ) {
        let name = ["config.json", "coins/litecoin.json", "pool_configs/litecoin.json"][which];
        let text = fs::read_to_string(fixture("early").join(name)).unwrap();
        let start = (text.len() as f64 * from) as usize;
        let end = (start + length).min(text.len());
        let damaged = format!("{}{}{}", &text[..start], SLIPS[slip], &text[end..]);
        let dir = TempDir::new().unwrap();
        copy(&fixture("early"), dir.path());
        fs::write(dir.path().join(name), damaged).unwrap();
        let loaded = load(dir.path());
        proptest::prop_assert_eq!(loaded.config.is_some(), loaded.errors.is_empty());
        if let Some(mut config) = loaded.config {
            // What no child is to have is not written.
            config.pools.values_mut().for_each(|pool| pool.idle_payments = None);
            let text = serde_json::to_string(&config).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
        }
    }
}

#[test]
fn schemas_know_every_kind_and_the_guide_every_key() {
    fn keys(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
        match schema {
            serde_json::Value::Object(map) => {
                if let Some(properties) = map.get("properties").and_then(|p| p.as_object()) {
                    found.extend(properties.keys().cloned());
                }
                map.values().for_each(|value| keys(value, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let schema = schema();
    let guide = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let named: BTreeSet<&str> =
        guide.split('`').skip(1).step_by(2).flat_map(|path| path.split('.')).collect();
    for kind in ["config", "coin", "pool"] {
        let mut found = BTreeSet::new();
        keys(&schema[kind], &mut found);
        assert!(found.len() > 10, "{kind}: {found:?}");
        for key in found {
            let known = named.contains(key.as_str());
            assert!(known, "docs/configuration.md says nothing of `{key}` ({kind})");
        }
    }
}
