//! Miners change their process and do not notice: at reloads, when there are more or fewer workers,
//! after a crash.

use crate::harness::{
    ADDRESS, Client, Counts, Load, Pool, Romp, Stub, alone, free_port, kill, seconds, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// sha256d difficulty at which about four hashes make a share.
pub(crate) const EASY: f64 = 1e-9;
pub(crate) const MINERS: usize = 24;

pub(crate) fn start(forks: u16) -> (Stub, u16, Romp) {
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let romp = Romp::start(forks, &[&pool]);
    (stub, port, romp)
}

pub(crate) fn more(load: &Load, count: u64) {
    let goal = load.accepted() + count;
    wait_until("the load to go on", seconds(60), || load.accepted() >= goal);
}

/// How many reloads there were, and whether the last one was taken.
pub(crate) fn reloaded(romp: &Romp) -> (u64, bool) {
    let status = romp.status().unwrap_or_default();
    let reloaded = &status["reloaded"];
    (reloaded["count"].as_u64().unwrap_or_default(), reloaded["done"] == json!(true))
}

/// Sends HUP, and waits until its workers alone are there.
pub(crate) fn reload(romp: &mut Romp, workers: usize) {
    let (count, _) = reloaded(romp);
    let before = romp.pids("worker");
    romp.process().signal(Signal::SIGHUP);
    wait_until("a reload", seconds(30), || reloaded(romp) == (count + 1, true));
    wait_until("the old workers to leave", seconds(30), || {
        let now = romp.pids("worker");
        now.len() == workers && now.iter().all(|pid| !before.contains(pid))
    });
}

pub(crate) fn booked(romp: &Romp, count: u64) {
    let mut last = 0;
    wait_until("the ledger", seconds(30), || {
        last = romp.shares("bitcoin").0;
        last >= count
    });
    assert_eq!(last, count, "each share once");
}

/// No miner had reason to notice anything.
pub(crate) fn unnoticed(romp: &Romp, load: Load) {
    let counts = load.finish();
    assert_eq!((counts.disconnects, counts.unanswered), (0, 0));
    assert_eq!(counts.rejected, Vec::<String>::new());
    booked(romp, counts.accepted_sum());
}

/// Somebody died: no connection ended, and all is accounted for. How many got no answer.
pub(crate) fn survived(romp: &mut Romp, load: Load, what: &str) -> u64 {
    let counts = accounted(romp, load, what);
    assert_eq!(counts.disconnects, 0, "{what}");
    counts.unanswered
}

/// Nothing but late shares was refused, and the ledger has what miners were told, and of what nobody
/// answered some. The pool is stopped.
pub(crate) fn accounted(romp: &mut Romp, load: Load, what: &str) -> Counts {
    let counts = load.finish();
    assert!(counts.rejected.iter().all(|it| it.contains("[21,")), "{what}: {:?}", counts.rejected);
    let told = counts.accepted_sum();
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    let ledger = romp.shares("bitcoin").0;
    let most = told + counts.unanswered;
    assert!((told..=most).contains(&ledger), "{what}: told {told}, at most {most}, has {ledger}");
    counts
}

#[test]
fn reloads_cost_no_miner_anything() {
    let _alone = alone();
    let (stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    for round in 0..4 {
        reload(&mut romp, 2);
        if round == 2 {
            stub.new_tip();
        }
        more(&load, 200);
    }
    let counts = load.finish();
    assert_eq!((counts.disconnects, counts.unanswered), (0, 0));
    // A new tip makes what was under way stale, reload or not.
    assert!(counts.rejected.iter().all(|it| it.contains("[21,")), "{:?}", counts.rejected);
    booked(&romp, counts.accepted_sum());
}

/// A generation that cannot begin changes nothing.
#[test]
fn a_broken_successor_costs_nothing() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    let workers = romp.pids("worker");
    romp.arm("worker-begins");
    romp.process().signal(Signal::SIGHUP);
    wait_until("the refusal", seconds(30), || reloaded(&romp) == (1, false));
    assert!(romp.output().contains("configuration not changed"), "{}", romp.output());
    more(&load, 200);
    assert_eq!(romp.pids("worker"), workers);
    wait_until("no trace of it", seconds(20), || romp.children().len() == 4);
    reload(&mut romp, 2);
    more(&load, 200);
    unnoticed(&romp, load);
}

/// A giver or a taker is killed while miners are on their way.
#[test]
fn who_dies_while_miners_move_costs_no_connection() {
    for point in ["giver-has-sent", "taker-has-one"] {
        let _alone = alone();
        let (_stub, port, mut romp) = start(2);
        let load = Load::start(port, MINERS);
        more(&load, 200);
        romp.arm(point);
        let (count, _) = reloaded(&romp);
        romp.process().signal(Signal::SIGHUP);
        wait_until("the reload", seconds(30), || reloaded(&romp) == (count + 1, true));
        wait_until("the death", seconds(30), || romp.output().contains("the fail point"));
        more(&load, 400);
        if point == "giver-has-sent" {
            let told = "was to end, but died before it had: killed by SIGKILL";
            wait_until("the operator to be told", seconds(20), || romp.output().contains(told));
        }
        let unanswered = survived(&mut romp, load, point);
        assert!(unanswered <= MINERS as u64, "{point}: {unanswered}");
    }
}

#[test]
fn killed_workers_lose_no_miner() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    // Until the master has all sockets.
    std::thread::sleep(Duration::from_millis(1500));
    for round in 0..6 {
        let workers = romp.pids("worker");
        // One at a time, and in the end both at once.
        let count = if round == 5 { 2 } else { 1 };
        workers.iter().take(count).for_each(|pid| kill(*pid, Signal::SIGKILL));
        more(&load, 300);
        wait_until("a successor", seconds(20), || romp.pids("worker").len() == 2);
    }
    survived(&mut romp, load, "kill -9");
}

#[test]
fn workers_even_out_and_one_who_goes_gives_its_miners_away() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(1);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    romp.process().signal(Signal::SIGTTIN);
    let most = (MINERS / 2 + 4) as u64;
    wait_until("the second to have its part", seconds(30), || {
        let miners = romp.miners();
        miners.len() == 2 && miners.iter().all(|(_, count)| *count <= most)
    });
    romp.process().signal(Signal::SIGTTOU);
    wait_until("one to be left", seconds(30), || romp.miners().len() == 1);
    more(&load, 200);
    unnoticed(&romp, load);
}

/// The answer to what was sent under that id.
fn answer(client: &mut Client, id: u64) -> Value {
    loop {
        let message = client.message(seconds(20)).expect("connected").expect("an answer");
        if message["id"] == json!(id) {
            return message;
        }
    }
}

/// Half a line before, the other half after; and a queue that the miner did not read.
#[test]
fn half_a_line_and_a_full_queue_move_along() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(1);
    half_a_line_and_a_full_queue(port, &mut romp, |romp| reload(romp, 1));
}

/// Speaks half a line, has all miners change their process, and speaks the rest; with a queue that
/// another miner did not read.
pub(crate) fn half_a_line_and_a_full_queue(
    port: u16,
    romp: &mut Romp,
    change: impl FnOnce(&mut Romp),
) {
    let mut client = Client::login(port, ADDRESS).expect("login");
    let share = client.share();
    let line = json!({"id": 77, "method": "mining.submit", "params": share}).to_string();
    let (half, rest) = line.split_at(line.len() / 2);
    client.send_raw(half.as_bytes()).expect("sent");
    // Answers that nobody reads: more than the kernel takes.
    let mut full = Client::login(port, &format!("{ADDRESS}.full")).expect("login");
    let ask = json!({"id": 1, "method": "client.get_version", "params": []}).to_string() + "\n";
    for _ in 0..50 {
        full.send_raw(ask.as_bytes()).expect("sent");
    }
    change(romp);
    client.send_raw(format!("{rest}\n").as_bytes()).expect("sent");
    let told = answer(&mut client, 77);
    assert_eq!(told["result"], json!(true), "{told}");
    let mut answers = 0;
    while answers < 50 {
        let message: Value = full.message(seconds(20)).expect("connected").expect("an answer");
        answers += usize::from(message["result"].as_str().is_some_and(|it| it.contains("romp")));
    }
    assert!(client.mine().expect("an answer").0 && full.mine().expect("an answer").0);
}

/// Bytes that the sockets of a port have received and nobody has read.
fn unread(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let local = format!(":{port:04X}");
    let waiting = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (own, _other, state, queues) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let (_, received) = queues.split_once(':')?;
        (own.ends_with(&local) && state == "01")
            .then(|| u64::from_str_radix(received, 16).unwrap_or_default())
    });
    waiting.sum()
}

/// A pool whose proxy, loopback, says who somebody is; one bad line of a miner is a ban.
fn strict(port: u16, stub: &Stub) -> Pool {
    Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons())
        .with("tcpProxyProtocol", json!(true))
        .with("banning", json!({"enabled": true, "burst": 1, "invalidPercent": 1}))
}

/// The rest of a line whose beginning died with a worker is nothing, and harms nobody.
#[test]
fn half_a_line_that_died_with_its_worker_costs_nothing() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let mut romp = Romp::start(1, &[&strict(port, &stub)]);
    let login = || Client::connect_as(port, "192.0.2.7").expect("connected").logged_in(ADDRESS);
    let mut client = login().expect("login");
    assert!(client.mine().expect("an answer").0);
    // Until the master has the socket.
    std::thread::sleep(Duration::from_millis(1500));
    let line = |client: &mut Client, id: u64| {
        let share = client.share();
        json!({"id": id, "method": "mining.submit", "params": share}).to_string()
    };
    let lost = line(&mut client, 70);
    let (half, rest) = lost.split_at(lost.len() / 2);
    client.send_raw(half.as_bytes()).expect("sent");
    wait_until("the worker to have read it", seconds(20), || unread(port) == 0);
    romp.kill_child("worker");
    let job = client.job.take().expect("work").id;
    wait_until("work of the successor", seconds(20), || {
        client.pump(Duration::from_millis(50)).expect("connected");
        client.job.as_ref().is_some_and(|new| new.id != job)
    });
    // At once: nothing but the rest is dropped.
    let whole = line(&mut client, 71);
    client.send_raw(format!("{rest}\n{whole}\n").as_bytes()).expect("sent");
    let told = answer(&mut client, 71);
    assert_eq!(told["result"], json!(true), "{told}");
    for _ in 0..4 {
        assert!(client.mine().expect("the connection stays").0);
    }
    // What is no rest of a line is what it was.
    client.send_raw(b"nonsense\n").expect("sent");
    assert!(client.is_ended(seconds(20)), "the ban");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// A proxy's header of version 2 for a miner at that IPv4 address.
fn version_2(address: [u8; 4]) -> Vec<u8> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [&signature[..], &address, &[127, 0, 0, 1, 1, 1, 2, 2]].concat()
}

/// Half of a PROXY header before, the other half after: the miner is who the proxy says.
#[test]
fn half_a_proxy_header_moves_along() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let mut romp = Romp::prepare(1, &[&strict(port, &stub)]);
    // Longer than a reload may take.
    romp.set("limits", Some(json!({"proxyHeaderTimeout": 120})));
    romp.run();
    romp.wait_ready(1);
    let first = format!("PROXY TCP4 192.0.2.1 127.0.0.1 40000 {port}\r\n").into_bytes();
    let headers = [first, version_2([192, 0, 2, 2])];
    // Within the address, within the signature, and behind it.
    let cuts = [(0, 20), (1, 7), (1, 18)];
    let mut clients: Vec<Client> = Vec::new();
    for (which, cut) in cuts {
        let mut client = Client::connect(port).expect("connected");
        client.send_raw(&headers[which][..cut]).expect("sent");
        clients.push(client);
    }
    wait_until("the worker to have them", seconds(20), || {
        unread(port) == 0 && romp.miners().iter().map(|(_, miners)| miners).sum::<u64>() == 3
    });
    reload(&mut romp, 1);
    let mut served: Vec<Client> = Vec::new();
    for ((which, cut), mut client) in cuts.into_iter().zip(clients) {
        client.send_raw(&headers[which][cut..]).expect("sent");
        let mut client = client.logged_in(ADDRESS).expect("login");
        assert!(client.mine().expect("an answer").0);
        served.push(client);
    }
    assert!(romp.command(&["bans", "add", "192.0.2.2"]).status.success());
    let [first, second, third] = served.as_mut_slice() else { unreachable!("three") };
    assert!(second.is_ended(seconds(20)) && third.is_ended(seconds(20)), "who they are");
    assert!(first.mine().expect("an answer").0, "somebody else");
    assert!(romp.command(&["bans", "add", "192.0.2.1"]).status.success());
    assert!(first.is_ended(seconds(20)));
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
