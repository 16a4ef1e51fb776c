//! A tally that is emptied, set back or damaged, with and without the journals it came from.

use super::*;
use crate::bookkeeper::rebuild;
use crate::journal::{Answer, Outcome, Verdict};
use crate::ledger::tests::Server;
use crate::ledger::{BlockRow, checkpoint, sqlite_path};
use std::sync::Arc;

pub(super) type Open = Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync>;

/// Sums, and each block with its round.
pub(super) type Books = (checkpoint::Sums, Vec<(BlockRow, BTreeMap<String, Weight>)>);

/// A coin's folder and tally, on either engine.
pub(super) struct Desk {
    pub(super) dir: tempfile::TempDir,
    pub(super) open: Open,
    pub(super) clear: Box<dyn Fn()>,
    pub(super) server: Option<Arc<Server>>,
}

impl Desk {
    pub(super) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (folder, path) = (dir.path().to_owned(), sqlite_path(dir.path(), "litecoin"));
        let clear = move || {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
            }
        };
        let open: Open = Arc::new(move || sqlite(&folder).unwrap());
        Self { dir, open, clear: Box::new(clear), server: None }
    }

    pub(super) fn redis() -> Option<Self> {
        let server = Arc::new(Server::start()?);
        let (one, two) = (Arc::clone(&server), Arc::clone(&server));
        let open: Open = Arc::new(move || one.tally("litecoin"));
        let clear = Box::new(move || two.command(&["FLUSHALL"]));
        Some(Self { dir: tempfile::tempdir().unwrap(), open, clear, server: Some(server) })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn coin(&self) -> Coin {
        let open = Arc::clone(&self.open);
        let opener = move || Ok(open());
        Coin::with("litecoin".to_owned(), self.path().to_owned(), 1, UNIT, Box::new(opener))
    }

    /// All that the tally says.
    pub(super) fn books(&self) -> Books {
        let mut tally = (self.open)();
        let blocks = tally.overview(u32::MAX).unwrap().blocks;
        let rounds = blocks.into_iter().map(|block| {
            let round = tally.round(&block.found.hash).unwrap();
            (block, round)
        });
        let rounds = rounds.collect();
        let mut sums = tally.sums().unwrap();
        // Deleted streams are remembered until the next start or for good: it makes no difference.
        sums.positions.retain(|name, _| journal::path(self.path(), "litecoin", name).exists());
        (sums, rounds)
    }

    pub(super) fn rebuild(&self, coin: &mut Coin, accept_loss: bool) -> Result<String, TallyError> {
        let clear = || {
            (self.clear)();
            Ok(None)
        };
        coin.rebuild(accept_loss, &clear, &|| u64::MAX)
    }
}

pub(super) fn both(test: impl Fn(&Desk)) {
    test(&Desk::sqlite());
    if let Some(desk) = Desk::redis() {
        test(&desk);
    }
}

pub(super) fn outcome(time: u64, n: u64, verdict: Verdict) -> Record {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&n.to_le_bytes());
    let answers = vec![Answer { daemon: "d:1".to_owned(), verdict, words: "x".to_owned() }];
    Record::Outcome(Box::new(Outcome { time: START + time, hash: Hash(hash), verdict, answers }))
}

/// Two rounds and a bit in streams that are deleted afterwards, and a living one.
pub(super) fn history(desk: &Desk) -> (Coin, Writer) {
    let mut old = writer(desk.path(), 0);
    let records = [share(1, "a", 1), share(2, "b", 2), block(3, 1), share(4, "a", 4), block(5, 2)];
    write(&mut old, &records);
    write(&mut old, &[outcome(6, 1, Verdict::Accepted), share(7, "c", 8)]);
    drop(old);
    let mut alive = writer(desk.path(), 1);
    write(&mut alive, &[share(8, "b", 16)]);
    let mut coin = desk.coin();
    add_all(&mut coin);
    coin.sweep(unix_ms() + 2 * KEEP, &|slot| slot == 1).unwrap();
    assert_eq!(journal::streams(desk.path(), "litecoin").unwrap().len(), 1);
    assert_eq!(coin.deleted().count, 1);
    // After the checkpoint: more work, and another block.
    write(&mut alive, &[share(9, "c", 32), block(10, 3), share(11, "b", 64)]);
    write(&mut alive, &[outcome(12, 2, Verdict::Rejected)]);
    add_all(&mut coin);
    (coin, alive)
}

#[test]
fn an_emptied_tally_is_filled_exactly_although_journals_are_deleted() {
    both(|desk| {
        let (mut coin, mut alive) = history(desk);
        let before = desk.books();
        assert_eq!((before.0.accepted, before.1.len()), (7, 3));
        // Emptied under an open connection and under load.
        (desk.clear)();
        write(&mut alive, &[share(20, "d", 128)]);
        while coin.turn(u64::MAX, 0).unwrap_or(true) {}
        let after = desk.books();
        assert_eq!(after.1, before.1);
        assert_eq!(after.0.accepted, before.0.accepted + 1);
        let mut round = before.0.round.clone();
        round.insert("d".to_owned(), 128);
        assert_eq!(after.0.round, round);
        // Once more, found by a new bookkeeper; and a journal that was not there when the first
        // look was taken is not added to an empty tally before the others.
        (desk.clear)();
        add_all(&mut desk.coin());
        assert_eq!(desk.books(), after);
        let mut fresh = writer(desk.path(), 2);
        (desk.clear)();
        write(&mut fresh, &[share(30, "e", 1)]);
        while coin.turn(u64::MAX, 0).unwrap_or(true) {}
        assert_eq!(desk.books().1, before.1);
        assert_eq!(desk.books().0.accepted, after.0.accepted + 1);
    });
}

#[test]
fn an_idle_tally_that_was_emptied_is_noticed_by_the_sweep() {
    both(|desk| {
        let (mut coin, _alive) = history(desk);
        let before = desk.books();
        (desk.clear)();
        // SQLite says so by an error, Redis by positions that are gone.
        let _ = coin.sweep(unix_ms(), &|_| true);
        while coin.turn(u64::MAX, 0).unwrap_or(true) {}
        assert_eq!(desk.books(), before);
    });
}

#[test]
fn a_rebuild_gives_the_same_books_again_and_again() {
    both(|desk| {
        let (mut coin, alive) = history(desk);
        let before = desk.books();
        for _ in 0..2 {
            let report = desk.rebuild(&mut coin, false).unwrap();
            assert!(report.contains("7 shares accepted, 3 blocks found"), "{report}");
            assert_eq!(desk.books(), before);
        }
        drop(alive);
        add_all(&mut coin);
        assert_eq!(desk.books(), before);
    });
}

#[test]
fn what_nothing_reaches_back_to_is_waited_for() {
    both(|desk| {
        let (mut coin, mut alive) = history(desk);
        let before = desk.books();
        // Neither the journals nor a copy: the coin is held, in words, and nothing is added.
        let folder = checkpoint::folder(desk.path(), "litecoin");
        let aside = desk.path().join("aside");
        std::fs::rename(&folder, &aside).unwrap();
        (desk.clear)();
        write(&mut alive, &[share(20, "d", 128)]);
        let error = (0..5).find_map(|_| coin.turn(u64::MAX, 0).err().filter(is_behind)).unwrap();
        assert!(error.to_string().contains("romp rebuild litecoin"), "{error}");
        assert!(coin.turn(u64::MAX, 0).is_err());
        assert_eq!(desk.books().0.accepted, 0);
        // A rebuild refuses as well, and says what would make one.
        let words = desk.rebuild(&mut coin, false).unwrap_err().to_string();
        assert!(
            words.contains("--accept-loss") && words.contains("nothing was changed"),
            "{words}"
        );
        // The copy comes back: exact.
        std::fs::rename(&aside, &folder).unwrap();
        add_all(&mut coin);
        assert_eq!(desk.books().1, before.1);
        assert_eq!(desk.books().0.accepted, before.0.accepted + 1);
        // Without it, and with the operator's word: what is left, and no hold any more.
        std::fs::remove_dir_all(&folder).unwrap();
        let report = desk.rebuild(&mut coin, true).unwrap();
        assert!(report.contains("1 deleted journals are missing"), "{report}");
        assert_eq!(desk.books().0.accepted, 4);
        add_all(&mut desk.coin());
    });
}

#[test]
fn a_damaged_copy_stops_a_rebuild_before_anything_is_emptied() {
    both(|desk| {
        let (mut coin, _alive) = history(desk);
        let before = desk.books();
        let folder = checkpoint::folder(desk.path(), "litecoin");
        let files = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
        let round = files.into_iter().find(|path| path.extension() == Some("round".as_ref()));
        for path in [round.unwrap(), folder.join("sums")] {
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&path, "{").unwrap();
            let words = desk.rebuild(&mut coin, false).unwrap_err().to_string();
            assert!(words.contains(path.to_str().unwrap()), "{words}");
            assert_eq!(desk.books(), before);
            std::fs::write(&path, whole).unwrap();
        }
        // With the operator's word: what is left, and no hold any more.
        std::fs::write(folder.join("sums"), "{").unwrap();
        let report = desk.rebuild(&mut coin, true).unwrap();
        assert!(report.contains("1 deleted journals are missing"), "{report}");
        assert_eq!(desk.books().0.accepted, 3);
        add_all(&mut desk.coin());
    });
}

fn is_behind(error: &TallyError) -> bool {
    matches!(error, TallyError::Behind { .. })
}

#[test]
fn yesterdays_snapshot_is_brought_up_to_date() {
    both(|desk| {
        let mut old = writer(desk.path(), 0);
        write(&mut old, &[share(1, "a", 1), block(2, 1), share(3, "b", 2)]);
        drop(old);
        let mut alive = writer(desk.path(), 1);
        write(&mut alive, &[share(4, "a", 4)]);
        let mut coin = desk.coin();
        add_all(&mut coin);
        // Yesterday's snapshot knows the old stream completely, the living one in part.
        let mut tally = (desk.open)();
        let (sums, block) = (tally.sums().unwrap(), tally.overview(1).unwrap().blocks.remove(0));
        let closed = checkpoint::Closed {
            miners: tally.round(&block.found.hash).unwrap(),
            unit: Some(UNIT.0),
            block,
        };
        drop(tally);
        write(&mut alive, &[share(5, "c", 8), self::block(6, 2), share(7, "c", 16)]);
        add_all(&mut coin);
        coin.sweep(unix_ms() + 2 * KEEP, &|slot| slot == 1).unwrap();
        assert_eq!(coin.deleted().count, 1);
        let before = desk.books();
        (desk.clear)();
        assert!((desk.open)().restore(&sums, &mut [Ok(closed)].into_iter()).unwrap());
        write(&mut alive, &[share(8, "c", 32)]);
        while coin.turn(u64::MAX, 0).unwrap_or(true) {}
        assert_eq!(desk.books().1, before.1);
        assert_eq!(desk.books().0.accepted, before.0.accepted + 1);
        assert_eq!((desk.open)().forgotten(1).unwrap(), 1);
    });
}

#[test]
fn a_checkpoint_that_was_interrupted_anywhere_is_the_one_before() {
    let desk = Desk::sqlite();
    let (mut coin, mut alive) = history(&desk);
    let folder = checkpoint::folder(desk.path(), "litecoin");
    // A round of a checkpoint that never came to be, and half a file of sums.
    std::fs::write(folder.join(format!("{}.new", Hash([9; 32]))), "{").unwrap();
    std::fs::write(folder.join(".sums"), "{").unwrap();
    // And one that had written its sums, but not given the rounds their names.
    let named = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let named: Vec<_> = named.filter(|path| path.extension() == Some("round".as_ref())).collect();
    assert_eq!(named.len(), 2);
    for path in &named {
        std::fs::rename(path, path.with_extension("new")).unwrap();
    }
    let before = desk.books();
    (desk.clear)();
    write(&mut alive, &[share(13, "b", 1)]);
    while coin.turn(u64::MAX, 0).unwrap_or(true) {}
    assert_eq!(desk.books().1, before.1);
    // The next one names them.
    coin.sweep(unix_ms() + 9 * KEEP, &|slot| slot == 1).unwrap();
    assert!(named.iter().all(|path| path.exists()));
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_seen() {
    let desk = Desk::sqlite();
    let _ = history(&desk);
    let path = checkpoint::folder(desk.path(), "litecoin").join("sums");
    let bytes = std::fs::read(&path).unwrap();
    for bit in (0..bytes.len() * 8).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &damaged).unwrap();
        let read = checkpoint::read(desk.path(), "litecoin");
        // Only the case of the checksum's letters and the last line's end may differ unseen.
        if let Ok(Some(read)) = read {
            std::fs::write(&path, &bytes).unwrap();
            let whole = checkpoint::read(desk.path(), "litecoin").unwrap().unwrap();
            assert_eq!(read.sums, whole.sums, "bit {bit}");
        }
    }
}

#[test]
fn a_long_backlog_does_not_open_all_its_files_at_once() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..200 {
        let mut one =
            Writer::open(dir.path(), "litecoin", 1, (n % 4) as usize, UNIT, START + n * 100)
                .unwrap();
        write(&mut one, &[share(n * 100, "a", 1), share(n * 100 + 150, "b", 1)]);
    }
    let mut coin = coin(dir.path());
    let mut most = 0;
    for mark in 0..42 {
        while coin.turn(START + mark * 500, 0).unwrap() {}
        most = most.max(coin.tails.values().filter(|tail| tail.is_open()).count());
    }
    add_all(&mut coin);
    assert_eq!(overview(dir.path()).accepted, 400);
    assert!(most <= 12, "{most} files open at once");
}

#[test]
fn files_of_empty_slots_are_closed_until_there_is_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Writer::open(dir.path(), "litecoin", 1, 0, UNIT, START).unwrap();
    write(&mut one, &[share(0, "a", 1)]);
    let mut coin = coin(dir.path());
    add_all(&mut coin);
    let open = |coin: &Coin| coin.tails.values().filter(|tail| tail.is_open()).count();
    merge::close_left(&mut coin.tails, &|_| true);
    assert_eq!(open(&coin), 1, "somebody may write there");
    merge::close_left(&mut coin.tails, &|_| false);
    assert_eq!(open(&coin), 0);
    write(&mut one, &[share(100, "a", 1)]);
    add_all(&mut coin);
    assert_eq!((open(&coin), overview(dir.path()).accepted), (1, 2), "each once");
}

#[test]
fn an_operator_asks_the_bookkeeper_and_reads_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let pool = pool(dir.path());
    let mut own = Coin::new(pool.clone(), dir.path().to_owned(), 1);
    let mut one = Writer::open(dir.path(), "litecoin", 1, 0, pool.unit, START).unwrap();
    write(&mut one, &[share(1, "a", 1)]);
    add_all(&mut own);
    rebuild::obey(&mut own, &pool, dir.path(), &|| u64::MAX);
    assert!(rebuild::answer(dir.path(), "litecoin").is_none(), "nobody has asked");
    // A file that is no database any more: the same sums from a new one, the old one kept.
    let path = sqlite_path(dir.path(), "litecoin");
    own.tally = None;
    std::fs::write(&path, vec![b'x'; 9000]).unwrap();
    let words = own.turn(u64::MAX, 0).unwrap_err().to_string();
    assert!(words.contains("romp rebuild"), "{words}");
    rebuild::ask(dir.path(), "litecoin", false).unwrap();
    assert!(rebuild::is_waiting(dir.path(), "litecoin"));
    rebuild::obey(&mut own, &pool, dir.path(), &|| u64::MAX);
    let report = rebuild::answer(dir.path(), "litecoin").unwrap().unwrap();
    assert!(report.contains("1 shares accepted") && report.contains(".before-"), "{report}");
    assert!(!rebuild::is_waiting(dir.path(), "litecoin"));
    assert_eq!(overview(dir.path()).accepted, 1);
}

/// A pool with an embedded ledger, as an operator writes it.
fn pool(dir: &Path) -> Pool {
    let coin = Path::new(env!("CARGO_MANIFEST_DIR")).join("coins/litecoin.json");
    for name in ["coins", "pool_configs"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    std::fs::copy(coin, dir.join("coins/litecoin.json")).unwrap();
    std::fs::write(dir.join("config.json"), "{}").unwrap();
    let text = r#"{"enabled": true, "coin": "litecoin.json",
        "address": "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8", "ports": {"3333": {"diff": 1}},
        "daemons": [{"host": "127.0.0.1", "port": 1, "user": "u", "password": "p"}]}"#;
    std::fs::write(dir.join("pool_configs/litecoin.json"), text).unwrap();
    let loaded = crate::config::load(dir);
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.errors)).pools["litecoin"].clone()
}
