//! A journal after a crash: torn, cut, flipped, or never one at all.
//!
//! With an even first byte the rest is a file as it is found. Else records are made of it, written
//! as workers write them, and the file is damaged.

use super::bytes::Bytes;
use super::scratch;
use romp::chain::Hash;
use romp::journal::{self, HEADER_LEN, Peek, Reader, Record, Row, Writer};
use romp::rewards::Scheme;
use romp::stratum::{Reject, Unit};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const COIN: &str = "litecoin";
const UNIT: Unit = Unit(-10);
/// Records that are written at most.
const MOST: usize = 64;

/// Any bytes as a journal.
pub(crate) fn target(data: &[u8]) {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(scratch::folder).path();
        let mut input = Bytes(data);
        if input.u8().is_multiple_of(2) {
            found(folder, input.0);
        } else {
            damaged(folder, &mut input);
        }
    });
}

/// What a reader sees: the records, the offset before each and after the last, and the damage.
#[derive(Debug, PartialEq)]
struct Seen {
    records: Vec<Record>,
    offsets: Vec<u64>,
    damage: Option<&'static str>,
}

/// Reads a file to its end; `None` when it is no journal.
fn read(path: &Path) -> Option<Seen> {
    let length = std::fs::metadata(path).expect("the file").len();
    let mut reader = Reader::open(path, 0).ok()?;
    let mut seen = Seen { records: Vec::new(), offsets: vec![reader.position()], damage: None };
    loop {
        match reader.peek().expect("the file can be read") {
            Peek::Record(_) => {}
            Peek::End => break,
            Peek::Corrupt(words) => {
                seen.damage = Some(words);
                break;
            }
        }
        seen.records.push(reader.take().expect("what peek showed"));
        seen.offsets.push(reader.position());
    }
    // Looking again changes nothing.
    let again = match reader.peek().expect("the file can be read") {
        Peek::Record(record) => panic!("{record:?} after the end"),
        Peek::End => None,
        Peek::Corrupt(words) => Some(words),
    };
    assert_eq!(again, seen.damage);
    assert!(seen.offsets.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", seen.offsets);
    assert!(seen.offsets.last() <= Some(&length), "read past the end of the file");
    Some(seen)
}

/// A file as it is found.
fn found(folder: &Path, bytes: &[u8]) {
    let path = folder.join("found.log");
    std::fs::write(&path, bytes).expect("a file");
    let Some(seen) = read(&path) else { return };
    // From each offset the rest comes, and from inside the header all of it.
    for (index, offset) in seen.offsets.iter().enumerate().take(8) {
        let mut reader = Reader::open(&path, *offset).expect("it opened before");
        match reader.peek().expect("the file can be read") {
            Peek::Record(record) => assert_eq!(Some(record), seen.records.get(index)),
            Peek::End | Peek::Corrupt(_) => assert_eq!(index, seen.records.len()),
        }
    }
    // What was read can be written, and is the same when it is read again.
    let times: Vec<u64> = seen.records.iter().map(Record::time).collect();
    let short = |record: &Record| match record {
        Record::Share { worker, .. }
        | Record::Rejected { worker, .. }
        | Record::Retarget { worker, .. } => worker.len() <= 255,
        Record::Row(row) => row.worker.len() <= 255,
        Record::Block(_) | Record::Outcome(_) => false,
    };
    if times.is_sorted() && !seen.records.is_empty() && seen.records.iter().all(short) {
        let (path, _) = write(folder, &seen.records, usize::MAX);
        let again = read(&path).expect("a journal");
        std::fs::remove_file(path).expect("the file");
        assert_eq!(again.records, seen.records);
        assert_eq!(again.damage, None);
    }
}

/// Writes records, so many at a time; the file, and what it holds.
fn write(folder: &Path, records: &[Record], at_once: usize) -> (PathBuf, Vec<u8>) {
    let mut writer = Writer::open(folder, COIN, 1, 2, UNIT, 0).expect("a writer");
    for some in records.chunks(at_once.max(1)) {
        some.iter().for_each(|record| writer.push(record));
        writer.commit().expect("a commit");
    }
    drop(writer);
    let stream = journal::streams(folder, COIN).expect("streams").pop().expect("one stream");
    let path = journal::path(folder, COIN, &stream.name);
    let bytes = std::fs::read(&path).expect("the file");
    (path, bytes)
}

fn records(input: &mut Bytes<'_>) -> Vec<Record> {
    let mut time = 0;
    let count = usize::from(input.u8()) % MOST;
    let next = |_| {
        time += u64::from(input.u16());
        let kind = input.u8();
        let (worker, number) = (input.text(), input.u64());
        let worker = worker.get(..worker.floor_char_boundary(255)).unwrap_or_default().to_owned();
        if kind.is_multiple_of(3) {
            let reject = Reject::ALL[usize::from(kind) % Reject::ALL.len()];
            Record::Rejected { time, worker, reject, count: (number & 0xffff_ffff) as u32 }
        } else if kind.is_multiple_of(5) {
            Record::Retarget { time, worker, weight: number }
        } else if kind.is_multiple_of(7) {
            let address = std::net::Ipv4Addr::from_bits((number >> 32) as u32).into();
            let solution = kind.is_multiple_of(2).then_some(Hash([kind; 32]));
            let reject = Reject::from_code(kind % 12);
            let row = Row { time, worker, weight: number, reject, address, solution };
            Record::Row(Box::new(row))
        } else {
            let scheme = match kind % 4 {
                0 => Scheme::Solo,
                1 => Scheme::Pplns { window: number.max(1) },
                _ => Scheme::Prop,
            };
            Record::Share { time, worker, weight: number, scheme }
        }
    };
    (0..count).map(next).collect()
}

/// Whole frames before the damage come back exactly, and nothing after it.
fn damaged(folder: &Path, input: &mut Bytes<'_>) {
    let (kind, place, at_once) = (input.u8(), input.u64(), usize::from(input.u8() % 8));
    let written = records(input);
    let (path, mut bytes) = write(folder, &written, at_once);
    let whole = read(&path).expect("what was written is a journal");
    std::fs::remove_file(&path).expect("the file");
    assert_eq!(whole.records, written, "what was written is not what is read");
    assert_eq!(whole.damage, None);

    let path = folder.join("damaged.log");
    let place = usize::try_from(place % bytes.len() as u64).expect("within the file");
    match kind % 4 {
        0 => bytes.truncate(place),
        1 => bytes[place] ^= 1 << (kind >> 5),
        // What a power cut leaves of bytes that were never synced.
        2 => bytes[place..].fill(0),
        _ => {
            bytes.truncate(place);
            bytes.extend_from_slice(input.0);
        }
    }
    std::fs::write(&path, &bytes).expect("a file");
    let header = usize::try_from(HEADER_LEN).expect("64");
    let Some(seen) = read(&path) else {
        assert!(place < header, "a whole header was refused");
        return;
    };
    let before = whole.offsets[1..].iter().filter(|end| **end <= place as u64).count();
    assert!(seen.records.starts_with(&whole.records[..before]), "whole frames are lost");
    match kind % 4 {
        0 => {
            assert!(place >= header, "a torn header was read");
            assert_eq!(seen.records.len(), before, "a record out of a torn frame");
            assert_eq!(seen.damage, None, "a torn tail is not damage");
        }
        1 => {
            assert!(place >= header, "a damaged header was read");
            assert_eq!(seen.records.len(), before, "a record after the damage");
            assert!(seen.damage.is_some(), "a flipped bit was not noticed");
        }
        // A frame may have ended with zeros already; nothing else may come of zeros.
        2 => assert!(whole.records.starts_with(&seen.records), "a record out of zeros"),
        _ => {}
    }
}
