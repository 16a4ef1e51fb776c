//! `romp check`: what NOMP's operators have loads, and each kind of broken file says what is wrong.

use crate::harness::romp;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// Writes a folder with our coins and these files, and checks it.
fn check(config: &str, pools: &[(&str, &str)]) -> (TempDir, Output) {
    let dir = tempfile::tempdir().expect("temporary folder");
    for folder in ["coins", "pool_configs"] {
        std::fs::create_dir(dir.path().join(folder)).expect("folder");
    }
    let coins = Path::new(env!("CARGO_MANIFEST_DIR")).join("coins");
    for coin in std::fs::read_dir(coins).expect("coins/").flatten() {
        std::fs::copy(coin.path(), dir.path().join("coins").join(coin.file_name())).expect("copy");
    }
    std::fs::write(dir.path().join("config.json"), config).expect("config.json");
    for (name, text) in pools {
        std::fs::write(dir.path().join("pool_configs").join(name), text).expect("pool file");
    }
    let output = romp(&["-C", &dir.path().display().to_string(), "check"]);
    (dir, output)
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_shipped_files_are_good() {
    let output = romp(&["-C", env!("CARGO_MANIFEST_DIR"), "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn nomps_early_files_load() {
    let (_dir, output) = check(EARLY_CONFIG, &[("litecoin.json", EARLY_POOL)]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn nomps_late_files_load() {
    let (_dir, output) = check(LATE_CONFIG, &[("litecoin.json", LATE_POOL)]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn each_kind_of_mistake_gives_its_message() {
    let pool = r#"{"enabled": true, "coin": "litecoin.json",
        "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
        "ports": {"3032": {"diff": 32}},
        "daemons": [{"host": "127.0.0.1", "port": 19332, "user": "u", "password": "p"}]}"#;
    let replaced = |from: &str, to: &str| {
        assert!(pool.contains(from));
        pool.replace(from, to)
    };
    let cases: [(&str, String, &[&str]); 9] = [
        ("unknown key", replaced("\"address\"", "\"adress\""), &["adress", "address"]),
        ("wrong type", replaced("{\"diff\": 32}", "{\"diff\": \"many\"}"), &["diff"]),
        (
            "duplicate key",
            replaced("\"enabled\": true,", "\"enabled\": true, \"enabled\": true,"),
            &["enabled"],
        ),
        ("missing coin", replaced("litecoin.json", "nocoin.json"), &["nocoin.json"]),
        (
            "no daemons",
            replaced(
                "{\"host\": \"127.0.0.1\", \"port\": 19332, \"user\": \"u\", \"password\": \"p\"}",
                "",
            ),
            &["daemons"],
        ),
        (
            "impossible vardiff",
            replaced(
                "{\"diff\": 32}",
                "{\"diff\": 32, \"varDiff\": {\"minDiff\": 512, \"maxDiff\": 8, \"targetTime\": 15, \"retargetTime\": 90, \"variancePercent\": 30}}",
            ),
            &["minDiff"],
        ),
        ("a port that is none", replaced("\"3032\"", "\"70000\""), &["70000"]),
        ("broken JSON", replaced("\"daemons\"", "daemons"), &["bad.json"]),
        ("negative difficulty", replaced("32}", "-32}"), &["diff"]),
    ];
    for (kind, text, words) in cases {
        let (_dir, output) = check("{}", &[("bad.json", &text)]);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(78), "{kind}: {told}");
        assert!(told.contains("bad.json"), "{kind}: no file named in {told}");
        for word in words {
            assert!(told.contains(word), "{kind}: no `{word}` in {told}");
        }
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let first = "{\n  \"enabled\": true,\n  \"coin\": \"nocoin.json\",\n  \"adress\": \"x\"\n}";
    let (_dir, output) = check("{\"logLevle\": \"debug\"}", &[("first.json", first)]);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(78), "{told}");
    for words in ["logLevle", "logLevel", "nocoin.json", "adress", "first.json", "4"] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
}

#[test]
fn two_pools_must_not_share_a_port() {
    let pool = |coin: &str| {
        format!(
            r#"{{"enabled": true, "coin": "{coin}.json", "address": "x",
            "ports": {{"3032": {{"diff": 32}}}}, "daemons": [{{"port": 1, "user": "u", "password": "p"}}]}}"#
        )
    };
    let (_dir, output) =
        check("{}", &[("a.json", &pool("litecoin")), ("b.json", &pool("bitcoin"))]);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(78), "{told}");
    for words in ["3032", "a.json", "b.json"] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
}

#[test]
fn a_folder_without_config_is_a_configuration_error() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().display().to_string();
    for command in ["check", "run"] {
        let output = romp(&["-C", &path, command]);
        assert_eq!(output.status.code(), Some(78), "{command}: {}", told(&output));
        assert!(told(&output).contains("config.json"), "{command}: {}", told(&output));
    }
}

#[test]
fn the_schema_is_json() {
    let output = romp(&["schema"]);
    assert!(output.status.success());
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema.to_string().contains("blockNotifyListener"));
}

#[test]
fn usage_errors_exit_with_two() {
    for args in [&["no-such-command"][..], &["run", "--no-such-option"], &[]] {
        assert_eq!(romp(args).status.code(), Some(2), "{args:?}");
    }
    assert!(romp(&["--help"]).status.success());
    assert!(romp(&["--version"]).status.success());
}

/// Keys and values of the first NOMP's example; comments and trailing commas as operators write.
const EARLY_CONFIG: &str = r#"{
    /* how much is logged */
    "logLevel": "debug", // or "warning", "error"
    "clustering": {"enabled": true, "forks": "auto"},
    "blockNotifyListener": {"enabled": true, "port": 8117, "password": "test"},
    "website": {"enabled": true, "port": 80, "liveStats": true},
}"#;

const EARLY_POOL: &str = r#"{
    "disabled": false,
    "coin": "litecoin.json",
    "shareProcessing": {
        "internal": {
            "enabled": true,
            "validateWorkerAddress": true,
            "paymentInterval": 30,
            "minimumPayment": 0.001,
            "minimumReserve": 10,
            "feePercent": 0.02,
            //"feeReceiveAddress": "LZz44iyF4zLCXJTU8RxztyyJZBntdS6fvv",
            "daemon": {"host": "localhost", "port": 19332, "user": "litecoinrpc", "password": "testnet"},
            "redis": {"host": "localhost", "port": 6379}
        },
        "mpos": {
            "enabled": false, "host": "localhost", "port": 3306, "user": "me",
            "password": "mypass", "database": "ltc", "stratumAuth": "password"
        }
    },
    "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
    "blockRefreshInterval": 1000,
    "txRefreshInterval": 20000,
    //instanceId: 37,
    "connectionTimeout": 600,
    "banning": {
        "enabled": true, "time": 600, "invalidPercent": 50, "checkThreshold": 500, "purgeInterval": 300
    },
    "ports": {
        "3032": {
            "diff": 32,
            "varDiff": {
                "minDiff": 8, "maxDiff": 512, "targetTime": 15, "retargetTime": 90, "variancePercent": 30
            }
        },
        "3256": {"diff": 256}
    },
    "daemons": [
        {"host": "localhost", "port": 19332, "user": "litecoinrpc", "password": "testnet"},
        {"host": "localhost", "port": 19344, "user": "litecoinrpc", "password": "testnet"}
    ],
    "p2p": {
        "enabled": false, "host": "localhost", "port": 19333, "magic": "fcc1b7dc",
        "protocolVersion": 70002,
    }
}"#;

const LATE_CONFIG: &str = r#"{
    "logLevel": "debug",
    "logColors": true,
    "cliPort": 17117,
    "clustering": {"enabled": true, "forks": "auto"},
    "defaultPoolConfigs": {
        "blockRefreshInterval": 1000,
        "jobRebroadcastTimeout": 55,
        "connectionTimeout": 600,
        "emitInvalidBlockHashes": false,
        "validateWorkerUsername": true,
        "tcpProxyProtocol": false,
        "banning": {
            "enabled": true, "time": 600, "invalidPercent": 50, "checkThreshold": 500,
            "purgeInterval": 300
        },
        "redis": {"host": "127.0.0.1", "port": 6379}
    },
    "website": {
        "enabled": true, "host": "0.0.0.0", "port": 80, "stratumHost": "cryppit.com",
        "stats": {"updateInterval": 60, "historicalRetention": 43200, "hashrateWindow": 300},
        "adminCenter": {"enabled": true, "password": "password"}
    },
    "redis": {"host": "127.0.0.1", "port": 6379},
    "switching": {
        "switch1": {
            "enabled": false, "algorithm": "sha256",
            "ports": {
                "3333": {
                    "diff": 10,
                    "varDiff": {
                        "minDiff": 16, "maxDiff": 512, "targetTime": 15, "retargetTime": 90,
                        "variancePercent": 30
                    }
                }
            }
        },
        "switch2": {"enabled": false, "algorithm": "scrypt", "ports": {"4444": {"diff": 10}}},
        "switch3": {"enabled": false, "algorithm": "x11", "ports": {"5555": {"diff": 0.001}}}
    },
    "profitSwitch": {
        "enabled": false, "updateInterval": 600, "depth": 0.90, "usePoloniex": true,
        "useCryptsy": true, "useMintpal": true, "useBittrex": true
    }
}"#;

const LATE_POOL: &str = r#"{
    "enabled": true,
    "coin": "litecoin.json",
    "address": "n4jSe18kZMCdGcZqaYprShXW6EH1wivUK1",
    "rewardRecipients": {
        "n37vuNFkXfk15uFnGoVyHZ6PYQxppD3QqK": 1.5,
        "22851477d63a085dbc2398c8430af1c09e7343f6": 0.1
    },
    "paymentProcessing": {
        "enabled": true, "paymentInterval": 30, "minimumPayment": 70,
        "daemon": {"host": "127.0.0.1", "port": 19332, "user": "testuser", "password": "testpass"}
    },
    "ports": {
        "3008": {"diff": 8},
        "3032": {
            "diff": 32,
            "varDiff": {
                "minDiff": 8, "maxDiff": 512, "targetTime": 15, "retargetTime": 90, "variancePercent": 30
            }
        },
        "3256": {"diff": 256}
    },
    "daemons": [
        {"host": "127.0.0.1", "port": 19332, "user": "testuser", "password": "testpass"}
    ],
    "p2p": {"enabled": true, "host": "127.0.0.1", "port": 19333, "disableTransactions": true},
    "mposMode": {
        "enabled": false, "host": "127.0.0.1", "port": 3306, "user": "me", "password": "mypass",
        "database": "ltc", "checkPassword": true, "autoCreateWorker": false
    }
}"#;
