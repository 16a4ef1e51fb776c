//! A scripted coin daemon: JSON-RPC over HTTP from a thread of the test.
//!
//! On regtest half of all hashes are blocks, so a load of shares on a real daemon would be a flood
//! of blocks. This one serves a sha256d template with a hard target, changes its tip on command,
//! and can be told to hang or to fail.

use super::http;
use serde_json::{Value, json};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The script that the stub says every address has: pay to an all-zero public key hash.
const SCRIPT: &str = "76a914000000000000000000000000000000000000000088ac";

/// The public key of every address to a stub of a proof-of-stake coin.
pub(crate) const KEY: &str = "02abababababababababababababababababababababababababababababababab";

/// How the stub answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As a daemon should.
    Well,
    /// Reads the request and never answers.
    Hangs,
    /// HTTP 500 without a body.
    Fails,
    /// Well, but never answers `submitblock`.
    HoldsBlocks,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    height: u64,
    tip: String,
    template_rules: Vec<String>,
    submitted: Vec<String>,
    /// What `submitblock` is answered with: a result, or an error.
    verdict: Result<Value, (i32, String)>,
    easy: bool,
    syncing: bool,
    staked: bool,
}

/// The stub; its thread ends with it.
#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Stub {
    /// Starts a daemon whose chain has 100 blocks. `rules` is what `getblocktemplate` insists on.
    pub(crate) fn start(rules: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).expect("stub port");
        let port = listener.local_addr().expect("own address").port();
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Well,
            height: 100,
            tip: hash_of(100),
            template_rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            submitted: Vec::new(),
            verdict: Ok(Value::Null),
            easy: false,
            syncing: false,
            staked: false,
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let (states, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (state, stop) = (Arc::clone(&states), Arc::clone(&stopped));
                std::thread::spawn(move || serve(stream, &state, &stop));
            }
        });
        Self { port, state, stop }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more block on the chain; its hash.
    pub(crate) fn new_tip(&self) -> String {
        self.with(|state| {
            state.height += 1;
            state.tip = hash_of(state.height);
            state.tip.clone()
        })
    }

    /// From now on every second hash is a block, as on regtest.
    pub(crate) fn make_easy(&self) {
        self.with(|state| state.easy = true);
    }

    /// From now on it is the daemon of a proof-of-stake coin.
    pub(crate) fn make_staked(&self) {
        self.with(|state| state.staked = true);
    }

    /// What it says to a block from now on: a result, or an error.
    pub(crate) fn judge_blocks(&self, verdict: Result<Value, (i32, String)>) {
        self.with(|state| state.verdict = verdict);
    }

    /// Whether it is in its initial block download, 500 blocks behind.
    pub(crate) fn set_syncing(&self, syncing: bool) {
        self.with(|state| state.syncing = syncing);
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.with(|state| state.mood = mood);
    }

    /// The blocks that were submitted, as hex.
    pub(crate) fn submitted(&self) -> Vec<String> {
        self.with(|state| state.submitted.clone())
    }

    /// The `daemons` section of a pool file.
    pub(crate) fn daemons(&self) -> Value {
        json!([{"host": "127.0.0.1", "port": self.port, "user": "stub", "password": "stub-secret"}])
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// A made-up block hash.
fn hash_of(height: u64) -> String {
    format!("{height:064x}")
}

fn serve(stream: TcpStream, state: &Mutex<State>, stop: &AtomicBool) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    while !stop.load(Ordering::Relaxed) {
        let request: Value = serde_json::from_slice(&http::body(&mut reader)?).ok()?;
        let mood = state.lock().unwrap_or_else(PoisonError::into_inner).mood;
        let holds = mood == Mood::HoldsBlocks && request["method"] == "submitblock";
        let (status, text) = match (mood, &request) {
            _ if holds || mood == Mood::Hangs => {
                // Holds the connection until the caller gives up and closes it.
                reader.read_to_end(&mut Vec::new()).ok()?;
                return None;
            }
            (Mood::Fails, _) => ("500 Internal Server Error", String::new()),
            (_, Value::Array(batch)) => {
                let answers: Vec<Value> = batch.iter().map(|one| answer(one, state)).collect();
                ("200 OK", Value::from(answers).to_string())
            }
            (_, one) => ("200 OK", answer(one, state).to_string()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        writer.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
    None
}

fn answer(request: &Value, state: &Mutex<State>) -> Value {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match result(request["method"].as_str().unwrap_or_default(), &request["params"], &mut state) {
        Ok(result) => json!({"result": result, "error": null, "id": request["id"]}),
        Err((code, message)) => json!({
            "result": null, "error": {"code": code, "message": message}, "id": request["id"],
        }),
    }
}

fn result(method: &str, params: &Value, state: &mut State) -> Result<Value, (i32, String)> {
    Ok(match method {
        "getblocktemplate" if state.syncing => {
            return Err((-10, "Bitcoin is in initial sync and waiting for blocks...".into()));
        }
        "getblocktemplate" => {
            let asked = params[0]["rules"].as_array().cloned().unwrap_or_default();
            if let Some(missing) =
                state.template_rules.iter().find(|rule| !asked.contains(&json!(rule)))
            {
                return Err((-8, format!("getblocktemplate must be called with {missing}")));
            }
            template(state)
        }
        "getblockchaininfo" => json!({
            "chain": "regtest", "blocks": state.height,
            "headers": state.height + if state.syncing { 500 } else { 0 },
            "bestblockhash": state.tip, "difficulty": 1.0, "mediantime": now() - 600,
            "verificationprogress": 1.0, "initialblockdownload": state.syncing, "warnings": "",
        }),
        "getnetworkinfo" => json!({
            "version": 250_000, "protocolversion": 70016, "subversion": "/Stub:1.0/",
            "connections": 2, "networkactive": true, "localservices": "0000000000000409",
            "networks": [], "warnings": "",
        }),
        "getmininginfo" => json!({
            "blocks": state.height, "difficulty": 1.0, "networkhashps": 1.0, "chain": "regtest",
        }),
        "getpeerinfo" => json!([{"id": 0, "startingheight": state.height,
            "synced_headers": state.height, "synced_blocks": state.height}]),
        "getconnectioncount" => json!(2),
        "getbestblockhash" => json!(state.tip),
        "getblockcount" => json!(state.height),
        "getblockhash" => json!(hash_of(params[0].as_u64().unwrap_or_default())),
        "getblockheader" | "getblock" => {
            let hash = params[0].as_str().unwrap_or_default();
            let height =
                u64::from_str_radix(hash, 16).ok().filter(|&height| height <= state.height);
            let Some(height) = height else { return Err((-5, "Block not found".into())) };
            json!({"hash": hash, "height": height, "confirmations": state.height - height + 1})
        }
        "getdifficulty" if state.staked => json!({"proof-of-work": 1.0, "proof-of-stake": 0.5}),
        "getdifficulty" => json!(1.0),
        "validateaddress" if state.staked => json!({
            "isvalid": true, "address": params[0], "ismine": true, "pubkey": KEY,
        }),
        "validateaddress" => json!({
            "isvalid": true, "address": params[0], "scriptPubKey": SCRIPT, "isscript": false,
        }),
        "submitblock" => {
            state.submitted.push(params[0].as_str().unwrap_or_default().to_owned());
            return state.verdict.clone();
        }
        _ => return Err((-32601, "Method not found".into())),
    })
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

/// A template of an empty block. The target of `1d00ffff` takes 2^32 hashes: never met here.
fn template(state: &State) -> Value {
    let (bits, target) = if state.easy {
        ("207fffff", format!("7fffff{}", "0".repeat(58)))
    } else {
        ("1d00ffff", format!("00000000ffff{}", "0".repeat(52)))
    };
    let commitment = match state.staked {
        true => Value::Null,
        false => {
            json!("6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9")
        }
    };
    json!({
        "capabilities": ["proposal"], "version": 0x2000_0000, "rules": ["csv", "segwit"],
        "vbavailable": {}, "vbrequired": 0, "previousblockhash": state.tip, "transactions": [],
        "coinbaseaux": {}, "coinbasevalue": 5_000_000_000_u64,
        "longpollid": format!("{}1", state.tip),
        "target": target,
        "mintime": now() - 600, "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff", "sigoplimit": 80000, "sizelimit": 4_000_000,
        "weightlimit": 4_000_000, "curtime": now(), "bits": bits,
        "height": state.height + 1,
        "default_witness_commitment": commitment,
    })
}
