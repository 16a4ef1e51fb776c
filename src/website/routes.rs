//! The site: what every handler shares, and which path is whose.

use super::accept::Counts;
use super::admin::{self, Center};
use super::forwarded::{Asker, Peer, asker};
use super::guard::Guard;
use super::live::Live;
use super::own::Own;
use super::reply::error_json;
use super::snapshot::Snapshot;
use super::turns::Turns;
use super::wake::Wake;
use super::{listeners, live, metrics, pages, v1};
use crate::config::{Config, Website};
use crate::sys::clock::{monotonic_ms, ms, unix_ms};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ETAG, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};

/// Questions to ledgers and books at once; of one address one.
const ASKING: usize = 2;
/// How long a question may wait for its turn.
const TURN: Duration = Duration::from_secs(2);

/// What every handler shares.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) config: Arc<Config>,
    pub(super) settings: Website,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Who listens to live numbers.
    pub(super) live: Live,
    /// Which coins are to be looked at before their time.
    pub(super) wake: Wake,
    /// The operator's own texts and files.
    pub(super) own: Own,
    guard: Mutex<Guard>,
    turns: Turns,
    /// The Admin Center; `None`: it is off.
    pub(super) admin: Option<Arc<Center>>,
    /// Whether the process is to end.
    pub(super) ending: watch::Sender<bool>,
    streams: Counts,
}

impl Site {
    /// `None` when the configuration has no web site. `remembered`: what the last process in this
    /// place left.
    pub(super) fn new(config: Arc<Config>, remembered: &str) -> Option<Self> {
        let settings = config.website.clone()?;
        let site = Self {
            own: Own::new(&settings.own),
            admin: settings.admin.as_ref().map(|it| Arc::new(Center::new(it, remembered))),
            ending: watch::Sender::new(false),
            streams: Counts::default(),
            settings,
            config,
            snapshot: RwLock::default(),
            live: Live::default(),
            wake: Wake::default(),
            guard: Mutex::default(),
            turns: Turns::new(ASKING),
        };
        // Until somebody has looked, pages say so.
        site.publish(Snapshot::default());
        Some(site)
    }

    /// The latest numbers.
    pub(super) fn now(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows new numbers to everybody.
    pub(super) fn publish(&self, mut snapshot: Snapshot) {
        snapshot.pools = v1::pools_at(&self.config, &snapshot);
        snapshot.pages = pages::write(self, &snapshot);
        let snapshot = Arc::new(snapshot);
        let before = {
            let mut shown = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *shown, snapshot.clone())
        };
        self.live.publish(&before, &snapshot);
    }

    /// What is older than three intervals, or was never read.
    fn missing(&self) -> Vec<String> {
        let most = ms(self.settings.interval).saturating_mul(3);
        self.now().missing(most, unix_ms())
    }

    /// Asks a ledger or a book on a thread that may wait for a disk. `Err`: why there is no answer
    /// now, in words.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        asker: &Asker,
        question: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<T, &'static str> {
        const BUSY: &str = "too many ask at this moment; try again";
        // A proxy that does not say for whom it asks is everybody behind it.
        let whose = (!self.config.limits.is_proxy(&asker.address)).then_some(asker.address);
        let turn = tokio::time::timeout(TURN, self.turns.take(whose)).await;
        let Ok(Some(turn)) = turn else { return Err(BUSY) };
        let site = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _held = turn;
            question(&site)
        });
        match asked.await {
            Ok(Ok(found)) => Ok(found),
            // The gatherer meets the same trouble, and logs it once.
            Ok(Err(_)) => Err("the pool's books cannot be read now; try again later"),
            Err(_) => Err(BUSY),
        }
    }
}

/// Paths that programs read, from any origin.
fn api() -> Router<Arc<Site>> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(Any)
        .expose_headers([ETAG, LINK, RETRY_AFTER])
        .max_age(Duration::from_secs(86_400))
        .vary([]);
    Router::new()
        .route("/api/stats", get(stats))
        .route("/api/pool_stats", get(pool_stats))
        .route("/api/live_stats", get(live::live_stats))
        .route("/api/v1/events", get(live::events))
        .merge(v1::router())
        .method_not_allowed_fallback(only_get)
        .layer(cors)
}

/// Every path.
pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/getting_started", get(pages::getting_started))
        .route("/stats", get(pages::stats))
        .route("/tbs", get(pages::stats))
        .route("/workers", get(pages::workers_page))
        .route("/api", get(pages::api))
        .route("/miner", get(pages::find))
        .route("/miner/{address}", get(pages::miner))
        .route("/get_page", get(pages::get_page))
        .route(pages::style_path(), get(pages::style))
        .route(pages::script_path(), get(pages::script))
        .route(pages::icon_path(), get(pages::icon))
        .merge(api())
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics::metrics))
        .fallback(nothing)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        // Not compressed: what is secret in a page could be guessed from its length.
        .merge(admin::router(&site))
        .layer(from_fn_with_state(site.clone(), watch))
        .with_state(site)
}

/// Lets a request in, if its address has not sent too many, and tells browsers to be careful.
async fn watch(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let limits = &site.config.limits;
    let asker = asker(peer, request.headers(), |address| limits.is_proxy(address));
    let address = asker.address;
    request.extensions_mut().insert(asker);
    let admitted = {
        let mut guard = site.guard.lock().unwrap_or_else(PoisonError::into_inner);
        guard.admits(address, monotonic_ms())
    };
    let mut response = match admitted {
        true => {
            let response = next.run(request).await;
            let most = if limits.is_proxy(&address) { usize::MAX } else { listeners::MOST_OF_ONE };
            let (counts, ending) = (&site.streams, site.ending.subscribe());
            listeners::held(response, (address, most), counts, ending)
        }
        false => {
            let words = "too many requests; wait a second";
            let mut response = error_json(StatusCode::TOO_MANY_REQUESTS, words);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    };
    let headers = response.headers_mut();
    for (name, value) in super::reply::SAFE {
        // The Admin Center is stricter, and so is a logo.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn nothing(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    nothing_at(&site, &uri, &headers)
}

/// The answer where nothing is.
pub(super) fn nothing_at(site: &Site, uri: &Uri, headers: &HeaderMap) -> Response {
    match uri.path().starts_with("/api/") {
        true => v1::nothing(),
        false => pages::other(site, uri.path(), headers),
    }
}

async fn only_get() -> Response {
    error_json(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here")
}

async fn stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    site.now().stats.send(&headers)
}

async fn pool_stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    site.now().pool_stats.send(&headers)
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    let missing = site.missing();
    match missing.is_empty() {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response(),
    }
}
