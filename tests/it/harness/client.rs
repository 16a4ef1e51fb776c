//! A stratum client that does the protocol by hand, as an independent witness of the pool's.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The work a client has.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) previous: String,
    before: Vec<u8>,
    after: Vec<u8>,
    branch: Vec<Vec<u8>>,
    version: u32,
    bits: u32,
    time: u32,
    pub(crate) clean: bool,
    difficulty: f64,
}

/// A connection to a sha256d port. Blocking, with a deadline on every wait.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    pub(crate) user: String,
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    extranonce2: u64,
    nonce: u32,
    difficulty: f64,
    pub(crate) job: Option<Job>,
    line: Vec<u8>,
    id: u64,
    scrypt: bool,
}

/// A hash of a job that was to the caller's liking.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The parameters of `mining.submit`.
    pub(crate) share: Value,
    /// Difficulty that the job asks of a share.
    pub(crate) wanted: f64,
    /// The block's hash, if it is one, as daemons print it.
    pub(crate) hash: String,
}

impl Client {
    /// Connects, subscribes and authorises; returns when it has work.
    pub(crate) fn login(port: u16, user: &str) -> Result<Self> {
        Self::connect(port)?.logged_in(user)
    }

    /// The rest of [`Client::login`].
    pub(crate) fn logged_in(self, user: &str) -> Result<Self> {
        let mut client = self;
        client.subscribe()?;
        user.clone_into(&mut client.user);
        let answer = client.request("mining.authorize", &json!([user, "x"]))?;
        if answer["result"] != json!(true) {
            return Err(Error::other(format!("not authorised: {answer}")));
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while client.job.is_none() {
            if Instant::now() > deadline {
                return Err(Error::new(ErrorKind::TimedOut, "no work"));
            }
            client.pump(Duration::from_millis(200))?;
        }
        Ok(client)
    }

    /// Connects only.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        Self::connect_to(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Connects only, to an address that may be another than loopback.
    pub(crate) fn connect_to(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Connects only, from an address of its own, so that limits per address count it alone.
    pub(crate) fn connect_from(source: Ipv4Addr, port: u16) -> Result<Self> {
        let pool = SocketAddr::from(([127, 0, 0, 1], port));
        Self::connect_between(source.into(), pool, Duration::from_secs(5))
    }

    /// Connects only, from one address to another.
    pub(crate) fn connect_between(
        source: IpAddr,
        pool: SocketAddr,
        wait: Duration,
    ) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(pool), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&pool.into(), wait)?;
        Self::over(socket.into())
    }

    fn over(writer: TcpStream) -> Result<Self> {
        writer.set_nodelay(true)?;
        writer.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self {
            reader: BufReader::new(writer.try_clone()?),
            writer,
            user: String::new(),
            extranonce1: Vec::new(),
            extranonce2_size: 0,
            extranonce2: 0,
            nonce: 0,
            difficulty: 0.0,
            job: None,
            line: Vec::new(),
            id: 0,
            scrypt: false,
        })
    }

    /// For a scrypt port.
    pub(crate) fn scrypt(mut self) -> Self {
        self.scrypt = true;
        self
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.writer
    }

    /// Connects as a proxy on loopback that names `source` as the miner's address.
    pub(crate) fn connect_as(port: u16, source: &str) -> Result<Self> {
        let mut client = Self::connect(port)?;
        let family = if source.contains(':') { "TCP6" } else { "TCP4" };
        let own = if source.contains(':') { "::1" } else { "127.0.0.1" };
        let header = format!("PROXY {family} {source} {own} 40000 {port}\r\n");
        client.send_raw(header.as_bytes())?;
        Ok(client)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes)
    }

    /// Waits until the pool ends the connection; `false` when it does not.
    pub(crate) fn is_ended(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            if let Err(error) = self.pump(Duration::from_millis(100))
                && error.kind() != ErrorKind::Other
            {
                return true;
            }
        }
        false
    }

    /// Subscribes and keeps what the pool says.
    pub(crate) fn subscribe(&mut self) -> Result<()> {
        let answer = self.request("mining.subscribe", &json!(["romp-test/1"]))?;
        let result = &answer["result"];
        self.extranonce1 = hex(result[1].as_str().unwrap_or_default());
        self.extranonce2_size = result[2].as_u64().unwrap_or_default() as usize;
        if self.extranonce1.len() != 4 || self.extranonce2_size < 2 {
            return Err(Error::other(format!("not a subscription: {answer}")));
        }
        Ok(())
    }

    /// Sends a request and returns its answer; notifications before it are taken note of.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.send(method, params)?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::TimedOut, format!("no answer to {method}")));
            }
            if let Some(message) = self.message(left)?
                && message["id"] == json!(id)
            {
                return Ok(message);
            }
        }
    }

    /// Sends a request; its answer, if it comes in time.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        params: &Value,
        wait: Duration,
    ) -> Result<Option<Value>> {
        let id = self.send(method, params)?;
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.message(left)? {
                Some(message) if message["id"] == json!(id) => return Ok(Some(message)),
                None if left.is_zero() => return Ok(None),
                _ => {}
            }
        }
    }

    /// Sends a request without waiting; its id.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> Result<u64> {
        self.id += 1;
        let line = format!("{}\n", json!({"id": self.id, "method": method, "params": params}));
        self.writer.write_all(line.as_bytes())?;
        Ok(self.id)
    }

    /// Ends the sending half, and returns the answer to what was sent last.
    pub(crate) fn last_answer(&mut self) -> Result<Value> {
        self.writer.shutdown(std::net::Shutdown::Write)?;
        loop {
            match self.message(Duration::from_secs(20))? {
                Some(message) if message["id"] == json!(self.id) => return Ok(message),
                Some(_) => {}
                None => return Err(Error::new(ErrorKind::TimedOut, "no answer")),
            }
        }
    }

    /// Takes note of what has come, for at most `wait`.
    pub(crate) fn pump(&mut self, wait: Duration) -> Result<()> {
        self.message(wait).map(drop)
    }

    /// The next message, if it comes in time; set_difficulty and notify are taken note of.
    pub(crate) fn message(&mut self, wait: Duration) -> Result<Option<Value>> {
        self.writer.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) if self.line.ends_with(b"\n") => {}
            Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
            // A part of the line stays in `self.line` for the next call.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let message: Value = serde_json::from_slice(&self.line).map_err(Error::other)?;
        self.line.clear();
        let params = &message["params"];
        match message["method"].as_str() {
            Some("mining.set_difficulty") => {
                self.difficulty = params[0].as_f64().unwrap_or_default();
            }
            Some("mining.notify") => {
                self.job = Some(Job {
                    id: text(&params[0]),
                    previous: text(&params[1]),
                    before: hex(&text(&params[2])),
                    after: hex(&text(&params[3])),
                    branch: params[4]
                        .as_array()
                        .map(|hashes| hashes.iter().map(|hash| hex(&text(hash))).collect())
                        .unwrap_or_default(),
                    version: number(&params[5]),
                    bits: number(&params[6]),
                    time: number(&params[7]),
                    clean: params[8].as_bool().unwrap_or_default(),
                    difficulty: self.difficulty,
                });
                self.extranonce2 += 1;
                self.nonce = 0;
            }
            _ => {}
        }
        Ok(Some(message))
    }

    /// Hashes until there is a share of the current job: the parameters of `mining.submit`.
    pub(crate) fn share(&mut self) -> Value {
        self.search(|meets, wanted, _| meets >= wanted * 1.000_001).share
    }

    /// Hashes the current job until a hash is to the caller's liking, who is told three
    /// difficulties, counted as the pool counts: what the hash meets, a share's, a block's.
    pub(crate) fn search(&mut self, likes: impl Fn(f64, f64, f64) -> bool) -> Attempt {
        let job = self.job.as_ref().expect("a client that mines has work");
        let size = self.extranonce2_size;
        let wide = self.extranonce2.to_be_bytes();
        let mut extranonce2 = vec![0; size.saturating_sub(8)];
        extranonce2.extend_from_slice(&wide[8 - size.min(8)..]);
        let coinbase = [&job.before[..], &self.extranonce1, &extranonce2, &job.after].concat();
        let root = job.branch.iter().fold(sha256d(&coinbase).to_vec(), |root, hash| {
            sha256d(&[&root[..], hash].concat()).to_vec()
        });
        let mut header = job.version.to_le_bytes().to_vec();
        for word in hex(&job.previous).chunks(4) {
            header.extend(word.iter().rev());
        }
        header.extend(root);
        for field in [job.time, job.bits, 0] {
            header.extend(field.to_le_bytes());
        }
        let scale = if self.scrypt { 65536.0 } else { 1.0 };
        let network = difficulty_of(&expanded(job.bits)) * scale;
        loop {
            self.nonce += 1;
            header[76..].copy_from_slice(&self.nonce.to_le_bytes());
            let id = sha256d(&header);
            let work = if self.scrypt { scrypt(&header) } else { id };
            let meets = difficulty_of(&work) * scale;
            if likes(meets, job.difficulty, network) {
                let backwards: Vec<u8> = id.iter().rev().copied().collect();
                let share = json!([
                    self.user,
                    job.id,
                    to_hex(&extranonce2),
                    format!("{:08x}", job.time),
                    format!("{:08x}", self.nonce),
                ]);
                return Attempt { share, wanted: job.difficulty, hash: to_hex(&backwards) };
            }
        }
    }

    /// Waits until its work is on the block `tip`, as daemons print it.
    pub(crate) fn wait_for_work_on(&mut self, tip: &str) -> Result<()> {
        // Stratum has the same groups of eight digits, the last one first.
        let groups: Vec<&[u8]> = tip.as_bytes().chunks(8).rev().collect();
        let wanted = String::from_utf8(groups.concat()).map_err(Error::other)?;
        let end = Instant::now() + Duration::from_secs(60);
        while self.job.as_ref().is_none_or(|job| job.previous != wanted) {
            if Instant::now() > end {
                return Err(ErrorKind::TimedOut.into());
            }
            self.pump(Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// Mines one share and waits for the answer: whether it was accepted, and the whole answer.
    pub(crate) fn mine(&mut self) -> Result<(bool, Value)> {
        let share = self.share();
        let answer = self.request("mining.submit", &share)?;
        Ok((answer["result"] == json!(true), answer))
    }

    /// Finds a block, which the pool takes.
    pub(crate) fn find_block(&mut self) -> Attempt {
        let found = self.search(|meets, _, network| meets >= network * 1.000_001);
        let answer = self.request("mining.submit", &found.share).expect("an answer");
        assert_eq!(answer["result"], json!(true), "{answer}");
        found
    }
}

/// The difficulty that a hash meets: 0xffff·2^208 divided by it as a little-endian number.
fn difficulty_of(hash: &[u8; 32]) -> f64 {
    let value = hash.iter().rev().fold(0.0, |sum, &byte| sum * 256.0 + f64::from(byte));
    65535.0 * 208_f64.exp2() / value
}

/// The target that `bits` stand for, little-endian.
fn expanded(bits: u32) -> [u8; 32] {
    let mut target = [0; 32];
    let size = (bits >> 24) as usize;
    for (byte, place) in (bits & 0x00ff_ffff).to_le_bytes().iter().take(3).zip(size - 3..) {
        target[place] = *byte;
    }
    target
}

pub(crate) fn scrypt(header: &[u8]) -> [u8; 32] {
    let params = scrypt::Params::new(10, 1, 1).expect("Litecoin's parameters");
    let mut hash = [0; 32];
    scrypt::scrypt(header, header, &params, &mut hash).expect("32 bytes");
    hash
}

fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u32 {
    u32::from_str_radix(&text(value), 16).unwrap_or_default()
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
