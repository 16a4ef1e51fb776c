//! PPLNS windows and a solo port on a real chain, to the satoshi.

use crate::harness::{Client, alone, seconds, wait_until};
use crate::payments::{Scene, Work, add, exact, split, submit};
use serde_json::{Value, json};

/// `pplnsWindow`: some sixty shares of this test.
const WINDOW: f64 = 30.0;
/// Difficulty of the network in the pool's scale: regtest's, times scrypt's 2^16.
const NETWORK: f64 = 65536.0 / 2_147_483_648.0;
/// The ledger counts in units of 2^-27 with these ports.
const UNIT: u32 = 27;

/// Shares in the order in which they were accepted: script and work.
type Shares = Vec<(String, u128)>;

/// Work as the ledger counts it. `submit` counts in units of 2^-60, and what the pool says may have
/// lost a last digit on its way through JSON.
fn units(work: u128) -> u128 {
    (work + (1 << (59 - UNIT))) >> (60 - UNIT)
}

/// Has miners work on the two shared ports, the last one's miner find a block.
fn round(scene: &Scene, names: &[String], shares: usize, all: &mut Shares) -> String {
    for (index, name) in names.iter().enumerate() {
        let mut client = Client::login(scene.ports[index % 2], name).expect("login").scrypt();
        for _ in 0..=(index % shares) {
            all.push((scene.script(name), units(submit(&mut client, false))));
        }
    }
    let finder = names.last().expect("a finder");
    let (share, block) = scene.block(scene.ports[0], finder);
    all.push((scene.script(finder), units(share)));
    block
}

/// The newest shares that make up the work of a block's record; the rest did not count.
fn window(scene: &Scene, block: &str, shares: &[(String, u128)]) -> Work {
    let record = scene.romp.json(&["verify", "litecoin", block, "--json"]).expect("a record");
    assert_eq!(record["scheme"], json!("pplns"));
    let credits = record["credits"].as_array().expect("credits");
    let weight = |credit: &Value| -> u128 {
        credit["weight"].as_str().expect("text").parse().expect("a number")
    };
    let name = |credit: &Value| scene.script(credit["name"].as_str().expect("a name"));
    let recorded: Work = credits.iter().map(|credit| (name(credit), weight(credit))).collect();
    let wanted = units(exact(WINDOW * NETWORK));
    let mut work = Work::new();
    let mut sum = 0;
    for (script, weight) in shares.iter().rev() {
        *work.entry(script.clone()).or_default() += weight;
        sum += weight;
        if work == recorded {
            let all: u128 = shares.iter().map(|share| share.1).sum();
            assert!(sum >= wanted.min(all), "{sum} of {wanted}");
            // A slice is a thirty-second of the window and at most a share more.
            assert!(sum <= wanted + wanted / 32 + units(exact(2.2e-5)), "{sum} of {wanted}");
            return work;
        }
    }
    panic!("no beginning of the window gives {recorded:?}");
}

fn credited(scene: &Scene, block: &str) {
    let verified = || scene.romp.command(&["verify", "litecoin", block]).status.code() == Some(0);
    wait_until("the block's credits", seconds(60), verified);
}

#[test]
fn windows_and_solo_blocks_are_paid_as_they_should() {
    let _alone = alone();
    let solo = |ports: &mut Vec<Value>| ports[2]["rewardScheme"] = json!("solo");
    let scene = Scene::open_with(50, solo, |_, pool| {
        pool.with("rewardScheme", json!("pplns")).with("pplnsWindow", json!(WINDOW))
    });
    let (mut all, mut owed, mut rewards) = (Shares::new(), Work::new(), 0);
    let mut marks = Vec::new();
    // More miners than a window holds, one of them alone with a block of its own in between.
    let names: Vec<String> = scene.addresses.iter().map(|name| format!("{name}.r")).collect();
    let lonely = names[49].clone();
    marks.push((round(&scene, &names[..48], 3, &mut all), all.len()));
    let mut client = Client::login(scene.ports[2], &lonely).expect("login").scrypt();
    submit(&mut client, false);
    let (_, own) = scene.block(scene.ports[2], &lonely);
    marks.push((round(&scene, &names[10..20], 4, &mut all), all.len()));
    // One goes into a branch that loses for a while, and comes back.
    let block = round(&scene, &names[15..18], 2, &mut all);
    let nodes = || [&scene.pair.first, &scene.pair.second, &scene.pair.third];
    let known = |block: &str| {
        wait_until("the block at each node", seconds(30), || {
            nodes().iter().all(|node| node.call("getblockheader", json!([block])).is_ok())
        });
    };
    known(&block);
    nodes().iter().for_each(|node| drop(node.must("invalidateblock", json!([block]))));
    scene.bury(3);
    let other = scene.pair.first.text("getblockhash", json!([scene.pair.first.height() - 2]));
    known(&other);
    assert_eq!(scene.audit()["wrong"], json!([]));
    nodes().iter().for_each(|node| drop(node.must("invalidateblock", json!([other]))));
    nodes().iter().for_each(|node| drop(node.must("reconsiderblock", json!([block]))));
    marks.push((block, all.len()));
    // And one is an orphan for good: its work is in the windows of the others all the same.
    let lost = round(&scene, &names[20..24], 2, &mut all);
    known(&lost);
    nodes().iter().for_each(|node| drop(node.must("invalidateblock", json!([lost]))));
    scene.bury(101);
    marks.push((round(&scene, &names[30..34], 2, &mut all), all.len()));
    scene.bury(101);
    for (block, shares) in &marks {
        credited(&scene, block);
        let work = window(&scene, block, &all[..*shares]);
        add(&mut owed, &split(scene.value_of(block), &work));
        rewards += scene.value_of(block);
    }
    credited(&scene, &own);
    *owed.entry(scene.script(&lonely)).or_default() += scene.value_of(&own);
    rewards += scene.value_of(&own);
    scene.settle(rewards, 0);
    for (address, script) in &scene.scripts {
        let received = scene.pair.second.must("getreceivedbyaddress", json!([address, 1]));
        let owed = owed.get(script).copied().unwrap_or_default();
        assert_eq!(u128::from(crate::harness::to_satoshi(&received)), owed, "{address}");
    }
    assert_eq!(scene.audit()["wrong"], json!([]));
}
