//! Coinbases in files, `tests/vectors/coinbases`: what coins demand, a case a file. A new form needs
//! no code here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::tests::{EXTRANONCE1, EXTRANONCE2, base, outputs, plan};
use super::*;
use crate::chain::{hex_decode, hex_encode};
use serde_json::{Value, json};

/// `changes` laid over a value's own keys.
fn over(mut value: Value, changes: &Value) -> Value {
    for (key, change) in changes.as_object().into_iter().flatten() {
        value[key] = change.clone();
    }
    value
}

fn built(case: &Value) -> Result<Built, String> {
    let plan = over(serde_json::to_value(plan()).unwrap(), &case["plan"]);
    let plan: Plan = serde_json::from_value(plan).unwrap();
    let template = over(base(), &case["template"]).to_string();
    let mut template =
        Template::parse_for(&template, &plan.payees).map_err(|error| error.to_string())?;
    for (address, script) in case["scripts"].as_object().into_iter().flatten() {
        template.resolve_payee(address, &hex_decode(script.as_str().unwrap()).unwrap());
    }
    Work::build(&template, &plan).map_err(|error| error.to_string())
}

/// Looks at every key of the case; how many there were.
fn check(name: &str, case: &Value) -> usize {
    let result = built(case);
    if let Some(words) = case["refused"].as_str() {
        let told = result.map(|built| built.work).unwrap_err();
        assert!(told.contains(words), "{name}: {told}");
        return 1;
    }
    let Built { work, body } = result.unwrap();
    let coinbase = work.coinbase(7, EXTRANONCE1, &EXTRANONCE2);
    let block = hex_encode(&work.block(&[0; 80], &coinbase, &body));
    let plain = match work.plan.proof_of_stake {
        true => [&coinbase[..4], &coinbase[8..]].concat(),
        false => coinbase.clone(),
    };
    let paid: Vec<Value> = outputs(&plain)
        .into_iter()
        .map(|(value, script)| json!([value, hex_encode(&script)]))
        .collect();
    let mut looked = 0;
    for (key, wanted) in case.as_object().unwrap() {
        let is = match key.as_str() {
            "about" | "plan" | "template" | "scripts" => continue,
            "before" => json!(hex_encode(&work.coinbase_before)),
            "after" => json!(hex_encode(&work.coinbase_after)),
            "outputs" => json!(paid),
            "body" => json!(hex_encode(&body)),
            "min_time" => json!(work.min_time),
            "coinbase_value" => json!(work.coinbase_value.0),
            // The end of the coinbase; the block behind its header.
            "ends" => {
                let coinbase = hex_encode(&coinbase);
                let wanted = wanted.as_str().unwrap();
                json!(coinbase[coinbase.len() - wanted.len()..])
            }
            "block_begins" => json!(block[160..160 + wanted.as_str().unwrap().len()]),
            other => unreachable!("{name}: nobody knows `{other}`"),
        };
        assert_eq!(is, *wanted, "{name}: {key}");
        looked += 1;
    }
    let sum: u64 = outputs(&plain).iter().map(|(value, _)| value).sum();
    assert_eq!(sum, work.coinbase_value.0, "{name}");
    looked
}

#[test]
fn proof_of_stake_coins_of_scrypt_know_blocks_by_their_work() {
    for (name, of_work, of_stake) in [
        ("scrypt", false, true),
        ("scrypt-jane", false, true),
        ("scrypt-n", false, false),
        ("sha256", false, false),
        ("x11", true, true),
    ] {
        let algorithm = Algorithm::from_name(name).unwrap();
        for (proof_of_stake, known) in [(false, of_work), (true, of_stake)] {
            let plan = Plan { algorithm, proof_of_stake, ..plan() };
            assert_eq!(plan.is_known_by_work(), known, "{name} {proof_of_stake}");
        }
    }
}

#[test]
fn coinbases_are_as_their_files_say() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/coinbases");
    let mut cases = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(check(&path.display().to_string(), &case) > 0, "{}", path.display());
        cases += 1;
    }
    assert!(cases >= 24, "{cases}");
}
