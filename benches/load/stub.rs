//! A coin daemon of the bench: JSON-RPC over HTTP, a template as large as a main network's, and a
//! new tip on command. A thread per connection; its CPU is not the pool's.

use crate::http;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// Transactions of the template, and the mean of their sizes in bytes: about 1.4 MB of block.
const TRANSACTIONS: usize = 2500;
const MEAN_BYTES: usize = 550;
/// Bitcoin's target in late 2024 (difficulty 102 T): never met by chance.
const BITS: &str = "17028c61";
const TARGET: &str = "000000000000000000028c610000000000000000000000000000000000000000";
/// The script that every address has: pay to an all-zero public key hash.
const SCRIPT: &str = "76a914000000000000000000000000000000000000000088ac";
/// Longest hold of a long poll.
const HOLD: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct State {
    height: u64,
    /// Counts templates on one tip: another one makes a long poll return.
    variant: u64,
    /// From a template's request to its last byte written, of those since the last look.
    template_times: Vec<Duration>,
}

/// The daemon. Its threads end with the process.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Stub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the daemon");
        let port = listener.local_addr().expect("own address").port();
        let state = State { height: 800_000, variant: 0, template_times: Vec::new() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let (states, transactions) = (Arc::clone(&shared), Arc::new(transactions()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, transactions) = (Arc::clone(&states), Arc::clone(&transactions));
                std::thread::spawn(move || serve(stream, &state, &transactions));
            }
        });
        Self { port, shared }
    }

    /// One more block on the chain; its hash.
    pub(crate) fn new_tip(&self) -> String {
        let mut state = self.shared.0.lock().expect("state");
        state.height += 1;
        self.shared.1.notify_all();
        hash_of(state.height)
    }

    /// How long templates took to be handed out since the last call.
    pub(crate) fn template_times(&self) -> Vec<Duration> {
        std::mem::take(&mut self.shared.0.lock().expect("state").template_times)
    }
}

fn hash_of(height: u64) -> String {
    format!("{height:064x}")
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

/// The `transactions` of every template. Bytes from a generator, so that nothing is guessed well.
fn transactions() -> String {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut text = String::with_capacity(TRANSACTIONS * (MEAN_BYTES * 2 + 400));
    for index in 0..TRANSACTIONS {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{{\"data\":\"");
        let words = (MEAN_BYTES / 2 + (random() as usize) % MEAN_BYTES) / 8;
        for _ in 0..words {
            let _ = write!(text, "{:016x}", random());
        }
        let id = format!("{:016x}{:016x}{:016x}{:016x}", random(), random(), random(), random());
        let _ = write!(
            text,
            "\",\"txid\":\"{id}\",\"hash\":\"{id}\",\"depends\":[],\"fee\":{},\"sigops\":4,\
             \"weight\":{}}}",
            1000 + index,
            words * 32
        );
    }
    text
}

fn template(state: &State, transactions: &str) -> String {
    let tip = hash_of(state.height);
    format!(
        "{{\"capabilities\":[\"proposal\"],\"version\":536870912,\"rules\":[\"csv\",\"segwit\"],\
         \"vbavailable\":{{}},\"vbrequired\":0,\"previousblockhash\":\"{tip}\",\
         \"transactions\":[{transactions}],\"coinbaseaux\":{{}},\"coinbasevalue\":{value},\
         \"longpollid\":\"{id}\",\"target\":\"{TARGET}\",\"mintime\":{earliest},\
         \"mutable\":[\"time\",\"transactions\",\"prevblock\"],\
         \"noncerange\":\"00000000ffffffff\",\"sigoplimit\":80000,\"sizelimit\":4000000,\
         \"weightlimit\":4000000,\"curtime\":{time},\"bits\":\"{BITS}\",\"height\":{height},\
         \"default_witness_commitment\":\
         \"6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9\"}}",
        value = 320_000_000 + state.variant,
        id = long_poll_id(state),
        earliest = now() - 600,
        time = now(),
        height = state.height + 1,
    )
}

fn long_poll_id(state: &State) -> String {
    format!("{}{}", hash_of(state.height), state.variant)
}

fn serve(stream: TcpStream, shared: &(Mutex<State>, Condvar), transactions: &str) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request: Value = serde_json::from_slice(&http::body(&mut reader)?).ok()?;
        let mut begun = Instant::now();
        let is_template = request["method"] == "getblocktemplate";
        let text = match &request {
            Value::Array(batch) => {
                let answers: Vec<String> =
                    batch.iter().map(|one| answer(one, shared, transactions)).collect();
                format!("[{}]", answers.join(","))
            }
            one => {
                hold(one, shared);
                begun = Instant::now();
                answer(one, shared, transactions)
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(text.as_bytes()).ok()?;
        if is_template {
            shared.0.lock().expect("state").template_times.push(begun.elapsed());
        }
    }
}

/// A long poll waits for another template than the one it names.
fn hold(request: &Value, shared: &(Mutex<State>, Condvar)) {
    let Some(known) = request["params"][0]["longpollid"].as_str() else { return };
    let state = shared.0.lock().expect("state");
    let same = |state: &mut State| long_poll_id(state) == known;
    drop(shared.1.wait_timeout_while(state, HOLD, same));
}

fn answer(request: &Value, shared: &(Mutex<State>, Condvar), transactions: &str) -> String {
    let (method, params, id) = (&request["method"], &request["params"], &request["id"]);
    let state = shared.0.lock().expect("state");
    let result = match method.as_str().unwrap_or_default() {
        "getblocktemplate" if params[0]["mode"] == "proposal" => "null".to_owned(),
        "getblocktemplate" => template(&state, transactions),
        method => match plain(method, params, &state) {
            Some(result) => result.to_string(),
            None => {
                return format!(
                    "{{\"result\":null,\"error\":{{\"code\":-32601,\"message\":\"Method not \
                     found\"}},\"id\":{id}}}"
                );
            }
        },
    };
    format!("{{\"result\":{result},\"error\":null,\"id\":{id}}}")
}

fn plain(method: &str, params: &Value, state: &State) -> Option<Value> {
    Some(match method {
        "getblockchaininfo" => json!({
            "chain": "main", "blocks": state.height, "headers": state.height,
            "bestblockhash": hash_of(state.height), "difficulty": 102_289_407_543_323.8,
            "mediantime": now() - 600, "verificationprogress": 1.0,
            "initialblockdownload": false, "warnings": "",
        }),
        "getnetworkinfo" => json!({
            "version": 280_000, "protocolversion": 70016, "subversion": "/Bench:1.0/",
            "connections": 8, "networkactive": true, "localservices": "0000000000000409",
            "networks": [], "warnings": "",
        }),
        "getmininginfo" => json!({
            "blocks": state.height, "difficulty": 102_289_407_543_323.8, "chain": "main",
        }),
        "getpeerinfo" => json!([{"id": 0, "startingheight": state.height,
            "synced_headers": state.height, "synced_blocks": state.height}]),
        "getconnectioncount" => json!(8),
        "getbestblockhash" => json!(hash_of(state.height)),
        "getblockcount" => json!(state.height),
        "getblockhash" => json!(hash_of(params[0].as_u64()?)),
        "getblockheader" | "getblock" => {
            let height = u64::from_str_radix(params[0].as_str()?, 16).ok()?;
            json!({"hash": hash_of(height), "height": height,
                "confirmations": state.height.checked_sub(height)? + 1})
        }
        "getdifficulty" => json!(102_289_407_543_323.8),
        "validateaddress" | "getaddressinfo" => json!({
            "isvalid": true, "ismine": true, "address": params[0], "scriptPubKey": SCRIPT,
            "isscript": false,
        }),
        "submitblock" => Value::Null,
        _ => return None,
    })
}
