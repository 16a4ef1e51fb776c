//! The miner against a pool of our own making, over a real socket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::chain::{Hash, header, hex_array, hex_decode, sha256d};
use crate::miner::job::target;
use serde_json::{Value, json};
use std::net::TcpListener;

#[test]
fn addresses_are_understood() {
    let wanted = |host: &str, port| Some((host.to_owned(), port, false));
    assert_eq!(host_and_port("stratum+tcp://127.0.0.1:3333"), wanted("127.0.0.1", 3333));
    assert_eq!(host_and_port("pool.example:1/"), wanted("pool.example", 1));
    assert_eq!(host_and_port("tcp://[::1]:3333"), wanted("::1", 3333));
    assert_eq!(host_and_port("stratum+ssl://a:1"), Some(("a".to_owned(), 1, true)));
    for text in ["", "pool.example", ":1", "pool:0", "pool:x", "http://pool:1", "a:70000"] {
        assert_eq!(host_and_port(text), None, "{text}");
    }
}

#[test]
fn rates_are_short() {
    for (value, text) in
        [(0.0, "0.0 H/s"), (999.0, "999.0 H/s"), (12_345.0, "12.3 kH/s"), (2e15, "2000.0 TH/s")]
    {
        assert_eq!(rate(value), text);
    }
}

/// One share in about 256 hashes.
const DIFFICULTY: f64 = 1.0 / 16_777_216.0;

/// Serves one miner until it has sent `shares` good ones; closes the connection then.
fn serve(listener: &TcpListener, extranonce1: &str, shares: usize) -> Vec<String> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut stream = stream;
    let mut send = |value: Value| stream.write_all(format!("{value}\n").as_bytes()).unwrap();
    let mut seen = Vec::new();
    while seen.len() < shares {
        let request: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let id = request["id"].clone();
        match request["method"].as_str().unwrap() {
            "mining.subscribe" => {
                send(json!({"id": id, "result": [[], extranonce1, 3], "error": null}));
            }
            "mining.authorize" => {
                assert_eq!(request["params"], json!(["user", "secret"]));
                send(json!({"id": id, "result": true, "error": null}));
                send(
                    json!({"id": null, "method": "mining.set_difficulty", "params": [DIFFICULTY]}),
                );
                let zeros = "00".repeat(32);
                let job =
                    json!(["j", zeros, "aa", "bb", [], "20000000", "207fffff", "53724dff", true]);
                send(json!({"id": null, "method": "mining.notify", "params": job}));
            }
            "mining.submit" => {
                let text = |index: usize| request["params"][index].as_str().unwrap().to_owned();
                assert_eq!((text(0), text(1)), ("user".to_owned(), "j".to_owned()));
                let coinbase = hex_decode(&format!("aa{extranonce1}{}bb", text(2))).unwrap();
                assert_eq!(coinbase.len(), 2 + extranonce1.len() / 2 + 3);
                let word = |index: usize| u32::from_be_bytes(hex_array(&text(index)).unwrap());
                let root = sha256d(&coinbase);
                let share =
                    header(0x2000_0000, &Hash([0; 32]), &root, word(3), 0x207f_ffff, word(4));
                let wanted = target(DIFFICULTY, Algorithm::Sha256);
                assert!(wanted.is_met_by(&sha256d(&share)), "a share below the difficulty");
                let share = format!("{}{}{}", text(2), text(3), text(4));
                assert!(!seen.contains(&share), "the same share twice");
                seen.push(share);
                send(json!({"id": id, "result": true, "error": null}));
            }
            _ => send(json!({"id": id, "result": null, "error": [20, "Not supported.", null]})),
        }
    }
    seen
}

#[test]
fn mines_and_comes_back_after_a_lost_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("stratum+tcp://{}", listener.local_addr().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&stop);
    let pool = std::thread::spawn(move || {
        // Also when an assertion fails: or the miner would never end.
        struct Finally(Arc<AtomicBool>);
        impl Drop for Finally {
            fn drop(&mut self) {
                self.0.store(true, Relaxed);
            }
        }
        let _finally = Finally(done);
        (serve(&listener, "0badcafe", 5), serve(&listener, "00", 20))
    });
    let options = Options {
        algorithm: Algorithm::Sha256,
        threads: 2,
        url,
        tls: None,
        user: "user".to_owned(),
        password: "secret".to_owned(),
        seconds: None,
    };
    assert_eq!(run_until(&options, &stop), 0);
    let (first, second) = pool.join().unwrap();
    assert_eq!((first.len(), second.len()), (5, 20));
}

#[test]
fn without_an_accepted_share_time_up_is_a_failure() {
    let options = Options {
        algorithm: Algorithm::Scrypt,
        threads: 1,
        // Nobody listens on the discard port of this address.
        url: "127.0.0.1:9".to_owned(),
        tls: None,
        user: String::new(),
        password: String::new(),
        seconds: Some(0),
    };
    assert_eq!(run_until(&options, &AtomicBool::new(false)), 1);
    assert_eq!(run_until(&Options { url: "x".to_owned(), ..options }, &AtomicBool::new(false)), 2);
}
