//! A round of very many shares, from the journals' records to credits: what its end costs.

use super::scenarios::Bench;
use super::server::{free_port, start_redis};
use romp::chain::Hash;
use romp::journal::{BlockFound, Record};
use romp::ledger::book::{Account, Book, Fee, State};
use romp::ledger::{self, Applied, Batch, Tally};
use romp::rewards::{Amount, Scheme};
use romp::stratum::Unit;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Miners of the round, each with an address of its own.
const MINERS: u64 = 5000;
/// Records and names of a batch, as the bookkeeper makes them.
const BATCH: (usize, usize) = (16_384, 1000);

fn pool(dir: &Path, redis: Option<u16>) -> romp::config::Pool {
    for folder in ["coins", "pool_configs"] {
        std::fs::create_dir(dir.join(folder)).expect("a folder");
    }
    let coin = concat!(env!("CARGO_MANIFEST_DIR"), "/coins/litecoin.json");
    std::fs::copy(coin, dir.join("coins/litecoin.json")).expect("the coin");
    let pool = json!({
        "enabled": true, "coin": "litecoin.json", "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc",
        "ports": {"3032": {"diff": 32}},
        "daemons": [{"port": 19332, "user": "u", "password": "p"}],
        "paymentProcessing": {"enabled": true},
    });
    std::fs::write(dir.join("pool_configs/litecoin.json"), pool.to_string()).expect("the pool");
    let config = redis.map_or(json!({}), |port| json!({"redis": {"port": port}}));
    std::fs::write(dir.join("config.json"), config.to_string()).expect("config.json");
    let loaded = romp::config::load(dir);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.errors));
    config.pools.into_values().next().expect("the pool")
}

/// Memory of this process, MB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = kilobytes.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|text| text.parse::<f64>().ok()).unwrap_or_default() / 1000.0
}

fn size(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |facts| facts.len() as f64 / 1e6)
}

fn apply(tally: &mut dyn Tally, at: &mut u64, batch: &Batch) {
    assert_eq!(tally.apply(batch).expect("the tally"), Applied::Done);
    *at = batch.moves["s"].1;
}

fn name(miner: u64) -> String {
    format!("LTC1{miner:036}.rig")
}

impl Bench {
    /// Ten million shares of 5,000 miners, a block, and its credits.
    pub(crate) fn rounds(&mut self) {
        for scheme in [Scheme::Prop, Scheme::Pplns { window: 4 << 30 }] {
            self.round(scheme);
        }
    }

    fn round(&mut self, scheme: Scheme) {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = self.redis.then(|| {
            let port = free_port();
            (start_redis(dir.path(), port), port)
        });
        let pool = pool(dir.path(), server.as_ref().map(|server| server.1));
        let mut tally = ledger::open(&pool, dir.path()).expect("the tally");
        let file = dir.path().join("ledger/litecoin.sqlite");
        let shares = self.pick(1_000_000, 10_000_000) as u64;
        let (mut at, mut batch) = (0, Batch::new(Unit(-5)));
        let mut early = None;
        let begun = Instant::now();
        for n in 0..shares {
            let miner = (n * 2_654_435_761) % MINERS;
            let record =
                Record::Share { time: n, worker: name(miner), weight: 1000 + n % 7, scheme };
            let from = at + 10 * batch.records as u64;
            assert!(batch.add("s", from, from + 10, record));
            if batch.records >= BATCH.0 || batch.credits.len() >= BATCH.1 || batch.is_whole() {
                apply(&mut *tally, &mut at, &batch);
                batch = Batch::new(Unit(-5));
            }
            if n == shares / 10 {
                early = Some((memory(), size(&file)));
            }
        }
        let counted = begun.elapsed().as_secs_f64();
        let (early_memory, early_size) = early.unwrap_or_default();
        let (late_memory, late_size) = (memory(), size(&file));

        let found = BlockFound {
            time: shares,
            hash: Hash([7; 32]),
            height: 7,
            previous: Hash([6; 32]),
            coinbase_txid: Hash([5; 32]),
            coinbase_value: Amount(625_000_000),
            pool_value: Amount(625_000_000),
            worker: name(1),
            difficulty: 1.0,
            stale: false,
            scheme,
        };
        let from = at + 10 * batch.records as u64;
        assert!(batch.add("s", from, from + 10, Record::Block(Box::new(found.clone()))));
        let begun = Instant::now();
        apply(&mut *tally, &mut at, &batch);
        let closed = begun.elapsed();
        let mut book = Book::open(dir.path(), "litecoin").expect("the book");
        let begun = Instant::now();
        let round = tally.round(&found.hash).expect("the round");
        book.take_in(&found, &round, 1).expect("the book");
        let taken = begun.elapsed();
        let owners: BTreeMap<String, Account> = (0..MINERS)
            .map(|miner| {
                let script = [&[0, 20][..], &miner.to_be_bytes(), &[0; 12]].concat();
                (name(miner), Account { name: format!("{miner}"), script })
            })
            .collect();
        let begun = Instant::now();
        book.move_to(&found.hash, State::Immature, 2).expect("the book");
        book.credit(&found.hash, &owners, &Fee::kept(0), 3).expect("the book");
        let credited = begun.elapsed();
        let blocks = self.pick(20, 200);
        for n in 0..blocks {
            let hash = Hash([&[1, n as u8][..], &[0; 30]].concat().try_into().expect("32 bytes"));
            let next = BlockFound { hash, ..found.clone() };
            book.take_in(&next, &round, 1).expect("the book");
            book.move_to(&hash, State::Immature, 2).expect("the book");
            book.credit(&hash, &owners, &Fee::kept(0), 3).expect("the book");
        }
        let begun = Instant::now();
        let audit = book.audit(false).expect("the book");
        let audited = begun.elapsed();
        assert!(audit.wrong.is_empty(), "{:?}", audit.wrong);
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
        self.report.add(
            "rounds",
            format!("{}, {shares} shares of {MINERS} miners", scheme.name()),
            vec![
                ("shares/s", shares as f64 / counted),
                ("close ms", ms(closed)),
                ("into the book ms", ms(taken)),
                ("credit ms", ms(credited)),
                ("memory MB", late_memory),
                ("at a tenth", early_memory),
                ("ledger MB", late_size),
                ("at a tenth", early_size),
            ],
        );
        self.report.add(
            "rounds",
            format!("{} blocks with {MINERS} credits each", blocks + 1),
            vec![
                ("audit ms", ms(audited)),
                ("book MB", size(&dir.path().join("book/litecoin.sqlite"))),
            ],
        );
        if let Some((child, _)) = &mut server {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
