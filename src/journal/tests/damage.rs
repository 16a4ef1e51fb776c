//! Damage anywhere in a file, and files that are none of ours.

use super::*;
use crate::rewards::Scheme;

/// A file of 60 records of all kinds that miners cause.
fn written(dir: &Path) -> PathBuf {
    let mut writer = new_writer(dir);
    for n in 0..60_u64 {
        let worker = format!("ltc1q{n}.rig");
        let time = 1_700_000_000_000 + n;
        match n % 5 {
            4 => writer.push(&Record::Rejected { time, worker, reject: Reject::Stale, count: 3 }),
            _ => writer.push(&Record::Share { time, worker, weight: n + 1, scheme: Scheme::Prop }),
        }
    }
    writer.push(&Record::Block(Box::new(block(1_700_000_001_000, "w".to_owned(), [7; 32]))));
    writer.commit().unwrap();
    file_of(dir, &writer)
}

#[test]
fn ten_thousand_flipped_bits_are_all_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    let whole = drain(&mut Reader::open(&path, 0).unwrap());
    assert_eq!(whole.len(), 61);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut state = 1_u64;
    for _ in 0..10_000 {
        // Knuth's MMIX generator: the same places in each run.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = (state >> 33) as usize % (bytes.len() * 8);
        let (at, mask) = (bit / 8, 1_u8 << (bit % 8));
        file.write_all_at(&[bytes[at] ^ mask], at as u64).unwrap();
        match Reader::open(&path, 0) {
            Err(OpenError::Damaged(_)) => assert!(at < HEADER_LEN as usize, "bit {bit}"),
            Err(error) => panic!("bit {bit}: {error}"),
            Ok(mut reader) => {
                let read = drain(&mut reader);
                assert_eq!(read, whole[..read.len()], "bit {bit}");
                assert!(matches!(reader.peek().unwrap(), Peek::Corrupt(_)), "bit {bit}");
                assert!(reader.position() <= at as u64, "bit {bit}");
            }
        }
        file.write_all_at(&bytes[at..=at], at as u64).unwrap();
    }
}

#[test]
fn foreign_files_are_named_and_no_streams() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let folder = folder(dir.path(), "litecoin");
    for name in ["notes.log", "0003-zz-09.log", "unit", "deleted", "0003-1-9.log.bak"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    let mut named = foreign(dir.path(), "litecoin").unwrap();
    named.sort();
    assert_eq!(named, ["0003-zz-09.log", "notes.log"]);
    assert_eq!(streams(dir.path(), "litecoin").unwrap().len(), 1);
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let header = Header { unit: Unit(-20), coin: "litecoin".to_owned(), created: 5 };
    let mut bytes = header.encode();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..60]).to_le_bytes();
    bytes[60..].copy_from_slice(&crc);
    let words = Header::decode(&bytes).unwrap_err();
    assert!(words.contains("version 2") && words.contains("later"), "{words}");
}
