//! TLS of the site, what is said to those who speak plain HTTP to it, and the port that sends them
//! on.

use super::pace::Paced;
use super::text::host_of;
use crate::config::Tls;
use crate::net::tls::{RECORD, server};
use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Within which a handshake must be done.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is said to plain HTTP.
const SORRY: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 45\r\nConnection: close\r\n\r\nThis port speaks TLS: use https:// instead.\r\n";

/// Takes TLS connections with a certificate.
///
/// # Errors
/// In words. None where the configuration was checked.
pub(super) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, String> {
    let mut config = server(tls.certificate.certified()?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Begins TLS; `None`: it was plain HTTP, and that was answered.
///
/// # Errors
/// When the other side speaks neither, or takes too long.
pub(super) async fn shake_hands(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> io::Result<Option<TlsStream<Paced<TcpStream>>>> {
    let shaken = tokio::time::timeout(HANDSHAKE, async {
        let mut first = [0];
        let count = stream.peek(&mut first).await?;
        if count == 0 {
            return Ok(None);
        }
        if first.first() == Some(&RECORD) {
            return acceptor.accept(Paced::new(stream)).await.map(Some);
        }
        stream.write_all(SORRY).await?;
        stream.shutdown().await?;
        // What it still sends is read, lest the kernel takes the answer back.
        let mut rest = (&mut stream).take(64 * 1024);
        let mut part = [0; 1024];
        while rest.read(&mut part).await? > 0 {}
        Ok(None)
    });
    shaken.await?
}

/// The plain port beside the TLS one: everything is there.
pub(super) fn redirect(port: u16) -> Router {
    Router::new().fallback(move |request: Request| async move { elsewhere(&request, port) })
}

fn elsewhere(request: &Request, port: u16) -> Response {
    let host = request.headers().get(HOST).and_then(|value| host_of(value.to_str().ok()?));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = host.filter(|_| path.starts_with('/')).and_then(|host| {
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        HeaderValue::from_str(&format!("https://{host}{port}{path}")).ok()
    });
    let Some(location) = location else {
        return (StatusCode::BAD_REQUEST, "use https:// instead\n").into_response();
    };
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn plain_requests_are_sent_to_the_same_page() {
        assert!(SORRY.ends_with(b"\r\n\r\nThis port speaks TLS: use https:// instead.\r\n"));
        for (host, path, port, wanted) in [
            ("pool.example", "/stats?a=b", 443, Some("https://pool.example/stats?a=b")),
            ("pool.example:8080", "/", 8443, Some("https://pool.example:8443/")),
            ("[2001:db8::1]:80", "/x", 443, Some("https://[2001:db8::1]/x")),
            ("evil.example/@x", "/", 443, None),
            ("", "/", 443, None),
        ] {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = path.parse().unwrap();
            request.headers_mut().insert(HOST, host.parse().unwrap());
            let response = elsewhere(&request, port);
            let location = response.headers().get(LOCATION).map(|it| it.to_str().unwrap());
            assert_eq!(location, wanted, "{host}");
            assert_eq!(response.status().as_u16(), if wanted.is_some() { 308 } else { 400 });
        }
    }
}
