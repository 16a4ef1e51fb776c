//! NOMP's golden jobs as far as the coinbase layouts agree, exact sums, blocks that a real
//! litecoind accepted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::chain::sha256d;
use crate::chain::{Target, address, hex_array, hex_decode, hex_encode};
use crate::pow::ids::TransactionId;
use proptest::prelude::*;
use serde_json::{Value, json};

const POOL: &str = "76a9141bf1c824cd6028bcd65732374baea5dca5fed57088ac";
pub(super) const EXTRANONCE1: [u8; 4] = [8, 0, 0, 0];
pub(super) const EXTRANONCE2: [u8; 4] = [1, 2, 3, 4];

/// NOMP's fee recipients of the golden vectors: 1.5 % and 0.1 %.
pub(super) fn plan() -> Plan {
    let key = |hex: &str| address::pubkey_hash_script(&hex_array(hex).unwrap());
    Plan {
        coin: "litecoin".to_owned(),
        network: Network::Regtest,
        algorithm: Algorithm::Scrypt,
        ids: Ids::default(),
        pool_script: hex_decode(POOL).unwrap(),
        recipients: vec![
            Recipient { script: key("ecf809f1ec0ba4faa909d5175e405902a21282be"), ppm: 15_000 },
            Recipient { script: key("22851477d63a085dbc2398c8430af1c09e7343f6"), ppm: 1_000 },
        ],
        tag: "/nodeStratum/".to_owned(),
        extranonce2_size: 4,
        tx_message: None,
        proof_of_stake: false,
        payees: Vec::new(),
        addresses: Rules { pubkey_hash: vec![76], script_hash: vec![16], ..Rules::default() },
    }
}

pub(super) fn base() -> Value {
    json!({
        "version": 2,
        "previousblockhash": "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        "transactions": [],
        "coinbasevalue": 5_000_000_000_u64,
        "curtime": 1_399_999_999,
        "bits": "207fffff",
        "height": 500,
    })
}

fn built(json: &Value, plan: &Plan) -> Built {
    Work::build(&Template::parse(&json.to_string()).unwrap(), plan).unwrap()
}

/// NOMP's outputs with the layout of the rest of coinb2: tag, sequence, outputs, lock time.
const NOMP_OUTPUTS: &str = "003e4125010000001976a9141bf1c824cd6028bcd65732374baea5dca5fed57088acc0687804000000001976a914ecf809f1ec0ba4faa909d5175e405902a21282be88ac404b4c00000000001976a91422851477d63a085dbc2398c8430af1c09e7343f688ac00000000";

#[test]
fn golden_vector_1() {
    let Built { work, body } = built(&base(), &plan());
    // As NOMP, without its time and with our salt in the nonces' push.
    assert_eq!(
        hex_encode(&work.coinbase_before),
        format!("0100000001{}ffffffff1e02f4010c", "00".repeat(32))
    );
    assert_eq!(
        hex_encode(&work.coinbase_after),
        format!("0d2f6e6f64655374726174756d2f0000000003{NOMP_OUTPUTS}")
    );
    assert!(body.is_empty() && !work.witness && work.branch.is_empty());
    assert_eq!(work.pool_value, Amount(0x0001_2541_3e00));
    let coinbase = work.coinbase(7, EXTRANONCE1, &EXTRANONCE2);
    let between = hex_encode(&coinbase[work.coinbase_before.len()..][..12]);
    assert_eq!(between, "000000070800000001020304");
    assert_eq!(work.merkle_root(&coinbase), sha256d(&coinbase));
    let header = [0; 80];
    assert_eq!(work.block(&header, &coinbase, &body), [&header, &[1][..], &coinbase].concat());
}

#[test]
fn golden_vector_1_header_and_its_block_hash() {
    // NOMP's own coinbase (its layout), folded and hashed by our functions.
    let coinbase = hex_decode(&format!(
        "0100000001{}ffffffff1f02f40104004e72530808000000010203040d2f6e6f64655374726174756d2f0000000003{NOMP_OUTPUTS}",
        "00".repeat(32)
    ))
    .unwrap();
    let work = built(&base(), &plan()).work;
    let header = work.header(2, &work.merkle_root(&coinbase), 0x5372_4dff, 0xdead_beef);
    assert_eq!(
        hex_encode(&header),
        "0200000078695a4b3c2d1e0fffeeddccbbaa99887766554433221100efcdab8967452301b09f1c23fa6ae8a5581e2b89d3821bf60c19ce3a58bde6c2ae39637bb889e66dff4d7253ffff7f20efbeadde"
    );
    assert_eq!(
        sha256d(&header).to_string(),
        "0d5b70ff17ce759b54d60e72986993d28e87c2faf23ee487a83a77a44627d569"
    );
    // OpenSSL's scrypt of this header: difficulty 0.00006591 in scrypt's terms.
    let hash = Algorithm::Scrypt.hash(&header);
    let share = Target(ethnum::U256::from_le_bytes(hash.0)).difficulty() * 65_536.0;
    assert!((share - 0.000_065_91).abs() < 1e-8, "{share}");
}

#[test]
fn golden_vector_2_with_transactions_and_witness_commitment() {
    let commitment = format!("6a24aa21a9ed{}", "5c".repeat(32));
    let mut json = base();
    json["version"] = json!(0x2000_0000);
    json["height"] = json!(16);
    json["default_witness_commitment"] = json!(commitment);
    json["transactions"] = json!([
        {"data": "01".repeat(8), "txid": "aa".repeat(32), "hash": "bb".repeat(32)},
        {"data": "02".repeat(8), "hash": "22".repeat(32)},
        {"data": "03".repeat(8), "hash": "33".repeat(32)},
    ]);
    let Built { work, body } = built(&json, &plan());
    assert!(hex_encode(&work.coinbase_before).ends_with("ffffffff1c600c"));
    assert_eq!(
        hex_encode(&work.coinbase_after),
        format!(
            "0d2f6e6f64655374726174756d2f0000000004000000000000000026{commitment}{NOMP_OUTPUTS}"
        )
    );
    assert_eq!(work.branch[0], Hash([0xaa; 32]));
    assert_eq!(
        hex_encode(&work.branch[1].0),
        "69c5a5fc944f979128d8623f47df6e532790d453223e06347e95fe8a6016b9a3"
    );
    let nomp = hex_decode(&format!(
        "0100000001{}ffffffff1d6004004e72530808000000010203040d2f6e6f64655374726174756d2f00000000040000\
         00000000000026{commitment}{NOMP_OUTPUTS}",
        "00".repeat(32)
    ))
    .unwrap();
    let header = work.header(work.version, &work.merkle_root(&nomp), 0x5372_4dff, 0xdead_beef);
    assert_eq!(
        sha256d(&header).to_string(),
        "258bdab5af201fd44d11346bb23be08f5e817cad59740b25ea3133e21fbee726"
    );
    // The block: four transactions, the coinbase with marker, flag and reserved value.
    let coinbase = work.coinbase(1, EXTRANONCE1, &EXTRANONCE2);
    let block = hex_encode(&work.block(&header, &coinbase, &body));
    let plain = hex_encode(&coinbase);
    let (version, rest) = plain.split_at(8);
    let (inputs_and_outputs, lock_time) = rest.split_at(rest.len() - 8);
    let witness = format!("0120{}", "00".repeat(32));
    let transactions = format!("{}{}{}", "01".repeat(8), "02".repeat(8), "03".repeat(8));
    assert_eq!(
        block[160..],
        format!("04{version}0001{inputs_and_outputs}{witness}{lock_time}{transactions}")
    );
}

#[test]
fn golden_vector_3_comment_after_the_lock_time() {
    let mut plan = Plan { recipients: Vec::new(), ..plan() };
    plan.tx_message = Some("https://github.com/zone117x/node-stratum".to_owned());
    let mut json = base();
    json["height"] = json!(17);
    let work = built(&json, &plan).work;
    assert!(hex_encode(&work.coinbase_before).starts_with("0200000001"));
    let after = hex_encode(&work.coinbase_after);
    assert!(after.ends_with(
        "000000002868747470733a2f2f6769746875622e636f6d2f7a6f6e65313137782f6e6f64652d7374726174756d"
    ));
    // The witness goes before the lock time, also when bytes follow it.
    let coinbase = work.coinbase(1, EXTRANONCE1, &EXTRANONCE2);
    let full = coinbase::with_witness(&coinbase, false);
    assert_eq!(full.len(), coinbase.len() + 36);
    assert_eq!(full[full.len() - 45..], coinbase[coinbase.len() - 45..]);
}

/// Values of the outputs of a built coinbase, in order.
fn values(work: &Work) -> Vec<u64> {
    let coinbase = work.coinbase(1, EXTRANONCE1, &[0; 8][..work.plan.extranonce2_size.into()]);
    outputs(&coinbase).into_iter().map(|(value, _)| value).collect()
}

/// The outputs of a coinbase, read apart from the code under test; checks that all is consumed.
pub(super) fn outputs(coinbase: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let script = usize::from(coinbase[41]);
    assert!((2..=100).contains(&script), "consensus: input script of {script} bytes");
    let mut at = 42 + script + 4;
    let count = coinbase[at];
    at += 1;
    (0..count)
        .map(|_| {
            let value = u64::from_le_bytes(coinbase[at..at + 8].try_into().unwrap());
            let length = usize::from(coinbase[at + 8]);
            let script = coinbase[at + 9..at + 9 + length].to_vec();
            at += 9 + length;
            (value, script)
        })
        .collect()
}

#[test]
fn golden_vector_4_votes_and_a_payee_without_amount() {
    let mut json = base();
    json["height"] = json!(128);
    json["masternode_payments"] = json!(true);
    json["votes"] = json!(["aabb", "cc"]);
    json["payee"] = json!("XfkoYutJ8KYtLxZ4TgnMqC6SCmxuc3LEDY");
    let Built { work, body } = built(&json, &plan());
    assert_eq!(values(&work), [3_936_000_000, 1_000_000_000, 60_000_000, 4_000_000]);
    assert!(hex_encode(&work.coinbase_before).ends_with("0280000c"));
    assert_eq!(hex_encode(&body), "02aabbcc");
    let paid = outputs(&work.coinbase(1, EXTRANONCE1, &EXTRANONCE2));
    let payee = hex_array("37986358538324e53c0161166bfd80d17389f9a2").unwrap();
    assert_eq!(paid[1].1, address::pubkey_hash_script(&payee));
}

#[test]
fn golden_vectors_5_and_6_masternode_and_superblock() {
    let payee = "XfkoYutJ8KYtLxZ4TgnMqC6SCmxuc3LEDY";
    let mut json = base();
    json["height"] = json!(32_768);
    json["masternode"] = json!({"payee": payee, "amount": 2_500_000_000_u64});
    json["superblock"] = json!([]);
    let work = built(&json, &plan()).work;
    assert_eq!(values(&work), [2_460_000_000, 2_500_000_000, 37_500_000, 2_500_000]);
    let mut json = base();
    json["masternode"] = json!({});
    json["superblock"] = json!([{"payee": payee, "amount": 100}, {"payee": payee, "amount": 200}]);
    json["payee"] = json!("3P14159f73E4gFr7JterCCQh9QjiTjiZrG");
    json["payee_amount"] = json!(7);
    let template = Template::parse(&json.to_string()).unwrap();
    // An address that the rules refuse is an error, not a block that pays a stranger.
    let refused = Work::build(&template, &plan()).map(|built| built.work).unwrap_err();
    assert!(matches!(refused, WorkError::Payee(_)), "{refused}");
    let mut resolved = template;
    resolved.resolve_payee("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", &[0x51]);
    let work = Work::build(&resolved, &plan()).unwrap().work;
    assert_eq!(values(&work), [4_919_999_699, 100, 200, 7, 74_999_995, 4_999_999]);
}

#[test]
fn a_payload_makes_a_special_transaction() {
    let mut json = base();
    json["coinbase_payload"] = json!("0200aabb");
    let work = built(&json, &plan()).work;
    assert!(hex_encode(&work.coinbase_before).starts_with("0300050001"));
    assert!(hex_encode(&work.coinbase_after).ends_with("88ac00000000040200aabb"));
}

#[test]
fn the_mweb_extension_follows_the_transactions() {
    let mut json = base();
    json["transactions"] = json!([{"data": "0a0b", "txid": "aa".repeat(32)}]);
    json["mweb"] = json!("cdef");
    assert_eq!(hex_encode(&built(&json, &plan()).body), "0a0b01cdef");
}

#[test]
fn flags_and_tag_never_make_the_input_script_too_long() {
    for (flags, tag, whole_tag, whole_flags) in [
        (0, "/romp/", true, true),
        (7, "/romp/", true, true),
        (60, "/a tag of forty bytes, the longest one/x", false, true),
        (90, "/romp/", true, false),
        (
            100,
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            false,
            false,
        ),
        (10, "", true, true),
    ] {
        let mut json = base();
        json["coinbaseaux"] = json!({"flags": "61".repeat(flags)});
        json["height"] = json!(u32::MAX);
        let plan = Plan { tag: tag.to_owned(), extranonce2_size: 8, ..plan() };
        let work = built(&json, &plan).work;
        let coinbase = work.coinbase(1, EXTRANONCE1, &[0; 8]);
        assert_eq!(outputs(&coinbase).len(), 3);
        let script =
            String::from_utf8_lossy(&coinbase[42..42 + usize::from(coinbase[41])]).into_owned();
        assert_eq!(script.contains(tag), whole_tag, "{flags} {tag}");
        assert_eq!(script.contains(&"a".repeat(flags)), whole_flags, "{flags} {tag}");
        assert!(!script.trim_end_matches('\u{fffd}').is_empty());
    }
}

#[test]
fn more_than_the_reward_is_never_paid() {
    let mut json = base();
    json["masternode"] = json!({"script": "51", "amount": 5_000_000_001_u64});
    let template = Template::parse(&json.to_string()).unwrap();
    let error = Work::build(&template, &plan()).map(|built| built.work).unwrap_err();
    assert_eq!(error, WorkError::Overspent(Amount(5_000_000_000)));
    let mut greedy = plan();
    greedy.recipients[0].ppm = 999_001;
    let template = Template::parse(&base().to_string()).unwrap();
    assert!(Work::build(&template, &greedy).is_err());
    greedy.recipients[0].ppm = u32::MAX;
    assert!(Work::build(&template, &greedy).is_err());
}

#[test]
fn the_merkle_root_is_over_the_id_that_the_coin_gives_a_coinbase() {
    for (algorithm, id, wanted) in [
        (Algorithm::Blake, None, TransactionId::Sha256d),
        (Algorithm::Blake, Some(TransactionId::Sha256), TransactionId::Sha256),
        (Algorithm::Groestl, None, TransactionId::Sha256),
        (Algorithm::Groestl, Some(TransactionId::Sha256d), TransactionId::Sha256d),
    ] {
        let ids = Ids { transaction: id, ..Ids::default() };
        let work = built(&base(), &Plan { algorithm, ids, ..plan() }).work;
        let coinbase = work.coinbase(1, [2; 4], &[3; 4]);
        assert_eq!(work.branch, []);
        assert_eq!(work.merkle_root(&coinbase), wanted.of(&coinbase), "{algorithm:?}, {id:?}");
    }
}

/// Rebuilds a block that a real litecoind accepted, byte for byte.
fn rebuilds(file: &str) -> (Work, Vec<u8>) {
    let file: Value = serde_json::from_str(file).unwrap();
    let plan: Plan = serde_json::from_value(file["plan"].clone()).unwrap();
    let Built { work, body } = built(&file["template"], &plan);
    let hex = |key: &str| hex_decode(file[key].as_str().unwrap()).unwrap();
    let number = |key: &str| u32::try_from(file[key].as_u64().unwrap()).unwrap();
    let extranonce1 = hex("extranonce1").try_into().unwrap();
    let coinbase = work.coinbase(number("salt"), extranonce1, &hex("extranonce2"));
    let root = work.merkle_root(&coinbase);
    let header = work.header(work.version, &root, work.time, number("nonce"));
    assert!(work.target.is_met_by(&plan.algorithm.hash(&header)));
    let block = work.block(&header, &coinbase, &body);
    assert_eq!(hex_encode(&block), file["block"].as_str().unwrap());
    let paid: u64 = outputs(&coinbase).iter().map(|(value, _)| value).sum();
    assert_eq!(paid, work.coinbase_value.0);
    (work, body)
}

#[test]
fn a_block_that_litecoind_accepted_before_mweb() {
    let (work, _) =
        rebuilds(include_str!("../../../tests/vectors/blocks/litecoin-regtest-before-mweb.json"));
    assert!(work.witness && work.transactions == 2);
}

#[test]
fn a_block_that_litecoind_accepted_with_mweb() {
    let file = include_str!("../../../tests/vectors/blocks/litecoin-regtest-with-mweb.json");
    let (work, body) = rebuilds(file);
    assert!(work.witness && work.transactions == 3 && body.len() > 2000);
}

proptest! {
    #[test]
    fn outputs_always_sum_to_the_coinbase_value(
        value: u64,
        ppms in proptest::collection::vec(0_u32..400_000, 0..6),
        demanded in proptest::collection::vec(0_u64..1_000_000_000, 0..4),
    ) {
        let mut json = base();
        json["coinbasevalue"] = json!(value);
        json["superblock"] = demanded.iter().map(|amount| json!({"script": "51", "amount": amount})).collect();
        let recipients =
            ppms.iter().map(|&ppm| Recipient { script: vec![0x52], ppm }).collect();
        let plan = Plan { recipients, ..plan() };
        let template = Template::parse(&json.to_string()).unwrap();
        let fixed = demanded.iter().sum::<u64>();
        match Work::build(&template, &plan) {
            Ok(Built { work, .. }) => {
                let paid = outputs(&work.coinbase(1, EXTRANONCE1, &EXTRANONCE2));
                let sum: u128 = paid.iter().map(|(value, _)| u128::from(*value)).sum();
                prop_assert_eq!(sum, u128::from(value));
                prop_assert_eq!(paid[0].0, work.pool_value.0);
                prop_assert!(paid[1..].iter().all(|(value, _)| *value > 0));
                for (index, ppm) in ppms.iter().enumerate() {
                    let wanted = u128::from(value - fixed) * u128::from(*ppm) / 1_000_000;
                    let sums = paid.iter().any(|(value, _)| u128::from(*value) == wanted);
                    prop_assert!(wanted == 0 || sums, "recipient {index}");
                }
            }
            Err(_) => prop_assert!(fixed > value || ppms.iter().sum::<u32>() > 1_000_000),
        }
    }

    #[test]
    fn a_work_survives_its_message(height in 0_u32.., size in 4_u8..=8) {
        let mut json = base();
        json["height"] = json!(height);
        let work = built(&json, &Plan { extranonce2_size: size, ..plan() }).work;
        let text = serde_json::to_string(&work).unwrap();
        prop_assert_eq!(serde_json::from_str::<Work>(&text).unwrap(), work);
    }

    #[test]
    fn bytes_that_are_no_transaction_do_not_panic(bytes: Vec<u8>) {
        let _ = coinbase::with_witness(&bytes, false);
        let _ = coinbase::with_witness(&bytes, true);
    }
}
