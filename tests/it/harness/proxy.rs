//! Stands between the pool and a daemon's RPC: swallows replies, holds them back, or passes a
//! request on to nobody, as the test says at the moment.

use super::Rpc;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trick {
    /// The daemon never hears of it.
    Drop,
    /// The daemon does it, and nobody hears of it.
    Swallow,
    /// The answer comes so many milliseconds late.
    Delay(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What is to be done to the next calls of a method, and how often.
    wanted: BTreeMap<String, (Trick, u32)>,
    /// What was done.
    done: BTreeMap<(String, Trick), u32>,
    /// Calls by method, those that were passed on as they are among them.
    calls: BTreeMap<String, u32>,
}

/// The proxy; its thread ends with it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts it in front of a port on loopback.
    pub(crate) fn start(daemon: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).expect("proxy port");
        let port = listener.local_addr().expect("own address").port();
        let (state, stop) = (Arc::<Mutex<State>>::default(), Arc::new(AtomicBool::new(false)));
        let (states, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&states);
                std::thread::spawn(move || serve(stream, daemon, &state).ok());
            }
        });
        Self { port, state, stop }
    }

    /// What a pool file says of a daemon that is asked through this proxy.
    pub(crate) fn in_front_of(&self, daemon: &Rpc) -> Value {
        json!({
            "host": "127.0.0.1", "port": self.port,
            "user": daemon.user, "password": daemon.password,
        })
    }

    /// Plays a trick on the next `times` calls of a method.
    pub(crate) fn play(&self, method: &str, trick: Trick, times: u32) {
        held(&self.state).wanted.insert(method.to_owned(), (trick, times));
    }

    /// No more tricks.
    pub(crate) fn behave(&self) {
        held(&self.state).wanted.clear();
    }

    /// How often each trick was played on each method so far.
    pub(crate) fn done(&self) -> BTreeMap<(String, Trick), u32> {
        held(&self.state).done.clone()
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> u32 {
        held(&self.state).calls.get(method).copied().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// The next message of HTTP, head and body. `None` at the end of the connection.
fn message(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let from = bytes.len();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[from..]).trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..])?;
    Ok(Some(bytes))
}

fn method_of(request: &[u8]) -> String {
    let at = request.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    let body: Value = serde_json::from_slice(&request[at..]).unwrap_or_default();
    body["method"].as_str().unwrap_or_default().to_owned()
}

/// One connection of the pool, over one of its own to the daemon.
fn serve(mut client: TcpStream, daemon: u16, state: &Mutex<State>) -> Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut server = TcpStream::connect(("127.0.0.1", daemon))?;
    let mut answers = BufReader::new(server.try_clone()?);
    while let Some(request) = message(&mut reader)? {
        let trick = take(state, method_of(&request));
        if trick == Some(Trick::Drop) {
            break;
        }
        server.write_all(&request)?;
        let Some(answer) = message(&mut answers)? else { break };
        match trick {
            Some(Trick::Swallow) => break,
            Some(Trick::Delay(ms)) => std::thread::sleep(Duration::from_millis(ms)),
            _ => {}
        }
        client.write_all(&answer)?;
    }
    Ok(())
}

/// What is to be done to this call.
fn take(state: &Mutex<State>, method: String) -> Option<Trick> {
    let mut state = held(state);
    *state.calls.entry(method.clone()).or_default() += 1;
    let (trick, left) = state.wanted.get_mut(&method)?;
    let trick = *trick;
    *left -= 1;
    if *left == 0 {
        state.wanted.remove(&method);
    }
    *state.done.entry((method, trick)).or_default() += 1;
    Some(trick)
}
