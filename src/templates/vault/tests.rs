//! Tests of bringing found blocks to the daemons again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::daemon::Fault;
use crate::daemon::stub::{self, Answer as Stub};
use crate::journal::BlockFound;
use crate::rewards::Amount;
use crate::rewards::Scheme;
use crate::templates::tests::pool;

fn silent() -> Known {
    let fault = Fault::Unreachable("refused".to_owned());
    Err(CallError { daemon: "d:1".to_owned(), method: "getblockheader".to_owned(), fault })
}

#[test]
fn one_that_has_the_block_is_enough_and_all_must_lack_it() {
    assert_eq!(judge(&[Ok(None), Ok(Some(0))]), Finding::InChain);
    assert_eq!(judge(&[silent(), Ok(Some(7))]), Finding::InChain);
    assert_eq!(judge(&[Ok(None), Ok(Some(-1))]), Finding::Nowhere);
    assert_eq!(judge(&[Ok(None), silent()]), Finding::Unclear);
    assert_eq!(judge(&[]), Finding::Unclear);
}

#[test]
fn lost_blocks_and_old_enough_ones() {
    let buried: Vec<_> = [-1, 0, 1, 8, 9].map(|depth| is_buried(&[Ok(Some(depth))])).into();
    assert_eq!(buried, [false, false, false, false, true]);
    assert!(!is_buried(&[Ok(None), silent()]) && is_buried(&[silent(), Ok(Some(100))]));
    assert!(is_known(&[silent(), Ok(Some(-1))]) && !is_known(&[silent(), Ok(None)]));
    assert!(is_ready(99, 100, 100), "from before this process");
    assert!(!is_ready(100, 100, 100 + YOUNG_MS - 1), "its worker may still be at it");
    assert!(is_ready(100, 100, 100 + YOUNG_MS));
    assert!(is_ready(100 + YOUNG_MS, 100, 100), "the clock was set back since");
    assert_eq!([0, 1, 2, 3, 99].map(back_off), [10_000, 20_000, 40_000, 60_000, 60_000]);
}

/// What the journals say of blocks: `found` and `answered`.
fn recorded(dir: &Path, coin: &str) -> Vec<&'static str> {
    let mut all = Vec::new();
    for stream in journal::streams(dir, coin).unwrap() {
        let path = journal::path(dir, coin, &stream.name);
        let mut reader = journal::Reader::open(&path, 0).unwrap();
        while let journal::Peek::Record(record) = reader.peek().unwrap() {
            all.push(if matches!(record, Record::Block(_)) { "found" } else { "answered" });
            reader.take();
        }
    }
    all
}

/// A block in the vault whose daemons are these.
fn candidate(pool: &Pool, dir: &Path, time: u64) -> vault::Candidate {
    let candidate = vault::Candidate {
        coin: pool.coin.id.clone(),
        found: BlockFound {
            time,
            hash: Hash([1; 32]),
            height: 5,
            previous: Hash([0xee; 32]),
            coinbase_txid: Hash::default(),
            coinbase_value: Amount(1),
            pool_value: Amount(1),
            worker: "w".to_owned(),
            difficulty: 1.0,
            stale: false,
            scheme: Scheme::Prop,
        },
        block: vec![1],
    };
    vault::store(dir, &candidate).unwrap();
    candidate
}

/// Looks once at a block that the daemon refuses; `since` is when it first did so.
fn refused(since: Option<u64>) -> (bool, Track) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = stub::daemon(|method, body| match method {
        "getblockheader" if body.contains(&"ee".repeat(32)) => {
            Stub::Result("{\"confirmations\":1}".to_owned())
        }
        "getblockheader" => Stub::Error("{\"code\":-5,\"message\":\"not found\"}".to_owned()),
        _ => Stub::Result("\"bad-cb-amount\"".to_owned()),
    });
    let pool = pool(vec![daemon]);
    let candidate = candidate(&pool, dir.path(), 1);
    let replay = Replay::new(dir.path(), 0, 0, &pool, 10);
    let mut track = Track { refused_since: since, ..Track::default() };
    replay.look(&candidate, &mut track);
    let open = vault::pending(dir.path(), &pool.coin.id).unwrap();
    let records = recorded(dir.path(), &pool.coin.id);
    // The worker may have died before it wrote down what it had found.
    assert_eq!(records, if open.is_empty() { vec!["found", "answered"] } else { vec![] });
    (open.is_empty(), track)
}

/// One daemon has refused the block, or stands on a sibling; the other one was away then.
#[test]
fn a_block_that_one_daemon_knows_goes_to_those_that_lack_it() {
    for (second, taken) in [("null", true), ("\"inconclusive\"", false)] {
        let dir = tempfile::tempdir().unwrap();
        let knows = stub::daemon(|method, body| match method {
            "getblockheader" if body.contains(&"ee".repeat(32)) => {
                Stub::Result("{\"confirmations\":1}".to_owned())
            }
            "getblockheader" => Stub::Result("{\"confirmations\":-1}".to_owned()),
            _ => Stub::Result("\"duplicate-invalid\"".to_owned()),
        });
        let lacks = stub::daemon(move |method, _| match method {
            "getblockheader" => Stub::Error("{\"code\":-5,\"message\":\"not found\"}".to_owned()),
            _ => Stub::Result(second.to_owned()),
        });
        let pool = pool(vec![knows, lacks]);
        let candidate = candidate(&pool, dir.path(), clock::unix_ms());
        Replay::new(dir.path(), 0, 0, &pool, 0).look(&candidate, &mut Track::default());
        let open = vault::pending(dir.path(), &pool.coin.id).unwrap();
        assert_eq!(open.is_empty(), taken, "{second}");
    }
}

#[test]
fn a_refused_block_is_given_up_only_after_ten_minutes() {
    let (settled, track) = refused(None);
    assert!(!settled && track.refused_since.is_some());
    let long_ago = clock::monotonic_ms().checked_sub(REFUSED_MS);
    if let Some(long_ago) = long_ago {
        assert!(refused(Some(long_ago)).0, "refused by all for ten minutes");
    }
    assert!(!refused(Some(clock::monotonic_ms())).0);
}
