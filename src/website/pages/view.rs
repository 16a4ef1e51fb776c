//! A pool as its pages show it: everything is text already.

use super::super::coin::CoinView;
use super::super::snapshot::Snapshot;
use super::super::text::{ago, amount, coins, difficulty, percent, rate, shown};
use super::super::v1::fee;
use crate::config::Pool;
use crate::rewards::Amount;
use serde_json::Value;

/// What is shown where nothing is known.
const UNKNOWN: &str = "unknown";

/// A pool.
#[derive(Debug, Default)]
pub(super) struct PoolView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) symbol: String,
    pub(super) algorithm: String,
    pub(super) cpuminer: String,
    pub(super) state: String,
    pub(super) rate: String,
    pub(super) connections: String,
    pub(super) workers: String,
    pub(super) height: String,
    pub(super) difficulty: String,
    pub(super) effort: String,
    pub(super) began: String,
    pub(super) accepted: String,
    pub(super) rejected: String,
    pub(super) found: String,
    pub(super) pending: u64,
    pub(super) confirmed: u64,
    pub(super) orphaned: u64,
    pub(super) paid: String,
    pub(super) owed: String,
    pub(super) fee: String,
    pub(super) minimum: String,
    pub(super) away: Vec<String>,
    pub(super) ports: Vec<PortView>,
    pub(super) daemons: Vec<DaemonView>,
    pub(super) blocks: Vec<BlockView>,
    pub(super) payouts: Vec<PayoutView>,
}

/// A stratum port.
#[derive(Debug)]
pub(super) struct PortView {
    pub(super) port: u16,
    pub(super) difficulty: String,
    pub(super) scheme: &'static str,
}

/// A daemon.
#[derive(Debug)]
pub(super) struct DaemonView {
    pub(super) state: &'static str,
    pub(super) height: String,
    pub(super) latency: String,
}

/// A block.
#[derive(Debug)]
pub(super) struct BlockView {
    pub(super) height: u64,
    pub(super) found: String,
    pub(super) state: &'static str,
    pub(super) depth: String,
    pub(super) value: String,
    pub(super) finder: String,
    pub(super) hash: String,
    pub(super) link: Option<String>,
}

/// A payout, or a payment to one address.
#[derive(Debug)]
pub(super) struct PayoutView {
    pub(super) time: String,
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

fn state(status: &Value) -> &'static str {
    match status.get("state").and_then(Value::as_str) {
        Some("fresh") => "mining",
        Some("syncing") => "the daemon is catching up with the chain",
        Some("stale") => "no usable daemon now",
        Some("unattended") => "mining, without news of the chain",
        Some("waiting") => "waiting for a daemon",
        _ => UNKNOWN,
    }
}

/// A pool's view.
pub(super) fn pool(snapshot: &Snapshot, id: &str, pool: &Pool, now: u64) -> PoolView {
    let none = CoinView::default();
    let coin = snapshot.coins.get(id).unwrap_or(&none);
    let master = snapshot.master.value.as_ref();
    let status = master.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null);
    let network = status.get("difficulty").and_then(Value::as_f64);
    let ledger = coin.ledger.value.as_ref();
    let counted = |count: fn(&super::super::coin::Ledger) -> u64| match ledger {
        Some(ledger) => count(ledger).to_string(),
        None => UNKNOWN.to_owned(),
    };
    let blocks = coin.blocks();
    let totals = coin.booked().map(|book| book.totals);
    let sum = |units: u128| format!("{} {}", coins(units), pool.coin.symbol);
    let unpaid = || "nothing is paid by this pool".to_owned();
    let away = [
        ("The ledger", &coin.ledger.trouble, coin.ledger.at),
        ("The book", &coin.book.trouble, coin.book.at),
        ("The history", &coin.history.trouble, coin.history.at),
    ];
    let away = away.into_iter().filter(|(_, trouble, _)| trouble.is_some());
    PoolView {
        id: id.to_owned(),
        name: shown(&pool.coin.name),
        symbol: shown(&pool.coin.symbol),
        algorithm: pool.coin.algorithm.name().to_owned(),
        cpuminer: match pool.coin.algorithm.name() {
            "sha256" => "sha256d".to_owned(),
            other => other.to_owned(),
        },
        state: state(status).to_owned(),
        rate: rate(coin.rate()),
        connections: text(status, "miners"),
        workers: match coin.window() {
            Some(history) => history.workers.len().to_string(),
            None => coin.workers().len().to_string(),
        },
        height: text(status, "height"),
        difficulty: network.map_or_else(|| UNKNOWN.to_owned(), difficulty),
        effort: match network.and_then(|network| coin.effort(pool, network)) {
            Some(percent) => format!("{percent:.1} %"),
            None => UNKNOWN.to_owned(),
        },
        began: match ledger.and_then(|ledger| ledger.overview.round.started) {
            Some(at) => ago(at, now),
            None => "with the first share".to_owned(),
        },
        accepted: counted(|ledger| ledger.overview.accepted),
        rejected: match ledger {
            None => UNKNOWN.to_owned(),
            Some(ledger) => {
                let each = ledger.overview.rejected.iter();
                let words: Vec<_> =
                    each.map(|(reason, count)| format!("{} {count}", reason.name())).collect();
                let sum = ledger.overview.rejected_total();
                if words.is_empty() {
                    sum.to_string()
                } else {
                    format!("{sum} ({})", words.join(", "))
                }
            }
        },
        found: counted(|ledger| ledger.overview.blocks_found),
        pending: blocks.pending,
        confirmed: blocks.confirmed,
        orphaned: blocks.orphaned,
        paid: totals.map_or_else(unpaid, |totals| sum(totals.paid)),
        owed: totals.map_or_else(unpaid, |totals| sum(totals.owed)),
        fee: percent(fee(pool).into()),
        minimum: pool.payments.as_ref().map_or_else(unpaid, |it| money(pool, it.minimum)),
        away: away
            .map(|(what, _, at)| match at {
                0 => format!("{what} cannot be read."),
                at => format!("{what} cannot be read: these numbers are from {}.", ago(at, now)),
            })
            .collect(),
        ports: ports(pool),
        daemons: daemons(status),
        blocks: block_views(coin, pool, now),
        payouts: payout_views(coin, pool, now),
    }
}

fn ports(pool: &Pool) -> Vec<PortView> {
    let one = |(port, rules): (&u16, &crate::config::Port)| PortView {
        port: *port,
        difficulty: match &rules.var_diff {
            Some(var) => format!(
                "{}, then {} to {} as fits",
                difficulty(rules.diff),
                difficulty(var.min_diff),
                difficulty(var.max_diff)
            ),
            None => difficulty(rules.diff),
        },
        scheme: match rules.scheme.name() {
            "prop" => "by work in the round (PROP)",
            "pplns" => "by the last work (PPLNS)",
            _ => "the finder's (solo)",
        },
    };
    pool.ports.iter().map(one).collect()
}

fn daemons(status: &Value) -> Vec<DaemonView> {
    let list = status.get("daemons").and_then(Value::as_array).into_iter().flatten();
    let yes = |of: &Value, key| of.get(key).and_then(Value::as_bool) == Some(true);
    let one = |daemon: &Value| DaemonView {
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

fn block_views(coin: &CoinView, pool: &Pool, now: u64) -> Vec<BlockView> {
    let view = |height, time, state, depth, value, finder: &str, hash: String| BlockView {
        height,
        found: ago(time, now),
        state,
        depth,
        value: money(pool, value),
        finder: shown(finder),
        link: link(pool, "block", &hash),
        hash,
    };
    if let Some(book) = coin.booked() {
        let blocks = book.blocks.iter().map(|block| {
            let (depth, hash) = (block.depth.to_string(), block.hash.to_string());
            let state = block.state.name();
            view(block.height, block.time, state, depth, block.value, &block.finder, hash)
        });
        return blocks.collect();
    }
    let rows = coin.ledger.value.iter().flat_map(|ledger| &ledger.overview.blocks).take(50);
    rows.map(|row| {
        let (found, depth) = (&row.found, UNKNOWN.to_owned());
        let hash = found.hash.to_string();
        let state = row.state.name();
        view(found.height, found.time, state, depth, found.pool_value, &found.worker, hash)
    })
    .collect()
}

fn payout_views(coin: &CoinView, pool: &Pool, now: u64) -> Vec<PayoutView> {
    let payouts = coin.booked().map(|book| &book.payouts[..]).unwrap_or_default().iter();
    payouts
        .map(|(payout, count, sum)| {
            let txid = payout.txid.to_string();
            PayoutView {
                time: ago(payout.time, now),
                state: payout.state.name(),
                count: *count,
                amount: format!("{} {}", coins(*sum), pool.coin.symbol),
                link: link(pool, "transaction", &txid),
                txid,
            }
        })
        .collect()
}
