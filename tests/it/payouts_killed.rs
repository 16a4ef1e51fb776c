//! Whoever pays is killed at every step of a payout, again and again, while the wallet's answers are
//! lost or late and the ledger goes away: in the end everybody is paid once, to the satoshi.

use crate::harness::{Proxy, Redis, Trick, alone, kill, seconds, to_satoshi, wait_until};
use crate::payments::{Scene, Work, add, split};
use nix::sys::signal::Signal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// When a block is found.
const FINDING: [&str; 4] =
    ["payments.taking-in", "payments.taken-in", "payments.seen", "payments.immature"];
/// When its reward can be spent.
const CREDITING: [&str; 3] = ["payments.ready", "payments.crediting", "payments.credited"];
/// When a payout is made.
const PAYING: [&str; 5] =
    ["payments.due", "payments.funded", "payments.signed", "payments.claiming", "payments.booking"];
/// When it is there: whoever dies at one of these does not come to the others with that payout.
const SENDING: [&str; 3] = ["payments.booked", "payments.sent", "payments.settled"];
/// When the chain does not have it yet.
const AGAIN: [&str; 1] = ["payments.sending-again"];
/// When it is six blocks deep.
const CONFIRMING: [&str; 2] = ["payments.confirming", "payments.confirmed"];
/// What the wallet is asked for meanwhile.
const METHODS: [&str; 9] = [
    "getblockchaininfo",
    "getblockhash",
    "getaddressinfo",
    "gettransaction",
    "getbalance",
    "fundrawtransaction",
    "signrawtransactionwithwallet",
    "testmempoolaccept",
    "sendrawtransaction",
];
const TRICKS: [Trick; 3] = [Trick::Swallow, Trick::Delay(1200), Trick::Drop];
const MINERS: usize = 5;
/// Blocks after which a payout counts as paid.
const DEEP: usize = 6;

/// How often somebody dies at each point; `ROMP_KILLS` makes it more.
fn kills() -> usize {
    std::env::var("ROMP_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// The steps above are those of the sources.
#[test]
fn every_fail_point_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/payments");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the sources").flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let names = text.split("\"payments.").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.map(|name| format!("payments.{name}")));
    }
    assert_eq!(found, points().iter().map(|&point| point.to_owned()).collect());
}

/// All of them.
fn points() -> Vec<&'static str> {
    [&FINDING[..], &CREDITING, &PAYING, &SENDING, &AGAIN, &CONFIRMING].concat()
}

#[test]
fn killed_at_every_step_everybody_is_paid_once_beside_sqlite() {
    let _alone = alone();
    killed_at_every_step(None);
}

#[test]
fn killed_at_every_step_everybody_is_paid_once_beside_redis() {
    let _alone = alone();
    killed_at_every_step(Some(Redis::start()));
}

/// A pool whose wallet answers through a proxy.
struct Scenery {
    scene: Scene,
    proxy: Proxy,
    redis: Option<Redis>,
    /// How often a point was armed.
    armed: BTreeMap<&'static str, usize>,
}

impl Scenery {
    fn start(redis: Option<Redis>) -> Self {
        let mut proxy = None;
        let scene = Scene::open(MINERS, |pair, pool| {
            let wallet = proxy.insert(Proxy::start(pair.first.port)).in_front_of(&pair.first);
            let payments = json!({
                "enabled": true, "paymentInterval": 1, "minimumPayment": 0.0001, "daemon": wallet,
            });
            let pool = pool.with("paymentProcessing", payments);
            match &redis {
                Some(redis) => pool.with("redis", json!({"host": "127.0.0.1", "port": redis.port})),
                None => pool,
            }
        });
        Self { scene, proxy: proxy.expect("the proxy"), redis, armed: BTreeMap::new() }
    }

    fn arm(&mut self, points: &[&'static str]) {
        for point in points {
            self.scene.romp.arm(point);
            *self.armed.entry(point).or_default() += 1;
        }
    }

    /// Tricks for three of the wallet's calls, other ones each time. Where the answer to the sending
    /// must come, so that there is somebody to die after it, it only comes late.
    fn play_tricks(&self, turn: usize, must_send: bool) {
        for at in 0..3 {
            let method = METHODS[(4 * turn + at) % METHODS.len()];
            let trick = match method {
                "sendrawtransaction" if must_send => TRICKS[1],
                _ => TRICKS[(at + turn + turn / 3) % TRICKS.len()],
            };
            self.proxy.play(method, trick, 1);
        }
    }

    /// The ledger, or who keeps it, goes away and comes back.
    fn without_ledger(&mut self) {
        match &mut self.redis {
            Some(redis) => {
                redis.kill();
                std::thread::sleep(seconds(2));
                redis.run();
            }
            None => {
                let romp = &self.scene.romp;
                wait_until("a bookkeeper", seconds(20), || !romp.pids("bookkeeper").is_empty());
                romp.kill_child("bookkeeper");
            }
        }
    }

    /// Waits until somebody has died at each armed point.
    fn wait_for_deaths(&mut self) {
        let romp = &mut self.scene.romp;
        let mut told = 0;
        wait_until("a death at every point", seconds(60), || {
            // The master starts who keeps dying later and later; but at once with new settings,
            // which would also end one that is there.
            let output = romp.output();
            let last = output.rmatch_indices(" PAY ").next().map_or(0, |(at, _)| at);
            if last > told && output[last..].contains("keeps dying") {
                told = last;
                kill(romp.process().pid(), Signal::SIGHUP);
            }
            romp.armed().is_empty()
        });
    }

    /// Waits until so many payouts were made, and all of them were sent.
    fn wait_for_payouts(&self, count: usize) {
        wait_until("the payout to be sent", seconds(60), || {
            let book = self.scene.romp.json(&["payouts", "litecoin", "--json"]);
            let payouts = book.and_then(|book| book["payouts"].as_array().cloned());
            payouts.is_some_and(|payouts| {
                payouts.len() == count
                    && payouts.iter().all(|payout| payout["state"] != json!("signed"))
            })
        });
    }
}

fn killed_at_every_step(redis: Option<Redis>) {
    let kills = kills();
    let mut it = Scenery::start(redis);
    let (mut owed, mut rewards) = (Work::new(), 0);
    let mut first = 0;
    // Each block brings one payout, and with it one death in three ways to send it.
    let blocks = SENDING.len() * kills;
    for at in 0..blocks {
        if at % 3 == 0 {
            it.arm(&FINDING);
        }
        let name = |n| format!("{}.{n}", it.scene.addresses[(at + n) % MINERS]);
        let names: Vec<String> = (0..3).map(name).collect();
        let (work, block) = it.scene.round(&names, 2);
        add(&mut owed, &split(it.scene.value_of(&block), &work));
        rewards += it.scene.value_of(&block);
        if at % 6 == 3 {
            it.without_ledger();
        }
        it.wait_for_deaths();
        if at == 0 {
            first = it.scene.pair.first.height();
        }
    }
    // From now on each further block makes one more reward ready.
    it.scene.bury(first + 99 - it.scene.pair.first.height());
    for at in 0..blocks + DEEP {
        if at % 2 == 1 {
            it.play_tricks(at / 2, at < blocks && at % 3 != 0);
        }
        if at < blocks {
            it.arm(&[SENDING[at % 3]]);
            match at % 3 {
                0 => it.arm(&CREDITING),
                1 => it.arm(&PAYING),
                _ => it.arm(&AGAIN),
            }
        }
        if at >= DEEP && it.armed.get(CONFIRMING[0]).copied().unwrap_or(0) < kills {
            it.arm(&CONFIRMING);
        }
        it.scene.bury(1);
        it.wait_for_deaths();
        it.wait_for_payouts(blocks.min(at + 1));
        // It asks the wallet, too.
        it.proxy.behave();
        it.scene.audit();
    }
    eprintln!("armed, and died at: {:?}; tricks: {:?}", it.armed, it.proxy.done());
    assert_eq!(it.armed.len(), points().len());
    assert!(it.armed.values().all(|&count| count == kills));
    assert!(it.proxy.done().values().sum::<u32>() as usize > kills, "too few tricks");
    it.scene.settle(rewards, 0);
    for (address, script) in &it.scene.scripts {
        let received = it.scene.pair.second.must("getreceivedbyaddress", json!([address, 1]));
        let owed = owed.get(script).copied().unwrap_or(0);
        assert_eq!(u128::from(to_satoshi(&received)), owed, "{address}");
    }
}
