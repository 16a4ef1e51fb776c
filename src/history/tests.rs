//! Tests of the store and its readers against a naive model.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use super::*;
use crate::journal::Record;
use crate::rewards::Scheme;
use crate::stratum::Reject;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

mod beyond;

const UNIT: Unit = Unit(-10);
const DAY: u64 = 86_400;
/// A day's begin, unix seconds.
const START: u64 = 1_700_006_400;
const RETENTION: u64 = 40 * DAY;
/// Length and keeping of all levels, as docs/history.md has them.
const KEPT: [(u64, u64); 4] = [(60, 2 * 3600), (600, 2 * DAY), (3600, 30 * DAY), (DAY, RETENTION)];
/// Why shares are refused, by whether their number is odd.
const REASONS: [Reject; 2] = [Reject::Stale, Reject::Storage];
const NAMES: [&str; 5] = ["alice.1", "alice_2", "bob/x", "bob", ""];

fn store(dir: &Path) -> Store {
    Store::open(dir, "litecoin", Duration::from_secs(RETENTION)).unwrap()
}

fn reader(dir: &Path) -> History {
    History::open_for_reading(dir, "litecoin").unwrap().unwrap()
}

fn share(at: u64, worker: &str, weight: Weight) -> Record {
    let (time, worker) = (at * 1000 + 999, worker.to_owned());
    Record::Share { time, worker, weight, scheme: Scheme::Solo }
}

fn refused(at: u64, worker: &str, count: u32) -> Record {
    let (time, worker) = (at * 1000, worker.to_owned());
    Record::Rejected { time, worker, reject: REASONS[count as usize % 2], count }
}

/// Records of one stream as a batch that begins at `position`, which moves.
fn batch(position: &mut u64, records: impl IntoIterator<Item = Record>) -> Batch {
    let mut batch = Batch::new(UNIT);
    for record in records {
        batch.add("stream", *position, *position + 10, record);
        *position += 10;
    }
    batch
}

#[derive(Debug, Clone)]
enum Step {
    /// Seconds before now, worker, weight or, refused, how many.
    Records(Vec<(u64, usize, Result<Weight, u32>)>),
    /// A transaction whose answer nobody heard.
    Again,
    Reopen,
    /// So many seconds pass, and what is old is removed.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ago = prop_oneof![0..600_u64, 0..10_000_u64, 0..3 * DAY, 0..60 * DAY];
    let work = prop_oneof![
        3 => (1..1000_u64).prop_map(Ok),
        1 => (0..5_u32).prop_map(Err),
    ];
    let records = proptest::collection::vec((ago, 0..NAMES.len(), work), 1..30);
    let pass = prop_oneof![0..120_u64, 0..4000_u64, 0..3 * DAY, 0..50 * DAY];
    let step = prop_oneof![
        4 => records.prop_map(Step::Records),
        1 => Just(Step::Again),
        1 => Just(Step::Reopen),
        2 => pass.prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..25)
}

/// By length and begin of the slot: work by worker.
type Model = BTreeMap<(u64, u64), BTreeMap<&'static str, Sum>>;

fn expected(model: &Model, length: u64) -> Vec<Point> {
    let slots = model.range((length, 0)..(length + 1, 0));
    let point = |(&(length, at), workers): (&(u64, u64), &BTreeMap<&str, Sum>)| {
        let mut all = Sum::default();
        workers.values().for_each(|sum| all.add(*sum));
        let named = || workers.keys().filter(|name| !name.is_empty());
        let miners: BTreeSet<&str> = named().map(|name| address_part(name)).collect();
        let count = |number: usize| u32::try_from(number).unwrap();
        let (workers, miners) = (count(named().count()), Some(count(miners.len())));
        Point { at, length, sum: all, workers, miners }
    };
    slots.map(point).collect()
}

fn live(steps: &[Step], dir: &Path) {
    let (mut now, mut trimmed, mut position) = (START + 100 * DAY, 0, 0);
    let mut model = Model::new();
    let mut last = None;
    let mut store = store(dir);
    for step in steps {
        match step {
            Step::Records(records) => {
                let made = records.iter().map(|&(ago, name, work)| match work {
                    Ok(weight) => share(now - ago, NAMES[name], weight),
                    Err(count) => refused(now - ago, NAMES[name], count),
                });
                let batch = batch(&mut position, made);
                assert!(store.apply(&batch).unwrap());
                last = Some(batch);
                for &(ago, name, work) in records {
                    let sum = match work {
                        Ok(weight) => Sum { weight, shares: 1, ..Sum::default() },
                        Err(0) => continue,
                        Err(count) => Sum::refused(REASONS[count as usize % 2], count),
                    };
                    for (length, keep) in KEPT {
                        let at = (now - ago) / length * length;
                        if at + length + keep > trimmed {
                            let slot = model.entry((length, at)).or_default();
                            slot.entry(NAMES[name]).or_default().add(sum);
                        }
                    }
                }
            }
            Step::Again => {
                if let Some(batch) = &last {
                    assert!(!store.apply(batch).unwrap(), "added twice");
                }
            }
            Step::Reopen => {
                drop(store);
                store = self::store(dir);
            }
            Step::Pass(seconds) => {
                now += seconds;
                trimmed = now;
                store.trim(now).unwrap();
                let keep = |length: u64| KEPT.iter().find(|it| it.0 == length).unwrap().1;
                model.retain(|&(length, at), _| at + length + keep(length) > now);
            }
        }
    }
    let reader = reader(dir);
    for (length, keep) in KEPT {
        let from = trimmed.saturating_sub(keep);
        let points = reader.pool(from, u64::MAX, length).unwrap();
        assert_eq!(points, expected(&model, length), "slots of {length} s");
        for address in ["alice", "bob"] {
            let mut wanted: BTreeMap<String, Vec<Point>> = BTreeMap::new();
            for (&(_, at), workers) in model.range((length, 0)..(length + 1, 0)) {
                for (name, &sum) in workers.iter().filter(|(name, _)| name.starts_with(address)) {
                    let point = Point { at, length, sum, workers: 1, miners: Some(1) };
                    wanted.entry((*name).to_owned()).or_default().push(point);
                }
            }
            assert_eq!(reader.miner(address, from, u64::MAX, length).unwrap(), wanted);
        }
    }
    let mut wanted: BTreeMap<String, Sum> = BTreeMap::new();
    let recent = |reader: &History, since| -> BTreeMap<String, Sum> {
        let all = reader.workers(since).unwrap();
        all.into_iter().map(|(name, recent)| (name, recent.sum)).collect()
    };
    for (_, workers) in model.range((60, 0)..(61, 0)) {
        for (name, sum) in workers.iter().filter(|(name, _)| !name.is_empty()) {
            wanted.entry((*name).to_owned()).or_default().add(*sum);
        }
    }
    assert_eq!(recent(&reader, trimmed.saturating_sub(2 * 3600)), wanted);
    // Names are there exactly as long as a slot needs them.
    let named: BTreeMap<&str, ()> = model
        .values()
        .flat_map(|workers| workers.keys().filter(|name| !name.is_empty()))
        .map(|name| (*name, ()))
        .collect();
    assert_eq!(rows(dir, "worker"), named.len());
    let workers = model.values().flat_map(BTreeMap::keys).filter(|name| !name.is_empty()).count();
    assert_eq!([rows(dir, "pool"), rows(dir, "slot")], [model.len(), workers], "nothing more");
    assert_eq!(reader.unit().unwrap(), last.map(|_| UNIT));
}

fn rows(dir: &Path, table: &str) -> usize {
    let connection = Connection::open(file::path(dir, "litecoin")).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    usize::try_from(connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_level_holds_what_a_naive_model_does(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        live(&steps, dir.path());
    }
}

#[test]
fn nothing_is_left_when_all_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    assert!(store.apply(&batch(&mut 0, [share(START, "alice.1", 5)])).unwrap());
    store.trim(START + RETENTION + DAY - 1).unwrap();
    assert_eq!([rows(dir.path(), "slot"), rows(dir.path(), "worker")], [1, 1]);
    store.trim(START + RETENTION + DAY).unwrap();
    for table in ["slot", "pool", "worker", "account"] {
        assert_eq!(rows(dir.path(), table), 0, "{table}");
    }
    store.forget(&["stream".to_owned()]).unwrap();
    assert_eq!(store.positions().unwrap(), BTreeMap::new());
}

#[test]
fn a_sum_beyond_64_bits_stays_at_the_largest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    for _ in 0..3 {
        let most = share(START, "alice", Unit::MOST);
        assert!(store.apply(&batch(&mut position, [most.clone(), most])).unwrap());
    }
    let weight = i64::MAX.unsigned_abs();
    let largest = Sum { weight, shares: 6, ..Sum::default() };
    let reader = reader(dir.path());
    assert_eq!(reader.workers(START).unwrap()["alice"].sum, largest);
    assert_eq!(reader.pool(START, START + 1, 0).unwrap()[0].sum, largest);
}

#[test]
fn what_cannot_be_used_is_said_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert!(History::open_for_reading(dir.path(), "litecoin").unwrap().is_none());
    let words = || {
        let written = Store::open(dir.path(), "litecoin", Duration::ZERO).unwrap_err().to_string();
        let read = History::open_for_reading(dir.path(), "litecoin").unwrap_err().to_string();
        assert_eq!(written, read);
        written
    };
    drop(store(dir.path()));
    let path = file::path(dir.path(), "litecoin");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    assert!(words().contains("has schema 7, this program knows 3"), "{}", words());
    std::fs::write(&path, "no database at all, but long enough to be looked at by SQLite").unwrap();
    assert!(words().contains("the file is damaged"), "{}", words());
    std::fs::remove_file(&path).unwrap();
    drop(store(dir.path()));
}

#[test]
fn another_unit_and_a_file_that_went_are_no_place_to_write_to() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    assert!(store.apply(&batch(&mut position, [share(START, "alice", 1)])).unwrap());
    let mut other = batch(&mut position, [share(START, "alice", 1)]);
    other.unit = Unit(2);
    let words = store.apply(&other).unwrap_err().to_string();
    assert!(words.contains("in units of 2^-10, the journals in units of 2^2"), "{words}");
    std::fs::remove_file(file::path(dir.path(), "litecoin")).unwrap();
    assert!(store.trim(START).unwrap_err().to_string().contains("deleted or replaced"));
    drop(store);
    assert_eq!(self::store(dir.path()).positions().unwrap(), BTreeMap::new());
}

/// A year of 5,000 workers, two of each of 2,500 addresses (`0` and on), all in all slots: up to
/// `now`, unix seconds.
pub(crate) fn year(dir: &Path, now: u64) {
    const WORKERS: u64 = 5000;
    drop(store(dir));
    let mut connection = Connection::open(file::path(dir, "litecoin")).unwrap();
    let transaction = connection.transaction().unwrap();
    let sql = "INSERT INTO meta VALUES ('trimmed', ?1), ('unit', -10)";
    transaction.execute(sql, [stored(now)]).unwrap();
    for worker in 0..WORKERS {
        let row = params![stored(worker), stored(worker / 2), format!("{}.{worker}", worker / 2)];
        transaction
            .execute("INSERT INTO worker (id, account, name) VALUES (?, ?, ?)", row)
            .unwrap();
        let row = params![stored(worker / 2), format!("{}", worker / 2)];
        transaction
            .execute("INSERT OR IGNORE INTO account (id, address) VALUES (?, ?)", row)
            .unwrap();
        let row = params![stored(worker), stored(now - 5)];
        transaction.execute("INSERT INTO last VALUES (?, ?, 5000)", row).unwrap();
    }
    for (length, count) in [(60, 120), (600, 288), (3600, 720), (DAY, 365)] {
        let end = now / length * length;
        for slot in (0..count).rev() {
            let key = params![stored(length), stored(end - slot * length)];
            let sql = "INSERT INTO slot SELECT ?1, ?2, account, id, 123456, 60, 1, x'0301' \
                       FROM worker ORDER BY account, id";
            transaction.execute(sql, key).unwrap();
            let sql = "INSERT INTO pool VALUES (?1, ?2, 617280000, 300000, 5000, 5000, x'038827')";
            transaction.execute(sql, key).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// How fast history is read: `cargo test --lib history_speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn history_speed() {
    let dir = tempfile::tempdir().unwrap();
    let now = START + 400 * DAY;
    year(dir.path(), now);
    let path = file::path(dir.path(), "litecoin");
    eprintln!("{} MB", std::fs::metadata(&path).unwrap().len() / 1_000_000);
    let measure = |what: &str, ask: &dyn Fn(&History) -> usize| {
        for _ in 0..2 {
            let start = std::time::Instant::now();
            let found = ask(&reader(dir.path()));
            eprintln!("{what}: {found} in {:?}, opening included", start.elapsed());
        }
    };
    measure("miner, a year", &|it| it.miner("77", now - 364 * DAY, now, 0).unwrap().len());
    measure("miner, 30 days", &|it| it.miner("77", now - 30 * DAY, now, 0).unwrap().len());
    measure("miner, 2 days", &|it| it.miner("77", now - 2 * DAY, now, 0).unwrap().len());
    measure("miner, 2 hours", &|it| it.miner("77", now - 7200, now, 0).unwrap().len());
    measure("pool, a year", &|it| it.pool(now - 364 * DAY, now, 0).unwrap().len());
    measure("pool, 30 days", &|it| it.pool(now - 30 * DAY, now, 0).unwrap().len());
    measure("workers, 5 minutes", &|it| it.workers(now - 300).unwrap().len());
    measure("workers, 2 hours", &|it| it.workers(now - 7200).unwrap().len());
    let mut store = store(dir.path());
    let mut position = 0;
    for _ in 0..2 {
        let names = (0..2500).map(|n| share(now, &format!("{n}.{}", n * 2), 5));
        let batch = batch(&mut position, names);
        let start = std::time::Instant::now();
        assert!(store.apply(&batch).unwrap());
        eprintln!("2,500 shares of as many workers added in {:?}", start.elapsed());
    }
    for seconds in [60, DAY + 3600] {
        let start = std::time::Instant::now();
        store.trim(now + seconds).unwrap();
        eprintln!("trimmed {seconds} s later in {:?}", start.elapsed());
    }
}
