//! The operator is told what happens: by signed webhooks and by mail, once each, whatever dies.

use crate::harness::{
    ADDRESS, Client, Mood, NO_MWEB, Pair, Pool, Post, Posted, Redis, Romp, Sink, Stub, alone,
    free_port, kill, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SECRET: &str = "a-secret-of-the-operator";
const TOKEN: &str = "a-token-in-the-path";
const EASY: f64 = 1e-9;
/// What a miner may call itself.
const HOSTILE: &str = "<script>x Bcc: evil@evil \u{202e}@everyone`\u{2028}*";

/// HMAC-SHA256 (RFC 2104), by hand.
fn hmac(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The message in a request, whose signature and headers are right.
fn checked(posted: &Posted) -> Value {
    let header = |name: &str| posted.headers.get(name).cloned().unwrap_or_default();
    let signed = format!("{}.{}", header("x-romp-timestamp"), posted.body);
    let wanted = format!("sha256={}", hmac(SECRET.as_bytes(), signed.as_bytes()));
    assert_eq!(header("x-romp-signature"), wanted, "{posted:?}");
    let message = posted.json();
    assert_eq!(message["id"], json!(header("x-romp-delivery")), "{posted:?}");
    assert_eq!(message["event"], json!(header("x-romp-event")), "{posted:?}");
    for bad in ["<script", "\u{202e}", "\r"] {
        assert!(!posted.body.contains(bad), "{}", posted.body);
    }
    message
}

/// The messages that a sink took, repeats dropped as a receiver should.
fn told(sink: &Sink) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let messages = sink.taken().iter().map(checked).collect::<Vec<_>>().into_iter();
    messages.filter(|message| seen.insert(message["id"].to_string())).collect()
}

fn of_kind(sink: &Sink, kind: &str) -> Vec<Value> {
    told(sink).into_iter().filter(|message| message["event"] == json!(kind)).collect()
}

fn wait_told(sink: &Sink, kind: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} of {kind}"), seconds(90), || {
        let found = of_kind(sink, kind);
        (found.len() >= count).then_some(found)
    })
}

fn hook(sink: &Sink) -> Value {
    json!({"url": sink.url(), "secret": SECRET})
}

fn mail(post: &Post) -> Value {
    json!({
        "host": "127.0.0.1", "port": post.port, "tls": "none",
        "from": "pool@pool.example", "to": ["ops@pool.example", "boss@pool.example"],
    })
}

fn start(pool: &Pool, notifications: Value) -> Romp {
    let mut romp = Romp::prepare(1, &[pool]);
    romp.set("notifications", Some(notifications));
    romp.run();
    romp.wait_ready(1);
    wait_until("the notifier", seconds(20), || romp.pids("notifier").len() == 1);
    romp
}

/// The first look tells nothing: it must be over before there is news.
fn wait_for_first_look(romp: &Romp) {
    wait_until("the first look", seconds(30), || {
        let path = romp.path().join("data/notifier/outbox.sqlite");
        let book =
            rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let count = book.and_then(|book| {
            book.query_row("SELECT COUNT(*) FROM seen", [], |row| row.get::<_, i64>(0))
        });
        count.is_ok_and(|count| count >= 2)
    });
}

#[test]
fn blocks_payouts_and_money_set_aside_are_told_by_webhook_and_mail() {
    let _alone = alone();
    let pair = Pair::start_with(None, &[NO_MWEB]);
    let (miner, stratum) = (pair.miner("bech32"), free_port());
    let pool = pair.paying_pool(stratum).with("validateWorkerUsername", json!(false));
    let (sink, post) = (Sink::start(), Post::start(None));
    let romp = start(&pool, json!({"webhooks": [hook(&sink)], "mail": mail(&post)}));
    wait_for_first_look(&romp);
    let submit = |user: &str, block: bool| {
        let mut client = Client::login(stratum, user).expect("login").scrypt();
        client.wait_for_work_on(&pair.first.text("getbestblockhash", json!([]))).expect("work");
        let found = client.search(|meets, wanted, network| {
            let enough = if block { network } else { wanted };
            meets >= enough * 1.000_001 && (block || meets < network * 0.999_999)
        });
        let answer = client.request("mining.submit", &found.share).expect("an answer");
        assert_eq!(answer["result"], json!(true), "{answer}");
        found.hash
    };
    // Whoever this is, what he earns is set aside.
    submit(HOSTILE, false);
    let block = submit(&format!("{miner}.rig"), true);
    let found = wait_told(&sink, "block-found", 1);
    assert_eq!(found[0]["data"]["hash"], json!(block));
    assert_eq!(found[0]["data"]["height"], json!(121));
    assert_eq!(found[0]["data"]["worker"], json!(format!("{miner}.rig")));
    assert_eq!(found[0]["coin"], json!("litecoin"));

    pair.bury(3);
    let orphan = submit(HOSTILE, true);
    let found = wait_told(&sink, "block-found", 2);
    assert_eq!(found[1]["data"]["hash"], json!(orphan));
    assert_eq!(found[1]["data"]["worker"], json!(HOSTILE));
    for node in [&pair.first, &pair.second, &pair.third] {
        wait_until("the block at each node", seconds(30), || {
            node.call("getblockheader", json!([orphan])).is_ok()
        });
        node.must("invalidateblock", json!([orphan]));
    }
    pair.bury(101);
    let gone = wait_for("the orphan", seconds(90), || {
        pair.bury(1);
        of_kind(&sink, "block-orphaned").pop()
    });
    assert_eq!(gone["data"]["hash"], json!(orphan), "{gone}");
    let mature = wait_told(&sink, "block-matured", 1);
    assert_eq!(mature[0]["data"]["hash"], json!(block));
    let sent = wait_told(&sink, "payout-sent", 1);
    assert_eq!(sent[0]["data"]["addresses"], json!(1), "{sent:?}");
    let held = wait_told(&sink, "payout-held", 1);
    assert_eq!(held[0]["data"]["address"], json!(format!("?{HOSTILE}")), "{held:?}");

    wait_until("the mails", seconds(30), || post.mails().len() >= told(&sink).len());
    // A long line goes on in the next, behind a space.
    let mails: Vec<String> = post.mails().iter().map(|mail| mail.replace("\n ", " ")).collect();
    let of = |subject: &str| mails.iter().filter(|mail| mail.contains(subject)).count();
    assert_eq!(of("Subject: [romp] litecoin: block 121 found by "), 1, "{mails:?}");
    for mail in &mails {
        let head = mail.split("\n\n").next().unwrap_or_default();
        assert!(mail.starts_with("MAIL FROM:<pool@pool.example>"), "{mail}");
        assert_eq!(mail.matches("RCPT TO:").count(), 2, "{mail}");
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{mail}");
        assert!(!mail.contains('\u{202e}'), "{mail}");
    }
    // Each once: by ids, and by hashes.
    assert_eq!(of_kind(&sink, "block-found").len(), 2);
    assert_eq!(told(&sink).len(), sink.taken().len());
}

#[test]
fn daemons_processes_and_ledgers_that_fail_are_told_and_their_return() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let mut redis = Redis::start();
    let stratum = free_port();
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons())
        .with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    let sink = Sink::start();
    let after = json!({
        "webhooks": [hook(&sink)], "daemonDownAfter": 2, "ledgerBehindAfter": 2,
    });
    let romp = start(&pool, after);
    wait_for_first_look(&romp);
    stub.set_mood(Mood::Fails);
    let down = wait_told(&sink, "daemon-down", 1);
    assert_eq!(down[0]["data"]["daemon"], json!(format!("127.0.0.1:{}", stub.port)));
    assert_eq!(down[0]["coin"], json!("bitcoin"));
    wait_told(&sink, "pool-down", 1);
    stub.set_mood(Mood::Well);
    wait_told(&sink, "daemon-up", 1);
    wait_told(&sink, "pool-up", 1);

    romp.kill_child("worker");
    let died = wait_told(&sink, "process-died", 1);
    assert_eq!(died[0]["data"]["processes"], json!({"worker": 1}), "{died:?}");

    redis.kill();
    let mut client = Client::login(stratum, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    let behind = wait_told(&sink, "ledger-behind", 1);
    assert!(behind[0]["text"].as_str().is_some_and(|text| text.contains("nothing is lost")));
    redis.run();
    wait_told(&sink, "ledger-caught-up", 1);
    let kinds: Vec<String> = told(&sink).iter().map(|it| it["event"].to_string()).collect();
    let wanted = ["daemon-down", "pool-down", "daemon-up", "pool-up", "process-died"];
    for kind in wanted.iter().chain(&["ledger-behind", "ledger-caught-up"]) {
        let count = kinds.iter().filter(|told| **told == format!("\"{kind}\"")).count();
        assert_eq!(count, 1, "{kind} in {kinds:?}");
    }
}

/// Blocks are found while the receiver is away, refuses and comes back, and while the notifier is
/// killed again and again: each is told, in order, and what is told twice has one id.
#[test]
fn whatever_dies_each_block_is_told_in_order_under_one_id() {
    const BLOCKS: usize = 22;
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    stub.make_easy();
    let stratum = free_port();
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons())
        .with("validateWorkerUsername", json!(false));
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/hook");
    let webhooks = json!([{"url": url, "secret": SECRET, "events": ["block-found"]}]);
    let romp = start(&pool, json!({ "webhooks": webhooks }));
    wait_for_first_look(&romp);
    let mut hashes = Vec::new();
    let mut client = Client::login(stratum, HOSTILE).expect("login");
    let mut mine = |count: usize| {
        for _ in 0..count {
            hashes.push(client.find_block().hash);
        }
    };
    let revived = || wait_until("a notifier", seconds(60), || romp.pids("notifier").len() == 1);
    // Nobody listens.
    mine(6);
    wait_until("messages to wait", seconds(30), || {
        let list = romp.json(&["notify", "list", "--json"]).unwrap_or_default();
        list["targets"][0]["waiting"] == json!(6)
            && list["targets"][0]["failures"].as_u64() >= Some(1)
    });
    romp.kill_child("notifier");
    wait_until("the trouble to be shown", seconds(60), || {
        let waits = romp.status().unwrap_or_default()["waits"].to_string();
        waits.contains("webhook 1") && !waits.contains("/hook")
    });
    let sink = Sink::start_at(port);
    sink.answer(500, "");
    mine(6);
    wait_until("a refusal", seconds(60), || !sink.all().is_empty());
    romp.kill_child("notifier");
    sink.answer(204, "");
    wait_until("some to be told", seconds(60), || sink.taken().len() >= 2);
    // Killed with a message in its hand, and with one that was taken and is not crossed out.
    if cfg!(debug_assertions) {
        for point in ["notifier-before-send", "notifier-after-send", "notifier-after-send"] {
            romp.arm(point);
            mine(2);
            wait_until(point, seconds(60), || romp.armed().is_empty());
            revived();
        }
    } else {
        mine(6);
    }
    // At any time.
    for round in 0..4 {
        mine(1);
        std::thread::sleep(Duration::from_millis(700 * round));
        revived();
        if let Some(pid) = romp.pids("notifier").first() {
            kill(*pid, Signal::SIGKILL);
        }
    }
    assert_eq!(hashes.len(), BLOCKS);
    wait_until("every block to be told", seconds(120), || told(&sink).len() >= BLOCKS);
    let wanted: Vec<Value> = hashes.iter().map(|hash| json!(hash)).collect();
    let told: Vec<Value> = told(&sink).iter().map(|it| it["data"]["hash"].clone()).collect();
    assert_eq!(told, wanted);
    wait_until("the outbox to be empty", seconds(60), || {
        let list = romp.json(&["notify", "list", "--json"]).unwrap_or_default();
        list["targets"][0]["waiting"] == json!(0) && list["targets"][0]["given_up"] == json!(0)
    });
    // Who was killed so often is started again after half a minute.
    wait_until("the trouble to be over", seconds(90), || {
        romp.status().unwrap_or_default()["waits"] == json!({})
    });
}

#[test]
fn a_receiver_that_is_gone_for_good_is_left_alone() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    stub.make_easy();
    let stratum = free_port();
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons());
    let sink = Sink::start();
    sink.answer(410, "");
    let mut romp = start(&pool, json!({ "webhooks": [hook(&sink)] }));
    wait_for_first_look(&romp);
    let mut client = Client::login(stratum, ADDRESS).expect("login");
    client.find_block();
    wait_until("it to be said", seconds(60), || {
        romp.output().contains("it wants no more messages")
    });
    // A reload is a new beginning. What is told now was found after it was left alone.
    sink.answer(200, "");
    let old = romp.pids("notifier");
    romp.process().signal(Signal::SIGHUP);
    wait_until("another notifier", seconds(30), || {
        let now = romp.pids("notifier");
        now.len() == 1 && now != old
    });
    client.find_block();
    wait_told(&sink, "block-found", 1);
    assert_eq!(sink.all().iter().filter(|posted| posted.status == 410).count(), 1);
    assert_eq!(of_kind(&sink, "process-died"), Vec::<Value>::new(), "a reload kills nobody");
}

fn prepared(notifications: Value) -> Romp {
    let stub = Stub::start(&["segwit"]);
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("notifications", Some(notifications));
    romp
}

/// Exit code, and all that was printed.
fn command(romp: &Romp, args: &[&str]) -> (Option<i32>, String) {
    let output = romp.command(args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_operator_tries_each_target_and_is_told_what_it_said() {
    let _alone = alone();
    let (sink, chat, post) = (Sink::start(), Sink::start(), Post::start(None));
    let mut letters = mail(&post);
    letters["events"] = json!(["block-found", "ledger-behind"]);
    let webhooks = json!([
        hook(&sink),
        {"url": chat.url(), "format": "discord", "events": ["daemon-down"]},
    ]);
    let romp = prepared(json!({"webhooks": webhooks, "mail": letters}));
    let (code, text) = command(&romp, &["notify", "test"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(sink.taken().iter().map(checked).count(), 12);
    assert!(sink.taken().iter().all(|posted| posted.json()["data"]["test"] == json!(true)));
    assert_eq!(chat.taken().len(), 1);
    let content = chat.taken()[0].json()["content"].to_string();
    assert!(content.contains("daemon\\\\-down") || content.contains("daemon-down"), "{content}");
    assert_eq!(post.mails().len(), 2);
    assert!(text.contains("mail (127.0.0.1:") && text.contains("taken: 250 queued as 7"), "{text}");
    assert!(text.contains("HTTP 204 No Content"), "{text}");

    sink.answer(503, "");
    let (code, text) = command(&romp, &["notify", "test", "--event", "pool-up"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(": pool-up: not taken: HTTP 503 Service Unavailable"), "{text}");
    let one = ["notify", "test", "--event", "pool-up", "--to", "2"];
    assert_eq!(command(&romp, &one).0, Some(0));
    assert_eq!(command(&romp, &["notify", "test", "--to", "7"]).0, Some(1));
    // Elsewhere is not followed: what is signed is for whom it was signed.
    sink.answer(302, "Location: http://127.0.0.1:1/\r\n");
    let (code, text) = command(&romp, &["notify", "test", "--event", "pool-up", "--to", "1"]);
    assert!(code == Some(1) && text.contains("HTTP 302"), "{text}");

    let (_, list) = command(&romp, &["notify", "list"]);
    let (_, check) = command(&romp, &["check"]);
    for secret in [SECRET, TOKEN] {
        assert!(!(text.clone() + &list + &check).contains(secret), "{text}{list}{check}");
    }
}

#[test]
fn mail_is_encrypted_and_only_for_the_right_server() {
    let _alone = alone();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a key");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.expect("a key"))
        .expect("a certificate");
    let post = Post::start(Some(server));
    let mut letters = mail(&post);
    letters["tls"] = json!("starttls");
    letters["user"] = json!("pool");
    letters["password"] = json!({"file": "mail-password"});
    let test = ["notify", "test", "--event", "block-found"];
    let write = |romp: &Romp| {
        std::fs::write(romp.path().join("mail-password"), "letters-password\n").expect("a file");
        std::fs::write(romp.path().join("ca.pem"), made.cert.pem()).expect("a file");
    };
    // Nobody that is trusted has signed it.
    let romp = prepared(json!({ "mail": letters }));
    write(&romp);
    let (code, text) = command(&romp, &test);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not taken: ") && post.mails().is_empty(), "{text}");
    letters["caFile"] = json!("ca.pem");
    let romp = prepared(json!({ "mail": letters }));
    write(&romp);
    let (code, text) = command(&romp, &test);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(post.mails().len(), 1);
    assert!(!text.contains("letters-password"), "{text}");
    // A server without STARTTLS gets neither password nor mail.
    let plain = Post::start(None);
    letters["port"] = json!(plain.port);
    let romp = prepared(json!({ "mail": letters }));
    write(&romp);
    let (code, text) = command(&romp, &test);
    assert_eq!(code, Some(1), "{text}");
    assert!(plain.mails().is_empty());
}
