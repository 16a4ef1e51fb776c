//! A miner's own page, by address: rigs, balance, what holds the next payout, payments.

use super::super::coin::{WorkerView, owner};
use super::super::forwarded::Asker;
use super::super::miner::{self, Miner, Rig, why};
use super::super::routes::Site;
use super::super::snapshot::Snapshot;
use super::super::text::{ago, coins, in_path, rate, shown, utc};
use super::chart::{self, Chart, Series};
use super::frame::Frame;
use super::view::{PayoutView, away, link, money};
use super::{Message, RigView, message, page, page_or_part};
use crate::config::Pool;
use crate::ledger::book::{Balance, Paid};
use crate::rewards::Amount;
use crate::sys::clock::unix_ms;
use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rigs that a page shows, and those of them that have a chart.
const RIGS: usize = 200;
const CHARTS: usize = 50;
/// Seconds that charts go back, and of a slot where nothing says it.
const DAY: u64 = 86_400;
const STEP: u64 = 1800;

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
    symbol: String,
    rate: String,
    online: usize,
    count: usize,
    more: usize,
    /// What cannot be read now, and how old its numbers are.
    away: Vec<String>,
    has_account: bool,
    immature: String,
    unpaid: String,
    in_flight: String,
    paid: String,
    minimum: String,
    /// Of the minimum what is reached, percent; `None`: nothing is to be reached.
    gauge: Option<String>,
    /// What the next payout waits for.
    holds: Vec<String>,
    daily: Option<String>,
    held: bool,
    chart: Option<Chart>,
    rigs: Vec<OwnRig>,
    payments: Vec<PayoutView>,
    explorer: Option<String>,
}

/// A rig as its owner sees it.
struct OwnRig {
    rig: RigView,
    is_online: bool,
    chart: Option<Chart>,
    /// Why shares were refused in a day, and how many.
    reasons: Vec<(&'static str, u64)>,
}

/// What is wanted of a page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Wanted {
    part: String,
}

/// `/miner/ADDRESS`.
pub(in super::super) async fn miner(
    State(site): State<Arc<Site>>,
    Extension(asker): Extension<Asker>,
    Path(address): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    // Drawn there, too: a large farm's page takes a while, and everybody else waits for this thread.
    let asked = site.ask(&asker, move |site| {
        let mut parts = Vec::new();
        for pool in site.config.pools.values() {
            parts.push((pool.clone(), miner::ask(site, pool, &address)?));
        }
        Ok(written(site, &parts, &address, &wanted, &headers))
    });
    asked.await.unwrap_or_else(|words| {
        message(&site, StatusCode::SERVICE_UNAVAILABLE, "Not now", &format!("Sorry: {words}."))
    })
}

fn written(
    site: &Site,
    parts: &[(Pool, Miner)],
    address: &str,
    wanted: &Wanted,
    headers: &HeaderMap,
) -> Response {
    let now = unix_ms();
    let snapshot = site.now();
    let pools: Vec<MinerView> = parts
        .iter()
        .filter(|(_, miner)| miner.is_known())
        .map(|part| miner_view(&snapshot, part, address, now))
        .collect();
    let mut frame = Frame::new(site, "/miner", "Miner", now);
    if pools.is_empty() {
        let words = format!(
            "Nothing is known of {} here: it has not mined lately, and earned nothing. A new \
             miner is here within a minute of its first share.",
            shown(address)
        );
        let mut response = page(headers, &Message { frame, words });
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let path = in_path(address);
    frame.part = format!("/miner/{path}?part=1");
    let template = MinerPage { frame, address: shown(address), path, pools };
    page_or_part(headers, !wanted.part.is_empty(), &template)
}

fn miner_view(
    snapshot: &Snapshot,
    (pool, miner): &(Pool, Miner),
    address: &str,
    now: u64,
) -> MinerView {
    let balance = miner.balance.as_ref();
    let of = |amount: fn(&Balance) -> Amount| match balance {
        Some(balance) => money(pool, amount(balance)),
        None => money(pool, Amount(0)),
    };
    let mut rigs: Vec<&Rig> = miner.rigs.iter().collect();
    rigs.sort_by(|a, b| b.window.rate.total_cmp(&a.window.rate).then(a.name.cmp(&b.name)));
    let id = &pool.coin.id;
    let shown_rigs = rigs.iter().take(RIGS).enumerate().map(|(number, rig)| {
        let name = format!("spark-{id}-{number}");
        let chart = (number < CHARTS && !rig.series.is_empty())
            .then(|| draw(&format!("{}: hash rate", rig.name), &name, &rig.series, now, false));
        OwnRig {
            rig: own_rig(rig, now),
            is_online: is_online(rig),
            chart,
            reasons: rig.day.reasons.each().map(|(why_not, count)| (why(why_not), count)).collect(),
        }
    });
    let mut sums: BTreeMap<u64, f64> = BTreeMap::new();
    for (at, rate) in miner.rigs.iter().flat_map(|rig| &rig.series) {
        *sums.entry(*at).or_default() += rate;
    }
    let sums: Vec<_> = sums.into_iter().collect();
    let all = format!("chart-{id}-miner");
    let payment = |paid: &Paid| payment(pool, paid, now);
    MinerView {
        id: id.clone(),
        name: shown(&pool.coin.name),
        symbol: shown(&pool.coin.symbol),
        rate: rate(miner.rate()),
        online: miner.rigs.iter().filter(|rig| is_online(rig)).count(),
        count: miner.more + rigs.len(),
        more: miner.more + rigs.len().saturating_sub(RIGS),
        away: snapshot.coins.get(id).map(|coin| away(coin, now)).unwrap_or_default(),
        has_account: balance.is_some() || miner.immature > 0,
        immature: format!("{} {}", coins(miner.immature), pool.coin.symbol),
        unpaid: of(|balance| balance.unpaid),
        in_flight: of(|balance| balance.in_flight),
        paid: of(|balance| balance.paid),
        minimum: miner.minimum.map(|minimum| money(pool, minimum)).unwrap_or_default(),
        gauge: gauge(miner),
        holds: miner.holds.iter().map(|hold| hold.words(pool)).collect(),
        held: balance.is_some_and(|balance| balance.held.is_some()),
        daily: miner.daily.map(|daily| format!("{} {}", coins(daily), pool.coin.symbol)),
        chart: (!sums.is_empty()).then(|| draw("Hash rate of all rigs", &all, &sums, now, true)),
        rigs: shown_rigs.collect(),
        payments: miner.payments.iter().map(payment).collect(),
        explorer: pool
            .coin
            .explorer
            .get("address")
            .filter(|_| address.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':'))
            .map(|link| link.replace("{}", address)),
    }
}

fn is_online(rig: &Rig) -> bool {
    rig.window.rate > 0.0
}

fn draw(name: &str, id: &str, points: &[(u64, f64)], now: u64, large: bool) -> Chart {
    let now = now / 1000;
    let step = points.windows(2).filter_map(|pair| match pair {
        [(a, _), (b, _)] => b.checked_sub(*a).filter(|step| *step > 0),
        _ => None,
    });
    let step = step.min().unwrap_or(STEP);
    let span = (now.saturating_sub(DAY), now);
    chart::draw(&Series { name, id, unit: "H/s", points, span, step }, large)
}

/// How much of what is to be reached is there.
fn gauge(miner: &Miner) -> Option<String> {
    let minimum = miner.minimum.filter(|minimum| minimum.0 > 0)?;
    let unpaid = miner.balance.as_ref().map_or(0, |balance| balance.unpaid.0);
    let permille = (u128::from(unpaid) * 1000 / u128::from(minimum.0)).min(1000);
    Some(format!("{}.{}", permille / 10, permille % 10))
}

/// A rig over a day: within `hashrateWindow` a slow one may have sent nothing.
fn own_rig(rig: &Rig, now: u64) -> RigView {
    let day = WorkerView {
        rate: rig.window.rate,
        shares: rig.day.shares.max(rig.window.shares),
        rejected: rig.day.rejected.max(rig.window.rejected),
        last: rig.last,
        difficulty: rig.difficulty,
        ..WorkerView::default()
    };
    // Whose it is stands above all of them.
    let own = rig.name.strip_prefix(owner(&rig.name)).unwrap_or_default();
    let own = own.trim_start_matches(['.', '_', '/']);
    RigView::new(if own.is_empty() { "without a name" } else { own }, &day, rig.round, now)
}

fn payment(pool: &Pool, paid: &Paid, now: u64) -> PayoutView {
    let txid = paid.txid.to_string();
    PayoutView {
        time: ago(paid.time, now),
        date: utc(paid.time / 1000),
        state: paid.state.name(),
        count: 1,
        amount: money(pool, paid.amount),
        link: link(pool, "transaction", &txid),
        txid,
    }
}
