//! Live numbers: server-sent events for NOMP's dashboards, for romp's own, and for the pages.
//!
//! What many listen to is written once and shared by all of them. A listener holds at most
//! [`WAITING`] messages; who is further behind is dropped, and asks again.

use super::coin::owner;
use super::found::{Fate, newest};
use super::miner::RIGS;
use super::reply::error_json;
use super::routes::Site;
use super::snapshot::Snapshot;
use super::text::{amount, tame};
use super::v1::asked;
use crate::chain::Hash;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Listeners at once.
const LISTENERS: usize = 3000;
/// Messages that may wait for one of them.
pub(super) const WAITING: usize = 4;
/// Between two signs of life, ms: proxies end a connection that says nothing for a minute.
pub(super) const BEAT: u64 = 15_000;
/// Longest address that is listened to.
const LONGEST: usize = 255;

/// What somebody listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Wants {
    /// NOMP's numbers, without a name.
    nomp: bool,
    /// That there are new numbers.
    numbers: bool,
    /// The pools' numbers.
    pools: bool,
    /// Blocks: found, matured, orphaned.
    block: bool,
    /// A miner's shares: of one coin or of all, by address.
    miner: Option<(Option<String>, String)>,
}

impl Wants {
    /// What `/api/live_stats` sends.
    pub(super) fn nomp() -> Self {
        Self { nomp: true, ..Self::default() }
    }
}

#[derive(Debug)]
struct Listener {
    tell: mpsc::Sender<Bytes>,
    wants: Wants,
}

/// Who listens.
#[derive(Debug, Default)]
pub(super) struct Live {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    listeners: Vec<Listener>,
    /// What who comes now is told at once, by what is wanted: written once for everybody.
    first: HashMap<Wants, Bytes>,
    /// Of which snapshot that is, unix ms.
    at: u64,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of events to one who listens, the latest numbers first; `None`: there are too many.
    pub(super) fn listen(&self, site: &Site, wants: Wants) -> Option<mpsc::Receiver<Bytes>> {
        let first = match wants.nomp {
            true => Bytes::from_static(b"\n"),
            false => Bytes::from_static(b"retry: 5000\n\n"),
        };
        let mut all = self.lock();
        all.listeners.retain(|listener| !listener.tell.is_closed());
        if all.listeners.len() >= LISTENERS {
            return None;
        }
        let snapshot = site.now();
        if all.at != snapshot.at || all.first.len() >= LISTENERS {
            all.first.clear();
            all.at = snapshot.at;
        }
        let numbers = (snapshot.at > 0).then(|| {
            let write = || Writer::new(&snapshot).of(&wants);
            all.first.entry(wants.clone()).or_insert_with(write).clone()
        });
        let (tell, told) = mpsc::channel(WAITING);
        let _ = tell.try_send(first);
        if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
            let _ = tell.try_send(numbers);
        }
        all.listeners.push(Listener { tell, wants });
        Some(told)
    }

    /// Tells everybody of a snapshot. `before`: the one that it follows.
    pub(super) fn publish(&self, before: &Snapshot, now: &Snapshot) {
        let mut all = self.lock();
        if all.listeners.is_empty() {
            return;
        }
        let mut writer = Writer::new(now);
        writer.blocks = blocks(before, now);
        all.listeners.retain(|listener| {
            let message = writer.of(&listener.wants);
            message.is_empty() && !listener.tell.is_closed()
                || listener.tell.try_send(message).is_ok()
        });
        // Who comes later hears the same, but no news of blocks.
        let same = writer.written.into_iter().filter(|(wants, _)| !wants.block);
        (all.first, all.at) = (same.collect(), now.at);
    }

    /// A sign of life for everybody.
    pub(super) fn beat(&self) {
        let sign = Bytes::from_static(b": \n\n");
        self.lock().listeners.retain(|listener| listener.tell.try_send(sign.clone()).is_ok());
    }
}

/// Writes what is wanted, each thing once.
struct Writer<'a> {
    snapshot: &'a Snapshot,
    blocks: String,
    written: HashMap<Wants, Bytes>,
}

impl<'a> Writer<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, blocks: String::new(), written: HashMap::new() }
    }

    /// The message for who wants that; empty: nothing is to be said.
    fn of(&mut self, wants: &Wants) -> Bytes {
        if let Some(written) = self.written.get(wants) {
            return written.clone();
        }
        let mut text = Vec::new();
        if wants.nomp {
            text.extend([&b"data: "[..], self.snapshot.stats.plain(), b"\n\n"].concat());
        }
        if wants.block {
            text.extend(self.blocks.bytes());
        }
        if wants.pools {
            text.extend(
                [&b"event: pools\ndata: "[..], self.snapshot.pools.plain(), b"\n\n"].concat(),
            );
        }
        if let Some((coin, address)) = &wants.miner {
            text.extend(self.miner(coin.as_deref(), address).bytes());
        }
        // The last one: who looks at the page anew has heard of everything.
        if wants.numbers {
            text.extend(event("numbers", &json!({ "time": self.snapshot.at })).bytes());
        }
        let written = Bytes::from(text);
        self.written.insert(wants.clone(), written.clone());
        written
    }

    fn miner(&self, coin: Option<&str>, address: &str) -> String {
        let mut text = String::new();
        for (id, view) in &self.snapshot.coins {
            if coin.is_some_and(|coin| id != coin) {
                continue;
            }
            let rigs = view.rigs.owned(address).take(RIGS).map(|rig| {
                let window = &rig.window;
                json!({
                    "name": rig.name, "hashrate": window.rate, "shares": window.shares,
                    "rejected": window.rejected, "last_share": window.last,
                    "difficulty": window.difficulty, "round_work": rig.round,
                })
            });
            let all = view.rigs.owners.get(address).map(|owner| owner.window).unwrap_or_default();
            let said = json!({
                "time": self.snapshot.at / 1000, "coin": id, "address": address,
                "hashrate": all.rate, "shares": all.shares, "rejected": all.rejected,
                "workers": rigs.collect::<Vec<_>>(),
            });
            text.push_str(&event("miner", &said));
        }
        text
    }
}

fn event(name: &str, data: &Value) -> String {
    written(name, &data.to_string())
}

fn written(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {}\n\n", tame(json))
}

/// What happened to blocks between two snapshots, as events.
fn blocks(before: &Snapshot, now: &Snapshot) -> String {
    let mut text = String::new();
    for (id, coin) in &now.coins {
        let Some(old) = before.coins.get(id).filter(|old| old.ledger.value.is_some()) else {
            // What was there at the first look is no news.
            continue;
        };
        let old: HashMap<Hash, Fate> =
            newest(old).into_iter().map(|block| (block.hash, block.fate)).collect();
        // One that comes into the list from below is old.
        let highest = newest(coin).first().map_or(0, |block| block.height);
        for block in newest(coin).into_iter().rev() {
            let known = old.get(&block.hash);
            let what = match (known, block.fate) {
                (Some(old), fate) if *old == fate => continue,
                (Some(old), fate) if fate.is_lost() && !old.is_lost() => "orphaned",
                (Some(_), Fate::Mature) => "matured",
                (None, fate) if !fate.is_lost() && block.height + 100 > highest => "found",
                _ => continue,
            };
            let said = json!({
                "event": what, "coin": id, "height": block.height, "hash": block.hash.to_string(),
                "time": block.time / 1000, "value": amount(block.value), "finder": block.finder,
            });
            text.push_str(&event("block", &said));
        }
    }
    text
}

/// What `/api/v1/events` is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    topics: Option<String>,
    miner: Option<String>,
    coin: Option<String>,
}

impl Asked {
    /// `Err`: why it cannot be had.
    fn wants(self) -> Result<Wants, String> {
        let mut wants = Wants::default();
        let topics = match (&self.topics, &self.miner) {
            (Some(topics), _) => topics.as_str(),
            (None, Some(_)) => "miner",
            (None, None) => "numbers,pools,block",
        };
        for topic in topics.split(',').map(str::trim) {
            match topic {
                "numbers" => wants.numbers = true,
                "pools" => wants.pools = true,
                "block" => wants.block = true,
                "miner" if self.miner.is_some() => {}
                "miner" => return Err("the topic miner needs &miner=ADDRESS".to_owned()),
                _ => {
                    let words = "no such topic: there are numbers, pools, block and miner";
                    return Err(words.to_owned());
                }
            }
        }
        if let Some(miner) = self.miner {
            if miner.len() > LONGEST {
                return Err("no address is that long".to_owned());
            }
            wants.miner = Some((self.coin, owner(&miner).to_owned()));
        }
        Ok(wants)
    }
}

/// `/api/v1/events`.
pub(super) async fn events(State(site): State<Arc<Site>>, uri: Uri) -> Response {
    let asked: Asked = match asked(&uri) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    if let Some(coin) = asked.coin.as_deref().filter(|coin| !site.config.pools.contains_key(*coin))
    {
        let words = format!("no pool of the name {coin}; /api/v1/pools lists them");
        return error_json(StatusCode::NOT_FOUND, &words);
    }
    match asked.wants() {
        Ok(wants) => stream(&site, wants),
        Err(words) => error_json(StatusCode::BAD_REQUEST, &words),
    }
}

/// `/api/live_stats`.
pub(super) async fn live_stats(State(site): State<Arc<Site>>) -> Response {
    stream(&site, Wants::nomp())
}

fn stream(site: &Site, wants: Wants) -> Response {
    let Some(told) = site.live.listen(site, wants) else {
        return error_json(StatusCode::SERVICE_UNAVAILABLE, "too many listeners");
    };
    let mut response = Response::new(Body::new(Events(told)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A body that ends when its listener is dropped.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
