//! Honest miners that keep a book of what they sent and what they were told.
//!
//! Each connection has a worker name of its own, so that the journals can be compared connection by
//! connection: all that was acknowledged must be there, and no more than what else was in flight
//! when the connection ended. On regtest half of all hashes are blocks; a miner leaves them out
//! unless it takes one of the tickets that the campaign gives out.

use crate::harness::{ADDRESS, Attempt, Client};
use crate::random::Random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a miner waits for an answer before it hangs up. A stopped process is woken sooner.
const PATIENCE: Duration = Duration::from_secs(40);

/// Shares by difficulty, as the bits of its float: the pool's difficulties are exact numbers.
pub(crate) type Shares = BTreeMap<u64, u64>;

/// What one connection was told.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) accepted: Shares,
    /// The connection ended first.
    pub(crate) unanswered: Shares,
    /// Refused because it could not be recorded.
    pub(crate) unrecorded: Shares,
}

/// What the finder of a block was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted,
    Unanswered,
    Refused(String),
}

/// What all miners say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) accounts: Vec<Account>,
    /// By block hash: what the finder was told, and when it was sent.
    pub(crate) finds: BTreeMap<String, (Fate, Instant)>,
    /// Refusals by their words.
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) connections: u64,
    pub(crate) sent: u64,
    /// Connections that the miner did not end itself.
    pub(crate) cut_off: u64,
}

impl Report {
    fn take(&mut self, other: Self) {
        self.accounts.extend(other.accounts);
        self.finds.extend(other.finds);
        for (words, count) in other.refused {
            *self.refused.entry(words).or_default() += count;
        }
        self.connections += other.connections;
        self.sent += other.sent;
        self.cut_off += other.cut_off;
    }
}

/// What miners and campaign tell each other while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    pub(crate) port: AtomicU16,
    /// A second port, or 0.
    pub(crate) second_port: AtomicU16,
    /// Blocks that may be found now.
    pub(crate) tickets: AtomicU64,
    /// Miners leave as they like.
    pub(crate) restless: AtomicBool,
    pub(crate) sent: AtomicU64,
    /// Accepted shares of each miner.
    pub(crate) accepted: Vec<AtomicU64>,
}

impl Shared {
    pub(crate) fn new(clients: usize, port: u16) -> Self {
        let accepted = (0..clients).map(|_| AtomicU64::default()).collect();
        Self { port: port.into(), accepted, ..Self::default() }
    }

    /// Accepted shares of each miner.
    pub(crate) fn served(&self) -> Vec<u64> {
        self.accepted.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// The running miners.
#[derive(Debug)]
pub(crate) struct Load {
    rigs: Vec<JoinHandle<Report>>,
    shared: Arc<Shared>,
}

impl Load {
    /// Starts them; together they send `rate` shares a second.
    pub(crate) fn start(shared: &Arc<Shared>, rate: f64, random: &mut Random) -> Self {
        let clients = shared.accepted.len();
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let period = Duration::from_secs_f64(clients as f64 / rate);
        let rigs = (0..clients)
            .map(|index| {
                let rig = Rig {
                    index,
                    period,
                    random: random.fork(),
                    shared: Arc::clone(shared),
                    report: Report::default(),
                };
                std::thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn(move || rig.run())
                    .expect("a thread")
            })
            .collect();
        Self { rigs, shared: Arc::clone(shared) }
    }

    /// Stops after the answers that are due.
    pub(crate) fn finish(self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for rig in self.rigs {
            all.take(rig.join().expect("a miner's thread"));
        }
        all
    }
}

/// One miner.
struct Rig {
    index: usize,
    period: Duration,
    random: Random,
    shared: Arc<Shared>,
    report: Report,
}

/// A share whose answer has not come.
struct Sent {
    id: u64,
    difficulty: u64,
    /// Its hash if it is a block.
    block: Option<String>,
    at: Instant,
}

/// How a connection came to its end.
enum End {
    Own,
    CutOff,
}

impl Rig {
    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn run(mut self) -> Report {
        let [high, low] = u16::try_from(self.index + 1).unwrap_or(u16::MAX).to_be_bytes();
        let source = Ipv4Addr::new(127, 77, high, low);
        while !self.stopped() {
            let name = format!("{ADDRESS}.m{}-{}", self.index, self.report.connections);
            let mut port = self.shared.port.load(Ordering::Relaxed);
            let second = self.shared.second_port.load(Ordering::Relaxed);
            if second != 0 && self.random.once_in(3) {
                port = second;
            }
            let client = Client::connect_from(source, port)
                .and_then(|client| client.scrypt().logged_in(&name));
            let Ok(mut client) = client else {
                std::thread::sleep(self.random.time(20, 400));
                continue;
            };
            self.report.connections += 1;
            let mut account = Account { name, ..Account::default() };
            let mut flying = Vec::new();
            if let End::CutOff = self.mine(&mut client, &mut account, &mut flying) {
                self.report.cut_off += 1;
            }
            for share in flying {
                *account.unanswered.entry(share.difficulty).or_default() += 1;
                if let Some(hash) = share.block {
                    self.report.finds.insert(hash, (Fate::Unanswered, share.at));
                }
            }
            self.report.accounts.push(account);
        }
        self.report
    }

    fn mine(&mut self, client: &mut Client, account: &mut Account, flying: &mut Vec<Sent>) -> End {
        let mut next = Instant::now();
        loop {
            if self.stopped() && flying.is_empty() {
                return End::Own;
            }
            if flying.first().is_some_and(|share| share.at.elapsed() > PATIENCE) {
                return End::CutOff;
            }
            let wait = next.saturating_duration_since(Instant::now());
            if self.stopped() || !wait.is_zero() {
                let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(500));
                match client.message(wait) {
                    Ok(Some(message)) => self.hear(&message, account, flying),
                    Ok(None) => {}
                    Err(_) => return End::CutOff,
                }
                continue;
            }
            let jitter = self.random.time(500, 1500).as_secs_f64();
            next = Instant::now() + self.period.mul_f64(jitter);
            let Some(share) = self.find(client) else { continue };
            let block = share.block;
            match client.send("mining.submit", &share.attempt.share) {
                Ok(id) => {
                    let difficulty = share.attempt.wanted.to_bits();
                    let at = Instant::now();
                    let block = block.then_some(share.attempt.hash);
                    flying.push(Sent { id, difficulty, block, at });
                }
                Err(_) => {
                    // Some of it may have left all the same.
                    let difficulty = share.attempt.wanted.to_bits();
                    let block = block.then_some(share.attempt.hash);
                    flying.push(Sent { id: 0, difficulty, block, at: Instant::now() });
                    return End::CutOff;
                }
            }
            self.report.sent += 1;
            self.shared.sent.fetch_add(1, Ordering::Relaxed);
            if self.shared.restless.load(Ordering::Relaxed) && self.random.once_in(60) {
                if self.random.once_in(2) {
                    return End::Own; // with an answer on its way
                }
                client.stream().shutdown(Shutdown::Write).ok();
                while flying.first().is_some_and(|share| share.at.elapsed() < PATIENCE) {
                    match client.message(Duration::from_millis(200)) {
                        Ok(Some(message)) => self.hear(&message, account, flying),
                        Ok(None) => {}
                        Err(_) => break,
                    }
                }
                return End::Own;
            }
        }
    }

    fn find(&mut self, client: &mut Client) -> Option<Find> {
        client.job.as_ref()?;
        let tickets = &self.shared.tickets;
        let take = |left: u64| left.checked_sub(1);
        let block = tickets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let attempt = client.search(|meets, wanted, network| {
            // Away from both borders, which floats do not know exactly.
            let is_share = meets >= wanted * 1.000_001;
            let is_block = meets >= network * 1.000_001;
            is_share && is_block == block && (block || meets < network * 0.999_999)
        });
        Some(Find { attempt, block })
    }

    fn hear(&mut self, message: &Value, account: &mut Account, flying: &mut Vec<Sent>) {
        let id = message["id"].as_u64().unwrap_or_default();
        let Some(place) = flying.iter().position(|share| share.id == id && id != 0) else { return };
        let share = flying.remove(place);
        if message["result"] == json!(true) {
            *account.accepted.entry(share.difficulty).or_default() += 1;
            if let Some(count) = self.shared.accepted.get(self.index) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(hash) = share.block {
                self.report.finds.insert(hash, (Fate::Accepted, share.at));
            }
            return;
        }
        let error = &message["error"];
        let words = error[1].as_str().map_or_else(|| error.to_string(), str::to_owned);
        if words.contains("storage") {
            *account.unrecorded.entry(share.difficulty).or_default() += 1;
        }
        if let Some(hash) = share.block {
            self.report.finds.insert(hash, (Fate::Refused(words.clone()), share.at));
        }
        *self.report.refused.entry(words).or_default() += 1;
    }
}

/// A share, and whether it is a block.
struct Find {
    attempt: Attempt,
    block: bool,
}
