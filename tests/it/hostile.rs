//! Whoever says what he likes, or nothing: workers live on, their memory stays as it was, and honest
//! miners notice nothing.
//!
//! `ROMP_HOSTILE=full` sends ten times the lines and opens five times the connections.

use crate::harness::wait_until;
use crate::harness::{ADDRESS, Client, Load, Pool, Romp, Stub, alone, free_port, seconds};
use fastrand::Rng;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const WORKERS: u16 = 2;
/// Lines of one connection: below the requests that a connection has in hand.
const LINES: usize = 200;
/// Bytes that a worker's memory may grow by while it is shouted at: buffers of sockets that are
/// open at the moment, and what the allocator keeps.
const GROWTH: u64 = 16 << 20;

fn full() -> bool {
    std::env::var("ROMP_HOSTILE").is_ok_and(|value| value == "full")
}

/// A pool on an easy port, and the port.
fn pool(stub: &Stub) -> (Romp, u16) {
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons());
    (Romp::start(WORKERS, &[&pool]), port)
}

/// Resident memory of each worker, bytes, by process id.
fn memory(romp: &Romp) -> Vec<(i32, u64)> {
    let mut pids = romp.pids("worker");
    pids.sort_unstable();
    let resident = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    pids.into_iter().map(|pid| (pid, resident(pid).unwrap_or_default() << 10)).collect()
}

fn assert_unharmed(before: &[(i32, u64)], romp: &Romp, what: &str) {
    let after = memory(romp);
    eprintln!("{what}: memory of workers by pid, before {before:?}, after {after:?}");
    assert_eq!(before.len(), after.len(), "{what}: a worker is gone");
    for ((pid, before), (now, after)) in before.iter().zip(&after) {
        assert_eq!(pid, now, "{what}: a worker died");
        let grown = after.saturating_sub(*before);
        assert!(grown <= GROWTH, "{what}: worker {pid} has grown by {grown} bytes");
    }
}

/// Times of an honest miner's answers, sorted.
struct Times(Vec<Duration>);

impl Times {
    /// Mines so many shares; each must be accepted.
    fn of(client: &mut Client, shares: usize) -> Self {
        let mut times = Vec::with_capacity(shares);
        for _ in 0..shares {
            let share = client.share();
            let start = Instant::now();
            let answer = client.request("mining.submit", &share).expect("an answer");
            times.push(start.elapsed());
            assert_eq!(answer["result"], json!(true), "{answer}");
        }
        times.sort_unstable();
        Self(times)
    }

    fn tell(&self, what: &str) {
        let at = |part: usize| self.0[(self.0.len() - 1) * part / 100];
        eprintln!("{what}: replies p50 {:?}, p99 {:?}, worst {:?}", at(50), at(99), at(100));
    }
}

/// Lines that honest firmware never sends.
fn odd_lines() -> Vec<Vec<u8>> {
    let submit =
        |params: &str| format!("{{\"id\":4,\"method\":\"mining.submit\",\"params\":{params}}}");
    let keys: Vec<String> = (0..1600).map(|key| format!("\"{key}\":0")).collect();
    let mut lines: Vec<Vec<u8>> = [
        format!("{{{}}}", keys.join(",")),
        format!("{{\"id\":1,\"method\":\"m\",\"params\":[{}]}}", "9".repeat(15_000)),
        format!("{{\"id\":{},\"method\":\"m\"}}", "9".repeat(3000)),
        "[".repeat(10_000),
        format!("{{\"params\":{}{}}}", "[".repeat(2000), "]".repeat(2000)),
        "[4,\"mining.submit\",[\"a\",\"b\",\"c\",\"d\",\"e\"]]".to_owned(),
        "{\"id\":1,\"id\":2,\"method\":\"mining.submit\",\"method\":\"mining.ping\"}".to_owned(),
        "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"\\ud800\",\"x\"]}".to_owned(),
        "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"a\\u0000b\",\"x\"]}".to_owned(),
        submit("[\"a\",\"0a1\",\"00000000\",\"00000000\",\"00000000\"]"),
        submit("[null,null,null,null,null]"),
        submit("{\"a\":[]}"),
        submit("[\"\",\"\",\"\",\"\",\"\",\"\"]"),
        "{\"id\":1,\"result\":true,\"error\":null}".to_owned(),
        "\r\r\r\r".to_owned(),
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    lines.push(b"{\"id\":1,\"method\":\"\xff\xfe\xc0\"}".to_vec());
    lines.push(vec![0; 500]);
    lines
}

/// What one hostile connection says: two bad lines, then one that is a request, over and over.
fn speech(rng: &mut Rng, odd: &[Vec<u8>]) -> Vec<u8> {
    let mut speech = Vec::new();
    for number in 0..LINES {
        let mut line = odd[rng.usize(0..odd.len())].clone();
        // Long ones would end the connection before it has said much.
        let long = line.len() > 3900 && number + 1 < LINES;
        match rng.u32(0..4) {
            _ if number % 3 == 2 => {
                line =
                    format!("{{\"id\":{number},\"method\":\"mining.ping\",\"params\":[]}}").into();
            }
            0 => line = (0..rng.usize(0..200)).map(|_| rng.u8(32..)).collect(),
            1 if !line.is_empty() => {
                let at = rng.usize(0..line.len());
                line[at] = rng.u8(..);
            }
            _ => {}
        }
        if long && number % 3 != 2 {
            line.truncate(200);
        }
        speech.extend(line.iter().filter(|byte| **byte != b'\n'));
        speech.push(b'\n');
    }
    speech
}

/// Says something and hears it out; the lines that were answered, and whether all was taken.
fn say(port: u16, speech: &[u8]) -> usize {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return 0 };
    stream.set_write_timeout(Some(seconds(10))).expect("a timeout");
    stream.set_read_timeout(Some(seconds(10))).expect("a timeout");
    let mut heard = Vec::new();
    if stream.write_all(speech).is_ok() {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let _ = stream.read_to_end(&mut heard);
    heard.iter().filter(|byte| **byte == b'\n').count()
}

/// Connections that speak, from several threads; the answers that they heard.
fn shout(port: u16, connections: usize) -> usize {
    const THREADS: usize = 4;
    let odd = odd_lines();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let odd = odd.clone();
            std::thread::spawn(move || {
                let mut rng = Rng::with_seed(number as u64);
                (0..connections / THREADS)
                    .map(|_| say(port, &speech(&mut rng, &odd)))
                    .sum::<usize>()
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
}

#[test]
fn hostile_lines_stop_no_worker_and_grow_no_memory() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (romp, port) = pool(&stub);
    let lines = if full() { 1_000_000 } else { 60_000 };
    // The first shouting fills what is kept: buffers, tables, the allocator's own.
    shout(port, 100);
    let before = memory(&romp);
    let honest = Load::start(port, 2);
    let start = Instant::now();
    let answers = shout(port, lines / LINES);
    eprintln!("{lines} hostile lines, {answers} answers, in {:?}", start.elapsed());
    assert!(answers > lines / 10, "{answers} answers: most of the lines were never heard");
    let counts = honest.finish();
    assert!(counts.accepted_sum() > 0, "the honest ones had nothing accepted");
    assert!(counts.rejected.is_empty() && counts.unanswered == 0, "{counts:?}");
    assert_unharmed(&before, &romp, "hostile lines");
}

/// Connections that end, stall or hurry in every way that a socket has.
#[test]
fn rude_connections_harm_nobody() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (romp, port) = pool(&stub);
    let before = memory(&romp);
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let mut kept = Vec::new();
    for round in 0..50 {
        // Half a line, and silence; half a line, and the end; half a line, and a reset.
        let mut half = connect();
        half.write_all(b"{\"id\":1,\"method\":\"mining.subs").expect("written");
        kept.push(half);
        connect().write_all(b"{\"id\":1,\"meth").expect("written");
        let mut reset = connect();
        reset
            .write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n{\"id")
            .expect("written");
        SockRef::from(&reset).set_linger(Some(Duration::ZERO)).expect("linger");
        drop(reset);
        // Asks for much and reads nothing.
        let mut deaf = connect();
        let ask = b"{\"id\":1,\"method\":\"mining.get_transactions\",\"params\":[]}\n".repeat(250);
        SockRef::from(&deaf).set_recv_buffer_size(2048).expect("a small buffer");
        deaf.write_all(&ask).expect("written");
        kept.push(deaf);
        // One byte a packet, line ends of all kinds.
        if round % 10 == 0 {
            let mut slow = connect();
            slow.set_nodelay(true).expect("no delay");
            for byte in b"\n\r\n\r\r\n\n{\"id\":7,\"method\":\"mining.ping\",\"params\":[]}\r\n" {
                slow.write_all(&[*byte]).expect("written");
            }
            slow.set_read_timeout(Some(seconds(20))).expect("a timeout");
            let expected = b"{\"id\":7,\"result\":\"pong\",\"error\":null}\n";
            let mut answer = vec![0; expected.len()];
            slow.read_exact(&mut answer).expect("an answer");
            assert_eq!(answer, expected);
        }
    }
    for line in odd_lines() {
        let mut speaker = connect();
        speaker.set_read_timeout(Some(seconds(20))).expect("a timeout");
        // The pool may close before all is written.
        let _ = speaker.write_all(&[&line[..], b"\n"].concat());
        let _ = speaker.shutdown(Shutdown::Write);
        let mut heard = Vec::new();
        let end = speaker.read_to_end(&mut heard);
        assert!(
            !end.as_ref().is_err_and(|error| matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut
            )),
            "the pool kept a connection whose other side had ended: {line:?}"
        );
    }
    // A share whose sender then ends its half is judged and answered all the same.
    let mut last = Client::login(port, ADDRESS).expect("login");
    let share = last.share();
    last.send("mining.submit", &share).expect("sent");
    let answer = last.last_answer().expect("an answer after a half-close");
    assert_eq!(answer["result"], json!(true), "{answer}");
    drop(kept);
    assert_unharmed(&before, &romp, "rude connections");
    wait_until("the rude ones to be forgotten", seconds(30), || {
        romp.miners().iter().map(|(_, miners)| miners).sum::<u64>() == 0
    });
}

#[test]
fn slow_ones_do_not_slow_the_honest() {
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    let stub = Stub::start(&["segwit"]);
    let (romp, port) = pool(&stub);
    let mut honest = Client::login(port, ADDRESS).expect("login");
    Times::of(&mut honest, 200).tell("before the slow ones");
    let before = memory(&romp);

    let count = if full() { 5000 } else { 1000 };
    let line = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"slow\"]}\n";
    let mut slow: Vec<TcpStream> = (0..count)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).expect("the port takes everybody"))
        .collect();
    let rounds = if full() { 20 } else { 5 };
    for (round, byte) in line.iter().take(rounds).enumerate() {
        for stream in &mut slow {
            // The pool may have given it up by now.
            let _ = stream.write_all(&[*byte]);
        }
        Times::of(&mut honest, 50).tell(&format!("{count} slow ones, byte {round}"));
        let mut newcomer = Client::login(port, ADDRESS).expect("a newcomer is served");
        Times::of(&mut newcomer, 5).tell("a newcomer among them");
    }
    let room = count as u64 * 4096;
    let after = memory(&romp);
    eprintln!("memory with {count} slow ones: before {before:?}, after {after:?}");
    for ((pid, before), (now, after)) in before.iter().zip(&after) {
        assert_eq!(pid, now, "a worker died");
        assert!(after.saturating_sub(*before) <= GROWTH + room, "{before} {after}");
    }
    drop(slow);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("as before");
}

/// Reliability S29, F55: what nobody reads is not kept, neither here nor in the kernel, which by
/// itself takes megabytes for each.
#[test]
fn deaf_ones_are_ended_and_cost_little() {
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e-6}), stub.daemons());
    let mut romp = Romp::prepare(WORKERS, &[&pool]);
    romp.set("limits", Some(json!({"output": 8192, "outputTimeout": 1})));
    romp.run();
    romp.wait_ready(usize::from(WORKERS));
    let mut honest = Client::login(port, ADDRESS).expect("login");
    let before = memory(&romp);
    let count = if full() { 1000 } else { 100 };
    // An answer has as many bytes as its question's id, and some.
    let id = "x".repeat(60);
    let ask = format!("{{\"id\":\"{id}\",\"method\":\"mining.get_transactions\"}}\n");
    let deaf: Vec<TcpStream> = (0..2 * count)
        .map(|number| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_recv_buffer_size(1024).expect("a small buffer");
            socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).expect("connected");
            let mut stream = TcpStream::from(socket);
            // 29 KB of answers, or 22: what the kernel takes, and more or less than `output`.
            let asked = if number < count { 295 } else { 225 };
            let _ = stream.write_all(ask.repeat(asked).as_bytes());
            stream
        })
        .collect();
    let ended = |cause: &str| {
        romp.status().and_then(|it| it["refused"][cause].as_u64()).unwrap_or_default()
    };
    Times::of(&mut honest, 100).tell(&format!("{} deaf ones", 2 * count));
    wait_until("all deaf ones to be ended", seconds(60), || {
        ended("output-full") + ended("output-old") >= 2 * count
    });
    eprintln!("full {}, old {}", ended("output-full"), ended("output-old"));
    assert!(ended("output-full") >= count && ended("output-old") > 0);
    assert_unharmed(&before, &romp, "deaf ones");
    drop(deaf);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("as before");
}
