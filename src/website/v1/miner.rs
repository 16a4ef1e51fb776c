//! One miner: how it stands, what it was paid and what it earned.

use super::super::miner::{self, Miner, Rig};
use super::super::payday::Hold;
use super::super::reply::{Kind, send};
use super::super::routes::Site;
use super::super::text::utc;
use super::lists::{book, cut};
use super::operation::{Answer, Failure, Nothing, OfMiner};
use super::query::{self, after_block};
use super::shapes::{Address, Coins, Count, HashText, Next, Rate, Time, WorkDone, WorkerName};
use super::sheet;
use crate::config::Pool;
use crate::history::Reasons;
use crate::ledger::book::{Balance, Earned, Paid};
use crate::rewards::Amount;
use crate::stratum::Reject;
use axum::http::header::{CONTENT_DISPOSITION, LINK};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

/// Rows of a file of payments at most: a megabyte or two.
const ROWS: u32 = 10_000;

/// A miner: all workers of one address.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Miner")]
pub(super) struct MinerNow {
    /// The address.
    address: Address,
    /// Hashes a second over `hashrateWindow`, of all its workers.
    hashrate: Rate,
    /// Its money. Null: it has earned nothing yet, or nothing is paid.
    balance: Option<Money>,
    /// Accepted shares of all its workers within `hashrateWindow`.
    shares: Count,
    /// Refused ones.
    rejected: Count,
    /// What its hash rate brings in a day on average, about, coins. Null: unknown.
    daily_estimate: Option<Coins>,
    /// What its next payout waits for, the weightiest first.
    waits_for: Vec<WaitsFor>,
    /// Its workers: of the current round, of `hashrateWindow`, and of the last day; 500 at most, the
    /// fastest.
    workers: Vec<Worker>,
    /// How many more there are.
    workers_left_out: Count,
    /// The newest 100 payments to it; `payments` has all.
    payouts: Vec<Payment>,
    /// What the newest 100 blocks brought to it; `earnings` has all.
    credits: Vec<Credit>,
}

/// A miner's money.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Balance")]
struct Money {
    /// What unripe blocks will bring if they stay, about, coins.
    immature_estimate: Coins,
    /// What it is owed, coins.
    unpaid: Coins,
    /// What is on its way, coins.
    in_flight: Coins,
    /// What was paid and confirmed, coins.
    paid: Coins,
    /// What the software before romp had paid, coins.
    paid_before: Coins,
    /// Whether it is set aside and not paid: ask the operator.
    #[schemars(extend("examples" = [false]))]
    held: bool,
    /// From which debt on it is paid, coins. Null: nothing is paid.
    minimum_payment: Option<Coins>,
}

/// Something that a payout waits for.
#[derive(Debug, Serialize, JsonSchema)]
struct WaitsFor {
    /// `payments-off`, `held`, `in-flight`, `below-minimum`, `payments-waiting`, `ripening`, `due`
    /// (nothing: it is paid next) or `nothing-earned`.
    #[schemars(extend("examples" = ["below-minimum"]))]
    reason: &'static str,
    /// In plain words, with the amounts.
    #[schemars(extend("examples" = ["0.00250000 LTC are missing to the 0.01000000 LTC from which on you are paid."]))]
    words: String,
}

/// Refused shares of one kind.
#[derive(Debug, Serialize, JsonSchema)]
struct Refused {
    /// `stale`, `duplicate`, `low-difficulty`, `malformed`, `unknown-job`, `unauthorized`,
    /// `not-subscribed`, `time`, `version`, `too-many` or `storage`.
    #[schemars(extend("examples" = ["stale"]))]
    reason: &'static str,
    /// How many.
    count: Count,
    /// Why, in plain words, and what to do.
    #[schemars(extend("examples" = ["too late: a new block had come. A few are normal"]))]
    words: &'static str,
}

/// Shares of a day.
#[derive(Debug, Serialize, JsonSchema)]
struct DayOfShares {
    /// Accepted ones.
    shares: Count,
    /// Refused ones.
    rejected: Count,
    /// Refused ones by reason, as far as reasons are known.
    reasons: Vec<Refused>,
}

fn refused(reasons: &Reasons) -> Vec<Refused> {
    let one = |(reject, count): (Reject, u64)| Refused {
        reason: reject.name(),
        count: Count(count),
        words: miner::why(reject),
    };
    reasons.each().map(one).collect()
}

/// A worker of a miner.
#[derive(Debug, Serialize, JsonSchema)]
struct Worker {
    /// Its whole name.
    name: WorkerName,
    /// Hashes a second over `hashrateWindow`.
    hashrate: Rate,
    /// Accepted shares within `hashrateWindow`.
    shares: Count,
    /// Refused shares within `hashrateWindow`.
    rejected: Count,
    /// Work in the current round, as difficulty.
    round_work: WorkDone,
    /// When its last accepted share came, unix seconds. Null: unknown.
    last_share: Option<Time>,
    /// Difficulty of that share. Null: unknown.
    #[schemars(extend("examples" = [32.0], "minimum" = 0))]
    difficulty: Option<f64>,
    /// Its shares of the last 24 hours.
    day: DayOfShares,
    /// Its hash rates over a day, the oldest first; times without work are left out.
    history: Vec<PastRate>,
}

/// A hash rate of some time.
#[derive(Debug, Serialize, JsonSchema)]
struct PastRate {
    /// Begin, unix seconds.
    time: Time,
    /// Hashes a second.
    hashrate: Rate,
}

/// A payment to a miner.
#[derive(Debug, Serialize, JsonSchema)]
struct Payment {
    /// Transaction id.
    txid: HashText,
    /// When it was signed, unix seconds.
    time: Time,
    /// `signed`, `sent`, `confirmed` or `void` (it was never paid, and is owed again).
    #[schemars(extend("examples" = ["confirmed"]))]
    state: &'static str,
    /// Confirmations when it was last looked at.
    confirmations: Count,
    /// What the miner gets of it, coins.
    amount: Coins,
}

impl From<&Paid> for Payment {
    fn from(paid: &Paid) -> Self {
        Self {
            txid: paid.txid.into(),
            time: Time::of_ms(paid.time),
            state: paid.state.name(),
            confirmations: Count(paid.depth),
            amount: paid.amount.into(),
        }
    }
}

/// What a block brought to a miner.
#[derive(Debug, Serialize, JsonSchema)]
struct Credit {
    /// Height of the block.
    #[schemars(extend("examples" = [431]))]
    height: u64,
    /// Its hash.
    hash: HashText,
    /// When it was found, unix seconds.
    time: Time,
    /// What it brought, coins.
    amount: Coins,
}

impl From<&Earned> for Credit {
    fn from(earned: &Earned) -> Self {
        Self {
            height: earned.height,
            hash: earned.hash.into(),
            time: Time::of_ms(earned.time),
            amount: earned.amount.into(),
        }
    }
}

impl From<&Rig> for Worker {
    fn from(rig: &Rig) -> Self {
        let past = |(at, rate): &(u64, f64)| PastRate { time: Time(*at), hashrate: Rate(*rate) };
        Self {
            name: WorkerName(rig.name.clone()),
            hashrate: Rate(rig.window.rate),
            shares: Count(rig.window.shares),
            rejected: Count(rig.window.rejected),
            round_work: WorkDone(rig.round),
            last_share: rig.last.map(Time),
            difficulty: rig.difficulty,
            day: DayOfShares {
                shares: Count(rig.day.shares),
                rejected: Count(rig.day.rejected),
                reasons: refused(&rig.day.reasons),
            },
            history: rig.series.iter().map(past).collect(),
        }
    }
}

impl MinerNow {
    fn new(pool: &Pool, address: &str, miner: &Miner) -> Self {
        let hold = |hold: &Hold| WaitsFor { reason: hold.name(), words: hold.words(pool) };
        // Who has earned nothing but what is not ripe has no account yet.
        let new = Balance { unpaid: Amount(0), in_flight: Amount(0), paid: Amount(0), held: None };
        let balance = miner.balance.as_ref().or((miner.immature > 0).then_some(&new));
        let money = balance.map(|balance| Money {
            immature_estimate: miner.immature.into(),
            unpaid: balance.unpaid.into(),
            in_flight: balance.in_flight.into(),
            paid: balance.paid.into(),
            paid_before: miner.before.into(),
            // Why is the operator's affair.
            held: balance.held.is_some(),
            minimum_payment: miner.minimum.map(Coins::from),
        });
        Self {
            address: Address(address.to_owned()),
            hashrate: Rate(miner.rate()),
            balance: money,
            shares: Count(miner.window.shares),
            rejected: Count(miner.window.rejected),
            daily_estimate: miner.daily.map(Coins::from),
            waits_for: miner.holds.iter().map(hold).collect(),
            workers: miner.rigs.iter().map(Worker::from).collect(),
            workers_left_out: Count(miner.more as u64),
            payouts: miner.payments.iter().map(Payment::from).collect(),
            credits: miner.earned.iter().map(Credit::from).collect(),
        }
    }
}

/// `/api/v1/pools/COIN/miners/ADDRESS`.
pub(super) fn miner(site: &Site, at: &OfMiner, _: Nothing) -> Result<MinerNow, Failure> {
    let miner = miner::ask(site, &at.pool, &at.address).map_err(Failure::Away)?;
    match miner.is_known() {
        true => Ok(MinerNow::new(&at.pool, &at.address, &miner)),
        false => Err(Failure::Unknown("nothing is known of this address")),
    }
}

/// Payments to a miner.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Payments {
    /// The newest first.
    payments: Vec<Payment>,
    /// What to give as `before` for more. Null: there are no more.
    next: Option<Next>,
}

/// The payments to a miner with numbers of payouts below one, and the number behind which there
/// are more.
fn paid(
    site: &Site,
    at: &OfMiner,
    below: i64,
    most: u32,
) -> Result<(Vec<Paid>, Option<i64>), Failure> {
    let Some(book) = book(site, &at.pool)? else { return Ok((Vec::new(), None)) };
    let mut found = book.paid_to_below(&at.address, below, most + 1)?;
    let next = cut(&mut found, most as usize).map(|(id, _)| *id);
    Ok((found.into_iter().map(|(_, paid)| paid).collect(), next))
}

/// `/api/v1/pools/COIN/miners/ADDRESS/payments`.
pub(super) fn payments(
    site: &Site,
    at: &OfMiner,
    asked: query::Payouts,
) -> Result<Payments, Failure> {
    let (found, next) = paid(site, at, asked.below()?, asked.limit()?)?;
    Ok(Payments {
        payments: found.iter().map(Payment::from).collect(),
        next: next.map(|id| Next(id.to_string())),
    })
}

/// What blocks brought to a miner.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Earnings {
    /// By block, the highest first.
    earnings: Vec<Credit>,
    /// What to give as `before` for more. Null: there are no more.
    next: Option<Next>,
}

/// `/api/v1/pools/COIN/miners/ADDRESS/earnings`.
pub(super) fn earnings(
    site: &Site,
    at: &OfMiner,
    asked: query::Blocks,
) -> Result<Earnings, Failure> {
    let (most, place) = (asked.limit()?, asked.place()?);
    let Some(book) = book(site, &at.pool)? else {
        return Ok(Earnings { earnings: Vec::new(), next: None });
    };
    let mut found = book.earned_after(&at.address, place, most + 1)?;
    let next = cut(&mut found, most as usize).map(|it| Next(after_block(it.height, it.hash)));
    Ok(Earnings { earnings: found.iter().map(Credit::from).collect(), next })
}

/// A file of payments.
pub(super) struct Sheet {
    text: String,
    name: String,
    next: Option<i64>,
}

impl Answer for Sheet {
    const KIND: Kind = Kind::Csv;

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A head and a line for each payment, the newest first. Text that a \
                            spreadsheet would compute begins with an apostrophe.",
            "examples": [format!("{}\r\n", sheet::HEAD.join(","))],
        })
    }

    fn send(&self, asked: &HeaderMap) -> Result<Response, Failure> {
        let mut response = send(asked, Self::KIND, self.text.clone());
        let link = self.next.map(|id| (LINK, format!("<?before={id}>; rel=\"next\"")));
        let name = format!("attachment; filename=\"{}.csv\"", self.name);
        let all = [Some((CONTENT_DISPOSITION, name)), link].into_iter().flatten();
        let all = all.filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)));
        response.headers_mut().extend(all);
        Ok(response)
    }
}

/// `/api/v1/pools/COIN/miners/ADDRESS/payments.csv`.
pub(super) fn payments_csv(
    site: &Site,
    at: &OfMiner,
    asked: query::Sheet,
) -> Result<Sheet, Failure> {
    let (found, next) = paid(site, at, asked.below()?, ROWS)?;
    let coin = &at.pool.coin;
    let row = |paid: &Paid| {
        [
            (paid.time / 1000).to_string(),
            utc(paid.time / 1000),
            coin.symbol.clone(),
            super::super::text::amount(paid.amount),
            at.address.clone(),
            paid.txid.to_string(),
            paid.state.name().to_owned(),
            paid.depth.to_string(),
        ]
    };
    let text = sheet::write(found.iter().map(row)).map_err(Failure::Broken)?;
    let plain = |letter: &char| letter.is_ascii_alphanumeric();
    let address: String = at.address.chars().filter(plain).take(90).collect();
    Ok(Sheet { text, name: format!("payments-{}-{address}", coin.id), next })
}
