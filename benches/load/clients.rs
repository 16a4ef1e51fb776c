//! The load: thousands of miners in one thread that cost little, with lines made by patching a few
//! digits, and arrival times as the kernel stamped them.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSliceMut, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

/// Miners of one source address.
const AN_ADDRESS: usize = 200;
/// Handshakes under way at once: below the listening socket's queue.
const AT_ONCE: usize = 1000;

/// How far a miner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connecting,
    Subscribing,
    Authorizing,
    Mining,
}

#[derive(Debug)]
struct Miner {
    stream: TcpStream,
    step: Step,
    name: String,
    /// A line that has no end yet.
    rest: Vec<u8>,
    /// What stands before the nonce in a share's line, where the extranonce2 is in it, and the
    /// nonce.
    prefix: Vec<u8>,
    extranonce2: usize,
    nonce: u32,
    /// Nanoseconds at which open shares were sent.
    sent: VecDeque<u64>,
}

/// What was counted since the last [`Load::take`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) stale: u64,
    pub(crate) rejected: u64,
    /// One of the refusals, in the pool's words.
    pub(crate) words: String,
    /// Nanoseconds from a share's write to its answer's arrival.
    pub(crate) latencies: Vec<u64>,
    /// Arrival of the first and last clean job, unix nanoseconds, and how many came.
    pub(crate) first_job: u64,
    pub(crate) last_job: u64,
    pub(crate) jobs: usize,
    pub(crate) lost: usize,
    /// Shares without an answer, where that is allowed.
    pub(crate) unanswered: usize,
}

/// The miners.
#[derive(Debug)]
pub(crate) struct Load {
    poll: Poll,
    events: Events,
    miners: Vec<Miner>,
    buffer: Vec<u8>,
    control: Vec<u8>,
    ready: usize,
    /// Shares in flight that each miner keeps up; 0: none by itself.
    flight: usize,
    /// Every share has an extranonce2 of its own, as those of large machines at their proper
    /// difficulty; else a miner's shares differ in the nonce.
    pub(crate) fresh: bool,
    /// What miners call themselves by their number; else all are rigs of one address.
    pub(crate) named: Option<fn(usize) -> String>,
    /// Answers may be missing.
    pub(crate) lenient: bool,
    counts: Counts,
}

/// Unix nanoseconds.
pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, nanoseconds)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Load {
    pub(crate) fn new() -> Self {
        Self {
            poll: Poll::new().expect("epoll"),
            events: Events::with_capacity(1024),
            miners: Vec::new(),
            buffer: vec![0; 64 * 1024],
            control: nix::cmsg_space!(nix::sys::time::TimeSpec, nix::sys::time::TimeSpec),
            ready: 0,
            flight: 0,
            fresh: false,
            named: None,
            lenient: false,
            counts: Counts::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.miners.len()
    }

    /// Connects, subscribes and authorises `count` miners, over the ports in turn. How long it took.
    pub(crate) fn connect(&mut self, count: usize, ports: &[u16]) -> Duration {
        let begun = now();
        let goal = self.miners.len() + count;
        while self.ready < goal {
            while self.miners.len() < goal && self.miners.len() - self.ready < AT_ONCE {
                let port = ports[self.miners.len() % ports.len()];
                self.dial(port);
            }
            self.turn(100);
            assert!(now() - begun < 60_000_000_000, "{} of {goal} came in", self.ready);
        }
        Duration::from_nanos(now() - begun)
    }

    fn dial(&mut self, port: u16) {
        let index = self.miners.len();
        let part = u8::try_from(2 + index / AN_ADDRESS).expect("few addresses");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("socket");
        let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, part), 0));
        socket.bind(&SockAddr::from(source)).expect("a source address");
        socket.set_nonblocking(true).expect("non-blocking");
        socket.set_tcp_nodelay(true).expect("no delay");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("time stamps");
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match socket.connect(&SockAddr::from(target)) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => {
                panic!("cannot connect: {error}")
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(std::net::TcpStream::from(socket));
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), both).expect("epoll");
        self.miners.push(Miner {
            stream,
            step: Step::Connecting,
            name: self.named.map_or_else(
                || format!("{}.rig{index}", super::server::ADDRESS),
                |name| name(index),
            ),
            rest: Vec::new(),
            prefix: Vec::new(),
            extranonce2: 0,
            nonce: 0,
            sent: VecDeque::new(),
        });
    }

    /// Waits for events, at most `wait` milliseconds, and deals with them.
    fn turn(&mut self, wait: u64) {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(wait))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("epoll: {error}"),
            _ => {}
        }
        let Self { events, miners, buffer, control, ready, flight, fresh, counts, .. } = self;
        for event in &*events {
            let Some(miner) = miners.get_mut(event.token().0) else { continue };
            if miner.step == Step::Connecting && event.is_writable() {
                miner.step = Step::Subscribing;
                miner.say(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"bench/1\"]}\n");
            }
            if event.is_readable() {
                let before = miner.step;
                miner.hear(buffer, control, counts);
                if before != Step::Mining && miner.step == Step::Mining {
                    *ready += 1;
                }
                if *flight > miner.sent.len() {
                    miner.submit(*flight - miner.sent.len(), *fresh, buffer);
                }
            }
        }
    }

    /// Keeps `flight` shares of each miner in flight for a time.
    pub(crate) fn mine(&mut self, flight: usize, time: Duration) {
        self.flight = flight;
        for miner in &mut self.miners {
            let missing = flight.saturating_sub(miner.sent.len());
            miner.submit(missing, self.fresh, &mut self.buffer);
        }
        let end = now() + nanoseconds(time);
        while now() < end {
            self.turn(10);
        }
    }

    /// Sends no more, and waits for the answers that are due.
    pub(crate) fn rest(&mut self) {
        self.flight = 0;
        let end = now() + 10_000_000_000;
        while self.miners.iter().any(|miner| !miner.sent.is_empty()) {
            self.turn(10);
            if now() < end {
                continue;
            }
            assert!(self.lenient, "answers are missing");
            for miner in &mut self.miners {
                self.counts.unanswered += std::mem::take(&mut miner.sent).len();
            }
        }
    }

    /// `rate` shares a second of all miners together, evenly, for a time.
    pub(crate) fn trickle(&mut self, rate: u64, time: Duration) {
        let begun = now();
        let total = rate * nanoseconds(time) / 1_000_000_000;
        let mut index = 0;
        for number in 0..total {
            let due = begun + number * 1_000_000_000 / rate;
            loop {
                let early = due.saturating_sub(now());
                self.turn(early / 1_000_000);
                if early < 1_000_000 {
                    break;
                }
            }
            // A step that shares no factor with the number of miners: all have their turn.
            index = (index + 7919) % self.miners.len();
            self.miners[index].submit(1, self.fresh, &mut self.buffer);
        }
        self.rest();
    }

    /// Hears what comes for a time.
    pub(crate) fn listen(&mut self, time: Duration) {
        let end = now() + nanoseconds(time);
        while now() < end {
            self.turn(10);
        }
    }

    /// Hears until so many clean jobs have come.
    pub(crate) fn wait_for_jobs(&mut self, jobs: usize) {
        let end = now() + 10_000_000_000;
        while self.counts.jobs < jobs {
            self.turn(10);
            assert!(now() < end, "{} jobs of {jobs} came", self.counts.jobs);
        }
    }

    /// What was counted; counting begins anew.
    pub(crate) fn take(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}

impl Miner {
    fn say(&mut self, bytes: &[u8]) {
        match self.stream.write(bytes) {
            Ok(count) if count == bytes.len() => {}
            other => panic!("{}: cannot write: {other:?}", self.name),
        }
    }

    fn submit(&mut self, count: usize, fresh: bool, buffer: &mut Vec<u8>) {
        if count == 0 || self.prefix.is_empty() {
            return;
        }
        buffer.clear();
        for _ in 0..count {
            self.nonce += 1;
            let digits: [u8; 8] = std::array::from_fn(|place| {
                let value = (self.nonce >> (28 - 4 * place)) as u8 & 15;
                b"0123456789abcdef"[usize::from(value)]
            });
            if fresh {
                self.prefix[self.extranonce2..][..8].copy_from_slice(&digits);
            }
            buffer.extend_from_slice(&self.prefix);
            buffer.extend_from_slice(&digits);
            buffer.extend_from_slice(b"\"]}\n");
        }
        let at = now();
        let (length, sent) = (buffer.len(), self.stream.write(buffer));
        buffer.resize(64 * 1024, 0);
        assert_eq!(sent.expect("a share"), length, "the pool does not read");
        self.sent.extend(std::iter::repeat_n(at, count));
    }

    fn hear(&mut self, buffer: &mut [u8], control: &mut [u8], counts: &mut Counts) {
        loop {
            let mut parts = [IoSliceMut::new(buffer)];
            let descriptor = self.stream.as_raw_fd();
            let got = recvmsg::<()>(descriptor, &mut parts, Some(control), MsgFlags::empty());
            let (count, at) = match got {
                Err(nix::errno::Errno::EAGAIN) => return,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => panic!("{}: {error}", self.name),
                Ok(message) => {
                    let stamp =
                        message.cmsgs().ok().into_iter().flatten().find_map(|one| match one {
                            ControlMessageOwned::ScmTimestampns(time) => Some(time),
                            _ => None,
                        });
                    let at = stamp.map_or_else(now, |time| nanoseconds(time.into()));
                    (message.bytes, at)
                }
            };
            if count == 0 {
                counts.lost += 1;
                return;
            }
            let mut bytes = &buffer[..count];
            if !self.rest.is_empty() {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let (head, tail) = bytes.split_at(end.map_or(count, |end| end + 1));
                self.rest.extend_from_slice(head);
                bytes = tail;
                if end.is_none() {
                    continue;
                }
                let line = std::mem::take(&mut self.rest);
                self.take(&line, at, counts);
            }
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                let (line, tail) = bytes.split_at(end + 1);
                bytes = tail;
                self.take(line, at, counts);
            }
            self.rest.extend_from_slice(bytes);
            if count < buffer.len() {
                return;
            }
        }
    }

    fn take(&mut self, line: &[u8], at: u64, counts: &mut Counts) {
        if line.starts_with(b"{\"id\":null") {
            if line.get(10..).is_some_and(|rest| rest.starts_with(b",\"method\":\"mining.notify\""))
            {
                self.job(line, at, counts);
            }
            return;
        }
        let good = line.windows(13).take(16).any(|part| part == b"\"result\":true");
        match self.step {
            Step::Subscribing => {
                self.step = Step::Authorizing;
                let line = format!(
                    "{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{}\",\"x\"]}}\n",
                    self.name
                );
                self.say(line.as_bytes());
            }
            Step::Authorizing => {
                assert!(good, "{}", String::from_utf8_lossy(line));
                self.step = Step::Mining;
            }
            Step::Connecting | Step::Mining => {
                if let Some(sent) = self.sent.pop_front() {
                    counts.latencies.push(at.saturating_sub(sent));
                }
                if good {
                    counts.accepted += 1;
                } else if line.windows(4).any(|part| part == b"[21,") {
                    counts.stale += 1;
                } else {
                    counts.rejected += 1;
                    counts.words = String::from_utf8_lossy(line).trim().to_owned();
                }
            }
        }
    }

    /// Takes the job's id and time over into the lines of shares.
    fn job(&mut self, line: &[u8], at: u64, counts: &mut Counts) {
        let texts: Vec<&[u8]> = line.split(|byte| *byte == b'"').collect();
        let id = texts.iter().position(|text| *text == b"params").and_then(|at| texts.get(at + 2));
        let time = texts.len().checked_sub(2).and_then(|at| texts.get(at));
        let (Some(id), Some(time)) = (id, time) else { panic!("a job without an id") };
        self.prefix.clear();
        self.prefix.extend_from_slice(b"{\"id\":1234,\"method\":\"mining.submit\",\"params\":[\"");
        self.prefix.extend_from_slice(self.name.as_bytes());
        for part in [id, &b"00000000"[..], time] {
            self.prefix.extend_from_slice(b"\",\"");
            self.prefix.extend_from_slice(part);
        }
        self.extranonce2 = self.prefix.len() - time.len() - 3 - 8;
        self.prefix.extend_from_slice(b"\",\"");
        if line.ends_with(b"true]}\n") {
            counts.jobs += 1;
            counts.last_job = counts.last_job.max(at);
            counts.first_job = if counts.first_job == 0 { at } else { counts.first_job.min(at) };
        }
    }
}
