//! A JSON-RPC client for one daemon: HTTP POST, Basic authorisation, kept-alive connections.

use super::error::{CallError, Fault};
use super::resolve::Name;
use crate::config;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use ureq::unversioned::transport::DefaultConnector;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Largest template, and list of a wallet's payments: blocks of 4 MB are 8 MB of hex, and coins exist
/// with 32 MB blocks.
const TEMPLATE_LIMIT: u64 = 64 << 20;
/// Largest other answer.
const ANSWER_LIMIT: u64 = 1 << 20;
/// Characters of a daemon's own words that go into an error.
const EXCERPT: usize = 200;

/// A client for one daemon. Make it after the fork: it holds sockets. Share it between threads, or
/// not: calls do not wait for each other.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    address: String,
    authorization: String,
    password: String,
    timeout: Duration,
    next_id: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.address)
    }
}

/// A reply; `result: null` is there, a missing result is not.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

#[derive(Serialize)]
struct Request<'a, T: ?Sized> {
    jsonrpc: &'a str,
    id: u64,
    method: &'a str,
    params: &'a T,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// `host:port` of a daemon, as errors and `status` name it; IPv6 addresses in brackets.
#[must_use]
pub fn address(daemon: &config::Daemon) -> String {
    match daemon.host.as_str() {
        six if six.contains(':') && !six.starts_with('[') => format!("[{six}]:{}", daemon.port),
        host => format!("{host}:{}", daemon.port),
    }
}

impl Client {
    /// A client whose calls take at most `timeout` each (connecting at most 2 s of it).
    #[must_use]
    pub fn new(daemon: &config::Daemon, timeout: Duration) -> Self {
        let address = address(daemon);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("romp")
            .timeout_connect(Some(CONNECT.min(timeout)))
            .timeout_global(Some(timeout))
            .max_idle_connections_per_host(2)
            // Daemons close idle connections after 30 s (rpcservertimeout).
            .max_idle_age(Duration::from_secs(20))
            .build();
        let name = Name::new(daemon.host.trim_matches(['[', ']']), daemon.port);
        let password = daemon.password.expose().to_owned();
        let credentials = format!("{}:{password}", daemon.user);
        Self {
            agent: ureq::Agent::with_parts(config, DefaultConnector::default(), name),
            url: format!("http://{address}/"),
            authorization: format!("Basic {}", base64(credentials.as_bytes())),
            address,
            password,
            timeout,
            next_id: AtomicU64::new(1),
        }
    }

    /// `host:port`, as errors and `status` name it.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Calls a method with positional parameters (a JSON array) and gives its `result`, which may
    /// be `null`.
    ///
    /// # Errors
    /// [`CallError`]: whatever the daemon or the network did instead of answering.
    #[expect(clippy::needless_pass_by_value, reason = "callers build the value for the call")]
    pub fn call(
        &self,
        method: &str,
        params: serde_json::Value,
    ) -> Result<Box<RawValue>, CallError> {
        self.request(method, &params)
    }

    /// [`Client::call`] with parameters as they are written: numbers that no float holds.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_written(
        &self,
        method: &str,
        params: &RawValue,
    ) -> Result<Box<RawValue>, CallError> {
        self.request(method, params)
    }

    fn request(
        &self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<Box<RawValue>, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = Request { jsonrpc: "1.0", id, method, params };
        serde_json::to_string(&request)
            .map_err(|error| Fault::Garbage(error.to_string()))
            .and_then(|request| self.exchange(method, id, &request))
            .map_err(|fault| self.error(method, fault))
    }

    /// An error of this daemon.
    #[must_use]
    pub fn error(&self, method: &str, fault: Fault) -> CallError {
        CallError { daemon: self.address(), method: method.to_owned(), fault }
    }

    fn exchange(&self, method: &str, id: u64, request: &str) -> Result<Box<RawValue>, Fault> {
        let limit = match method {
            // The latter lists each output of every transaction since a block.
            "getblocktemplate" | "listsinceblock" => TEMPLATE_LIMIT,
            _ => ANSWER_LIMIT,
        };
        let mut response = self
            .agent
            .post(&self.url)
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json")
            .send(request)
            .map_err(|error| self.fault(&error))?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(limit)
            .read_to_vec()
            .map_err(|error| self.fault(&error));
        match status {
            401 | 403 => Err(Fault::Auth(status)),
            200 => self.parse(&body?, id),
            // bitcoind sends its errors with HTTP 500 (404: no such method; 400: bad request).
            _ => {
                let body = body?;
                match self.parse(&body, id) {
                    Err(rpc @ Fault::Rpc { .. }) => Err(rpc),
                    _ => Err(Fault::Http(status, self.excerpt(&String::from_utf8_lossy(&body)))),
                }
            }
        }
    }

    /// Reads the body of a reply to the call `id`: its `result`, as raw JSON.
    ///
    /// # Errors
    /// [`Fault`]: the daemon's own error, or a body that is no reply to that call.
    pub fn parse(&self, body: &[u8], id: u64) -> Result<Box<RawValue>, Fault> {
        if body.is_empty() {
            return Err(Fault::Garbage("it is empty".to_owned()));
        }
        let mended = mend_nan(body);
        let reply: Reply<'_> = serde_json::from_slice(mended.as_deref().unwrap_or(body))
            .map_err(|_| Fault::Garbage(self.what_it_is(body)))?;
        let null = |value: &&RawValue| value.get() == "null";
        let error = reply.error.filter(|value| !null(value));
        // A daemon that could not read the request does not know its id.
        let nameless = reply.id.is_none_or(|id| null(&id));
        let ours = reply.id.is_some_and(|value| value.get() == id.to_string());
        let answers_us = ours || (nameless && error.is_some());
        if !answers_us {
            return Err(Fault::Garbage("it answers another call (wrong id)".to_owned()));
        }
        match (reply.result, error) {
            (Some(result), Some(_)) if !null(&result) => {
                Err(Fault::Garbage("it has both a result and an error".to_owned()))
            }
            (_, Some(error)) => match serde_json::from_str::<RpcError>(error.get()) {
                Ok(RpcError { code, message }) => {
                    Err(Fault::Rpc { code, message: self.excerpt(&message) })
                }
                Err(_) => {
                    let text = self.excerpt(error.get());
                    Err(Fault::Garbage(format!("its error has no code: {text}")))
                }
            },
            (Some(result), None) => Ok(result.to_owned()),
            (None, None) => Err(Fault::Garbage("it has neither result nor error".to_owned())),
        }
    }

    fn what_it_is(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let excerpt = self.excerpt(&text);
        match text.trim_start().as_bytes().first() {
            Some(b'<') => format!("it is a web page: {excerpt}"),
            Some(b'{' | b'[') => format!("it is broken or cut JSON: {excerpt}"),
            _ => format!("it is no JSON: {excerpt}"),
        }
    }

    /// The beginning of a text on one line, without secrets that the other side may echo.
    pub(super) fn excerpt(&self, text: &str) -> String {
        let credentials = self.authorization.trim_start_matches("Basic ");
        let mut text = text.replace(credentials, "***");
        if !self.password.is_empty() {
            text = text.replace(&self.password, "***");
        }
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        text.trim().chars().take(EXCERPT).map(clean).collect()
    }

    fn fault(&self, error: &ureq::Error) -> Fault {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                Fault::Unreachable("it does not accept the connection".to_owned())
            }
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                Fault::Unreachable("the host name cannot be resolved in time".to_owned())
            }
            ureq::Error::Timeout(_) => Fault::Timeout(self.timeout),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                Fault::Timeout(self.timeout)
            }
            ureq::Error::Io(error) => Fault::Unreachable(error.to_string()),
            ureq::Error::HostNotFound => Fault::Unreachable("no such host".to_owned()),
            ureq::Error::ConnectionFailed => Fault::Unreachable("connection failed".to_owned()),
            ureq::Error::BodyExceedsLimit(limit) => {
                Fault::Garbage(format!("it is larger than {limit} bytes"))
            }
            ureq::Error::BadUri(_) => {
                Fault::Unreachable("`host` is no host name or address".to_owned())
            }
            other => Fault::Garbage(self.excerpt(&other.to_string())),
        }
    }
}

/// Daemons of old print a difficulty as `-nan` where they divide by zero (NOMP mended this too).
/// Only the exact token is touched, and only where JSON has a value.
fn mend_nan(body: &[u8]) -> Option<Vec<u8>> {
    // Templates are large, and never have it.
    if body.len() >= 1 << 16 {
        return None;
    }
    let mut text = std::str::from_utf8(body).ok().filter(|text| text.contains("nan"))?.to_owned();
    for nan in ["-nan", "nan"] {
        for (before, after) in [(":", ","), (":", "}"), (": ", ","), (": ", "}")] {
            text = text.replace(&format!("{before}{nan}{after}"), &format!("{before}0{after}"));
        }
    }
    Some(text.into_bytes())
}

/// Base64 with padding (RFC 4648), for Basic authorisation.
fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for group in data.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * i) & 63) as usize);
            text.push(if i <= group.len() { char::from(*digit.unwrap_or(&b'=')) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
