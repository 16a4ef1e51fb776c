#![allow(clippy::unwrap_used)]
//! What a worker takes of daemons that nobody has examined.

use super::*;
use crate::chain::{Hash, Network, Plan};
use crate::config::Pool;
use crate::daemon::stub::{self, Answer};
use std::time::Duration;

fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

/// The chain: block 100 is 1, block 101 is 2. Miners work on block 100.
fn template(previous: Hash, height: u64, more: &str) -> String {
    format!(
        r#"{{"version":4,"previousblockhash":"{previous}","transactions":[],"coinbasevalue":50,
            "curtime":1700000000,"mintime":1600000000,"bits":"207fffff","height":{height}{more}}}"#
    )
}

/// A daemon with that template that knows these blocks.
fn daemon(template: String, knows: &'static [(u8, u64)]) -> Daemon {
    stub::daemon(move |method, body| match method {
        "getblocktemplate" => Answer::Result(template.clone()),
        "getblockheader" => {
            let known = knows.iter().find(|(byte, _)| body.contains(&hash(*byte).to_string()));
            match known {
                Some((_, height)) => {
                    Answer::Result(format!(r#"{{"confirmations":1,"height":{height}}}"#))
                }
                None => Answer::Error(r#"{"code":-5,"message":"Block not found"}"#.to_owned()),
            }
        }
        _ => Answer::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
    })
}

fn asked(daemons: Vec<Daemon>) -> Result<Work, String> {
    let pool =
        Pool { daemon_timeout: Duration::from_secs(20), ..crate::templates::tests::pool(daemons) };
    let plan = Plan {
        coin: pool.coin.id.clone(),
        network: Network::Main,
        algorithm: pool.coin.algorithm,
        ids: crate::pow::ids::Ids::default(),
        pool_script: vec![0x51],
        recipients: Vec::new(),
        tag: String::new(),
        extranonce2_size: 4,
        tx_message: None,
        proof_of_stake: false,
        payees: Vec::new(),
        addresses: crate::chain::address::Rules::default(),
    };
    let latest = Template::parse(&template(hash(1), 101, "")).unwrap();
    let latest = Work::build(&latest, &plan).unwrap().work;
    work(&pool, &latest).map(|(work, _)| *work)
}

const OURS: &[(u8, u64)] = &[(1, 100), (2, 101)];

fn new() -> Daemon {
    daemon(template(hash(2), 102, ""), OURS)
}

#[test]
fn a_new_block_is_taken_from_who_has_it() {
    let behind = daemon(template(hash(9), 100, ""), &[(1, 100), (9, 99)]);
    let same = daemon(template(hash(1), 101, ""), OURS);
    assert_eq!(asked(vec![behind.clone(), same.clone(), new()]).unwrap().height, 102);
    assert_eq!(asked(vec![behind.clone(), same]).unwrap().height, 101);
    let why = asked(vec![behind]).unwrap_err();
    assert!(why.contains("builds height 100"), "{why}");
}

#[test]
fn what_the_templates_process_would_refuse_is_refused() {
    let cases = [
        (daemon(template(hash(7), 5_000, ""), &[(7, 4_999)]), "does not know block"),
        (daemon(template(hash(2), 103, ""), OURS), "which has height 101"),
        (daemon(template(hash(3), 102, ""), OURS), "whose height it does not tell"),
        (daemon(template(hash(2), 102, r#","rules":["!strange"]"#), OURS), "strange"),
        (daemon(template(hash(2), 102, "").replace("207fffff", "ff7fffff"), OURS), "bits"),
    ];
    for (bad, words) in cases {
        let why = asked(vec![bad.clone()]).unwrap_err();
        assert!(why.contains(words), "{words}: {why}");
        assert_eq!(asked(vec![bad, new()]).unwrap().height, 102, "{words}");
    }
}

#[test]
fn what_is_strange_is_used_only_for_want_of_another() {
    let rich = daemon(template(hash(2), 102, "").replace(":50,", ":5000,"), OURS);
    let value = |daemons| asked(daemons).unwrap().coinbase_value.0;
    assert_eq!(value(vec![rich.clone(), new()]), 50);
    let same = daemon(template(hash(1), 101, ""), OURS);
    assert_eq!(value(vec![rich.clone(), same]), 50);
    assert_eq!(value(vec![rich]), 5_000);
}
