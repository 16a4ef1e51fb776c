//! Who takes his time: a byte now and then, empty lines, silence, answers that are not read. Each is
//! ended by its deadline, and honest slowness is served.

use crate::harness::{
    ADDRESS, Client, Pool, Romp, Stub, alone, certificate, free_port, seconds, through_tls, tls,
    tls_over, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Why it ends, the port, what is said first, what again and again, and how often.
type Case<'a> = (&'static str, u16, &'a [u8], &'a [u8], Duration);

const SUBSCRIBE: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

fn refused(romp: &Romp, cause: &str) -> u64 {
    romp.status().and_then(|status| status["refused"][cause].as_u64()).unwrap_or_default()
}

/// Starts one worker with these `limits`, and a certificate, which is returned.
fn start(pool: &Pool, limits: Value) -> (Romp, String) {
    let mut romp = Romp::prepare(1, &[pool]);
    let (cert, _) = certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.set("limits", Some(limits));
    romp.run();
    romp.wait_ready(1);
    (romp, cert)
}

/// Says something again and again, every so often, until the pool ends the connection; panics when
/// it does not.
fn repeat(port: u16, first: &[u8], piece: &[u8], pause: Duration) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.write_all(first).expect("sent");
    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a deadline");
    let (start, mut heard) = (Instant::now(), [0; 4096]);
    loop {
        assert!(start.elapsed() < seconds(20), "{piece:?} every {pause:?}: still open");
        if stream.write_all(piece).is_err() {
            return;
        }
        std::thread::sleep(pause);
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn who_says_little_gains_no_time_by_it() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (port, impatient) = (free_port(), free_port());
    let ports = json!({port.to_string(): {"diff": 1e-6, "tls": true}});
    let pool = Pool::new("bitcoin", port, json!({}), stub.daemons()).with("ports", ports);
    // Where an authorised name must bring a share in time.
    let ports = json!({impatient.to_string(): {"diff": 1e-6}});
    let other = Pool::new("litecoin", impatient, json!({}), stub.daemons())
        .with("ports", ports)
        .with("connectionTimeout", json!(2));
    let mut romp = Romp::prepare(1, &[&pool, &other]);
    certificate(romp.path());
    romp.set("tls", Some(json!({"cert": "cert.pem", "key": "key.pem"})));
    romp.set(
        "limits",
        Some(json!({"firstByteTimeout": 1, "subscribeTimeout": 2, "authorizeTimeout": 3})),
    );
    romp.run();
    romp.wait_ready(1);
    let tenth = Duration::from_millis(100);
    let ask = b"{\"id\":2,\"method\":\"mining.get_transactions\",\"params\":[]}\n";
    let cases: [Case<'_>; 6] = [
        // Line ends alone: as many as can be sent, and few.
        ("request-rate", port, b"", &[b'\n'; 4096], Duration::ZERO),
        ("not-subscribed", port, b"", b"\r\n", tenth),
        // A slow loris: a line that never ends.
        ("not-subscribed", port, b"", b"{", tenth),
        // A zombie that subscribes, and even talks, but is nobody.
        ("not-authorized", port, SUBSCRIBE, ask, tenth),
        // A handshake that begins and never ends.
        ("tls-failed", port, b"\x16\x03\x01\x02\x00\x01\x00", b"\x00", tenth),
        // One that is somebody, and brings no share.
        ("idle", impatient, &[SUBSCRIBE, authorize().as_bytes()].concat(), ask, tenth),
    ];
    std::thread::scope(|scope| {
        for (_, port, first, piece, pause) in cases {
            scope.spawn(move || repeat(port, first, piece, pause));
        }
    });
    let counts = |cause: &str| cases.iter().filter(|(it, ..)| *it == cause).count() as u64;
    for (cause, ..) in cases {
        assert_eq!(refused(&romp, cause), counts(cause), "{cause}: {:?}", romp.status());
    }
    assert!(Client::login(port, ADDRESS).expect("login").mine().expect("an answer").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

fn authorize() -> String {
    let authorize = json!({"id": 3, "method": "mining.authorize", "params": [ADDRESS, ""]});
    format!("{authorize}\n")
}

/// A PROXY header as the network brings it: a byte at a time, or with what follows.
#[test]
fn a_proxy_header_may_come_in_pieces_and_before_tls() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (port, only) = (free_port(), free_port());
    let ports = json!({
        port.to_string(): {"diff": 1e-6, "tls": true},
        only.to_string(): {"diff": 1e-6, "tls": "only"},
    });
    let pool = Pool::new("bitcoin", port, json!({}), stub.daemons())
        .with("ports", ports)
        .with("tcpProxyProtocol", json!(true));
    let limits = json!({"connectionsPerAddress": 2, "proxyHeaderTimeout": 1});
    let (mut romp, cert) = start(&pool, limits);
    let v1 = |host: u8| format!("PROXY TCP4 198.51.100.{host} 127.0.0.1 5 6\r\n").into_bytes();
    let v2 = |host: u8| {
        let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
        [&signature[..], &[198, 51, 100, host], &[127, 0, 0, 1, 1, 1, 2, 2]].concat()
    };
    let connect = |port| Client::connect(port).expect("connected");
    let by_byte = |client: &mut Client, bytes: &[u8], pause: u64| {
        for byte in bytes {
            if client.send_raw(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(pause));
        }
    };
    for header in [v1(1), v2(2)] {
        let mut client = connect(port);
        by_byte(&mut client, &header, 5);
        let mut client = client.logged_in(ADDRESS).expect("login");
        assert!(client.mine().expect("an answer").0);
        // In time, or not at all, however steadily it comes.
        let mut late = connect(port);
        by_byte(&mut late, &header, 3500 / header.len() as u64);
        assert!(late.is_ended(seconds(20)));
    }
    assert_eq!(refused(&romp, "proxy-header"), 2);

    // Before TLS, in one piece with the handshake's first bytes or not; and it counts.
    let over_tls = |port: u16, host: u8| {
        let mut client = connect(port);
        client.send_raw(&v2(host)).expect("sent");
        let far = tls_over(client.stream().try_clone().expect("a handle"), &cert)?;
        Client::login(through_tls(far), ADDRESS).ok()
    };
    let mut miners: Vec<Client> =
        [(port, 3), (only, 3), (only, 4)].map(|(port, host)| over_tls(port, host).unwrap()).into();
    assert!(miners.iter_mut().all(|miner| miner.mine().expect("an answer").0));
    assert!(over_tls(only, 3).is_none(), "a third of its address");
    assert_eq!(refused(&romp, "too-many-connections"), 1);
    assert!(romp.command(&["bans", "add", "198.51.100.4"]).status.success());
    assert!(miners[2].is_ended(seconds(20)), "the address that the header names is banned");
    assert!(miners[0].mine().expect("an answer").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}

/// Over TLS, too, only so much waits for who does not read, and not for ever.
#[test]
fn who_reads_nothing_over_tls_is_ended() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let ports = json!({port.to_string(): {"diff": 1e-6, "tls": "only"}});
    let pool = Pool::new("bitcoin", port, json!({}), stub.daemons()).with("ports", ports);
    let (mut romp, cert) = start(&pool, json!({"output": 8192, "outputTimeout": 1}));
    let mut honest = Client::login(through_tls(tls(port, &cert).expect("TLS")), ADDRESS).unwrap();
    // An answer has as many bytes as its question's id, and some.
    let id = "x".repeat(60);
    let ask = format!("{{\"id\":\"{id}\",\"method\":\"mining.get_transactions\"}}\n");
    // 29 KB of answers, or 22: what the kernel takes, and more or less than `output`.
    let deaf: Vec<_> = [295, 295, 295, 225, 225, 225]
        .into_iter()
        .map(|asked| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_recv_buffer_size(1024).expect("a small buffer");
            socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).expect("connected");
            let mut far = tls_over(TcpStream::from(socket), &cert).expect("TLS");
            let _ = far.write_all(ask.repeat(asked).as_bytes());
            far
        })
        .collect();
    wait_until("all deaf ones to be ended", seconds(60), || {
        refused(&romp, "output-full") + refused(&romp, "output-old") == 6
    });
    assert!(refused(&romp, "output-full") >= 3, "{:?}", romp.status());
    assert!(refused(&romp, "output-old") > 0, "{:?}", romp.status());
    drop(deaf);
    assert!(honest.mine().expect("an answer").0);
    assert_eq!(romp.stop(Signal::SIGTERM), Some(0));
}
