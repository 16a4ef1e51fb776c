//! USR2: another binary takes the pool over, or nothing changes. Miners notice neither.

use crate::bans::own_address;
use crate::handover::{
    EASY, MINERS, accounted, half_a_line_and_a_full_queue, more, reload, reloaded, survived,
    unnoticed,
};
use crate::harness::{
    ADDRESS, BINARY, Client, Connector, Load, NOTIFY_PASSWORD, Pool, Romp, Stub, alone,
    certificate, free_port, is_alive, kill, romp, seconds, through_tls, tls, wait_for, wait_until,
};
use crate::systemd::Listener;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// A pool with a binary of its own; nothing runs yet.
fn prepare(forks: u16) -> (Stub, u16, Romp) {
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let romp = Romp::prepare(forks, &[&pool]).with_own_binary();
    (stub, port, romp)
}

fn start(forks: u16) -> (Stub, u16, Romp) {
    let (stub, port, mut romp) = prepare(forks);
    romp.run();
    romp.wait_ready(usize::from(forks));
    (stub, port, romp)
}

fn status(romp: &Romp) -> Value {
    wait_for("the status", seconds(20), || romp.status())
}

/// An upgrade that goes well: of the old pool nobody is left, and the new one serves and says so.
fn upgrade(romp: &mut Romp, workers: usize) {
    let (old, everyone, before) = (romp.process().pid(), romp.everyone(), status(romp));
    let (said, (count, _)) = (romp.output().len(), reloaded(romp));
    romp.install(Path::new(BINARY));
    romp.upgrade();
    romp.wait_ready(workers);
    let after = status(romp);
    assert_ne!(romp.process().pid(), old);
    assert_eq!(after["pid"], json!(romp.process().pid()));
    assert_eq!(after["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(after["generation"].as_u64(), before["generation"].as_u64().map(|it| it + 1));
    assert_eq!(reloaded(romp), (count + 1, true));
    let version = before["version"].as_str().expect("a version");
    let words = after["reloaded"]["words"][0].as_str().unwrap_or_default().to_owned();
    let expected = format!("binary replaced: romp {version} (pid {old}) before");
    assert!(words.starts_with(&expected), "{words}");
    wait_until("the old pool to be gone", seconds(20), || {
        !everyone.iter().any(|&pid| is_alive(pid))
    });
    let left = romp.children().len() + 1;
    wait_until("no process too many", seconds(20), || romp.everyone().len() == left);
    let output = romp.output();
    assert!(!output[said..].contains("has died"), "{output}");
}

/// Does something and sends USR2, which fails: the same processes go on. `mend` comes after the log
/// has said so. The reason, in the log's words.
fn refused(
    romp: &mut Romp,
    what: &str,
    spoil: impl FnOnce(&Romp),
    mend: impl FnOnce(&Romp),
) -> String {
    let (before, workers, children) = (status(romp), romp.pids("worker"), romp.children());
    let (said, (count, _)) = (romp.output().len(), reloaded(romp));
    spoil(romp);
    romp.process().signal(Signal::SIGUSR2);
    let words = wait_for(&format!("the refusal ({what})"), seconds(60), || {
        let output = romp.output();
        let line = output[said..].lines().find(|line| line.contains("binary not replaced"))?;
        Some(line.to_owned())
    });
    assert!(words.contains(" error: binary not replaced: "), "{what}: {words}");
    mend(romp);
    wait_until("the status to know it", seconds(20), || reloaded(romp) == (count + 1, false));
    let after = status(romp);
    let first = after["reloaded"]["words"][0].as_str().unwrap_or_default();
    assert!(first.starts_with("binary not replaced: "), "{what}: {first}");
    for key in ["pid", "generation", "version"] {
        assert_eq!(after[key], before[key], "{what}: {key}");
    }
    assert_eq!(romp.pids("worker"), workers, "{what}");
    wait_until("no trace of it", seconds(20), || {
        romp.children() == children && romp.everyone().len() == children.len() + 1
    });
    assert_eq!(romp.master(), Some(romp.process().pid()), "{what}: the lock");
    words
}

/// Asks for the status all the time.
struct Asker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(u64, Vec<String>)>>,
}

impl Asker {
    fn start(pool: &Romp) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, dir) = (Arc::clone(&stop), pool.path().display().to_string());
        let thread = std::thread::spawn(move || {
            let (mut last, mut wrong) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let output = romp(&["-C", &dir, "status", "--json"]);
                let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                match status["coins"]["bitcoin"]["accepted"].as_u64() {
                    Some(now) if output.status.success() && now >= last => last = now,
                    Some(now) if output.status.success() => wrong.push(format!("{last}, {now}")),
                    _ => wrong.push(String::from_utf8_lossy(&output.stderr).into_owned()),
                }
                sleep(Duration::from_millis(50));
            }
            (last, wrong)
        });
        Self { stop, thread: Some(thread) }
    }

    /// The last count of accepted shares. Each answer came, and no count was lower than the one
    /// before.
    fn finish(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it runs");
        let (last, wrong) = thread.join().expect("the asker's thread");
        assert_eq!(wrong, Vec::<String>::new());
        last
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn upgrades_in_a_row_cost_no_miner_anything() {
    let _alone = alone();
    let (stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    let asker = Asker::start(&romp);
    let open = |romp: &mut Romp| {
        let folder = format!("/proc/{}/fd", romp.process().pid());
        std::fs::read_dir(folder).map_or(usize::MAX, Iterator::count)
    };
    // It has a duplicate of each miner's socket.
    wait_until("the master to hold all", seconds(20), || open(&mut romp) > MINERS);
    let before = open(&mut romp);
    for round in 0..3 {
        upgrade(&mut romp, 2);
        wait_until("no more descriptors than before", seconds(20), || {
            let now = open(&mut romp);
            now > MINERS && now <= before + 4
        });
        if round < 2 {
            stub.new_tip();
        }
        more(&load, 200);
    }
    reload(&mut romp, 2);
    assert_eq!(status(&romp)["generation"], json!(5));
    more(&load, 200);
    assert!(asker.finish() > 0);
    let counts = load.finish();
    assert_eq!((counts.disconnects, counts.unanswered), (0, 0));
    // A new tip makes what was under way stale, upgrade or not.
    assert!(counts.rejected.iter().all(|it| it.contains("[21,")), "{:?}", counts.rejected);
    let told = counts.accepted_sum();
    assert_eq!(status(&romp)["coins"]["bitcoin"]["accepted"], json!(told), "since the first start");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.everyone(), Vec::<i32>::new());
    assert_eq!(romp.shares("bitcoin").0, told, "each share once");
}

/// Whatever stands in the binary's place, and wherever the new one dies before it has said that it
/// is ready.
#[test]
fn every_broken_successor_costs_nothing() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    let good = |romp: &Romp| romp.install(Path::new(BINARY));
    let place = romp.path().join("romp");
    let config = romp.path().join("config.json");
    let configured = std::fs::read_to_string(&config).expect("config.json");

    refused(&mut romp, "it ends", |romp| romp.install_text("#!/bin/sh\nexit 1\n"), good);
    more(&load, 100);
    refused(&mut romp, "no program", |romp| romp.install_text("\x01\x02 no program\n"), good);
    refused(&mut romp, "nothing", |_| std::fs::remove_file(&place).expect("removed"), good);
    more(&load, 100);
    // Words that are none of the protocol.
    let words = "#!/bin/sh\necho hello >&0\necho nonsense >&0\nexec sleep 3\n";
    refused(&mut romp, "nonsense", |romp| romp.install_text(words), good);
    // A release of another time, as it says itself; and one that dies behind the first word.
    let hello = |protocol: u32, then: &str| {
        let word = json!({"hello": {"protocol": protocol, "version": "9.9.9"}});
        format!("#!/bin/sh\nprintf '\\001%s' '{word}' >&0\n{then}\n")
    };
    let other = hello(99, "exec sleep 3");
    let words = refused(&mut romp, "protocol", |romp| romp.install_text(&other), good);
    assert!(words.contains("romp 9.9.9 takes over by protocol 99"), "{words}");
    let short = hello(1, "exit 3");
    refused(&mut romp, "one word", |romp| romp.install_text(&short), good);
    more(&load, 100);
    let spoil = |_: &Romp| std::fs::write(&config, "nonsense").expect("written");
    let mend = |_: &Romp| std::fs::write(&config, &configured).expect("written");
    refused(&mut romp, "configuration", spoil, mend);
    more(&load, 100);
    for point in ["successor-begins", "worker-begins"] {
        refused(&mut romp, point, |romp| romp.arm(point), |_| {});
        assert_eq!(romp.armed(), Vec::<String>::new());
        more(&load, 100);
    }
    upgrade(&mut romp, 2);
    more(&load, 200);
    unnoticed(&romp, load);
}

/// Who says nothing is waited for no longer than 30 s. What else was asked for meanwhile comes
/// afterwards.
#[test]
fn a_silent_successor_is_killed_and_later_signals_wait_for_their_turn() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    let file = romp.path().join("successor");
    let words = format!("#!/bin/sh\necho $$ >{}\nexec sleep 600\n", file.display());
    romp.install_text(&words);
    romp.process().signal(Signal::SIGUSR2);
    let successor: i32 = wait_for("the successor", seconds(20), || {
        std::fs::read_to_string(&file).ok()?.trim().parse().ok()
    });
    assert!(romp.children().contains(&successor), "its child");
    romp.install(Path::new(BINARY));
    romp.process().signal(Signal::SIGHUP);
    romp.process().signal(Signal::SIGUSR2);
    for _ in 0..20 {
        assert!(client.mine().expect("served meanwhile").0);
    }
    wait_until("the refusal", seconds(60), || romp.output().contains("binary not replaced: "));
    wait_until("its end", seconds(20), || !is_alive(successor));
    assert!(romp.follow().success());
    romp.wait_ready(1);
    wait_until("the reload and the upgrade", seconds(30), || {
        status(&romp)["generation"] == json!(3) && reloaded(&romp) == (3, true)
    });
    assert!(client.mine().expect("still connected").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 21);
}

/// Two signals at once: both are obeyed, in whichever order.
#[test]
fn a_reload_and_an_upgrade_at_once_come_one_after_the_other() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    romp.process().signal(Signal::SIGHUP);
    romp.process().signal(Signal::SIGUSR2);
    assert!(romp.follow().success());
    wait_until("both", seconds(30), || {
        status(&romp)["generation"] == json!(3) && reloaded(&romp) == (2, true)
    });
    romp.wait_ready(2);
    more(&load, 200);
    unnoticed(&romp, load);
}

/// Signals at any moment, to whoever is the master then.
#[test]
fn a_storm_of_upgrades_and_reloads_costs_no_miner_anything() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    for pause in [0, 30, 60, 90, 120, 150, 180, 250, 350, 500, 700, 1000] {
        for signal in [Signal::SIGUSR2, Signal::SIGHUP, Signal::SIGUSR2] {
            kill(romp.master().unwrap_or_else(|| romp.process().pid()), signal);
            sleep(Duration::from_millis(pause));
        }
    }
    let first = romp.process().pid();
    // The last of them are still obeyed.
    let mut restless = Instant::now();
    wait_until("two calm seconds", seconds(60), || {
        if romp.process().ended().is_some() {
            romp.follow();
        }
        if romp.everyone().len() != 5 || romp.children().len() != 4 {
            restless = Instant::now();
        }
        restless.elapsed() > seconds(2)
    });
    romp.wait_ready(2);
    assert_ne!(romp.process().pid(), first);
    more(&load, 400);
    assert!(!romp.output().contains("has died"), "{}", romp.output());
    assert!(!romp.output().contains(" error: "), "{}", romp.output());
    unnoticed(&romp, load);
}

/// The new one dies when the old one's workers are giving their miners, or have ended: the old one
/// takes everything back.
#[test]
fn who_dies_after_commit_gives_everything_back() {
    for point in ["successor-committed", "successor-owns"] {
        let _alone = alone();
        let (_stub, port, mut romp) = start(2);
        let load = Load::start(port, MINERS);
        more(&load, 200);
        let pid = romp.process().pid();
        romp.arm(point);
        romp.process().signal(Signal::SIGUSR2);
        wait_until(point, seconds(60), || romp.output().contains("binary not replaced: "));
        assert_eq!(romp.armed(), Vec::<String>::new(), "{point}");
        romp.wait_ready(2);
        wait_until("the status to know it", seconds(20), || reloaded(&romp) == (1, false));
        assert_eq!(status(&romp)["pid"], json!(pid), "{point}");
        assert_eq!(romp.master(), Some(pid), "{point}: the lock");
        more(&load, 400);
        upgrade(&mut romp, 2);
        more(&load, 200);
        let unanswered = survived(&mut romp, load, point);
        assert!(unanswered <= MINERS as u64, "{point}: {unanswered}");
        assert_eq!(romp.everyone(), Vec::<i32>::new());
    }
}

/// The old one dies when the new one serves: it takes the rest by itself.
#[test]
fn a_successor_goes_on_when_the_old_master_dies() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    let everyone = romp.everyone();
    romp.arm("predecessor-committed");
    romp.process().signal(Signal::SIGUSR2);
    assert_eq!(romp.follow().code(), None, "killed");
    romp.wait_ready(2);
    assert_eq!(status(&romp)["pid"], json!(romp.process().pid()));
    wait_until("the old pool to be gone", seconds(20), || {
        !everyone.iter().any(|&pid| is_alive(pid))
    });
    more(&load, 400);
    upgrade(&mut romp, 2);
    more(&load, 200);
    // Who had not been given yet has reconnected.
    let counts = accounted(&mut romp, load, "predecessor-committed");
    assert!(counts.disconnects <= MINERS as u64, "{}", counts.disconnects);
    assert_eq!(romp.everyone(), Vec::<i32>::new());
}

#[test]
fn term_meanwhile_stops_everything() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    let file = romp.path().join("successor");
    // `sleep` would not be known by its command line.
    let words = format!("#!/bin/sh\necho $$ >{}\nwhile :; do sleep 0.1; done\n", file.display());
    romp.install_text(&words);
    romp.process().signal(Signal::SIGUSR2);
    wait_until("the successor", seconds(20), || {
        std::fs::read_to_string(&file).is_ok_and(|pid| !pid.trim().is_empty())
    });
    assert!(romp.everyone().len() > romp.pids("worker").len() + 3, "it is one of them");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    wait_until("nobody to be left", seconds(20), || romp.everyone().is_empty());
    assert_eq!(romp.shares("bitcoin").0, 1);
}

/// At whatever step: a good one goes with the old one until it reigns, and then it goes on.
#[test]
fn term_soon_after_usr2_stops_the_old_master_with_or_without_the_new_one() {
    let _alone = alone();
    for delay in [0, 20, 40, 80, 160, 320] {
        let (_stub, port, mut romp) = start(1);
        let mut client = Client::login(port, ADDRESS).expect("login");
        assert!(client.mine().expect("an answer").0);
        let old = romp.process().pid();
        romp.process().signal(Signal::SIGUSR2);
        sleep(Duration::from_millis(delay));
        romp.process().signal(Signal::SIGTERM);
        let ended = romp.process().wait("the old master's end", seconds(30));
        assert_eq!(ended.code(), Some(0), "{delay} ms");
        let output = romp.output();
        if output.contains(&format!("the binary is replaced; this one, pid {old}, ends")) {
            romp.follow();
            romp.wait_ready(1);
            assert!(client.mine().expect("still connected").0, "{delay} ms");
            assert_eq!(romp.stop(Signal::SIGTERM), Some(0), "{delay} ms");
        }
        wait_until("nobody to be left", seconds(20), || romp.everyone().is_empty());
        let told = 1 + u64::from(output.contains("; this one, pid "));
        assert_eq!(romp.shares("bitcoin").0, told, "{delay} ms");
    }
}

/// Who speaks TLS, whose secrets cannot move, and miners of a port that the configuration has no
/// more stay with a worker of the old binary for half a minute, and the old master with it.
#[test]
fn who_cannot_move_is_served_until_the_goodbye() {
    let _alone = alone();
    let (stub, port, mut romp) = prepare(1);
    let (goes, comes) = (free_port(), free_port());
    let rules = json!({"diff": EASY, "tls": true});
    let folder = romp.path().to_owned();
    let pool = |other: u16| {
        let ports = json!({port.to_string(): rules, other.to_string(): {"diff": EASY}});
        let pool = Pool::new("bitcoin", port, json!({}), stub.daemons());
        pool.with("ports", ports).write(&folder);
    };
    pool(goes);
    let (cert, _) = certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.run();
    romp.wait_ready(1);
    let secret = |cert: &str| {
        let far = tls(port, cert).expect("TLS with that certificate");
        Client::login(through_tls(far), ADDRESS).expect("login over TLS")
    };
    let mut old = secret(&cert);
    let mut plain = Client::login(port, ADDRESS).expect("login");
    let mut lost = Client::login(goes, ADDRESS).expect("login");
    let before = romp.process().pid();
    // The new one takes what is written now, as at a reload.
    pool(comes);
    romp.set("clustering", Some(json!({"enabled": true, "forks": 2})));
    romp.process().signal(Signal::SIGUSR2);
    wait_until("the new master", seconds(30), || romp.master().is_some_and(|pid| pid != before));
    wait_until("it to say so", seconds(30), || reloaded(&romp) == (1, true));
    romp.wait_ready(2);
    assert!(is_alive(before), "it waits for its worker");
    let (mut new, mut other) = (secret(&cert), Client::login(comes, ADDRESS).expect("login"));
    for client in [&mut old, &mut plain, &mut lost, &mut new, &mut other] {
        assert!(client.mine().expect("an answer").0);
    }
    assert!(old.is_ended(seconds(60)) && lost.is_ended(seconds(60)), "the goodbye");
    assert!(romp.follow().success());
    assert!(TcpStream::connect(("127.0.0.1", goes)).is_err(), "the port is closed");
    for client in [&mut plain, &mut new, &mut other, &mut secret(&cert)] {
        assert!(client.mine().expect("an answer").0);
    }
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 9);
}

/// A worker that stands still cannot give its miners: it is killed in the end, and they go on.
#[test]
fn a_worker_that_stands_still_does_not_hold_up_the_others() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(2);
    let load = Load::start(port, MINERS);
    more(&load, 200);
    // Until the master has all sockets.
    sleep(Duration::from_millis(1500));
    let old = romp.process().pid();
    kill(romp.pids("worker")[0], Signal::SIGSTOP);
    romp.process().signal(Signal::SIGUSR2);
    wait_until("the new master", seconds(40), || romp.master().is_some_and(|pid| pid != old));
    wait_until("it to say so", seconds(30), || reloaded(&romp) == (1, true));
    assert!(romp.follow().success());
    romp.wait_ready(2);
    more(&load, 400);
    survived(&mut romp, load, "a worker that stands still");
    assert_eq!(romp.everyone(), Vec::<i32>::new());
}

/// Root starts it, and it becomes somebody else: so is the new one, who can be no more than that.
#[test]
fn the_rights_of_the_pools_user_are_enough() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let _alone = alone();
    let (_stub, port, mut romp) = prepare(1);
    let folder = romp.path().to_owned();
    romp.set("user", Some(json!("nobody")));
    let nobody = nix::unistd::User::from_name("nobody").expect("users").expect("nobody");
    let own = |path: &Path| {
        std::os::unix::fs::chown(path, Some(nobody.uid.as_raw()), None).expect("chown");
    };
    for path in ["", "config.json", "pool_configs/bitcoin.json"] {
        own(&folder.join(path));
    }
    romp.run();
    romp.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    upgrade(&mut romp, 1);
    reload(&mut romp, 1);
    upgrade(&mut romp, 1);
    assert!(client.mine().expect("an answer").0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", romp.process().pid()));
    let uid = format!("Uid:\t{}\t", nobody.uid.as_raw());
    assert!(status.expect("it runs").contains(&uid));
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 1);
}

/// No port is closed for a moment; who was banned is; and everybody else answers as before.
#[test]
fn bans_and_every_listener_are_handed_over() {
    let _alone = alone();
    let (stub, port, mut romp) = prepare(2);
    // More sockets than fit into one packet between processes.
    let many: Vec<u16> = (0..200).map(|_| free_port()).collect();
    let rules = |port: &u16| (port.to_string(), json!({"diff": EASY}));
    let ports: serde_json::Map<String, Value> = many.iter().chain([&port]).map(rules).collect();
    let pool = Pool::new("bitcoin", port, json!({}), stub.daemons());
    pool.with("ports", json!(ports)).write(romp.path());
    let site = free_port();
    romp.set("website", Some(json!({"enabled": true, "host": "127.0.0.1", "port": site})));
    romp.run();
    romp.wait_ready(2);
    let ready = || ureq::get(&format!("http://127.0.0.1:{site}/ready")).call().is_ok();
    wait_until("the site", seconds(30), ready);
    let own = own_address();
    let mut banned = vec!["192.0.2.0/24".to_owned()];
    banned.extend(own.map(|address| address.to_string()));
    for network in &banned {
        let output = romp.command(&["bans", "add", network, "--for", "24h", "--reason", "test"]);
        assert!(output.status.success(), "{output:?}");
    }
    let listed = |romp: &Romp| romp.json(&["bans", "--json"]).expect("the list")["bans"].clone();
    let bans = listed(&romp);
    assert_eq!(bans.as_array().map(Vec::len), Some(banned.len()), "{bans}");
    let knocking = [port, site, many[0], many[199]].map(Connector::start);
    upgrade(&mut romp, 2);
    for knocks in knocking {
        let (tries, refusals) = knocks.finish();
        assert!(tries > 0 && refusals == 0, "{refusals} of {tries} refused");
    }
    assert_eq!(listed(&romp), bans);
    for _ in 0..20 {
        let Some(own) = own else { break };
        let client = Client::connect_to(SocketAddr::from((own, port)));
        assert!(client.and_then(|mut client| client.subscribe()).is_err(), "banned");
    }
    let lift = romp.command(&["bans", "remove", "192.0.2.0/24"]);
    assert!(lift.status.success(), "{lift:?}");
    let address = format!("127.0.0.1:{}", romp.notify_port);
    let hash = "ab".repeat(32);
    let notice = |password| {
        crate::harness::romp(&["blocknotify", &address, password, "bitcoin", &hash]).status.code()
    };
    assert_eq!((notice(NOTIFY_PASSWORD), notice("guess")), (Some(0), Some(1)));
    wait_until("the site", seconds(30), ready);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    // As if it had been there from the beginning: workers come and go, children are replaced.
    romp.process().signal(Signal::SIGTTIN);
    wait_until("a third worker", seconds(30), || romp.pids("worker").len() == 3);
    romp.kill_child("worker");
    romp.kill_child("templates");
    // A job that only a dead worker has given is stale.
    wait_until("work that is not", seconds(20), || client.mine().expect("an answer").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 2);
}

#[test]
fn half_a_line_and_a_full_queue_are_upgraded_along() {
    let _alone = alone();
    let (_stub, port, mut romp) = start(1);
    half_a_line_and_a_full_queue(port, &mut romp, |romp| upgrade(romp, 1));
}

/// systemd believes the main process only: the old master names the new one before that says
/// anything.
#[test]
fn systemd_hears_of_the_new_master_by_the_old_one() {
    let _alone = alone();
    let (_stub, port, mut romp) = prepare(2);
    let mut systemd = Listener::new(&romp);
    let notify = format!("NOTIFY_SOCKET={}", romp.path().join("notify").display());
    // As systemd does: the watchdog is for this very process.
    let script = "export WATCHDOG_USEC=2000000 WATCHDOG_PID=$$\nexec \"$@\"";
    romp.run_by("sh", &["-c", script, "sh", "env", &notify]);
    let old = romp.process().pid();
    systemd.wait(&["READY=1", &format!("MAINPID={old}")]);
    let mut client = Client::login(port, ADDRESS).expect("login");
    assert!(client.mine().expect("an answer").0);
    upgrade(&mut romp, 2);
    let new = romp.process().pid();
    systemd.wait(&[&format!("MAINPID={new}")]);
    systemd.wait(&["READY=1", &format!("MAINPID={new}")]);
    wait_until("the watchdog's next words", seconds(30), || {
        systemd.hear();
        systemd.heard.iter().filter(|it| it.from == new && it.has("WATCHDOG=1")).count() > 1
    });
    let named = systemd.heard.iter().position(|it| it.has(&format!("MAINPID={new}")));
    let (before, after) = systemd.heard.split_at(named.expect("heard above"));
    assert_eq!(after[0].from, old, "{:?}", after[0]);
    assert!(before.iter().all(|it| it.from == old), "{before:#?}");
    assert!(after[1..].iter().all(|it| it.from == new), "{after:#?}");
    assert!(client.mine().expect("an answer").0);

    // One that fails: the status says why.
    refused(&mut romp, "it ends", |romp| romp.install_text("#!/bin/sh\nexit 1\n"), |_| {});
    wait_until("the reason", seconds(40), || {
        systemd.hear();
        systemd.heard.iter().any(|it| {
            it.text.contains("STATUS=2 workers, 1 miners, coin fresh; binary not replaced: ")
        })
    });
    assert!(systemd.heard.iter().all(|it| [old, new].contains(&it.from)), "{:#?}", systemd.heard);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    systemd.wait(&["STOPPING=1"]);
}

/// However it was started: by a relative path, or found in `PATH`.
#[test]
fn the_binary_is_found_again() {
    let _alone = alone();
    let (_stub, port, mut romp) = prepare(1);
    let dir = romp.path().display().to_string();
    let path = format!("PATH={dir}:{}", std::env::var("PATH").unwrap_or_default());
    let relative = format!("--chdir={dir}");
    for (program, setting) in [("./romp", &relative), ("romp", &path)] {
        program.clone_into(&mut romp.program);
        romp.run_by("env", &[setting]);
        romp.wait_ready(1);
        let mut client = Client::login(port, ADDRESS).expect("login");
        let mend = |romp: &Romp| romp.install(Path::new(BINARY));
        refused(&mut romp, program, |romp| romp.install_text("#!/bin/sh\nexit 1\n"), mend);
        upgrade(&mut romp, 1);
        upgrade(&mut romp, 1);
        assert!(client.mine().expect("an answer").0);
        assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    }
}

/// The first process of a container cannot leave: the container would end with it.
#[test]
fn process_1_is_not_replaced() {
    let _alone = alone();
    let (_stub, port, mut romp) = prepare(1);
    let own = if nix::unistd::geteuid().is_root() { "--pid" } else { "--map-root-user" };
    romp.run_by("unshare", &["--pid", own, "--fork", "--kill-child", "--"]);
    wait_until("the pool", seconds(40), || romp.output().contains("ready: 1 workers"));
    let mut client = Client::login(port, ADDRESS).expect("login");
    let master = romp.children()[0];
    let children = romp.everyone().len();
    kill(master, Signal::SIGUSR2);
    wait_until("the refusal", seconds(20), || romp.output().contains("binary not replaced: "));
    wait_until("the status to know it", seconds(20), || reloaded(&romp) == (1, false));
    assert_eq!(romp.everyone().len(), children, "nobody was started");
    assert!(client.mine().expect("an answer").0);
    kill(master, Signal::SIGTERM);
    let ended = romp.process().wait("its end", seconds(30));
    assert_eq!(ended.code(), Some(0));
    assert_eq!(romp.shares("bitcoin").0, 1);
}
