//! Answers: their kind, their tag, and what browsers may do with them.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Html,
    Json,
    Text,
    Css,
}

impl Kind {
    const fn media(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
        }
    }

    const fn cache(self) -> &'static str {
        match self {
            // Its hash is in its name.
            Self::Css => "public, max-age=31536000, immutable",
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

/// A whole answer; 304 when the asker has it already.
pub(super) fn send(asked: &HeaderMap, kind: Kind, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
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
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kind.cache()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.media()));
    if kind == Kind::Json {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// JSON, its markup and control characters escaped.
pub(super) fn json(asked: &HeaderMap, value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => send(asked, Kind::Json, super::text::tame(&text)),
        Err(error) => {
            log::error!("the web site cannot write JSON: {error}");
            error_json(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be written")
        }
    }
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
