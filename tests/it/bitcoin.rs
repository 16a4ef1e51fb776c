//! A real node of another family: SHA-256d, no segwit, accounts, and the calls that NOMP knew. Blocks
//! are mined with romp's own miner, and miners are paid, by raw transactions and without.

use crate::harness::{
    BINARY, Client, NOTIFY_PASSWORD, OldWallet, Pair, Pool, Romp, Rpc, alone, free_port, seconds,
    start_miner, to_satoshi, wait_until,
};
use crate::payments::{Coin, Scene, Work, add, split};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A coin file for Bitcoin SV. `old`: only `getinfo` is asked, which calls regtest the main network.
fn coin_file(old: bool) -> Value {
    let versions = json!({"pubkeyHash": 111, "scriptHash": 196});
    let network = if old { "main" } else { "regtest" };
    json!({
        "name": "Bitcoinsv", "symbol": "BSV", "algorithm": "sha256", "templateRules": [],
        "hasGetInfo": old, "networks": {network: versions},
    })
}

/// Every second hash is a block there, so that shares of less are 2.4 to 4.6 e-10.
fn coin(old: bool) -> Coin {
    Coin {
        id: "bitcoinsv",
        file: Some(coin_file(old)),
        kinds: &[],
        diffs: [2.5e-10, 3e-10, 3.7e-10],
        scrypt: false,
    }
}

/// What the outputs of a block's coinbase pay, by address.
fn coinbase(node: &Rpc, height: u64) -> Vec<(String, u64)> {
    let block = node.block_at(height);
    let outputs = block["tx"][0]["vout"].as_array().expect("outputs");
    let paid = |output: &Value| {
        let address = output["scriptPubKey"]["addresses"][0].as_str().unwrap_or_default();
        (address.to_owned(), to_satoshi(&output["value"]))
    };
    outputs.iter().map(paid).collect()
}

#[test]
fn blocks_of_romps_miner_reach_both_bitcoin_nodes() {
    let _alone = alone();
    let notify_port = free_port();
    let command =
        format!("{BINARY} blocknotify 127.0.0.1:{notify_port} {NOTIFY_PASSWORD} bitcoinsv %s");
    let pair = Pair::bitcoin(Some(&command));
    pair.mine_to(105);
    let port = free_port();
    let address = pair.first.text("getnewaddress", json!(["pool"]));
    let recipient = pair.second.text("getnewaddress", json!([]));
    // A poll once an hour cannot be what brings new work, and the node waits for no long poll.
    let pool = Pool::new("bitcoinsv", port, json!({"diff": 2e-4}), pair.daemons())
        .with("address", json!(address))
        .with("rewardRecipients", json!({ recipient.as_str(): 1.5 }))
        .with("blockRefreshInterval", json!(3_600_000))
        .with("jobRebroadcastTimeout", json!(600));
    let mut romp = Romp::prepare(2, &[&pool]);
    romp.write_coin("bitcoinsv", &coin_file(false));
    romp.set(
        "blockNotifyListener",
        Some(json!({"enabled": true, "port": notify_port, "password": NOTIFY_PASSWORD})),
    );

    let output = romp.command(&["doctor", "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    for check in ["rpc", "reward", "address", "algorithm", "template", "block"] {
        let mut of = found.iter().filter(|finding| finding["check"] == json!(check));
        let first = of.next().unwrap_or_else(|| panic!("no {check}: {found:?}"));
        assert_eq!(first["verdict"], json!("ok"), "{found:?}");
        if check == "reward" {
            assert!(first["words"].as_str().is_some_and(|it| it.starts_with("proof of work")));
        }
    }

    romp.run();
    romp.wait_ready(2);
    let payment = pair.pay();
    let miner = start_miner("sha256", port, &recipient, None, &romp.path().join("miner"));
    let first = pair.first.height() + 1;
    wait_until("blocks of the pool", seconds(120), || pair.first.height() >= first + 4);
    drop(miner);
    pair.agree();
    // One of somebody else, while nobody mines: only the notice can tell of it.
    let mut client = Client::login(port, &recipient).expect("login");
    let known = client.job.as_ref().map(|job| job.previous.clone());
    pair.second.must("generatetoaddress", json!([1, recipient]));
    wait_until("work on a foreign block", seconds(30), || {
        client.pump(seconds(1)).expect("the pool");
        client.job.as_ref().map(|job| job.previous.clone()) != known
    });
    let foreign = pair.second.height();
    let miner = start_miner("sha256", port, &recipient, None, &romp.path().join("miner"));
    wait_until("blocks on a foreign one", seconds(120), || pair.first.height() >= foreign + 3);
    drop(miner);
    pair.agree();

    let mut hashes = Vec::new();
    for height in first..=pair.first.height() {
        let paid = coinbase(&pair.second, height);
        if paid.first().is_none_or(|(to, _)| *to != address) {
            continue;
        }
        let sum: u64 = paid.iter().map(|(_, value)| value).sum();
        let subsidy = if height < 150 { 5_000_000_000 } else { 2_500_000_000 };
        assert!((subsidy..subsidy + 1_000_000).contains(&sum), "{height}: {paid:?}");
        assert_eq!(paid[1..], [(recipient.clone(), sum * 15_000 / 1_000_000)], "{height}");
        hashes.push(pair.second.text("getblockhash", json!([height])));
    }
    assert!(hashes.len() >= 6, "blocks of the pool: {hashes:?}");
    let mined = pair.first.must("gettransaction", json!([payment]));
    assert!(mined["confirmations"].as_i64() > Some(0), "{mined}");
    wait_until("the ledger to know every block", seconds(20), || {
        let known = romp.json(&["blocks", "bitcoinsv", "--json"]).unwrap_or_default();
        let accepted = |hash: &String| {
            let mut blocks = known.as_array().into_iter().flatten();
            blocks.any(|it| it["hash"] == json!(hash) && it["state"] == json!("accepted"))
        };
        hashes.iter().all(accepted)
    });
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// Two rounds, of miners that differ; what the blocks earn for each script.
fn two_rounds(scene: &Scene) -> (Work, u128) {
    let mut owed = Work::new();
    let mut rewards = 0;
    for names in [&scene.addresses[..], &scene.addresses[1..]] {
        let (work, block) = scene.round(names, 3);
        add(&mut owed, &split(scene.value_of(&block), &work));
        rewards += scene.value_of(&block);
    }
    (owed, rewards)
}

/// Each address has on chain what its shares say, by a node that pays nobody.
fn check_paid(scene: &Scene, owed: &Work) {
    for (address, script) in &scene.scripts {
        let received = scene.pair.second.must("getreceivedbyaddress", json!([address, 1]));
        assert_eq!(u128::from(to_satoshi(&received)), owed[script], "{address}");
    }
}

#[test]
fn miners_of_a_coin_without_segwit_are_paid_to_the_satoshi() {
    let _alone = alone();
    let scene = Scene::open_on(Pair::bitcoin(None), coin(false), 7, |_| (), |_, pool| pool);
    let (owed, rewards) = two_rounds(&scene);
    scene.bury(101);
    scene.settle(rewards, 0);
    check_paid(&scene, &owed);
    // They left the wallet's account that blocks pay into.
    let payouts = scene.romp.json(&["payouts", "bitcoinsv", "--json"]).unwrap_or_default();
    assert_eq!(payouts["payouts"][0]["state"], json!("confirmed"), "{payouts}");
}

#[test]
fn a_node_with_getinfo_and_accounts_pays_from_the_pools_account() {
    let _alone = alone();
    let pair = Pair::bitcoin(None);
    let wallet = OldWallet::start(&pair.first);
    let (user, password) = (pair.first.user.clone(), pair.first.password.clone());
    let paid = json!({
        "enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001,
        "daemon": {
            "host": "127.0.0.1", "port": wallet.port, "user": user, "password": password,
        },
    });
    let scene =
        Scene::open_on(pair, coin(true), 5, |_| (), |_, pool| pool.with("paymentProcessing", paid));
    let (owed, rewards) = two_rounds(&scene);
    scene.bury(101);
    scene.settle(rewards, 0);
    check_paid(&scene, &owed);
    let asked = wallet.asked();
    assert!(!asked.is_empty() && asked.iter().all(|it| it[0] == json!("pool")), "{asked:?}");
    let accounts = scene.pair.first.must("listaccounts", json!([]));
    assert!(to_satoshi(&accounts["pool"]) < 100_000_000, "{accounts}");
}
