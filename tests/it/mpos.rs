//! MPOS mode against a real MariaDB: every row field by field, none lost and none twice whatever
//! is stopped or killed, and who may mine.

use crate::harness::{
    Client, Load, MariaDb, Pool, Romp, Stub, alone, free_port, seconds, wait_until,
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const EASY: f64 = 1e-9;

struct Scene {
    database: MariaDb,
    stub: Stub,
    romp: Romp,
    port: u16,
}

/// A row of `shares`: host, name, our and upstream result, difficulty, reason, solution, age in s.
type Share = (String, String, String, String, f64, Option<String>, String, i64);

impl Scene {
    /// A pool in MPOS mode with `forks` workers; `mode` and `keys` are added to its file.
    fn start(forks: u16, port_rules: Value, mode: Value, keys: &[(&str, Value)]) -> Self {
        Self::start_on(MariaDb::start(), forks, port_rules, mode, keys)
    }

    fn start_on(
        database: MariaDb,
        forks: u16,
        port_rules: Value,
        mode: Value,
        keys: &[(&str, Value)],
    ) -> Self {
        let stub = Stub::start(&["segwit"]);
        let port = free_port();
        let pool = Pool::new("bitcoin", port, port_rules, stub.daemons())
            .with("mposMode", database.mode(mode));
        let pool = keys.iter().fold(pool, |pool, (key, value)| pool.with(key, value.clone()));
        let mut romp = Romp::prepare(forks, &[&pool]);
        let path = romp.path().join("coins/bitcoin.json");
        let coin = std::fs::read_to_string(&path).unwrap();
        let coin = coin.replacen('{', "{\"mposDiffMultiplier\": 256,", 1);
        std::fs::write(path, coin).unwrap();
        romp.run();
        romp.wait_ready(usize::from(forks));
        Self { database, stub, romp, port }
    }

    fn add_worker(&self, name: &str, password: &str) {
        self.database.tell(&format!(
            "INSERT INTO pool_worker (account_id, username, password) \
             VALUES (1, '{name}', '{password}')"
        ));
    }

    fn shares(&self) -> Vec<Share> {
        self.database.ask(
            "SELECT rem_host, username, our_result, upstream_result, difficulty, reason, solution, \
             CAST(UNIX_TIMESTAMP() - UNIX_TIMESTAMP(time) AS SIGNED) FROM shares ORDER BY id",
        )
    }

    /// Waits until `shares` has so many rows.
    fn wait_rows(&self, count: u64) {
        wait_until(&format!("{count} rows in MPOS"), seconds(20), || {
            self.database.count("SELECT COUNT(*) FROM shares") >= count
        });
    }

    /// Whether a name is let in, and what it is told.
    fn authorize(&self, name: &str, password: &str) -> (bool, String) {
        let mut client = Client::connect(self.port).expect("connect");
        client.subscribe().expect("subscribe");
        let answer =
            client.request("mining.authorize", &json!([name, password])).expect("an answer");
        (answer["result"] == json!(true), answer["error"][1].to_string())
    }
}

#[test]
fn every_share_of_a_known_worker_is_a_row() {
    let _alone = alone();
    let scene = Scene::start(1, json!({"diff": EASY}), json!({}), &[]);
    scene.add_worker("alice.1", "secret");
    let mut client = Client::login(scene.port, "Alice.1").expect("a known worker, in any case");
    let good = client.search(|meets, wanted, _| meets >= wanted * 1.001);
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(client.request("mining.submit", &good.share).unwrap());
    }
    let mut odd = good.share.clone();
    odd[2] = json!("00");
    answers.push(client.request("mining.submit", &odd).unwrap());
    let weak = client.search(|meets, wanted, _| meets < wanted * 0.9);
    answers.push(client.request("mining.submit", &weak.share).unwrap());
    // Nobody who is known: no row.
    let mut stranger = good.share.clone();
    stranger[0] = json!("eve.1");
    client.request("mining.submit", &stranger).unwrap();
    scene.wait_rows(4);

    // Two blocks, of which the daemon takes the first.
    scene.stub.make_easy();
    let mut blocks = Vec::new();
    for verdict in [Value::Null, json!("high-hash")] {
        scene.stub.judge_blocks(Ok(verdict));
        let tip = scene.stub.new_tip();
        wait_until("work on the new tip", seconds(20), || {
            client.pump(Duration::from_millis(50)).unwrap();
            let job = client.job.as_ref().unwrap();
            words_backwards(&job.previous) == tip
        });
        let block = client.search(|meets, wanted, network| meets >= wanted && meets >= network);
        let answer = client.request("mining.submit", &block.share).unwrap();
        assert_eq!(answer["result"], json!(true), "{answer}");
        blocks.push(block.hash);
        wait_until("the block at the daemon", seconds(20), || {
            scene.stub.submitted().len() == blocks.len()
        });
        answers.push(answer);
    }
    scene.wait_rows(6);
    wait_until("the accepted block to be told", seconds(20), || {
        scene.database.count("SELECT COUNT(*) FROM shares WHERE upstream_result = 'Y'") == 1
    });
    // The refused one stays refused, also when its outcome has come.
    wait_until("the outcome of the other one", seconds(20), || {
        scene
            .romp
            .json(&["blocks", "bitcoin", "--json"])
            .unwrap_or_default()
            .to_string()
            .contains("rejected")
    });
    std::thread::sleep(Duration::from_secs(1));

    let rows = scene.shares();
    assert_eq!(rows.len(), 6, "{rows:?}");
    for (index, (row, answer)) in rows.iter().zip(&answers).enumerate() {
        let (host, name, ours, upstream, difficulty, reason, solution, age) = row;
        assert_eq!((host.as_str(), name.as_str()), ("127.0.0.1", "Alice.1"));
        assert!((-1..30).contains(age), "{row:?}");
        let wanted = good.wanted * 256.0;
        assert!((difficulty / wanted - 1.0).abs() < 1e-5, "{row:?}: {wanted}");
        assert_eq!(ours == "Y", answer["result"] == json!(true), "{row:?}: {answer}");
        // A malformed one's row has the kind, its miner is told more.
        let told = answer["error"][1].as_str();
        let told = if index == 2 { Some("Malformed share") } else { told };
        assert_eq!(reason.as_deref(), told, "{row:?}");
        assert_eq!(upstream == "Y", index == 4, "{row:?}");
        let block = index.checked_sub(4).and_then(|block| blocks.get(block));
        assert_eq!(solution, block.map_or("", String::as_str), "{row:?}");
    }
}

/// The previous hash of a job, as daemons print it.
fn words_backwards(previous: &str) -> String {
    let words: Vec<&str> = (0..8).map(|at| &previous[8 * at..8 * at + 8]).collect();
    words.into_iter().rev().collect()
}

#[test]
fn rows_are_what_was_answered_whatever_is_stopped_or_killed() {
    let _alone = alone();
    let mut scene = Scene::start(
        2,
        json!({"diff": EASY}),
        json!({}),
        &[("validateWorkerUsername", json!(false))],
    );
    let load = Load::start(scene.port, 8);
    let mut refused = 0;
    let mut fool = Client::login(scene.port, "fool").expect("login");
    let share = fool.share();
    assert_eq!(fool.request("mining.submit", &share).unwrap()["result"], json!(true));
    let mut duplicate = || {
        assert_ne!(fool.request("mining.submit", &share).unwrap()["result"], json!(true));
        refused += 1;
    };
    let goal = |load: &Load, more: u64| {
        let until = load.accepted() + more;
        wait_until("more shares", seconds(60), || load.accepted() >= until);
    };
    // Away for a while: nobody notices.
    goal(&load, 500);
    duplicate();
    scene.database.stop();
    goal(&load, 1500);
    duplicate();
    let gathered = SystemTime::now();
    scene.database.run();
    let accepted = load.accepted();
    wait_until("the gathered rows", seconds(60), || {
        scene.database.count("SELECT COUNT(*) FROM shares WHERE our_result = 'Y'") >= accepted
    });
    eprintln!("{accepted} rows caught up {:?} after the server's start", gathered.elapsed());
    // Killed while it is being written to.
    for _ in 0..5 {
        goal(&load, 300);
        duplicate();
        scene.database.kill();
        goal(&load, 200);
        scene.database.run();
    }
    scene.romp.kill_child("bookkeeper");
    goal(&load, 300);
    let counts = load.finish();
    assert_eq!((counts.rejected.as_slice(), counts.unanswered), (&[][..], 0), "miners noticed");
    let all = counts.accepted_sum() + 1;
    let count = |scene: &Scene, ours: &str| {
        let question = format!("SELECT COUNT(*) FROM shares WHERE our_result = '{ours}'");
        scene.database.count(&question)
    };
    let mut last = (0, 0);
    wait_until("all rows", seconds(60), || {
        let now = (count(&scene, "Y"), count(&scene, "N"));
        std::mem::replace(&mut last, now) == now && now >= (all, refused)
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((count(&scene, "Y"), count(&scene, "N")), (all, refused));
    let (accepted, rejected, _) = scene.romp.shares("bitcoin");
    assert_eq!((accepted, rejected), (all, refused), "the pool's own ledger");
    let by_name: Vec<(String, u64)> = scene
        .database
        .ask("SELECT username, COUNT(*) FROM shares WHERE our_result = 'Y' GROUP BY username");
    for (name, rows) in by_name.into_iter().filter(|(name, _)| name != "fool") {
        assert_eq!(counts.accepted.get(&name), Some(&rows), "{name}");
    }
    eprintln!("{all} accepted and {refused} refused shares, as many rows");
}

#[test]
fn names_and_passwords_decide_and_never_become_sql() {
    let _alone = alone();
    let mode = json!({"checkPassword": true, "autoCreateWorker": true});
    let mut scene = Scene::start(1, json!({"diff": EASY}), mode, &[]);
    scene.add_worker("alice.1", "x");
    scene.database.tell("INSERT INTO accounts (username, pass, pin) VALUES ('bob', '', '')");
    let injection = "bob.'); DROP TABLE shares; --";
    for (name, password, welcome) in [
        ("ALICE.1", "x", true),
        ("alice.1", "X", false),
        ("alice.1", "' OR '1'='1", false),
        ("alice.1 \u{1f600}", "x", false),
        ("al\u{ed}ce.1", "x", false),
        ("' OR '1'='1", "x", false),
        ("%", "x", false),
        ("carol.1", "x", false),
        ("Bob.Rig", "pw", true),
        ("bob.rig", "other", false),
        (injection, "x", true),
        ("bob.\u{1f600}", "x", false),
        (&format!("bob.{}", "r".repeat(60)), "x", false),
    ] {
        let (accepted, words) = scene.authorize(name, password);
        assert_eq!(accepted, welcome, "{name:?} {password:?}: {words}");
        assert!(accepted || words.len() > 10, "{name:?} was refused without a word: {words}");
    }
    let made: Vec<(u64, String, String)> = scene
        .database
        .ask("SELECT account_id, username, password FROM pool_worker WHERE id > 1 ORDER BY id");
    let made: Vec<_> = made.iter().map(|(id, name, word)| (*id, &**name, &**word)).collect();
    assert_eq!(made, [(1, "bob.rig", "pw"), (1, &*injection.to_lowercase(), "x")]);

    // The database goes: who was let in stays and may come again; others are told to try again.
    let mut client = Client::login(scene.port, injection).expect("login");
    assert!(client.mine().unwrap().0);
    scene.wait_rows(1);
    assert_eq!(scene.shares()[0].1, injection);
    scene.database.kill();
    assert!(client.mine().unwrap().0, "who mines mines on");
    let mut again = Client::login(scene.port, injection).expect("who was known comes again");
    assert!(again.mine().unwrap().0);
    let (accepted, words) = scene.authorize("dave.1", "x");
    assert!(!accepted && words.contains("try again"), "{words}");
    scene.database.run();
    wait_until("the database to be asked again", seconds(20), || {
        let (accepted, words) = scene.authorize("dave.1", "x");
        assert!(!accepted);
        words.contains("unknown account")
    });
    scene.wait_rows(3);
}

#[test]
fn new_difficulties_reach_known_workers_only() {
    let _alone = alone();
    let rules = json!({"diff": EASY, "varDiff": {
        "minDiff": EASY, "maxDiff": EASY * 1000.0, "targetTime": 2, "retargetTime": 2,
        "variancePercent": 30,
    }});
    let keys = [("validateWorkerUsername", json!(false))];
    let database = MariaDb::start();
    database.tell("ALTER TABLE shares ENGINE=MyISAM");
    let scene = Scene::start_on(database, 1, rules, json!({}), &keys);
    scene.add_worker("alice.1", "x");
    let mut known = Client::login(scene.port, "alice.1").expect("login");
    let mut unknown = Client::login(scene.port, "nobody.1").expect("everybody may mine");
    let mut first = None;
    wait_until("vardiff to reach MPOS", seconds(40), || {
        for client in [&mut known, &mut unknown] {
            let wanted = client.search(|meets, wanted, _| meets >= wanted * 1.001);
            first.get_or_insert(wanted.wanted);
            client.request("mining.submit", &wanted.share).unwrap();
        }
        let difficulty: Vec<f64> =
            scene.database.ask("SELECT difficulty FROM pool_worker WHERE username = 'alice.1'");
        difficulty[0] > first.unwrap() * 1.5
    });
    assert_eq!(scene.database.count("SELECT COUNT(*) FROM pool_worker"), 1);
    let output = scene.romp.output();
    assert!(output.contains("Exactly once needs InnoDB"), "{output}");
}
