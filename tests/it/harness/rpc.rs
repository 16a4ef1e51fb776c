//! JSON-RPC to a coin daemon, the test's own way.

use serde_json::{Value, json};
use std::time::Duration;

/// A daemon's RPC address and login.
#[derive(Debug, Clone)]
pub(crate) struct Rpc {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Rpc {
    /// Calls a method; the error text when the daemon answers with one or does not answer.
    pub(crate) fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        self.call_within(Duration::from_secs(60), method, params)
    }

    /// [`Rpc::call`] with a deadline of its own.
    pub(crate) fn call_within(
        &self,
        deadline: Duration,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(deadline))
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("http://127.0.0.1:{}/", self.port);
        let mut answer = agent
            .post(&url)
            .header("authorization", &format!("Basic {}", base64(&self.user, &self.password)))
            .send_json(json!({"id": 1, "method": method, "params": params}))
            .map_err(|error| error.to_string())?;
        let mut answer: Value =
            answer.body_mut().read_json().map_err(|error| format!("{method}: {error}"))?;
        if answer["error"].is_null() {
            Ok(answer["result"].take())
        } else {
            Err(answer["error"].to_string())
        }
    }

    /// Hands a request on as it is: the status and the answer.
    pub(crate) fn forward(&self, body: &[u8]) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .build()
            .into();
        let mut answer = agent
            .post(format!("http://127.0.0.1:{}/", self.port))
            .header("authorization", &format!("Basic {}", base64(&self.user, &self.password)))
            .send(body)
            .ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_to_string().ok()?))
    }

    /// Calls a method that must succeed.
    pub(crate) fn must(&self, method: &str, params: Value) -> Value {
        self.call(method, params.clone())
            .unwrap_or_else(|error| panic!("{method} {params} on port {}: {error}", self.port))
    }

    pub(crate) fn height(&self) -> u64 {
        self.must("getblockcount", json!([])).as_u64().expect("a height")
    }

    pub(crate) fn text(&self, method: &str, params: Value) -> String {
        self.must(method, params).as_str().expect("text").to_owned()
    }

    /// The block at a height with its transactions decoded.
    pub(crate) fn block_at(&self, height: u64) -> Value {
        let hash = self.must("getblockhash", json!([height]));
        self.must("getblock", json!([hash, 2]))
    }
}

/// Basic credentials; RFC 4648, written out so that no package is needed for one line.
fn base64(user: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = format!("{user}:{password}").into_bytes();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |sum, &byte| sum << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
