//! A proof-of-stake coin, found out from its daemon: the whole pool builds blocks that such a daemon
//! can sign, and knows them by the coin's own id.

use crate::harness::{
    ADDRESS, Client, KEY, Pool, Romp, Stub, alone, free_port, hex, scrypt, seconds, to_hex,
    wait_until,
};
use serde_json::{Value, json};

#[test]
fn a_block_of_a_proof_of_stake_coin_can_be_signed() {
    let _alone = alone();
    let stub = Stub::start(&[]);
    stub.make_easy();
    stub.make_staked();
    let port = free_port();
    let pool = Pool::new("stakecoin", port, json!({"diff": 1e-5}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    // A daemon of that age does not tell scripts: the coin file has to know addresses.
    let coin = json!({
        "name": "Stakecoin", "symbol": "STK", "algorithm": "scrypt",
        "networks": {"regtest": {"pubkeyHash": 111, "scriptHash": 196}},
    });
    romp.write_coin("stakecoin", &coin);

    let output = romp.command(&["doctor", "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let reward = found.iter().find(|finding| finding["check"] == json!("reward"));
    let reward = reward.unwrap_or_else(|| panic!("no reward: {found:?}"));
    let words = "proof of stake (blocks of work pay to a key";
    assert_eq!(reward["verdict"], json!("ok"), "{found:?}");
    assert!(reward["words"].as_str().is_some_and(|it| it.starts_with(words)), "{found:?}");

    romp.run();
    romp.wait_ready(1);
    let told = "stakecoin: on the regtest network, proof of stake";
    assert!(romp.output().contains(told), "{}", romp.output());
    let mut client = Client::login(port, ADDRESS).expect("login").scrypt();
    let attempt = client.search(|meets, _, network| meets >= network * 1.000_001);
    let answer = client.request("mining.submit", &attempt.share).expect("an answer");
    assert_eq!(answer["result"], json!(true), "{answer}");
    wait_until("the block to be submitted", seconds(30), || !stub.submitted().is_empty());

    let block = hex(&stub.submitted()[0]);
    let (header, rest) = block.split_at(80);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    // One transaction of version 1, with a time that is not after the block's; one input.
    assert_eq!((rest[0], number(&rest[1..5]), rest[9]), (1, 1, 1), "{}", to_hex(rest));
    let (time, of_block) = (number(&rest[5..9]), number(&header[68..72]));
    assert!(time <= of_block && time > of_block - 3600, "{time} {of_block}");
    // One output, all of it to the key; no lock time; no signature yet.
    let end = format!("0100f2052a010000002321{KEY}ac0000000000");
    assert!(to_hex(rest).ends_with(&end), "{}", to_hex(rest));

    let backwards: Vec<u8> = scrypt(header).iter().rev().copied().collect();
    wait_until("the block in the ledger", seconds(30), || {
        let blocks = romp.json(&["blocks", "stakecoin", "--json"]).unwrap_or_default();
        blocks[0]["hash"] == json!(to_hex(&backwards))
    });
}
