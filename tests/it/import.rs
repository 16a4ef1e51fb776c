//! What NOMP's Redis and an MPOS database hold goes into the book once: with a real redis-server, a
//! real MariaDB and a real chain, by the real binary.

use crate::harness::{
    ADDRESS, Client, MariaDb, NO_MWEB, Pair, Pool, Redis, Romp, Stub, alone, free_port, seconds,
    to_satoshi, wait_until,
};
use crate::payments::submit;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// NOMP's keys, command by command, with names in the place of what only a test knows.
const NOMP: &str = include_str!("import/nomp.redis");
/// Weights in difficulty 1 on a pool whose smallest difficulty is 0.02.
const ONE: u64 = 1 << 16;

/// Runs an import; its report and exit code.
fn import(romp: &Romp, args: &[&str]) -> (Value, Option<i32>) {
    let output = romp.command(&[&["import"], args, &["--json"]].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
    });
    (report, output.status.code())
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many of a kind became what, and their sum.
fn sum(report: &Value, kind: &str, outcome: &str) -> (u64, u64) {
    let kinds = report["kinds"].as_array().expect("kinds");
    let found = kinds.iter().find(|entry| entry["kind"] == json!(kind)).expect("the kind");
    let sum = &found[outcome];
    let text = sum["sum"].as_str().expect("a sum");
    (sum["count"].as_u64().expect("a count"), text.parse().expect("a number"))
}

/// What `romp audit --offline` and `romp balance` say.
fn audit(romp: &Romp) -> Value {
    let output = romp.command(&["audit", "litecoin", "--offline", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn balance(romp: &Romp, coin: &str, address: &str) -> Value {
    romp.json(&["balance", coin, address, "--json"]).expect("an account")
}

fn files_of(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path());
        found.extend(files_of(&entry.path()));
    }
    found.sort();
    found
}

struct Scene {
    pair: Pair,
    redis: Redis,
    romp: Romp,
    port: u16,
    alice: String,
    bob: String,
    carol: String,
    block: String,
    value: u64,
}

impl Scene {
    fn start() -> Self {
        let pair = Pair::start_with(None, &[NO_MWEB]);
        pair.mine_to(120);
        let pool_address = pair.first.text("getnewaddress", json!(["", "legacy"]));
        let names = [0; 5].map(|_| pair.miner("legacy"));
        let [alice, bob, carol, dave, eve] = names;
        // Two blocks of the old pool, of which the chain leaves the second one.
        let mine = |address: &str| {
            let mined = pair.first.must("generatetoaddress", json!([1, address]));
            let hash = mined[0].as_str().expect("a hash").to_owned();
            pair.agree();
            wait_until("the company", seconds(30), || {
                pair.third.call("getblockheader", json!([hash])).is_ok()
            });
            pair.first.must("getblock", json!([hash, 2]))
        };
        let (block, orphan) = (mine(&pool_address), mine(&pool_address));
        for node in [&pair.first, &pair.second, &pair.third] {
            node.must("invalidateblock", json!([orphan["hash"]]));
        }
        mine(&pair.wallet);
        let redis = Redis::start();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        // Longer names first: `BLOCK` is a part of none.
        let told = [
            ("ORPHANBASE", text(&orphan["tx"][0]["txid"])),
            ("ORPHANHEIGHT", orphan["height"].to_string()),
            ("ORPHAN", text(&orphan["hash"])),
            ("STRANGER", "ab".repeat(32)),
            ("COINBASE", text(&block["tx"][0]["txid"])),
            ("HEIGHT", block["height"].to_string()),
            ("BLOCK", text(&block["hash"])),
            ("ALICE", alice.clone()),
            ("BOB", bob.clone()),
            ("CAROL", carol.clone()),
            ("DAVE", dave),
            ("EVE", eve),
        ];
        let keys =
            told.iter().fold(NOMP.to_owned(), |text, (name, value)| text.replace(name, value));
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/3", redis.port));
        let mut connection = client.and_then(|it| it.get_connection()).expect("redis");
        for line in keys.lines() {
            let mut parts = line.split(' ');
            let mut command = redis::cmd(parts.next().expect("a command"));
            for part in parts {
                command.arg(part);
            }
            command.query::<()>(&mut connection).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let port = free_port();
        let pool = Pool::new("litecoin", port, json!({"diff": 0.02}), pair.daemons())
            .with("address", json!(pool_address))
            .with("validateWorkerUsername", json!(false))
            .with(
                "paymentProcessing",
                json!({"enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001}),
            );
        let romp = Romp::prepare(1, &[&pool]);
        let value = to_satoshi(&block["tx"][0]["vout"][0]["value"]);
        let block = text(&block["hash"]);
        Self { pair, redis, romp, port, alice, bob, carol, block, value }
    }

    fn import(&self, more: &[&str]) -> (Value, Option<i32>) {
        let server = format!("127.0.0.1:{}/3", self.redis.port);
        let args = ["nomp", "litecoin", "--redis", &server];
        import(&self.romp, &[&args, more].concat())
    }

    /// Commands that Redis was given, by name.
    fn told_redis(&self) -> Vec<String> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.redis.port));
        let mut connection = client.and_then(|it| it.get_connection()).expect("redis");
        let stats: String =
            redis::cmd("INFO").arg("commandstats").query(&mut connection).expect("INFO");
        redis::cmd("CONFIG").arg("RESETSTAT").query::<()>(&mut connection).expect("RESETSTAT");
        let lines = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
        lines.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
    }

    fn bury(&self, count: u64) {
        self.pair.bury(count);
    }

    fn check_report(&self, report: &Value, taken: &str) {
        assert_eq!(report["balances_in"], json!("coins"));
        assert_eq!(report["wallet_must_hold"], json!("362345688"), "{report:#}");
        assert_eq!(sum(report, "balance", taken), (4, 362_345_688));
        assert_eq!(sum(report, "balance", "refused").0, 2);
        assert_eq!(sum(report, "balance", "nothing"), (1, 0));
        assert_eq!(sum(report, "paid", taken), (2, 7_100_000_000));
        assert_eq!(sum(report, "block", taken), (2, 2 * self.value), "{report:#}");
        assert_eq!(sum(report, "block", "refused").0, 2);
        assert_eq!(sum(report, "block", "nothing").0, 1);
        assert_eq!(sum(report, "work", taken), (2, 8 * ONE + ONE / 2));
        assert_eq!(report["counted"]["blocksConfirmed"], json!(3));
        let notes = report["notes"].to_string();
        assert!(notes.contains("blocksKicked") && notes.contains("litecoin_balances"), "{notes}");
        let lines = report["lines"].as_array().expect("lines");
        let says = |words: &str| {
            let line = lines
                .iter()
                .find(|line| line["words"].as_str().is_some_and(|text| text.contains(words)));
            line.unwrap_or_else(|| panic!("no line with `{words}`: {report:#}"))["key"].clone()
        };
        assert_eq!(says("`-2.5`: it is negative"), json!(self.carol));
        if taken == "taken" {
            assert_eq!(says("`-7`: it is negative"), json!(self.carol));
        }
        assert_eq!(says("is not 100 deep"), json!("ab".repeat(32)));
        assert_eq!(says("with two hashes"), json!("undefined:undefined:NaN"));
    }
}

/// M5, M6, M9, M11 in what NOMP left.
#[test]
fn what_nomp_owes_is_paid_once_and_its_blocks_as_if_they_were_this_pools() {
    let _alone = alone();
    let mut scene = Scene::start();

    // A dry run tells everything and writes nothing, here or there.
    scene.told_redis();
    let before = files_of(scene.romp.path());
    let (report, code) = scene.import(&[]);
    assert_eq!(code, Some(1), "something was refused");
    scene.check_report(&report, "taken");
    assert_eq!((&report["applied"], &report["dropped"]), (&json!(false), &json!("0.999999999")));
    assert_eq!(files_of(scene.romp.path()), before);
    let told = scene.told_redis();
    let reads = ["type", "hscan", "sscan", "scard", "select", "info", "config|resetstat", "auth"];
    assert!(told.iter().all(|name| reads.contains(&name.as_str())), "{told:?}");

    // Applied twice: the second time changes nothing.
    let (report, _) = scene.import(&["--apply"]);
    scene.check_report(&report, "taken");
    assert_eq!(report["applied"], json!(true));
    let first = audit(&scene.romp);
    assert_eq!((&first["imported"], &first["rewards"]), (&json!(362_345_688), &json!(0)));
    assert_eq!(first["held"], json!(200_000_000));
    let (report, _) = scene.import(&["--apply"]);
    scene.check_report(&report, "before");
    assert_eq!(audit(&scene.romp), first);
    let alice = balance(&scene.romp, "litecoin", &scene.alice);
    assert_eq!(
        (&alice["unpaid"], &alice["paid_before"]),
        (&json!(150_000_010), &json!(7_100_000_000_u64))
    );
    // The same Redis by another name is taken for another pool's.
    let server = format!("localhost:{}/3", scene.redis.port);
    let args = ["import", "nomp", "litecoin", "--redis", &server];
    let output = scene.romp.command(&args);
    assert!(words(&output).contains("--another-source"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    let output = scene.romp.command(&[&args[..], &["--prefix", "dogecoin"]].concat());
    assert!(words(&output).contains("nothing of a coin `dogecoin`"), "{output:?}");

    // Payments pay what was imported, and credit the pending block over NOMP's work.
    scene.romp.run();
    scene.romp.wait_ready(1);
    let server = format!("127.0.0.1:{}/3", scene.redis.port);
    wait_until("payments to have the book", seconds(30), || {
        let args = ["import", "nomp", "litecoin", "--redis", &server, "--apply"];
        let output = scene.romp.command(&args);
        words(&output).contains("payments of this coin run") && output.status.code() == Some(1)
    });
    scene.bury(101);
    let (alices, bobs) = (scene.value / 4, scene.value * 3 / 4);
    wait_until("old debts and the old block to be paid", seconds(120), || {
        scene.bury(1);
        let audit = audit(&scene.romp);
        audit["rewards"] == json!(scene.value)
            && audit["owed"] == json!(0)
            && audit["in_flight"] == json!(0)
    });
    let received = |address: &str| {
        to_satoshi(&scene.pair.second.must("getreceivedbyaddress", json!([address, 1])))
    };
    assert_eq!(received(&scene.alice), 150_000_010 + alices);
    assert_eq!(received(&scene.bob), 12_345_678 + bobs);
    assert_eq!(received(&scene.carol), 0);
    let verified = scene.romp.command(&["verify", "litecoin", &scene.block]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");

    // The orphan's work and that of the open round are in this pool's first block.
    let blocks = |scene: &Scene| {
        let blocks = scene.romp.json(&["blocks", "litecoin", "--json"]).unwrap_or_default();
        blocks.as_array().cloned().unwrap_or_default()
    };
    // One block only: a sibling would be an orphan.
    let mut client = Client::login(scene.port, &scene.carol).expect("login").scrypt();
    let tip = scene.pair.first.text("getbestblockhash", json!([]));
    client.wait_for_work_on(&tip).expect("work on the tip");
    submit(&mut client, true);
    wait_until("a block of this pool", seconds(90), || !blocks(&scene).is_empty());
    // One that is on its way still would lose against those that bury it.
    wait_until("the pool's blocks in the chain", seconds(90), || {
        blocks(&scene).iter().all(|block| {
            let header = scene.pair.first.call("getblockheader", json!([block["hash"]]));
            header.is_ok_and(|header| header["confirmations"].as_i64().is_some_and(|n| n > 0))
        })
    });
    scene.bury(101);
    let credits = |scene: &Scene, address: &str| -> Vec<u64> {
        let weight = |line: &str| {
            let mut parts = line.split_whitespace();
            (parts.next() == Some(address)).then(|| parts.next()?.parse().ok()).flatten()
        };
        blocks(scene)
            .iter()
            .filter_map(|block| {
                let hash = block["hash"].as_str()?;
                let output = scene.romp.command(&["verify", "litecoin", hash]);
                String::from_utf8_lossy(&output.stdout).lines().find_map(weight)
            })
            .collect()
    };
    wait_until("this pool's block to be credited", seconds(90), || {
        scene.bury(1);
        !credits(&scene, &scene.alice).is_empty()
    });
    assert_eq!(credits(&scene, &scene.alice), [ONE / 4 + ONE / 2]);
    assert_eq!(credits(&scene, &scene.bob), [ONE + ONE / 2 + 8 * ONE]);
    audit(&scene.romp);
}

/// The tables of MPOS that say what accounts are owed: names and types of their columns.
const TABLES: [&str; 3] = [
    "CREATE TABLE coin_addresses (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     account_id INT NOT NULL, currency VARCHAR(5) NOT NULL, coin_address VARCHAR(255) NOT NULL, \
     ap_threshold FLOAT DEFAULT 0, UNIQUE KEY coin_address (coin_address)) ENGINE=InnoDB",
    "CREATE TABLE transactions (id INT(255) NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     account_id INT(255) UNSIGNED NOT NULL, type VARCHAR(25) NULL, \
     coin_address VARCHAR(255) NULL, amount DECIMAL(50,30) DEFAULT 0, block_id INT(255) NULL, \
     timestamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, txid VARCHAR(256) NULL, \
     archived TINYINT(1) NOT NULL DEFAULT 0) ENGINE=InnoDB",
    "CREATE TABLE payouts (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, account_id INT NOT NULL, \
     completed TINYINT(1) NOT NULL DEFAULT 0) ENGINE=InnoDB",
];

/// A regtest address of a public key hash that ends in `number`.
fn address(number: u8) -> String {
    let mut payload = vec![0; 21];
    payload[0] = 111;
    payload[20] = number;
    bs58::encode(payload).with_check().into_string()
}

#[test]
fn confirmed_balances_of_mpos_are_taken_once() {
    let _alone = alone();
    let database = MariaDb::start();
    for table in TABLES {
        database.tell(table);
    }
    for (id, name) in [(1, "alice"), (2, "bob"), (3, "carol"), (4, "dave")] {
        database.tell(&format!(
            "INSERT INTO accounts (id, username, pass, pin) VALUES ({id}, '{name}', '', '')"
        ));
    }
    let (alice, dave) = (address(1), address(4));
    for (id, currency, address) in [(1, "BTC", &*alice), (2, "LTC", "x"), (4, "btc", &dave)] {
        database.tell(&format!(
            "INSERT INTO coin_addresses (account_id, currency, coin_address) \
             VALUES ({id}, '{currency}', '{address}')"
        ));
    }
    // Blocks 1 deep enough, 2 not, 3 an orphan.
    for (id, confirmations) in [(1, 120), (2, 119), (3, -1)] {
        database.tell(&format!(
            "INSERT INTO blocks (id, height, blockhash, confirmations, amount, difficulty, time) \
             VALUES ({id}, {id}, '{id}', {confirmations}, 50, 1, 0)"
        ));
    }
    for (account, kind, amount, block, archived) in [
        (1, "Credit", "10.123456789", "1", 0),
        (1, "Fee", "0.1", "1", 0),
        (1, "Donation", "0.02", "1", 0),
        (1, "Bonus", "0.003", "1", 0),
        (1, "Bonus", "900", "NULL", 0),
        (1, "Credit", "3", "2", 0),
        (1, "Fee", "0.5", "2", 0),
        (1, "Credit", "7", "3", 0),
        (1, "Orphan_Credit", "7", "3", 0),
        (1, "Credit_PPS", "1", "NULL", 0),
        (1, "Fee_PPS", "0.25", "NULL", 0),
        (1, "Debit_AP", "2", "NULL", 0),
        (1, "TXFee", "0.1", "NULL", 0),
        (1, "Credit", "500", "1", 1),
        (1, "Debit_MP", "500", "NULL", 1),
        (2, "Credit", "1", "1", 0),
        (3, "Credit", "1", "1", 0),
        (3, "Debit_MP", "1", "NULL", 0),
        (4, "Credit", "0.5", "1", 0),
        (9, "Credit", "0.5", "2", 0),
    ] {
        database.tell(&format!(
            "INSERT INTO transactions (account_id, type, amount, block_id, archived) \
             VALUES ({account}, '{kind}', {amount}, {block}, {archived})"
        ));
    }
    database.tell("INSERT INTO payouts (account_id) VALUES (1)");
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons())
        .with("address", json!(ADDRESS));
    let pool = pool.with("mposMode", database.mode(json!({})));
    let romp = Romp::prepare(1, &[&pool]);

    // 10.123456789 - 0.1 - 0.02 + 0.003 + 1 - 0.25 - 2 - 0.1, as MPOS counts.
    let alices = 865_645_678;
    let taken = alices + 50_000_000;
    let (report, code) = import(&romp, &["mpos", "bitcoin"]);
    assert_eq!(code, Some(1));
    assert_eq!(sum(&report, "balance", "taken"), (2, taken), "{report:#}");
    // Bob has an address of another coin only; transactions of nobody.
    assert_eq!(sum(&report, "balance", "refused"), (2, 100_000_000), "{report:#}");
    assert_eq!(sum(&report, "balance", "nothing"), (1, 0));
    assert_eq!(report["later"], json!("250000000"));
    assert!(report["notes"].to_string().contains("1 payments by hand"), "{report:#}");
    assert!(files_of(&romp.path().join("data")).is_empty());

    for outcome in ["taken", "before"] {
        let (report, code) = import(&romp, &["mpos", "bitcoin", "--apply"]);
        assert_eq!((sum(&report, "balance", outcome), code), ((2, taken), Some(1)));
        let alice = balance(&romp, "bitcoin", &alice);
        assert_eq!(
            (&alice["unpaid"], &alice["paid_before"]),
            (&json!(alices), &json!(50_200_000_000_u64))
        );
        let audit = romp.json(&["audit", "bitcoin", "--offline", "--json"]).expect("it balances");
        assert_eq!(audit["imported"], json!(taken));
    }

    // The server by flags, and an early version, where the address stands in the account.
    database.tell("DROP TABLE coin_addresses");
    database.tell("ALTER TABLE accounts ADD coin_address VARCHAR(255) NULL");
    database.tell(&format!("UPDATE accounts SET coin_address = '{dave}' WHERE id = 2"));
    database.tell("DELETE FROM transactions WHERE account_id NOT IN (2, 3)");
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons())
        .with("address", json!(ADDRESS));
    let romp = Romp::prepare(1, &[&pool]);
    let output = romp.command(&["import", "mpos", "bitcoin"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(words(&output).contains("--mysql"), "{output:?}");
    let secret = romp.path().join("secret");
    std::fs::write(&secret, "mpos-secret\n").unwrap();
    let (server, secret) = (format!("127.0.0.1:{}", database.port), secret.display().to_string());
    let login = ["mpos", "bitcoin", "--mysql", &server, "--user", "pool", "--database", "mpos"];
    let login = [&login[..], &["--password-file", &secret, "--apply"]].concat();
    let (report, code) = import(&romp, &login);
    assert_eq!((sum(&report, "balance", "taken"), code), ((1, 100_000_000), Some(0)));
    assert_eq!(balance(&romp, "bitcoin", &dave)["unpaid"], json!(100_000_000));
    let shown = romp.command(&[&["import"], &login[..], &["--verbose"]].concat());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("the wallet must hold 1.00000000 BTC"), "{shown}");
    assert!(shown.contains("taken before: balance 1.00000000 BTC bob"), "{shown}");
    assert!(!shown.contains("mpos-secret"), "{shown}");
}

/// Hashes of NOMP hold every name that ever mined: they are read in parts, and nothing is missed.
#[test]
fn large_hashes_are_read_in_parts_and_a_password_is_asked_for() {
    const RIGS: u64 = 20_000;
    let _alone = alone();
    let redis = Redis::start();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", redis.port));
    let mut connection = client.and_then(|it| it.get_connection()).expect("redis");
    for rig in 0..RIGS {
        let name = format!("{}.{rig}", address(u8::try_from(rig % 200).unwrap()));
        let mut command = redis::cmd("HSET");
        command.arg("bitcoin:balances").arg(name).arg("0.00000001");
        command.query::<()>(&mut connection).expect("HSET");
    }
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg("requirepass").arg("nomp-secret");
    command.query::<()>(&mut connection).expect("CONFIG SET");
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1}), stub.daemons())
        .with("address", json!(ADDRESS));
    let romp = Romp::prepare(1, &[&pool]);
    let server = format!("127.0.0.1:{}", redis.port);
    let args = ["nomp", "bitcoin", "--redis", &server, "--apply"];
    let output = romp.command(&[&["import"], &args[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(words(&output).contains("--password-file"), "{output:?}");
    let secret = romp.path().join("secret");
    std::fs::write(&secret, "nomp-secret\n").unwrap();
    let secret = secret.display().to_string();
    let (report, code) = import(&romp, &[&args[..], &["--password-file", &secret]].concat());
    assert_eq!((sum(&report, "balance", "taken"), code), ((RIGS, RIGS), Some(0)));
    assert_eq!(balance(&romp, "bitcoin", &address(7))["unpaid"], json!(RIGS / 200));
}
