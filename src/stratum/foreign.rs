//! Clients that speak another protocol to this port: they get a clear word, then the door.

use super::request::Request;
use super::{Action, Cause};

/// For browsers, `curl`, health checks and getwork miners.
pub(super) const HTTP: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 52\r\nConnection: close\r\n\r\nThis is a Stratum v1 mining port, not a web server.\n";

/// What a TLS handshake begins with: record type 22, major version 3.
pub const TLS: [u8; 2] = [0x16, 0x03];

/// A line that is no JSON but is known.
pub(super) fn line(line: &[u8], out: &mut Vec<u8>) -> Option<Action> {
    let verbs: [&[u8]; 6] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT "];
    if verbs.into_iter().any(|verb| line.starts_with(verb)) {
        out.extend_from_slice(HTTP.as_bytes());
        return Some(Action::Close(Cause::Http));
    }
    // A PROXY header that was wanted was taken before: this one is nobody's to send. Of the binary
    // form, empty lines apart, the first line is a zero byte.
    if line.starts_with(b"PROXY ") || line == [0] {
        return Some(Action::Close(Cause::ProxyHeader));
    }
    line.starts_with(&TLS).then_some(Action::Close(Cause::Tls))
}

/// A method of the JSON-RPC 2.0 protocols of xmrig and of Ethereum's miners. Their errors are
/// objects.
pub(super) fn method(request: &Request<'_>, out: &mut Vec<u8>) -> Option<Action> {
    if !matches!(
        &*request.method,
        "login"
            | "submit"
            | "getjob"
            | "keepalived"
            | "eth_submitLogin"
            | "eth_getWork"
            | "getwork"
    ) {
        return None;
    }
    if !request.id.is_empty() {
        let answer = format!(
            "{{\"id\":{},\"jsonrpc\":\"2.0\",\"result\":null,\"error\":{{\"code\":-1,\
             \"message\":\"This pool speaks Stratum v1 (mining.subscribe), not this protocol\"}}}}\n",
            request.id
        );
        out.extend_from_slice(answer.as_bytes());
    }
    Some(Action::Close(Cause::OtherProtocol))
}

#[cfg(test)]
mod tests {
    use super::HTTP;

    #[test]
    fn the_http_answer_has_the_length_that_it_says() {
        let body = HTTP.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        assert!(HTTP.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    }
}
