//! The copy of a tally on disk: what dies in the middle, what is damaged, what another machine does.

use super::faulty::Faulty;
use super::recover::{Books, Desk, both, history, outcome};
use super::*;
use crate::journal::Verdict;
use crate::ledger::checkpoint;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const LATER: u64 = 2 * KEEP;

/// Two streams that end, and one that goes on.
fn journals(dir: &Path) {
    let (mut one, mut two) = (writer(dir, 0), writer(dir, 1));
    write(&mut one, &[share(1, "a", 1), block(3, 1), share(4, "a", 4), block(5, 2)]);
    write(&mut two, &[share(2, "b", 2), outcome(6, 1, Verdict::Accepted), share(7, "c", 8)]);
    write(&mut writer(dir, 2), &[share(8, "b", 16)]);
}

/// All that a bookkeeper does, in the order in which it may come.
fn life(coin: &mut Coin, clear: &dyn Fn()) -> Result<(), TallyError> {
    let living = |slot: usize| slot == 2;
    while coin.turn(u64::MAX, 0)? {}
    coin.sweep(unix_ms() + LATER, &living)?;
    while coin.turn(u64::MAX, 0)? {}
    let emptied = || {
        clear();
        Ok(None)
    };
    coin.rebuild(false, &emptied, &|| u64::MAX)?;
    coin.sweep(unix_ms() + 2 * LATER, &living)?;
    while coin.turn(u64::MAX, 0)? {}
    Ok(())
}

/// The books without minutes, which each sweep trims.
fn settled(desk: &Desk) -> Books {
    let mut books = desk.books();
    books.0.minutes.clear();
    books
}

/// What all of it must come to, whoever dies when.
fn expected(desk: &Desk) -> Books {
    journals(desk.path());
    add_all(&mut desk.coin());
    let mut books = desk.books();
    normal(&mut books);
    books
}

/// Without what depends on the clock, and on which journals are deleted.
fn normal(books: &mut Books) {
    books.0.positions.retain(|name, _| name.ends_with("-02"));
    books.0.deleted.clear();
    books.0.minutes.clear();
}

/// The books now, by a new bookkeeper: of the tally as it was left, and of one that was emptied.
fn check(desk: &Desk, expected: &Books, when: &str) {
    for emptied in [false, true] {
        if emptied {
            (desk.clear)();
        }
        let mut coin = desk.coin();
        while coin.turn(u64::MAX, 0).unwrap_or_else(|error| panic!("{when}: {error}")) {}
        let mut books = desk.books();
        normal(&mut books);
        assert_eq!(&books, expected, "{when}, emptied: {emptied}");
    }
}

#[test]
fn whichever_call_fails_each_share_counts_once() {
    let expected = expected(&Desk::sqlite());
    both(|first| {
        let redis = first.server.is_some();
        for fault in [1, 2] {
            for n in 0.. {
                let fresh;
                let desk = if redis {
                    (first.clear)();
                    std::fs::remove_dir_all(first.path()).unwrap();
                    std::fs::create_dir(first.path()).unwrap();
                    first
                } else {
                    fresh = Desk::sqlite();
                    &fresh
                };
                journals(desk.path());
                let calls = Arc::new(AtomicU32::new(0));
                let (open, count) = (Arc::clone(&desk.open), Arc::clone(&calls));
                let opener = move || {
                    let count = Arc::clone(&count);
                    let at = move |_: &str| match count.fetch_add(1, Ordering::Relaxed) == n {
                        true => fault,
                        false => 0,
                    };
                    Ok(Faulty::around(open(), at))
                };
                let folder = desk.path().to_owned();
                let mut coin = Coin::with("litecoin".into(), folder, 1, UNIT, Box::new(opener));
                // An error of a copy is told and lived with.
                let _ = life(&mut coin, &desk.clear);
                drop(coin);
                check(desk, &expected, &format!("redis {redis}, call {n}, fault {fault}"));
                if calls.load(Ordering::Relaxed) <= n {
                    assert!(n > 25, "only {n} calls");
                    break;
                }
            }
        }
    });
}

/// Lives in the folder that the test below names.
#[test]
#[ignore = "the child of another test"]
fn a_life() {
    let Some(dir) = std::env::var_os("ROMP_TEST_LIFE").map(PathBuf::from) else { return };
    let clear = || drop(ledger::set_sqlite_aside(&dir, "litecoin").unwrap());
    life(&mut coin(&dir), &clear).unwrap();
}

#[test]
fn killed_at_any_step_on_the_disk_each_share_counts_once() {
    let expected = expected(&Desk::sqlite());
    let mut killed = 0;
    for n in 1.. {
        let desk = Desk::sqlite();
        journals(desk.path());
        let inject = format!("inject=rename,unlink,fsync,fdatasync,mkdir:signal=KILL:when={n}");
        let name = "bookkeeper::coin::tests::copies::a_life";
        let status = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", &inject])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env("ROMP_TEST_LIFE", desk.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let Ok(status) = status else {
            eprintln!("SKIPPED: no strace on this machine");
            return;
        };
        let lived = status.success();
        if lived && !desk.path().join("checkpoint").exists() {
            eprintln!("SKIPPED: strace cannot be used here");
            return;
        }
        check(&desk, &expected, &format!("killed at step {n}"));
        if lived {
            break;
        }
        killed += 1;
    }
    assert!(killed > 25, "only {killed} steps");
}

#[test]
fn a_copy_that_breaks_off_leaves_the_one_before_whole() {
    both(|desk| {
        let (mut coin, mut alive) = history(desk);
        let folder = checkpoint::folder(desk.path(), "litecoin");
        let sums = std::fs::read(folder.join("sums")).unwrap();
        // The daemons' answer changes a block that the copy of before has: it is written again,
        // and there is no room for it.
        write(&mut alive, &[outcome(13, 2, Verdict::Accepted)]);
        add_all(&mut coin);
        let before = settled(desk);
        let rounds = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
        let rounds: Vec<_> = rounds.filter(|it| it.extension() == Some("round".as_ref())).collect();
        assert_eq!(rounds.len(), 2);
        let blocked: Vec<_> = rounds.iter().map(|path| path.with_extension("part")).collect();
        blocked.iter().for_each(|path| std::fs::create_dir(path).unwrap());
        coin.sweep(START + 20, &|_| true).unwrap();
        assert_eq!(std::fs::read(folder.join("sums")).unwrap(), sums);
        (desk.clear)();
        coin = desk.coin();
        add_all(&mut coin);
        assert_eq!(settled(desk), before);
        // Room again: the next one is whole.
        blocked.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
        let (mut tally, there) = ((desk.open)(), (desk.open)().positions().unwrap());
        let written =
            checkpoint::write(desk.path(), "litecoin", &mut *tally, &there, START + 30).unwrap();
        assert!(written);
        drop(tally);
        assert_ne!(std::fs::read(folder.join("sums")).unwrap(), sums);
        (desk.clear)();
        coin = desk.coin();
        add_all(&mut coin);
        assert_eq!(settled(desk), before);
    });
}

#[test]
fn a_damaged_copy_is_replaced_and_a_whole_one_never_by_less() {
    both(|desk| {
        let (mut coin, _alive) = history(desk);
        let before = settled(desk);
        let path = checkpoint::folder(desk.path(), "litecoin").join("sums");
        std::fs::write(&path, "{}\n00000000\n").unwrap();
        assert!(checkpoint::read(desk.path(), "litecoin").is_err());
        coin.sweep(unix_ms() + 9 * KEEP, &|slot| slot == 1).unwrap();
        let whole = std::fs::read(&path).unwrap();
        (desk.clear)();
        coin = desk.coin();
        add_all(&mut coin);
        assert_eq!(settled(desk), before);
        // A tally that has lost some of its sums, but none of its positions.
        let mut sums = before.0.clone();
        sums.accepted -= 1;
        sums.positions = (desk.open)().positions().unwrap();
        (desk.clear)();
        assert!((desk.open)().restore(&sums, &mut std::iter::empty()).unwrap());
        let mut tally = (desk.open)();
        let now = unix_ms() + 18 * KEEP;
        let there = sums.positions.clone();
        let error = checkpoint::write(desk.path(), "litecoin", &mut *tally, &there, now);
        assert!(matches!(error, Err(TallyError::Damaged { .. })), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    });
}

#[test]
fn a_copy_is_taken_while_another_machine_adds() {
    both(|desk| {
        let (coin, _alive) = history(desk);
        let there = (desk.open)().positions().unwrap();
        let now = unix_ms() + 9 * KEEP;
        // Before each call somebody else adds a share, and before one closes a round.
        for (n, (cut_at, written)) in
            [("round", true), ("overview", false), ("", true)].into_iter().enumerate()
        {
            let (mut other, mut at, stream) = ((desk.open)(), 0, format!("0002-{n:012x}-00"));
            let add = move |call: &str| {
                let mut batch = Batch::new(UNIT);
                batch.first = false;
                assert!(batch.add(&stream, at, at + 10, share(40, "z", 1)));
                at += 10;
                if call == cut_at {
                    assert!(batch.add(&stream, at, at + 10, block(50, 50 + n as u64)));
                    at += 10;
                }
                assert_eq!(other.apply(&batch).unwrap(), Applied::Done);
                0
            };
            let mut tally = Faulty::around((desk.open)(), add);
            let result = checkpoint::write(desk.path(), "litecoin", &mut *tally, &there, now);
            assert_eq!(result, Ok(written), "a block before `{cut_at}`");
        }
        // Whatever it holds, it holds it once.
        drop(coin);
        let copy = checkpoint::read(desk.path(), "litecoin").unwrap().unwrap();
        let rounds: Weight =
            copy.rounds().unwrap().map(|it| it.unwrap().miners.values().sum::<Weight>()).sum();
        // 7 shares of the history, and each of the other machine's weighs 1.
        let all = rounds + copy.sums.round.values().sum::<Weight>();
        assert_eq!(all, 127 + copy.sums.accepted - 7);
    });
}
