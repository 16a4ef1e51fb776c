//! What daemon and wallet say of pending blocks.

use super::super::witness::Chain;
use super::*;
use crate::chain::hex_encode;
use crate::chain::transaction::{Output, Transaction, unfunded};
use crate::daemon::Client;
use crate::daemon::stub::{Answer, daemon};
use serde_json::{Value, json};
use std::time::Duration;

const OURS: &[u8] = &[0x76, 1];
const TIP: u64 = 110;

/// A coinbase with one input that pays two outputs to the pool and one to somebody else.
fn coinbase(script: &[u8]) -> (Vec<u8>, Hash) {
    let output = |script: &[u8], value| Output { value: Amount(value), script: script.to_vec() };
    let mut bytes = unfunded(&[output(script, 40), output(&[7], 9), output(script, 2)]);
    bytes.splice(4..5, [vec![1], vec![8; 36], vec![0, 255, 255, 255, 255]].concat());
    let id = Transaction::parse(&bytes).unwrap().txid;
    (bytes, id)
}

/// Asks about block `number` at `height`, with a wallet that knows transactions or does not.
fn ask(
    number: u8,
    height: u64,
    wallet: bool,
    script: &'static [u8],
) -> Result<(u64, u64, bool), String> {
    let (bytes, id) = coinbase(script);
    let hex = hex_encode(&bytes);
    let stub = daemon(move |method, body| {
        let params = serde_json::from_str::<Value>(body).unwrap()["params"].clone();
        let asked = |number: u8| params[0] == json!(Hash([number; 32]).to_string());
        let unknown = || Answer::Error(json!({"code": -5, "message": "unknown"}).to_string());
        let result = match method {
            "getblock" if asked(1) || asked(2) => json!({
                "confirmations": if asked(1) { 3 } else { -1 }, "height": 10, "time": 1000,
                "tx": [id, Hash([0x55; 32])],
            }),
            "getblockhash" => json!(Hash([9; 32])),
            "getblockheader" if asked(9) => json!({"confirmations": 101, "height": 10}),
            "gettransaction" if wallet => json!({"confirmations": 3, "hex": hex, "details": []}),
            "getrawtransaction" if params[2] == json!(Hash([1; 32]).to_string()) => json!(hex),
            _ => return unknown(),
        };
        Answer::Result(result.to_string())
    });
    let client = Client::new(&stub, Duration::from_secs(5));
    let chain = Chain {
        daemon: &client,
        wallet: &client,
        tip: TIP,
        address: "Lpool",
        script: OURS,
        now: 5_000_000,
    };
    let pending = Pending { hash: Hash([number; 32]), transaction: Hash([3; 32]), height };
    let (found, in_chain) = chain.block(&pending)?;
    assert_eq!((found.hash, found.height), (pending.hash, height));
    let known = number != 8;
    assert_eq!(found.coinbase_txid, if known { id } else { pending.transaction });
    Ok((found.pool_value.0, found.time, in_chain))
}

#[test]
fn a_block_is_completed_from_its_coinbase() {
    assert_eq!(ask(1, 10, true, OURS), Ok((42, 1_000_000, true)));
    // The daemon tells where the wallet does not, and an orphan is one.
    assert_eq!(ask(1, 10, false, OURS), Ok((42, 1_000_000, true)));
    assert_eq!(ask(2, 10, true, OURS), Ok((42, 1_000_000, false)));
    // Nobody knows the block, and its height is deep: only its work counts.
    assert_eq!(ask(8, 10, true, OURS), Ok((0, 5_000_000, false)));
}

/// M13: nothing is decided early, or by a wrong wallet.
#[test]
fn a_block_that_cannot_be_completed_is_refused_in_words() {
    let refused = |number, height, wallet, script| ask(number, height, wallet, script).unwrap_err();
    assert!(refused(1, 11, true, OURS).contains("another height"));
    assert!(refused(2, 10, false, OURS).contains("is the pool's wallet loaded?"));
    assert!(
        refused(1, 10, true, &[0x76, 2]).contains("pays nothing to the pool's `address` Lpool")
    );
    assert!(refused(8, 11, true, OURS).contains("is not 100 deep"));
}
