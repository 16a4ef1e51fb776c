//! Bans in the kernel: who is banned cannot even connect; and whatever becomes of nft(8), workers
//! ban.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, in_own_network, kill, seconds, system,
    wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Bit of CAP_NET_ADMIN.
const NET_ADMIN: u64 = 1 << 12;

/// The table as the kernel has it; empty: there is none.
fn table() -> String {
    let listed = system("nft").args(["list", "table", "inet", "romp"]).output();
    String::from_utf8_lossy(&listed.expect("nft (nftables)").stdout).into_owned()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A newcomer from there; an error of the kind `TimedOut`: nothing of it came through.
fn visit(source: &str, port: u16) -> std::io::Result<Client> {
    let source = ip(source);
    let pool = if source.is_ipv4() { ip("192.0.2.1") } else { ip("2001:db8:1:2::1") };
    let mut client =
        Client::connect_between(source, SocketAddr::new(pool, port), Duration::from_millis(500))?;
    client.subscribe().map(|()| client)
}

fn is_dropped(source: &str, port: u16) -> bool {
    visit(source, port).is_err_and(|error| error.kind() == ErrorKind::TimedOut)
}

fn is_served(source: &str, port: u16) -> bool {
    visit(source, port).is_ok()
}

/// Connections of a port whose other side has yet to say its last word: FIN_WAIT1 and FIN_WAIT2.
fn half_closed(port: u16) -> usize {
    let all = std::fs::read_to_string("/proc/net/tcp6").expect("a list of connections");
    let own = format!(":{port:04X}");
    let is_waiting = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&own) && ["04", "05"].contains(&fields[3])
    };
    all.lines().skip(1).filter(is_waiting).count()
}

fn ban(romp: &Romp, args: &[&str]) {
    let output = romp.command(&[&["bans"], args].concat());
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Sets of capabilities of a process: effective, permitted and ambient.
fn capabilities(pid: i32) -> Vec<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let sets = ["CapEff:", "CapPrm:", "CapAmb:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("capabilities");
        u64::from_str_radix(line.trim(), 16).expect("hex")
    });
    sets.to_vec()
}

#[test]
fn the_banned_cannot_even_connect() {
    let _alone = alone();
    if !in_own_network("nftables::the_banned_cannot_even_connect") {
        return;
    }
    let stub = Stub::start(&["segwit"]);
    let (port, unbanned) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons())
        .with("banning", json!({"enabled": true, "time": 3600, "burst": 20}));
    let mut romp = Romp::prepare(2, &[&pool]);
    romp.set("stratumBind", Some(json!("::")));
    romp.set("limits", Some(json!({"allow": ["192.0.2.20"], "connectsPerSecond": 0})));
    romp.set("nftables", Some(json!({"enabled": true})));
    // As an ordinary user, where there is one to become.
    let has_users = std::fs::read_to_string("/proc/self/uid_map").expect("uid_map");
    let has_users = has_users.split_whitespace().nth(2) == Some("4294967295");
    if has_users {
        romp.set("user", Some(json!("nobody")));
        std::fs::set_permissions(romp.path(), Permissions::from_mode(0o755)).expect("mode");
    }
    romp.run();
    romp.wait_ready(2);
    wait_until("the table", seconds(20), || table().contains(&port.to_string()));

    // By hand: who is here is shown out, and does not get in any more.
    let mut here = visit("192.0.2.5", port).expect("served");
    ban(&romp, &["add", "192.0.2.5", "--for", "1h"]);
    assert!(here.is_ended(seconds(20)), "workers end it, and the kernel lets it end");
    wait_until("the ban in the kernel", seconds(20), || is_dropped("192.0.2.5", port));
    assert!(is_served("192.0.2.6", port), "a neighbour");
    drop(here);
    wait_until("the last bytes of who was here", seconds(20), || half_closed(port) == 0);
    assert!(table().contains("192.0.2.5 timeout 1h"), "{}", table());
    // Nothing but the pool's ports is closed to it.
    let _other = std::net::TcpListener::bind(("::", unbanned)).expect("a port");
    let other = SocketAddr::new(ip("192.0.2.1"), unbanned);
    assert!(Client::connect_between(ip("192.0.2.5"), other, seconds(5)).is_ok());
    ban(&romp, &["remove", "192.0.2.5"]);
    wait_until("the lifted ban", seconds(20), || is_served("192.0.2.5", port));

    // By workers, for what it sends. An IPv6 address brings its /64 with it.
    for (source, element) in [("192.0.2.8", "192.0.2.8 "), ("2001:db8:1:2::1", "2001:db8:1:2:: ")] {
        let mut harm = visit(source, port).expect("served").logged_in(ADDRESS).expect("login");
        let job = harm.job.as_ref().expect("work").id.clone();
        let bad = |nonce| json!([ADDRESS, job, "00000001", "00000000", format!("{nonce:08x}")]);
        while (0..500_u32).all(|nonce| harm.request("mining.submit", &bad(nonce)).is_ok()) {}
        wait_until("the worker's ban", seconds(20), || is_dropped(source, port));
        assert!(table().contains(&format!("{element}timeout 1h")), "{}", table());
    }

    // Networks, one in the other; who is allowed is never hit.
    ban(&romp, &["add", "192.0.2.16/30"]);
    ban(&romp, &["add", "192.0.2.16/28"]);
    wait_until("the wide ban", seconds(20), || is_dropped("192.0.2.21", port));
    assert!(is_dropped("192.0.2.17", port) && is_served("192.0.2.20", port));
    ban(&romp, &["remove", "192.0.2.16/28"]);
    wait_until("the lifted wide ban", seconds(20), || is_served("192.0.2.21", port));
    assert!(is_dropped("192.0.2.17", port), "the inner one stays");
    let said = String::from_utf8_lossy(&romp.command(&["bans"]).stdout).into_owned();
    assert!(said.contains("table inet romp"), "{said}");

    // No child could change this, and the master only this.
    if has_users {
        assert_eq!(capabilities(romp.process().pid()), [NET_ADMIN; 3]);
    }
    for child in romp.children() {
        assert!(capabilities(child).iter().all(|set| set & NET_ADMIN == 0), "{child}");
    }

    // Over a stop: bans hold, and are told again. By a reload: off.
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert!(table().contains("192.0.2.8 timeout 1h"), "{}", table());
    let emptied = system("nft").args(["delete", "table", "inet", "romp"]).status();
    assert!(emptied.expect("nft").success());
    if has_users {
        // An ordinary user reads the configuration again.
        let own = format!("chown -R nobody {}", romp.path().display());
        assert!(system("sh").args(["-c", &own]).status().expect("chown").success());
    }
    romp.run();
    romp.wait_ready(2);
    wait_until("the table of before", seconds(20), || is_dropped("192.0.2.8", port));
    assert!(is_dropped("192.0.2.17", port) && is_served("192.0.2.21", port));
    romp.set("nftables", None);
    if has_users {
        let own = format!("chown nobody {}/config.json", romp.path().display());
        assert!(system("sh").args(["-c", &own]).status().expect("chown").success());
    }
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("no table", seconds(20), || table().is_empty());
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// Writes a program that does this in the place of nft.
fn program(path: &Path, does: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, format!("#!/bin/sh\n{does}\n")).expect("written");
    std::fs::set_permissions(&new, Permissions::from_mode(0o755)).expect("mode");
    std::fs::rename(new, path).expect("in place");
}

fn waits(romp: &Romp) -> String {
    let status = romp.status().unwrap_or_default();
    status["waits"]["nftables"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn whatever_becomes_of_nft_workers_ban() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons())
        .with("tcpProxyProtocol", json!(true));
    let mut romp = Romp::prepare(1, &[&pool]);
    let path = romp.path().join("nft");
    let set = |romp: &mut Romp, more: Value| {
        let mut settings = json!({"enabled": true, "program": path});
        for (key, value) in more.as_object().expect("an object") {
            settings[key] = value.clone();
        }
        romp.set("nftables", Some(settings));
    };
    let reload = |romp: &mut Romp| kill(romp.process().pid(), Signal::SIGHUP);
    set(&mut romp, json!({}));
    romp.run();
    romp.wait_ready(1);
    wait_until("the missing program", seconds(20), || waits(&romp).contains("cannot run"));
    ban(&romp, &["add", "192.0.2.5", "--for", "1h"]);
    let is_banned = || {
        let mut client = Client::connect_as(port, "192.0.2.5").expect("connected");
        client.subscribe().is_err()
    };
    wait_until("the ban", seconds(20), is_banned);

    // It fails: in its own words. Control characters are not for the terminal.
    program(&path, "printf 'no \\033[31mway\\nmore\\n' >&2; exit 3");
    reload(&mut romp);
    wait_until("its words", seconds(20), || waits(&romp) == "no \\u{1b}[31mway");
    program(&path, "echo 'Operation not permitted (you must be root)' >&2; exit 1");
    reload(&mut romp);
    wait_until("advice", seconds(20), || waits(&romp).contains("CAP_NET_ADMIN"));
    program(&path, "kill -SEGV $$");
    reload(&mut romp);
    wait_until("its death", seconds(20), || waits(&romp).contains("SIGSEGV"));

    // It hangs: the pool works on, and kills it.
    program(&path, "exec sleep 1000");
    reload(&mut romp);
    wait_until("its end", seconds(30), || waits(&romp).contains("took longer"));
    assert!(is_banned());

    // It works: told once, from the beginning of its input.
    let told = romp.path().join("told");
    program(&path, &format!("echo \"$@\" > {0}; cat >> {0}", told.display()));
    reload(&mut romp);
    wait_until("the trouble to be over", seconds(20), || waits(&romp).is_empty());
    // A reload forgets troubles before the program has told whether it is well.
    let read = || std::fs::read_to_string(&told).unwrap_or_default();
    wait_until("the ban", seconds(20), || read().contains("hosts4 { 192.0.2.5 timeout 3"));
    assert!(read().starts_with("-f -\nadd table inet romp\n"), "{}", read());
    let is_told = |what: &str| {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        text.contains(what) && !text.contains("add table")
    };
    ban(&romp, &["remove", "192.0.2.5"]);
    wait_until("the change alone", seconds(20), || is_told("delete element inet romp hosts4"));

    // A dry run: the table that was made is gone, then only checks.
    set(&mut romp, json!({"dryRun": true}));
    reload(&mut romp);
    wait_until("the dry run", seconds(20), || romp.output().contains("is sound, bans in it: 0"));
    assert!(romp.output().contains("table inet romp is gone"), "{}", romp.output());
    ban(&romp, &["add", "192.0.2.9"]);
    wait_until("what would be", seconds(20), || {
        romp.output().contains("192.0.2.9/32 would be dropped until the ban is lifted")
    });
    wait_until("the check", seconds(20), || {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        text.starts_with("--check -f -\nadd table") && text.contains("{ 192.0.2.9 }")
    });
    let said = String::from_utf8_lossy(&romp.command(&["bans"]).stdout).into_owned();
    assert!(said.contains("a dry run"), "{said}");
    assert_eq!(romp.output().matches("tried again every 30 s").count(), 5, "once a trouble");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
