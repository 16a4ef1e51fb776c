//! Miners and the pool's fee are paid by a real wallet that knows no raw transactions, while its
//! answers are lost; and addresses with minimums of their own.

use crate::harness::{
    Client, Fate, NO_MWEB, OldWallet, Pair, Romp, alone, free_port, seconds, to_satoshi, wait_for,
    wait_until,
};
use serde_json::{Value, json};

const MINERS: usize = 5;
/// Blocks of nobody's miners between two of the pool's: payouts are deep before the next is made.
const GAP: u64 = 24;

struct Scene {
    pair: Pair,
    romp: Romp,
    wallet: OldWallet,
    port: u16,
    miners: Vec<String>,
    fees: String,
}

impl Scene {
    fn start() -> Self {
        let pair = Pair::start_with(None, &[NO_MWEB]);
        let address = |_| pair.miner("legacy");
        let miners: Vec<String> = (0..MINERS).map(address).collect();
        let fees = address(MINERS);
        let wallet = OldWallet::start(&pair.first);
        let port = free_port();
        let (user, password) = (&pair.first.user, &pair.first.password);
        let pool = pair.paying_pool(port).with(
            "paymentProcessing",
            json!({
                "enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001,
                "feePercent": 0.015, "feeReceiveAddress": fees, "feeWithdrawalThreshold": 0.01,
                "daemon": {
                    "host": "127.0.0.1", "port": wallet.port, "user": user, "password": password,
                },
            }),
        );
        let romp = Romp::start(1, &[&pool]);
        Self { pair, romp, wallet, port, miners, fees }
    }

    /// A share of each miner, the last one's a block, and some blocks on top. The chain stays below
    /// block 432, where MWEB begins.
    fn round(&self) {
        let before = self.blocks().len();
        for (index, miner) in self.miners.iter().enumerate() {
            let is_last = index + 1 == MINERS;
            let mut client = Client::login(self.port, miner).expect("login").scrypt();
            // Blocks of the round before may have come just now.
            let tip = self.pair.first.text("getbestblockhash", json!([]));
            client.wait_for_work_on(&tip).expect("work on the tip");
            let attempt = client.search(|meets, wanted, network| {
                let enough = if is_last { network } else { wanted };
                meets >= enough * 1.000_001 && (is_last || meets < network * 0.999_999)
            });
            let answer = client.request("mining.submit", &attempt.share).expect("an answer");
            assert_eq!(answer["result"], json!(true), "{answer}");
        }
        wait_until("the block in the ledger", seconds(60), || self.blocks().len() > before);
        let found = self.blocks()[before]["hash"].clone();
        wait_until("the block in the chain", seconds(60), || {
            self.pair.first.call("getblockheader", json!([found])).is_ok()
        });
        self.bury(GAP);
    }

    /// Found blocks, oldest first.
    fn blocks(&self) -> Vec<Value> {
        let blocks = self.romp.json(&["blocks", "litecoin", "--json"]);
        let blocks = blocks.and_then(|blocks| blocks.as_array().cloned()).unwrap_or_default();
        blocks.into_iter().rev().collect()
    }

    /// What the first blocks pay.
    fn rewards(&self, count: usize) -> u64 {
        let blocks = self.blocks();
        blocks[..count].iter().map(|block| block["pool_value"].as_u64().expect("a value")).sum()
    }

    fn bury(&self, count: u64) {
        self.pair.bury(count);
    }

    /// Mines until the reward of that block may be spent, and the next one's not yet.
    fn mature(&self, block: usize) {
        let height = self.blocks()[block]["height"].as_u64().expect("a height");
        self.bury(height + 100 - self.pair.first.height());
    }

    fn book(&self, args: &[&str]) -> Value {
        let output = self.romp.command(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}{output:?}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn audit(&self) -> Value {
        self.book(&["audit", "litecoin", "--json"])
    }

    /// The open intent.
    fn open(&self) -> Option<Value> {
        let payouts = self.book(&["payouts", "litecoin", "--json"]);
        let all = payouts["without_transaction"].as_array()?;
        all.iter().find(|intent| intent["state"] == json!("intended")).cloned()
    }

    /// Waits until all is on its way that the first blocks brought, and then paid; compares what each
    /// address has on chain.
    fn settle(&self, blocks: usize) {
        let rewards = self.rewards(blocks);
        wait_until("payouts to everybody", seconds(120), || {
            let audit = self.audit();
            audit["rewards"].as_u64() == Some(rewards)
                && audit["owed"] == json!(0)
                && self.open().is_none()
        });
        self.bury(6);
        wait_until("everybody to be paid", seconds(120), || {
            self.audit()["paid"].as_u64() == Some(rewards)
        });
        for address in self.miners.iter().chain([&self.fees]) {
            let received = self.pair.second.must("getreceivedbyaddress", json!([address, 1]));
            let balance = self.book(&["balance", "litecoin", address, "--json"]);
            assert_eq!(Some(to_satoshi(&received)), balance["paid"].as_u64(), "{address}");
        }
        let audit = self.audit();
        assert_eq!((&audit["fees"], &audit["in_flight"]), (&audit["fees_credited"], &json!(0)));
    }

    fn resolve(&self, mark: &str, rest: &[&str]) -> (Option<i32>, String) {
        let args = [&["payouts", "litecoin", "resolve", mark], rest].concat();
        let output = self.romp.command(&args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// M2, M3 where the wallet leaves no other way.
#[test]
fn a_wallet_without_raw_transactions_pays_everybody_once() {
    let _alone = alone();
    let scene = Scene::start();

    for _ in 0..4 {
        scene.round();
    }

    // The wallet pays, and its answer is lost: the payout is found by its mark.
    scene.wallet.next(Fate::Unheard);
    scene.mature(0);
    scene.settle(1);
    assert_eq!(scene.wallet.asked().len(), 1, "{:?}", scene.wallet.asked());
    let payouts = scene.book(&["payouts", "litecoin", "--json"]);
    assert!(payouts["payouts"][0]["fee"].as_u64().is_some_and(|fee| fee > 0), "{payouts}");

    // The payer dies with the answer on its way.
    scene.wallet.next(Fate::Unheard);
    scene.mature(1);
    wait_until("the second payout", seconds(60), || scene.wallet.asked().len() == 2);
    scene.romp.kill_child("payments");
    scene.settle(2);
    assert_eq!(scene.wallet.asked().len(), 2);

    // The request is lost: nothing is sent again by itself.
    scene.wallet.next(Fate::Lost);
    scene.mature(2);
    let words = "knows no transaction with its mark";
    let intent = wait_for("words for the operator", seconds(60), || {
        scene.open().filter(|it| it["waits_for"].as_str().is_some_and(|it| it.contains(words)))
    });
    assert_eq!(scene.wallet.asked().len(), 3);
    scene.audit();
    let mark = intent["mark"].as_str().expect("a mark");
    let (code, said) = scene.resolve(mark, &["--unsent"]);
    assert!(code == Some(1) && said.contains("may still be on its way"), "{said}");
    let (code, said) = scene.resolve(mark, &["--txid", &"11".repeat(32)]);
    assert!(code == Some(1) && said.contains("does not know transaction"), "{said}");
    let (code, said) = scene.resolve(mark, &[]);
    assert_eq!(code, Some(2), "{said}");
    // Paid by hand, without the mark: the operator names it.
    let by_hand = scene.wallet.asked()[2][1].clone();
    let txid = scene.pair.first.text("sendmany", json!(["", by_hand]));
    let (code, said) = scene.resolve(mark, &["--txid", &txid]);
    assert!(code == Some(0) && said.contains(&txid), "{said}");
    scene.settle(3);

    // Minimums of single addresses.
    let miner = scene.miners[0].as_str();
    let minimum = || scene.book(&["balance", "litecoin", miner, "--json"])["minimum"].clone();
    assert_eq!(minimum(), json!(10_000));
    let threshold = |address: &str, amount: &str| {
        let output = scene.romp.command(&["payouts", "litecoin", "threshold", address, amount]);
        output.status.code()
    };
    assert_eq!(threshold(miner, "4.99999999"), Some(0));
    assert_eq!(minimum(), json!(499_999_999));
    for (address, amount, code) in
        [(miner, "0.00009999", 2), (miner, "much", 2), ("somebody", "1", 1)]
    {
        assert_eq!(threshold(address, amount), Some(code), "{address} {amount}");
    }
    let of_fees = scene.book(&["balance", "litecoin", &scene.fees, "--json"]);
    assert_eq!(of_fees["minimum"], json!(1_000_000));
    scene.mature(3);
    let unpaid = || scene.book(&["balance", "litecoin", miner, "--json"])["unpaid"].clone();
    let rewards = scene.rewards(4);
    wait_until("all but that one to be paid", seconds(120), || {
        let audit = scene.audit();
        audit["rewards"].as_u64() == Some(rewards) && audit["owed"] == unpaid()
    });
    assert!(unpaid().as_u64().is_some_and(|left| left > 10_000), "{}", unpaid());
    assert_eq!(threshold(miner, "default"), Some(0));
    assert_eq!(minimum(), json!(10_000));
    scene.settle(4);
}
