//! A pool as its pages show it: everything is text already.

use super::super::coin::{CoinView, HistoryView, Ledger};
use super::super::found::{Fate, Found, newest};
use super::super::miner::{passed, why};
use super::super::snapshot::Snapshot;
use super::super::text::{ago, amount, coins, difficulty, duration, percent, rate, shown, utc};
use super::super::v1::fee;
use super::chart::{self, Chart, Series};
use super::ports::{PortView, ports};
use super::words;
use crate::config::Pool;
use crate::rewards::Amount;
use serde_json::Value;

/// What is shown where nothing is known.
const UNKNOWN: &str = "unknown";

/// Blocks that luck is told of.
const LUCK: usize = 20;

/// A pool.
#[derive(Debug, Default)]
pub(super) struct PoolView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) symbol: String,
    pub(super) algorithm: String,
    pub(super) state: &'static str,
    /// `good`, `warn` or `bad`.
    pub(super) mood: &'static str,
    pub(super) rate: String,
    pub(super) network: String,
    pub(super) share: String,
    pub(super) connections: String,
    pub(super) workers: String,
    pub(super) height: String,
    pub(super) tip: Option<String>,
    pub(super) tip_link: Option<String>,
    pub(super) difficulty: String,
    pub(super) effort: String,
    /// Of it what a gauge shows, at most 100.
    pub(super) gauge: Option<String>,
    pub(super) began: String,
    /// Over the newest blocks, and over how many.
    pub(super) luck: String,
    pub(super) expected: String,
    pub(super) accepted: String,
    pub(super) rejected: String,
    /// Refused shares by reason: words and count.
    pub(super) reasons: Vec<(&'static str, u64)>,
    pub(super) found: String,
    pub(super) last_block: Option<BlockView>,
    pub(super) pending: u64,
    pub(super) confirmed: u64,
    pub(super) orphaned: u64,
    pub(super) paid: String,
    pub(super) owed: String,
    pub(super) next_payout: String,
    pub(super) waits: Vec<String>,
    pub(super) fee: String,
    pub(super) minimum: String,
    pub(super) scheme: &'static str,
    pub(super) away: Vec<String>,
    pub(super) ports: Vec<PortView>,
    pub(super) daemons: Vec<DaemonView>,
    pub(super) charts: Vec<Chart>,
    pub(super) blocks: Vec<BlockView>,
    pub(super) payouts: Vec<PayoutView>,
}

/// A daemon.
#[derive(Debug)]
pub(super) struct DaemonView {
    pub(super) state: &'static str,
    pub(super) mood: &'static str,
    pub(super) height: String,
    pub(super) latency: String,
}

/// A block.
#[derive(Debug, Clone)]
pub(super) struct BlockView {
    pub(super) height: u64,
    pub(super) found: String,
    pub(super) time: String,
    pub(super) state: &'static str,
    pub(super) mood: &'static str,
    pub(super) depth: String,
    pub(super) value: String,
    pub(super) finder: String,
    pub(super) effort: String,
    pub(super) hash: String,
    pub(super) link: Option<String>,
}

/// A payout, or a payment to one address.
#[derive(Debug)]
pub(super) struct PayoutView {
    pub(super) time: String,
    pub(super) date: String,
    pub(super) state: &'static str,
    pub(super) count: u64,
    pub(super) amount: String,
    pub(super) txid: String,
    pub(super) link: Option<String>,
}

/// A link to the coin's explorer. `value` is hexadecimal.
pub(super) fn link(pool: &Pool, kind: &str, value: &str) -> Option<String> {
    pool.coin.explorer.get(kind).map(|link| link.replace("{}", value))
}

/// An amount with the coin's symbol.
pub(super) fn money(pool: &Pool, value: Amount) -> String {
    format!("{} {}", amount(value), pool.coin.symbol)
}

fn text(of: &Value, key: &str) -> String {
    match of.get(key) {
        Some(Value::String(text)) => shown(text),
        None | Some(Value::Null) => UNKNOWN.to_owned(),
        Some(other) => other.to_string(),
    }
}

/// What the master says of a coin.
fn status_of<'s>(snapshot: &'s Snapshot, id: &str) -> &'s Value {
    let master = snapshot.master.value.as_deref();
    master.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null)
}

fn unpaid() -> String {
    "nothing is paid by this pool".to_owned()
}

/// Of a pool's view what whoever begins to mine wants to know; the rest is empty.
pub(super) fn terms(snapshot: &Snapshot, id: &str, pool: &Pool) -> PoolView {
    let status = status_of(snapshot, id);
    let (state, mood) = words::state(status.get("state").and_then(Value::as_str));
    let book = snapshot.coins.get(id).and_then(CoinView::booked);
    PoolView {
        id: id.to_owned(),
        name: shown(&pool.coin.name),
        symbol: shown(&pool.coin.symbol),
        algorithm: pool.coin.algorithm.name().to_owned(),
        state,
        mood,
        fee: percent(fee(pool).into()),
        next_payout: next_payout(pool, book.map(|book| book.totals.owed)),
        scheme: match pool.ports.values().map(|port| port.scheme.name()).find(|it| *it != "solo") {
            Some("pplns") => "PPLNS",
            Some(_) => "PROP",
            None => "solo",
        },
        minimum: pool.payments.as_ref().map_or_else(unpaid, |it| money(pool, it.minimum)),
        ports: ports(pool),
        ..PoolView::default()
    }
}

/// A pool's view.
pub(super) fn pool(snapshot: &Snapshot, id: &str, pool: &Pool, now: u64) -> PoolView {
    let none = CoinView::default();
    let coin = snapshot.coins.get(id).unwrap_or(&none);
    let status = status_of(snapshot, id);
    let network = status.get("difficulty").and_then(Value::as_f64);
    let ledger = coin.ledger.value.as_ref();
    let counted = |count: fn(&Ledger) -> u64| match ledger {
        Some(ledger) => count(ledger).to_string(),
        None => UNKNOWN.to_owned(),
    };
    let blocks = coin.blocks();
    let totals = coin.booked().map(|book| book.totals);
    let sum = |units: u128| format!("{} {}", coins(units), pool.coin.symbol);
    let effort = network.and_then(|network| coin.effort(pool, network));
    let networks = coin.network.rate;
    let hex = |tip: &&str| tip.bytes().all(|byte| byte.is_ascii_hexdigit());
    let tip = status.get("tip").and_then(Value::as_str).filter(hex).map(str::to_owned);
    let all: Vec<BlockView> =
        newest(coin).iter().map(|block| block_view(coin, block, pool, now)).collect();
    PoolView {
        rate: rate(coin.rate()),
        network: networks.map_or_else(|| UNKNOWN.to_owned(), rate),
        share: match networks.filter(|all| *all > 0.0) {
            Some(all) => format!("{:.3} %", coin.rate() / all * 100.0),
            None => UNKNOWN.to_owned(),
        },
        connections: text(status, "miners"),
        workers: match coin.window() {
            Some(history) => history.workers.len().to_string(),
            None => coin.workers().len().to_string(),
        },
        height: text(status, "height"),
        tip_link: tip.as_ref().and_then(|tip| link(pool, "block", tip)),
        tip,
        difficulty: network.map_or_else(|| UNKNOWN.to_owned(), difficulty),
        effort: match effort {
            Some(percent) => format!("{percent:.1} %"),
            None => UNKNOWN.to_owned(),
        },
        gauge: effort.map(|percent| format!("{:.1}", percent.clamp(0.0, 100.0))),
        expected: expected(coin.rate(), network),
        luck: match coin.luck.over(LUCK) {
            Some((percent, 1)) => format!("{percent:.0} % (one block)"),
            Some((percent, count)) => format!("{percent:.0} % ({count} blocks)"),
            None => UNKNOWN.to_owned(),
        },
        began: match ledger.and_then(|ledger| ledger.overview.round.started) {
            Some(at) => ago(at, now),
            None => "with the first share".to_owned(),
        },
        accepted: counted(|ledger| ledger.overview.accepted),
        rejected: counted(|ledger| ledger.overview.rejected_total()),
        reasons: ledger.map(|ledger| reasons(ledger)).unwrap_or_default(),
        found: counted(|ledger| ledger.overview.blocks_found),
        last_block: all.first().cloned(),
        pending: blocks.pending,
        confirmed: blocks.confirmed,
        orphaned: blocks.orphaned,
        paid: totals.map_or_else(unpaid, |totals| sum(totals.paid)),
        owed: totals.map_or_else(unpaid, |totals| sum(totals.owed)),
        waits: waits(status),
        away: away(coin, now),
        daemons: daemons(status),
        charts: coin.window().map(|window| charts(id, window, now)).unwrap_or_default(),
        blocks: all,
        payouts: payout_views(coin, pool, now),
        ..terms(snapshot, id, pool)
    }
}

/// What of a coin cannot be read now, and how old its numbers are.
pub(super) fn away(coin: &CoinView, now: u64) -> Vec<String> {
    let parts = [
        ("The ledger", &coin.ledger.trouble, coin.ledger.at),
        ("The book", &coin.book.trouble, coin.book.at),
        ("The history", &coin.history.trouble, coin.history.at),
    ];
    let away = parts.into_iter().filter(|(_, trouble, _)| trouble.is_some());
    away.map(|(what, _, at)| match at {
        0 => format!("{what} cannot be read."),
        at => format!("{what} cannot be read: these numbers are from {}.", ago(at, now)),
    })
    .collect()
}

/// How long a block takes at this rate, on average.
fn expected(rate: f64, network: Option<f64>) -> String {
    let seconds = network.map(|network| network * 32_f64.exp2() / rate);
    match seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        Some(seconds) => duration(seconds.min(1e12) as u64),
        None => UNKNOWN.to_owned(),
    }
}

fn reasons(ledger: &Ledger) -> Vec<(&'static str, u64)> {
    let each = ledger.overview.rejected.iter();
    each.map(|(reason, count)| (why(*reason), *count)).collect()
}

/// What payouts do.
fn next_payout(pool: &Pool, owed: Option<u128>) -> String {
    let Some(payments) = &pool.payments else { return "none: this pool does not pay".to_owned() };
    let every = duration(payments.interval.as_secs());
    match owed {
        Some(0) | None => "nothing is owed now".to_owned(),
        Some(_) => format!("within {every}"),
    }
}

/// What the pool's parts wait for is the operator's affair; that payments wait is everybody's.
fn waits(status: &Value) -> Vec<String> {
    let parts = status.get("waits").and_then(Value::as_object);
    let parts = parts.into_iter().flatten().filter(|(_, words)| !words.is_null());
    let paying = parts.filter(|(part, _)| part.as_str() == "payments" || part.contains("pay"));
    paying
        .take(1)
        .map(|_| "Payouts wait for something that the operator has been told.".to_owned())
        .collect()
}

/// The pool's hash rate and workers over a day.
#[expect(clippy::cast_precision_loss, reason = "for display")]
fn charts(id: &str, window: &HistoryView, now: u64) -> Vec<Chart> {
    let now = now / 1000;
    let Some(step) = window.day.iter().map(|point| point.length).max() else { return Vec::new() };
    let rates: Vec<_> = window
        .day
        .iter()
        .map(|point| {
            let work = point.sum.weight as f64 * window.hashes;
            (point.at, work / passed(point, now) as f64)
        })
        .collect();
    let workers: Vec<_> =
        window.day.iter().map(|point| (point.at, f64::from(point.workers))).collect();
    let span = (now.saturating_sub(86_400), now);
    let of = |name, unit, points: &[(u64, f64)], kind| {
        let id = format!("chart-{id}-{kind}");
        chart::draw(&Series { name, id: &id, unit, points, span, step }, true)
    };
    vec![of("Hash rate", "H/s", &rates, "rate"), of("Workers", "", &workers, "workers")]
}

fn daemons(status: &Value) -> Vec<DaemonView> {
    let list = status.get("daemons").and_then(Value::as_array).into_iter().flatten();
    let yes = |of: &Value, key| of.get(key).and_then(Value::as_bool) == Some(true);
    let one = |daemon: &Value| DaemonView {
        mood: if yes(daemon, "fresh") { "good" } else { "bad" },
        state: match (yes(daemon, "fresh"), yes(daemon, "chosen")) {
            (true, true) => "in use",
            (true, false) => "ready",
            _ => "not usable",
        },
        height: text(daemon, "height"),
        latency: match daemon.get("latency").and_then(Value::as_u64) {
            Some(ms) => format!("{ms} ms"),
            None => UNKNOWN.to_owned(),
        },
    };
    list.map(one).collect()
}

fn block_view(coin: &CoinView, block: &Found, pool: &Pool, now: u64) -> BlockView {
    let hash = block.hash.to_string();
    BlockView {
        height: block.height,
        found: ago(block.time, now),
        time: utc(block.time / 1000),
        state: block.fate.words(),
        mood: match block.fate {
            Fate::Mature => "good",
            Fate::Orphaned | Fate::Refused => "bad",
            Fate::Submitted | Fate::Found | Fate::Immature => "warn",
        },
        depth: block.depth.map_or_else(String::new, |depth| depth.to_string()),
        value: money(pool, block.value),
        finder: shown(&block.finder),
        effort: coin.luck.effort(&block.hash).map(|it| format!("{it:.0} %")).unwrap_or_default(),
        link: link(pool, "block", &hash),
        hash,
    }
}

fn payout_views(coin: &CoinView, pool: &Pool, now: u64) -> Vec<PayoutView> {
    let payouts = coin.booked().map(|book| &book.payouts[..]).unwrap_or_default().iter();
    payouts
        .map(|(payout, count, sum)| {
            let txid = payout.txid.to_string();
            PayoutView {
                time: ago(payout.time, now),
                date: utc(payout.time / 1000),
                state: payout.state.name(),
                count: *count,
                amount: format!("{} {}", coins(*sum), pool.coin.symbol),
                link: link(pool, "transaction", &txid),
                txid,
            }
        })
        .collect()
}
