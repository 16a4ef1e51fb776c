//! Shapes of templates: what is read, what is refused and how the refusal names the field.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// A template with the fields that every daemon gives.
fn base() -> Value {
    json!({
        "version": 0x2000_0000_u32,
        "previousblockhash": "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        "transactions": [],
        "coinbasevalue": 5_000_000_000_u64,
        "curtime": 1_399_999_999,
        "mintime": 1_399_990_000,
        "bits": "207fffff",
        "height": 500,
        "target": format!("7fffff{}", "0".repeat(58)),
    })
}

/// The base with one field set (or, for null, removed).
fn with(name: &str, value: Value) -> Result<Template, TemplateError> {
    let mut template = base();
    if value.is_null() {
        template.as_object_mut().unwrap().remove(name);
    } else {
        template[name] = value;
    }
    Template::parse(&template.to_string())
}

fn refusal(name: &str, value: Value) -> String {
    with(name, value).unwrap_err().to_string()
}

fn amounts(template: &Template) -> Vec<u64> {
    template.payments.iter().map(|payment| payment.amount.0).collect()
}

#[test]
fn the_plain_template_is_read() {
    let template = Template::parse(&base().to_string()).unwrap();
    assert_eq!((template.version, template.height), (0x2000_0000, 500));
    assert_eq!((template.time, template.min_time), (1_399_999_999, 1_399_990_000));
    assert_eq!(template.bits, 0x207f_ffff);
    assert_eq!(Some(template.target), Target::from_compact(0x207f_ffff));
    assert!(template.previous.to_string().starts_with("0123456789abcdef"));
    assert_eq!(template.coinbase_value, Amount(5_000_000_000));
}

#[test]
fn optional_fields_have_their_meaning_when_absent() {
    assert_eq!(with("mintime", Value::Null).unwrap().min_time, 1_399_999_999);
    assert_eq!(with("mintime", json!(1_400_000_001)).unwrap().time, 1_400_000_001);
    let target = with("target", Value::Null).unwrap().target;
    assert_eq!(Some(target), Target::from_compact(0x207f_ffff));
    assert!(with("default_witness_commitment", json!("")).unwrap().witness_commitment.is_none());
    assert!(with("coinbaseaux", json!({})).unwrap().aux_flags.is_empty());
    assert!(with("coinbaseaux", json!({"flags": ""})).unwrap().aux_flags.is_empty());
    let flags = with("coinbaseaux", json!({"flags": "062f503253482f"})).unwrap().aux_flags;
    assert_eq!(flags, b"\x06/P2SH/");
    assert!(with("ttl", json!({"unknown": [1, 2]})).is_ok());
}

#[test]
fn the_version_is_32_bits_of_either_sign() {
    assert_eq!(with("version", json!(-1)).unwrap().version, u32::MAX);
    assert_eq!(with("version", json!(u32::MAX)).unwrap().version, u32::MAX);
    assert_eq!(with("version", json!(i32::MIN)).unwrap().version, 1 << 31);
    assert!(refusal("version", json!(1_u64 << 32)).contains("`version`"));
    assert!(refusal("version", json!(-(1_i64 << 31) - 1)).contains("`version`"));
}

#[test]
fn a_refusal_names_the_field() {
    for name in ["version", "previousblockhash", "transactions", "coinbasevalue", "curtime"] {
        assert!(refusal(name, Value::Null).contains(name), "{name} missing");
        assert!(refusal(name, json!({"x": 1})).contains(name), "{name} an object");
    }
    for (name, value) in [
        ("previousblockhash", json!("12".repeat(31))),
        ("previousblockhash", json!("zz".repeat(32))),
        ("bits", json!("207ffff")),
        ("bits", json!("20800001")),
        ("bits", json!("ff7fffff")),
        ("bits", json!("00000000")),
        ("bits", json!(545_259_519)),
        ("height", json!(-1)),
        ("height", json!(1_u64 << 32)),
        ("target", json!("00".repeat(32))),
        ("target", json!("7f")),
        ("coinbasevalue", json!(-5)),
        ("coinbasevalue", json!(1.5)),
        ("default_witness_commitment", json!("6a24aa21a9ed00")),
        ("default_witness_commitment", json!("00".repeat(38))),
        ("default_witness_commitment", json!("6a2")),
        ("coinbaseaux", json!({"flags": 7})),
        ("coinbaseaux", json!({"flags": "0"})),
        ("coinbase_payload", json!("0q")),
        ("coinbase_payload", json!("00".repeat(10_001))),
        ("mweb", json!("012")),
        ("rules", json!(["csv", "!signet"])),
        ("transactions", json!([{"data": "0"}])),
        ("transactions", json!([{"data": "00", "txid": "00"}])),
        ("masternode", json!(7)),
        ("masternode", json!([7])),
        ("masternode", json!({"payee": "X", "amount": "7"})),
        ("masternode", json!({"payee": "X", "amount": -7})),
        ("masternode", json!({"payee": "X"})),
        ("masternode", json!({"payee": "X".repeat(129), "amount": 7})),
        ("payee", json!("X".repeat(129))),
        ("superblock", json!([{"amount": 1}])),
        ("superblock", json!([{"script": "0", "amount": 1}])),
    ] {
        let text = refusal(name, value.clone());
        assert!(text.contains(name), "{name} {value}: {text}");
    }
    // What it quotes may be megabytes; it goes to the log and to `romp status`.
    for name in ["height", "bits", "payee"] {
        let text = refusal(name, json!(format!("{}\u{fc}", "\u{e4}".repeat(1 << 20))));
        assert!(text.contains(name) && text.len() < 500, "{name}: {} bytes", text.len());
    }
    assert!(refusal("transactions", json!([{"data": ""}])).contains("transactions[0].data"));
    let no_id = json!([{"data": "00", "hash": "11".repeat(32)}, {"data": "00"}]);
    assert!(refusal("transactions", no_id).contains("transactions[1].txid"));
    assert!(Template::parse(&format!("{} x", base())).is_err());
    assert!(Template::parse("").is_err() && Template::parse("null").is_err());
}

#[test]
fn supported_rules_may_be_demanded() {
    assert!(with("rules", json!(["csv", "!segwit", "taproot", "!mweb"])).is_ok());
}

#[test]
fn transactions_keep_their_order_and_prefer_the_txid() {
    let template = with(
        "transactions",
        json!([
            {"data": "0101", "txid": "aa".repeat(32), "hash": "bb".repeat(32)},
            {"data": "02", "hash": "22".repeat(32)},
        ]),
    )
    .unwrap();
    assert_eq!(template.data, [1, 1, 2]);
    assert_eq!(template.txids, [Hash([0xaa; 32]), Hash([0x22; 32])]);
}

/// F40, D6: the same transaction twice, more bytes than the daemon's own limit, foreign bytes.
#[test]
fn transactions_that_cannot_be_a_block() {
    let id = "aa".repeat(32);
    let twice = json!([{"data": "01", "txid": id}, {"data": "02", "txid": id}]);
    assert!(refusal("transactions", twice).contains("there twice"));
    let mut large = base();
    large["sizelimit"] = json!(2);
    large["transactions"] = json!([{"data": "010203", "txid": id}]);
    let error = Template::parse(&large.to_string()).unwrap_err().to_string();
    assert!(error.contains("`sizelimit`"), "{error}");

    let plain = "01000000".to_owned() + &"11".repeat(60);
    let extended = "010000000001".to_owned() + &"11".repeat(60);
    let mweb = "010000000008".to_owned() + &"11".repeat(60);
    let own = |data: &str| sha256d(&hex_decode(data).unwrap()).to_string();
    for (name, one, foreign) in [
        ("own id", json!({"data": plain, "txid": own(&plain)}), None),
        ("foreign id", json!({"data": plain, "txid": id}), Some(0)),
        ("own hash", json!({"data": extended, "txid": id, "hash": own(&extended)}), None),
        ("foreign hash", json!({"data": extended, "txid": id, "hash": "bb".repeat(32)}), Some(0)),
        ("cannot tell", json!({"data": mweb, "txid": id, "hash": "bb".repeat(32)}), None),
    ] {
        let template = with("transactions", json!([one])).unwrap();
        assert_eq!(template.foreign_id, foreign, "{name}");
    }
}

#[test]
fn payees_are_read_in_object_and_in_array_form() {
    let one = json!({"payee": "Xaddress", "script": "51", "amount": 7});
    for value in [one.clone(), json!([one])] {
        for name in ["masternode", "superblock", "znode", "founder", "coinbase_devreward"] {
            let template = with(name, value.clone()).unwrap();
            assert_eq!(template.payments.len(), 1, "{name}");
            assert_eq!(template.payments[0].payee, Payee::Script(vec![0x51]));
            assert_eq!(template.payments[0].amount, Amount(7));
        }
    }
    let burn = with("masternode", json!([{"payee": "", "script": "6a", "amount": 9}])).unwrap();
    assert_eq!(burn.payments[0].payee, Payee::Script(vec![0x6a]));
    for nobody in [json!({}), json!([]), json!(false), json!([{"payee": "", "script": ""}])] {
        assert!(with("masternode", nobody).unwrap().payments.is_empty());
    }
    let zero = with("masternode", json!({"payee": "X", "amount": 0})).unwrap();
    assert!(zero.payments.is_empty());
    let scriptpubkey = with("coinbasedevreward", json!({"scriptpubkey": "52", "value": 3}));
    assert_eq!(scriptpubkey.unwrap().payments[0].payee, Payee::Script(vec![0x52]));
}

#[test]
fn a_payee_without_amount_takes_a_fifth_rounded_up() {
    let mut json = base();
    json["payee"] = json!("Xaddress");
    assert_eq!(amounts(&Template::parse(&json.to_string()).unwrap()), [1_000_000_000]);
    json["coinbasevalue"] = json!(11);
    assert_eq!(amounts(&Template::parse(&json.to_string()).unwrap()), [3]);
    json["payee_amount"] = json!(2);
    assert_eq!(amounts(&Template::parse(&json.to_string()).unwrap()), [2]);
    // The same payee in the newer form is not paid twice.
    json["masternode"] = json!({"payee": "Xaddress", "script": "51", "amount": 2});
    assert_eq!(amounts(&Template::parse(&json.to_string()).unwrap()), [2]);
}

#[test]
fn addresses_without_script_can_be_resolved() {
    let one = json!([{"payee": "X", "amount": 7}, {"payee": "Y", "script": "51", "amount": 7}]);
    let mut template = with("masternode", one).unwrap();
    assert_eq!(template.payee_addresses().collect::<Vec<_>>(), ["X"]);
    template.resolve_payee("X", &[0x52]);
    assert_eq!(template.payee_addresses().count(), 0);
    assert_eq!(template.payments[0].payee, Payee::Script(vec![0x52]));
}

proptest! {
    /// A real template with any one byte changed is read or refused, never a panic.
    #[test]
    fn no_change_of_one_byte_panics(at in 0_usize..400, byte in 32_u8..127) {
        let mut text = base().to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = Template::parse(&String::from_utf8(text).unwrap());
    }
}
