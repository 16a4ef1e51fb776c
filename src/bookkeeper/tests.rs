//! Tests of the bookkeeper without processes: whatever breaks when, the sums are the journals'.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use super::*;
use crate::chain::Hash;
use crate::journal::{BlockFound, Record, Writer};
use crate::ledger::tests::Server;
use crate::ledger::{BlockRow, Overview};
use crate::rewards::Amount;
use crate::stratum::Weight;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

const UNIT: Unit = Unit(-10);
const START: u64 = 1_700_000_000_000;

fn sqlite(dir: &Path) -> Result<Box<dyn Tally>, TallyError> {
    ledger::open_sqlite(dir, "litecoin")
}

pub(crate) fn coin(dir: &Path) -> Coin {
    let folder = dir.to_owned();
    Coin::with("litecoin".to_owned(), folder.clone(), 1, UNIT, Box::new(move || sqlite(&folder)))
}

fn writer(dir: &Path, slot: usize) -> Writer {
    Writer::open(dir, "litecoin", 1, slot, UNIT, START).unwrap()
}

fn share(time: u64, worker: &str, weight: Weight) -> Record {
    Record::Share { time: START + time, worker: worker.to_owned(), weight }
}

fn block(time: u64, n: u64) -> Record {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&n.to_le_bytes());
    Record::Block(Box::new(BlockFound {
        time: START + time,
        hash: Hash(hash),
        height: n,
        previous: Hash([1; 32]),
        coinbase_txid: Hash([2; 32]),
        coinbase_value: Amount(9),
        pool_value: Amount(5),
        worker: "w".to_owned(),
        difficulty: 1.0,
        stale: false,
    }))
}

fn write(writer: &mut Writer, records: &[Record]) {
    records.iter().for_each(|record| writer.push(record));
    writer.commit().unwrap();
}

/// Writes one share.
pub(crate) fn written(dir: &Path) {
    write(&mut writer(dir, 0), &[share(1, "a", 1)]);
}

fn add_all(coin: &mut Coin) {
    while coin.turn(u64::MAX, 0).unwrap() {}
}

pub(crate) fn overview(dir: &Path) -> Overview {
    sqlite(dir).unwrap().overview(u32::MAX).unwrap()
}

fn miners(dir: &Path) -> Vec<(String, Weight)> {
    overview(dir).round.miners.into_iter().collect()
}

#[test]
fn a_round_holds_the_shares_before_its_block_in_all_streams() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (writer(dir.path(), 0), writer(dir.path(), 1));
    write(&mut two, &[share(1, "a", 1), share(9, "b", 2), share(11, "c", 4)]);
    write(&mut one, &[share(5, "d", 8), share(10, "w", 16), block(10, 1), share(12, "d", 32)]);
    add_all(&mut coin(dir.path()));
    let hash = overview(dir.path()).blocks[0].found.hash;
    let closed: Weight = sqlite(dir.path()).unwrap().round(&hash).unwrap().values().sum();
    assert_eq!(closed, 1 + 2 + 8 + 16);
    assert_eq!(miners(dir.path()), [("c".to_owned(), 4), ("d".to_owned(), 32)]);
}

#[test]
fn the_watermark_holds_records_back_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    write(&mut one, &[share(1, "a", 1), share(50, "a", 2)]);
    let mut coin = coin(dir.path());
    while coin.turn(START + 50, 1000).unwrap() {}
    assert_eq!(miners(dir.path()), [("a".to_owned(), 1)]);
    while coin.turn(START + 50, 1000 + PATIENCE - 1).unwrap() {}
    assert_eq!(miners(dir.path()), [("a".to_owned(), 1)]);
    while coin.turn(START + 50, 1000 + PATIENCE).unwrap() {}
    assert_eq!(miners(dir.path()), [("a".to_owned(), 3)]);
}

#[test]
fn a_clock_set_back_delays_records_but_does_not_make_them_trickle() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    let mut coin = coin(dir.path());
    // A worker's time stands still until the clock has caught up, and so does its promise.
    let mut accepted = Vec::new();
    for round in 0..5 {
        write(&mut one, &vec![share(50, "a", 1); 3000]);
        while coin.turn(START + 50, 1000 + round * PATIENCE).unwrap() {}
        accepted.push(overview(dir.path()).accepted);
    }
    assert_eq!(accepted, [0, 3000, 6000, 9000, 12_000]);
}

#[test]
fn a_damaged_stream_is_held_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (writer(dir.path(), 0), writer(dir.path(), 1));
    write(&mut one, &[share(1, "a", 1), share(2, "a", 2), share(3, "a", 4)]);
    let path = journal::path(dir.path(), "litecoin", one.stream().unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = (HEADER_LEN as usize + bytes.len()) / 2; // in the second of three frames
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    write(&mut two, &[share(4, "b", 1)]);
    let mut coin = coin(dir.path());
    add_all(&mut coin);
    write(&mut two, &[share(5, "b", 1)]);
    add_all(&mut coin);
    let miners = miners(dir.path());
    assert_eq!(miners, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    // Never deleted, however old.
    coin.sweep(START + 10 * KEEP, &|_| false).unwrap();
    assert!(path.exists());
    // Restored: counted from there.
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    add_all(&mut super::tests::coin(dir.path()));
    assert_eq!(self::miners(dir.path())[0], ("a".to_owned(), 7));
}

#[test]
fn a_stream_of_another_unit_or_coin_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Writer::open(dir.path(), "litecoin", 1, 0, Unit(2), START).unwrap();
    write(&mut other, &[share(1, "a", 1)]);
    let mut own = writer(dir.path(), 1);
    write(&mut own, &[share(1, "b", 1)]);
    let mut foreign = Writer::open(dir.path(), "dogecoin", 1, 2, UNIT, START).unwrap();
    write(&mut foreign, &[share(1, "c", 1)]);
    let name = foreign.stream().unwrap();
    let to = journal::path(dir.path(), "litecoin", name);
    std::fs::rename(journal::path(dir.path(), "dogecoin", name), to).unwrap();
    add_all(&mut coin(dir.path()));
    assert_eq!(miners(dir.path()), [("b".to_owned(), 1)]);
}

#[test]
fn an_emptied_tally_is_filled_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    write(&mut one, &[share(1, "a", 1), block(2, 1), share(3, "a", 2)]);
    let mut coin = coin(dir.path());
    add_all(&mut coin);
    let before = overview(dir.path());
    coin.tally = None;
    std::fs::remove_dir_all(dir.path().join("ledger")).unwrap();
    add_all(&mut coin);
    assert_eq!(overview(dir.path()), before);
    // Deleted under an open connection: one turn fails, the next one makes it again.
    std::fs::remove_dir_all(dir.path().join("ledger")).unwrap();
    write(&mut one, &[share(4, "a", 4)]);
    assert!(coin.turn(u64::MAX, 0).is_err());
    add_all(&mut coin);
    assert_eq!(overview(dir.path()).accepted, before.accepted + 1);
    // Another file in its place, as when a copy is restored: never written to the old one.
    let path = ledger::sqlite_path(dir.path(), "litecoin");
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    drop(sqlite(dir.path()).unwrap());
    write(&mut one, &[share(4, "a", 4)]);
    assert!(coin.turn(u64::MAX, 0).is_err());
    add_all(&mut coin);
    assert_eq!(overview(dir.path()).accepted, before.accepted + 2);
    // Emptied under an open connection: found out at the next batch.
    let gone = sqlite(dir.path()).unwrap().positions().unwrap().into_keys().collect::<Vec<_>>();
    sqlite(dir.path()).unwrap().forget(9, &gone).unwrap();
    write(&mut one, &[share(5, "a", 8)]);
    add_all(&mut coin);
    // The sums were left in place, so that the replay shows.
    assert_eq!(overview(dir.path()).accepted, 4 + 5);
}

#[test]
fn deletes_only_what_is_old_added_and_has_no_writer() {
    let dir = tempfile::tempdir().unwrap();
    let files = || journal::streams(dir.path(), "litecoin").unwrap().len();
    let mut dead = writer(dir.path(), 0);
    write(&mut dead, &[share(1, "a", 1)]);
    drop(writer(dir.path(), 0)); // empty, the newest of its slot
    let mut alive = writer(dir.path(), 1);
    write(&mut alive, &[share(1, "b", 1)]);
    drop(dead);
    let now = unix_ms();
    let occupied = |slot: usize| slot == 1;
    let mut coin = coin(dir.path());
    coin.turn(START, 0).unwrap(); // lists all, adds nothing
    coin.sweep(now + 2 * KEEP, &occupied).unwrap();
    assert_eq!(files(), 2, "the empty one goes, what is not added stays");
    add_all(&mut coin);
    coin.sweep(now, &occupied).unwrap();
    assert_eq!(files(), 2, "too young");
    coin.sweep(now + 2 * KEEP, &occupied).unwrap();
    assert_eq!(files(), 1, "only that of a living worker is left");
    let mut tally = sqlite(dir.path()).unwrap();
    assert_eq!((tally.positions().unwrap().len(), tally.forgotten(1).unwrap()), (1, 1));
    assert_eq!(coin.deleted(), 1);
    // And the worker goes on, and nothing counts twice.
    write(&mut alive, &[share(2, "b", 1)]);
    add_all(&mut coin);
    assert_eq!(miners(dir.path()), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[test]
fn a_living_writers_stream_stays_when_the_clock_was_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let files = || journal::streams(dir.path(), "litecoin").unwrap().len();
    let later = START + 10 * KEEP;
    drop(Writer::open(dir.path(), "litecoin", 1, 0, UNIT, later).unwrap());
    // By its time this one ended when that one began.
    let mut alive = writer(dir.path(), 0);
    write(&mut alive, &[share(1, "a", 1)]);
    let mut coin = coin(dir.path());
    add_all(&mut coin);
    coin.sweep(later + 10 * KEEP, &|_| false).unwrap();
    assert_eq!(files(), 1);
    write(&mut alive, &[share(2, "a", 1)]);
    add_all(&mut coin);
    assert_eq!(overview(dir.path()).accepted, 2);
    drop(alive);
    coin.sweep(unix_ms() + 2 * KEEP, &|_| false).unwrap();
    assert_eq!(files(), 0);
}

#[test]
fn an_emptied_tally_is_found_out_before_journals_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut writer(dir.path(), 0), &[share(1, "a", 1)]);
    let mut coin = coin(dir.path());
    add_all(&mut coin);
    let gone = sqlite(dir.path()).unwrap().positions().unwrap().into_keys().collect::<Vec<_>>();
    sqlite(dir.path()).unwrap().forget(9, &gone).unwrap();
    coin.sweep(unix_ms() + 10 * KEEP, &|_| false).unwrap();
    assert_eq!(journal::streams(dir.path(), "litecoin").unwrap().len(), 1);
    add_all(&mut coin);
    // The sums were left in place, so that the replay shows.
    assert_eq!(overview(dir.path()).accepted, 2);
}

/// A tally whose calls fail as told, before or after the work was done.
struct Faulty {
    inner: Box<dyn Tally>,
    faults: Arc<Mutex<VecDeque<u8>>>,
}

impl Faulty {
    fn error() -> TallyError {
        TallyError::Unavailable { place: "test".to_owned(), words: "told to".to_owned() }
    }
}

impl Tally for Faulty {
    fn unit(&mut self) -> Result<Option<Unit>, TallyError> {
        self.inner.unit()
    }
    fn positions(&mut self) -> Result<BTreeMap<String, u64>, TallyError> {
        self.inner.positions()
    }
    fn apply(&mut self, batch: &Batch) -> Result<Applied, TallyError> {
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(0);
        if fault == 1 {
            return Err(Self::error());
        }
        let applied = self.inner.apply(batch)?;
        if fault == 2 { Err(Self::error()) } else { Ok(applied) }
    }
    fn forget(&mut self, instance: u16, streams: &[String]) -> Result<u64, TallyError> {
        self.inner.forget(instance, streams)
    }
    fn forgotten(&mut self, instance: u16) -> Result<u64, TallyError> {
        self.inner.forgotten(instance)
    }
    fn trim(&mut self, oldest_minute: u64) -> Result<(), TallyError> {
        self.inner.trim(oldest_minute)
    }
    fn overview(&mut self, blocks: u32) -> Result<Overview, TallyError> {
        self.inner.overview(blocks)
    }
    fn round(&mut self, block: &Hash) -> Result<BTreeMap<String, Weight>, TallyError> {
        self.inner.round(block)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Share(usize, u64),
    Block(usize),
    Commit(usize),
    /// kill -9 of a worker: what is not committed is gone, its file may end in half a frame.
    KillWorker(usize, bool),
    Turn(u64),
    KillBookkeeper,
    Fault(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = 0..3_usize;
    let step = prop_oneof![
        8 => (slot.clone(), 1..100_u64).prop_map(|(slot, weight)| Step::Share(slot, weight)),
        1 => slot.clone().prop_map(Step::Block),
        4 => slot.clone().prop_map(Step::Commit),
        1 => (slot, any::<bool>()).prop_map(|(slot, torn)| Step::KillWorker(slot, torn)),
        3 => (0..20_u64).prop_map(Step::Turn),
        1 => Just(Step::KillBookkeeper),
        2 => (1..=2_u8).prop_map(Step::Fault),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Lives through the steps and compares the tally with what was committed.
fn live(steps: &[Step], dir: &Path, open: &Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync>) {
    let faults = Arc::new(Mutex::new(VecDeque::new()));
    let new_coin = || {
        let (open, faults) = (Arc::clone(open), Arc::clone(&faults));
        let opener = move || {
            let tally = Faulty { inner: open(), faults: Arc::clone(&faults) };
            Ok(Box::new(tally) as Box<dyn Tally>)
        };
        Coin::with("litecoin".to_owned(), dir.to_owned(), 1, UNIT, Box::new(opener))
    };
    let mut coin = new_coin();
    let mut writers: Vec<Writer> = (0..3).map(|slot| writer(dir, slot)).collect();
    let mut pushed: Vec<(u64, Weight, u64)> = vec![(0, 0, 0); 3];
    let (mut shares, mut weight, mut blocks) = (0, 0, 0);
    for (time, step) in (0..).zip(steps) {
        match *step {
            Step::Share(slot, work) => {
                writers[slot].push(&share(time, &format!("w{}", work % 4), work));
                pushed[slot].0 += 1;
                pushed[slot].1 += work;
            }
            Step::Block(slot) => {
                writers[slot].push(&block(time, time));
                pushed[slot].2 += 1;
            }
            Step::Commit(slot) => {
                writers[slot].commit().unwrap();
                let (some, work, found) = std::mem::take(&mut pushed[slot]);
                shares += some;
                weight += work;
                blocks += found;
            }
            Step::KillWorker(slot, torn) => {
                pushed[slot] = (0, 0, 0);
                let name = writers[slot].stream().unwrap().to_owned();
                writers[slot] = writer(dir, slot);
                if torn {
                    let path = journal::path(dir, "litecoin", &name);
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes.extend_from_slice(&[20, 0, !20, !0, 1, 2, 3]);
                    std::fs::write(&path, bytes).unwrap();
                }
            }
            Step::Turn(back) => {
                let _ = coin.turn(START + time.saturating_sub(back), 0);
            }
            Step::KillBookkeeper => coin = new_coin(),
            Step::Fault(fault) => faults.lock().unwrap().push_back(fault),
        }
    }
    faults.lock().unwrap().clear();
    add_all(&mut coin);
    let mut tally = open();
    let all = tally.overview(u32::MAX).unwrap();
    let mut sum: Weight = all.round.miners.values().sum();
    for BlockRow { found, .. } in &all.blocks {
        sum += tally.round(&found.hash).unwrap().values().sum::<Weight>();
    }
    let minutes: Weight = all.minutes.values().map(|minute| minute.weight).sum();
    assert_eq!((all.accepted, sum, minutes, all.blocks_found), (shares, weight, weight, blocks));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_committed_share_counts_once_in_sqlite(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        let open: Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync> =
            Arc::new(move || sqlite(&folder).unwrap());
        live(&steps, dir.path(), &open);
    }
}

#[test]
fn every_committed_share_counts_once_in_redis() {
    let Some(server) = Server::start().map(Arc::new) else { return };
    let case = std::sync::atomic::AtomicU32::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&steps(), |steps| {
        let dir = tempfile::tempdir().unwrap();
        let server = Arc::clone(&server);
        let name = format!("c{}", case.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let open: Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync> =
            Arc::new(move || server.tally(&name));
        live(&steps, dir.path(), &open);
        Ok(())
    });
    result.unwrap();
}

/// How fast journals are added: `cargo test --lib throughput -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn throughput() {
    const FRAMES: u64 = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    for time in 0..FRAMES {
        one.push(&share(time / 10, &format!("ltc1qsomebody{}.rig", time % 100), 5));
    }
    one.commit().unwrap();
    let measure = |what: &str, coin: &mut Coin| {
        let start = std::time::Instant::now();
        add_all(coin);
        let seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let rate = FRAMES as f64 / seconds;
        eprintln!("{what}: {rate:.0} frames/s");
    };
    measure("SQLite", &mut coin(dir.path()));
    if let Some(server) = Server::start() {
        let folder = dir.path().to_owned();
        let opener = move || Ok(server.tally("litecoin"));
        measure("Redis", &mut Coin::with("litecoin".into(), folder, 1, UNIT, Box::new(opener)));
    }
}
