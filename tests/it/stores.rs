//! Faults of what shares are kept in: a disk that takes nothing, a Redis that stops, refuses and
//! forgets, a ledger that is gone; and of what the pool writes and asks: stderr, `templates`.

use crate::harness::{
    ADDRESS, Client, Load, NOTIFY_PASSWORD, Pool, Process, Redis, Romp, Stub, alone, free_port,
    kill, romp, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const EASY: f64 = 1e-9;

/// Limits the files that a process may write, or lifts the limit.
fn limit_files(pid: i32, bytes: &str) {
    let status = Command::new("prlimit")
        .args([&format!("--fsize={bytes}:"), "--pid", &pid.to_string()])
        .status()
        .expect("prlimit");
    assert!(status.success());
}

/// Mines until a share is refused: its answer. The shares accepted before are added to `told`.
fn refused(client: &mut Client, told: &mut u64) -> Value {
    for _ in 0..200 {
        match client.mine().expect("an answer before the goodbye") {
            (true, _) => *told += 1,
            (false, answer) => return answer,
        }
    }
    panic!("shares are acknowledged without a record");
}

fn sent_away(client: &mut Client) {
    wait_until("the miner to be sent away", seconds(20), || {
        let share = client.share();
        client.send("mining.submit", &share).is_err()
            || client.pump(Duration::from_millis(50)).is_err()
    });
}

fn back(port: u16) -> Client {
    wait_for("the pool to serve again", seconds(40), || {
        let mut client = Client::login(port, ADDRESS).ok()?;
        client.mine().ok()?.0.then_some(client)
    })
}

#[test]
fn without_a_record_there_is_no_acknowledgement_and_other_pools_go_on() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (port, other_port) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let other = Pool::new("other", other_port, json!({"diff": EASY}), stub.daemons());
    let mut server = Romp::prepare(1, &[&pool, &other]);
    let coin = std::fs::read_to_string(server.path().join("coins/bitcoin.json")).unwrap();
    let coin = coin.replace("Bitcoin", "Other").replace("BTC", "OTH");
    std::fs::write(server.path().join("coins/other.json"), coin).unwrap();
    server.run();
    server.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    let mut neighbour = Client::login(other_port, ADDRESS).expect("login");
    let mut told = 0;
    assert!(client.mine().unwrap().0);
    told += 1;
    // One coin's folder is deleted, and nothing can be made in its place.
    wait_until("the share in the ledger", seconds(20), || server.shares("bitcoin").0 == told);
    let folder = server.path().join("data/journal/bitcoin");
    let aside = server.path().join("aside");
    std::fs::create_dir(&aside).unwrap();
    std::fs::copy(folder.join("unit"), aside.join("unit")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let answer = refused(&mut client, &mut told);
    assert_eq!(answer["error"][0], json!(20), "{answer}");
    assert_eq!(answer["error"][1], json!("Pool storage unavailable"), "{answer}");
    sent_away(&mut client);
    assert!(Client::login(port, ADDRESS).is_err(), "newcomers are turned away");
    assert!(neighbour.mine().expect("the other pool's answer").0, "the other pool goes on");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    let mut client = back(port);
    told += 1;
    // No room for anything: the signal that this sends must not end the worker.
    let worker = server.pids("worker")[0];
    limit_files(worker, "16");
    let answer = refused(&mut client, &mut told);
    assert_eq!(answer["error"][1], json!("Pool storage unavailable"), "{answer}");
    sent_away(&mut client);
    limit_files(worker, "unlimited");
    back(port);
    told += 1;
    assert_eq!(server.pids("worker"), [worker], "no worker has died");
    wait_until("the ledger to be what was told", seconds(30), || {
        server.shares("bitcoin").0 == told
    });
}

#[test]
fn a_disk_that_loses_what_was_written_is_not_acknowledged() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut server = Romp::prepare(1, &[&pool]);
    server.set("fsync", Some(json!(true)));
    server.run();
    server.wait_ready(1);
    let mut client = Client::login(port, ADDRESS).expect("login");
    let mut told = 0;
    assert!(client.mine().unwrap().0);
    told += 1;
    let worker = server.pids("worker")[0];
    let output = server.path().join("strace");
    let args = ["-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "-p"];
    let pid = worker.to_string();
    let mut strace = Process::start("strace", &[&args[..], &[&pid]].concat(), &output);
    wait_until("strace to attach or to fail", seconds(20), || {
        strace.ended().is_some() || strace.printed().contains("attached")
    });
    if strace.ended().is_some() {
        eprintln!("SKIPPED: strace cannot be used here: {}", strace.printed());
        return;
    }
    let answer = refused(&mut client, &mut told);
    assert_eq!(answer["error"][1], json!("Pool storage unavailable"), "{answer}");
    sent_away(&mut client);
    strace.signal(Signal::SIGINT);
    strace.wait("strace to let go", seconds(20));
    back(port);
    told += 1;
    // What was written before the disk failed may count; what was acknowledged must.
    wait_until("what was told in the ledger", seconds(30), || server.shares("bitcoin").0 >= told);
    assert_eq!(server.pids("worker"), [worker], "no worker has died");
}

/// Tells Redis something by its inline protocol; the first line of its answer.
pub(crate) fn tell(redis: &Redis, words: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", redis.port)).expect("redis");
    stream.set_read_timeout(Some(seconds(20))).unwrap();
    stream.write_all(format!("{words}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 200];
    let count = stream.read(&mut answer).expect("its answer");
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[test]
fn miners_notice_nothing_of_what_befalls_redis_and_no_share_is_lost() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let mut redis = Redis::start();
    redis.kill(); // not there when the pool starts
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons())
        .with("redis", json!({"host": "127.0.0.1", "port": redis.port}));
    let mut server = Romp::start(2, &[&pool]);
    let load = Load::start(port, 4);
    let more = |count: u64| {
        let goal = load.accepted() + count;
        wait_until("the load to go on", seconds(40), || load.accepted() >= goal);
    };
    more(100);
    redis.run();
    let booked = |server: &Romp| server.shares("bitcoin").0;
    wait_until("the tally to count", seconds(30), || booked(&server) > 0);
    assert!(server.output().contains("the tally waits"), "its absence is told");
    for fault in [
        ["CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"],
        ["REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"],
        ["SCRIPT FLUSH", "PING"],
        ["FLUSHALL", "PING"],
        [
            "SET romp:{bitcoin}:positions x",
            "DEL romp:{bitcoin}:positions romp:{bitcoin}:meta romp:{bitcoin}:round romp:{bitcoin}:minutes romp:{bitcoin}:shares",
        ],
        ["CONFIG SET appendonly no", "CLIENT KILL TYPE normal SKIPME yes"],
    ] {
        for words in fault {
            let answer = tell(&redis, words);
            assert!(answer.starts_with(['+', ':']), "{words}: {answer}");
            more(60);
        }
    }
    wait_until("the warning", seconds(20), || server.output().contains("`appendonly` is off"));
    redis.signal(Signal::SIGSTOP);
    more(150);
    redis.signal(Signal::SIGCONT);
    more(50);
    redis.kill(); // and what it was told last with it
    redis.run();
    more(50);
    let counts = load.finish();
    assert_eq!((counts.unanswered, counts.rejected.clone()), (0, Vec::new()), "miners noticed");
    let told = counts.accepted_sum();
    wait_until("the ledger to have every share", seconds(60), || booked(&server) >= told);
    assert_eq!(server.stop(Signal::SIGTERM), Some(0));
    assert_eq!(booked(&server), told);
}

#[test]
fn a_ledger_is_rebuilt_while_the_pool_runs_and_while_it_does_not() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut server = Romp::start(1, &[&pool]);
    let load = Load::start(port, 2);
    wait_until("some shares", seconds(40), || load.accepted() >= 100);
    let output = server.command(&["rebuild", "bitcoin"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && printed.contains("shares accepted"), "{output:?}");
    let told = load.finish().accepted_sum();
    wait_until("the ledger to have every share", seconds(30), || {
        server.shares("bitcoin").0 >= told
    });
    assert_eq!(server.stop(Signal::SIGTERM), Some(0));
    let before = server.shares("bitcoin");
    assert_eq!(before.0, told);
    // A file that is no database: told, and made anew from the journals.
    let path = server.path().join("data/ledger/bitcoin.sqlite");
    std::fs::write(&path, "no database, but longer than the head of one would have to be ........")
        .unwrap();
    let told = String::from_utf8_lossy(&server.command(&["shares", "bitcoin"]).stderr).into_owned();
    assert!(told.contains("romp rebuild"), "{told}");
    for _ in 0..2 {
        let output = server.command(&["rebuild", "bitcoin"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(server.shares("bitcoin"), before);
    }
    assert_eq!(server.command(&["rebuild", "nosuch"]).status.code(), Some(2));
}

#[test]
fn a_reader_of_stderr_that_stops_stops_nobody() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut server = Romp::prepare(1, &[&pool]);
    let path = server.path().join("output");
    let mut reader = full_pipe(&path);
    server.run();
    std::fs::remove_file(&path).unwrap(); // a failing test must not read it
    server.wait_ready(1);
    assert!(Client::login(port, ADDRESS).expect("login").mine().expect("an answer").0);
    // Who reads again is told what is missing.
    wait_until("the note about dropped lines", seconds(20), || {
        let mut bytes = vec![0; 1 << 17];
        let count = reader.read(&mut bytes).unwrap_or(0);
        romp(&["-C", &server.path().display().to_string(), "status"]);
        let hash = "00".repeat(32);
        let to = format!("127.0.0.1:{}", server.notify_port);
        romp(&["blocknotify", &to, "wrong", "bitcoin", &hash]);
        String::from_utf8_lossy(&bytes[..count]).contains("lines of the log were dropped")
    });
}

/// A named pipe that takes nothing more.
fn full_pipe(path: &Path) -> std::fs::File {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let open = OpenOptions::new().read(true).write(true).custom_flags(0o4000).open(path); // O_NONBLOCK
    let mut pipe = open.expect("the pipe");
    while pipe.write(&[b'.'; 4096]).is_ok() {}
    while pipe.write(b".").is_ok() {}
    pipe
}

#[test]
fn workers_fetch_by_themselves_while_templates_stands_still_or_is_dead() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons())
        .with("blockRefreshInterval", json!(60_000));
    let server = Romp::start(2, &[&pool]);
    let mut clients: Vec<Client> =
        (0..4).map(|_| Client::login(port, ADDRESS).expect("login")).collect();
    let notify = |hash: &str| {
        let to = format!("127.0.0.1:{}", server.notify_port);
        assert!(romp(&["blocknotify", &to, NOTIFY_PASSWORD, "bitcoin", hash]).status.success());
    };
    let new_block = |clients: &mut Vec<Client>| {
        let tip = stub.new_tip();
        notify(&tip);
        for client in clients {
            let before = client.job.as_ref().unwrap().previous.clone();
            wait_until("the new block's work", seconds(20), || {
                client.pump(Duration::from_millis(50)).expect("the miner stays connected");
                client.job.as_ref().unwrap().previous != before
            });
            assert!(client.mine().expect("an answer").0, "and it is good work");
        }
    };
    let templates = server.pids("templates")[0];
    kill(templates, Signal::SIGSTOP);
    new_block(&mut clients);
    let asked = |server: &Romp| {
        server.status().unwrap_or_default()["coins"]["bitcoin"]["fallbacks"].as_u64().unwrap_or(0)
    };
    wait_until("both workers to have asked", seconds(10), || asked(&server) >= 2);
    assert_eq!(server.pids("templates"), [templates], "it stands still all the while");
    kill(templates, Signal::SIGKILL);
    new_block(&mut clients);
}

#[test]
fn workers_serve_while_the_master_stands_still() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY}), stub.daemons());
    let mut server = Romp::start(2, &[&pool]);
    let load = Load::start(port, 4);
    let more = |count: u64| {
        let goal = load.accepted() + count;
        wait_until("the load to go on", seconds(40), || load.accepted() >= goal);
    };
    more(50);
    server.process().signal(Signal::SIGSTOP);
    more(300);
    assert!(Client::login(port, ADDRESS).expect("a newcomer").mine().expect("an answer").0);
    assert_eq!(server.command(&["status"]).status.code(), Some(1), "told, not waited for");
    server.process().signal(Signal::SIGCONT);
    more(50);
    let counts = load.finish();
    assert_eq!((counts.unanswered, counts.rejected), (0, Vec::new()), "miners noticed");
}
