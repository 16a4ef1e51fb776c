//! Stores that refuse, hang or are damaged: a sentence for each, nothing half done, and the same
//! batch is taken afterwards.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn refused(tally: &mut dyn Tally, batch: &Batch) -> String {
    tally.apply(batch).unwrap_err().to_string()
}

#[test]
fn a_redis_that_refuses_changes_nothing_and_goes_on_afterwards() {
    let Some(server) = Server::start() else { return };
    let faults = [
        // Name of the fault, how it begins, the word that must be told, how it ends.
        (
            "memory",
            vec!["CONFIG", "SET", "maxmemory", "1"],
            "raise `maxmemory`",
            vec!["CONFIG", "SET", "maxmemory", "0"],
        ),
        ("replica", vec!["REPLICAOF", "127.0.0.1", "1"], "replica", vec!["REPLICAOF", "NO", "ONE"]),
        (
            "disk",
            vec!["CONFIG", "SET", "min-replicas-to-write", "3"],
            "replicas",
            vec!["CONFIG", "SET", "min-replicas-to-write", "0"],
        ),
    ];
    let mut at = 0;
    for (name, begin, word, end) in faults {
        let mut tally = server.tally("litecoin");
        let one = batch("s", at, vec![share(1, "a", 1)]);
        server.command(&begin);
        let words = refused(&mut *tally, &one);
        assert!(words.contains(word), "{name}: {words}");
        server.command(&end);
        server.command(&["SCRIPT", "FLUSH"]);
        let mut tally = server.tally("litecoin");
        assert_eq!(tally.apply(&one).unwrap(), Applied::Done, "{name}");
        at += 10;
    }
    assert_eq!(server.tally("litecoin").sums().unwrap().accepted, 3);
    // A replica is refused already when it is opened, and so when the settings are looked at again.
    let mut tally = server.tally("litecoin");
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let words = redis::Redis::open(&server.settings(), "litecoin").err().unwrap().to_string();
    assert!(words.contains("replica"), "{words}");
    assert!(tally.trim(0).is_err());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    server.command(&["CONFIG", "SET", "maxmemory", "100mb"]);
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    let words = server.tally_error();
    assert!(words.contains("noeviction"), "{words}");
}

#[test]
fn a_late_answer_is_never_taken_for_the_next_ones() {
    let Some(server) = Server::start() else { return };
    let short = Duration::from_millis(100);
    let open = || redis::Redis::open_with(&server.settings(), "litecoin", short);
    let pid = Pid::from_raw(i32::try_from(server.process.id()).unwrap());
    for n in 0..5 {
        let mut tally = open().unwrap();
        kill(pid, Signal::SIGSTOP).unwrap();
        let one = batch("s", n * 10, vec![share(1, "a", 1)]);
        let words = refused(&mut tally, &one);
        assert!(words.contains("in time"), "{words}");
        kill(pid, Signal::SIGCONT).unwrap();
        drop(tally);
        // The server does what it was told while it stood still: the positions say so.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "neither taken nor refused");
            let Ok(mut tally) = open() else { continue };
            match tally.apply(&one) {
                Ok(Applied::Done) => break,
                Ok(Applied::Moved(there)) if there["s"] == n * 10 + 10 => break,
                _ => {}
            }
        }
    }
    assert_eq!(server.tally("litecoin").sums().unwrap().accepted, 5);
}

#[test]
fn a_server_that_is_not_there_is_told_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let words = redis_at(&dir.path().join("none"), "litecoin").err().unwrap().to_string();
    assert!(words.starts_with("redis /") && words.contains("none"), "{words}");
}

#[test]
fn a_locked_full_or_readonly_file_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = sqlite_path(dir.path(), "litecoin");
    let mut tally = sqlite::Sqlite::open(&path).unwrap();
    tally.apply(&batch("s", 0, vec![share(1, "a", 1)])).unwrap();
    // An operator's shell inside a transaction.
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    tally.wait_for_locks(Duration::from_millis(50));
    let next = batch("s", 10, vec![share(1, "a", 2)]);
    let words = refused(&mut tally, &next);
    assert!(words.contains("sqlite3"), "{words}");
    shell.execute_batch("ROLLBACK").unwrap();
    drop(shell);
    assert_eq!(tally.apply(&next).unwrap(), Applied::Done);
    // Full: the file may not grow.
    tally.most_pages(1);
    let many = (0..5000).map(|n| share(1, &format!("somebody-{n}"), 1)).collect();
    let large = batch("s", 20, many);
    let words = refused(&mut tally, &large);
    assert!(words.contains("full"), "{words}");
    tally.most_pages(1_000_000);
    assert_eq!(tally.apply(&large).unwrap(), Applied::Done);
    assert_eq!(tally.sums().unwrap().accepted, 5002);
    drop(tally);
    // Truncated: told as damage, with the way out.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let words = sqlite::Sqlite::open(&path)
        .and_then(|mut tally| tally.sums().map(drop))
        .unwrap_err()
        .to_string();
    assert!(words.contains("romp rebuild"), "{words}");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(sqlite::Sqlite::open(&path).unwrap().sums().unwrap().accepted, 5002);
}

/// Opens the file that the test below names, without the right to write it.
#[test]
#[ignore = "the child of another test"]
fn without_rights() {
    let Some(path) = std::env::var_os("ROMP_TEST_READONLY").map(PathBuf::from) else { return };
    let words = sqlite::Sqlite::open(&path)
        .and_then(|mut tally| tally.apply(&batch("s", 10, vec![share(1, "a", 2)])).map(drop))
        .unwrap_err()
        .to_string();
    assert!(words.contains("may not write it") || words.contains("cannot be opened"), "{words}");
    eprintln!("told");
}

#[test]
fn a_file_that_may_not_be_written_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = sqlite_path(dir.path(), "litecoin");
    sqlite::Sqlite::open(&path).unwrap().apply(&batch("s", 0, vec![share(1, "a", 1)])).unwrap();
    let folder = path.parent().unwrap();
    for (what, mode) in [(path.as_path(), 0o400), (folder, 0o500)] {
        std::fs::set_permissions(what, std::fs::Permissions::from_mode(mode)).unwrap();
        // Root may write what is read-only, unless it has given up that right.
        let root = std::fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0);
        let mut command = Command::new(if root { "setpriv" } else { "env" });
        if root {
            command.arg("--bounding-set=-all");
        }
        let child = "ledger::tests::faults::without_rights";
        let output = command
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", child, "--ignored", "--nocapture"])
            .env("ROMP_TEST_READONLY", &path)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(printed.contains("told"), "{output:?}");
    }
    assert_eq!(sqlite::Sqlite::open(&path).unwrap().sums().unwrap().accepted, 1);
}

/// Else the same batch would be tried again and again, without a word that helps.
#[test]
fn a_ledger_without_its_unit_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = sqlite_path(dir.path(), "litecoin");
    let one = batch("s", 0, vec![share(1, "a", 1)]);
    sqlite::Sqlite::open(&path).unwrap().apply(&one).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute("DELETE FROM meta", []).unwrap();
    for first in [true, false] {
        let next = Batch { first, ..batch("t", 0, vec![share(2, "a", 1)]) };
        let words = sqlite::Sqlite::open(&path).unwrap().apply(&next).unwrap_err().to_string();
        assert!(words.contains("`meta`") && words.contains("romp rebuild"), "{words}");
    }
}
