//! The pages. They are whole without scripts, and everything that others chose is escaped by the
//! templates.

mod api;
mod view;

pub(super) use api::api;

use super::coin::{WorkerView, owner};
use super::miner::{self, Miner};
use super::reply::{Kind, send};
use super::routes::Site;
use super::text::{ago, coins, difficulty, in_path, rate, shown, utc};
use crate::config::Pool;
use crate::sys::clock::unix_ms;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use view::{PayoutView, PoolView, link, money};

const ICON: &str = include_str!("../html/icon.svg");
const STYLE: &str = include_str!("../html/style.css");
/// Pages of the menu.
const PAGES: [(&str, &str); 5] = [
    ("/", "Home"),
    ("/getting_started", "Getting started"),
    ("/stats", "Pools"),
    ("/workers", "Workers"),
    ("/api", "API"),
];
/// Workers of a coin that one page shows.
const WORKERS: usize = 500;

/// Where the style is: a new one has another name, so that nobody sees an old one.
pub(super) fn style_path() -> String {
    let mut hasher = DefaultHasher::new();
    STYLE.hash(&mut hasher);
    format!("/static/style-{:016x}.css", hasher.finish())
}

/// The style.
pub(super) async fn style(headers: HeaderMap) -> Response {
    send(&headers, Kind::Css, STYLE)
}

/// The sign in a browser's tab.
pub(super) async fn icon(headers: HeaderMap) -> Response {
    send(&headers, Kind::Svg, ICON)
}

/// What stands around every page.
struct Frame {
    title: String,
    heading: String,
    path: &'static str,
    pages: &'static [(&'static str, &'static str)],
    style: String,
    troubles: Vec<String>,
    age: String,
}

impl Frame {
    fn new(site: &Site, path: &'static str, heading: &str, now: u64) -> Self {
        let snapshot = site.now();
        let mut troubles = Vec::new();
        if snapshot.master.trouble.is_some() {
            troubles.push(match snapshot.master.at {
                0 => "The server does not answer the web site.".to_owned(),
                at => format!(
                    "The server does not answer the web site: what it said is from {}.",
                    ago(at, now)
                ),
            });
        }
        Self {
            title: shown(&site.settings.title),
            heading: heading.to_owned(),
            path,
            pages: &PAGES,
            style: style_path(),
            troubles,
            age: match snapshot.at {
                0 => "The first numbers come in a moment.".to_owned(),
                // Not how long ago: a page that did not change keeps its tag.
                at => format!("Numbers of {}.", utc(at / 1000)),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    pools: Vec<PoolView>,
}

#[derive(Template)]
#[template(path = "getting_started.html")]
struct GettingStarted {
    frame: Frame,
    host: String,
    pools: Vec<PoolView>,
}

#[derive(Template)]
#[template(path = "stats.html")]
struct Stats {
    frame: Frame,
    pools: Vec<PoolView>,
}

#[derive(Template)]
#[template(path = "workers.html")]
struct Workers {
    frame: Frame,
    pools: Vec<CoinWorkers>,
}

struct CoinWorkers {
    id: String,
    name: String,
    count: usize,
    more: usize,
    rigs: Vec<RigView>,
}

#[derive(Template)]
#[template(path = "miner.html")]
struct MinerPage {
    frame: Frame,
    address: String,
    path: String,
    pools: Vec<MinerView>,
}

/// A miner's part in one pool.
struct MinerView {
    id: String,
    name: String,
    rate: String,
    has_account: bool,
    immature: String,
    unpaid: String,
    in_flight: String,
    paid: String,
    minimum: String,
    held: bool,
    rigs: Vec<RigView>,
    payments: Vec<PayoutView>,
}

/// A worker.
struct RigView {
    name: String,
    path: String,
    rate: String,
    shares: u64,
    rejected: u64,
    efficiency: String,
    round: String,
}

impl RigView {
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    fn new(name: &str, worker: WorkerView, round: f64) -> Self {
        let all = worker.shares.saturating_add(worker.rejected);
        Self {
            name: shown(name),
            path: in_path(owner(name)),
            rate: rate(worker.rate),
            shares: worker.shares,
            rejected: worker.rejected,
            efficiency: match all {
                0 => String::new(),
                all => format!("{:.2} %", worker.shares as f64 / all as f64 * 100.0),
            },
            round: difficulty(round),
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    frame: Frame,
    words: String,
}

fn page(headers: &HeaderMap, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => send(headers, Kind::Html, text),
        Err(error) => {
            log::error!("the web site cannot write a page: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be written\n").into_response()
        }
    }
}

fn views(site: &Site, now: u64) -> Vec<PoolView> {
    let snapshot = site.now();
    let pools = site.config.pools.iter();
    pools.map(|(id, pool)| view::pool(&snapshot, id, pool, now)).collect()
}

/// `/`.
pub(super) async fn home(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let now = unix_ms();
    let frame = Frame::new(&site, "/", "What is mined here", now);
    page(&headers, &Home { frame, pools: views(&site, now) })
}

/// `/getting_started`.
pub(super) async fn getting_started(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let now = unix_ms();
    let frame = Frame::new(&site, "/getting_started", "Getting started", now);
    let host = site.settings.stratum_host.clone().unwrap_or_else(|| visited(&headers));
    page(&headers, &GettingStarted { frame, host, pools: views(&site, now) })
}

/// The name by which the visitor came, without its port.
fn visited(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => format!("[{address}]"),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    };
    let fine = |letter: char| letter.is_ascii_alphanumeric() || ".-[]:".contains(letter);
    match !name.is_empty() && name.len() <= 255 && name.chars().all(fine) {
        true => name,
        false => "POOL".to_owned(),
    }
}

/// `/stats`.
pub(super) async fn stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let now = unix_ms();
    let frame = Frame::new(&site, "/stats", "Pools", now);
    page(&headers, &Stats { frame, pools: views(&site, now) })
}

/// `/workers`.
pub(super) async fn workers(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let now = unix_ms();
    let snapshot = site.now();
    let mut pools = Vec::new();
    for (id, pool) in &site.config.pools {
        let Some(coin) = snapshot.coins.get(id) else { continue };
        let workers = coin.workers();
        let mut order: Vec<_> = workers.iter().collect();
        order.sort_by(|a, b| b.1.rate.total_cmp(&a.1.rate).then(a.0.cmp(b.0)));
        let rig = |(name, worker): &(&&str, &WorkerView)| {
            RigView::new(name, **worker, coin.in_round(name))
        };
        pools.push(CoinWorkers {
            id: id.clone(),
            name: shown(&pool.coin.name),
            count: order.len(),
            more: order.len().saturating_sub(WORKERS),
            rigs: order.iter().take(WORKERS).map(rig).collect(),
        });
    }
    let frame = Frame::new(&site, "/workers", "Workers", now);
    page(&headers, &Workers { frame, pools })
}

/// What the search form asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    address: String,
}

/// `/miner?address=`.
pub(super) async fn find(Query(sought): Query<Sought>) -> Response {
    let address = owner(sought.address.trim());
    match address {
        "" => Redirect::to("/").into_response(),
        address => Redirect::to(&format!("/miner/{}", in_path(address))).into_response(),
    }
}

/// `/miner/ADDRESS`.
pub(super) async fn miner(
    State(site): State<Arc<Site>>,
    Path(address): Path<String>,
    headers: HeaderMap,
) -> Response {
    let name = address.clone();
    let asked = site.ask(move |site| {
        let mut parts = Vec::new();
        for pool in site.config.pools.values() {
            parts.push((pool.clone(), miner::ask(site, pool, &name)?));
        }
        Ok(parts)
    });
    let parts = match asked.await {
        Ok(parts) => parts,
        Err(response) => return response,
    };
    let now = unix_ms();
    let pools: Vec<MinerView> = parts
        .iter()
        .filter(|(_, miner)| miner.is_known())
        .map(|(pool, miner)| miner_view(pool, miner, now))
        .collect();
    let frame = Frame::new(&site, "/miner", "Miner", now);
    if pools.is_empty() {
        let words = format!(
            "Nothing is known of {} here: it has not mined lately, and earned nothing.",
            shown(&address)
        );
        let mut response = page(&headers, &Message { frame, words });
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let path = in_path(&address);
    page(&headers, &MinerPage { frame, address: shown(&address), path, pools })
}

fn miner_view(pool: &Pool, miner: &Miner, now: u64) -> MinerView {
    let balance = miner.balance.as_ref();
    let of = |amount: fn(&crate::ledger::book::Balance) -> crate::rewards::Amount| {
        balance.map(|balance| money(pool, amount(balance))).unwrap_or_default()
    };
    let payment = |paid: &crate::ledger::book::Paid| {
        let txid = paid.txid.to_string();
        PayoutView {
            time: ago(paid.time, now),
            state: paid.state.name(),
            count: 1,
            amount: money(pool, paid.amount),
            link: link(pool, "transaction", &txid),
            txid,
        }
    };
    MinerView {
        id: pool.coin.id.clone(),
        name: shown(&pool.coin.name),
        rate: rate(miner.rate()),
        has_account: balance.is_some() || miner.immature > 0,
        immature: format!("{} {}", coins(miner.immature), pool.coin.symbol),
        unpaid: of(|balance| balance.unpaid),
        in_flight: of(|balance| balance.in_flight),
        paid: of(|balance| balance.paid),
        minimum: miner.minimum.map(|minimum| money(pool, minimum)).unwrap_or_default(),
        held: balance.is_some_and(|balance| balance.held.is_some()),
        rigs: miner.rigs.iter().map(|rig| RigView::new(&rig.name, rig.window, rig.round)).collect(),
        payments: miner.payments.iter().map(payment).collect(),
    }
}

/// A page that is not there; it needs no numbers.
pub(super) fn not_found(words: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not found</title>\
         <link rel=\"stylesheet\" href=\"{}\"></head><body><main><h1>Not found</h1><p>{words}</p>\
         <p><a href=\"/\">To the first page</a></p></main></body></html>",
        style_path()
    );
    let mut response = send(&HeaderMap::new(), Kind::Html, text);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
