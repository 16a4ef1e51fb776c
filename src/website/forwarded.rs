//! Who asks, and how: what a trusted proxy says of it counts, what others say does not. Pure.
//!
//! RFC 7239's `Forwarded` is not read: a proxy that sets one way of saying it lets the other pass as
//! the visitor wrote it, so that two ways are one too many.

use axum::http::HeaderMap;
use axum::http::header::HOST;
use std::net::{IpAddr, SocketAddr};

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Its address.
    pub(super) address: IpAddr,
    /// Whether the connection is a TLS one of ours.
    pub(super) tls: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    /// The visitor's address.
    pub(super) address: IpAddr,
    /// Whether the visitor speaks TLS, to us or to a proxy.
    pub(super) secure: bool,
    /// The name that the visitor's browser calls this site by, with its port; lower case.
    pub(super) host: Option<String>,
}

/// Who asks with these headers.
pub(super) fn asker(peer: Peer, headers: &HeaderMap, is_proxy: impl Fn(&IpAddr) -> bool) -> Asker {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = text(HOST.as_str());
    if !is_proxy(&peer.address) {
        let host = own.map(str::to_ascii_lowercase);
        return Asker { address: peer.address, secure: peer.tls, host };
    }
    let last = |name: &str| {
        let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next().map(str::trim).filter(|text| !text.is_empty())
    };
    let secure = match last("x-forwarded-proto") {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => peer.tls,
    };
    let host = last("x-forwarded-host").or(own).map(str::to_ascii_lowercase);
    Asker { address: visitor(peer.address, headers, is_proxy), secure, host }
}

/// The last address of `X-Forwarded-For` that is no trusted proxy itself: each proxy adds the one
/// that it was asked by, and whatever stands before that is hearsay.
fn visitor(peer: IpAddr, headers: &HeaderMap, is_proxy: impl Fn(&IpAddr) -> bool) -> IpAddr {
    let mut found = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        for part in value.to_str().unwrap_or_default().rsplit(',') {
            let Some(address) = address(part.trim()) else { return found };
            found = address;
            if !is_proxy(&address) {
                return found;
            }
        }
    }
    found
}

/// An address as proxies write it, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok();
    parsed.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).map(|it| it.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ask(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = Peer { address: peer.parse().unwrap(), tls: false };
        let is_proxy =
            |address: &IpAddr| address.is_loopback() || address.to_string() == "10.0.0.9";
        let asker = asker(peer, &map, is_proxy);
        (asker.address.to_string(), asker.secure, asker.host)
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let told = [
            ("host", "own.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "Pool.Example:8443"),
        ];
        let stranger = ("203.0.113.9".to_owned(), false, Some("own.example".to_owned()));
        assert_eq!(ask("203.0.113.9", &told), stranger);
        let told_of = ("203.0.113.7".to_owned(), true, Some("pool.example:8443".to_owned()));
        assert_eq!(ask("127.0.0.1", &told), told_of);
        assert_eq!(ask("127.0.0.1", &[]), ("127.0.0.1".to_owned(), false, None));
    }

    #[test]
    fn a_chain_ends_at_the_first_stranger_from_behind() {
        for (chain, found) in [
            ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
            ("1.1.1.1, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
            ("1.1.1.1:1234", "1.1.1.1"),
            ("[2001:db8::7]:1234", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:1.1.1.1", "1.1.1.1"),
            ("nobody", "127.0.0.1"),
            ("1.1.1.1, nobody, 10.0.0.9", "10.0.0.9"),
            ("", "127.0.0.1"),
        ] {
            assert_eq!(ask("127.0.0.1", &[("x-forwarded-for", chain)]).0, found, "{chain}");
        }
        let two = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.0.0.9")];
        assert_eq!(ask("127.0.0.1", &two).0, "203.0.113.7");
    }
}
