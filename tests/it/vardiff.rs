//! Honest miners lose nothing to changes of difficulty or to new blocks, and who comes back after
//! the pool's sudden end starts where it was.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, is_alive, kill, miner_counts, seconds,
    start_miner, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
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
    // One that is on its way as a new tip comes is late, whoever serves it: some of a hundred times.
    let late = printed.matches("share rejected: Stale").count() as u64;
    assert_eq!(rejected, late, "an honest miner's shares were refused: {printed}");
    assert!(late <= 2, "{late} were late: {printed}");
    assert!(accepted >= 20, "{accepted} shares are too few to tell anything: {printed}");
    let mut last = (0, 0);
    wait_until("the ledger to agree with the miner", seconds(20), || {
        let (booked, refused, _) = romp.shares(pool.coin());
        last = (booked, refused);
        last == (accepted, rejected)
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

/// A difficulty at which about four hashes make a share: where newcomers start.
const EASY: f64 = 1e-9;

/// The difficulty of the job that a client has. The one that follows its authorisation at once is
/// sent before anything else is answered.
fn difficulty(client: &mut Client) -> f64 {
    client.request("mining.ping", &json!([])).expect("a pong");
    client.search(|_, _, _| true).wanted
}

/// Sends shares until vardiff has raised the difficulty a thousandfold; what it is then.
fn raise(client: &mut Client) -> f64 {
    wait_for("the difficulty to be raised", seconds(60), || {
        assert!(client.mine().expect("an answer").0);
        client.pump(Duration::from_millis(1)).expect("connected");
        let raised = difficulty(client);
        (raised > EASY * 1000.0).then_some(raised)
    })
}

/// Who mined at a difficulty when all ended has it from the first job on, at whichever worker.
fn comes_back_to(end: impl FnOnce(&mut Romp, f64)) {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let var_diff = json!({
        "minDiff": EASY, "maxDiff": 1, "targetTime": 15, "retargetTime": 90, "variancePercent": 30,
    });
    let rules = json!({"diff": EASY, "varDiff": var_diff});
    let pool = Pool::new("bitcoin", port, rules, stub.daemons());
    let mut romp = Romp::start(2, &[&pool]);
    let name = format!("{ADDRESS}.rig");
    let mut client = Client::login(port, &name).expect("login");
    assert!(difficulty(&mut client) < EASY * 1.01, "a newcomer starts easy");
    let raised = raise(&mut client);
    let orphans = romp.children();
    end(&mut romp, raised);
    romp.process().wait("the master's end", seconds(30));
    wait_until("the workers' end", seconds(20), || !orphans.iter().any(|&pid| is_alive(pid)));
    let begin = Instant::now();
    romp.run();
    let mut back =
        vec![wait_for("the pool to serve again", seconds(20), || Client::login(port, &name).ok())];
    eprintln!("served again {} ms after its start", begin.elapsed().as_millis());
    romp.wait_ready(2);
    back.extend((0..7).map(|_| Client::login(port, &name).expect("login")));
    wait_until("both workers to have some of them", seconds(10), || {
        romp.miners().iter().all(|(_, count)| *count > 0)
    });
    for client in &mut back {
        let begun = difficulty(client);
        assert!((begun / raised - 1.0).abs() < 1e-9, "{begun}, before it was {raised}");
    }
    let mut other = Client::login(port, &format!("{ADDRESS}.other")).expect("login");
    assert!(difficulty(&mut other) < EASY * 1.01, "only who was there before");
}

#[test]
fn a_killed_master_costs_no_miner_its_difficulty() {
    // At once: the workers write down what they know as they end.
    comes_back_to(|romp, _| romp.process().signal(Signal::SIGKILL));
}

#[test]
fn the_death_of_all_processes_costs_no_miner_its_difficulty() {
    comes_back_to(|romp, raised| {
        let is_written = |romp: &Romp| {
            let folder = std::fs::read_dir(romp.path().join("data/starts")).into_iter().flatten();
            let files = folder.flatten().filter_map(|file| std::fs::read(file.path()).ok());
            let entries = files.filter_map(|text| serde_json::from_slice::<Value>(&text).ok());
            let is_ours = |entry: &Value| entry["difficulty"] == json!(raised);
            entries.filter_map(|list| list.as_array().cloned()).flatten().any(|it| is_ours(&it))
        };
        // Every five seconds.
        wait_until("the difficulty to be on the disk", seconds(15), || is_written(romp));
        let children = romp.children();
        romp.process().signal(Signal::SIGKILL);
        children.iter().for_each(|&pid| kill(pid, Signal::SIGKILL));
    });
}
