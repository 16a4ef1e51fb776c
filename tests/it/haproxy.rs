//! A real HAProxy in front: limits and bans are about the miner's address, not about the proxy's.

use crate::harness::{
    ADDRESS, Client, Pool, Process, Romp, Stub, alone, certificate, free_port, in_own_network,
    seconds, through_tls, tls_over, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A connection from there to a port of this machine that is not loopback's.
fn connect(source: &str, port: u16) -> Client {
    let source = ip(source);
    let to = if source.is_ipv4() { ip("192.0.2.1") } else { ip("2001:db8:1:2::1") };
    Client::connect_between(source, SocketAddr::new(to, port), seconds(5)).expect("connected")
}

fn login(source: &str, port: u16) -> std::io::Result<Client> {
    connect(source, port).logged_in(ADDRESS)
}

/// What a newcomer reads who says nothing.
fn told(client: &Client) -> String {
    let mut stream = client.stream();
    stream.set_read_timeout(Some(seconds(20))).expect("a deadline");
    let mut told = String::new();
    let _ = stream.read_to_string(&mut told);
    told
}

#[test]
fn behind_haproxy_everything_is_about_the_miner() {
    let _alone = alone();
    if !in_own_network("haproxy::behind_haproxy_everything_is_about_the_miner") {
        return;
    }
    let stub = Stub::start(&["segwit"]);
    let (plain, secret) = (free_port(), free_port());
    let (v1, v2, v2_tls) = (free_port(), free_port(), free_port());
    let ports = json!({
        plain.to_string(): {"diff": 1e-6},
        secret.to_string(): {"diff": 1e-6, "tls": "only"},
    });
    let pool = Pool::new("bitcoin", plain, json!({}), stub.daemons())
        .with("ports", ports)
        .with("tcpProxyProtocol", json!(true))
        .with("banning", json!({"enabled": true, "time": 3600, "burst": 20}));
    let mut romp = Romp::prepare(2, &[&pool]);
    let (cert, _) = certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.set("limits", Some(json!({"connectionsPerAddress": 4, "connectsPerSecond": 0})));
    romp.run();
    romp.wait_ready(2);
    // Health checks connect again and again, as nobody (LOCAL, UNKNOWN).
    let listen = |port: u16, to: u16, how: &str| {
        format!(
            "listen to{port}\n  bind 192.0.2.1:{port}\n  bind [2001:db8:1:2::1]:{port}\n  \
             server romp 127.0.0.1:{to} {how} check inter 100ms\n"
        )
    };
    let config = [
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n",
        &listen(v1, plain, "send-proxy"),
        &listen(v2, plain, "send-proxy-v2"),
        &listen(v2_tls, secret, "send-proxy-v2"),
    ]
    .concat();
    let file = romp.path().join("haproxy.cfg");
    std::fs::write(&file, config).expect("written");
    let args = ["-db", "-f", &file.display().to_string()];
    let mut haproxy = Process::start("haproxy", &args, &romp.path().join("haproxy.log"));
    wait_until("HAProxy", seconds(20), || {
        assert!(haproxy.ended().is_none(), "HAProxy has ended");
        let address = SocketAddr::new(ip("192.0.2.1"), v2_tls);
        Client::connect_between(ip("192.0.2.1"), address, seconds(1)).is_ok()
    });

    // Both versions, both families, and TLS from the miner to the pool.
    let mut good = login("192.0.2.5", v2).expect("login");
    for client in [&mut good, &mut login("192.0.2.4", v1).expect("login")] {
        assert!(client.mine().expect("an answer").0);
    }
    assert!(login("2001:db8:1:2::1", v2).expect("login").mine().expect("an answer").0);
    let far = connect("192.0.2.3", v2_tls).stream().try_clone().expect("a handle");
    let far = tls_over(far, &cert).expect("TLS through HAProxy");
    let mut hidden = Client::login(through_tls(far), ADDRESS).expect("login over TLS");
    assert!(hidden.mine().expect("an answer").0);

    // So many connections of an address.
    let crowd: Vec<Client> = (0..4).map(|_| login("192.0.2.6", v2).expect("login")).collect();
    assert!(told(&connect("192.0.2.6", v2)).contains("too many connections from your address"));
    assert!(login("192.0.2.7", v2).is_ok(), "another");
    drop(crowd);

    // A ban of who does harm, alone.
    let mut harm = login("192.0.2.8", v2).expect("login");
    let job = harm.job.as_ref().expect("work").id.clone();
    let bad = |nonce| json!([ADDRESS, job, "00000001", "00000000", format!("{nonce:08x}")]);
    while (0..500_u32).all(|nonce| harm.request("mining.submit", &bad(nonce)).is_ok()) {}
    let banned = || {
        let listed = romp.json(&["bans", "list", "--json"]).unwrap_or_default();
        let bans = listed["bans"].as_array().cloned().unwrap_or_default();
        bans.iter().map(|ban| ban["network"].clone()).collect::<Vec<_>>()
    };
    wait_until("the ban", seconds(20), || banned() == [json!("192.0.2.8/32")]);
    wait_until("the ban to be everywhere", seconds(20), || {
        (0..10).all(|_| told(&connect("192.0.2.8", v2)).contains("banned"))
    });
    // By hand, through TLS: it ends who is here.
    assert!(romp.command(&["bans", "add", "192.0.2.3"]).status.success());
    assert!(hidden.is_ended(seconds(20)));
    assert!(good.mine().expect("an answer").0, "the others mine on");

    // Nobody can say past the proxy who he is.
    let mut liar = connect("192.0.2.9", plain);
    let header = format!("PROXY TCP4 192.0.2.99 192.0.2.1 40000 {plain}\r\n");
    liar.stream().write_all(header.as_bytes()).expect("sent");
    assert!(liar.is_ended(seconds(20)));
    let status = romp.status().expect("a status");
    assert_eq!(status["refused"]["proxy-header"], json!(1), "the liar, no health check: {status}");
    assert!(status["refused"]["silent"].is_null(), "{status}");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
