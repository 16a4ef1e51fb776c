//! Sockets, threads and the clock of the miner.

use super::Options;
use super::address::{SILENCE, connect, host_and_port};
use super::job::{Job, with_nonce};
use super::protocol::{Client, Event};
use super::way::Way;
use crate::net::connector::{Connector, Trust};
use crate::net::helper;
use crate::pow::Algorithm;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
const PROGRESS: Duration = Duration::from_secs(5);
/// How long to wait at the end for the answers to shares on their way.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longest line taken from a pool, bytes.
const LONGEST_LINE: u64 = 1 << 20;
/// How often the main thread looks at the clock and at signals.
const TICK: Duration = Duration::from_millis(100);

/// What threads tell the main thread.
enum Note {
    /// A line of the pool, on the connection of that number.
    Line(u64, String),
    /// That connection ended, and why.
    Closed(u64, String),
    /// A share was found.
    Share { job: Arc<Job>, extranonce2: Vec<u8>, nonce: u32 },
}

/// What the hashing threads share.
#[derive(Default)]
struct Bench {
    job: Mutex<Option<Arc<Job>>>,
    changed: Condvar,
    /// Counts changes of the job, so that a thread sees one without the lock.
    version: AtomicU64,
    /// Next value of our extranonce, over all threads and jobs.
    extranonce2: AtomicU64,
    hashes: AtomicU64,
}

impl Bench {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Job>>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, job: Option<Arc<Job>>) {
        *self.lock() = job;
        self.version.fetch_add(1, Relaxed);
        self.changed.notify_all();
    }

    /// The current job, waiting for one, and its version.
    fn wait(&self) -> (Arc<Job>, u64) {
        let mut slot = self.lock();
        loop {
            if let Some(job) = &*slot {
                return (Arc::clone(job), self.version.load(Relaxed));
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Hashes until nobody listens.
fn hash(bench: &Bench, algorithm: Algorithm, notes: &SyncSender<Note>) {
    // About 10 ms of work between looks at the job.
    let batch: u32 = match algorithm {
        Algorithm::Sha256 => 1 << 14,
        // Up to a second, and 512 MiB.
        Algorithm::ScryptJane(_) => 1,
        // 20 us to 10 ms.
        it if it.is_memory_hard() => 1 << 4,
        // Chains of up to 17 functions take 1 to 30 us.
        _ => 1 << 9,
    };
    loop {
        let (job, version) = bench.wait();
        let extranonce2 = job.extranonce.second(bench.extranonce2.fetch_add(1, Relaxed));
        let blank = job.header(algorithm, &extranonce2);
        let mut first = 0_u32;
        while bench.version.load(Relaxed) == version {
            for nonce in first..=first.saturating_add(batch - 1) {
                if job.target.is_met_by(&algorithm.hash(&with_nonce(blank, nonce))) {
                    let (job, extranonce2) = (Arc::clone(&job), extranonce2.clone());
                    if notes.send(Note::Share { job, extranonce2, nonce }).is_err() {
                        return;
                    }
                }
            }
            bench.hashes.fetch_add(batch.into(), Relaxed);
            match first.checked_add(batch) {
                Some(next) => first = next,
                // All nonces tried: the next value of our extranonce.
                None => break,
            }
        }
    }
}

/// Reads lines of one connection until it ends.
fn read(stream: Way, number: u64, notes: &SyncSender<Note>) {
    let mut reader = BufReader::new(stream);
    let reason = loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(_) if line.last() != Some(&b'\n') => {
                break if line.len() as u64 == LONGEST_LINE {
                    "the pool sent a line of more than 1 MiB".to_owned()
                } else {
                    "the pool closed the connection".to_owned()
                };
            }
            Ok(_) => {
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if !line.is_empty() && notes.send(Note::Line(number, line)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                break format!("the pool was silent for {} s", SILENCE.as_secs());
            }
            Err(error) => break format!("connection lost: {error}"),
        }
    };
    let _ = notes.send(Note::Closed(number, reason));
}

/// `12.3 kH/s`.
fn rate(per_second: f64) -> String {
    const UNITS: [&str; 5] = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s"];
    let mut value = per_second;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1000.0 && units.len() > 0 {
        value /= 1000.0;
        unit = units.next();
    }
    format!("{value:.1} {}", unit.unwrap_or(&""))
}

/// The main thread's state.
struct Shell<'a> {
    options: &'a Options,
    bench: Arc<Bench>,
    notes: SyncSender<Note>,
    host: String,
    port: u16,
    client: Client,
    /// What TLS is spoken with, if it is.
    tls: Option<Connector>,
    stream: Option<Way>,
    /// Number of the newest connection.
    connection: u64,
    retry_at: Option<Instant>,
    back_off: Duration,
    accepted: u64,
    rejected: u64,
    /// Shares of earlier connections that never got an answer: the pool may have counted them.
    unanswered: usize,
}

/// One line for the user on standard output; that nobody reads it is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "romp miner: {text}");
}

/// See [`super::run`].
pub(super) fn run(options: &Options) -> u8 {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            say(&format!("cannot listen to signals: {error}"));
            return 1;
        }
    }
    run_until(options, &stop)
}

/// Mines until the flag is set or time is up.
fn run_until(options: &Options, stop: &AtomicBool) -> u8 {
    let Some((host, port, says_tls)) = host_and_port(&options.url) else {
        say(&format!("`{}` is not stratum+tcp://host:port", options.url));
        return 2;
    };
    let trust = options.tls.clone().or(says_tls.then_some(Trust::Web));
    let tls = match trust.as_ref().map(Connector::new).transpose() {
        Ok(tls) => tls,
        Err(error) => {
            say(&error);
            return 2;
        }
    };
    // Small: the pool sets how often shares come, and hashing may wait for the line.
    let (sender, notes) = sync_channel(256);
    let bench = Arc::new(Bench::default());
    for index in 0..options.threads.max(1) {
        let (bench, sender, algorithm) = (Arc::clone(&bench), sender.clone(), options.algorithm);
        let body = move || hash(&bench, algorithm, &sender);
        if let Err(error) = helper::spawn(&format!("hash-{index}"), body) {
            say(&format!("cannot start hashing thread {index}: {error}"));
            return 1;
        }
    }
    let names = (host.as_str(), options.user.as_str(), options.password.as_str());
    let client = Client::new(options.algorithm, names, 0);
    let mut shell = Shell {
        options,
        bench,
        notes: sender,
        client,
        host,
        port,
        tls,
        stream: None,
        connection: 0,
        retry_at: Some(Instant::now()),
        back_off: Duration::from_secs(1),
        accepted: 0,
        rejected: 0,
        unanswered: 0,
    };
    shell.mine(&notes, stop)
}

impl Shell<'_> {
    /// The main loop; returns the exit code.
    fn mine(&mut self, notes: &Receiver<Note>, stop: &AtomicBool) -> u8 {
        let start = Instant::now();
        let end = self.options.seconds.and_then(|s| start.checked_add(Duration::from_secs(s)));
        let (mut shown_at, mut shown) = (start, 0);
        loop {
            let now = Instant::now();
            if stop.load(Relaxed) || end.is_some_and(|end| now >= end) {
                break;
            }
            if self.retry_at.is_some_and(|at| now >= at) {
                self.open();
            }
            if now - shown_at >= PROGRESS {
                let hashes = self.bench.hashes.load(Relaxed);
                self.progress("", hashes - shown, now - shown_at);
                (shown_at, shown) = (now, hashes);
            }
            if let Err(RecvTimeoutError::Disconnected) = self.turn(notes) {
                break;
            }
        }
        let hashes = self.bench.hashes.load(Relaxed);
        let took = start.elapsed();
        self.finish(notes);
        self.progress("finished: ", hashes, took);
        u8::from(!stop.load(Relaxed) && self.accepted == 0)
    }

    /// Waits a tick for one note and takes it.
    fn turn(&mut self, notes: &Receiver<Note>) -> Result<(), RecvTimeoutError> {
        match notes.recv_timeout(TICK) {
            Ok(Note::Line(number, line)) if number == self.connection => self.received(&line),
            Ok(Note::Closed(number, why)) if number == self.connection => self.lost(&why),
            Ok(Note::Share { job, extranonce2, nonce }) if self.stream.is_some() => {
                if let Some(line) = self.client.submit(&job, &extranonce2, nonce) {
                    self.send(&line);
                }
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
        }
        Ok(())
    }

    /// Stops hashing and hears the answers to what was sent, so that both sides count the same.
    fn finish(&mut self, notes: &Receiver<Note>) {
        self.bench.set(None);
        let until = Instant::now() + LAST_ANSWERS;
        while self.stream.is_some() && self.client.unanswered() > 0 && Instant::now() < until {
            match notes.recv_timeout(TICK) {
                Ok(Note::Line(number, line)) if number == self.connection => self.received(&line),
                Ok(Note::Closed(number, _)) if number == self.connection => break,
                _ => {}
            }
        }
        self.close();
    }

    fn progress(&self, prefix: &str, hashes: u64, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let per_second = hashes as f64 / took.as_secs_f64().max(0.001);
        let unanswered = match self.unanswered {
            0 => String::new(),
            count => format!(", without answer {count}"),
        };
        say(&format!(
            "{prefix}{}, accepted {}, rejected {}, difficulty {}{unanswered}",
            rate(per_second),
            self.accepted,
            self.rejected,
            self.client.difficulty()
        ));
    }

    /// Connects, starts the reader and says hello.
    fn open(&mut self) {
        self.retry_at = None;
        self.connection += 1;
        let names = (self.host.as_str(), self.options.user.as_str(), &*self.options.password);
        self.client = Client::new(self.options.algorithm, names, self.client.next_sequence());
        let opened = connect(&self.host, self.port, self.tls.as_ref()).and_then(|stream| {
            let (reading, notes, number) =
                (stream.try_clone()?, self.notes.clone(), self.connection);
            helper::spawn("read", move || read(reading, number, &notes))?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => {
                let how = if self.tls.is_some() { " with TLS" } else { "" };
                say(&format!("connected to {}:{}{how}", self.host, self.port));
                self.stream = Some(stream);
                self.send(&Client::hello());
            }
            Err(error) => {
                let (host, port) = (self.host.clone(), self.port);
                self.lost(&format!("cannot connect to {host}:{port}: {error}"));
            }
        }
    }

    fn close(&mut self) {
        self.bench.set(None);
        if let Some(stream) = self.stream.take() {
            self.unanswered += self.client.unanswered();
            stream.shut();
        }
    }

    /// The connection is gone: again after a while.
    fn lost(&mut self, why: &str) {
        self.close();
        say(&format!("{why}; again in {} s", self.back_off.as_secs()));
        self.retry_at = Some(Instant::now() + self.back_off);
        self.back_off = (self.back_off * 2).min(LONGEST_WAIT);
    }

    fn send(&mut self, line: &str) {
        let Some(stream) = &mut self.stream else { return };
        let sent = stream.write_all(format!("{line}\n").as_bytes());
        if let Err(error) = sent.and_then(|()| stream.flush()) {
            self.lost(&format!("cannot send: {error}"));
        }
    }

    fn received(&mut self, line: &str) {
        for event in self.client.receive(line) {
            match event {
                Event::Send(line) => self.send(&line),
                Event::Authorized => self.back_off = Duration::from_secs(1),
                Event::Job(job) => self.bench.set(Some(job)),
                Event::Accepted => self.accepted += 1,
                Event::Rejected(why) => {
                    self.rejected += 1;
                    say(&format!("share rejected: {why}"));
                }
                Event::Say(text) => say(&text),
                Event::Hopeless(why) => self.lost(&why),
                Event::Reconnect { port, wait } => {
                    self.port = port.unwrap_or(self.port);
                    self.close();
                    say(&format!("the pool asks to connect again in {wait} s"));
                    // A little later than at once, so that such requests cannot make a busy loop.
                    let wait = Duration::from_secs(wait).max(Duration::from_millis(500));
                    self.retry_at = Some(Instant::now() + wait);
                }
            }
            if self.stream.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
