//! A Redis that has lost a part of what it was told, or its life in the middle.

use super::*;
use std::collections::BTreeSet;
use std::io::Write as _;

const META: &str = "romp:{litecoin}:meta";
const POSITIONS: &str = "romp:{litecoin}:positions";

#[test]
fn an_emptied_tally_takes_no_batch_but_a_first_one() {
    both(|open| {
        let mut later = batch("s", 0, vec![share(1, "a", 1)]);
        later.first = false;
        assert_eq!(open().apply(&later).unwrap(), Applied::Moved(BTreeMap::new()));
        assert_eq!(open().sums().unwrap(), Sums::default());
        later.first = true;
        assert_eq!(open().apply(&later).unwrap(), Applied::Done);
    });
}

#[test]
fn sums_without_positions_are_not_added_to_again() {
    let Some(server) = Server::start() else { return };
    let one = batch("s", 0, vec![share(1, "a", 1)]);
    for (lost, left) in [(POSITIONS, META), (META, POSITIONS)] {
        server.command(&["FLUSHALL"]);
        let mut tally = server.tally("litecoin");
        tally.apply(&one).unwrap();
        server.command(&["DEL", lost]);
        let round = tally.sums().unwrap().round;
        for first in [true, false] {
            let again = Batch { first, ..one.clone() };
            let words = server.tally("litecoin").apply(&again).unwrap_err().to_string();
            assert!(words.contains(&format!("`{lost}` is gone")), "{words}");
            assert!(words.contains(left) && words.contains("romp rebuild"), "{words}");
        }
        assert!(!server.tally("litecoin").restore(&Sums::default(), &mut [].into_iter()).unwrap());
        assert_eq!(server.tally("litecoin").sums().unwrap().round, round);
    }
    // Positions that were all forgotten are not lost.
    server.command(&["FLUSHALL"]);
    let mut tally = server.tally("litecoin");
    tally.apply(&one).unwrap();
    assert_eq!(tally.forget(1, &["s".to_owned()]).unwrap(), 1);
    assert!(tally.positions().unwrap().is_empty());
    let sums = tally.sums().unwrap();
    let next = Batch { first: false, ..batch("t", 0, vec![share(1, "a", 1)]) };
    assert_eq!(tally.apply(&next).unwrap(), Applied::Done);
    // Nor are they in one that was filled from a copy; and none are forgotten in an emptied one.
    server.command(&["FLUSHALL"]);
    assert!(tally.forget(1, &["s".to_owned()]).is_err());
    assert!(tally.restore(&sums, &mut [].into_iter()).unwrap());
    assert_eq!(tally.sums().unwrap(), sums);
    assert_eq!(tally.apply(&next).unwrap(), Applied::Done);
    assert_eq!(tally.sums().unwrap().accepted, 2);
}

#[test]
fn what_lies_about_in_an_empty_tally_is_nobodys() {
    let Some(server) = Server::start() else { return };
    let cut = Record::Block(Box::new(found(9, 7)));
    let one = batch("s", 0, vec![share(1, "a", 1), cut, share(2, "a", 2)]);
    let mut tally = server.tally("litecoin");
    let split = |tally: &mut dyn Tally| {
        // A block ends its batch.
        let (mut first, mut second) = (one.clone(), batch("s", 20, vec![share(2, "a", 2)]));
        first.credits.insert("a".to_owned(), 1);
        first.moves.insert("s".to_owned(), (0, 20));
        first.accepted = 1;
        second.first = false;
        assert_eq!(tally.apply(&first).unwrap(), Applied::Done);
        assert_eq!(tally.apply(&second).unwrap(), Applied::Done);
        let round = tally.round(&Hash([9; 32])).unwrap();
        (tally.sums().unwrap().round, round, tally.overview(9).unwrap().blocks)
    };
    let wanted = split(&mut *tally);
    server.command(&["DEL", META, POSITIONS]);
    assert_eq!(split(&mut *tally), wanted);
}

#[test]
fn a_rebuild_empties_one_coin_and_no_other() {
    let Some(server) = Server::start() else { return };
    for coin in ["litecoin", "lite*", "other"] {
        let cut = Record::Block(Box::new(found(9, 7)));
        server.tally(coin).apply(&batch("s", 0, vec![share(1, "a", 1), cut])).unwrap();
    }
    for coin in ["lite*", "litecoin"] {
        redis::Redis::open(&server.settings(), coin).unwrap().clear().unwrap();
        assert_eq!(server.tally(coin).sums().unwrap(), Sums::default());
        assert!(server.tally(coin).round(&Hash([9; 32])).unwrap().is_empty());
        let left = BTreeSet::from(["litecoin", "other"]);
        for other in left.into_iter().filter(|other| *other > coin) {
            assert_eq!(server.tally(other).sums().unwrap().accepted, 1);
            assert_eq!(server.tally(other).round(&Hash([9; 32])).unwrap().len(), 1);
        }
    }
}

#[test]
fn killed_in_the_middle_of_a_script_it_has_all_of_it_or_nothing() {
    let kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = Server::start_with(&kept) else { return };
    let many = |n: u64| {
        let shares = (0..10_000).map(|worker| share(n, &format!("worker-{worker}"), 1));
        batch("s", n * 100_000, shares.collect())
    };
    let start = Instant::now();
    server.tally("litecoin").apply(&many(0)).unwrap();
    let (whole, mut n, mut none) = (start.elapsed(), 1, 0);
    for tenth in 1..=12 {
        let mut tally = server.tally("litecoin");
        tally.renew().unwrap();
        let batch = many(n);
        let thread = std::thread::spawn(move || tally.apply(&batch));
        std::thread::sleep(whole * tenth / 10);
        server.killed_and_run(&kept);
        let told = thread.join().unwrap();
        let mut tally = server.tally("litecoin");
        let sums = tally.sums().unwrap();
        let done = sums.positions.get("s") == Some(&((n + 1) * 100_000));
        assert!(done || told.is_err(), "what was answered is there");
        n += u64::from(done);
        none += u64::from(!done);
        assert_eq!(sums.accepted, n * 10_000, "{tenth}: {told:?}, {:?}", sums.positions);
        assert!(sums.round.values().all(|&work| work == n), "a part of a batch");
    }
    assert!(none > 0, "each batch was done before the end");
}

#[test]
fn the_half_of_a_script_in_a_servers_file_never_counts() {
    let kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut server) = Server::start_with(&kept) else { return };
    let one = |n: u64| batch("s", n * 10, vec![share(1, "a", 1)]);
    server.tally("litecoin").apply(&one(0)).unwrap();
    // As a kill in the middle of a write leaves it: without the end of a command.
    let files = server.dir.path().join("appendonlydir");
    let newest = std::fs::read_dir(files).unwrap().map(|file| file.unwrap().path());
    let newest = newest.filter(|file| file.to_string_lossy().ends_with(".incr.aof")).max().unwrap();
    let mut log = std::fs::OpenOptions::new().append(true).open(newest).unwrap();
    log.write_all(b"*1\r\n$5\r\nMULTI\r\n").unwrap();
    let add = "*4\r\n$7\r\nHINCRBY\r\n$21\r\nromp:{litecoin}:round\r\n$1\r\na\r\n$1\r\n1\r\n";
    log.write_all(add.as_bytes()).unwrap();
    log.write_all(&add.as_bytes()[..30]).unwrap();
    server.killed_and_run(&kept);
    let mut tally = server.tally("litecoin");
    tally.renew().unwrap();
    assert_eq!(tally.apply(&one(1)).unwrap(), Applied::Done);
    server.killed_and_run(&kept);
    let sums = server.tally("litecoin").sums().unwrap();
    assert_eq!((sums.accepted, sums.round["a"]), (2, 2));
}

#[test]
fn a_redis_that_forgets_the_last_minutes_is_told_them_again() {
    let saved = ["--save", "3600 1"];
    let Some(mut server) = Server::start_with(&saved) else { return };
    let one = |n: u64| batch("s", n * 10, vec![share(1, "a", 1)]);
    server.tally("litecoin").apply(&one(0)).unwrap();
    server.command(&["SAVE"]);
    server.tally("litecoin").apply(&one(1)).unwrap();
    server.killed_and_run(&saved);
    let mut tally = server.tally("litecoin");
    let there = [("s".to_owned(), 10)].into();
    assert_eq!(tally.apply(&one(2)).unwrap(), Applied::Moved(there));
    assert_eq!(tally.apply(&one(1)).unwrap(), Applied::Done);
    assert_eq!(tally.sums().unwrap().accepted, 2);
    // It cannot save: it takes nothing, and says why.
    let file = server.dir.path().join("dump.rdb");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    server.command(&["BGSAVE"]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut n = 2;
    let words = loop {
        assert!(Instant::now() < deadline, "it goes on without its disk");
        match tally.apply(&one(n)) {
            Ok(_) => n += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(words.contains("make room"), "{words}");
    server.command(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    // Somebody's script keeps it busy.
    server.command(&["CONFIG", "SET", "busy-reply-threshold", "10"]);
    let socket = server.socket();
    let busy = std::thread::spawn(move || {
        let client = ::redis::Client::open(::redis::ConnectionAddr::Unix(socket)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut endless = ::redis::cmd("EVAL");
        endless.arg("while true do end").arg(0).query::<::redis::Value>(&mut connection)
    });
    let words = loop {
        assert!(Instant::now() < deadline, "it is never busy");
        match redis_at(&server.socket(), "litecoin").and_then(|mut tally| tally.apply(&one(n))) {
            Ok(_) => n += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(words.contains("SCRIPT KILL"), "{words}");
    server.command(&["SCRIPT", "KILL"]);
    assert!(busy.join().unwrap().is_err());
    assert_eq!(server.tally("litecoin").apply(&one(n)).unwrap(), Applied::Done);
    assert_eq!(server.tally("litecoin").sums().unwrap().accepted, n + 1);
}

#[test]
fn answers_that_make_no_sense_are_errors_and_nothing_waits_for_them() {
    use std::io::{Read, Write};
    let replies: [&[u8]; 16] = [
        b"-ERR unknown command\r\n",
        b"-MOVED 3999 127.0.0.1:6381\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"$5\r\nab",
        b"$536870912\r\nab",
        b"*1000000000\r\n",
        b"*2\r\n*2\r\n*2\r\n*2\r\n*2\r\n",
        b"%1\r\n+a\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\r\n",
        b"*1\r\n$5\r\nmaybe\r\n",
        b"*0\r\n",
        b"",
    ];
    for reply in replies {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            // The first time to all, the second time only to what follows the look at its settings.
            for sound in [false, true] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 4096];
                while let Ok(count) = stream.read(&mut asked) {
                    let is_info = asked[..count].windows(4).any(|part| part == b"INFO");
                    let reply = if sound && is_info { b"$11\r\nrole:master\r\n" } else { reply };
                    if count == 0 || reply.is_empty() {
                        break;
                    }
                    let _ = stream.write_all(reply);
                }
            }
        });
        let host = socket.to_str().unwrap().to_owned();
        let settings = config::Redis { host, port: 0, password: None, database: 0 };
        for apply in [false, true] {
            let start = Instant::now();
            let short = Duration::from_millis(100);
            let said =
                redis::Redis::open_with(&settings, "litecoin", short).and_then(|mut tally| {
                    match apply {
                        true => tally.apply(&batch("s", 0, vec![share(1, "a", 1)])).map(drop),
                        false => tally.positions().map(drop),
                    }
                });
            let words = said.unwrap_err().to_string();
            assert!(words.starts_with("redis /"), "{words}");
            assert!(start.elapsed() < Duration::from_secs(10), "{words}");
        }
    }
}
