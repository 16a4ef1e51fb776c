//! The pages. They are whole without scripts, and everything that others chose is escaped by the
//! templates. Those that are the same for everybody are written once for each snapshot.

mod api;
mod chart;
mod frame;
mod miner;
mod ports;
mod start;
mod view;
mod words;

pub(super) use api::api;

use super::coin::{WorkerView, owner};
use super::forwarded::Asker;
use super::reply::{Kind, Prepared, send};
use super::rigs::Known;
use super::routes::Site;
use super::snapshot::Snapshot;
use super::text::{ago, difficulty, in_path, rate, shown};
use crate::sys::clock::unix_ms;
use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use frame::Frame;
pub(super) use frame::{icon, icon_path, script, script_path, style, style_path};
pub(super) use miner::miner;
use serde::Deserialize;
pub(super) use start::getting_started;
use std::sync::Arc;
use view::PoolView;

/// Workers of a coin that one page shows.
const WORKERS: usize = 500;

/// A page that is the same for everybody: whole, and what is within its `main`.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    whole: Prepared,
    part: Prepared,
}

/// The pages of a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    home: Page,
    stats: Page,
    workers: Page,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: Frame,
    words: String,
    pools: &'a [PoolView],
}

#[derive(Template)]
#[template(path = "stats.html")]
struct Stats<'a> {
    frame: Frame,
    pools: &'a [PoolView],
}

#[derive(Template)]
#[template(path = "workers.html")]
struct Workers {
    frame: Frame,
    pools: Vec<CoinWorkers>,
}

/// A coin's workers, the fastest first.
struct CoinWorkers {
    id: String,
    name: String,
    count: usize,
    more: usize,
    away: Vec<String>,
    rigs: Vec<RigView>,
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
    difficulty: String,
    last: String,
}

impl RigView {
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    fn new(name: &str, worker: &WorkerView, round: f64, now: u64) -> Self {
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
            difficulty: worker.difficulty.map(difficulty).unwrap_or_default(),
            last: worker.last.map(|at| ago(at * 1000, now)).unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    frame: Frame,
    words: String,
}

fn text_of(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        log::error!("the web site cannot write a page: {error}");
        "this page cannot be written\n".to_owned()
    })
}

/// What stands within a page's `main`: no name can look like its tags.
fn part_of(text: &str) -> &str {
    let inner = text.split_once("<main ").and_then(|(_, rest)| rest.split_once('>'));
    inner.and_then(|(_, rest)| rest.rsplit_once("</main>")).map_or(text, |(inner, _)| inner)
}

fn page(headers: &HeaderMap, template: &impl Template) -> Response {
    send(headers, Kind::Html, text_of(template))
}

/// A page, or what is within its `main`.
fn page_or_part(headers: &HeaderMap, part: bool, template: &impl Template) -> Response {
    let text = text_of(template);
    match part {
        true => send(headers, Kind::Html, part_of(&text).to_owned()),
        false => send(headers, Kind::Html, text),
    }
}

impl Page {
    fn new(template: &impl Template) -> Self {
        let text = text_of(template);
        let part = Prepared::new(Kind::Html, part_of(&text).to_owned());
        Self { whole: Prepared::new(Kind::Html, text), part }
    }
}

fn views(site: &Site, snapshot: &Snapshot, now: u64) -> Vec<PoolView> {
    let pools = site.config.pools.iter();
    pools.map(|(id, pool)| view::pool(snapshot, id, pool, now)).collect()
}

/// Writes the pages of a snapshot.
pub(super) fn write(site: &Site, snapshot: &Snapshot) -> Written {
    let now = unix_ms();
    let frame = |path, heading| Frame::of(site, snapshot, path, heading, now);
    let pools = &views(site, snapshot, now)[..];
    let words = site.own.home.clone();
    let home = Home { frame: frame("/", "What is mined here"), words, pools };
    let stats = Stats { frame: frame("/stats", "Pools"), pools };
    let pools = workers(site, snapshot, now);
    let workers = Workers { frame: frame("/workers", "Workers"), pools };
    Written { home: Page::new(&home), stats: Page::new(&stats), workers: Page::new(&workers) }
}

/// `/`.
pub(super) async fn home(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    site.now().pages.home.whole.send(&headers)
}

/// `/stats`.
pub(super) async fn stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    site.now().pages.stats.whole.send(&headers)
}

/// `/workers`.
pub(super) async fn workers_page(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    site.now().pages.workers.whole.send(&headers)
}

fn workers(site: &Site, snapshot: &Snapshot, now: u64) -> Vec<CoinWorkers> {
    let mut pools = Vec::new();
    for (id, pool) in &site.config.pools {
        let Some(coin) = snapshot.coins.get(id) else { continue };
        let count = coin.rigs.all.len();
        let rig = |rig: &Known| RigView::new(&rig.name, &rig.window, rig.round, now);
        pools.push(CoinWorkers {
            id: id.clone(),
            name: shown(&pool.coin.name),
            count,
            more: count.saturating_sub(WORKERS),
            away: view::away(coin, now),
            rigs: coin.rigs.fastest().take(WORKERS).map(rig).collect(),
        });
    }
    pools
}

/// Which page NOMP's `/get_page` is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    id: String,
}

/// NOMP's `/get_page?id=`: what is within a page's `main`.
pub(super) async fn get_page(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    Query(named): Query<Named>,
    headers: HeaderMap,
) -> Response {
    let snapshot = site.now();
    let pages = &snapshot.pages;
    match named.id.as_str() {
        "" | "home" => pages.home.part.send(&headers),
        "stats" | "tbs" => pages.stats.part.send(&headers),
        "workers" => pages.workers.part.send(&headers),
        "getting_started" => start::page(&site, &asker, &headers, &start::Chosen::default(), true),
        "api" => api::page_of(&site, &headers, true),
        _ => not_found(&site, "There is no page of that name."),
    }
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

/// Anything else: a file of the operator's, or nothing.
pub(super) fn other(site: &Site, path: &str, headers: &HeaderMap) -> Response {
    if let Some(file) = site.own.file(path, headers) {
        return file;
    }
    match path {
        "/mining_key" | "/key.html" => not_found(
            site,
            "NOMP's mining keys are no more: one in eight of those that its page made could not be \
             spent. Mine to an address of your own wallet.",
        ),
        _ => not_found(site, "There is nothing here."),
    }
}

/// A page that is not there.
pub(super) fn not_found(site: &Site, words: &str) -> Response {
    message(site, StatusCode::NOT_FOUND, "Not found", words)
}

/// A page that says why there is no other.
fn message(site: &Site, status: StatusCode, heading: &str, words: &str) -> Response {
    let frame = Frame::new(site, "", heading, unix_ms());
    let mut response = page(&HeaderMap::new(), &Message { frame, words: words.to_owned() });
    *response.status_mut() = status;
    response
}
