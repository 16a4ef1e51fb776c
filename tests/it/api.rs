//! The APIs of a real pool: romp's is what its description says, NOMP's what NOMP's was.

use crate::harness::{Client, NO_MWEB, Pair, Romp, alone, free_port, seconds, wait_until};
use crate::payments::submit;
use crate::website::{Answer, ask, get, json_of, site};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `docs/openapi.json`, which a unit test holds to the code.
fn description() -> Value {
    serde_json::from_str(include_str!("../../docs/openapi.json")).expect("docs/openapi.json")
}

/// Holds an answer of a path, as the description writes it, to its schema.
fn fits(description: &Value, path: &str, answer: &Answer) {
    let status = answer.status.to_string();
    let mut response = &description["paths"][path]["get"]["responses"][&status];
    if let Some(target) = response["$ref"].as_str() {
        response = description.pointer(&target[1..]).expect("a response");
    }
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path} has no {status}: {}", answer.text());
    let whole = json!({"allOf": [schema], "components": description["components"]});
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V2020_12);
    compiler.add_resource("file:///api.json", whole).expect("a schema");
    let mut schemas = boon::Schemas::new();
    let schema = compiler.compile("file:///api.json", &mut schemas).expect("a schema");
    let value: Value = serde_json::from_slice(&answer.body).expect("JSON");
    if let Err(error) = schemas.validate(&value, schema) {
        panic!("{path}: {error:#} in {value:#}");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
}

/// A pool that has found a block, paid one miner, and refused a share of its; the miner's address.
fn paying_pool(pair: &Pair, port: u16) -> (Romp, Vec<Client>, String) {
    let (miner, stratum) = (pair.miner("bech32"), free_port());
    let pool = pair.paying_pool(stratum);
    let mut romp = Romp::prepare(1, &[&pool]);
    romp.set("website", Some(site("127.0.0.1", port)));
    romp.run();
    romp.wait_ready(1);
    let tip = pair.first.text("getbestblockhash", json!([]));
    let mut clients = Vec::new();
    for rig in ["one", "two", "three"] {
        let name = format!("{miner}.{rig}");
        let mut client = Client::login(stratum, &name).expect("login").scrypt();
        client.wait_for_work_on(&tip).expect("work");
        clients.push(client);
    }
    for client in &mut clients[1..] {
        submit(client, false);
    }
    let block = clients[0].find_block();
    let again = clients[0].request("mining.submit", &block.share).expect("an answer");
    assert_eq!(again["result"], Value::Null, "{again}");
    let ours = || json_of(port, &format!("/api/v1/pools/litecoin/miners/{miner}"));
    wait_until("the block", seconds(60), || {
        let blocks = json_of(port, "/api/v1/pools/litecoin/blocks").unwrap_or_default();
        blocks["blocks"][0]["state"] == "immature"
    });
    pair.bury(101);
    wait_until("a payout", seconds(60), || {
        pair.bury(1);
        ours().is_some_and(|it| it["payouts"][0]["state"] == "confirmed")
    });
    (romp, clients, miner)
}

#[test]
fn every_answer_is_what_is_documented() {
    let _alone = alone();
    let pair = Pair::start_with(None, &[NO_MWEB]);
    let port = free_port();
    let (_romp, mut clients, miner) = paying_pool(&pair, port);
    let description = description();
    assert_eq!(json_of(port, "/api/v1/openapi.json"), Some(description.clone()));

    // Somebody works now.
    let tip = pair.first.text("getbestblockhash", json!([]));
    for client in &mut clients {
        client.wait_for_work_on(&tip).expect("work");
        submit(client, false);
    }
    wait_until("three workers", seconds(40), || {
        let stats = json_of(port, "/api/stats").unwrap_or_default();
        stats["pools"]["litecoin"]["workers"].as_object().is_some_and(|all| all.len() == 3)
    });
    let mut paths = 0;
    for path in description["paths"].as_object().expect("paths").keys() {
        let real = path.replace("{coin}", "litecoin").replace("{address}", &miner);
        let answer = get(port, &real);
        assert_eq!(answer.status, 200, "{real}: {}", answer.text());
        paths += 1;
        if !path.ends_with(".csv") {
            fits(&description, path, &answer);
        }
        // The same without a body, and not again for who has it.
        let head = ask(port, "HEAD", &real, "").expect("an answer");
        assert_eq!((head.status, head.body.len()), (200, 0), "{real}");
        let before = ask(
            port,
            "OPTIONS",
            &real,
            "Origin: https://example.org\r\nAccess-Control-Request-Method: GET\r\n",
        );
        let before = before.expect("an answer");
        assert_eq!(before.status, 200, "{real}");
        assert_eq!(before.header("access-control-allow-origin"), Some("*"), "{real}");
        let methods = before.header("access-control-allow-methods").unwrap_or_default();
        assert!(methods.contains("get"), "{real}: {}", before.head);
        let post = ask(port, "POST", &real, "Content-Length: 0\r\n").expect("an answer");
        assert_eq!((post.status, post.header("content-type")), (405, Some("application/json")));
        let odd = get(port, &format!("{real}?no_such=1"));
        assert_eq!(odd.status, 400, "{real}");
        fits(&description, path, &odd);
        for (of, instead) in [("litecoin", "nothing"), (&miner, "%ff")] {
            if real.contains(of) {
                let answer = get(port, &real.replace(of, instead));
                assert_eq!(answer.status, if instead == "%ff" { 400 } else { 404 }, "{real}");
                fits(&description, path, &answer);
            }
        }
    }
    assert!(paths >= 15, "{paths}");
    money(port, &miner);
    parts(port, &miner);
    refusals(port, &description);
    nomp(port);
}

/// What was paid and earned, in every place to the satoshi.
fn money(port: u16, miner: &str) {
    let base = format!("/api/v1/pools/litecoin/miners/{miner}");
    let of = |path: &str| json_of(port, &format!("{base}{path}")).expect("an answer");
    let shown = of("");
    let payments = of("/payments");
    assert_eq!(payments["payments"], shown["payouts"]);
    assert_eq!(payments["next"], Value::Null);
    assert_eq!(of("/earnings")["earnings"], shown["credits"]);
    let paid = &payments["payments"][0];
    let sheet = get(port, &format!("{base}/payments.csv"));
    assert_eq!(sheet.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let name = format!("attachment; filename=\"payments-litecoin-{miner}.csv\"").to_lowercase();
    assert_eq!(sheet.header("content-disposition"), Some(name.as_str()));
    let text = sheet.text();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!((lines.len(), lines[2]), (3, ""), "{text}");
    let line: Vec<&str> = lines[1].split(',').collect();
    let field = |name: &str| {
        let at = lines[0].split(',').position(|column| column == name).expect("a column");
        line[at].to_owned()
    };
    assert_eq!(json!(field("amount")), paid["amount"]);
    assert_eq!(json!(field("transaction")), paid["txid"]);
    assert_eq!(field("time"), paid["time"].to_string());
    assert_eq!((field("coin"), field("address")), ("LTC".to_owned(), miner.to_owned()));

    let rig = &shown["workers"].as_array().expect("workers").iter();
    let one = rig.clone().find(|rig| rig["name"] == json!(format!("{miner}.one"))).expect("a rig");
    assert_eq!(one["day"]["reasons"][0]["count"], json!(1), "{one}");
    assert!(one["last_share"].is_u64(), "{one}");
    let rounds = json_of(port, "/api/v1/pools/litecoin/rounds").expect("rounds");
    let round = &rounds["rounds"][0];
    assert_eq!(round["workers"], json!(3), "{rounds}");
    assert!(round["work"].as_f64().is_some_and(|work| work > 0.0), "{rounds}");
    assert_eq!(round["block"]["hash"], shown["credits"][0]["hash"]);
    let coins = json_of(port, "/api/v1/coins").expect("coins");
    let main = &coins["coins"][0]["networks"]["main"];
    let wanted = json!({"pubkey_hash": [48], "script_hash": [50, 5], "wif": 176, "bech32": "ltc",
        "cashaddr": null});
    assert_eq!(*main, wanted, "{coins}");
}

/// Lists in parts of one have every entry once.
fn parts(port: u16, miner: &str) {
    let history = format!("miners/{miner}/history");
    for (path, list, parameter, name) in [
        ("workers", "workers", "after", "name"),
        ("miners", "miners", "after", "address"),
        (history.as_str(), "workers", "after", "name"),
        ("blocks", "blocks", "before", "hash"),
        ("rounds", "rounds", "before", "to"),
        ("payouts", "payouts", "before", "txid"),
    ] {
        let path = format!("/api/v1/pools/litecoin/{path}");
        let names = |answer: &Value| -> Vec<String> {
            let all = answer[list].as_array().expect("a list").iter();
            all.map(|one| one[name].to_string()).collect()
        };
        let whole = names(&json_of(port, &path).expect("a list"));
        assert!(!whole.is_empty(), "{path}");
        let mut found = Vec::new();
        let mut next = String::new();
        for _ in 0..=whole.len() {
            let part = json_of(port, &format!("{path}?limit=1{next}")).expect("a part");
            assert!(names(&part).len() <= 1, "{part}");
            found.extend(names(&part));
            let Some(at) = part["next"].as_str() else { break };
            next = format!("&{parameter}={at}");
        }
        assert_eq!(found, whole, "{path}");
    }
}

fn refusals(port: u16, description: &Value) {
    let pool = "/api/v1/pools/litecoin";
    for (list, question) in [
        ("blocks", "limit=0"),
        ("blocks", "limit=501"),
        ("blocks", "limit=x"),
        ("blocks", "limit=1&limit=2"),
        ("blocks", "before=-1"),
        ("blocks", "before=x"),
        ("payouts", "before=1-2"),
        ("payouts", "before=99999999999999999999"),
        ("workers", "limit="),
        ("history", "from=1e9"),
        ("history", "to=99999999999999"),
        ("history", "step=-1"),
    ] {
        let answer = get(port, &format!("{pool}/{list}?{question}"));
        assert_eq!(answer.status, 400, "{list}?{question}: {}", answer.text());
        fits(description, &format!("/api/v1/pools/{{coin}}/{list}"), &answer);
    }
    // A name that a page would take for markup, asked of a path that shows it to nobody.
    for path in ["/api/v1", "/api/v1/", "/api/v2/pools", "/api/v1/pools/litecoin/miners/x/y"] {
        let answer = get(port, path);
        assert_eq!(answer.status, 404, "{path}");
        let error: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(error["error"].is_string(), "{path}: {error}");
    }
}

/// NOMP's answers have the fields of `tests/vectors/nomp/fields.txt`, and no others.
fn nomp(port: u16) {
    let fields = include_str!("../vectors/nomp/fields.txt").lines();
    let fields = fields.filter(|line| !line.starts_with('#') && !line.is_empty());
    let rows: Vec<[&str; 3]> = fields
        .map(|line| {
            let mut words = line.split_whitespace();
            let row = [(); 3].map(|()| words.next().expect("answer, field and kind"));
            assert!(words.next().is_some(), "what does it mean? {line}");
            row
        })
        .collect();
    let mut met = BTreeSet::new();
    for path in ["stats", "pool_stats"] {
        let answer = json_of(port, &format!("/api/{path}")).expect("an answer");
        let mut leaves = Vec::new();
        flatten(&answer, &mut Vec::new(), &mut leaves);
        for (place, value) in leaves {
            let matching = |row: &&[&str; 3]| {
                let field: Vec<&str> = row[1].split('.').collect();
                let same = |(one, other): (&&str, &String)| *one == "*" || *one == *other;
                row[0] == path && field.len() == place.len() && field.iter().zip(&place).all(same)
            };
            let row = rows.iter().find(matching);
            let row = row.unwrap_or_else(|| panic!("NOMP's {path} has no {place:?}"));
            assert!(is_of_kind(value, row[2]), "{path} {place:?} is no {}: {value}", row[2]);
            met.insert((row[0], row[1]));
        }
    }
    for row in &rows {
        assert!(met.contains(&(row[0], row[1])), "{} is not in {}", row[1], row[0]);
    }
}

fn flatten<'v>(
    value: &'v Value,
    place: &mut Vec<String>,
    leaves: &mut Vec<(Vec<String>, &'v Value)>,
) {
    let mut below = |name: &str, value: &'v Value| {
        place.push(name.to_owned());
        flatten(value, place, leaves);
        place.pop();
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(list) => list.iter().for_each(|value| below("[]", value)),
        leaf => leaves.push((place.clone(), leaf)),
    }
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (kind, value.as_str()) {
        ("integer", _) => value.is_u64(),
        ("number", _) => value.is_number(),
        ("text", text) => text.is_some(),
        ("count", Some(text)) => digits(text),
        ("coins", Some(text)) => text.split('.').all(digits) && text.parse::<f64>().is_ok(),
        ("count" | "coins", None) => *value == json!(0),
        ("rate", Some(text)) => text.split_once(' ').is_some_and(|(number, unit)| {
            let units = ["KH", "MH", "GH", "TH", "PH", "EH", "ZH", "YH"];
            let places = number
                .split_once('.')
                .is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == 2);
            places && units.contains(&unit)
        }),
        _ => false,
    }
}
