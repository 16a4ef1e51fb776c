//! Tests of turning addresses into the coinbase plan.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::chain::Hash;
use crate::chain::address::Rules;
use crate::config::RewardRecipient;
use crate::daemon::stub::{self, Answer};
use crate::templates::tests::pool;
use std::time::Duration;

/// P2PKH of 20 zero bytes: version 0 as base58check, and its script.
const ADDRESS: &str = "1111111111111111111114oLvT2";
const SCRIPT: &str = "76a914000000000000000000000000000000000000000088ac";

/// Of a main network with one block.
pub(crate) fn info() -> ChainInfo {
    ChainInfo {
        network: Some(Network::Main),
        chain: "main".to_owned(),
        blocks: 1,
        headers: 1,
        best: Hash::default(),
        difficulty: None,
        initial_download: false,
        tip_time: None,
        proof_of_stake: false,
    }
}

fn plan(
    rules: Option<u8>,
    answer: impl Fn() -> Answer + Send + Sync + 'static,
) -> Result<Plan, PlanError> {
    let daemon = stub::daemon(move |_, _| answer());
    let mut pool = pool(vec![daemon.clone()]);
    pool.address = ADDRESS.to_owned();
    if let Some(version) = rules {
        let rules = Rules { pubkey_hash: vec![version], ..Rules::default() };
        pool.coin.addresses.insert(Network::Main, rules);
    }
    make(&Client::new(&daemon, Duration::from_secs(5)), &pool, &info())
}

fn valid(script: &str) -> Answer {
    Answer::Result(format!("{{\"isvalid\":true,\"scriptPubKey\":\"{script}\"}}"))
}

fn operator(result: Result<Plan, PlanError>) -> String {
    match result {
        Err(PlanError::Operator { words, .. }) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn takes_the_script_that_coin_file_and_daemon_agree_on() {
    for rules in [Some(0), None] {
        let plan = plan(rules, || valid(SCRIPT)).unwrap();
        assert_eq!(crate::chain::hex_encode(&plan.pool_script), SCRIPT);
    }
}

#[test]
fn stops_when_they_differ_or_the_daemon_refuses() {
    let differ = operator(plan(Some(0), || valid("0014ff")));
    assert!(differ.contains(ADDRESS) && differ.contains("coin file"), "{differ}");
    let refused = operator(plan(Some(0), || Answer::Result("{\"isvalid\":false}".to_owned())));
    assert!(refused.contains("`main` network"), "{refused}");
}

#[test]
fn an_old_daemon_leaves_it_to_the_coin_file() {
    let old = || Answer::Result("{\"isvalid\":true}".to_owned());
    assert!(plan(Some(0), old).is_ok());
    assert!(operator(plan(None, old)).contains("coin file"));
    let none = || Answer::Error("{\"code\":-32601,\"message\":\"Method not found\"}".to_owned());
    assert!(plan(Some(0), none).is_ok());
    // rpcwhitelist.
    let forbidden = || Answer::Http(403, String::new());
    assert!(plan(Some(0), forbidden).is_ok());
    assert!(operator(plan(None, forbidden)).contains("rpcwhitelist"));
}

#[test]
fn tries_again_when_the_daemon_could_not_be_asked() {
    let starting = || Answer::Error("{\"code\":-28,\"message\":\"Loading\"}".to_owned());
    assert!(matches!(plan(Some(0), starting), Err(PlanError::Call(_))));
}

#[test]
fn recipients_by_key_hash_and_networks_that_cannot_be_mined() {
    let daemon = stub::daemon(|_, _| valid(SCRIPT));
    let mut pool = pool(vec![daemon.clone()]);
    let client = Client::new(&daemon, Duration::from_secs(5));
    let destination = "22851477d63a085dbc2398c8430af1c09e7343f6".to_owned();
    pool.recipients = vec![RewardRecipient { destination, ppm: 1_000 }];
    let plan = make(&client, &pool, &info()).unwrap();
    let script = crate::chain::hex_encode(&plan.recipients[0].script);
    assert_eq!(script, "76a91422851477d63a085dbc2398c8430af1c09e7343f688ac");
    assert_eq!(plan.recipients[0].ppm, 1_000);

    let unknown = ChainInfo { network: None, chain: "moon".to_owned(), ..info() };
    assert!(operator(make(&client, &pool, &unknown)).contains("`moon`"));
}

/// A daemon of Peercoin's kind: its difficulty has two parts, its wallet tells a key.
fn staked(pubkey: Option<&'static str>) -> crate::config::Daemon {
    stub::daemon(move |method, _| match (method, pubkey) {
        ("getdifficulty", _) => {
            Answer::Result(r#"{"proof-of-work":5.5,"proof-of-stake":0.2}"#.to_owned())
        }
        ("validateaddress", Some(key)) => Answer::Result(format!(
            r#"{{"isvalid":true,"scriptPubKey":"{SCRIPT}","ismine":true,"pubkey":"{key}"}}"#
        )),
        ("validateaddress", None) => valid(SCRIPT),
        _ => Answer::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
    })
}

#[test]
fn a_proof_of_stake_coin_is_found_out_and_pays_to_a_key() {
    const KEY: &str = "02abababababababababababababababababababababababababababababababab";
    let daemon = staked(Some(KEY));
    let client = Client::new(&daemon, Duration::from_secs(5));
    let mut pool = pool(vec![daemon]);
    pool.address = ADDRESS.to_owned();
    let plan = make(&client, &pool, &info()).unwrap();
    assert!(plan.proof_of_stake);
    assert_eq!(crate::chain::hex_encode(&plan.pool_script), format!("21{KEY}ac"));
    // The coin file has the last word.
    pool.coin.proof_of_stake = Some(false);
    let plan = make(&client, &pool, &info()).unwrap();
    assert!(!plan.proof_of_stake);
    assert_eq!(crate::chain::hex_encode(&plan.pool_script), SCRIPT);
    pool.coin.proof_of_stake = Some(true);
    assert!(make(&client, &pool, &info()).unwrap().proof_of_stake);

    // A foreign address, whose key no daemon can sign with; a key that is none.
    let short = "02ababab";
    for daemon in [staked(None), staked(Some(short))] {
        let client = Client::new(&daemon, Duration::from_secs(5));
        let words = operator(make(&client, &pool, &info()));
        assert!(words.contains("public key") && words.contains(ADDRESS), "{words}");
    }
}
