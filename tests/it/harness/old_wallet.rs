//! A real daemon without raw transactions: a proxy that does not know those calls, and can lose
//! requests and answers of `sendmany`.

use super::{Rpc, free_port, http};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Calls that it does not know.
const UNKNOWN: [&str; 5] = [
    "fundrawtransaction",
    "signrawtransactionwithwallet",
    "signrawtransaction",
    "testmempoolaccept",
    "sendrawtransaction",
];

/// What becomes of the next `sendmany`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out, and nobody hears of it.
    Unheard,
    /// It never arrives.
    Lost,
}

#[derive(Debug)]
struct State {
    fate: Fate,
    /// Bodies of all `sendmany`, in their order.
    asked: Vec<Value>,
}

/// The proxy. It ends when dropped.
pub(crate) struct OldWallet {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl OldWallet {
    /// In front of a daemon.
    pub(crate) fn start(behind: &Rpc) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let state = Arc::new(Mutex::new(State { fate: Fate::Answered, asked: Vec::new() }));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, ended, behind) = (Arc::clone(&state), Arc::clone(&stop), behind.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, behind) = (Arc::clone(&seen), behind.clone());
                std::thread::spawn(move || serve(stream, &seen, &behind));
            }
        });
        Self { port, state, stop }
    }

    /// Says what becomes of the next `sendmany`; those after it are answered.
    pub(crate) fn next(&self, fate: Fate) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fate = fate;
    }

    /// The parameters of each `sendmany` so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Drop for OldWallet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, behind: &Rpc) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let body = http::body(&mut reader)?;
        let request: Value = serde_json::from_slice(&body).ok()?;
        let method = request["method"].as_str().unwrap_or_default();
        let mut fate = Fate::Answered;
        if method == "sendmany" {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.asked.push(request["params"].clone());
            fate = std::mem::replace(&mut state.fate, Fate::Answered);
        }
        if fate == Fate::Lost {
            return None;
        }
        let (status, text) = match UNKNOWN.contains(&method) {
            true => {
                let error = json!({"code": -32601, "message": "Method not found"});
                let answer = json!({"result": null, "error": error, "id": request["id"]});
                (404, answer.to_string())
            }
            false => behind.forward(&body)?,
        };
        if fate == Fate::Unheard {
            return None;
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        writer.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}
