//! Pools as they are now, and the coins that they mine.

use super::super::coin::CoinView;
use super::super::reply::{Kind, Prepared};
use super::super::routes::Site;
use super::super::snapshot::Snapshot;
use super::fee;
use super::operation::{Answer, Failure, Nothing, OfCoin, Whole};
use super::shapes::{Coins, Count, Rate, Time, WorkDone};
use crate::chain::Network;
use crate::chain::address::Rules;
use crate::config::{Config, Pool, PortTls};
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a coin is called, and how it is mined.
#[derive(Debug, Serialize, JsonSchema)]
struct Called {
    /// Its name in paths: the coin's name in lower case.
    #[schemars(extend("examples" = ["litecoin"]))]
    id: String,
    /// The coin's name.
    #[schemars(extend("examples" = ["Litecoin"]))]
    name: String,
    /// The coin's ticker symbol.
    #[schemars(extend("examples" = ["LTC"]))]
    symbol: String,
    /// Its proof of work.
    #[schemars(extend("examples" = ["scrypt"]))]
    algorithm: String,
}

impl Called {
    fn new(pool: &Pool) -> Self {
        let coin = &pool.coin;
        Self {
            id: coin.id.clone(),
            name: coin.name.clone(),
            symbol: coin.symbol.clone(),
            algorithm: coin.algorithm.name().to_owned(),
        }
    }
}

/// Every pool.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pools {
    /// When the numbers were read, unix seconds; 0: they come in a moment.
    time: Time,
    /// Every pool, by `id`.
    pools: Vec<PoolNow>,
}

/// A pool now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Pool")]
pub(super) struct PoolNow {
    #[serde(flatten)]
    called: Called,
    /// `fresh`: it mines; `unattended`: it mines, without news of the chain; `syncing`: the daemon
    /// is catching up; `stale`: no usable daemon; `waiting`: for a daemon. Null: unknown.
    #[schemars(extend("examples" = ["fresh"]))]
    state: Option<String>,
    /// Height of the block that is mined. Null: unknown.
    #[schemars(extend("examples" = [2_800_000]))]
    height: Option<u64>,
    /// Hash of the block before it. Null: unknown.
    #[schemars(extend("examples" = ["12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"]))]
    tip: Option<String>,
    /// Difficulty of the network as daemons count it: in 2^32 hashes a block. Null: unknown.
    #[schemars(extend("examples" = [35_000_000.5]))]
    difficulty: Option<f64>,
    /// About how many hashes a second the network does. Null: the coin's file has no `blockTime`, or
    /// nothing is known.
    network_hashrate: Option<Rate>,
    /// Hashes a second over `hashrateWindow`.
    hashrate: Rate,
    /// Connections of miners. Null: unknown.
    connections: Option<Count>,
    /// Workers that mined within `hashrateWindow`. Null: there is no history yet.
    workers: Option<Count>,
    /// Shares since ever.
    shares: Shares,
    /// The current round.
    round: RoundNow,
    /// Blocks since ever.
    blocks: BlockCounts,
    /// Luck over the newest 100 blocks in percent: 100 is the average, more is better. Null: of no
    /// block it is known what it took.
    #[schemars(extend("examples" = [104.2], "minimum" = 0))]
    luck_percent: Option<f64>,
    /// What the newest block brought to miners, coins. Null: none yet.
    block_reward: Option<Coins>,
    /// Confirmed payouts since ever, coins. Null: nothing is paid.
    paid: Option<Coins>,
    /// What miners are owed, coins, without what is set aside. Null: nothing is paid.
    owed: Option<Coins>,
    /// What the pool keeps, parts per million: in the coinbase, or of the credits.
    #[schemars(extend("examples" = [10_000]))]
    fee_ppm: u32,
    /// From which debt on it pays, coins. Null: nothing is paid.
    minimum_payment: Option<Coins>,
    /// Stratum ports.
    ports: Vec<PortNow>,
    /// When the ledger was read, unix seconds; 0: not yet.
    updated: Time,
    /// What cannot be read now. Its numbers stand still.
    away_since: Away,
}

/// Shares of a pool.
#[derive(Debug, Serialize, JsonSchema)]
struct Shares {
    /// Accepted ones. Null: unknown.
    accepted: Option<Count>,
    /// Refused ones by reason: `stale`, `duplicate`, `low-difficulty`, `malformed`, `unknown-job`,
    /// `unauthorized`, `not-subscribed`, `time`, `version`, `too-many` or `storage`. Null: unknown.
    rejected: Option<BTreeMap<&'static str, u64>>,
}

/// The current round.
#[derive(Debug, Serialize, JsonSchema)]
struct RoundNow {
    /// When the last block was found, unix seconds. Null: none yet.
    started: Option<Time>,
    /// Work since then, as difficulty. Null: unknown.
    work: Option<WorkDone>,
    /// This work in percent of what a block takes on average. Null: unknown.
    #[schemars(extend("examples" = [71.5], "minimum" = 0))]
    effort_percent: Option<f64>,
}

/// Blocks of a pool.
#[derive(Debug, Serialize, JsonSchema)]
struct BlockCounts {
    /// All. Null: unknown.
    found: Option<Count>,
    /// Whose reward cannot be spent yet.
    pending: Count,
    /// Whose reward is there for good.
    confirmed: Count,
    /// In whose place another one is in the chain.
    orphaned: Count,
}

/// A stratum port.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Port")]
struct PortNow {
    /// Its number.
    #[schemars(extend("examples" = [3032]))]
    port: u16,
    /// The difficulty that a miner begins with.
    #[schemars(extend("examples" = [32.0]))]
    difficulty: f64,
    /// Whether it is then made to fit the miner.
    #[schemars(extend("examples" = [true]))]
    variable: bool,
    /// What a reward is split over: `prop`, `pplns` or `solo`.
    #[schemars(extend("examples" = ["prop"]))]
    scheme: &'static str,
    /// Whether it speaks TLS: `off`, `both` (to miners who begin with it) or `only`.
    #[schemars(extend("examples" = ["off"]))]
    tls: &'static str,
}

/// Since when something cannot be read: its last numbers are from then.
#[derive(Debug, Serialize, JsonSchema)]
struct Away {
    /// Shares, round and found blocks, unix seconds. Null: it can be read.
    ledger: Option<Time>,
    /// Money and what became of blocks, unix seconds. Null: it can be read.
    book: Option<Time>,
    /// Hash rates and workers, unix seconds. Null: it can be read.
    history: Option<Time>,
}

impl Away {
    fn new(coin: &CoinView) -> Self {
        let of = |trouble: &Option<String>, at| trouble.as_ref().map(|_| Time::of_ms(at));
        Self {
            ledger: of(&coin.ledger.trouble, coin.ledger.at),
            book: of(&coin.book.trouble, coin.book.at),
            history: of(&coin.history.trouble, coin.history.at),
        }
    }
}

impl PoolNow {
    fn new(snapshot: &Snapshot, pool: &Pool) -> Self {
        let id = &pool.coin.id;
        let none = CoinView::default();
        let coin = snapshot.coins.get(id).unwrap_or(&none);
        let master = snapshot.master.value.as_deref();
        let status = master.and_then(|it| it.get("coins")?.get(id)).unwrap_or(&Value::Null);
        let text = |name| status.get(name).and_then(Value::as_str).map(str::to_owned);
        let count = |name| status.get(name).and_then(Value::as_u64);
        let network = status.get("difficulty").and_then(Value::as_f64);
        let ledger = coin.ledger.value.as_ref();
        let totals = coin.booked().map(|book| book.totals);
        let blocks = coin.blocks();
        let port = |(port, rules): (&u16, &crate::config::Port)| PortNow {
            port: *port,
            difficulty: rules.diff,
            variable: rules.var_diff.is_some(),
            scheme: rules.scheme.name(),
            tls: match rules.tls {
                PortTls::Off => "off",
                PortTls::Both => "both",
                PortTls::Only => "only",
            },
        };
        Self {
            called: Called::new(pool),
            state: text("state"),
            height: count("height"),
            tip: text("tip"),
            difficulty: network,
            network_hashrate: coin.network.rate.map(Rate),
            hashrate: Rate(coin.rate()),
            connections: count("miners").map(Count),
            workers: coin.window().map(|history| Count(history.workers.len() as u64)),
            shares: Shares {
                accepted: ledger.map(|ledger| Count(ledger.overview.accepted)),
                rejected: ledger.map(|ledger| {
                    let reasons = ledger.overview.rejected.iter();
                    reasons.map(|(reason, count)| (reason.name(), *count)).collect()
                }),
            },
            round: RoundNow {
                started: ledger.and_then(|it| it.overview.round.started).map(Time::of_ms),
                work: ledger.map(|ledger| WorkDone(ledger.round.values().sum::<f64>() + 0.0)),
                effort_percent: network.and_then(|network| coin.effort(pool, network)),
            },
            blocks: BlockCounts {
                found: ledger.map(|ledger| Count(ledger.overview.blocks_found)),
                pending: Count(blocks.pending),
                confirmed: Count(blocks.confirmed),
                orphaned: Count(blocks.orphaned),
            },
            luck_percent: coin.luck.over(100).map(|(percent, _)| percent),
            block_reward: coin.reward(pool).map(Coins::from),
            paid: totals.map(|totals| totals.paid.into()),
            owed: totals.map(|totals| totals.owed.into()),
            fee_ppm: fee(pool),
            minimum_payment: pool.payments.as_ref().map(|payments| payments.minimum.into()),
            ports: pool.ports.iter().map(port).collect(),
            updated: Time::of_ms(coin.ledger.at),
            away_since: Away::new(coin),
        }
    }
}

/// Every pool at one moment, written once for all who ask.
pub(super) struct Written(Prepared);

impl Answer for Written {
    const KIND: Kind = Kind::Json;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Pools>()
    }

    fn send(&self, asked: &HeaderMap) -> Result<Response, Failure> {
        Ok(self.0.send(asked))
    }
}

/// `/api/v1/pools`.
pub(super) fn pools(site: &Site, _: &Whole, _: Nothing) -> Result<Written, Failure> {
    Ok(Written(site.now().pools.clone()))
}

/// Every pool of a snapshot.
pub(super) fn all(config: &Config, snapshot: &Snapshot) -> Pools {
    let pools = config.pools.values().map(|pool| PoolNow::new(snapshot, pool)).collect();
    Pools { time: Time::of_ms(snapshot.at), pools }
}

/// `/api/v1/pools/COIN`.
pub(super) fn pool(site: &Site, at: &OfCoin, _: Nothing) -> Result<PoolNow, Failure> {
    Ok(PoolNow::new(&site.now(), &at.0))
}

/// Every coin that is mined here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CoinList {
    /// Every coin, by `id`.
    coins: Vec<CoinFacts>,
}

/// A coin, and how its addresses are written.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Coin")]
struct CoinFacts {
    #[serde(flatten)]
    called: Called,
    /// Seconds between blocks aimed at. Null: the coin's file does not say.
    #[schemars(extend("examples" = [150]))]
    block_time: Option<u32>,
    /// `main`, `test` and `regtest`, as far as the coin's file says how they write addresses.
    networks: BTreeMap<&'static str, NetworkFacts>,
}

/// How one network writes addresses. Empty lists: the coin's file does not say.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Network")]
struct NetworkFacts {
    /// Version bytes of pay-to-public-key-hash addresses; the first is the one to write.
    #[schemars(extend("examples" = [[48]]))]
    pubkey_hash: Vec<u8>,
    /// Version bytes of pay-to-script-hash addresses; the first is the one to write.
    #[schemars(extend("examples" = [[50, 5]]))]
    script_hash: Vec<u8>,
    /// Version byte of private keys (WIF). Null: the coin's file does not say.
    #[schemars(extend("examples" = [176]))]
    wif: Option<u8>,
    /// Human-readable part of bech32 addresses. Null: there are none, or the file does not say.
    #[schemars(extend("examples" = ["ltc"]))]
    bech32: Option<String>,
    /// Prefix of cashaddr addresses, without the colon. Null: there are none, or the file does not
    /// say.
    #[schemars(extend("examples" = [null]))]
    cashaddr: Option<String>,
}

impl CoinFacts {
    fn new(pool: &Pool) -> Self {
        let coin = &pool.coin;
        let network = |(network, rules): (&Network, &Rules)| {
            let facts = NetworkFacts {
                pubkey_hash: rules.pubkey_hash.clone(),
                script_hash: rules.script_hash.clone(),
                wif: rules.wif,
                bech32: rules.segwit_hrp.clone(),
                cashaddr: rules.cashaddr.clone(),
            };
            (network.name(), facts)
        };
        Self {
            called: Called::new(pool),
            block_time: coin.block_time,
            networks: coin.addresses.iter().map(network).collect(),
        }
    }
}

/// `/api/v1/coins`.
pub(super) fn coins(site: &Site, _: &Whole, _: Nothing) -> Result<CoinList, Failure> {
    Ok(CoinList { coins: site.config.pools.values().map(CoinFacts::new).collect() })
}
