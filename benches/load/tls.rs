//! What TLS costs: a handshake, a share, a connection's memory, each beside the same without it.

use super::scenarios::Bench;
use super::server::{Server, Setting, running};
use super::stub::Stub;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection of either kind.
trait Way: Read + Write {}
impl<T: Read + Write> Way for T {}

/// A miner that waits for each answer.
struct Miner {
    way: BufReader<Box<dyn Way>>,
    /// What stands before the nonce in a share's line.
    prefix: String,
    nonce: u32,
}

fn dial(port: u16, tls: Option<&Arc<ClientConfig>>) -> Box<dyn Way> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
    let Some(config) = tls else { return Box::new(stream) };
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(Arc::clone(config), name).expect("a session");
    let mut stream = stream;
    while session.is_handshaking() {
        session.complete_io(&mut stream).expect("a handshake");
    }
    Box::new(StreamOwned::new(session, stream))
}

impl Miner {
    fn new(way: Box<dyn Way>, number: usize) -> Self {
        let mut miner = Self { way: BufReader::new(way), prefix: String::new(), nonce: 0 };
        let name = format!("{}.rig{number}", super::server::ADDRESS);
        miner.say("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
        let authorize = json!({"id": 2, "method": "mining.authorize", "params": [name, "x"]});
        miner.say(&format!("{authorize}\n"));
        let (mut is_in, mut job) = (false, Value::Null);
        while !is_in || job.is_null() {
            let message: Value = serde_json::from_str(&miner.hear()).expect("a message");
            is_in |= message["id"] == json!(2) && message["result"] == json!(true);
            if message["method"] == json!("mining.notify") {
                job = message["params"].clone();
            }
        }
        let text = |at: usize| job[at].as_str().unwrap_or_default().to_owned();
        miner.prefix = format!(
            "{{\"id\":9,\"method\":\"mining.submit\",\"params\":[\"{name}\",\"{}\",\"00000000\",\"{}\",\"",
            text(0),
            text(7)
        );
        miner
    }

    fn say(&mut self, line: &str) {
        self.way.get_mut().write_all(line.as_bytes()).expect("sent");
        self.way.get_mut().flush().expect("sent");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.way.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the pool has ended the connection");
        line
    }

    fn submit(&mut self) {
        self.nonce += 1;
        let line = format!("{}{:08x}\"]}}\n", self.prefix, self.nonce);
        self.say(&line);
    }

    fn answered(&mut self) {
        loop {
            let line = self.hear();
            if line.starts_with("{\"id\":9") {
                assert!(line.contains("\"result\":true"), "{line}");
                return;
            }
        }
    }
}

/// A client's settings that believe the server's certificate.
fn client(cert: &str, resumes: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
    roots.add(cert).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !resumes {
        config.resumption = Resumption::disabled();
    }
    Arc::new(config)
}

impl Bench {
    pub(crate) fn tls(&mut self) {
        let stub = Stub::start();
        let server = Server::start(&Setting { tls: true, ..self.setting(&stub) });
        let processes = server.processes();
        let port = server.ports[0];
        let worker = || running(&processes)["worker"];
        let cert = server.certificate();
        let (whole, resumed) = (client(&cert, false), client(&cert, true));

        // Connections alone: what the worker spends on each, and how many a second of its
        // processor's time that is.
        let count = self.pick(200, 2000);
        // A first one has the ticket that the others come with.
        drop(Miner::new(dial(port, Some(&resumed)), 0));
        for (what, tls) in [
            ("plain", None),
            ("whole handshakes", Some(&whole)),
            ("resumed handshakes", Some(&resumed)),
        ] {
            let before = worker();
            let begun = Instant::now();
            for number in 0..count {
                drop(Miner::new(dial(port, tls), number));
            }
            let elapsed = begun.elapsed().as_secs_f64();
            std::thread::sleep(Duration::from_millis(500));
            let each = (worker() - before) as f64 / 1e3 / count as f64;
            let figures = vec![
                ("worker's us each", each),
                ("a second of its CPU", 1e6 / each),
                ("a second, one client", count as f64 / elapsed),
            ];
            self.report.add("tls", format!("{count} logins one by one, {what}"), figures);
        }

        for (what, tls) in [("plain", None), ("TLS", Some(&whole))] {
            let miners = self.pick(100, 1000);
            let begin = server.memory(&processes, "worker");
            let mut all: Vec<Miner> =
                (0..miners).map(|number| Miner::new(dial(port, tls), number)).collect();
            std::thread::sleep(Duration::from_secs(1));
            let fresh = server.memory(&processes, "worker").saturating_sub(begin);
            let some = all.len().min(100);
            let before = worker();
            let (mut shares, end) = (0, Instant::now() + self.time(1, 5));
            while Instant::now() < end {
                for miner in &mut all[..some] {
                    miner.submit();
                    miner.submit();
                }
                for miner in &mut all[..some] {
                    miner.answered();
                    miner.answered();
                }
                shares += 2 * some;
            }
            let each = (worker() - before) as f64 / 1e3 / shares as f64;
            let figures = vec![
                ("B a connection", fresh as f64 / miners as f64),
                ("worker's us/share", each),
                ("shares", shares as f64),
            ];
            self.report.add(
                "tls",
                format!("{miners} miners, {some} of them mine, {what}"),
                figures,
            );
            drop(all);
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
