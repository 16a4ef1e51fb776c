//! Slow loris and zombies beside honest miners: what those notice, what each connection costs, and
//! how long one stays.

use super::report::percentile;
use super::scenarios::{Bench, Scene, check, latencies};
use super::server::running;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Honest miners, and their shares a second.
const HONEST: usize = 200;
const SHARES: u64 = 200;
/// Connections of each kind.
const EACH: usize = 2000;
/// How often a slow loris sends a byte.
const PACE: Duration = Duration::from_secs(1);
const SUBSCRIBE: &[u8] = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";

/// One connection.
struct Guest {
    stream: TcpStream,
    /// Sends bytes of a line that has no end; else it has subscribed and is silent.
    is_loris: bool,
    since: Instant,
    /// How long it stayed.
    stayed: Option<Duration>,
}

/// All of them, in a thread of their own.
struct Guests {
    thread: JoinHandle<(Vec<u64>, Vec<u64>)>,
    /// Connections that are there.
    here: Arc<AtomicUsize>,
}

impl Guests {
    /// Connects all of both kinds.
    fn start(port: u16, each: usize) -> Self {
        let here = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&here);
        let thread = spawn(move || stay(port, each, &count));
        while here.load(Ordering::Relaxed) < 2 * each {
            assert!(!thread.is_finished(), "they did not come in");
            sleep(Duration::from_millis(20));
        }
        Self { thread, here }
    }
}

fn dial(port: u16) -> TcpStream {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = std::net::TcpStream::connect(target).expect("a connection");
    stream.set_nonblocking(true).expect("non-blocking");
    stream.set_nodelay(true).expect("no delay");
    TcpStream::from_std(stream)
}

/// Until the pool has ended them all: how long each stayed, the slow ones and the silent ones, ns,
/// sorted.
fn stay(port: u16, each: usize, here: &AtomicUsize) -> (Vec<u64>, Vec<u64>) {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(1024);
    let mut guests: Vec<Guest> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let begun = Instant::now();
    let (mut next, mut left) = (0, 2 * each);
    while left > 0 {
        for _ in 0..16 {
            let index = guests.len();
            if index == 2 * each {
                break;
            }
            let is_loris = index.is_multiple_of(2);
            let mut stream = dial(port);
            let first = if is_loris { &b"{"[..] } else { SUBSCRIBE };
            stream.write_all(first).expect("the first bytes");
            poll.registry().register(&mut stream, Token(index), Interest::READABLE).expect("epoll");
            guests.push(Guest { stream, is_loris, since: Instant::now(), stayed: None });
            here.fetch_add(1, Ordering::Relaxed);
        }
        let wait = if guests.len() < 2 * each { 1 } else { 20 };
        match poll.poll(&mut events, Some(Duration::from_millis(wait))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("epoll: {error}"),
            _ => {}
        }
        for event in &events {
            let guest = &mut guests[event.token().0];
            loop {
                match guest.stream.read(&mut buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Ok(count) if count > 0 => {}
                    _ => {
                        if guest.stayed.is_none() {
                            guest.stayed = Some(guest.since.elapsed());
                            left -= 1;
                            here.fetch_sub(1, Ordering::Relaxed);
                        }
                        break;
                    }
                }
            }
        }
        // A part of them at a time, so that the bytes are spread evenly.
        if guests.len() == 2 * each {
            let due = begun.elapsed().as_nanos() * guests.len() as u128 / PACE.as_nanos();
            let due = usize::try_from(due).expect("few").min(next + guests.len());
            for turn in next..due {
                let guest = &mut guests[turn % (2 * each)];
                if guest.is_loris && guest.stayed.is_none() {
                    let _ = guest.stream.write(b" ");
                }
            }
            next = due.max(next);
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{left} are still there");
    }
    let of = |is_loris: bool| {
        let kind = guests.iter().filter(|guest| guest.is_loris == is_loris);
        let mut times: Vec<u64> =
            kind.filter_map(|guest| Some(guest.stayed?.as_nanos() as u64)).collect();
        times.sort_unstable();
        times
    };
    (of(true), of(false))
}

impl Bench {
    /// 200 honest miners alone, then 2,000 slow loris and 2,000 zombies beside them.
    pub(crate) fn slow(&mut self) {
        let each = self.pick(500, EACH);
        let time = self.time(5, 12);
        let Scene { mut load, server, processes, stub: _stub, .. } = self.scene(&["sha256"], 1, 1);
        load.connect(HONEST, &server.ports);
        load.trickle(SHARES, Duration::from_secs(2));
        load.take();
        for (guests, what) in [(0, "alone"), (each, "beside them")] {
            let memory = server.memory(&processes, "worker");
            let guests = (guests > 0).then(|| Guests::start(server.ports[0], guests));
            let each_cost = guests.as_ref().map(|_| {
                // The pool has answered all.
                sleep(Duration::from_secs(1));
                let grown = server.memory(&processes, "worker").saturating_sub(memory);
                grown as f64 / (2 * each) as f64 / 1000.0
            });
            let before = running(&processes);
            load.trickle(SHARES, time);
            let spent = running(&processes)["worker"] - before["worker"];
            let counts = load.take();
            check(&counts);
            let mut figures = latencies(counts);
            figures.push(("worker's CPU ms/s", spent as f64 / 1e6 / time.as_secs_f64()));
            if let Some(guests) = &guests {
                figures.push(("here all the time", guests.here.load(Ordering::Relaxed) as f64));
            }
            figures.extend(each_cost.map(|cost| ("kB each", cost)));
            self.report.add("slow", format!("{HONEST} miners, {SHARES} shares/s, {what}"), figures);
            if let Some(guests) = guests {
                let (loris, zombies) = guests.thread.join().expect("guests");
                for (kind, stayed) in [("slow loris", loris), ("zombies", zombies)] {
                    let seconds = |share: f64| percentile(&stayed, share) / 1e9;
                    let figures = vec![("stayed s p50", seconds(0.5)), ("max", seconds(1.0))];
                    self.report.add("slow", format!("{} {kind}", stayed.len()), figures);
                }
            }
        }
    }
}
