//! Answers: their kind, their tag, and what browsers may do with them.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    Json,
    Text,
    Css,
    Csv,
    Script,
    Svg,
    Png,
}

impl Kind {
    /// Its media type.
    pub(super) const fn media(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        }
    }

    const fn cache(self) -> &'static str {
        match self {
            // Its hash is in its name.
            Self::Css | Self::Script | Self::Svg | Self::Png => {
                "public, max-age=31536000, immutable"
            }
            _ => "no-cache",
        }
    }
}

/// Sent with everything: nothing from elsewhere runs here, and nobody frames it.
pub(super) const SAFE: [(HeaderName, &str); 5] = [
    (
        HeaderName::from_static("content-security-policy"),
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         object-src 'none'",
    ),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// An answer that is sent many times: what costs time is done once.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    kind: Kind,
    plain: Bytes,
    gzip: Bytes,
    tag: HeaderValue,
}

impl Default for Prepared {
    /// Nothing, as NOMP has it before its first numbers.
    fn default() -> Self {
        Self::new(Kind::Json, Bytes::new())
    }
}

impl Prepared {
    /// Makes tag and gzip.
    pub(super) fn new(kind: Kind, body: impl Into<Bytes>) -> Self {
        let plain = body.into();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory does not fail.
        let gzip = gzip.write_all(&plain).and_then(|()| gzip.finish()).unwrap_or_default();
        Self { kind, tag: tag(&plain), gzip: gzip.into(), plain }
    }

    /// The body.
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The answer; 304 when the asker has it already.
    pub(super) fn send(&self, asked: &HeaderMap) -> Response {
        let small = self.gzip.len() < self.plain.len() && takes_gzip(asked);
        let body = if small { &self.gzip } else { &self.plain };
        let mut response = answer(asked, self.kind, &self.tag, body.clone());
        let packed = small && response.status() == StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if packed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether an asker takes gzip: named, or by `*`, and not with a weight of nothing (RFC 9110,
/// 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let each = lists.flat_map(|list| list.split(',')).filter_map(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let weight = weight.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()?;
        Some((name.trim().to_ascii_lowercase(), weight))
    });
    let all: Vec<_> = each.collect();
    let of = |name: &str| all.iter().find(|(it, _)| it == name).map(|(_, weight)| *weight);
    of("gzip").or_else(|| of("*")).is_some_and(|weight| weight > 0.0)
}

fn tag(body: &Bytes) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("W/\"\""))
}

fn answer(asked: &HeaderMap, kind: Kind, tag: &HeaderValue, body: Bytes) -> Response {
    let known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.split(',').any(|one| one.trim() == tag || one.trim() == "*"));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Response::new(Body::from(body)),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kind.cache()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.media()));
    if matches!(kind, Kind::Json | Kind::Csv) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// A whole answer; 304 when the asker has it already.
pub(super) fn send(asked: &HeaderMap, kind: Kind, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let tag = tag(&body);
    answer(asked, kind, &tag, body)
}

/// What is wrong, as JSON.
pub(super) fn error_json(status: StatusCode, words: &str) -> Response {
    let body = serde_json::json!({ "error": words }).to_string();
    let mut response = (status, super::text::tame(&body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(Kind::Json.media()));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        for (accepts, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip; q=0.0", false),
            ("br", false),
            ("gzip;q=x", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT_ENCODING, HeaderValue::from_str(accepts).unwrap());
            assert_eq!(takes_gzip(&asked), takes, "{accepts}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_prepared_answer_is_sent_whole_packed_or_not_at_all() {
        let prepared = Prepared::new(Kind::Json, "0".repeat(1000));
        let mut asked = HeaderMap::new();
        let plain = prepared.send(&asked);
        assert_eq!(plain.headers().get(CONTENT_ENCODING), None);
        asked.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let packed = prepared.send(&asked);
        assert_eq!(packed.headers().get(CONTENT_ENCODING).unwrap(), "gzip");
        asked.insert(IF_NONE_MATCH, packed.headers().get(ETAG).unwrap().clone());
        let known = prepared.send(&asked);
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.headers().get(CONTENT_ENCODING), None);
    }
}
