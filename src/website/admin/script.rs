//! The same for scripts, as JSON: `Authorization: Bearer TOKEN`, and no cookie.

use super::super::forwarded::Asker;
use super::super::reply::error_json;
use super::super::routes::Site;
use super::super::text::tame;
use super::Center;
use super::work::{Checked, Reloaded};
use crate::special;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a script sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    network: String,
    seconds: Option<u64>,
    reason: Option<String>,
}

fn answer(status: StatusCode, value: &Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, json)], tame(&value.to_string())).into_response()
}

fn busy(words: &str) -> Response {
    error_json(StatusCode::SERVICE_UNAVAILABLE, words)
}

/// A script that has the token.
pub(super) struct Script {
    site: Arc<Site>,
    center: Arc<Center>,
    asker: Asker,
}

impl FromRequestParts<Arc<Site>> for Script {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let asker = parts.extensions.get::<Asker>().cloned();
        let (Some(center), Some(asker)) = (&site.admin, asker) else {
            return Err(StatusCode::NOT_FOUND.into_response());
        };
        if let Err(status) = center.script(asker.address, &parts.headers) {
            let (words, name, value) = match status {
                StatusCode::TOO_MANY_REQUESTS => ("too many wrong tokens", RETRY_AFTER, "60"),
                _ => ("send `Authorization: Bearer TOKEN`", WWW_AUTHENTICATE, "Bearer"),
            };
            let mut response = error_json(status, words);
            response.headers_mut().insert(name, HeaderValue::from_static(value));
            return Err(response);
        }
        Ok(Self { site: site.clone(), center: center.clone(), asker })
    }
}

/// `GET /api/admin/status`: as `romp status --json`, and what is on hold in the books.
pub(super) async fn status(script: Script) -> Response {
    match script.center.whole(&script.site).await {
        Ok(whole) => {
            answer(StatusCode::OK, &json!({ "status": whole.status, "on_hold": whole.books }))
        }
        Err(words) => busy(&words),
    }
}

/// `GET /api/admin/bans`.
pub(super) async fn bans(script: Script) -> Response {
    match script.center.command(&script.site, json!({ "command": "bans" })).await {
        Ok(bans) => answer(StatusCode::OK, &bans),
        Err(words) => busy(&words),
    }
}

/// `POST /api/admin/bans`: `{"network": ..., "seconds": ..., "reason": ...}`.
pub(super) async fn ban(script: Script, body: Bytes) -> Response {
    act(&script, &body, ("ban", "has banned")).await
}

/// `POST /api/admin/unban`: `{"network": ...}`.
pub(super) async fn unban(script: Script, body: Bytes) -> Response {
    act(&script, &body, ("unban", "has lifted the ban of")).await
}

async fn act(script: &Script, body: &[u8], (command, what): (&str, &str)) -> Response {
    let sent: Sent = match serde_json::from_slice(body) {
        Ok(sent) => sent,
        Err(error) => return error_json(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let Sent { network, seconds, reason } = sent;
    let reason = reason.unwrap_or_else(|| "by a script".to_owned());
    let request = json!({
        "command": command, "network": network, "seconds": seconds, "reason": reason,
    });
    match script.center.command(&script.site, request).await {
        Ok(done) => {
            let network = done.get("network").and_then(Value::as_str).unwrap_or_default();
            special!("Admin Center: a script of {} {what} {network}", script.asker.address);
            answer(StatusCode::OK, &done)
        }
        Err(words) => error_json(StatusCode::UNPROCESSABLE_ENTITY, &words),
    }
}

fn findings(checked: &Checked) -> Value {
    json!({ "fine": checked.fine, "summary": checked.summary, "findings": checked.findings })
}

/// `GET /api/admin/check`.
pub(super) async fn check(script: Script) -> Response {
    match script.center.check(&script.site).await {
        Ok(checked) => answer(StatusCode::OK, &findings(&checked)),
        Err(words) => busy(&words),
    }
}

/// `POST /api/admin/reload`.
pub(super) async fn reload(script: Script) -> Response {
    special!("Admin Center: a script of {} asks for a reload", script.asker.address);
    match script.center.reload(&script.site).await {
        Ok(Reloaded::Refused(checked)) => answer(StatusCode::CONFLICT, &findings(&checked)),
        Ok(Reloaded::Tried(outcome, generation)) => {
            let done = outcome.get("done").and_then(Value::as_bool) == Some(true);
            let status = if done { StatusCode::OK } else { StatusCode::CONFLICT };
            let words = outcome.get("words").cloned().unwrap_or_default();
            answer(status, &json!({ "done": done, "generation": generation, "words": words }))
        }
        Err(words) => busy(&words),
    }
}
