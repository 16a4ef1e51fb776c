//! Miners are paid by a real wallet on a real chain: rounds that mature, an orphan whose work goes
//! on, a process that is killed, and in the end on chain what the shares say, to the satoshi.

use crate::harness::{
    Client, NO_MWEB, Pair, Pool, Romp, alone, free_port, seconds, to_satoshi, wait_until,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Miners, each with an address of its own.
const MINERS: usize = 50;
/// The coin of a scene.
pub(crate) struct Coin {
    pub(crate) id: &'static str,
    /// The coin file, where `coins/` has none.
    pub(crate) file: Option<Value>,
    /// Kinds of addresses; none where the wallet makes only one.
    pub(crate) kinds: &'static [&'static str],
    /// Difficulties of the ports: below a block's, and no whole numbers of anything.
    pub(crate) diffs: [f64; 3],
    pub(crate) scrypt: bool,
}

fn litecoin() -> Coin {
    Coin {
        id: "litecoin",
        file: None,
        kinds: &["legacy", "p2sh-segwit", "bech32"],
        diffs: [1e-5, 1.3e-5, 2.1e-5],
        scrypt: true,
    }
}

/// A pool whose miners are paid, on a chain of its own.
pub(crate) struct Scene {
    coin: Coin,
    pub(crate) pair: Pair,
    pub(crate) romp: Romp,
    pub(crate) ports: [u16; 3],
    /// Addresses of the miners, in the second node's wallet.
    pub(crate) addresses: Vec<String>,
    /// Output scripts by address.
    pub(crate) scripts: BTreeMap<String, String>,
}

/// Work by output script; what no address owns by an empty one. What the pool says of difficulties is exact in binary, so this is, too.
pub(crate) type Work = BTreeMap<String, u128>;

pub(crate) fn exact(difficulty: f64) -> u128 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small one")]
    let units = (difficulty * 60_f64.exp2()) as u128;
    units
}

impl Scene {
    /// With so many miners; `change` has the last word about the pool's file.
    pub(crate) fn open(miners: usize, change: impl FnOnce(&Pair, Pool) -> Pool) -> Self {
        Self::open_with(miners, |_| (), change)
    }

    /// Likewise; `rule` is asked for more about the ports.
    pub(crate) fn open_with(
        miners: usize,
        rule: impl FnOnce(&mut Vec<Value>),
        change: impl FnOnce(&Pair, Pool) -> Pool,
    ) -> Self {
        let pair = Pair::start_with(None, &[NO_MWEB, "-walletrbf=1", "-mempoolreplacement=1"]);
        Self::open_on(pair, litecoin(), miners, rule, change)
    }

    /// Likewise, of another coin. The pool's address is in the account `pool`, where there are
    /// accounts.
    pub(crate) fn open_on(
        pair: Pair,
        coin: Coin,
        miners: usize,
        rule: impl FnOnce(&mut Vec<Value>),
        change: impl FnOnce(&Pair, Pool) -> Pool,
    ) -> Self {
        pair.mine_to(120);
        let pool_address = match coin.kinds.first() {
            None => pair.first.text("getnewaddress", json!(["pool"])),
            Some(kind) => pair.first.text("getnewaddress", json!(["", kind])),
        };
        let addresses: Vec<String> = (0..miners)
            .map(|index| match coin.kinds.len() {
                0 => pair.second.text("getnewaddress", json!([])),
                count => pair.miner(coin.kinds[index % count]),
            })
            .collect();
        let script = |address: &String| {
            let facts = pair.second.must("validateaddress", json!([address]));
            (address.clone(), facts["scriptPubKey"].as_str().unwrap_or_default().to_owned())
        };
        let scripts = addresses.iter().map(script).collect();
        let ports = [free_port(), free_port(), free_port()];
        let mut rules: Vec<Value> = coin.diffs.iter().map(|diff| json!({"diff": diff})).collect();
        let pool = pair
            .paying(coin.id, &pool_address, ports[0])
            .with("validateWorkerUsername", json!(false));
        rule(&mut rules);
        let ports_named = ports.iter().map(ToString::to_string).zip(rules).collect();
        let pool = change(&pair, pool.with("ports", Value::Object(ports_named)));
        let mut romp = Romp::prepare(1, &[&pool]);
        if let Some(file) = &coin.file {
            romp.write_coin(coin.id, file);
        }
        romp.run();
        romp.wait_ready(1);
        Self { coin, pair, romp, ports, addresses, scripts }
    }

    /// Shares of some miners, and at the end a block of the last of them: the round, and the block.
    pub(crate) fn round(&self, names: &[String], shares: usize) -> (Work, String) {
        let mut work = Work::new();
        for (index, name) in names.iter().enumerate() {
            let port = self.ports[index % 3];
            let mut client = self.login(port, name);
            for _ in 0..=(index % shares) {
                *work.entry(self.script(name)).or_default() += submit(&mut client, false);
            }
        }
        let finder = names.last().expect("a finder");
        let (share, block) = self.block(self.ports[0], finder);
        *work.entry(self.script(finder)).or_default() += share;
        (work, block)
    }

    /// The script of the address in a name; empty where there is none.
    pub(crate) fn script(&self, name: &str) -> String {
        let address = name.split('.').next().unwrap_or_default();
        self.scripts.get(address).cloned().unwrap_or_default()
    }

    fn login(&self, port: u16, name: &str) -> Client {
        let client = Client::login(port, name).expect("login");
        if self.coin.scrypt { client.scrypt() } else { client }
    }

    /// Has `finder` find a block: its share's work, and its hash.
    pub(crate) fn block(&self, port: u16, finder: &str) -> (u128, String) {
        let before = self.blocks().len();
        let mut client = self.login(port, finder);
        // A block on the tip before would lose against the one that is there.
        let tip = self.pair.first.text("getbestblockhash", json!([]));
        client.wait_for_work_on(&tip).expect("work on the tip");
        let share = submit(&mut client, true);
        wait_until("the block in the ledger", seconds(60), || self.blocks().len() > before);
        let block = self.blocks()[0]["hash"].as_str().expect("a hash").to_owned();
        wait_until("the block in the chain", seconds(60), || {
            [&self.pair.first, &self.pair.second].iter().all(|node| {
                let header = node.call("getblockheader", json!([block]));
                header.is_ok_and(|header| header["confirmations"] == json!(1))
            })
        });
        (share, block)
    }

    pub(crate) fn blocks(&self) -> Vec<Value> {
        let blocks = self.romp.json(&["blocks", self.coin.id, "--json"]);
        blocks.and_then(|blocks| blocks.as_array().cloned()).unwrap_or_default()
    }

    pub(crate) fn value_of(&self, hash: &str) -> u128 {
        let blocks = self.blocks();
        let block = blocks.iter().find(|block| block["hash"] == json!(hash)).expect("the block");
        block["pool_value"].as_u64().expect("an amount").into()
    }

    /// Blocks of nobody's miners, while the pool is at work.
    pub(crate) fn bury(&self, count: u64) {
        self.pair.bury(count);
    }

    /// `romp audit`, which must be content.
    pub(crate) fn audit(&self) -> Value {
        let output = self.romp.command(&["audit", self.coin.id, "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}{:?}", output.stderr);
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Mines a block now and then until the rewards are `rewards` and all of it is paid.
    pub(crate) fn settle(&self, rewards: u128, held: u128) {
        // Few: at height 432 the chain wants a peg-in.
        let mut looks = 0;
        wait_until("everybody to be paid", seconds(120), || {
            looks += 1;
            if looks % 4 == 1 {
                self.bury(1);
            }
            let audit = self.audit();
            let is = |key: &str, wanted: u128| {
                audit[key].as_i64().and_then(|sum| u128::try_from(sum).ok()) == Some(wanted)
            };
            is("rewards", rewards) && is("owed", 0) && is("in_flight", 0) && is("held", held)
        });
    }
}

/// Submits until a share is accepted: its work. `block`: one that is a block.
pub(crate) fn submit(client: &mut Client, block: bool) -> u128 {
    // A new tip may be on its way to the pool: then the share is late, and the next is not.
    for _ in 0..20 {
        let attempt = client.search(|meets, wanted, network| {
            let enough = if block { network } else { wanted };
            meets >= enough * 1.000_001 && (block || meets < network * 0.999_999)
        });
        let answer = client.request("mining.submit", &attempt.share).expect("an answer");
        if answer["result"] == json!(true) {
            return exact(attempt.wanted);
        }
        client.pump(Duration::from_millis(500)).expect("the miner stays connected");
    }
    panic!("no share of {} was accepted", client.user);
}

/// A reward over work: whole parts, and what is left by the largest remainders, equal ones in the
/// order of scripts.
pub(crate) fn split(reward: u128, work: &Work) -> Work {
    let total: u128 = work.values().sum();
    let mut parts: Vec<(&String, u128, u128)> = work
        .iter()
        .map(|(name, weight)| (name, reward * weight / total, reward * weight % total))
        .collect();
    let mut left = reward - parts.iter().map(|part| part.1).sum::<u128>();
    parts.sort_by_key(|&(_, _, remainder)| std::cmp::Reverse(remainder));
    for part in &mut parts {
        if left > 0 {
            part.1 += 1;
            left -= 1;
        }
    }
    parts.into_iter().map(|(name, part, _)| (name.clone(), part)).collect()
}

pub(crate) fn add(sum: &mut Work, more: &Work) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_default() += amount;
    }
}

/// M1, M2, M5, M9, M10, M11; F45, F46.
#[test]
fn everybody_is_paid_once_and_to_the_satoshi() {
    let _alone = alone();
    let scene = Scene::open(MINERS, |_, pool| pool);
    let rig = |address: &String, rig: &str| format!("{address}.{rig}");
    let (first_half, second_half) = scene.addresses.split_at(MINERS / 2);

    // Two rounds follow one another; the second one's block will be an orphan.
    let (mut work, block) = scene.round(&scene.addresses, 3);
    let rigs: Vec<String> = first_half.iter().map(|address| rig(address, "a")).collect();
    let (orphaned_work, orphan) = scene.round(&rigs, 4);
    for node in [&scene.pair.first, &scene.pair.second, &scene.pair.third] {
        wait_until("the block at each node", seconds(30), || {
            node.call("getblockheader", json!([orphan])).is_ok()
        });
        node.must("invalidateblock", json!([orphan]));
    }
    scene.bury(101);
    let mut owed = split(scene.value_of(&block), &work);
    let mut rewards = scene.value_of(&block);
    scene.settle(rewards, 0);

    // Whoever pays is killed again and again from here on; a name that is no address earns, too.
    let book = |scene: &Scene| {
        let output = scene.romp.command(&["payouts", "litecoin", "--json"]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let mut names: Vec<String> = second_half.iter().map(|address| rig(address, "b")).collect();
    names.insert(0, "nobody's address".to_owned());
    let block;
    (work, block) = scene.round(&names, 2);
    add(&mut work, &orphaned_work);
    let parts = split(scene.value_of(&block), &work);
    let held = parts[""];
    add(&mut owed, &parts);
    rewards += scene.value_of(&block);
    scene.romp.kill_child("payments");
    scene.bury(101);
    wait_until("a payout on its way", seconds(60), || {
        let open = |payout: &Value| payout["state"] != json!("confirmed");
        book(&scene)["payouts"].as_array().is_some_and(|payouts| payouts.iter().any(open))
    });
    scene.romp.kill_child("payments");
    scene.settle(rewards, held);
    let set_aside = book(&scene)["set_aside"].clone();
    assert_eq!(set_aside[0]["name"], json!("?nobody's address"), "{set_aside}");

    // What the chain says, by a node that pays nobody.
    for (address, script) in &scene.scripts {
        let received = scene.pair.second.must("getreceivedbyaddress", json!([address, 1]));
        assert_eq!(u128::from(to_satoshi(&received)), owed[script], "{address}");
    }
    let verified = scene.romp.command(&["verify", "litecoin", &block]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let balance = scene.romp.command(&["balance", "litecoin", &first_half[0]]);
    assert_eq!(balance.status.code(), Some(0), "{balance:?}");

    // The operator, beside the process that pays.
    let lucky = &first_half[0];
    let payouts = |arguments: &[&str]| {
        scene.romp.command(&[&["payouts", "litecoin"], arguments].concat()).status.code()
    };
    assert_eq!(payouts(&["adopt"]), Some(0));
    assert_eq!(payouts(&["assign", "?nobody's address", "nobody"]), Some(1));
    assert_eq!(payouts(&["assign", "?nobody's address", lucky]), Some(0));
    assert_eq!(payouts(&["retry"]), Some(0));
    scene.settle(rewards, 0);
    let received = scene.pair.second.must("getreceivedbyaddress", json!([lucky, 1]));
    assert_eq!(u128::from(to_satoshi(&received)), owed[&scene.scripts[lucky]] + held);
    let txid = book(&scene)["payouts"][0]["txid"].clone();
    assert_eq!(payouts(&["void", txid.as_str().unwrap_or_default()]), Some(1), "it is paid");
    // What was locked has been spent.
    assert_eq!(scene.pair.first.must("listlockunspent", json!([])), json!([]));
}
