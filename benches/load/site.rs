//! The web site under load while miners mine: what visitors wait, what miners notice of them.

use super::clients::Load;
use super::report::percentile;
use super::scenarios::Bench;
use super::server::Server;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use romp::history::Store;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

/// Miners, each a worker with a year of history; two of an address.
const MINERS: usize = 5000;
/// Shares a second of all miners.
const SHARES: u64 = 300;
/// Requests a second.
const REQUESTS: u64 = 500;
/// Connections that they come over, as from a proxy that keeps them.
const CONNECTIONS: u64 = 16;
/// Listeners of events.
const LISTENERS: usize = 2000;
/// Addresses that visitors have: far below 20 requests a second each.
const VISITORS: u64 = 5000;
const DAY: u64 = 86_400;

/// The name of a miner's worker.
pub(crate) fn name(miner: usize) -> String {
    format!("{}.{miner}", miner / 2)
}

/// A year of history for every miner, as detailed as `history` keeps it.
pub(crate) fn remember(data_dir: &Path, coin: &str, miners: usize) {
    let year = Duration::from_secs(365 * DAY);
    drop(Store::open(data_dir, coin, year).expect("a history"));
    let path = data_dir.join(format!("history/{coin}.sqlite"));
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let mut file = Connection::open(path).expect("the history's file");
    let all = file.transaction().expect("a transaction");
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        all.prepare_cached(sql).expect(sql).execute(values).expect(sql)
    };
    run("INSERT INTO meta VALUES ('trimmed', ?1)", params![now.cast_signed()]);
    for miner in 0..miners {
        let account = (miner / 2).cast_signed();
        let row = params![miner.cast_signed(), account, name(miner)];
        run("INSERT INTO worker (id, account, name) VALUES (?, ?, ?)", row);
        let row = params![account, account.to_string()];
        run("INSERT OR IGNORE INTO account (id, address) VALUES (?, ?)", row);
    }
    for (length, count) in [(60, 120), (600, 288), (3600, 720), (DAY, 365)] {
        let end = now / length * length;
        for slot in (0..count).rev() {
            let key = params![length.cast_signed(), (end - slot * length).cast_signed()];
            let sql = "INSERT INTO slot (length, at, account, worker, weight, shares, rejected) \
                       SELECT ?1, ?2, account, id, 123456, 60, 1 FROM worker ORDER BY account, id";
            run(sql, key);
            let sql = "INSERT INTO pool (length, at, weight, shares, rejected, workers) \
                       SELECT ?1, ?2, SUM(weight), SUM(shares), SUM(rejected), COUNT(*) FROM slot \
                       WHERE length = ?1 AND at = ?2";
            run(sql, key);
        }
    }
    all.commit().expect("the history");
}

/// Visitors: requests at a steady rate, whether or not the ones before were answered.
struct Visitors {
    threads: Vec<JoinHandle<Visited>>,
    stop: Arc<AtomicBool>,
}

/// What a thread of visitors saw.
#[derive(Default)]
struct Visited {
    /// Nanoseconds from the moment at which a request was due to the last byte of its answer.
    times: BTreeMap<&'static str, Vec<u64>>,
    bytes: u64,
    /// Answers that were no good, with one of them.
    bad: u64,
    words: String,
}

impl Visitors {
    fn start(port: u16, miners: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let threads = (0..CONNECTIONS)
            .map(|thread| {
                let stop = Arc::clone(&stop);
                spawn(move || visit((port, miners), thread, begun, &stop))
            })
            .collect();
        Self { threads, stop }
    }

    fn finish(self) -> Visited {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Visited::default();
        for thread in self.threads {
            let one = thread.join().expect("visitors");
            for (kind, times) in one.times {
                all.times.entry(kind).or_default().extend(times);
            }
            (all.bytes, all.bad) = (all.bytes + one.bytes, all.bad + one.bad);
            all.words = if one.bad > 0 { one.words } else { all.words };
        }
        all.times.values_mut().for_each(|times| times.sort_unstable());
        all
    }
}

fn visit((port, miners): (u16, usize), thread: u64, begun: Instant, stop: &AtomicBool) -> Visited {
    let agent = ureq::Agent::new_with_config(
        ureq::config::Config::builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build(),
    );
    let mut visited = Visited::default();
    let mut number = thread;
    while !stop.load(Ordering::Relaxed) {
        let due = begun + Duration::from_nanos(number * 1_000_000_000 / REQUESTS);
        sleep(due.saturating_duration_since(Instant::now()));
        // Which account is looked at: all of them in an order that jumps about.
        let account = number * 7919 % (miners as u64 / 2);
        let (kind, path) = match number / CONNECTIONS % 3 {
            0 => ("home", "/".to_owned()),
            1 => ("miner", format!("/miner/{account}")),
            _ => ("/api/stats", "/api/stats".to_owned()),
        };
        let address = Ipv4Addr::from_bits(0x0a00_0000 + (number % VISITORS) as u32);
        let answer = agent
            .get(format!("http://127.0.0.1:{port}{path}"))
            .header("accept-encoding", "gzip")
            .header("x-forwarded-for", address.to_string())
            .call();
        let answer = answer.map_err(|error| error.to_string()).and_then(|mut answer| {
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec();
            let body = body.map_err(|error| error.to_string())?;
            let packed = answer.headers().get("content-encoding").is_some_and(|it| it == "gzip");
            match status == 200 && packed {
                true => Ok(body.len()),
                false => Err(format!("{path}: {status}, gzip {packed}")),
            }
        });
        match answer {
            Ok(length) => {
                let took = u64::try_from(due.elapsed().as_nanos()).expect("a short time");
                visited.times.entry(kind).or_default().push(took);
                visited.bytes += length as u64;
            }
            Err(words) => (visited.bad, visited.words) = (visited.bad + 1, words),
        }
        number += CONNECTIONS;
    }
    visited
}

/// Those who listen to events.
struct Listeners {
    thread: JoinHandle<Vec<Heard>>,
    stop: Arc<AtomicBool>,
}

/// What one of them heard once all were there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    lines: u64,
    bytes: u64,
    ended: bool,
}

impl Listeners {
    /// Connects all, and waits until each has heard the first numbers.
    fn start(port: u16, path: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, tell) = (Arc::new(AtomicBool::new(false)), Arc::clone(&stop));
        let ready = Arc::clone(&told);
        let thread = spawn(move || listen(port, path, &ready, &tell));
        while !told.load(Ordering::Relaxed) {
            assert!(!thread.is_finished(), "the listeners did not come in");
            sleep(Duration::from_millis(20));
        }
        Self { thread, stop }
    }

    fn finish(self) -> Vec<Heard> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("listeners")
    }
}

fn listen(port: u16, path: &str, ready: &AtomicBool, stop: &AtomicBool) -> Vec<Heard> {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(1024);
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut all = vec![Heard::default(); LISTENERS];
    let mut buffer = vec![0; 256 * 1024];
    let (mut quiet_since, mut begun) = (Instant::now(), false);
    loop {
        // A few at a time: a listening socket's queue is short.
        while streams.len() < LISTENERS
            && streams.len() - all.iter().filter(|heard| heard.bytes > 0).count() < 64
        {
            let index = streams.len();
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let stream = std::net::TcpStream::connect(target).expect("a listener's connection");
            let address = Ipv4Addr::from_bits(0x0a10_0000 + index as u32);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n\r\n"
            );
            (&stream).write_all(request.as_bytes()).expect("a listener's request");
            stream.set_nonblocking(true).expect("non-blocking");
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE).expect("epoll");
            streams.push(stream);
        }
        match poll.poll(&mut events, Some(Duration::from_millis(50))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("epoll: {error}"),
            _ => {}
        }
        for event in &events {
            let index = event.token().0;
            quiet_since = Instant::now();
            loop {
                match streams[index].read(&mut buffer) {
                    Ok(0) => {
                        all[index].ended = true;
                        break;
                    }
                    Ok(count) => {
                        let lines = buffer[..count].iter().filter(|byte| **byte == b'\n').count();
                        all[index].lines += lines as u64;
                        all[index].bytes += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => {
                        all[index].ended = true;
                        break;
                    }
                }
            }
        }
        // Counting begins in a pause between two events, and ends in one: all have heard the same.
        let quiet = quiet_since.elapsed() > Duration::from_millis(1500);
        let there = streams.len() == LISTENERS && all.iter().all(|heard| heard.bytes > 0);
        if !begun && there && quiet {
            begun = true;
            all.fill(Heard::default());
            ready.store(true, Ordering::Relaxed);
        }
        if stop.load(Ordering::Relaxed) && quiet {
            return all;
        }
    }
}

/// `/metrics` as numbers by series.
fn metrics(port: u16) -> BTreeMap<String, f64> {
    let mut answer = ureq::get(format!("http://127.0.0.1:{port}/metrics")).call().expect("metrics");
    let text = answer.body_mut().read_to_string().expect("metrics");
    let line = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

/// The 99 % quantile of what workers answered between two looks, ms: the bound of its bucket.
fn reply_p99(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> f64 {
    let mut buckets: BTreeMap<u64, f64> = BTreeMap::new();
    for (series, value) in after {
        let Some(rest) = series.strip_prefix("romp_share_reply_seconds_bucket{") else { continue };
        let bound = rest.split("le=\"").nth(1).and_then(|it| it.split('"').next());
        let bound: f64 = bound.expect("a bound").parse().unwrap_or(f64::INFINITY);
        let us = if bound.is_finite() { (bound * 1e6).round() as u64 } else { u64::MAX };
        *buckets.entry(us).or_default() += value - before.get(series).copied().unwrap_or(0.0);
    }
    let all = buckets.values().next_back().copied().unwrap_or(0.0);
    let found = buckets.iter().find(|(_, below)| **below >= 0.99 * all);
    found.map_or(0.0, |(us, _)| *us as f64 / 1000.0)
}

/// Shares of all miners for a time: latencies sorted, and the workers' own 99 %.
fn shares(load: &mut Load, server: &Server, time: Duration) -> (Vec<u64>, f64) {
    load.take();
    // A look of the site before and after: it shows what it saw last.
    let before = metrics(server.site());
    load.trickle(SHARES, time);
    let counts = load.take();
    assert_eq!((counts.rejected, counts.lost), (0, 0), "{}", counts.words);
    load.listen(Duration::from_secs(6));
    let after = metrics(server.site());
    let mut latencies = counts.latencies;
    latencies.sort_unstable();
    (latencies, reply_p99(&before, &after))
}

impl Bench {
    /// 5,000 miners with a year of history; then 2,000 listeners and 500 requests a second beside.
    pub(crate) fn site(&mut self) {
        let miners = self.pick(1000, MINERS);
        let (mut load, server, _stub) = self.site_scene(miners);
        load.named = Some(name);
        load.connect(miners, &server.ports);
        // Everybody has mined, and the site has seen it.
        load.trickle(1000, Duration::from_millis(miners as u64));
        load.take();
        server.wait_for_site();
        let time = Duration::from_secs(self.pick(10, 45) as u64);
        let (alone, alone_p99) = shares(&mut load, &server, time);
        let ms = |times: &[u64], share: f64| percentile(times, share) / 1e6;
        let figures = vec![
            ("share ms p50", ms(&alone, 0.5)),
            ("p99", ms(&alone, 0.99)),
            ("p99.9", ms(&alone, 0.999)),
            ("worker's p99 below", alone_p99),
            ("site RSS MB", server.site_memory() as f64 / 1e6),
        ];
        let what = format!("{miners} miners, {SHARES} shares/s, no visitors");
        self.report.add("site", what, figures);
        for path in ["/api/live_stats", "/api/v1/events"] {
            if !answers(server.site(), path) {
                continue;
            }
            let listeners = Listeners::start(server.site(), path);
            let visitors = Visitors::start(server.site(), miners);
            let (beside, beside_p99) = shares(&mut load, &server, time);
            let memory = server.site_memory();
            let visited = visitors.finish();
            let heard = listeners.finish();
            let dropped = heard.iter().filter(|heard| heard.ended).count();
            let most = heard.iter().map(|heard| heard.lines).max().unwrap_or(0);
            let behind = heard.iter().filter(|heard| heard.lines < most).count();
            let what = format!("and {LISTENERS} listeners of {path}");
            let figures = vec![
                ("share ms p50", ms(&beside, 0.5)),
                ("p99", ms(&beside, 0.99)),
                ("p99.9", ms(&beside, 0.999)),
                ("worker's p99 below", beside_p99),
                ("site RSS MB", memory as f64 / 1e6),
                ("listeners dropped", dropped as f64),
                ("behind", behind as f64),
                (
                    "MB each heard",
                    heard.iter().map(|it| it.bytes).sum::<u64>() as f64 / 1e6 / LISTENERS as f64,
                ),
            ];
            self.report.add("site", what, figures);
            let answered: usize = visited.times.values().map(Vec::len).sum();
            for (kind, times) in &visited.times {
                let figures = vec![
                    ("ms p50", ms(times, 0.5)),
                    ("p99", ms(times, 0.99)),
                    ("max", ms(times, 1.0)),
                    ("answers", times.len() as f64),
                ];
                self.report.add("site", format!("{kind}, of {REQUESTS} requests/s"), figures);
            }
            let figures = vec![
                ("answers", answered as f64),
                ("bad", visited.bad as f64),
                ("MB", visited.bytes as f64 / 1e6),
            ];
            self.report.add("site", "all requests".to_owned(), figures);
            if visited.bad > 0 {
                println!("one bad answer: {}", visited.words);
            }
        }
    }
}

/// Whether a path is there. (The body of events has no end.)
fn answers(port: u16, path: &str) -> bool {
    let answer = ureq::get(format!("http://127.0.0.1:{port}{path}")).call();
    answer.is_ok_and(|answer| answer.status().as_u16() == 200)
}
