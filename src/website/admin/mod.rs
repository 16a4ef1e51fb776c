//! The Admin Center: for the operator, at `/admin` and, for scripts, `/api/admin`. Off by default.
//!
//! It writes nothing itself: it asks the master over the control socket, as `romp` does.

mod attempts;
mod forms;
mod origin;
mod pages;
mod script;
mod session;
mod view;
mod work;

use super::forwarded::Asker;
use super::reply::error_json;
use super::routes::Site;
use crate::config::{Admin, phc};
use crate::special;
use crate::sys::clock::{monotonic_ms, unix_ms};
use crate::sys::random;
use attempts::Attempts;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;
use session::{Id, Sessions};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Most bytes of a form or of a script's request.
const BODY: usize = 8 * 1024;
/// Within which a request must have come as a whole and be answered.
const TIME: Duration = Duration::from_secs(30);
/// How long a password may wait until it is its turn to be looked at.
const TURN: Duration = Duration::from_secs(5);
/// The cookie of a session.
const COOKIE_NAME: &str = "romp_admin";
/// Sent with every answer: no script runs, nothing is kept, and forms are sent here only. With
/// `no-referrer` browsers would not say where a form comes from.
const SAFE: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("referrer-policy"), "same-origin"),
];

/// The state of the Admin Center.
#[derive(Debug)]
pub(super) struct Center {
    settings: Admin,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    /// One password at a time is looked at, on a thread of its own: guesses cannot keep the site
    /// from answering.
    looking: Arc<Semaphore>,
    /// Questions to master and books at once.
    asking: Arc<Semaphore>,
    /// Sessions have changed since the master was told.
    changed: AtomicBool,
}

/// What is shown: the master's status and bans, and what is on hold in each book.
struct Whole {
    status: Value,
    bans: Value,
    books: BTreeMap<String, view::Waiting>,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Center {
    /// With what the last process in this place had the master remember.
    pub(super) fn new(settings: &Admin, remembered: &str) -> Self {
        let password = settings.password.as_ref().map_or("", |password| password.expose());
        Self {
            sessions: Mutex::new(Sessions::recall(password, remembered, unix_ms())),
            settings: settings.clone(),
            attempts: Mutex::new(Attempts::new(monotonic_ms())),
            looking: Arc::new(Semaphore::new(1)),
            asking: Arc::new(Semaphore::new(2)),
            changed: AtomicBool::new(false),
        }
    }

    /// What the master has to remember, if that has changed.
    pub(super) fn news(&self) -> Option<String> {
        let changed = self.changed.swap(false, Ordering::Relaxed);
        changed.then(|| hold(&self.sessions).remember())
    }

    /// The session that a browser has.
    fn known(&self, headers: &HeaderMap) -> Option<Id> {
        let mut sessions = hold(&self.sessions);
        let found = ids(headers).find(|id| sessions.knows(id, unix_ms()));
        self.changed.fetch_or(found.is_some(), Ordering::Relaxed);
        found
    }

    /// The session, when the form was made for it.
    fn sent(&self, headers: &HeaderMap, csrf: &str) -> Option<Id> {
        self.known(headers).filter(|id| session::is_equal(&session::csrf(id), csrf))
    }

    /// Whether that address may try a password or token.
    fn may_try(&self, address: IpAddr) -> bool {
        hold(&self.attempts).admits(address, monotonic_ms())
    }

    /// A password is tried: the new session's id, or how that is answered.
    async fn login(&self, address: IpAddr, password: String) -> Result<Id, StatusCode> {
        let hash = self.settings.password.clone().ok_or(StatusCode::NOT_FOUND)?;
        if !self.may_try(address) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        let turn = tokio::time::timeout(TURN, self.looking.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
        // Whoever hangs up meanwhile does not let the next one in.
        let looked = tokio::task::spawn_blocking(move || {
            let _held = turn;
            phc::verify(hash.expose(), &password)
        });
        if !looked.await.unwrap_or(false) {
            log::warn!("Admin Center: {address}: a wrong password");
            return Err(StatusCode::FORBIDDEN);
        }
        let id = random::bytes().map_err(|error| {
            log::error!("Admin Center: no randomness: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        hold(&self.attempts).forgive(address);
        hold(&self.sessions).begin(&id, unix_ms());
        self.changed.store(true, Ordering::Relaxed);
        special!("Admin Center: {address} has logged in");
        Ok(id)
    }

    /// Ends every session that the browser shows.
    fn logout(&self, headers: &HeaderMap) {
        let mut sessions = hold(&self.sessions);
        ids(headers).for_each(|id| sessions.end(&id));
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Whether a script has the token; else how that is answered.
    fn script(&self, address: IpAddr, headers: &HeaderMap) -> Result<(), StatusCode> {
        let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|text| text.split_once(' '));
        let sent = sent.filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = sent else { return Err(StatusCode::UNAUTHORIZED) };
        let known = self.settings.token.as_ref();
        if known.is_some_and(|known| session::is_equal(known.expose(), token.trim())) {
            return Ok(());
        }
        if !self.may_try(address) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        log::warn!("Admin Center: {address}: a wrong token");
        Err(StatusCode::UNAUTHORIZED)
    }
}

/// The ids in a browser's cookies.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = Id> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| name.trim() == COOKIE_NAME)
        .filter_map(|(_, id)| session::id(id.trim()))
}

/// Its paths; none when it is off.
pub(super) fn router(site: &Arc<Site>) -> Router<Arc<Site>> {
    let Some(center) = &site.admin else { return Router::new() };
    let mut router = Router::new();
    if center.settings.password.is_some() {
        router = router
            .route("/admin", get(pages::overview))
            .route("/admin/check", get(pages::check))
            .route("/admin/login", post(forms::login))
            .route("/admin/logout", post(forms::logout))
            .route("/admin/bans", post(forms::ban))
            .route("/admin/unban", post(forms::unban))
            .route("/admin/reload", post(forms::reload));
    }
    if center.settings.token.is_some() {
        router = router
            .route("/api/admin/status", get(script::status))
            .route("/api/admin/bans", get(script::bans).post(script::ban))
            .route("/api/admin/unban", post(script::unban))
            .route("/api/admin/check", get(script::check))
            .route("/api/admin/reload", post(script::reload));
    }
    router.layer(DefaultBodyLimit::max(BODY)).layer(from_fn_with_state(site.clone(), gate))
}

/// Lets in whom `allow` names, and forms of this site's own pages only.
async fn gate(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let asker = request.extensions().get::<Asker>().cloned();
    let (Some(center), Some(asker)) = (&site.admin, asker) else { return hidden(&site, &request) };
    if !center.settings.admits(&asker.address) {
        return hidden(&site, &request);
    }
    let is_form = request.method() == Method::POST && !request.uri().path().starts_with("/api/");
    let own = !is_form || origin::is_own(request.headers(), asker.host.as_deref(), asker.secure);
    let mut response = if own {
        let answered = tokio::time::timeout(TIME, next.run(request)).await;
        answered.unwrap_or_else(|_| error_json(StatusCode::REQUEST_TIMEOUT, "too slow"))
    } else {
        log::warn!("Admin Center: {}: a form that is not of this site", asker.address);
        pages::refused(&site, StatusCode::FORBIDDEN, "This form was not sent from this site.")
    };
    let headers = response.headers_mut();
    headers.remove("access-control-allow-origin");
    for (name, value) in SAFE {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// As if there were no Admin Center.
fn hidden(site: &Site, request: &Request) -> Response {
    super::routes::nothing_at(site, request.uri(), request.headers())
}
