//! The operator's pages.

use super::super::forwarded::Asker;
use super::super::routes::Site;
use super::super::text::shown;
use super::work::Checked;
use super::{COOKIE_NAME, session, view};
use crate::stratum::is_unruly;
use crate::sys::clock::unix_ms;
use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// What stands around a page.
pub(super) struct Frame {
    title: String,
    heading: &'static str,
    path: &'static str,
    style: String,
    /// For the forms; empty: nobody is logged in.
    csrf: String,
    troubles: Vec<String>,
}

impl Frame {
    fn new(site: &Site, path: &'static str, id: Option<&session::Id>) -> Self {
        Self {
            title: shown(&site.settings.title),
            heading: if path == "/admin/check" { "Configuration" } else { "Admin Center" },
            path,
            style: super::super::pages::style_path().to_string(),
            csrf: id.map(session::csrf).unwrap_or_default(),
            troubles: Vec::new(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/login.html")]
struct Login {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "admin/check.html")]
struct Check {
    frame: Frame,
    fine: bool,
    summary: String,
    findings: String,
}

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct Overview {
    frame: Frame,
    facts: Vec<(&'static str, String)>,
    reload: Option<view::Reload>,
    children: Vec<view::Child>,
    coins: Vec<view::Coin>,
    bans: Vec<view::Ban>,
    more_bans: usize,
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(CONTENT_TYPE, html)], text).into_response()
        }
        Err(error) => {
            log::error!("the web site cannot write a page: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// To another page, after something was done.
pub(super) fn to(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static(path))]).into_response()
}

/// The login form, and above it what is wrong.
pub(super) fn refused(site: &Site, status: StatusCode, words: &str) -> Response {
    let mut frame = Frame::new(site, "/admin", None);
    frame.troubles.extend((!words.is_empty()).then(|| words.to_owned()));
    page(status, &Login { frame })
}

/// The cookie of a session; without one the cookie is taken away.
pub(super) fn cookie(mut response: Response, id: Option<&session::Id>, asker: &Asker) -> Response {
    let (value, age) = match id {
        Some(id) => (crate::chain::hex_encode(id), session::LONGEST / 1000),
        None => (String::new(), 0),
    };
    let secure = if asker.secure { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE_NAME}={value}; Path=/admin; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
    );
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(SET_COOKIE, text);
    }
    response
}

/// `/admin`.
pub(super) async fn overview(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    show(&site, &headers, StatusCode::OK, None).await
}

/// The overview for who is logged in, the login form for others; `trouble`: what was not done.
pub(super) async fn show(
    site: &Arc<Site>,
    headers: &HeaderMap,
    status: StatusCode,
    trouble: Option<String>,
) -> Response {
    let Some(center) = &site.admin else { return StatusCode::NOT_FOUND.into_response() };
    let Some(id) = center.known(headers) else {
        return refused(site, StatusCode::OK, "");
    };
    let mut frame = Frame::new(site, "/admin", Some(&id));
    frame.troubles.extend(trouble.map(|words| shown(&words)));
    let now = unix_ms();
    match center.whole(site).await {
        Ok(whole) => {
            let (bans, more_bans) = view::bans(&whole.bans, now);
            let overview = Overview {
                frame,
                facts: view::facts(&whole.status),
                reload: view::reload(&whole.status, now),
                children: view::children(&whole.status),
                coins: view::coins(&whole, &site.config),
                bans,
                more_bans,
            };
            page(status, &overview)
        }
        Err(words) => {
            frame.troubles.push(shown(&words));
            let findings = String::new();
            let summary = "Nothing can be shown now.".to_owned();
            let check = Check { frame, fine: false, summary, findings };
            page(StatusCode::SERVICE_UNAVAILABLE, &check)
        }
    }
}

/// `/admin/check`.
pub(super) async fn check(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let Some(center) = &site.admin else { return StatusCode::NOT_FOUND.into_response() };
    let Some(id) = center.known(&headers) else { return to("/admin") };
    match center.check(&site).await {
        Ok(checked) => checked_page(&site, &id, StatusCode::OK, checked),
        Err(words) => show(&site, &headers, StatusCode::SERVICE_UNAVAILABLE, Some(words)).await,
    }
}

/// What a check says.
pub(super) fn checked_page(
    site: &Site,
    id: &session::Id,
    status: StatusCode,
    checked: Checked,
) -> Response {
    let Checked { fine, findings, summary } = checked;
    let frame = Frame::new(site, "/admin/check", Some(id));
    page(status, &Check { frame, fine, summary, findings: lines(&findings) })
}

/// Many lines, without letters that turn or hide text.
pub(super) fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_unruly(letter) && letter != '\n' {
            true => out.extend(letter.escape_unicode()),
            false => out.push(letter),
        }
    }
    out
}
