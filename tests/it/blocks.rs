//! Real blocks of a real chain, found through the pool: before and after MWEB, with and without
//! transactions, paid to the satoshi, and with a daemon lost on the way.

use crate::harness::{
    Pair, Pool, Process, Romp, Rpc, alone, free_port, seconds, start_miner, to_satoshi, wait_until,
};
use serde_json::{Value, json};

/// Parts per million of the reward that go to the recipient: 1.5 %.
const RECIPIENT_PPM: u64 = 15_000;

struct Scene {
    pair: Pair,
    romp: Romp,
    port: u16,
    pool_address: String,
    recipient: String,
}

impl Scene {
    fn start(pair: Pair) -> Self {
        let port = free_port();
        let pool_address = pair.first.text("getnewaddress", json!(["", "legacy"]));
        let recipient = pair.first.text("getnewaddress", json!(["", "bech32"]));
        let pool = Pool::new("litecoin", port, json!({"diff": 0.02}), pair.daemons())
            .with("address", json!(pool_address))
            .with("rewardRecipients", json!({ recipient.as_str(): 1.5 }))
            .with("jobRebroadcastTimeout", json!(1));
        let romp = Romp::start(2, &[&pool]);
        Self { pair, romp, port, pool_address, recipient }
    }

    fn miner(&self) -> Process {
        let output = self.romp.path().join("miner");
        start_miner("scrypt", self.port, &self.pair.wallet, None, &output)
    }

    /// Mines until the chain, seen from `node`, has grown by `count` blocks.
    fn grow(&self, node: &Rpc, count: u64) {
        let goal = node.height() + count;
        wait_until(&format!("height {goal}"), seconds(90), || node.height() >= goal);
    }

    /// Mines until a payment that was not mined yet is in a block.
    fn confirm_payment(&self) {
        let txid = self.pair.pay();
        wait_until("the payment to be mined", seconds(90), || {
            self.pair.first.must("gettransaction", json!([txid]))["confirmations"].as_i64()
                > Some(0)
        });
    }

    /// Whether the pool made this block, by its coinbase; if so, checks every satoshi of it.
    fn check_block(&self, node: &Rpc, height: u64) -> bool {
        let block = node.block_at(height);
        let outputs = block["tx"][0]["vout"].as_array().expect("outputs").clone();
        let paid_to = |address: &str| -> u64 {
            let pays = |output: &&Value| {
                output["scriptPubKey"]["addresses"]
                    .as_array()
                    .is_some_and(|addresses| addresses.contains(&json!(address)))
            };
            outputs.iter().filter(pays).map(|output| to_satoshi(&output["value"])).sum()
        };
        let pool = paid_to(&self.pool_address);
        if pool == 0 {
            return false;
        }
        let stats = node.must("getblockstats", json!([height, ["subsidy", "totalfee"]]));
        let reward = stats["subsidy"].as_u64().unwrap() + stats["totalfee"].as_u64().unwrap();
        let all: u64 = outputs.iter().map(|output| to_satoshi(&output["value"])).sum();
        let fee = paid_to(&self.recipient);
        assert_eq!(all, reward, "block {height} pays less or more than it may: {outputs:?}");
        assert_eq!(pool + fee, reward, "block {height} pays somebody else: {outputs:?}");
        assert_eq!(fee, reward * RECIPIENT_PPM / 1_000_000, "recipient's part of block {height}");
        true
    }

    /// Checks all pool blocks from `first_height` on; how many there were.
    fn check_blocks(&self, node: &Rpc, first_height: u64) -> u64 {
        let heights = first_height..=node.height();
        heights.filter(|&height| self.check_block(node, height)).count() as u64
    }
}

#[test]
fn blocks_before_and_after_mweb_reach_both_daemons_and_pay_exactly() {
    let _alone = alone();
    let pair = Pair::start(None);
    pair.mine_to(150);
    let mut scene = Scene::start(pair);

    let miner = scene.miner();
    scene.grow(&scene.pair.first, 3);
    scene.confirm_payment();
    drop(miner);
    scene.pair.agree();
    for node in [&scene.pair.first, &scene.pair.second] {
        assert!(scene.check_blocks(node, 151) >= 4, "blocks of the pool before MWEB");
    }

    scene.pair.mine_to(431);
    scene.pair.peg_in();
    let miner = scene.miner();
    scene.grow(&scene.pair.first, 4);
    scene.confirm_payment();
    scene.pair.agree();
    for node in [&scene.pair.first, &scene.pair.second] {
        assert!(scene.check_blocks(node, 432) >= 5, "blocks of the pool after MWEB");
        let chain = node.must("getblockchaininfo", json!([]));
        assert_eq!(chain["softforks"]["mweb"]["active"], json!(true), "MWEB is active");
    }

    scene.pair.kill_first();
    scene.grow(&scene.pair.second, 4);
    drop(miner);
    let before = scene.pair.second.height() - 4;
    assert!(scene.check_blocks(&scene.pair.second, before) >= 4, "blocks after the loss");

    // Every block of the pool that is on the chain is in its ledger.
    let node = &scene.pair.second;
    let hashes: Vec<Value> = (151..=node.height())
        .filter(|&height| scene.check_block(node, height))
        .map(|height| node.must("getblockhash", json!([height])))
        .collect();
    wait_until("the ledger to know every block", seconds(20), || {
        let known = scene.romp.json(&["blocks", "litecoin", "--json"]).unwrap_or_default();
        let known = known.to_string();
        hashes.iter().all(|hash| known.contains(&hash.to_string()))
    });
    assert_eq!(scene.romp.stop(nix::sys::signal::Signal::SIGTERM), Some(0));
}
