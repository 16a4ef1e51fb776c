//! Where messages to the operator arrive: a web server that takes webhooks, and a mail server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Posted {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    status: u16,
    more: String,
    posted: Vec<Posted>,
}

/// A web server that takes webhooks; its threads end with it.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Sink {
    pub(crate) fn start() -> Self {
        Self::start_at(super::free_port())
    }

    pub(crate) fn start_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the sink's port");
        let state = State { status: 204, more: String::new(), posted: Vec::new() };
        let sink = Self { port, state: Arc::new(Mutex::new(state)), stop: Arc::default() };
        let (state, stop) = (Arc::clone(&sink.state), Arc::clone(&sink.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // One after the other: what was noted first came first.
                take(stream, &state);
            }
        });
        sink
    }

    /// What it answers from now on: a status, and further header lines.
    pub(crate) fn answer(&self, status: u16, more: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.status, state.more) = (status, more.to_owned());
    }

    /// Everything that came so far.
    pub(crate) fn all(&self) -> Vec<Posted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).posted.clone()
    }

    /// What it took, without what it refused.
    pub(crate) fn taken(&self) -> Vec<Posted> {
        self.all().into_iter().filter(|posted| posted.status < 300).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/a-token-in-the-path", self.port)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

fn take(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    reader.read_line(&mut String::new()).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let (status, more) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let status = state.status;
        state.posted.push(Posted { headers, body, status });
        (status, state.more.clone())
    };
    let head =
        format!("HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n");
    writer.write_all(head.as_bytes()).ok()
}

/// A mail server; its threads end with it.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Post {
    /// Plain, or with STARTTLS, which it then insists on.
    pub(crate) fn start(tls: Option<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).expect("a port");
        let port = listener.local_addr().expect("own address").port();
        let post = Self { port, mails: Arc::default(), stop: Arc::default() };
        let (mails, stop) = (Arc::clone(&post.mails), Arc::clone(&post.stop));
        let tls = tls.map(Arc::new);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (mails, tls) = (Arc::clone(&mails), tls.clone());
                std::thread::spawn(move || converse(stream, &mails, tls));
            }
        });
        post
    }

    /// The mails that it took: `MAIL` and `RCPT` lines, and the letters.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

/// A line, read byte by byte: nothing that belongs to TLS is taken with it.
fn line(stream: &mut dyn Both) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        if byte[0] == b'\n' {
            return Some(String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned());
        }
        bytes.push(byte[0]);
    }
}

fn converse(
    mut socket: TcpStream,
    mails: &Mutex<Vec<String>>,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Option<()> {
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    socket.write_all(b"220 post ready\r\n").ok()?;
    let Some(config) = tls else { return letters(&mut socket, mails, true) };
    // Nothing is taken before STARTTLS.
    letters(&mut socket, mails, false)?;
    let connection = rustls::ServerConnection::new(config).ok()?;
    letters(&mut rustls::StreamOwned::new(connection, socket), mails, true)
}

/// Speaks SMTP to the end, or to STARTTLS where there is more to come.
fn letters(stream: &mut dyn Both, mails: &Mutex<Vec<String>>, takes: bool) -> Option<()> {
    let mut mail = String::new();
    loop {
        let command = line(stream)?;
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match (verb.as_str(), takes) {
            ("EHLO", false) => "250-post\r\n250 STARTTLS\r\n",
            ("EHLO", true) => "250-post\r\n250 AUTH PLAIN\r\n",
            ("STARTTLS", false) => {
                stream.write_all(b"220 go ahead\r\n").ok()?;
                return Some(());
            }
            ("AUTH", true) => "235 welcome\r\n",
            ("MAIL" | "RCPT", true) => {
                mail.push_str(&command);
                mail.push('\n');
                "250 fine\r\n"
            }
            ("DATA", true) => {
                stream.write_all(b"354 go on\r\n").ok()?;
                loop {
                    let text = line(stream)?;
                    if text == "." {
                        break;
                    }
                    mail.push_str(&text);
                    mail.push('\n');
                }
                let mut mails = mails.lock().unwrap_or_else(PoisonError::into_inner);
                mails.push(std::mem::take(&mut mail));
                "250 queued as 7\r\n"
            }
            ("QUIT", _) => {
                stream.write_all(b"221 bye\r\n").ok()?;
                return None;
            }
            _ => "530 not now\r\n",
        };
        stream.write_all(answer.as_bytes()).ok()?;
        stream.flush().ok()?;
    }
}
