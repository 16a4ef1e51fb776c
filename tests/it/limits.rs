//! Floods, crowds and strangers: each is refused and counted, and honest miners notice nothing.
//!
//! A PROXY header from loopback, which is trusted here, gives a connection any address.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, free_port, seconds, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

/// How often a cause was counted.
fn refused(romp: &Romp, cause: &str) -> u64 {
    romp.status().and_then(|status| status["refused"][cause].as_u64()).unwrap_or_default()
}

/// The networks that are banned.
fn banned(romp: &Romp) -> Vec<Value> {
    let listed = romp.json(&["bans", "list", "--json"]).unwrap_or_default();
    listed["bans"].as_array().cloned().unwrap_or_default()
}

fn is_banned(romp: &Romp, network: &str) -> bool {
    banned(romp).iter().any(|ban| ban["network"] == json!(network))
}

/// Whether a newcomer from there is served; the connection, if it is.
fn enter(port: u16, source: &str) -> Option<Client> {
    let mut client = Client::connect_as(port, source).ok()?;
    client.subscribe().is_ok().then_some(client)
}

fn proxied(port: u16, stub: &Stub) -> Pool {
    Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons())
        .with("tcpProxyProtocol", json!(true))
}

/// Starts with these `limits`.
fn start(workers: u16, pool: &Pool, limits: Value) -> Romp {
    let mut romp = Romp::prepare(workers, &[pool]);
    romp.set("limits", Some(limits));
    romp.run();
    romp.wait_ready(usize::from(workers));
    romp
}

/// NOMP A12, reliability F59: over all workers, by what one customer has.
#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = proxied(port, &stub);
    let limits = json!({
        "connectionsPerAddress": 8, "connectionsPerSite": 12, "connectsPerSecond": 3,
        "allow": ["198.51.100.99"],
    });
    let romp = start(3, &pool, limits);
    let mut crowd: Vec<Client> = (0..20).filter_map(|_| enter(port, "198.51.100.1")).collect();
    assert_eq!(crowd.len(), 8);
    assert!(refused(&romp, "too-many-connections") >= 12);
    assert!(enter(port, "198.51.100.2").is_some(), "others are served");
    let allowed: Vec<Client> = (0..20).filter_map(|_| enter(port, "198.51.100.99")).collect();
    assert_eq!(allowed.len(), 20, "who is allowed has no limit");
    let count = |site: u8| {
        let from = |host: u8| format!("2001:db8:1:{site}::{host}");
        (1..=20).filter_map(|host| enter(port, &from(host))).collect::<Vec<_>>()
    };
    let (one, other) = (count(1), count(2));
    assert_eq!((one.len(), other.len()), (8, 4), "by /64, and by /48");
    // A place that is left is free; a dead worker's places are, too.
    crowd.pop();
    wait_for("the place that was left", seconds(20), || enter(port, "198.51.100.1"))
        .is_ended(seconds(0));
    let busiest = romp.miners().into_iter().max_by_key(|(_, miners)| *miners).unwrap().0;
    crate::harness::kill(busiest, Signal::SIGKILL);
    // Eight have come within ten seconds, and thirty may: many short visits exceed that.
    wait_until("the rate of newcomers to be too high", seconds(30), || {
        let _visit = enter(port, "198.51.100.3");
        refused(&romp, "connect-rate") > 0
    });
}

/// An account has so many connections, wherever they come from.
#[test]
fn an_account_has_so_many_connections_and_no_more() {
    const OTHER: &str = "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc";
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = proxied(port, &stub);
    let limits = json!({"connectionsPerAccount": 3, "allow": ["203.0.113.99"]});
    let mut romp = start(2, &pool, limits);
    let (mut next, mut all) = (0, Vec::new());
    let mut login = |name: &str| {
        next += 1;
        let source = format!("10.0.{}.{}", next / 256, next % 256);
        Client::connect_as(port, &source).unwrap().logged_in(name)
    };
    all.extend((0..3).map(|rig| login(&format!("{ADDRESS}.{rig}")).unwrap()));
    let told = login(ADDRESS).unwrap_err().to_string();
    assert!(told.contains("3 connections mine for"), "{told}");
    assert_eq!(refused(&romp, "too-many-of-account"), 1);
    // Others are served; two rigs of one connection are one connection; some have no limit.
    assert!(login(OTHER).unwrap().mine().unwrap().0);
    let answer = all[0].request("mining.authorize", &json!([format!("{ADDRESS}.x"), ""])).unwrap();
    assert_eq!(answer["result"], json!(true), "{answer}");
    let mut allowed = Client::connect_as(port, "203.0.113.99").unwrap().logged_in(ADDRESS).unwrap();
    assert!(allowed.mine().unwrap().0);
    // Who leaves makes room.
    all.pop();
    wait_until("the place that was left", seconds(20), || {
        login(ADDRESS).is_ok_and(|client| {
            all.push(client);
            true
        })
    });
    assert!(login(ADDRESS).is_err());
    for pid in romp.pids("worker") {
        crate::harness::kill(pid, Signal::SIGKILL);
    }
    // Those of dead workers go on with others, and count there.
    wait_until("new workers", seconds(30), || romp.pids("worker").len() == 2);
    wait_until("the places to be taken", seconds(30), || login(ADDRESS).is_err());
    drop(all);
    let mut again: Vec<Client> = Vec::new();
    wait_until("all places to be free", seconds(30), || {
        again.extend(login(ADDRESS));
        again.len() == 3
    });
    assert!(login(ADDRESS).is_err());
    let limits = json!({"connectionsPerAccount": 4, "allow": ["203.0.113.99"]});
    romp.set("limits", Some(limits));
    crate::harness::kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("the higher limit", seconds(20), || {
        again.extend(login(ADDRESS));
        again.len() == 4
    });
    assert!(login(ADDRESS).is_err());
}

/// NOMP A11, reliability S10, S11.
#[test]
fn only_trusted_proxies_are_believed() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = proxied(port, &stub);
    let mut romp = Romp::prepare(2, &[&pool]);
    romp.set("trustedProxies", Some(json!(["127.0.0.9"])));
    romp.set("limits", Some(json!({"proxyHeaderTimeout": 1})));
    romp.run();
    romp.wait_ready(2);
    assert!(romp.command(&["bans", "add", "203.0.113.7"]).status.success());
    // What the pool says to these pieces, from a trusted address.
    let said = |pieces: &[&[u8]]| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
        socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(seconds(20))).unwrap();
        for piece in pieces {
            let _ = stream.write_all(piece);
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        let mut said = vec![0; 4096];
        let length = stream.read(&mut said).unwrap_or(0);
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    let ask: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";
    let v2 = |address: [u8; 4]| {
        let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
        [&signature[..], &address, &[127, 0, 0, 1, 1, 1, 2, 2]].concat()
    };
    let served = "\"mining.notify\"";
    assert!(said(&[b"PROXY TCP4 192.0.2.1 127.0.0.1 5 6\r\n", ask]).contains(served));
    assert!(said(&[b"PROXY UNK", b"NOWN\r", b"\n", ask]).contains(served), "in pieces");
    let whole = v2([192, 0, 2, 1]);
    assert!(said(&[&whole[..7], &whole[7..20], &whole[20..], ask]).contains(served));
    assert!(said(&[&[&whole[..], ask].concat()]).contains(served), "in one piece");
    assert!(said(&[b"PROXY TCP4 203.0.113.7 127.0.0.1 5 6\r\n", ask]).contains("banned"));
    assert!(said(&[&v2([203, 0, 113, 7]), ask]).contains("banned"));
    assert_eq!(said(&[ask]), "", "no header");
    assert_eq!(said(&[b"PROXY TCP4 nonsense\r\n"]), "");
    assert_eq!(said(&[b"PROXY TCP4 192.0.2.1"]), "", "in time");
    assert_eq!(refused(&romp, "proxy-header"), 3);
    assert_eq!(refused(&romp, "banned"), 2);
    // Anybody else: closed, and it changes no address.
    let mut liar = Client::connect_as(port, "203.0.113.7").unwrap();
    assert!(liar.is_ended(seconds(20)));
    let mut liar = Client::connect(port).unwrap();
    liar.send_raw(&v2([203, 0, 113, 7])).unwrap();
    assert!(liar.is_ended(seconds(20)));
    assert_eq!((refused(&romp, "proxy-header"), refused(&romp, "banned")), (5, 2));
    assert!(Client::connect(port).unwrap().subscribe().is_ok(), "others need no header");
}

/// Reliability F58: a farm behind one address is back at once when its worker has died, and the
/// old work that its rigs still send is nothing to be banned for.
#[test]
fn a_farm_is_back_at_once() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = proxied(port, &stub).with("banning", json!({"enabled": true}));
    let romp = Romp::start(2, &[&pool]);
    let farm: Vec<Client> = (0..256).filter_map(|_| enter(port, "198.51.100.1")).collect();
    assert_eq!(farm.len(), 256);
    assert!(enter(port, "198.51.100.1").is_none(), "one more than may be here");
    let (dead, lost) = romp.miners().into_iter().max_by_key(|(_, miners)| *miners).unwrap();
    crate::harness::kill(dead, Signal::SIGKILL);
    wait_until("another worker", seconds(30), || {
        let pids = romp.pids("worker");
        pids.len() == 2 && !pids.contains(&dead)
    });
    let mut back: Vec<Client> =
        (0..lost).map(|_| enter(port, "198.51.100.1").expect("everybody is back")).collect();
    let old = json!([ADDRESS, "00ffffff", "00000001", "53724dff", "00000000"]);
    for rig in &mut back {
        rig.request("mining.authorize", &json!([ADDRESS, ""])).unwrap();
        let answer = rig.request("mining.submit", &old).unwrap();
        assert_eq!(answer["error"][0], json!(21), "{answer}");
    }
    assert_eq!((refused(&romp, "connect-rate"), banned(&romp).len()), (0, 0));
}

/// Sends shares of a kind until the connection ends.
fn misbehave(client: &mut Client, share: impl Fn(u32) -> Value) {
    for number in 0..5000 {
        if client.request("mining.submit", &share(number)).is_err() {
            return;
        }
    }
    panic!("5000 bad shares, and nothing happened");
}

fn login(port: u16, source: &str) -> Client {
    let client = Client::connect_as(port, source).expect("a connection");
    client.logged_in(ADDRESS).unwrap_or_else(|error| panic!("{source}: {error}"))
}

/// A share whose time is far off: bad whatever its hash is.
fn bad_share(client: &Client) -> impl Fn(u32) -> Value + use<> {
    let job = client.job.as_ref().expect("work").id.clone();
    move |number| json!([ADDRESS, job, "00000001", "00000000", format!("{number:08x}")])
}

/// NOMP A10, reliability M19, M29, M39.
#[test]
fn bans_hit_who_does_harm_and_nobody_else() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool =
        proxied(port, &stub).with("banning", json!({"enabled": true, "time": 3600, "burst": 20}));
    let mut romp = start(2, &pool, json!({"refusedBurst": 200, "connectsPerSecond": 0}));

    // Good miners on both workers of one address, a broken one beside them.
    let mut good: Vec<Client> = (0..4).map(|_| login(port, "198.51.100.20")).collect();
    good.iter_mut().for_each(|miner| assert!(miner.mine().unwrap().0));
    let mut broken = login(port, "198.51.100.20");
    let share = bad_share(&broken);
    misbehave(&mut broken, share);

    // A farm that has just come: the broken one is faster than the first share of the others.
    let mut young = login(port, "198.51.100.40");
    let mut broken_too = login(port, "198.51.100.40");
    let share = bad_share(&broken_too);
    misbehave(&mut broken_too, share);

    // One who does only harm.
    let mut harm = login(port, "198.51.100.10");
    let share = bad_share(&harm);
    misbehave(&mut harm, share);
    wait_until("the ban", seconds(20), || is_banned(&romp, "198.51.100.10/32"));
    wait_until("the ban at every worker", seconds(20), || {
        (0..10).all(|_| enter(port, "198.51.100.10").is_none())
    });
    assert!(enter(port, "198.51.100.11").is_some());

    // Late work and unknown jobs cost the connection in the end, never a ban.
    let mut late = login(port, "198.51.100.30");
    misbehave(&mut late, |number| {
        json!([ADDRESS, "00ffffff", "00000001", "53724dff", format!("{number:08x}")])
    });
    assert!(refused(&romp, "refused-rate") >= 1);

    // By now the charge against the first address would have become a ban.
    assert!(!is_banned(&romp, "198.51.100.20/32"), "{:?}", banned(&romp));
    assert!(!is_banned(&romp, "198.51.100.30/32"));
    assert!(!is_banned(&romp, "198.51.100.40/32"));
    assert!(young.mine().unwrap().0, "a newcomer was hit");
    good.iter_mut().for_each(|miner| assert!(miner.mine().unwrap().0, "a good miner was hit"));

    // By hand: connections end at once, in all workers.
    let mut visitors: Vec<Client> = (0..4).map(|_| login(port, "203.0.113.5")).collect();
    let args = ["bans", "add", "203.0.113.0/24", "--for", "1h", "--reason", "a test"];
    assert!(romp.command(&args).status.success());
    assert!(visitors.iter_mut().all(|visitor| visitor.is_ended(seconds(20))));
    for (args, code) in [
        (&["bans", "add", "127.0.0.1"][..], 1),
        (&["bans", "add", "0.0.0.0/0"], 1),
        (&["bans", "add", "203.0.113.7/24"], 2),
        (&["bans", "add", "example.com"], 2),
        (&["bans", "remove", "203.0.113.5"], 1),
        (&["bans", "frob"], 2),
    ] {
        let output = romp.command(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?} says why");
    }

    // Over a dead worker and a restart.
    romp.kill_child("worker");
    wait_until("the new worker to know", seconds(20), || {
        (0..10).all(|_| enter(port, "198.51.100.10").is_none())
    });
    drop((good, broken, visitors, late));
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
    assert_eq!(romp.command(&["bans"]).status.code(), Some(3), "not running");
    romp.run();
    romp.wait_ready(2);
    assert_eq!(banned(&romp).len(), 2, "{:?}", banned(&romp));
    assert!(enter(port, "203.0.113.9").is_none());
    assert!(romp.command(&["bans", "remove", "203.0.113.0/24"]).status.success());
    wait_until("the lifted ban to be gone", seconds(20), || enter(port, "203.0.113.9").is_some());
}

/// A lone worker asks nobody else whether an address has good miners.
#[test]
fn a_lone_worker_vouches_for_its_own() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = proxied(port, &stub).with("banning", json!({"enabled": true, "burst": 20}));
    let romp = start(1, &pool, json!({}));
    let mut good = login(port, "198.51.100.1");
    assert!(good.mine().unwrap().0);
    let harm = |source| {
        let mut client = login(port, source);
        let share = bad_share(&client);
        misbehave(&mut client, share);
    };
    harm("198.51.100.1");
    harm("198.51.100.2");
    wait_until("the later one's ban", seconds(20), || is_banned(&romp, "198.51.100.2/32"));
    assert!(!is_banned(&romp, "198.51.100.1/32") && good.mine().unwrap().0);
}

/// Reliability F56, S1, S2, S3, S9, M13.
#[test]
fn floods_and_silence_are_ended_and_counted() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons());
    let limits = json!({
        "firstByteTimeout": 1, "subscribeTimeout": 2, "authorizeTimeout": 3,
        "lineBeforeAuthorize": 2000, "submitsPerSecond": 1, "submitsBurst": 30,
    });
    let romp = start(1, &pool, limits);
    let mut honest = Client::login(port, ADDRESS).unwrap();
    let connect = || Client::connect(port).unwrap();
    let subscribe = b"{\"id\":1,\"method\":\"mining.subscribe\"}\n";
    let authorize = b"{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8\",\"\"]}\n";
    let cases: [(&str, Vec<u8>); 9] = [
        ("silent", Vec::new()),
        ("not-subscribed", b"{".to_vec()),
        ("not-authorized", subscribe.to_vec()),
        ("line-too-long", vec![b'x'; 2500]),
        ("bad-lines", b"one\ntwo\nthree\n".to_vec()),
        ("http", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("tls", vec![0x16, 3, 1, 0, 0xa5, 1, 0, 0]),
        ("request-rate", subscribe.repeat(400)),
        ("request-rate", authorize.repeat(120)),
    ];
    let mut open: Vec<(&str, Client)> = Vec::new();
    for (cause, bytes) in cases {
        let mut client = connect();
        client.send_raw(&bytes).unwrap();
        open.push((cause, client));
    }
    for (cause, client) in &mut open {
        assert!(client.is_ended(seconds(20)), "{cause}: still open");
    }
    for (cause, count) in
        [("silent", 1), ("not-subscribed", 1), ("not-authorized", 1), ("line-too-long", 1)]
            .into_iter()
            .chain([("bad-lines", 1), ("http", 1), ("tls", 1), ("request-rate", 2)])
    {
        assert_eq!(refused(&romp, cause), count, "{cause}: {:?}", romp.status());
    }
    assert!(honest.mine().unwrap().0, "the honest miner was hit");
    let mut eager = Client::login(port, ADDRESS).unwrap();
    while eager.mine().is_ok() {}
    assert_eq!(refused(&romp, "submit-rate"), 1);
}

/// Reliability F54, M12: no more open files: newcomers wait, miners do not notice. And an address
/// has so many rigs.
#[test]
fn without_open_files_newcomers_wait_and_miners_go_on() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons());
    let romp = start(1, &pool, json!({"rigsPerAddress": 2}));
    let mut miners: Vec<Client> = ["a", "b", "c", "d"]
        .iter()
        .map(|rig| Client::login(port, &format!("{ADDRESS}.{rig}")).unwrap())
        .collect();
    // The journal is open from the first share on.
    miners.iter_mut().for_each(|miner| assert!(miner.mine().unwrap().0));
    let pid = romp.pids("worker")[0].to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--nofile=128:128"]).status();
    assert!(limited.expect("prlimit").success());
    let mut crowd: Vec<TcpStream> = Vec::new();
    wait_until("the open files to be used up", seconds(30), || {
        crowd.extend((0..20).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()));
        refused(&romp, "descriptors") > 0
    });
    for miner in &mut miners {
        let (accepted, answer) = miner.mine().unwrap();
        assert!(accepted, "{answer}");
    }
    drop(crowd);
    wait_until("newcomers to be served again", seconds(30), || {
        Client::connect(port).is_ok_and(|mut client| client.subscribe().is_ok())
    });
    assert!(romp.output().contains("raise the limit of open files"));
    wait_until("the ledger to have the shared name", seconds(30), || {
        let (_, _, names) = romp.shares("bitcoin");
        names.len() == 3 && names.contains_key(&format!("{ADDRESS}._other"))
    });
}
