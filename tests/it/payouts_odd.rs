//! Payouts of an odd kind, by a real wallet on a real chain: very many at once, names that cannot be
//! paid, a wallet that is short or locked, a raised fee, a reorganisation, a ledger that forgets, a
//! book that is gone.

use crate::harness::{
    Client, Proxy, Redis, Trick, alone, is_alive, kill, seconds, to_satoshi, wait_until,
};
use crate::payments::{Scene, Work, add, exact, split};
use crate::stores::tell;
use bech32::{Fe32, Hrp, segwit};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Addresses of one pool's miners.
const MINERS: usize = 5;
/// Names that one connection may have.
const NAMES: usize = 64;

impl Scene {
    /// A few miners, and the proxy that the wallet is asked through.
    fn through_proxy(redis: Option<&Redis>) -> (Self, Proxy) {
        let mut proxy = None;
        let scene = Self::open(MINERS, |pair, pool| {
            let wallet = proxy.insert(Proxy::start(pair.first.port)).in_front_of(&pair.first);
            let payments = json!({
                "enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001, "daemon": wallet,
            });
            let pool = pool.with("paymentProcessing", payments);
            match redis {
                Some(redis) => pool.with("redis", json!({"host": "127.0.0.1", "port": redis.port})),
                None => pool,
            }
        });
        (scene, proxy.expect("the proxy"))
    }

    /// A round of these miners, whose shares of the block are added to `owed`; its reward, and the
    /// block. `more` is work that was in the round already.
    fn earn(&self, miners: &[usize], more: &Work, owed: &mut Work) -> (u128, String) {
        let names: Vec<String> = miners.iter().map(|&at| self.addresses[at].clone()).collect();
        let (mut work, block) = self.round(&names, 2);
        add(&mut work, more);
        add(owed, &split(self.value_of(&block), &work));
        (self.value_of(&block), block)
    }

    /// A share of the first miner, whose work is added to `more`: whoever keeps the ledger sees what
    /// became of it.
    fn look_at_ledger(&self, more: &mut Work) {
        let address = &self.addresses[0];
        let weight = shares_of(self.ports[0], std::slice::from_ref(address))[0];
        *more.entry(self.scripts[address].clone()).or_default() += weight;
    }

    fn payouts(&self) -> Vec<Value> {
        let book = self.romp.json(&["payouts", "litecoin", "--json"]).unwrap_or_default();
        book["payouts"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until payouts are as wanted.
    fn wait_for_payouts(&self, what: &str, holds: impl Fn(&[Value]) -> bool) {
        wait_until(what, seconds(60), || holds(&self.payouts()));
    }

    /// Waits until the log has these words after `from`, a place in it.
    fn wait_for_words(&self, words: &str, from: usize) {
        wait_until(words, seconds(60), || self.romp.output()[from..].contains(words));
    }

    /// On chain, by a node that pays nobody: what everybody is owed, to the satoshi.
    fn check_chain(&self, owed: &Work) {
        for (address, script) in &self.scripts {
            let received = self.pair.second.must("getreceivedbyaddress", json!([address, 1]));
            let owed = owed.get(script).copied().unwrap_or(0);
            assert_eq!(u128::from(to_satoshi(&received)), owed, "{address}");
        }
    }
}

/// What a node prints as an amount, exactly.
fn coins(units: u128) -> String {
    format!("{}.{:08}", units / 100_000_000, units % 100_000_000)
}

fn regtest_address(version: Fe32, program: &[u8]) -> String {
    segwit::encode(Hrp::parse("rltc").unwrap(), version, program).expect("a segwit address")
}

/// One share of each of these names, over one connection.
fn shares_of(port: u16, names: &[String]) -> Vec<u128> {
    let mut client = Client::login(port, &names[0]).expect("login").scrypt();
    for name in &names[1..] {
        let answer = client.request("mining.authorize", &json!([name, "x"])).expect("an answer");
        assert_eq!(answer["result"], json!(true), "{name}: {answer}");
    }
    let share = |name: &String| {
        let mut attempt =
            client.search(|meets, wanted, network| meets >= wanted && meets < network * 0.999_999);
        attempt.share[0] = json!(name);
        let answer = client.request("mining.submit", &attempt.share).expect("an answer");
        assert_eq!(answer["result"], json!(true), "{name}: {answer}");
        exact(attempt.wanted)
    };
    names.iter().map(share).collect()
}

/// M9, M10; 3,000 payees in one cycle.
#[test]
fn three_thousand_are_paid_at_once_beside_names_that_nobody_can_pay() {
    let _alone = alone();
    let (scene, _proxy) = Scene::through_proxy(None);
    let odd = [
        // Of the main network, of a witness version that nodes do not relay, and no address at all.
        bs58::encode([&[48][..], &[7; 20]].concat()).with_check().into_string(),
        regtest_address(Fe32::try_from(2).unwrap(), &[7; 32]),
        "nobody's address".to_owned(),
    ];
    let mut payees: Vec<(String, String)> =
        odd.iter().map(|name| (name.clone(), format!("!{name}"))).collect();
    // NOMP's mining key, which is the hash of a public key, and its address are one payee.
    let key = "0b".repeat(20);
    let address = bs58::encode([&[111][..], &[0x0b; 20]].concat()).with_check().into_string();
    for name in [key.clone(), address.clone(), format!("{address}.rig")] {
        payees.push((name, format!("76a914{key}88ac")));
    }
    for n in 0..2999_u16 {
        let [high, low] = n.to_be_bytes();
        let program: Vec<u8> = (0..10).flat_map(|_| [high, low]).collect();
        let script: String = program.iter().map(|byte| format!("{byte:02x}")).collect();
        payees
            .push((regtest_address(Fe32::try_from(0).unwrap(), &program), format!("0014{script}")));
    }
    let mut work = Work::new();
    for part in payees.chunks(NAMES) {
        let names: Vec<String> = part.iter().map(|(name, _)| name.clone()).collect();
        for ((_, script), weight) in part.iter().zip(shares_of(scene.ports[0], &names)) {
            *work.entry(script.clone()).or_default() += weight;
        }
    }
    let from = scene.pair.first.height();
    let finder = payees.last().unwrap();
    let (more, block) = scene.round(std::slice::from_ref(&finder.0), 1);
    *work.get_mut(&finder.1).unwrap() += more.values().sum::<u128>();
    let reward = scene.value_of(&block);
    let mut owed = split(reward, &work);
    let held = odd.iter().map(|name| owed.remove(&format!("!{name}")).unwrap()).sum();
    scene.bury(101);
    scene.settle(reward, held);
    let payouts = scene.payouts();
    assert_eq!(payouts.len(), 3000 / 200, "batches of 200");
    let set_aside =
        scene.romp.json(&["payouts", "litecoin", "--json"]).unwrap()["set_aside"].clone();
    let mut names: Vec<&str> =
        set_aside.as_array().unwrap().iter().map(|held| held["name"].as_str().unwrap()).collect();
    let mut wanted: Vec<String> = odd.iter().map(|name| format!("?{name}")).collect();
    names.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    assert!(set_aside.as_array().unwrap().iter().all(|held| held["reason"] != json!("")));
    // Every output of every transaction since then but the rewards and the wallet's change.
    let mut paid = Work::new();
    let mut count = 0;
    for height in from..=scene.pair.first.height() {
        let block = scene.pair.first.block_at(height);
        for transaction in block["tx"].as_array().unwrap().iter().skip(1) {
            for output in transaction["vout"].as_array().unwrap() {
                let script = output["scriptPubKey"]["hex"].as_str().unwrap();
                if owed.contains_key(script) {
                    *paid.entry(script.to_owned()).or_default() +=
                        u128::from(to_satoshi(&output["value"]));
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 3000, "each once");
    assert_eq!(paid, owed);
}

/// M4, M12; a reorganisation.
#[test]
fn a_short_a_locked_and_a_reorganised_wallet_pays_all_in_the_end() {
    let _alone = alone();
    let (scene, proxy) = Scene::through_proxy(None);
    let (first, second) = (&scene.pair.first, &scene.pair.second);
    let (mut older, mut newer) = (Work::new(), Work::new());

    // Half of what is owed to the younger half is not there.
    proxy.play("getbalance", Trick::Drop, u32::MAX);
    let (old, _) = scene.earn(&[0, 1], &Work::new(), &mut older);
    let (new, _) = scene.earn(&[2, 3, 4], &Work::new(), &mut newer);
    scene.bury(101);
    wait_until("both rewards to be credited", seconds(60), || {
        scene.audit()["owed"].as_u64().map(u128::from) == Some(old + new)
    });
    let has = u128::from(to_satoshi(&first.must("getbalance", json!([]))));
    let away = second.text("getnewaddress", json!([]));
    let leaves = old + new / 2;
    first.must("sendtoaddress", json!([away, coins(has - leaves), "", "", true]));
    let log = scene.romp.output().len();
    proxy.behave();
    scene.wait_for_words("more are owed and wait", log);
    scene.wait_for_payouts("what is covered to be sent", |payouts| {
        payouts.len() == 1 && payouts[0]["state"] == json!("sent")
    });
    scene.bury(1);
    scene.check_some(&older);
    let audit = scene.audit();
    let waits = audit["owed"].as_u64().map(u128::from).unwrap_or_default();
    assert!(waits >= new / 2 && waits < new / 2 + 2_000_000, "{audit}");
    // It comes back, with what the fees cost.
    let own = first.text("getnewaddress", json!([]));
    second.must("sendtoaddress", json!([own, 40]));
    scene.bury(1);
    let mut rewards = old + new;
    scene.settle(rewards, 0);
    let mut owed = older;
    add(&mut owed, &newer);
    scene.check_chain(&owed);

    // Somebody locks it.
    first.must("encryptwallet", json!(["secret"]));
    let log = scene.romp.output().len();
    rewards += scene.earn(&[0, 2], &Work::new(), &mut owed).0;
    scene.bury(101);
    scene.wait_for_words("is locked: unlock it", log);
    first.must("walletpassphrase", json!(["secret", 1_000_000]));
    scene.settle(rewards, 0);
    scene.check_chain(&owed);

    // A payout that counts as paid is lost.
    rewards += scene.earn(&[1, 4], &Work::new(), &mut owed).0;
    let before = scene.payouts().len();
    scene.bury(101);
    scene.wait_for_payouts("the payout", |payouts| payouts.len() > before);
    scene.bury(6);
    scene.wait_for_payouts("it to be confirmed", |payouts| {
        payouts.iter().all(|payout| payout["state"] == json!("confirmed"))
    });
    let payout = scene.payouts()[0]["txid"].clone();
    let block = first.must("gettransaction", json!([payout]))["blockhash"].clone();
    let tip = second.text("getbestblockhash", json!([]));
    let sent = proxy.calls("sendrawtransaction");
    for node in [first, second, &scene.pair.third] {
        wait_until("the same tip", seconds(30), || node.text("getbestblockhash", json!([])) == tip);
        node.must("invalidateblock", json!([block]));
    }
    for _ in 0..8 {
        first.must("generateblock", json!([away, []]));
    }
    scene.pair.agree();
    scene.wait_for_payouts("it to be sent again", |payouts| payouts[0]["state"] == json!("sent"));
    wait_until("its bytes", seconds(30), || proxy.calls("sendrawtransaction") > sent);
    scene.settle(rewards, 0);
    scene.check_chain(&owed);
}

impl Scene {
    /// These are paid; of others nothing is said.
    fn check_some(&self, owed: &Work) {
        for (address, script) in
            self.scripts.iter().filter(|(_, script)| owed.contains_key(*script))
        {
            let received = self.pair.second.must("getreceivedbyaddress", json!([address, 1]));
            assert_eq!(u128::from(to_satoshi(&received)), owed[script], "{address}");
        }
    }
}

/// F48; M2: what romp cannot know of is not paid twice.
#[test]
fn a_raised_fee_and_a_deleted_book_pay_nobody_twice() {
    let _alone = alone();
    let (mut scene, proxy) = Scene::through_proxy(None);
    let mut owed = Work::new();
    scene.earn(&[0, 1], &Work::new(), &mut owed);
    scene.bury(101);
    scene.wait_for_payouts("the payout", |payouts| {
        payouts.len() == 1 && payouts[0]["state"] == json!("sent")
    });
    let payout = scene.payouts()[0]["txid"].clone();
    let raised = scene.pair.first.must("bumpfee", json!([payout]))["txid"].clone();
    scene.bury(5);
    scene.wait_for_payouts("words about it", |payouts| {
        let words = payouts[0]["waits_for"].as_str().unwrap_or_default();
        payouts[0]["txid"] == payout && words.contains("six blocks deep it is the payout")
    });
    scene.bury(1);
    let deep = scene.pair.first.must("gettransaction", json!([raised]));
    assert_eq!(deep["confirmations"], json!(6), "{deep}");
    scene.wait_for_payouts("it to be the payout", |payouts| {
        let is_paid = payouts[0]["state"] == json!("confirmed");
        payouts.len() == 1 && payouts[0]["txid"] == raised && is_paid
    });
    scene.check_chain(&owed);
    scene.audit();

    // The pool starts without its book, beside a ledger that has the block still.
    assert_eq!(scene.romp.stop(Signal::SIGTERM), Some(0));
    std::fs::remove_dir_all(scene.romp.path().join("data/book")).expect("the book");
    let (log, sent) = (scene.romp.output().len(), proxy.calls("sendrawtransaction"));
    scene.romp.run();
    scene.romp.wait_ready(1);
    scene.wait_for_words("the book is new, and the ledger has 1 blocks from before", log);
    scene.bury(1);
    assert_eq!(proxy.calls("sendrawtransaction"), sent);
    let begun = scene.romp.command(&["payouts", "litecoin", "begin", "--without-old"]);
    assert_eq!(begun.status.code(), Some(0), "{begun:?}");
    // The ledger knows of the book that is lost.
    let adopted = scene.romp.command(&["payouts", "litecoin", "adopt"]);
    assert_eq!(adopted.status.code(), Some(0), "{adopted:?}");
    let (reward, _) = scene.earn(&[1, 2], &Work::new(), &mut owed);
    scene.bury(101);
    scene.settle(reward, 0);
    scene.check_chain(&owed);
}

/// The ledger forgets all, or what came last, before the block is in the book.
#[test]
fn a_redis_that_forgets_costs_nobody_anything() {
    let _alone = alone();
    let mut redis = Redis::start();
    let (scene, _proxy) = Scene::through_proxy(Some(&redis));
    let mut owed = Work::new();
    let (mut rewards, first) = scene.earn(&[0, 1], &Work::new(), &mut owed);
    let payer = scene.romp.pids("payments")[0];
    let has = |scene: &Scene, block: &str| {
        scene.blocks().iter().any(|known| known["hash"] == json!(block))
    };

    kill(payer, Signal::SIGSTOP);
    let (reward, block) = scene.earn(&[1, 2], &Work::new(), &mut owed);
    rewards += reward;
    assert!(tell(&redis, "FLUSHALL").starts_with('+'));
    let mut more = Work::new();
    scene.look_at_ledger(&mut more);
    wait_until("the ledger to be rebuilt", seconds(60), || {
        has(&scene, &first) && has(&scene, &block)
    });
    kill(payer, Signal::SIGCONT);

    // Its files, as they were before the next block.
    let copy = tempfile::tempdir().expect("a folder");
    redis.kill();
    copy_folder(redis.folder(), copy.path());
    redis.run();
    kill(payer, Signal::SIGSTOP);
    let (reward, last) = scene.earn(&[3, 4], &more, &mut owed);
    rewards += reward;
    redis.kill();
    copy_folder(copy.path(), redis.folder());
    redis.run();
    assert!(!has(&scene, &last), "it was rolled back");
    scene.look_at_ledger(&mut Work::new());
    wait_until("the ledger to catch up", seconds(60), || has(&scene, &last));
    kill(payer, Signal::SIGCONT);
    assert!(is_alive(payer), "the same payer all the while");

    // And empty while all is being paid.
    scene.bury(101);
    assert!(tell(&redis, "FLUSHALL").starts_with('+'));
    scene.look_at_ledger(&mut Work::new());
    scene.settle(rewards, 0);
    scene.check_chain(&owed);
    assert_eq!(scene.romp.pids("payments"), [payer]);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::remove_dir_all(&target).ok();
            std::fs::create_dir_all(&target).expect("a folder");
            copy_folder(&entry.path(), &target);
        } else if entry.file_name() != "output" {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}
