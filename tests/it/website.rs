//! The web site of a real pool, asked as browsers and dashboards do, and as nobody should.

use crate::harness::{
    ADDRESS, Client, NO_MWEB, Pair, Pool, Redis, Romp, Stub, alone, free_port, kill, seconds,
    to_satoshi, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

const EASY: f64 = 1e-9;
/// What a miner may call itself.
const HOSTILE: &str = "<script>alert(1)</script>\"'&:\u{202e}\u{200f}rig";
const PAGES: [&str; 6] = ["/", "/getting_started", "/stats", "/tbs", "/workers", "/api"];

/// An answer: status, head in lower case, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Sends bytes and reads to the end of the connection.
fn exchange(port: u16, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(seconds(20))).ok()?;
    // A server that has heard enough may close before all is sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}

/// Each question from an address of its own, so that asking again and again is not refused.
pub(crate) fn ask(port: u16, method: &str, path: &str, headers: &str) -> Option<Answer> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: pool.example:81\r\nX-Forwarded-For: {address}\r\n\
         Connection: close\r\n{headers}\r\n"
    );
    exchange(port, request.as_bytes())
}

pub(crate) fn get(port: u16, path: &str) -> Answer {
    ask(port, "GET", path, "").unwrap_or_else(|| panic!("no answer to GET {path}"))
}

pub(crate) fn json_of(port: u16, path: &str) -> Option<Value> {
    let answer = ask(port, "GET", path, "")?;
    serde_json::from_slice(&answer.body).ok()
}

pub(crate) fn site(host: &str, port: u16) -> Value {
    json!({
        "enabled": true, "host": host, "port": port, "siteTitle": "My <Pool>",
        "stats": {"updateInterval": 5},
    })
}

fn start(stub: &Stub, stratum: u16, port: u16) -> Romp {
    let romp = start_pool(stub, stratum, port);
    wait_until("the web site", seconds(20), || romp.pids("website").len() == 1);
    romp
}

fn start_pool(stub: &Stub, stratum: u16, port: u16) -> Romp {
    // So that miners may have any name.
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons())
        .with("validateWorkerUsername", json!(false));
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("website", Some(site("127.0.0.1", port)));
    romp.set("shutdownTimeout", Some(json!(5)));
    romp.run();
    romp.wait_ready(1);
    romp
}

#[test]
fn pages_and_apis_have_the_numbers_and_run_nothing() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stratum, port) = (free_port(), free_port());
    let _romp = start(&stub, stratum, port);
    let mut client = Client::login(stratum, HOSTILE).expect("login");
    for _ in 0..7 {
        assert!(client.mine().expect("an answer").0);
    }
    let accepted = |pool: &Value| pool["shares"]["accepted"].as_u64();
    wait_until("the shares", seconds(40), || {
        json_of(port, "/api/v1/pools/bitcoin").as_ref().and_then(accepted) == Some(7)
    });
    wait_until("readiness", seconds(20), || get(port, "/ready").status == 200);
    assert_eq!(get(port, "/health").text(), "ok\n");

    let stats = json_of(port, "/api/stats").expect("stats");
    assert_eq!(stats["pools"]["bitcoin"]["poolStats"]["validShares"], json!("7"));
    assert_eq!(stats["pools"]["bitcoin"]["symbol"], json!("BTC"));
    let worker = || {
        let stats = json_of(port, "/api/stats").unwrap_or_default();
        stats["pools"]["bitcoin"]["workers"][HOSTILE].clone()
    };
    // History is written beside the ledger, a moment later.
    wait_until("the worker's shares", seconds(30), || {
        let miners = json_of(port, "/api/v1/pools/bitcoin/miners").unwrap_or_default();
        miners["miners"][0]["shares"] == json!(7)
    });
    assert!(worker()["shares"].as_f64().is_some_and(|work| work > 0.0), "{}", worker());
    assert_eq!(worker()["invalidshares"], json!(0));
    assert_eq!(json_of(port, "/api/stats").expect("stats")["global"]["workers"], json!(1));
    let history = json_of(port, "/api/pool_stats").expect("history");
    assert!(history[0]["pools"]["bitcoin"]["blocks"]["pending"].is_u64(), "{history}");
    let miners = json_of(port, "/api/v1/pools/bitcoin/miners").expect("miners");
    let owner = "<script>alert(1)<";
    assert_eq!(miners["miners"][0]["address"], json!(owner), "{miners}");
    let encoded = "%3Cscript%3Ealert%281%29%3C";
    let path = format!("/api/v1/pools/bitcoin/miners/{encoded}");
    let miner = json_of(port, &path).expect("a miner");
    assert_eq!(miner["workers"][0]["name"], json!(HOSTILE), "{miner}");
    assert_eq!(miner["workers"][0]["shares"], json!(7), "{miner}");
    let rates = miner["workers"][0]["history"].as_array().map_or(0, Vec::len);
    assert!(rates > 0, "{miner}");
    assert!(miner["workers"][0]["round_work"].as_f64().is_some_and(|work| work > 0.0), "{miner}");
    for list in ["blocks", "payouts"] {
        let path = format!("/api/v1/pools/bitcoin/{list}?limit=5");
        assert_eq!(json_of(port, &path), Some(json!({list: [], "next": null})));
    }
    let points = json_of(port, "/api/v1/pools/bitcoin/history?step=60").expect("points");
    let points = points["points"].as_array().expect("points").iter();
    assert_eq!(points.filter_map(|point| point["shares"].as_u64()).sum::<u64>(), 7);

    let page = format!("/miner/{encoded}");
    let every = PAGES.into_iter().chain([
        page.as_str(),
        &path,
        "/api/stats",
        "/api/pool_stats",
        "/api/v1/pools",
        "/api/v1/pools/bitcoin/miners",
        "/metrics",
    ]);
    for path in every {
        let answer = get(port, path);
        let text = answer.text();
        assert_eq!(answer.status, 200, "{path}: {text}");
        for bad in ["<script>", "alert(1)<", "My <Pool>", " style=", "\u{202e}", "\u{200f}"] {
            assert!(!text.contains(bad), "{bad:?} in {path}:\n{text}");
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'self'"), "{path}: {}", answer.head);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
        assert!(answer.header("etag").is_some(), "{path}");
        assert!(
            !text.contains("src=\"http") && !text.contains("<link rel=\"stylesheet\" href=\"http")
        );
        let scripts = text.matches("<script").count();
        assert_eq!(scripts, text.matches("<script src=\"/static/live-").count(), "{path}");
    }
    let workers = get(port, "/workers").text();
    assert!(
        workers.contains("&#60;script&#62;") || workers.contains("&lt;script&gt;"),
        "{workers}"
    );
    assert!(workers.contains("\\u{202e}"), "{workers}");
    assert!(get(port, &page).text().contains("\\u{202e}"));
    assert!(get(port, "/stats").text().contains("<dd>7</dd>"), "{}", get(port, "/stats").text());
    let begun = get(port, "/getting_started").text();
    let url = format!("stratum+tcp://pool.example:{stratum}");
    assert!(begun.contains(&url), "{begun}");
    let metrics = get(port, "/metrics").text();
    for line in [
        "romp_pool_accepted_shares_total{coin=\"bitcoin\"} 7",
        "romp_process_up{role=\"website\",slot=\"243\"} 1",
        "romp_daemon_fresh{coin=\"bitcoin\",daemon=\"1\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    let style = get(port, "/").text();
    let style = style.split("href=\"/static/").nth(1).and_then(|rest| rest.split('"').next());
    let style = get(port, &format!("/static/{}", style.expect("a style")));
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    let found = ask(port, "GET", "/miner?address=%20abc.rig%20", "").expect("an answer");
    assert_eq!((found.status, found.header("location")), (303, Some("/miner/abc")));

    tags_and_refusals(port);
    live(port);
    parts_of_pages(port, stratum, &page);
}

/// NOMP's `/get_page`, the same for a miner's page, and Getting Started for what was chosen.
fn parts_of_pages(port: u16, stratum: u16, miner: &str) {
    for id in ["", "home", "stats", "tbs", "workers", "api", "getting_started"] {
        let part = get(port, &format!("/get_page?id={id}"));
        assert_eq!(part.status, 200, "{id}");
        assert!(part.text().contains("<h1>") && !part.text().contains("<html"), "{id}");
    }
    let part = get(port, &format!("{miner}?part=1")).text();
    assert!(part.contains("\\u{202e}") && !part.contains("<html"), "{part}");
    assert!(part.contains("<svg class=\"chart\"") && part.contains("payments.csv"), "{part}");
    assert_eq!(get(port, "/get_page?id=nothing").status, 404);
    assert!(get(port, "/mining_key").text().contains("an address of your own wallet"));
    let chosen = format!("/getting_started?coin=bitcoin&hardware=cpu&port={stratum}&address=1abc");
    let line = format!(
        "<code>minerd -a sha256d -o stratum+tcp://pool.example:{stratum} -u 1abc.rig1 -p x</code>"
    );
    let page = get(port, &chosen).text();
    assert!(page.contains(&line), "{page}");
    let page = get(port, "/getting_started?coin=%3Cb%3E&hardware=%22&address=%22%3E%3Cb%3E").text();
    assert!(!page.contains("<b>\"") && page.contains("ADDRESS.rig1"), "{page}");
    let told = ask(port, "GET", "/getting_started", "X-Forwarded-Host: mine.example\r\n");
    let told = told.expect("an answer").text();
    assert!(told.contains(&format!("stratum+tcp://mine.example:{stratum}")), "{told}");
    let script = page.split("src=\"/static/").nth(1).and_then(|rest| rest.split('"').next());
    let script = get(port, &format!("/static/{}", script.expect("a script")));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.header("cache-control").is_some_and(|cache| cache.contains("immutable")));
    for (path, status) in [
        ("/api/v1/events?topics=miner", 400),
        ("/api/v1/events?topics=x", 400),
        ("/api/v1/events?topic=pools", 400),
        ("/api/v1/events?topics=pools&topics=block", 400),
        ("/api/v1/events?miner=x&coin=nothing", 404),
    ] {
        let answer = get(port, path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
}

fn tags_and_refusals(port: u16) {
    let first = get(port, "/api");
    let tag = first.header("etag").expect("a tag").to_owned();
    let again =
        ask(port, "GET", "/api", &format!("If-None-Match: {}\r\n", tag.replace("w/", "W/")));
    let again = again.expect("an answer");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    let packed = ask(port, "GET", "/stats", "Accept-Encoding: gzip\r\n").expect("an answer");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(get(port, "/api/stats").header("access-control-allow-origin"), Some("*"));

    for path in [
        "/nothing",
        "/api/worker_stats",
        "/api/x/y",
        "/admin",
        "/mining_key",
        "/key.html",
        "/static/../Cargo.toml",
        "/api/v1/pools/nothing",
        "/api/v1/pools/bitcoin/miners/nobody",
        "/miner/nobody",
        "/miner/%00%1b%3Cb%3E",
    ] {
        let answer = get(port, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("<b>"), "{path}");
    }
    for (method, path) in [("POST", "/api/stats"), ("DELETE", "/"), ("PUT", "/miner/x")] {
        assert_eq!(ask(port, method, path, "").expect("an answer").status, 405, "{method} {path}");
    }
    for path in ["/miner/%ff", "/api/v1/pools/bitcoin/blocks?limit=x"] {
        assert_eq!(get(port, path).status, 400, "{path}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    for request in [long.as_bytes(), many.as_bytes(), b"\x16\x03\x01\x02\x00\x01\x00"] {
        // Refused, or cut off while it was still talking.
        let answer = exchange(port, request).map_or(431, |answer| answer.status);
        assert!([400, 414, 431].contains(&answer), "{answer}");
    }
    assert_eq!(get(port, "/health").status, 200);
}

/// Events come as NOMP's did.
fn live(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(seconds(20))).expect("a deadline");
    stream.write_all(b"GET /api/live_stats HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut text = String::new();
    let mut part = [0; 4096];
    wait_until("two events", seconds(30), || {
        let count = stream.read(&mut part).expect("events");
        assert!(count > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..count]));
        text.matches("data: {").count() >= 2
    });
    assert!(text.to_lowercase().contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("\"validShares\":\"7\""), "{text}");
}

#[test]
fn a_greedy_address_is_told_to_wait_and_others_are_served() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let _romp = start(&stub, free_port(), port);
    let one = "GET /health HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n";
    let burst = format!("{one}\r\n").repeat(400) + one + "Connection: close\r\n\r\n";
    let answers = exchange(port, burst.as_bytes()).expect("answers");
    let text = format!("{}\r\n\r\n{}", answers.head, answers.text()).to_lowercase();
    let count = |status: &str| text.matches(&format!("http/1.1 {status} ")).count();
    let (served, refused) = (count("200"), count("429"));
    assert_eq!(served + refused, 401);
    assert!(served >= 100 && refused >= 1, "{served} {refused}");
    assert!(text.contains("retry-after: 1"));
    assert_eq!(get(port, "/health").status, 200);
}

#[test]
fn a_killed_site_comes_back_and_a_reload_moves_it_while_miners_mine() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stratum, port, other) = (free_port(), free_port(), free_port());
    let mut romp = start(&stub, stratum, port);
    let mut client = Client::login(stratum, ADDRESS).expect("login");
    romp.kill_child("website");
    assert!(client.mine().expect("the miner stays connected").0);
    wait_until("the site to be back", seconds(20), || {
        ask(port, "GET", "/ready", "").is_some_and(|answer| answer.status == 200)
    });

    romp.set("website", Some(site("127.0.0.1", other)));
    romp.process().signal(Signal::SIGHUP);
    let answers = |port| ask(port, "GET", "/health", "").is_some_and(|it| it.status == 200);
    wait_until("the new port", seconds(30), || answers(other));
    wait_until("the old port to close", seconds(30), || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    assert!(client.mine().expect("the miner stays connected").0);

    // Another address on the same port.
    let elsewhere = || TcpStream::connect(("127.0.0.2", other)).is_ok();
    assert!(!elsewhere());
    romp.set("website", Some(site("0.0.0.0", other)));
    romp.process().signal(Signal::SIGHUP);
    wait_until("the new address", seconds(30), elsewhere);
    wait_until("an answer there", seconds(30), || answers(other));

    romp.set("website", None);
    romp.process().signal(Signal::SIGHUP);
    wait_until("the site to be off", seconds(30), || {
        TcpStream::connect(("127.0.0.1", other)).is_err()
    });
    assert!(romp.pids("website").is_empty());
    assert!(client.mine().expect("the miner stays connected").0);
    let status = wait_for("a status", seconds(10), || romp.status());
    let children = status["children"].as_array().expect("children");
    assert!(children.iter().all(|child| child["role"] != json!("website")), "{status}");
}

#[test]
fn nobody_notices_a_site_that_stands_still() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    stub.make_easy();
    let (stratum, port) = (free_port(), free_port());
    let mut romp = start(&stub, stratum, port);
    let mut client = Client::login(stratum, HOSTILE).expect("login");
    let stop = |romp: &Romp| {
        let pid = wait_for("a site", seconds(60), || romp.pids("website").first().copied());
        kill(pid, Signal::SIGSTOP);
        pid
    };
    let mut mine = |count: u64, romp: &Romp| {
        for _ in 0..count {
            let found = client.find_block();
            wait_until("the block in the ledger", seconds(30), || {
                let blocks = romp.json(&["blocks", "bitcoin", "--json"]).unwrap_or_default();
                blocks[0]["hash"] == json!(found.hash) && blocks[0]["state"] == json!("accepted")
            });
        }
    };
    let still = stop(&romp);
    mine(3, &romp);
    assert_eq!(romp.shares("bitcoin").0, 3);
    kill(still, Signal::SIGCONT);
    wait_until("the numbers", seconds(60), || {
        let pool = json_of(port, "/api/v1/pools/bitcoin").unwrap_or_default();
        pool["shares"]["accepted"] == json!(3) && pool["blocks"]["found"] == json!(3)
    });

    // A reload does not wait for it; it is ended by force, and another one serves.
    stop(&romp);
    let mut other = site("127.0.0.1", port);
    other["siteTitle"] = json!("Another title");
    romp.set("website", Some(other));
    romp.process().signal(Signal::SIGHUP);
    wait_until("the reload", seconds(30), || {
        let status = romp.status().unwrap_or_default();
        status["generation"] == json!(2) && status["reloaded"]["done"] == json!(true)
    });
    mine(1, &romp);
    wait_until("another site", seconds(60), || {
        ask(port, "GET", "/", "").is_some_and(|page| page.text().contains("Another title"))
    });
    assert!(romp.output().contains("WEB did not end in time: killed"), "{}", romp.output());
    mine(1, &romp);

    // Nor does the pool's end.
    stop(&romp);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

#[test]
fn a_block_and_its_payout_are_shown_to_the_satoshi() {
    let _alone = alone();
    let pair = Pair::start_with(None, &[NO_MWEB]);
    let miner = pair.miner("bech32");
    let (stratum, port) = (free_port(), free_port());
    let pool = pair.paying_pool(stratum);
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("website", Some(site("127.0.0.1", port)));
    romp.run();
    romp.wait_ready(1);
    let mut client = Client::login(stratum, &format!("{miner}.rig")).expect("login").scrypt();
    client.wait_for_work_on(&pair.first.text("getbestblockhash", json!([]))).expect("work");
    let block = client.find_block();
    let ours = || json_of(port, &format!("/api/v1/pools/litecoin/miners/{miner}"));
    let blocks = || json_of(port, "/api/v1/pools/litecoin/blocks").unwrap_or_default();
    // Whoever has it, the ledger or the book: it is there once.
    wait_until("the block in the list", seconds(60), || blocks()["blocks"][0].is_object());
    assert_eq!(blocks()["blocks"].as_array().map(Vec::len), Some(1), "{}", blocks());
    wait_until("the block", seconds(60), || {
        let all = blocks();
        all["blocks"][0]["hash"] == json!(block.hash) && all["blocks"][0]["state"] == "immature"
    });
    assert_eq!(blocks()["blocks"][0]["finder"], json!(format!("{miner}.rig")));
    wait_until("the block on the page", seconds(30), || {
        get(port, "/stats").text().contains(&block.hash)
    });
    // Nothing is owed before it is mature, but what it will bring is told.
    wait_until("what the block will bring", seconds(30), || {
        let balance = ours().unwrap_or_default()["balance"].clone();
        let immature = balance["immature_estimate"].as_str().unwrap_or("0.00000000");
        immature != "0.00000000" && balance["unpaid"] == json!("0.00000000")
    });

    pair.bury(101);
    wait_until("a payout", seconds(60), || {
        pair.bury(1);
        ours().is_some_and(|it| it["payouts"][0]["state"] == "confirmed")
    });
    let shown = ours().expect("the miner");
    let received = to_satoshi(&pair.second.must("getreceivedbyaddress", json!([miner, 1])));
    let coins = format!("{}.{:08}", received / 100_000_000, received % 100_000_000);
    assert_eq!(shown["balance"]["paid"], json!(coins), "{shown}");
    assert_eq!(shown["payouts"][0]["amount"], json!(coins));
    assert_eq!(shown["credits"][0]["amount"], json!(coins));
    let page = get(port, &format!("/miner/{miner}")).text();
    assert!(page.contains(&format!("{coins} LTC")), "{page}");
    let payouts = json_of(port, "/api/v1/pools/litecoin/payouts").expect("payouts");
    assert_eq!(payouts["payouts"][0]["txid"], shown["payouts"][0]["txid"]);
    assert_eq!(payouts["payouts"][0]["amount"], json!(coins));
    wait_until("NOMP's numbers", seconds(30), || {
        let stats = json_of(port, "/api/stats").unwrap_or_default();
        let pool = &stats["pools"]["litecoin"];
        pool["poolStats"]["totalPaid"].as_str().is_some_and(|paid| coins.starts_with(paid))
            && pool["blocks"] == json!({"pending": 0, "confirmed": 1, "orphaned": 0})
    });
    let metrics = get(port, "/metrics").text();
    assert!(metrics.contains("romp_payments_waiting{coin=\"litecoin\"} 0\n"), "{metrics}");
}

#[test]
fn while_the_ledger_is_away_its_last_numbers_stay_and_say_their_age() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let mut redis = Redis::start();
    let (stratum, port) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons())
        .with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("website", Some(site("127.0.0.1", port)));
    romp.run();
    romp.wait_ready(1);
    let mut client = Client::login(stratum, ADDRESS).expect("login");
    for _ in 0..7 {
        assert!(client.mine().expect("an answer").0);
    }
    let shown = || json_of(port, "/api/v1/pools/bitcoin").unwrap_or_default();
    wait_until("the shares", seconds(40), || shown()["shares"]["accepted"] == json!(7));
    assert_eq!(shown()["away_since"]["ledger"], Value::Null);

    redis.kill();
    wait_until("it to be said", seconds(60), || shown()["away_since"]["ledger"].is_u64());
    assert_eq!(shown()["shares"]["accepted"], json!(7));
    let page = get(port, "/stats").text();
    assert!(page.contains("The ledger cannot be read: these numbers are from"), "{page}");
    assert!(page.contains("<dd>7</dd>"), "{page}");
    for path in ["/".to_owned(), "/workers".to_owned(), format!("/miner/{ADDRESS}")] {
        let page = get(port, &path).text();
        assert!(page.contains("The ledger cannot be read: these numbers are from"), "{page}");
    }
    wait_until("readiness to end", seconds(60), || get(port, "/ready").status == 503);
    assert_eq!(get(port, "/health").status, 200);
    assert!(client.mine().expect("the miner notices nothing").0);

    redis.run();
    wait_until("the numbers to go on", seconds(60), || shown()["shares"]["accepted"] == json!(8));
    wait_until("readiness", seconds(30), || get(port, "/ready").status == 200);
}

/// A pool with a miner at work on the chain's tip.
fn mining(pair: &Pair, site: &Value) -> (Romp, Client) {
    pair.mine_to(120);
    let address = pair.first.text("getnewaddress", json!(["", "legacy"]));
    let stratum = free_port();
    let pool = Pool::new("litecoin", stratum, json!({"diff": 1e-5}), pair.daemons())
        .with("address", json!(address));
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("website", Some(site.clone()));
    romp.run();
    romp.wait_ready(1);
    let mut client = Client::login(stratum, &format!("{address}.rig")).expect("login").scrypt();
    client.wait_for_work_on(&pair.first.text("getbestblockhash", json!([]))).expect("work");
    (romp, client)
}

#[test]
fn a_found_block_is_told_and_shown_long_before_the_next_look() {
    let _alone = alone();
    let pair = Pair::start_with(None, &[NO_MWEB]);
    let port = free_port();
    let mut hourly = site("127.0.0.1", port);
    hourly["stats"]["updateInterval"] = json!(3600);
    let (_romp, mut client) = mining(&pair, &hourly);
    wait_until("the first numbers", seconds(30), || get(port, "/ready").status == 200);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(seconds(30))).expect("a deadline");
    let request = b"GET /api/v1/events?topics=block,numbers HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).expect("sent");
    let (mut text, mut part) = (String::new(), [0; 4096]);
    let mut hear = |what: &str| {
        wait_until(what, seconds(30), || {
            let count = stream.read(&mut part).expect("events");
            assert!(count > 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&part[..count]));
            text.contains(what)
        });
        text.clone()
    };
    hear("event: numbers");
    let block = client.find_block();
    let heard = hear("event: block");
    assert!(heard.contains("\"event\":\"found\"") && heard.contains(&block.hash), "{heard}");
    assert!(get(port, "/stats").text().contains(&block.hash));
}

#[test]
fn an_operators_logo_style_and_texts_are_on_the_pages_and_run_nothing() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stratum, port) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", stratum, json!({"diff": EASY}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write(
        "home.md",
        "# Welcome\n\nSee <script>alert(1)</script> [rules](/rules) [x](javascript:y)",
    );
    write("footer.md", "Ours *alone*.");
    write("style.css", ":root { --accent: #060; }");
    write("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>");
    let mut own = site("127.0.0.1", port);
    own["folder"] = json!(folder.path());
    romp.set("website", Some(own));
    romp.run();
    romp.wait_ready(1);
    wait_until("the site", seconds(30), || ask(port, "GET", "/health", "").is_some());
    let page = get(port, "/").text();
    for text in ["<h2>Welcome</h2>", "&lt;script&gt;", "<a href=\"/rules\">", "<em>alone</em>"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(!page.contains("javascript:"), "{page}");
    let file = |begin: &str| {
        let rest = page.split(begin).nth(1).and_then(|rest| rest.split('"').next());
        get(port, &format!("{begin}{}", rest.expect("a file")))
    };
    assert_eq!(file("/static/own-").text(), ":root { --accent: #060; }");
    let logo = file("/static/logo-");
    assert_eq!(logo.header("content-type"), Some("image/svg+xml"));
    let policy = logo.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");

    write("footer.md", "Another one.");
    romp.process().signal(Signal::SIGHUP);
    wait_until("the new text", seconds(30), || {
        ask(port, "GET", "/", "").is_some_and(|page| page.text().contains("Another one."))
    });
}

/// NOMP's own configuration has a site on port 80, which not everybody may or can have.
#[test]
fn without_its_port_there_is_no_site_and_the_pool_works() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let stratum = free_port();
    let mut romp = start_pool(&stub, stratum, port);
    assert!(Client::login(stratum, ADDRESS).expect("login").mine().expect("an answer").0);
    assert!(romp.output().contains("the web site is off: "), "{}", romp.output());
    assert!(romp.pids("website").is_empty());
    // A reload is not refused for that, and gives it one as soon as there is room.
    drop(taken);
    romp.process().signal(Signal::SIGHUP);
    wait_until("the site", seconds(30), || {
        ask(port, "GET", "/health", "").is_some_and(|answer| answer.status == 200)
    });
}
