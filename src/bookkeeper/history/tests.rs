//! Tests of what fills history from journals: whatever is killed or deleted when, each record is in
//! it once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::history::{History, Sum};
use crate::journal::{Record, Writer};
use crate::rewards::Scheme;
use crate::stratum::Reject;
use proptest::prelude::*;
use std::path::Path;

const UNIT: Unit = Unit(-10);
/// Unix milliseconds.
const START: u64 = 1_700_000_000_000;

fn now() -> u64 {
    START + 3_600_000
}

fn follower(dir: &Path) -> Follower {
    let facts = (1, UNIT, Duration::ZERO);
    Follower::with("litecoin".to_owned(), dir.to_owned(), facts, now)
}

fn writer(dir: &Path, slot: usize) -> Writer {
    Writer::open(dir, "litecoin", 1, slot, UNIT, START).unwrap()
}

fn share(time: u64, worker: &str, weight: u64) -> Record {
    let (time, worker, scheme) = (START + time, worker.to_owned(), Scheme::Solo);
    Record::Share { time, worker, weight, scheme }
}

fn refused(time: u64, worker: &str, count: u32) -> Record {
    let (time, worker, reject) = (START + time, worker.to_owned(), Reject::Duplicate);
    Record::Rejected { time, worker, reject, count }
}

fn write(writer: &mut Writer, records: &[Record]) {
    records.iter().for_each(|record| writer.push(record));
    writer.commit().unwrap();
}

fn add_all(follower: &mut Follower) {
    while follower.turn(u64::MAX, 0).unwrap() {}
}

fn workers(dir: &Path) -> BTreeMap<String, Sum> {
    let history = History::open_for_reading(dir, "litecoin").unwrap();
    let all = history.map(|it| it.workers(START / 1000).unwrap()).unwrap_or_default();
    all.into_iter().map(|(name, recent)| (name, recent.sum)).collect()
}

fn path(dir: &Path) -> PathBuf {
    dir.join("history/litecoin.sqlite")
}

#[derive(Debug, Clone)]
enum Step {
    Share(usize, u64),
    Refused(usize, u32),
    Commit(usize),
    KillWorker(usize),
    Turn(u64),
    Sweep,
    KillBookkeeper,
    Delete,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = 0..3_usize;
    let step = prop_oneof![
        8 => (slot.clone(), 1..100_u64).prop_map(|(slot, weight)| Step::Share(slot, weight)),
        2 => (slot.clone(), 0..4_u32).prop_map(|(slot, count)| Step::Refused(slot, count)),
        4 => slot.clone().prop_map(Step::Commit),
        1 => slot.prop_map(Step::KillWorker),
        4 => (0..20_000_u64).prop_map(Step::Turn),
        1 => Just(Step::Sweep),
        1 => Just(Step::KillBookkeeper),
        1 => Just(Step::Delete),
    ];
    proptest::collection::vec(step, 1..80)
}

fn live(steps: &[Step], dir: &Path) {
    let mut follower = follower(dir);
    let mut writers: Vec<Writer> = (0..3).map(|slot| writer(dir, slot)).collect();
    let mut pushed: Vec<Vec<(String, Sum)>> = vec![Vec::new(); 3];
    let mut committed: BTreeMap<String, Sum> = BTreeMap::new();
    for (number, step) in (0..).zip(steps) {
        let time = number * 5000;
        match *step {
            Step::Share(slot, weight) => {
                let name = format!("w{}.r", weight % 4);
                writers[slot].push(&share(time, &name, weight));
                pushed[slot].push((name, Sum { weight, shares: 1, ..Sum::default() }));
            }
            Step::Refused(slot, count) => {
                writers[slot].push(&refused(time, "w1.r", count));
                let sum = Sum::refused(Reject::Duplicate, count);
                pushed[slot].extend((count > 0).then(|| ("w1.r".to_owned(), sum)));
            }
            Step::Commit(slot) => {
                writers[slot].commit().unwrap();
                for (name, sum) in pushed[slot].drain(..) {
                    committed.entry(name).or_default().add(sum);
                }
            }
            Step::KillWorker(slot) => {
                pushed[slot].clear();
                writers[slot] = writer(dir, slot);
            }
            Step::Turn(back) => {
                let _ = follower.turn(START + time.saturating_sub(back), number * 3000);
            }
            Step::Sweep => {
                let _ = follower.sweep(now(), &|_| true);
            }
            Step::KillBookkeeper => follower = self::follower(dir),
            Step::Delete => {
                let _ = std::fs::remove_file(path(dir));
            }
        }
    }
    // A deleted file is found out by one turn, and made anew by the next.
    let _ = follower.turn(u64::MAX, 0);
    add_all(&mut follower);
    if follower.sweep(now(), &|_| true).is_err() {
        add_all(&mut follower);
    }
    assert_eq!(workers(dir), committed);
    let length = |name: &String| {
        std::fs::metadata(journal::path(dir, "litecoin", name)).map_or(0, |facts| facts.len())
    };
    for (name, tail) in &follower.tails {
        assert!(follower.written.has(name, tail.position));
        assert!(tail.position == 0 || tail.position == length(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_record_counts_once(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        live(&steps, dir.path());
    }
}

#[test]
fn shares_wait_for_a_while_but_not_for_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    let mut follower = follower(dir.path());
    write(&mut one, &[share(1, "a", 1)]);
    while follower.turn(START + 100, 1000).unwrap() {}
    let sum = |dir: &Path| workers(dir).get("a").map_or(0, |sum| sum.weight);
    assert_eq!(sum(dir.path()), 1);
    write(&mut one, &[share(2, "a", 2)]);
    while follower.turn(START + 100, 1000 + EVERY - 1).unwrap() {}
    assert_eq!(sum(dir.path()), 1);
    while follower.turn(START + 100, 1000 + EVERY).unwrap() {}
    assert_eq!(sum(dir.path()), 3);
    write(&mut one, &[share(3, "a", 4)]);
    while follower.turn(u64::MAX, 1000 + EVERY).unwrap() {}
    assert_eq!(sum(dir.path()), 7);
}

#[test]
fn a_damaged_file_is_told_of_and_counted_anew_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    write(&mut one, &[share(1, "a", 1), refused(2, "a", 3)]);
    std::fs::create_dir(dir.path().join("history")).unwrap();
    std::fs::write(path(dir.path()), vec![7; 5000]).unwrap();
    let mut follower = follower(dir.path());
    for _ in 0..2 {
        let words = follower.turn(u64::MAX, 0).unwrap_err().to_string();
        assert!(words.contains("the file is damaged. Delete it"), "{words}");
    }
    let name = one.stream().unwrap();
    assert!(!follower.written().has(name, 1), "journals are kept for it meanwhile");
    std::fs::remove_file(path(dir.path())).unwrap();
    add_all(&mut follower);
    let mut sum = Sum { weight: 1, shares: 1, ..Sum::default() };
    sum.add(Sum::refused(Reject::Duplicate, 3));
    assert_eq!(workers(dir.path()), BTreeMap::from([("a".to_owned(), sum)]));
}

#[test]
fn positions_of_journals_that_are_gone_for_long_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    write(&mut one, &[share(1, "a", 1)]);
    let name = one.stream().unwrap().to_owned();
    drop(one);
    let mut follower = follower(dir.path());
    add_all(&mut follower);
    let positions = |dir: &Path| {
        let mut store = Store::open(dir, "litecoin", Duration::ZERO).unwrap();
        store.positions().unwrap().len()
    };
    std::fs::remove_file(journal::path(dir.path(), "litecoin", &name)).unwrap();
    follower.sweep(START + 2 * KEEP - 1, &|_| false).unwrap();
    assert_eq!(positions(dir.path()), 1, "a power cut may bring the file back");
    follower.sweep(START + 2 * KEEP, &|_| false).unwrap();
    assert_eq!(positions(dir.path()), 0);
    assert_eq!(workers(dir.path())["a"].weight, 1, "the work stays");
}
