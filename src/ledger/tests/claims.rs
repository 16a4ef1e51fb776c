//! Books that claim one tally.

use super::*;

fn claim(book: u64, fence: u64, number: u64) -> Claim {
    Claim { book, fence, number }
}

#[test]
fn one_book_pays_until_one_with_a_higher_fence_claims() {
    both(|open| {
        let largest = (1 << 53) - 1;
        let mut tally = open();
        assert_eq!(tally.claimed().unwrap(), None);
        for (made, claimed) in [
            (claim(7, 1, largest - 1), Claimed::Ours),
            (claim(7, 1, largest), Claimed::Ours),
            // A copy of the book, the book set back, and another book.
            (claim(7, 1, largest), Claimed::Theirs(claim(7, 1, largest))),
            (claim(7, 1, 3), Claimed::Theirs(claim(7, 1, largest))),
            (claim(largest, 1, 1), Claimed::Theirs(claim(7, 1, largest))),
            (claim(largest, 2, 1), Claimed::Ours),
            (claim(7, 1, largest), Claimed::Theirs(claim(largest, 2, 1))),
        ] {
            assert_eq!(tally.claim(made).unwrap(), claimed, "{made:?}");
            if claimed == Claimed::Ours {
                assert_eq!(open().claimed().unwrap(), Some(made));
            }
        }
    });
}

#[test]
fn a_tally_with_nothing_but_a_claim_is_empty() {
    both(|open| {
        let mut tally = open();
        assert_eq!(tally.claim(claim(7, 1, 1)).unwrap(), Claimed::Ours);
        assert_eq!(tally.unit().unwrap(), None);
        assert_eq!(tally.sums().unwrap(), Sums::default());
        let sums = Sums { unit: Some(-10), accepted: 5, ..Sums::default() };
        assert!(tally.restore(&sums, &mut [].into_iter()).unwrap());
        assert_eq!(tally.sums().unwrap(), sums);
        assert_eq!(tally.claimed().unwrap(), Some(claim(7, 1, 1)));
        assert_eq!(tally.apply(&batch("s", 0, vec![share(1, "a", 1)])).unwrap(), Applied::Done);
    });
}

#[test]
fn a_claim_outlives_a_rebuild_but_not_a_server_that_is_emptied() {
    let Some(server) = Server::start() else { return };
    let mut tally = server.tally("litecoin");
    tally.claim(claim(7, 1, 5)).unwrap();
    redis::Redis::open(&server.settings(), "litecoin").unwrap().clear().unwrap();
    assert_eq!(tally.claim(claim(8, 1, 1)).unwrap(), Claimed::Theirs(claim(7, 1, 5)));
    server.command(&["FLUSHALL"]);
    assert_eq!(tally.claim(claim(7, 1, 4)).unwrap(), Claimed::Ours);
    for damage in [vec!["HDEL", "fence"], vec!["HSET", "number", "x"]] {
        let mut command = vec![damage[0], "romp:{litecoin}:claim"];
        command.extend(&damage[1..]);
        server.command(&command);
        let words = tally.claim(claim(7, 1, 6)).unwrap_err().to_string();
        assert!(words.contains("is no claim of a book"), "{words}");
        assert!(tally.claimed().is_err());
    }
}

/// A ledger of the release before has no claim, and keeps all else.
#[test]
fn a_file_of_an_older_version_takes_a_claim() {
    let dir = tempfile::tempdir().unwrap();
    let path = sqlite_path(dir.path(), "litecoin");
    let mut tally = sqlite::Sqlite::open(&path).unwrap();
    tally.apply(&batch("s", 0, vec![share(1, "a", 1)])).unwrap();
    let before = tally.sums().unwrap();
    assert_eq!(tally.claim(claim(7, 1, 1)).unwrap(), Claimed::Ours);
    assert_eq!(sqlite::Sqlite::open(&path).unwrap().sums().unwrap(), before);
}
