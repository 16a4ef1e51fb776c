//! A load of honest miners that count what the pool answered, and a newcomer that never stops.

use super::Client;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a miner waits for an answer before it goes on without.
const ANSWER: Duration = Duration::from_secs(3);

/// What the miners of a load counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    /// Answers that said true, by worker name.
    pub(crate) accepted: BTreeMap<String, u64>,
    /// Answers that said anything else.
    pub(crate) rejected: Vec<String>,
    /// Shares sent whose answer never came.
    pub(crate) unanswered: u64,
    /// Connections that ended.
    pub(crate) disconnects: u64,
}

impl Counts {
    pub(crate) fn accepted_sum(&self) -> u64 {
        self.accepted.values().sum()
    }
}

/// Running miners.
#[derive(Debug)]
pub(crate) struct Load {
    miners: Vec<JoinHandle<(String, Counts)>>,
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
}

impl Load {
    /// `count` miners with a connection each, all names different. A miner whose connection ends
    /// comes back at once.
    pub(crate) fn start(port: u16, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(AtomicU64::new(0));
        let miners = (0..count)
            .map(|index| {
                let (stop, accepted) = (Arc::clone(&stop), Arc::clone(&accepted));
                std::thread::spawn(move || {
                    let name = format!("{}.rig{index}", super::romp::ADDRESS);
                    let counts = mine(port, &name, &stop, &accepted);
                    (name, counts)
                })
            })
            .collect();
        Self { miners, stop, accepted }
    }

    /// Accepted answers so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Stops after the answers that are due, and counts.
    pub(crate) fn finish(self) -> Counts {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Counts::default();
        for miner in self.miners {
            let (name, counts) = miner.join().expect("a miner's thread");
            *all.accepted.entry(name).or_default() += counts.accepted_sum();
            all.rejected.extend(counts.rejected);
            all.unanswered += counts.unanswered;
            all.disconnects += counts.disconnects;
        }
        all
    }
}

fn mine(port: u16, name: &str, stop: &AtomicBool, accepted: &AtomicU64) -> Counts {
    let mut counts = Counts::default();
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut client) = Client::login(port, name) else {
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let share = client.share();
            match client.ask("mining.submit", &share, ANSWER) {
                Ok(Some(answer)) if answer["result"] == json!(true) => {
                    *counts.accepted.entry(name.to_owned()).or_default() += 1;
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(answer)) => counts.rejected.push(answer.to_string()),
                // Who read it died before it answered.
                Ok(None) => counts.unanswered += 1,
                Err(_) => {
                    counts.unanswered += 1;
                    counts.disconnects += 1;
                    break;
                }
            }
            // About 100 shares a second from each: a steady load that leaves the machine usable.
            std::thread::sleep(Duration::from_millis(8));
        }
    }
    counts
}

/// Connects again and again and counts how often the port refused.
#[derive(Debug)]
pub(crate) struct Connector {
    thread: JoinHandle<(u64, u64)>,
    stop: Arc<AtomicBool>,
}

impl Connector {
    pub(crate) fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut tries, mut refusals) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                tries += 1;
                if let Err(error) = TcpStream::connect(("127.0.0.1", port)) {
                    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
                    refusals += 1;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            (tries, refusals)
        });
        Self { thread, stop }
    }

    /// Stops; (tries, refusals).
    pub(crate) fn finish(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the connector's thread")
    }
}
