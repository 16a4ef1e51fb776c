//! TLS of a real pool's site: certificates, what replaces them, and those who speak plain HTTP.

use crate::harness::{
    Pool, Romp, Stub, alone, certificate, free_port, kill, seconds, tls, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Asks over TLS, believing that certificate alone.
fn ask(port: u16, cert: &str, request: &str) -> Option<String> {
    let mut stream = tls(port, cert)?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn plain(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(seconds(20))).expect("a deadline");
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn a_new_certificate_is_used_after_a_reload_and_a_broken_one_is_not() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (port, beside) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", free_port(), json!({"diff": 1e-9}), stub.daemons());
    let mut romp = Romp::prepare(1, &[&pool]);
    let (first, _) = certificate(romp.path());
    let tls = json!({"cert": "cert.pem", "key": "key.pem", "redirectPort": beside});
    romp.set("website", Some(json!({"enabled": true, "port": port, "tls": tls})));
    romp.run();
    romp.wait_ready(1);
    let answer = wait_for("an answer over TLS", seconds(20), || ask(port, &first, HEALTH));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let sorry = plain(port, HEALTH.as_bytes());
    assert!(sorry.starts_with("HTTP/1.1 400") && sorry.contains("https://"), "{sorry}");
    plain(port, b"\x16\x03\x01\x00\x05hello");
    let moved = plain(beside, b"GET /stats?a=b HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
    let location = format!("location: https://localhost:{port}/stats?a=b\r\n");
    assert!(moved.starts_with("HTTP/1.1 308") && moved.contains(&location), "{moved}");
    assert!(ask(port, &first, HEALTH).is_some(), "after all that");

    // A certificate without its key: the old pair is used on.
    let (_, key) = certificate(romp.path());
    let (second, _) = certificate(romp.path());
    std::fs::write(romp.path().join("key.pem"), &key).expect("written");
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("the refusal", seconds(20), || romp.output().contains("configuration not changed"));
    assert!(romp.output().contains("the key is not that of the certificate"), "{}", romp.output());
    assert!(ask(port, &first, HEALTH).is_some() && ask(port, &second, HEALTH).is_none());

    let (third, key) = certificate(romp.path());
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("the new certificate", seconds(20), || ask(port, &third, HEALTH).is_some());
    assert!(ask(port, &first, HEALTH).is_none());
    let told = romp.output();
    assert!(told.contains("changed: website.tls.key: changed"), "{told}");
    let secret = key.lines().nth(1).expect("a line of the key");
    assert!(!told.contains(secret) && !told.contains("BEGIN CERT"), "{told}");

    // And back to plain HTTP, at the same port.
    romp.set("website", Some(json!({"enabled": true, "port": port})));
    kill(romp.process().pid(), Signal::SIGHUP);
    wait_until("plain HTTP", seconds(20), || plain(port, HEALTH.as_bytes()).contains("200 OK"));
    assert!(TcpStream::connect(("127.0.0.1", beside)).is_err(), "nobody is there any more");
}
