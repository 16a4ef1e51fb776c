//! One suite, run against both engines; Redis when there is a `redis-server`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use super::*;
use crate::config;
use crate::journal::{Answer, BlockFound, Outcome, Record, Verdict};
use crate::rewards::Amount;
use crate::rewards::Scheme;
use crate::stratum::Reject;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A Redis server of the test's own, on a Unix socket only.
pub(crate) struct Server {
    process: Child,
    dir: TempDir,
}

impl Server {
    /// `None`, with a word about it, when there is no `redis-server`.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&["--save", ""])
    }

    fn start_with(arguments: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let Ok(process) = Self::spawn(dir.path(), arguments) else {
            eprintln!("SKIPPED: no redis-server on this machine");
            return None;
        };
        let server = Self { process, dir };
        server.wait();
        Some(server)
    }

    fn spawn(dir: &Path, arguments: &[&str]) -> std::io::Result<Child> {
        Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "s", "--dir"])
            .arg(dir)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while redis_at(&self.socket(), "probe").and_then(|mut tally| tally.unit()).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// kill -9, and another one on the same files.
    fn killed_and_run(&mut self, arguments: &[&str]) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = Self::spawn(self.dir.path(), arguments).unwrap();
        self.wait();
    }

    pub(crate) fn settings(&self) -> config::Redis {
        let host = self.dir.path().join("s").to_str().unwrap().to_owned();
        config::Redis { host, port: 0, password: None, database: 0 }
    }

    /// Why a tally cannot be opened.
    fn tally_error(&self) -> String {
        redis::Redis::open(&self.settings(), "litecoin").err().unwrap().to_string()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn tally(&self, coin: &str) -> Box<dyn Tally> {
        Box::new(redis::Redis::open(&self.settings(), coin).unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) {
        let client =
            ::redis::Client::open(::redis::ConnectionAddr::Unix(self.dir.path().join("s")));
        let mut connection = client.unwrap().get_connection().unwrap();
        let mut command = ::redis::cmd(arguments[0]);
        command.arg(&arguments[1..]);
        command.query::<::redis::Value>(&mut connection).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A coin's tally behind a socket.
pub(crate) fn redis_at(socket: &Path, coin: &str) -> Result<Box<dyn Tally>, TallyError> {
    let host = socket.to_str().unwrap().to_owned();
    let settings = config::Redis { host, port: 0, password: None, database: 0 };
    Ok(Box::new(redis::Redis::open(&settings, coin)?))
}

/// Runs `test` against both engines. It gets a way to open the same tally again.
fn both(test: impl Fn(&dyn Fn() -> Box<dyn Tally>)) {
    let dir = tempfile::tempdir().unwrap();
    let path = sqlite_path(dir.path(), "litecoin");
    test(&|| Box::new(sqlite::Sqlite::open(&path).unwrap()));
    if let Some(server) = Server::start() {
        test(&|| server.tally("litecoin"));
    }
}

fn share(time: u64, worker: &str, weight: u64) -> Record {
    Record::Share { time, worker: worker.to_owned(), weight, scheme: Scheme::Prop }
}

fn found(n: u8, height: u64) -> BlockFound {
    BlockFound {
        time: 1000 * u64::from(n),
        hash: Hash([n; 32]),
        height,
        previous: Hash([1; 32]),
        coinbase_txid: Hash([2; 32]),
        coinbase_value: Amount(u64::MAX),
        pool_value: Amount(5),
        worker: "a\"\u{0}\n{b}".to_owned(),
        difficulty: 0.5,
        stale: false,
        scheme: Scheme::Prop,
    }
}

fn outcome(n: u8, verdict: Verdict) -> Record {
    let words = format!("{verdict:?}");
    let answers = vec![Answer { daemon: "d".to_owned(), verdict, words }];
    Record::Outcome(Box::new(Outcome { time: 9, hash: Hash([n; 32]), verdict, answers }))
}

/// Records of one stream from an offset on, ten bytes each.
fn batch(stream: &str, from: u64, records: Vec<Record>) -> Batch {
    let mut batch = Batch::new(Unit(-10));
    for (index, record) in (0..).zip(records) {
        assert!(batch.add(stream, from + index * 10, from + index * 10 + 10, record));
    }
    batch
}

#[test]
fn sums_and_positions_change_together_and_once() {
    both(|open| {
        let mut tally = open();
        assert_eq!(tally.unit().unwrap(), None);
        assert_eq!(tally.overview(10).unwrap(), Overview::default());
        // Names that would break a protocol which joins and splits.
        let odd = "*3\r\n$3\r\n: {x} \u{0}'\"\u{1f4a9}";
        let reject = Record::Rejected {
            time: 60_000,
            worker: String::new(),
            reject: Reject::Stale,
            count: 4,
        };
        let first = batch("s", 0, vec![share(1, odd, 5), share(60_000, "b", 1 << 60), reject]);
        assert_eq!(tally.apply(&first).unwrap(), Applied::Done);
        for mut tally in [tally, open()] {
            // Again: as after a lost reply.
            let stored = [("s".to_owned(), 30)].into();
            assert_eq!(tally.apply(&first).unwrap(), Applied::Moved(stored));
            let all = tally.overview(10).unwrap();
            assert_eq!((all.unit, all.accepted), (Some(Unit(-10)), 2));
            assert_eq!(all.rejected, [(Reject::Stale, 4)].into());
            let miners = [(odd.to_owned(), 5), ("b".to_owned(), 1 << 60)].into();
            assert_eq!(all.round.miners, miners);
            assert_eq!(all.minutes[&0], Minute { weight: 5, shares: 1 });
            assert_eq!(all.minutes[&1], Minute { weight: 1 << 60, shares: 1 });
            assert_eq!(tally.positions().unwrap(), [("s".to_owned(), 30)].into());
        }
    });
}

#[test]
fn one_stream_out_of_place_refuses_the_whole_batch() {
    both(|open| {
        let mut tally = open();
        tally.apply(&batch("s", 0, vec![share(1, "a", 1)])).unwrap();
        let mut mixed = batch("s", 10, vec![share(1, "a", 1)]);
        assert!(mixed.add("t", 10, 20, share(1, "a", 1)));
        let stored = [("s".to_owned(), 10), ("t".to_owned(), 0)].into();
        assert_eq!(tally.apply(&mixed).unwrap(), Applied::Moved(stored));
        assert_eq!(tally.overview(1).unwrap().accepted, 1);
    });
}

#[test]
fn a_block_cuts_the_round_once_and_after_its_own_share() {
    both(|open| {
        let mut tally = open();
        let block = |n, height| Record::Block(Box::new(found(n, height)));
        tally.apply(&batch("s", 0, vec![share(1, "a", 1), share(2, "b", 2), block(1, 7)])).unwrap();
        tally.apply(&batch("s", 30, vec![share(3, "a", 8)])).unwrap();
        // The same block from another stream: nothing is cut, its share counts.
        tally.apply(&batch("t", 0, vec![share(3, "b", 1), block(1, 7)])).unwrap();
        let all = tally.overview(10).unwrap();
        assert_eq!(all.round.miners, [("a".to_owned(), 8), ("b".to_owned(), 1)].into());
        assert_eq!((all.round.height, all.round.started), (Some(8), Some(1000)));
        let closed = [("a".to_owned(), 1), ("b".to_owned(), 2)].into();
        assert_eq!(tally.round(&Hash([1; 32])).unwrap(), closed);
        // Two blocks of one height are two rounds; one without shares is empty.
        tally.apply(&batch("t", 20, vec![block(2, 7)])).unwrap();
        tally.apply(&batch("t", 30, vec![block(3, 8)])).unwrap();
        let all = tally.overview(2).unwrap();
        assert!(all.round.miners.is_empty());
        assert_eq!((all.blocks_found, all.blocks.len()), (3, 2));
        assert_eq!(all.blocks[0].found, found(3, 8));
        assert_eq!(all.blocks[1].found, found(2, 7));
        assert_eq!(tally.round(&Hash([1; 32])).unwrap(), closed);
        assert!(tally.round(&Hash([3; 32])).unwrap().is_empty());
    });
}

#[test]
fn an_acceptance_is_never_taken_back() {
    both(|open| {
        let mut tally = open();
        let block = Record::Block(Box::new(found(1, 7)));
        // An outcome may come first: from another stream.
        tally.apply(&batch("t", 0, vec![outcome(2, Verdict::Accepted)])).unwrap();
        tally.apply(&batch("s", 0, vec![block])).unwrap();
        assert_eq!(tally.overview(1).unwrap().blocks[0].state, BlockState::Found);
        let steps = [
            (Verdict::Unknown, BlockState::Unknown),
            (Verdict::Rejected, BlockState::Rejected),
            (Verdict::Unknown, BlockState::Rejected),
            (Verdict::Accepted, BlockState::Accepted),
            (Verdict::Rejected, BlockState::Accepted),
        ];
        for (at, (verdict, state)) in (1..).zip(steps) {
            tally.apply(&batch("s", at * 10, vec![outcome(1, verdict)])).unwrap();
            let row = tally.overview(1).unwrap().blocks.remove(0);
            assert_eq!(row.state, state);
            assert_eq!(row.answers[0].words, format!("{:?}", row.answers[0].verdict));
            assert_eq!(BlockState::from(row.answers[0].verdict), state);
        }
        tally.apply(&batch("s", 60, vec![Record::Block(Box::new(found(2, 8)))])).unwrap();
        assert_eq!(tally.overview(1).unwrap().blocks[0].state, BlockState::Accepted);
    });
}

#[test]
fn what_would_overflow_or_is_in_another_unit_changes_nothing() {
    both(|open| {
        let mut tally = open();
        tally.apply(&batch("s", 0, vec![share(1, "a", (1 << 62) + (1 << 61))])).unwrap();
        let before = tally.overview(1).unwrap();
        let over = batch("s", 10, vec![share(60_000, "0", 1), share(60_000, "a", 1 << 62)]);
        assert!(matches!(tally.apply(&over), Err(TallyError::Overflow { .. })));
        let over = batch("s", 10, vec![share(60_000, "0", u64::MAX)]);
        assert!(matches!(open().apply(&over), Err(TallyError::Overflow { .. })));
        let mut other = batch("s", 10, vec![share(1, "a", 1)]);
        other.unit = Unit(3);
        let words = open().apply(&other).unwrap_err().to_string();
        assert!(words.contains("2^-10") && words.contains("2^3"), "{words}");
        assert_eq!(open().overview(1).unwrap(), before);
        assert_eq!(open().positions().unwrap(), [("s".to_owned(), 10)].into());
    });
}

#[test]
fn forgets_deleted_streams_and_old_minutes() {
    both(|open| {
        let mut tally = open();
        tally.apply(&batch("s", 0, vec![share(0, "a", 1), share(120_000, "a", 1)])).unwrap();
        assert_eq!(tally.forgotten(3).unwrap(), 0);
        assert_eq!(tally.forget(3, &["s".to_owned(), "never".to_owned()]).unwrap(), 1);
        assert_eq!((tally.forgotten(3).unwrap(), tally.forgotten(4).unwrap()), (1, 0));
        assert!(tally.positions().unwrap().is_empty());
        tally.trim(1).unwrap();
        let all = tally.overview(1).unwrap();
        assert_eq!(all.minutes.keys().collect::<Vec<_>>(), [&2]);
        assert_eq!(all.accepted, 2);
    });
}

#[test]
fn a_damaged_key_fails_the_batch_before_any_change() {
    let Some(server) = Server::start() else { return };
    let round = "romp:{litecoin}:round";
    let damages = [
        vec!["SET", round, "x"],
        vec!["HSET", round, "b", "1.5"],
        vec!["HSET", round, "b", "007"],
        vec!["HSET", round, "b", "9223372036854775800"],
        vec!["SET", "romp:{litecoin}:order", "x"],
        vec![
            "SET",
            "romp:{litecoin}:round:0909090909090909090909090909090909090909090909090909090909090909",
            "x",
        ],
    ];
    for damage in damages {
        server.command(&["FLUSHALL"]);
        server.command(&damage);
        let mut tally = server.tally("litecoin");
        let cut = Record::Block(Box::new(found(9, 7)));
        let batch = batch("s", 0, vec![share(1, "a", 1), share(1, "b", 100), cut]);
        let words = tally.apply(&batch).unwrap_err().to_string();
        assert!(words.contains(damage[1]), "{words}");
        assert!(tally.positions().unwrap().is_empty());
        // Repaired: goes on.
        server.command(&["DEL", damage[1]]);
        server.command(&["SCRIPT", "FLUSH"]);
        assert_eq!(tally.apply(&batch).unwrap(), Applied::Done);
    }
    server.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let refused = redis::Redis::open(&server.settings(), "litecoin").err().unwrap();
    assert!(refused.to_string().contains("maxmemory-policy"), "{refused}");
}

#[test]
fn a_file_at_rest_is_read_without_writing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("100%25 a?b#c.sqlite");
    drop(sqlite::Sqlite::open(&path).unwrap());
    let (version, connection) = sqlite::open_at_rest(&path).unwrap().unwrap();
    assert_eq!(version, 1);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    drop(connection);
    // While there is a log, the file alone would tell old numbers.
    let writer = sqlite::Sqlite::open(&path).unwrap();
    assert!(sqlite::open_at_rest(&path).is_none());
    drop(writer);
}

#[test]
fn hash_rate_counts_the_last_ten_minutes() {
    let work = Minute { weight: 1024, shares: 1 };
    let minutes = [(0, work), (1, work), (10, work)].into();
    let overview = Overview { unit: Some(Unit(-10)), minutes, ..Overview::default() };
    // Minutes 1 to 10 of which the last has run for 60 s - 1 ms: difficulty 2 in 599.999 s.
    let expected = 2.0 * 65536.0 / 599.999;
    assert!((overview.hash_rate(11 * 60_000 - 1, 16) - expected).abs() < 1e-6);
    // A pool in its second minute is not measured by ten; the first second is no division by 0.
    let young = Overview { minutes: [(20, work)].into(), ..overview };
    let expected = 65536.0 / 90.0;
    assert!((young.hash_rate(21 * 60_000 + 30_000, 16) - expected).abs() < 1e-6);
    assert!((young.hash_rate(20 * 60_000, 16) - 65536.0).abs() < 1e-6);
    assert!(young.hash_rate(40 * 60_000, 16).abs() < 1e-6);
}

#[path = "tests/claims.rs"]
mod claims;
#[path = "tests/faults.rs"]
mod faults;
#[path = "tests/parts.rs"]
mod parts;
#[path = "tests/slices.rs"]
mod slices;
