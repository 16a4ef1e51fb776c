//! Tests of the bookkeeper without processes: whatever breaks when, the sums are the journals'.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use super::merge::PATIENCE;
use super::sweep::{EVERY, KEEP, KEEP_FOR_HISTORY};
use super::*;
use crate::chain::Hash;
use crate::journal::{BlockFound, HEADER_LEN, Record, Writer};
use crate::ledger::Overview;
use crate::rewards::Amount;
use crate::rewards::Scheme;
use crate::stratum::Weight;
use crate::sys::clock::unix_ms;
use std::path::Path;

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
    Record::Share { time: START + time, worker: worker.to_owned(), weight, scheme: Scheme::Prop }
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
        scheme: Scheme::Prop,
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
    drop(one);
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
    coin.sweep(unix_ms() + 10 * KEEP, &|_| false).unwrap();
    assert!(path.exists());
    // Restored: counted from there.
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    add_all(&mut super::tests::coin(dir.path()));
    assert_eq!(self::miners(dir.path())[0], ("a".to_owned(), 7));
}

#[test]
fn a_journal_is_not_deleted_before_mpos_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), 0);
    write(&mut writer, &[share(1, "a", 1), share(2, "a", 2)]);
    let name = writer.stream().unwrap().to_owned();
    drop(writer);
    let path = journal::path(dir.path(), "litecoin", &name);
    let length = std::fs::metadata(&path).unwrap().len();
    let mut coin = coin(dir.path());
    let written = Written::default();
    coin.keep_until(written.clone());
    add_all(&mut coin);
    // Copies of the tally, after which journals go, are an hour apart.
    for (index, (position, there)) in (10..).zip([(0, true), (length - 1, true), (length, false)]) {
        written.set(&name, position);
        coin.sweep(unix_ms() + index * KEEP, &|_| false).unwrap();
        assert_eq!(path.exists(), there, "{position} of {length}");
    }
}

#[test]
fn a_journal_is_kept_for_history_for_two_days_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), 0);
    let mut gone = |coin: &mut Coin, history: &Written, has: u64, age: u64| {
        write(&mut writer, &[share(1, "a", 1)]);
        let name = writer.stream().unwrap().to_owned();
        let path = journal::path(dir.path(), "litecoin", &name);
        writer = self::writer(dir.path(), 0);
        add_all(coin);
        let length = std::fs::metadata(&path).unwrap().len();
        history.set(&name, length - 1 + has);
        coin.sweep(unix_ms() + age, &|_| false).unwrap();
        !path.exists()
    };
    let mut coin = coin(dir.path());
    let history = Written::default();
    coin.keep_for_history(history.clone());
    let soon = 60_000;
    assert!(gone(&mut coin, &history, 1, KEEP + soon), "history has it");
    assert!(!gone(&mut coin, &history, 0, KEEP + KEEP_FOR_HISTORY - soon), "it waits for history");
    assert!(gone(&mut coin, &history, 0, KEEP + KEEP_FOR_HISTORY + EVERY + soon), "not for ever");
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
    assert_eq!((coin.deleted().count, coin.deleted().last.len()), (1, 1));
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

mod copies;
mod crash;
mod faults;
mod faulty;
mod recover;
