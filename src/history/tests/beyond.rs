//! What history knows beyond work: last shares, blocks, difficulty; invented names; files of before.

use super::*;
use crate::chain::Hash;
use crate::journal::BlockFound;
use crate::rewards::Amount;

fn found(at: u64, number: u8, scheme: Scheme) -> Record {
    Record::Block(Box::new(BlockFound {
        time: at * 1000,
        hash: Hash([number; 32]),
        height: u64::from(number),
        previous: Hash([0; 32]),
        coinbase_txid: Hash([0; 32]),
        coinbase_value: Amount(0),
        pool_value: Amount(0),
        worker: "alice.1".to_owned(),
        difficulty: 2.5,
        stale: false,
        scheme,
    }))
}

fn shared(at: u64, weight: Weight) -> Record {
    let Record::Share { time, worker, weight, .. } = share(at, "alice.1", weight) else { panic!() };
    Record::Share { time, worker, weight, scheme: Scheme::Pplns { window: 1 } }
}

#[test]
fn a_block_has_the_work_of_its_kind_since_the_one_before() {
    const SHARED: Scheme = Scheme::Pplns { window: 1 };
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    let mut add = |records: Vec<Record>| {
        assert!(store.apply(&batch(&mut position, records)).unwrap());
    };
    add(vec![shared(START, 100), found(START + 1, 1, SHARED), shared(START + 2, 3)]);
    add(vec![share(START + 3, "bob", 50), shared(START + 3, 4)]);
    add(vec![shared(START + 4, 5), found(START + 5, 2, SHARED), found(START + 6, 3, SHARED)]);
    add(vec![found(START + 7, 4, Scheme::Solo), share(START + 8, "bob", 6), shared(START + 8, 7)]);
    add(vec![found(START + 9, 5, Scheme::Solo), found(START + 9, 6, SHARED)]);
    let mut mined = reader(dir.path()).blocks(10).unwrap();
    mined.sort_by_key(|block| block.height);
    let work: Vec<_> = mined.iter().map(|block| block.work).collect();
    // What came before the first of a kind is not known: history may begin in the middle.
    assert_eq!(work, [None, Some(12), Some(0), None, Some(6), Some(7)]);
    assert_eq!((mined[1].hash, mined[1].time), (Hash([2; 32]), (START + 5) * 1000));
    assert_eq!(reader(dir.path()).blocks(2).unwrap().len(), 2);
    store.trim(START + RETENTION + DAY + 9).unwrap();
    assert_eq!(rows(dir.path(), "block"), 0);
}

#[test]
fn the_last_share_of_a_worker_is_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    let shares = [share(START + 9, "alice.1", 5), share(START + 7, "alice.1", 6)];
    assert!(store.apply(&batch(&mut position, shares)).unwrap());
    let later = [share(START + 8, "alice.1", 7), refused(START + 20, "alice.1", 1)];
    assert!(store.apply(&batch(&mut position, later)).unwrap());
    let last = Last { at: START + 9, weight: 5 };
    let reader = reader(dir.path());
    assert_eq!(reader.last("alice").unwrap(), BTreeMap::from([("alice.1".to_owned(), last)]));
    assert_eq!(reader.workers(START).unwrap()["alice.1"].last, Some(last));
    store.trim(START + RETENTION + DAY).unwrap();
    assert_eq!(rows(dir.path(), "last"), 0);
}

#[test]
fn the_networks_difficulty_is_the_last_of_each_slot() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path());
    for (at, difficulty) in [(0, 1.0), (30, 2.0), (60, 3.0), (DAY, 4.0)] {
        store.note_difficulty(START + at, difficulty).unwrap();
    }
    let reader = reader(dir.path());
    let all = reader.network(START, START + 2 * DAY, 0).unwrap();
    assert_eq!(all, [(START, 2.0), (START + 60, 3.0), (START + DAY, 4.0)]);
    let days = reader.network(START, START + 2 * DAY, DAY).unwrap();
    assert_eq!(days, [(START, 3.0), (START + DAY, 4.0)]);
    store.trim(START + DAY).unwrap();
    assert_eq!(rows(dir.path(), "network"), 1 + 2 + 2 + 2, "a minute, 10 minutes, hours, days");
}

#[test]
fn invented_names_become_one_of_their_address_and_sums_stay_right() {
    const MANY: u64 = 2100;
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    let names = |first: u64| (first..first + MANY).map(|n| share(START, &format!("eve.{n}"), 1));
    assert!(store.apply(&batch(&mut position, names(0))).unwrap());
    assert!(store.apply(&batch(&mut position, [share(START, "bob.1", 1)])).unwrap());
    let miners =
        |address: &str, at: u64| reader(dir.path()).miner(address, at, at + 60, 0).unwrap();
    let eve = miners("eve", START);
    assert_eq!(eve.len(), 2001, "2,000 and the others");
    assert_eq!(eve["eve.(others)"][0].sum.shares, 100);
    assert_eq!(miners("bob", START).len(), 1, "no other address is concerned");
    let pool = reader(dir.path()).pool(START, START + 60, 0).unwrap();
    assert_eq!((pool[0].sum.shares, pool[0].workers), (MANY + 1, 2002));
    // Some more may come each hour, and then they have their names.
    let later = START + 3600;
    let again = (0..MANY).map(|n| share(later, &format!("eve.{n}"), 1));
    assert!(store.apply(&batch(&mut position, again)).unwrap());
    let eve = miners("eve", later);
    assert_eq!((eve.len(), eve["eve.(others)"][0].sum.shares), (2051, 50));
}

#[test]
fn names_without_work_leave_room_for_those_with_work() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    let refusals = (0..600).map(|n| refused(START, &format!("eve.{n}"), 1));
    assert!(store.apply(&batch(&mut position, refusals)).unwrap());
    let miner = |address: &str| reader(dir.path()).miner(address, START, START + 60, 0).unwrap();
    let eve = miner("eve");
    assert_eq!((eve.len(), eve["eve.(others)"][0].sum.rejected), (501, 100));
    // One that works has its name, also where its first share was refused.
    let works = [refused(START, "eve.rig", 1), share(START + 1, "eve.rig", 7)];
    assert!(store.apply(&batch(&mut position, works)).unwrap());
    assert_eq!((miner("eve").len(), miner("eve")["eve.rig"][0].sum.weight), (502, 7));
    // And the same of the coin.
    let connection = Connection::open(file::path(dir.path(), "litecoin")).unwrap();
    connection.execute("UPDATE meta SET value = 15000 WHERE name = 'names'", []).unwrap();
    let records = [refused(START, "bob", 1), share(START, "carol", 1), refused(START, "eve.x", 1)];
    assert!(store.apply(&batch(&mut position, records)).unwrap());
    assert_eq!((miner("bob").len(), miner("carol").len(), miner("(others)").len()), (0, 1, 1));
    assert_eq!(miner("eve")["eve.(others)"][0].sum.rejected, 101);
}

#[test]
fn a_coin_has_an_allowance_too_and_then_addresses_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut position) = (store(dir.path()), 0);
    assert!(store.apply(&batch(&mut position, [share(START, "alice.1", 1)])).unwrap());
    let connection = Connection::open(file::path(dir.path(), "litecoin")).unwrap();
    connection.execute("UPDATE meta SET value = 1 WHERE name = 'names'", []).unwrap();
    let shares = ["alice.1", "bob.1", "bob.2", "eve.1", "eve.2", "(others).x"];
    let shares = shares.map(|name| share(START, name, 1));
    assert!(store.apply(&batch(&mut position, shares)).unwrap());
    let workers = reader(dir.path()).workers(START).unwrap();
    let shares: Vec<_> =
        workers.iter().map(|(name, recent)| (name.as_str(), recent.sum.shares)).collect();
    // The first name in their order took the last place, and its address is that of the others.
    let wanted = [("(others)", 4), ("(others).x", 1), ("alice.1", 2)];
    assert_eq!(shares, wanted);
    assert_eq!(rows(dir.path(), "account"), 2);
}

#[test]
fn a_file_of_before_keeps_what_it_holds_and_learns_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = file::path(dir.path(), "litecoin");
    std::fs::create_dir(dir.path().join("history")).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(file::SCHEMA).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA user_version = 1;
             INSERT INTO meta VALUES ('unit', -10);
             INSERT INTO position VALUES ('stream', 50);
             INSERT INTO account VALUES (1, 'alice');
             INSERT INTO worker VALUES (1, 1, 'alice.1');
             INSERT INTO slot VALUES (60, {START}, 1, 1, 7, 2, 3);
             INSERT INTO pool VALUES (60, {START}, 7, 2, 3, 1);"
        ))
        .unwrap();
    drop(connection);
    let old = Sum { weight: 7, shares: 2, rejected: 3, ..Sum::default() };
    let sum = || reader(dir.path()).workers(START).unwrap()["alice.1"].sum;
    // Before the bookkeeper has opened it.
    assert_eq!(sum(), old);
    assert_eq!(reader(dir.path()).pool(START, START + 60, 0).unwrap()[0].sum, old);
    assert_eq!(reader(dir.path()).miner("alice", START, START + 60, 0).unwrap().len(), 1);
    assert!(reader(dir.path()).blocks(9).unwrap().is_empty());
    assert!(reader(dir.path()).last("alice").unwrap().is_empty());
    assert!(reader(dir.path()).network(0, u64::MAX, 0).unwrap().is_empty());
    let mut store = store(dir.path());
    assert_eq!(store.positions().unwrap(), BTreeMap::from([("stream".to_owned(), 50)]));
    assert_eq!(sum(), old);
    let mut position = 50;
    assert!(store.apply(&batch(&mut position, [refused(START, "alice.1", 4)])).unwrap());
    let mut all = old;
    all.add(Sum::refused(REASONS[0], 4));
    assert_eq!(sum(), all, "seven were refused, of four it is known why");
    assert_eq!((all.rejected, all.reasons.total()), (7, 4));
    // Whose they were is known of slots that are begun now.
    assert!(store.apply(&batch(&mut position, [share(START + 60, "alice.1", 1)])).unwrap());
    let points = reader(dir.path()).pool(START, START + 120, 0).unwrap();
    assert_eq!(points.iter().map(|point| point.miners).collect::<Vec<_>>(), [None, Some(1)]);
}
