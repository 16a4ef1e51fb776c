//! TLS for miners: OpenSSL's client and one of rustls, beside plain miners on one port.

use crate::harness::{
    ADDRESS, BINARY, Client, Pool, Process, Romp, Stub, alone, certificate, free_port, kill,
    miner_counts, seconds, through_tls, tls, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const EASY: f64 = 1e-9;

/// A miner over TLS.
fn login(port: u16, cert: &str) -> Client {
    let far = tls(port, cert).expect("TLS with that certificate");
    Client::login(through_tls(far), ADDRESS).expect("login over TLS")
}

#[test]
fn miners_speak_tls_and_plain_on_one_port() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (both, only) = (free_port(), free_port());
    let ports = json!({
        both.to_string(): {"diff": EASY, "tls": true},
        only.to_string(): {"diff": EASY, "tls": "only"},
    });
    let pool = Pool::new("bitcoin", both, json!({"diff": EASY}), stub.daemons());
    let pool = pool.with("ports", ports);
    let mut romp = Romp::prepare(1, &[&pool]);
    let (first, _) = certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.run();
    romp.wait_ready(1);

    // OpenSSL's own client, on either port.
    for port in [both, only] {
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_quiet", "-verify_return_error", "-CAfile"])
            .arg(romp.path().join("cert.pem"))
            .args(["-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut to = openssl.stdin.take().expect("piped");
        to.write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").expect("sent");
        let authorize = json!({"id": 2, "method": "mining.authorize", "params": [ADDRESS, ""]});
        to.write_all(format!("{authorize}\n").as_bytes()).expect("sent");
        let mut lines = BufReader::new(openssl.stdout.take().expect("piped")).lines();
        let mut heard = || lines.next().expect("open").expect("a line");
        while !heard().contains("mining.notify\",\"params\"") {}
        let _ = openssl.kill();
        let _ = openssl.wait();
    }

    // Shares through a TLS library of the client's own, and plain ones beside it.
    let mut secret = login(both, &first);
    let mut alone = login(only, &first);
    let mut plain = Client::login(both, ADDRESS).expect("login");
    for _ in 0..20 {
        for client in [&mut secret, &mut alone, &mut plain] {
            assert!(client.mine().expect("an answer").0);
        }
    }
    wait_until("60 shares in the ledger", seconds(20), || romp.shares("bitcoin").0 == 60);

    // Plain words where only TLS is spoken are answered in plain words.
    let mut lost = TcpStream::connect(("127.0.0.1", only)).expect("connected");
    lost.set_read_timeout(Some(seconds(20))).expect("a deadline");
    lost.write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").expect("sent");
    let mut told = String::new();
    let _ = lost.read_to_string(&mut told);
    assert!(told.contains("client.show_message") && told.contains("TLS"), "{told}");

    // A new certificate is for those who come; who is here stays.
    let (second, _) = certificate(romp.path());
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_for("the new certificate", seconds(20), || tls(both, &second));
    wait_until("the old one to be gone", seconds(20), || tls(both, &first).is_none());
    // Its secrets cannot move: it stays with the old worker, for some more seconds.
    assert!(secret.mine().expect("an answer").0, "the old connection");
    assert!(plain.mine().expect("an answer").0, "has moved");

    // One that is none changes nothing.
    std::fs::write(romp.path().join("key.pem"), "no key").expect("written");
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("the refusal", seconds(20), || romp.output().contains("configuration not changed"));
    assert!(romp.output().contains("key.pem"), "{}", romp.output());
    assert!(tls(both, &second).is_some() && secret.mine().expect("an answer").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// Half a handshake holds a connection no longer than a silent miner would.
#[test]
fn half_a_handshake_is_ended() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": EASY, "tls": true}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.set("limits", Some(json!({"firstByteTimeout": 1})));
    romp.run();
    romp.wait_ready(1);
    let mut half = Client::connect(port).expect("connected");
    half.send_raw(b"\x16\x03\x01\x02\x00\x01\x00").expect("sent");
    assert!(half.is_ended(seconds(20)));
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// The built-in miner believes who it is told to believe, and the site tells where TLS is spoken.
#[test]
fn the_miner_of_the_house_speaks_tls() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (both, only, site) = (free_port(), free_port(), free_port());
    let ports = json!({
        both.to_string(): {"diff": 1e-4, "tls": true},
        only.to_string(): {"diff": 1e-4, "tls": "only"},
    });
    let pool = Pool::new("bitcoin", both, json!({"diff": 1e-4}), stub.daemons());
    let pool = pool.with("ports", ports);
    let mut romp = Romp::prepare(1, &[&pool]);
    certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.set("website", Some(json!({"enabled": true, "host": "127.0.0.1", "port": site})));
    romp.run();
    romp.wait_ready(1);

    let file = romp.path().join("cert.pem").display().to_string();
    let mine = |port: u16, scheme: &str, trust: &[&str]| {
        let output =
            romp.path().join(format!("miner-{port}-{scheme}-{}", trust.join("")).replace('/', "_"));
        let url = format!("{scheme}://127.0.0.1:{port}");
        let args = ["miner", "-a", "sha256", "-o", &url, "-u", ADDRESS];
        let mut miner = Process::start(BINARY, &[&args[..], trust].concat(), &output);
        let end = if trust.is_empty() { "again in" } else { "accepted" };
        let is_there = |printed: &str| match end {
            "accepted" => miner_counts(printed).is_some_and(|(accepted, _)| accepted > 0),
            end => printed.contains(end),
        };
        wait_for(end, seconds(60), || {
            assert!(miner.ended().is_none(), "{}", miner.printed());
            Some(miner.printed()).filter(|printed| is_there(printed))
        })
    };
    for port in [both, only] {
        assert!(mine(port, "stratum+ssl", &["--tls-ca", &file]).contains("with TLS"));
        assert!(mine(port, "stratum+tcp", &["--tls-insecure"]).contains("with TLS"));
        // Nobody whom browsers believe has signed that certificate.
        let printed = mine(port, "stratum+ssl", &[]);
        assert!(printed.contains("invalid peer certificate"), "{printed}");
    }

    let page = |port: u16| {
        let url = format!("http://127.0.0.1:{site}/getting_started?port={port}");
        wait_for("the site", seconds(20), || {
            ureq::get(&url).call().ok()?.into_body().read_to_string().ok()
        })
    };
    let told = page(both);
    for scheme in ["tcp", "ssl"] {
        let url = format!("<code>stratum+{scheme}://127.0.0.1:{both}</code>");
        assert!(told.contains(&url), "no {url} in {told}");
    }
    let told = page(only);
    assert!(told.contains(&format!("<code>stratum+ssl://127.0.0.1:{only}</code>")), "{told}");
    assert!(!told.contains("stratum+tcp"), "{told}");
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
