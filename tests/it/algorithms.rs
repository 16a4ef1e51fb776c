//! Every proof of work, from a miner's share to the ledger.

use crate::harness::{
    ADDRESS, BINARY, Pool, Process, Romp, Stub, alone, free_port, miner_counts, seconds, wait_until,
};
use romp::pow::Algorithm;
use serde_json::{Value, json};

/// Miners at a time, and seconds that each mines.
const AT_ONCE: usize = 3;
const MINING_S: u64 = 3;

/// A coin's name for an algorithm: digits and letters.
fn coin_of(algorithm: Algorithm) -> String {
    algorithm.name().replace(['-', '.'], "")
}

fn coin_file(algorithm: Algorithm) -> Value {
    // `keccak-normal` is written as NOMP's coins do.
    let is_normal = algorithm == Algorithm::KeccakNormal;
    let mut keys = json!({
        "name": coin_of(algorithm), "symbol": "TRY", "templateRules": ["segwit"],
        "algorithm": if is_normal { "keccak" } else { algorithm.name() },
        "networks": {"regtest": {"pubkeyHash": 111, "scriptHash": 196}},
    });
    if is_normal {
        keys["normalHashing"] = json!(true);
    }
    // YaCoin's own N takes seconds a hash by now.
    if matches!(algorithm, Algorithm::ScryptJane(_)) {
        keys["nMax"] = json!(5);
    }
    keys
}

/// The difficulty at which one of so many hashes is a share.
fn difficulty(algorithm: Algorithm) -> f64 {
    let hashes = match algorithm {
        Algorithm::Sha256 => 50_000.0,
        it if it.is_memory_hard() => 8.0,
        _ => 2000.0,
    };
    hashes * f64::from(1_u32 << algorithm.multiplier_shift()) / 4_294_967_296.0
}

#[test]
fn every_algorithm_is_mined_without_a_refusal() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let pools: Vec<(Algorithm, u16, Pool)> = Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let port = free_port();
            let rules = json!({"diff": difficulty(algorithm)});
            (algorithm, port, Pool::new(&coin_of(algorithm), port, rules, stub.daemons()))
        })
        .collect();
    let mut romp = Romp::prepare(1, &pools.iter().map(|(_, _, pool)| pool).collect::<Vec<_>>());
    for (algorithm, ..) in &pools {
        let path = romp.path().join(format!("coins/{}.json", coin_of(*algorithm)));
        std::fs::write(path, coin_file(*algorithm).to_string()).expect("coin file");
    }
    romp.run();
    romp.wait_ready(1);
    for some in pools.chunks(AT_ONCE) {
        let miners: Vec<_> = some
            .iter()
            .map(|(algorithm, port, _)| {
                let output = romp.path().join(format!("miner-{}", coin_of(*algorithm)));
                let url = format!("stratum+tcp://127.0.0.1:{port}");
                let seconds = MINING_S.to_string();
                let mut args = vec!["miner", "-a", algorithm.name(), "-o", &url, "-u", ADDRESS];
                args.extend(["--seconds", &seconds]);
                if matches!(algorithm, Algorithm::ScryptJane(_)) {
                    args.extend(["--n-factor", "5"]);
                }
                Process::start(BINARY, &args, &output)
            })
            .collect();
        for (mut miner, (algorithm, ..)) in miners.into_iter().zip(some) {
            let name = algorithm.name();
            wait_until("the miner to end", seconds(60), || miner.ended().is_some());
            let printed = miner.printed();
            let counts = miner_counts(&printed);
            let (accepted, rejected) = counts.unwrap_or_else(|| panic!("{name}: {printed}"));
            assert!(accepted > 0 && rejected == 0, "{name}: {printed}");
            wait_until(&format!("the ledger to know {name}'s shares"), seconds(20), || {
                let (booked, refused, _) = romp.shares(&coin_of(*algorithm));
                (booked, refused) == (accepted, 0)
            });
        }
    }
}
