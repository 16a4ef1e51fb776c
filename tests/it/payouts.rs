//! A payout whose money is spent by hand before it is sent: it resolves itself, and the miner is paid
//! once.

use crate::harness::{
    Client, NO_MWEB, Pair, Romp, Rpc, alone, free_port, seconds, to_satoshi, wait_until,
};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a daemon says whose mempool is full.
const FULL: &str = r#"{"result":null,"error":{"code":-26,"message":"mempool full"},"id":ID}"#;

/// Stands before a daemon and, while it is shut, lets no transaction be sent.
struct Gate {
    port: u16,
    shut: Arc<AtomicBool>,
    /// How often a transaction was to be sent.
    sends: Arc<AtomicUsize>,
}

impl Gate {
    fn before(daemon: &Rpc) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shut = Arc::new(AtomicBool::new(true));
        let sends = Arc::new(AtomicUsize::new(0));
        let (daemon, is_shut, count) = (daemon.port, Arc::clone(&shut), Arc::clone(&sends));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (is_shut, count) = (Arc::clone(&is_shut), Arc::clone(&count));
                std::thread::spawn(move || pass(&stream, daemon, &is_shut, &count));
            }
        });
        Self { port, shut, sends }
    }

    /// Waits until the payer has looked at a payout that is refused, from here on: what it is told
    /// after one try to send is in the book before the next.
    fn wait_for_look(&self) {
        let before = self.sends.load(Ordering::Relaxed);
        wait_until("two tries to send", seconds(60), || {
            self.sends.load(Ordering::Relaxed) >= before + 2
        });
    }
}

/// One message of HTTP: head and body.
fn message(stream: &mut &TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn pass(
    mut stream: &TcpStream,
    daemon: u16,
    is_shut: &AtomicBool,
    sends: &AtomicUsize,
) -> Option<()> {
    let upstream = TcpStream::connect(("127.0.0.1", daemon)).ok()?;
    while let Some((head, body)) = message(&mut stream) {
        let request: Value = serde_json::from_slice(&body).ok()?;
        let is_sent = request["method"] == "sendrawtransaction";
        sends.fetch_add(usize::from(is_sent), Ordering::Relaxed);
        if is_sent && is_shut.load(Ordering::Relaxed) {
            let answer = FULL.replace("ID", &request["id"].to_string());
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())
                .ok()?;
            continue;
        }
        let mut up = &upstream;
        up.write_all(&[head, body].concat()).ok()?;
        let (head, body) = message(&mut up)?;
        stream.write_all(&[head, body].concat()).ok()?;
    }
    Some(())
}

fn json_of(romp: &Romp, arguments: &[&str]) -> Value {
    serde_json::from_slice(&romp.command(arguments).stdout).unwrap_or_default()
}

/// M3; F48.
#[test]
fn a_payout_whose_money_is_spent_by_hand_resolves_itself() {
    let _alone = alone();
    let pair = Pair::start_with(None, &[NO_MWEB]);
    let gate = Gate::before(&pair.first);
    let miner = pair.miner("bech32");
    let mut wallet = pair.daemons()[0].clone();
    wallet["port"] = json!(gate.port);
    let port = free_port();
    let pool = pair.paying_pool(port).with(
        "paymentProcessing",
        json!({"enabled": true, "paymentInterval": 1, "minimumPayment": 0.01, "daemon": wallet}),
    );
    let romp = Romp::start(1, &[&pool]);
    let mut client = Client::login(port, &miner).expect("login").scrypt();
    client.wait_for_work_on(&pair.first.text("getbestblockhash", json!([]))).expect("work");
    client.find_block();
    wait_until("the block in the chain", seconds(60), || pair.second.height() == 121);
    let payouts = || json_of(&romp, &["payouts", "litecoin", "--json"])["payouts"].clone();
    let words = || payouts()[0]["waits_for"].as_str().unwrap_or_default().to_owned();
    pair.bury(101);
    wait_until("a payout that is refused", seconds(60), || words().contains("mempool full"));
    assert_eq!(payouts()[0]["state"], json!("signed"));
    let txid = payouts()[0]["txid"].as_str().expect("an id").to_owned();

    // Its money is locked; whoever spends it does it on purpose.
    let locked = pair.first.must("listlockunspent", json!([]));
    assert!(locked.as_array().is_some_and(|some| !some.is_empty()), "{locked}");
    let held = romp.command(&["payouts", "litecoin", "void", &txid]);
    assert_eq!(held.status.code(), Some(1), "its money is there");
    let other = pair.second.text("getnewaddress", json!([]));
    let raw = pair.first.text("createrawtransaction", json!([locked, [{other: 0.5}]]));
    let signed = pair.first.must("signrawtransactionwithwallet", json!([raw]));
    pair.first.must("sendrawtransaction", json!([signed["hex"], 0]));
    pair.bury(1);
    gate.shut.store(false, Ordering::Relaxed);
    wait_until("the payer to see it", seconds(60), || words().contains("it is void at height"));
    // At most ten blocks between two looks.
    for _ in 0..9 {
        pair.bury(10);
        gate.wait_for_look();
    }
    pair.bury(9);
    gate.wait_for_look();
    assert_eq!(payouts()[0]["state"], json!("signed"));
    pair.bury(1);
    wait_until("another payout in its place", seconds(60), || payouts()[0]["txid"] != json!(txid));
    assert_eq!(payouts()[1]["state"], json!("void"));
    wait_until("it to be paid", seconds(60), || {
        pair.bury(1);
        payouts()[0]["state"] == json!("confirmed")
    });
    let audit = romp.command(&["audit", "litecoin", "--json"]);
    assert_eq!(audit.status.code(), Some(0), "{audit:?}");
    let balance = json_of(&romp, &["balance", "litecoin", &miner, "--json"]);
    let received = pair.second.must("getreceivedbyaddress", json!([miner, 1]));
    assert_eq!(json!(to_satoshi(&received)), balance["paid"]);
    assert_eq!(payouts().as_array().map(Vec::len), Some(2));
}
