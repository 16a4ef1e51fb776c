//! What a daemon answers: replies, templates, and the work that is made of them.

use romp::chain::address::Rules;
use romp::chain::{
    Hash, Network, PayeeField, Plan, Recipient, Template, Work, hex_decode, sha256d,
};
use romp::config;
use romp::daemon::{Client, submit};
use romp::pow::Algorithm;
use romp::stratum::{JobId, notify_line};
use serde_json::Value;
use std::time::Duration;

/// The password of the daemon: no error may show it.
const PASSWORD: &str = "hunter2";
/// The id of the call that replies answer.
const CALL: u64 = 7;
/// Most bytes of an error's words.
const MOST_WORDS: usize = 4096;

/// Any bytes as the body of a reply, and as a template.
pub(crate) fn target(data: &[u8]) {
    let daemon = config::Daemon {
        host: "127.0.0.1".to_owned(),
        port: 1,
        user: "fuzz".to_owned(),
        password: config::Secret::new(PASSWORD.to_owned()),
        zmq: None,
    };
    let client = Client::new(&daemon, Duration::from_secs(1));
    match client.parse(data, CALL) {
        Ok(result) => {
            serde_json::from_str::<serde::de::IgnoredAny>(result.get()).expect("a result is JSON");
            template(result.get());
            let (_, words) = submit::classify(&Ok(result));
            assert!(words.len() <= MOST_WORDS, "{} bytes of words", words.len());
        }
        Err(fault) => {
            let words = client.error("getblocktemplate", fault).to_string();
            assert!(words.len() <= MOST_WORDS, "{} bytes of words", words.len());
            assert!(!words.contains(PASSWORD), "the password is shown: {words}");
            assert!(!words.contains(char::is_control), "control characters: {words:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        template(text);
    }
}

/// A payee whose address and amount stand apart.
fn pair() -> PayeeField {
    let (field, amount) = ("donation_payee".to_owned(), Some("donation_amount".to_owned()));
    PayeeField { field, amount, on_top: false }
}

fn plan(rich: bool) -> Plan {
    Plan {
        coin: "litecoin".to_owned(),
        network: Network::Regtest,
        algorithm: Algorithm::Sha256,
        ids: romp::pow::ids::Ids::default(),
        pool_script: vec![0x51],
        recipients: if rich {
            vec![
                Recipient { script: vec![0x52], ppm: 15_000 },
                Recipient { script: vec![0x53; 25], ppm: 500_000 },
            ]
        } else {
            Vec::new()
        },
        tag: if rich { "/\u{20ac}".repeat(20) } else { String::new() },
        extranonce2_size: if rich { 8 } else { 4 },
        tx_message: None,
        proof_of_stake: false,
        payees: Vec::new(),
        addresses: Rules::default(),
    }
}

/// A template is refused in words, or gives work that is right.
fn template(text: &str) {
    if let Err(error) = Template::parse_for(text, &[pair()]) {
        assert!(!error.to_string().is_empty());
    }
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() <= MOST_WORDS + text.len(), "{} bytes of words", words.len());
            return;
        }
    };
    let meaning: Value = serde_json::from_str(text).expect("a template is JSON");
    for rich in [false, true] {
        match Work::build(&template, &plan(rich)) {
            Ok(built) => check(&built.work, &built.body, &meaning),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Compares work with what the template says, read by other code.
fn check(work: &Work, body: &[u8], meaning: &Value) {
    let reward = meaning["coinbasevalue"].as_u64().expect("a reward");
    assert_eq!(work.coinbase_value.0, reward);
    assert!(work.pool_value.0 <= reward, "more than there is");
    assert_eq!(Some(work.height), meaning["height"].as_u64());
    assert!(work.min_time <= work.time, "no time is left");
    assert!(work.target.0 != 0, "a target that nothing meets");
    assert!(work.branch.len() <= 20, "too many steps");

    let extranonce2 = vec![0xee; usize::from(work.plan.extranonce2_size)];
    let coinbase = work.coinbase(0x0102_0304, [8, 0, 0, 1], &extranonce2);
    let (script, sum) = coinbase_parts(&coinbase).expect("the coinbase is a transaction");
    assert!((2..=100).contains(&script), "an input script of {script} bytes");
    assert_eq!(sum, u128::from(reward), "the outputs are not the reward");

    let transactions = meaning["transactions"].as_array().expect("transactions");
    let mut leaves = vec![sha256d(&coinbase)];
    let mut bytes = Vec::new();
    for one in transactions {
        let id = one["txid"].as_str().or(one["hash"].as_str()).expect("an id");
        leaves.push(Hash::from_display(id).expect("an id"));
        bytes.extend(hex_decode(one["data"].as_str().expect("data")).expect("hex"));
    }
    assert!(body.starts_with(&bytes), "the transactions' bytes");
    let root = work.merkle_root(&coinbase);
    assert_eq!(root, whole_tree(leaves), "the merkle root");

    let header = work.header(work.version, &root, work.time, 9);
    let block = work.block(&header, &coinbase, body);
    assert!(block.starts_with(&header) && block.ends_with(body));
    let mut after = block.get(80..).expect("more than a header");
    assert_eq!(compact(&mut after), Some(transactions.len() as u64 + 1), "the block's count");

    let line = notify_line(JobId { lane: 1, number: 2 }, work, true);
    let notify: Value = serde_json::from_slice(&line).expect("mining.notify is JSON");
    assert_eq!(notify["params"].as_array().map(Vec::len), Some(9));
    let text = serde_json::to_string(work).expect("work is plain data");
    assert_eq!(&serde_json::from_str::<Work>(&text).expect("work reads itself"), work);
}

/// Length of the input script and sum of the outputs.
fn coinbase_parts(coinbase: &[u8]) -> Option<(u64, u128)> {
    let mut rest = coinbase.get(4..)?;
    if compact(&mut rest)? != 1 {
        return None;
    }
    rest = rest.get(36..)?;
    let script = compact(&mut rest)?;
    rest = rest.get(usize::try_from(script).ok()? + 4..)?;
    let mut sum = 0;
    for _ in 0..compact(&mut rest)? {
        let (value, after) = rest.split_first_chunk::<8>()?;
        sum += u128::from(u64::from_le_bytes(*value));
        rest = after;
        let length = compact(&mut rest)?;
        rest = rest.get(usize::try_from(length).ok()?..)?;
    }
    (rest.len() >= 4).then_some((script, sum))
}

/// A compact size from the front.
fn compact(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let width = match first {
        0xfd => 2,
        0xfe => 4,
        0xff => 8,
        small => {
            *bytes = rest;
            return Some(u64::from(*small));
        }
    };
    let (number, rest) = rest.split_at_checked(width)?;
    *bytes = rest;
    Some(number.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// The merkle root as Bitcoin first computed it.
fn whole_tree(mut level: Vec<Hash>) -> Hash {
    while level.len() > 1 {
        if level.len() % 2 == 1 {
            level.push(level[level.len() - 1]);
        }
        level = level.chunks(2).map(|two| sha256d(&[two[0].0, two[1].0].concat())).collect();
    }
    level[0]
}
