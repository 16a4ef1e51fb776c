//! What the operator's forms do.

use super::super::forwarded::Asker;
use super::super::routes::Site;
use super::pages::{self, cookie, to};
use super::work::Reloaded;
use super::{Center, session};
use crate::special;
use axum::extract::{Extension, Form, State};
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The login form.
#[derive(Deserialize)]
pub(super) struct Login {
    #[serde(default)]
    password: String,
}

/// Any other form.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    network: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    reason: String,
}

/// `/admin/login`.
pub(super) async fn login(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Form(form): Form<Login>,
) -> Response {
    let Some(center) = &site.admin else { return StatusCode::NOT_FOUND.into_response() };
    match center.login(asker.address, form.password).await {
        Ok(id) => {
            // Whatever the browser showed before is worth nothing from here on.
            center.logout(&headers);
            cookie(to("/admin"), Some(&id), &asker)
        }
        Err(status) => {
            let words = match status {
                StatusCode::FORBIDDEN => "This is not the password.",
                StatusCode::TOO_MANY_REQUESTS => "Too many wrong passwords: wait some minutes.",
                _ => "Not now; try again.",
            };
            let mut response = pages::refused(&site, status, words);
            if status == StatusCode::TOO_MANY_REQUESTS {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
            }
            response
        }
    }
}

/// The session that sent a form, or the answer to one that is not its own.
fn sender<'a>(
    site: &'a Site,
    headers: &HeaderMap,
    csrf: &str,
    asker: &Asker,
) -> Result<(&'a Center, session::Id), Box<Response>> {
    let center =
        site.admin.as_deref().ok_or_else(|| Box::new(StatusCode::NOT_FOUND.into_response()))?;
    center.sent(headers, csrf).map(|id| (center, id)).ok_or_else(|| {
        log::warn!("Admin Center: {}: a form without a session", asker.address);
        let words = "This form is out of date: log in, and send it again.";
        Box::new(pages::refused(site, StatusCode::FORBIDDEN, words))
    })
}

/// `/admin/logout`.
pub(super) async fn logout(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Form(form): Form<Sent>,
) -> Response {
    match sender(&site, &headers, &form.csrf, &asker) {
        Ok((center, _)) => {
            center.logout(&headers);
            special!("Admin Center: {} has logged out", asker.address);
            cookie(to("/admin"), None, &asker)
        }
        Err(response) => *response,
    }
}

/// `/admin/bans`.
pub(super) async fn ban(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Form(form): Form<Sent>,
) -> Response {
    let hours = match form.hours.trim() {
        "" => Some(None),
        text => text.parse::<u64>().ok().filter(|it| (1..=99_999).contains(it)).map(Some),
    };
    let reason = match form.reason.trim() {
        "" => "by hand",
        reason => reason,
    };
    let command = hours.map(|hours| {
        let seconds = hours.map(|hours| hours * 3600);
        let network = form.network.trim();
        json!({ "command": "ban", "network": network, "seconds": seconds, "reason": reason })
    });
    act(&site, &headers, &form.csrf, &asker, command, "has banned").await
}

/// `/admin/unban`.
pub(super) async fn unban(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Form(form): Form<Sent>,
) -> Response {
    let command = json!({ "command": "unban", "network": form.network });
    act(&site, &headers, &form.csrf, &asker, Some(command), "has lifted the ban of").await
}

/// Has the master do something to a network.
async fn act(
    site: &Arc<Site>,
    headers: &HeaderMap,
    csrf: &str,
    asker: &Asker,
    command: Option<Value>,
    what: &str,
) -> Response {
    let (center, _) = match sender(site, headers, csrf, asker) {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    let done = match command {
        Some(command) => center.command(site, command).await,
        None => Err("hours must be a whole number from 1 to 99999, or empty".to_owned()),
    };
    match done {
        Ok(answer) => {
            let network = answer.get("network").and_then(Value::as_str).unwrap_or_default();
            special!("Admin Center: {} {what} {network}", asker.address);
            to("/admin#bans")
        }
        Err(words) => {
            pages::show(site, headers, StatusCode::UNPROCESSABLE_ENTITY, Some(words)).await
        }
    }
}

/// `/admin/reload`.
pub(super) async fn reload(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Form(form): Form<Sent>,
) -> Response {
    let (center, id) = match sender(&site, &headers, &form.csrf, &asker) {
        Ok(sender) => sender,
        Err(response) => return *response,
    };
    special!("Admin Center: {} asks for a reload", asker.address);
    match center.reload(&site).await {
        Ok(Reloaded::Refused(checked)) => {
            pages::checked_page(&site, &id, StatusCode::CONFLICT, checked)
        }
        Ok(Reloaded::Tried(..)) => to("/admin#reload"),
        Err(words) => {
            pages::show(&site, &headers, StatusCode::SERVICE_UNAVAILABLE, Some(words)).await
        }
    }
}
