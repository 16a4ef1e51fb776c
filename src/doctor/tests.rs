//! Findings from replies, and a whole examination of stub daemons.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::judge::{self, algorithm};
use super::*;
use crate::chain::{Hash, Target, hex_array, sha256d};
use crate::daemon::plan::tests::info;
use crate::daemon::stub::{self, Answer};
use crate::daemon::{CallError, ChainInfo, Fault, Peers};
use crate::pow::Algorithm;
use crate::pow::ids::BlockId;
use crate::rewards::Amount;
use crate::templates::tests::pool as test_pool;
use serde_json::value::RawValue;

const ADDRESS: &str = "127.0.0.1:9332";

fn pool(configured: Algorithm) -> Pool {
    let mut pool = test_pool(Vec::new());
    pool.coin.algorithm = configured;
    pool
}

/// Headers of an easy chain that meet their targets with one algorithm and not with the other.
fn chain(algorithm: Algorithm, count: u32) -> Vec<(Hash, Vec<u8>)> {
    let target = Target::from_compact(0x207f_ffff).unwrap();
    let other = Algorithm::ALL.into_iter().find(|other| *other != algorithm).unwrap();
    let header = |time, nonce| {
        crate::chain::header(1, &Hash([1; 32]), &Hash([2; 32]), time, 0x207f_ffff, nonce)
    };
    let find = |time| {
        let fits = |nonce: &u32| {
            let header = header(time, *nonce);
            target.is_met_by(&algorithm.hash(&header)) && !target.is_met_by(&other.hash(&header))
        };
        header(time, (0..1000).find(fits).unwrap())
    };
    (0..count).map(find).map(|header| (sha256d(&header), header.to_vec())).collect()
}

#[test]
fn the_chains_own_headers_tell_the_algorithm() {
    let scrypt = chain(Algorithm::Scrypt, 6);
    let fine = algorithm(ADDRESS, &pool(Algorithm::Scrypt), 100, &scrypt);
    assert_eq!(fine.verdict, Verdict::Ok, "{fine:?}");
    let wrong = algorithm(ADDRESS, &pool(Algorithm::Sha256), 100, &scrypt);
    assert_eq!(wrong.verdict, Verdict::Fail);
    assert!(wrong.words.contains("says `sha256`, but block"), "{wrong:?}");
    assert!(wrong.words.contains("with `scrypt` the last 6 blocks do"), "{wrong:?}");
    assert_eq!(wrong.key, Some(Key::coin(&["algorithm"])));
    // One that is right by chance does not hide the others.
    let mut lucky = chain(Algorithm::Sha256, 1);
    lucky.extend(scrypt.clone());
    let some = algorithm(ADDRESS, &pool(Algorithm::Sha256), 100, &lucky);
    assert_eq!(some.verdict, Verdict::Warn, "several algorithms, or a wrong one: {some:?}");
    // An algorithm that romp does not have.
    let impossible: Vec<_> = (0..3)
        .map(|time| crate::chain::header(1, &Hash([1; 32]), &Hash([2; 32]), time, 0x0300_0001, 0))
        .map(|header| (sha256d(&header), header.to_vec()))
        .collect();
    let unknown = algorithm(ADDRESS, &pool(Algorithm::Sha256), 100, &impossible);
    assert_eq!(unknown.verdict, Verdict::Fail, "{unknown:?}");
    assert!(unknown.words.contains("nor does any other"), "{unknown:?}");
}

#[test]
fn no_alarm_for_headers_that_prove_nothing() {
    let scrypt = chain(Algorithm::Scrypt, 3);
    let longer = |extra: usize| -> Vec<_> {
        scrypt.iter().map(|(id, it)| (*id, [&it[..], &vec![0; extra]].concat())).collect()
    };
    let mut merged = chain(Algorithm::Scrypt, 3);
    merged.iter_mut().for_each(|(_, header)| header[1] |= 1);
    let short = vec![(Hash::default(), vec![0; 79])];
    for (what, headers) in [
        ("none", Vec::new()),
        ("Zcash", longer(1407)),
        ("AuxPoW", merged.clone()),
        ("short", short),
    ] {
        let finding = algorithm(ADDRESS, &pool(Algorithm::Sha256), 100, &headers);
        assert_eq!(finding.verdict, Verdict::Skip, "{what}: {finding:?}");
    }
    // Some blocks with their own work among merge-mined ones do tell.
    merged.extend(scrypt.clone());
    let mixed = algorithm(ADDRESS, &pool(Algorithm::Sha256), 100, &merged);
    assert_eq!(mixed.verdict, Verdict::Fail, "{mixed:?}");
    // The genesis block of a private chain need not have work, unless it is alone.
    let genesis = chain(Algorithm::Scrypt, 1);
    let alone = algorithm(ADDRESS, &pool(Algorithm::Scrypt), 0, &genesis);
    assert_eq!(alone.verdict, Verdict::Ok, "{alone:?}");
    let mut young = chain(Algorithm::Sha256, 2);
    young.extend(genesis);
    let young = algorithm(ADDRESS, &pool(Algorithm::Sha256), 2, &young);
    assert_eq!(young.verdict, Verdict::Ok, "{young:?}");
}

/// Published mainnet headers: what the doctor sees of a real coin.
#[test]
fn the_genesis_blocks_of_real_coins_fit() {
    for (configured, file) in [
        (Algorithm::Sha256, include_str!("../../tests/vectors/pow/sha256d.json")),
        (Algorithm::Scrypt, include_str!("../../tests/vectors/pow/scrypt.json")),
        (Algorithm::Groestl, include_str!("../../tests/vectors/pow/groestl.json")),
        (Algorithm::Quark, include_str!("../../tests/vectors/pow/quark.json")),
        (Algorithm::X11, include_str!("../../tests/vectors/pow/x11.json")),
        (Algorithm::X16r, include_str!("../../tests/vectors/pow/x16r.json")),
    ] {
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        for case in json["genesis"].as_array().unwrap() {
            let header: [u8; 80] = hex_array(case["header_hex"].as_str().unwrap()).unwrap();
            let headers = [(configured.block_id(&header), header.to_vec())];
            let finding = algorithm(ADDRESS, &pool(configured), 0, &headers);
            assert_eq!(finding.verdict, Verdict::Ok, "{case}: {finding:?}");
            // A coin that takes the work of this algorithm and knows blocks by another id.
            let other = [(Hash([7; 32]), header.to_vec())];
            let finding = algorithm(ADDRESS, &pool(configured), 0, &other);
            assert_eq!(finding.verdict, Verdict::Fail, "{case}: {finding:?}");
            assert!(finding.words.contains("does not have the id"), "{finding:?}");
        }
    }
}

/// DigiByte's: blocks of several algorithms, all known by the SHA-256d of their headers.
#[test]
fn a_coin_of_several_algorithms_is_no_contradiction() {
    let mut digibyte = pool(Algorithm::Skein);
    digibyte.coin.ids.block = Some(BlockId::Sha256d);
    digibyte.coin.several_algorithms = true;
    let skein = chain(Algorithm::Skein, 16);
    // None of them meets its target with Skein: the other one's may by chance.
    let target = Target::from_compact(0x207f_ffff).unwrap();
    let mut others = chain(Algorithm::Scrypt, 12);
    others.retain(|(_, header)| {
        !target.is_met_by(&Algorithm::Skein.hash(&header.as_slice().try_into().unwrap()))
    });
    let mixed = [skein.clone(), others.clone()].concat();
    let fine = algorithm(ADDRESS, &digibyte, 100, &mixed);
    assert_eq!(fine.verdict, Verdict::Ok, "{fine:?}");
    assert!(fine.words.contains("16 of the last"), "{fine:?}");
    // None of this algorithm for a while says nothing, unlike for a coin of one algorithm.
    let none = algorithm(ADDRESS, &digibyte, 100, &others);
    assert_eq!(none.verdict, Verdict::Skip, "{none:?}");
    digibyte.coin.several_algorithms = false;
    let wrong = algorithm(ADDRESS, &digibyte, 100, &others);
    assert_eq!(wrong.verdict, Verdict::Fail, "{wrong:?}");
    // Without `blockId` these blocks would be known by their proof of work.
    digibyte.coin.ids.block = None;
    let foreign = algorithm(ADDRESS, &digibyte, 100, &skein);
    assert_eq!(foreign.verdict, Verdict::Fail, "{foreign:?}");
    assert!(foreign.words.contains("set `blockId`"), "{foreign:?}");
}

fn said(json: &str) -> Result<Box<RawValue>, CallError> {
    Ok(RawValue::from_string(json.to_owned()).unwrap())
}

fn fault(fault: Fault) -> CallError {
    CallError { daemon: ADDRESS.to_owned(), method: "m".to_owned(), fault }
}

fn rpc(code: i64) -> CallError {
    fault(Fault::Rpc { code, message: String::new() })
}

#[test]
fn only_words_against_the_block_itself_are_contradictions() {
    for (answer, verdict, words) in [
        (said("null"), Verdict::Ok, "would take"),
        (said("\"high-hash\""), Verdict::Ok, "would take"),
        (said("\"bad-blk-signature\""), Verdict::Ok, "would take"),
        (said("\"inconclusive-not-best-prevblk\""), Verdict::Skip, "went on"),
        (said("\"duplicate\""), Verdict::Skip, "went on"),
        (said("{\"version\": 1}"), Verdict::Skip, "BIP 23"),
        (said("\"bad-cb-amount\""), Verdict::Fail, "masternodes, founders"),
        (said("\"bad-cb-payee\""), Verdict::Fail, "a fund"),
        (said("\"bad-txnmrklroot\""), Verdict::Fail, "merkle root"),
        (said("\"bad-witness-merkle-match\""), Verdict::Fail, "BIP 141"),
        (said("\"unexpected-witness\""), Verdict::Fail, "`templateRules`"),
        (said("\"time-too-new\""), Verdict::Fail, "clocks"),
        (said("\"never heard\\u001b of\""), Verdict::Fail, "(never heard of)"),
        (Err(rpc(-22)), Verdict::Fail, "cannot be read as a block"),
        (Err(rpc(-8)), Verdict::Skip, "error -8"),
        (Err(rpc(-32601)), Verdict::Skip, "does not judge"),
        (Err(fault(Fault::Timeout(Duration::from_secs(1)))), Verdict::Warn, "not examined"),
    ] {
        let finding = judge::proposal(ADDRESS, &answer);
        assert_eq!(finding.verdict, verdict, "{answer:?}: {finding:?}");
        assert!(finding.words.contains(words), "{answer:?}: {finding:?}");
    }
}

#[test]
fn a_wrong_password_is_a_contradiction_and_silence_is_none() {
    let denied = judge::silent(&fault(Fault::Auth(401)), Some(1));
    assert_eq!(denied.verdict, Verdict::Fail);
    assert_eq!(denied.key, Some(Key::pool(&["daemons", "1", "password"])));
    assert_eq!(judge::silent(&fault(Fault::Auth(403)), Some(0)).verdict, Verdict::Fail);
    for silent in [
        rpc(-28),
        fault(Fault::Unreachable("refused".to_owned())),
        fault(Fault::Timeout(Duration::from_secs(1))),
        fault(Fault::Http(503, String::new())),
        fault(Fault::Garbage("half".to_owned())),
    ] {
        assert_eq!(judge::silent(&silent, Some(0)).verdict, Verdict::Warn, "{silent}");
    }
}

#[test]
fn tells_of_sync_peers_wallet_and_clock() {
    let info = |blocks, tip_time| ChainInfo { blocks, headers: 100, tip_time, ..info() };
    let mut pool = pool(Algorithm::Sha256);
    pool.coin.block_time = Some(60);
    let verdict = |info: &ChainInfo| judge::sync(ADDRESS, &pool, info, 10_000).verdict;
    assert_eq!(verdict(&info(100, Some(10_000 - 1_200))), Verdict::Ok);
    assert_eq!(verdict(&info(100, Some(10_000 - 1_201))), Verdict::Warn);
    assert_eq!(verdict(&info(97, None)), Verdict::Warn);
    let peers = |count| judge::peers(ADDRESS, &Peers { version: "/X:1/".to_owned(), count });
    assert_eq!((peers(0).verdict, peers(1).verdict), (Verdict::Warn, Verdict::Ok));
    let wallet = |answer| judge::wallet(ADDRESS, "X", answer);
    assert_eq!(wallet(Ok(Some(true))).verdict, Verdict::Ok);
    assert!(wallet(Ok(Some(false))).words.contains("does not own"));
    assert!(wallet(Err(rpc(-18))).words.contains("loadwallet"));
    assert!(wallet(Err(rpc(-32601))).words.contains("without a wallet"));
    let clock = |time| judge::clock(ADDRESS, time, 10_000).verdict;
    assert_eq!((clock(17_200), clock(2_800)), (Verdict::Ok, Verdict::Ok));
    assert_eq!((clock(17_201), clock(2_799)), (Verdict::Warn, Verdict::Warn));
}

/// A daemon that is in order but for the words it has against a proposed block.
fn stub_daemon(network: &'static str, objection: &'static str) -> crate::config::Daemon {
    let tip = "11".repeat(32);
    stub::daemon(move |method, body| match method {
        "getblockchaininfo" => Answer::Result(format!(
            r#"{{"chain":"{network}","blocks":9,"headers":9,"bestblockhash":"{tip}"}}"#
        )),
        "validateaddress" if body.contains("nobody") => {
            Answer::Result(r#"{"isvalid":false}"#.to_owned())
        }
        "validateaddress" => Answer::Result(
            r#"{"isvalid":true,"scriptPubKey":"0014000102030405060708090a0b0c0d0e0f10111213"}"#
                .to_owned(),
        ),
        "getblocktemplate" if body.contains("proposal") => Answer::Result(objection.to_owned()),
        "getblocktemplate" => Answer::Result(format!(
            r#"{{"version":536870912,"previousblockhash":"{tip}","transactions":[],
                "coinbasevalue":5000000000,"curtime":1700000000,"bits":"207fffff","height":10}}"#
        )),
        _ => Answer::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
    })
}

fn examined(daemons: Vec<crate::config::Daemon>) -> Vec<Patient> {
    let mut pool = test_pool(daemons);
    pool.daemon_timeout = Duration::from_secs(20);
    examine(&[&pool], Duration::from_secs(30))
}

#[test]
fn one_daemon_in_order_makes_the_others_contradictions_warnings() {
    let (good, bad) =
        (|| stub_daemon("regtest", "null"), || stub_daemon("regtest", "\"bad-cb-x\""));
    assert!(!contradicts(&examined(vec![good()])));
    assert!(contradicts(&examined(vec![bad()])));
    let both = examined(vec![bad(), good()]);
    assert!(!contradicts(&both), "{both:?}");
    let told = both[0].findings.iter().find(|finding| finding.what == "block").unwrap();
    assert_eq!(told.verdict, Verdict::Warn);
    assert!(told.words.contains("no work is taken from this daemon"), "{told:?}");
    // Two daemons, each in order by itself, of two networks.
    let apart = examined(vec![good(), stub_daemon("main", "null")]);
    let told = apart[1].findings.last().unwrap();
    assert!(told.words.contains("main network") && told.verdict == Verdict::Warn, "{told:?}");
    // A daemon that is away neither hides a contradiction nor makes one.
    let away = || stub::at(stub::closed_port());
    assert!(contradicts(&examined(vec![bad(), away()])));
    let alone = examined(vec![away()]);
    assert!(!contradicts(&alone) && !alone[0].answered, "{alone:?}");
}

#[test]
fn a_fee_address_that_nobody_knows_is_a_contradiction() {
    let daemon = stub_daemon("regtest", "null");
    let mut pool = test_pool(vec![daemon.clone()]);
    pool.daemon_timeout = Duration::from_secs(20);
    for (address, wrong) in [("somebody", false), ("nobody", true)] {
        let fee = crate::config::FeeAccount { address: address.to_owned(), threshold: Amount(1) };
        pool.payments = Some(Payments {
            wallet: daemon.clone(),
            interval: Duration::ZERO,
            minimum: Amount(1),
            reserve: Amount(0),
            fee_ppm: 1,
            fee_account: Some(fee),
            minimums: std::collections::BTreeMap::new(),
        });
        let patients = examine(&[&pool], Duration::from_secs(30));
        assert_eq!(contradicts(&patients), wrong, "{patients:?}");
        let told = |it: &Finding| it.words.contains("the fee's address `nobody`");
        assert_eq!(patients[0].findings.iter().any(told), wrong, "{patients:?}");
    }
}

/// Far away, or busy: the examination is complete all the same, and so is not repeated.
#[test]
fn a_slow_daemon_is_examined_to_the_end() {
    let quick = stub_daemon("regtest", "null");
    let quick = Client::new(&quick, Duration::from_secs(20));
    let slow = stub::daemon(move |method, body| {
        if method == "getblockheader" {
            std::thread::sleep(Duration::from_millis(300));
            return Answer::Result(format!("\"{}\"", "11".repeat(80)));
        }
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        match quick.call(method, body["params"].clone()) {
            Ok(result) => Answer::Result(result.get().to_owned()),
            Err(_) => Answer::Error(r#"{"code":-32601,"message":"Method not found"}"#.to_owned()),
        }
    });
    let pool = test_pool(vec![slow.clone()]);
    let client = Client::new(&slow, Duration::from_secs(20));
    let until = Instant::now() + Duration::from_secs(4);
    let examined = daemon(&client, &pool, 0, until, &mut Payees::default());
    assert!(examined.complete && examined.contradiction().is_none(), "{examined:?}");
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let hangs = stub::daemon(|_, _| Answer::Silence);
    let mut pool = test_pool(vec![hangs, stub_daemon("regtest", "null")]);
    pool.daemon_timeout = Duration::from_secs(300);
    let patients = examine(&[&pool], Duration::from_secs(2));
    assert!(patients[0].findings[0].words.contains("not examined within 2 s"), "{patients:?}");
    assert!(patients[1].answered && !contradicts(&patients), "{patients:?}");
}

#[path = "tests/stake.rs"]
mod of_stake;
