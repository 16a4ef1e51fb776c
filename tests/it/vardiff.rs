//! Honest miners lose nothing to changes of difficulty or to new blocks.

use crate::harness::{
    ADDRESS, Pool, Romp, Stub, alone, free_port, miner_counts, seconds, start_miner, wait_until,
};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long each algorithm is mined.
const MINING: Duration = Duration::from_secs(30);

/// Mines against a chain that gets a block every second and a half, on a port whose difficulty
/// starts 30 times too low and is retargeted every two seconds.
fn no_share_is_lost(coin: &str, algorithm: &str, rules: &[&str], start: f64) {
    let _alone = alone();
    let stub = Stub::start(rules);
    let port = free_port();
    let var_diff = json!({
        "minDiff": start / 2.0, "maxDiff": start * 1e6, "targetTime": 0.5, "retargetTime": 2,
        "variancePercent": 30,
    });
    let port_rules = json!({"diff": start, "varDiff": var_diff});
    let pool =
        Pool::new(coin, port, port_rules, stub.daemons()).with("jobRebroadcastTimeout", json!(1));
    let romp = Romp::start(2, &[&pool]);
    let output = romp.path().join("miner");
    let mut miner = start_miner(algorithm, port, ADDRESS, Some(MINING.as_secs()), &output);
    let mut next_tip = Instant::now();
    wait_until("the miner to end", MINING + seconds(20), || {
        if Instant::now() >= next_tip {
            stub.new_tip();
            next_tip = Instant::now() + Duration::from_millis(1500);
        }
        miner.ended().is_some()
    });
    let printed = miner.printed();
    let (accepted, rejected) =
        miner_counts(&printed).unwrap_or_else(|| panic!("no counts in: {printed}"));
    assert_eq!(rejected, 0, "an honest miner's shares were refused: {printed}");
    assert!(accepted >= 20, "{accepted} shares are too few to tell anything: {printed}");
    let mut last = (0, 0);
    wait_until("the ledger to agree with the miner", seconds(20), || {
        let (booked, refused, _) = romp.shares(pool.coin());
        last = (booked, refused);
        last == (accepted, 0)
    });
}

#[test]
fn sha256_miners_see_no_reject() {
    no_share_is_lost("bitcoin", "sha256", &["segwit"], 1e-5);
}

#[test]
fn scrypt_miners_see_no_reject() {
    no_share_is_lost("litecoin", "scrypt", &["mweb", "segwit"], 0.001);
}
