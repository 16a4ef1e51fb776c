//! A coin daemon for tests: answers each request as told, on a thread of its own.

use crate::config::{Daemon, Secret};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What the stub does with one request.
pub(crate) enum Answer {
    /// Bytes as they are, then the connection is closed.
    Raw(Vec<u8>),
    /// HTTP status and body.
    Http(u16, String),
    /// The result of a JSON-RPC reply with the request's id.
    Result(String),
    /// The error object of a JSON-RPC reply with the request's id, with HTTP 500.
    Error(String),
    /// Bytes one at a time, 50 ms apart, for ever.
    Drip,
    /// Nothing: the connection stays open without a word.
    Silence,
}

/// A stub daemon. `answer` sees method and whole request body.
pub(crate) fn daemon(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Daemon {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, answer.as_ref()));
        }
    });
    at(port)
}

/// A daemon's settings at a port of this machine.
pub(crate) fn at(port: u16) -> Daemon {
    Daemon {
        host: "127.0.0.1".to_owned(),
        port,
        user: "user".to_owned(),
        password: Secret::new("hunter2-secret".to_owned()),
        zmq: None,
    }
}

/// A port where nobody listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(mut stream: TcpStream, answer: &(dyn Fn(&str, &str) -> Answer + Send + Sync)) {
    let mut buffer = Vec::new();
    while let Some(body) = request(&mut stream, &mut buffer) {
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let (id, method) = (&value["id"], value["method"].as_str().unwrap_or(""));
        let (status, text) = match answer(method, &body) {
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Answer::Http(status, text) => (status, text),
            Answer::Result(result) => {
                (200, format!("{{\"result\":{result},\"error\":null,\"id\":{id}}}"))
            }
            Answer::Error(error) => {
                (500, format!("{{\"result\":null,\"error\":{error},\"id\":{id}}}"))
            }
            Answer::Drip => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
                return;
            }
            Answer::Silence => {
                let (sender, receiver) = mpsc::channel::<()>();
                let _ = receiver.recv_timeout(Duration::from_secs(60));
                drop(sender);
                return;
            }
        };
        // In one piece: a second one would wait 40 ms for the first one's acknowledgement.
        let whole = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
             {text}",
            text.len()
        );
        if stream.write_all(whole.as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request, or `None` at the end of the connection.
fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse().ok())?
                })
                .unwrap_or(0_usize);
            let start = head.len() + 4;
            if buffer.len() >= start + length {
                let body = buffer[start..start + length].to_vec();
                buffer.drain(..start + length);
                return String::from_utf8(body).ok();
            }
        }
        let mut chunk = [0_u8; 65536];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
