//! Several books of one coin: another machine's, a copy, one that was set back.

use super::super::known;
use super::*;
use crate::config::Store;
use crate::ledger::book::{Account, Import, path};
use crate::ledger::tests::Server;

const OTHER: &str = "another book (fence";
const OLDER: &str = "older than what was paid by it";

fn keep(scene: &Scene) -> Vec<u8> {
    let path = path(scene.path(), "testcoin");
    assert!(!path.with_extension("sqlite-wal").exists(), "the file has all of it");
    std::fs::read(path).unwrap()
}

fn put_back(scene: &Scene, book: &[u8]) {
    std::fs::write(path(scene.path(), "testcoin"), book).unwrap();
}

fn adopt(scene: &Scene) {
    let tally = crate::ledger::open_for_reading(&scene.pool, scene.path()).unwrap();
    let stored = tally.and_then(|mut tally| tally.claimed().unwrap());
    scene.book().adopt(stored, 1).unwrap();
}

/// A block later, of which somebody is owed.
fn earn(scene: &Scene, number: u8) {
    let work = [("a".to_owned(), 1)].into();
    let found = BlockFound { hash: Hash([number; 32]), ..block() };
    scene.book().take_in(&found, &work, 100).unwrap();
}

#[test]
fn a_book_that_was_set_back_pays_nobody_again() {
    let scene = Scene::new();
    scene.live(1);
    let old = keep(&scene);
    scene.world().tip = HEIGHT + 100;
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 1);
    let new = keep(&scene);

    put_back(&scene, &old);
    let said = scene.live(3).unwrap();
    assert!(said.contains(OLDER), "{said}");
    // It remembers, even when the ledger forgets.
    std::fs::remove_dir_all(scene.path().join("ledger")).unwrap();
    assert!(scene.live(3).unwrap().contains(OLDER));
    assert_eq!(scene.world().sent.len(), 1);

    put_back(&scene, &new);
    earn(&scene, 2);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 2);
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());

    // The operator knows better.
    put_back(&scene, &old);
    assert!(scene.live(3).unwrap().contains(OLDER));
    adopt(&scene);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 3);
}

/// M1: also when the database is emptied in between.
#[test]
fn of_two_machines_on_one_redis_one_pays() {
    let Some(server) = Server::start() else { return };
    let machine = || {
        let mut scene = Scene::new();
        scene.pool.store = Store::Redis(server.settings());
        scene.world().tip = HEIGHT + 100;
        scene
    };
    let (first, second, copy) = (machine(), machine(), machine());
    assert_eq!(first.live(3), None);
    assert_eq!(first.world().sent.len(), 1);
    put_back(&copy, &keep(&first));
    let said = second.live(3).unwrap();
    assert!(said.contains(OTHER) && said.contains("payouts testcoin adopt"), "{said}");

    // Emptied: whoever was the second stays the second, and the first goes on.
    server.command(&["FLUSHALL"]);
    assert!(second.live(3).unwrap().contains(OTHER));
    earn(&first, 2);
    assert_eq!(first.live(3), None);
    assert_eq!(first.world().sent.len(), 2);
    // A copy of the first one's book has the same number, and pays nothing that the first one did.
    earn(&copy, 2);
    assert!(copy.live(3).unwrap().contains(OLDER));

    // The operator moves payments.
    adopt(&second);
    assert_eq!(second.live(3), None);
    assert_eq!(second.world().sent.len(), 1);
    // All that it ever sent are the first one's bytes.
    let bytes = |scene: &Scene| scene.world().sent.keys().cloned().collect::<Vec<_>>();
    assert!(bytes(&copy).iter().all(|txid| first.world().sent.contains_key(txid)));
    earn(&first, 3);
    assert!(first.live(3).unwrap().contains(OTHER));
    server.command(&["FLUSHALL"]);
    assert!(first.live(3).unwrap().contains(OTHER));
    assert_eq!(first.world().sent.len(), 2);
    // And back.
    assert_eq!(second.live(1), None);
    adopt(&first);
    assert_eq!(first.live(3), None);
    assert!(second.live(1).unwrap().contains(OTHER));
    assert_eq!(first.world().sent.len(), 3);
    for scene in [&first, &second, &copy] {
        assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
    }
}

#[test]
fn a_database_that_is_away_stops_new_payouts_and_no_old_ones() {
    let Some(server) = Server::start() else { return };
    let mut scene = Scene::new();
    scene.pool.store = Store::Redis(server.settings());
    scene.world().tip = HEIGHT + 100;
    let no = json!({"code": -26, "message": "no"}).to_string();
    scene.world().refusals.insert("sendrawtransaction", no);
    assert!(scene.live(3).unwrap().contains("no"));
    drop(server);
    scene.world().refusals.clear();
    earn(&scene, 2);
    let said = scene.live(3).unwrap();
    assert!(said.contains("redis"), "{said}");
    assert_eq!(scene.world().sent.len(), 1);
    assert_eq!(scene.book().due(Amount(1_000_000_000)).unwrap().len(), 1);
}

/// All that lies on the machine comes back from an old copy; only the wallet knows better.
#[test]
fn a_machine_that_was_set_back_asks_what_the_wallet_paid() {
    let scene = Scene::new();
    scene.live(1);
    let ledger = || crate::ledger::sqlite_path(scene.path(), "testcoin");
    let old = (keep(&scene), std::fs::read(ledger()).unwrap());
    scene.world().tip = HEIGHT + 100;
    assert_eq!(scene.live(3), None);
    put_back(&scene, &old.0);
    std::fs::write(ledger(), old.1).unwrap();
    let said = scene.live(3).unwrap();
    assert!(said.contains("the wallet has paid c by transaction"), "{said}");
    assert_eq!(scene.world().sent.len(), 1);
    // By hand, says the operator: that stays settled.
    adopt(&scene);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 2);
    earn(&scene, 2);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 3);
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// A payment by hand is settled alone, without all the others of the wallet.
#[test]
fn an_operator_names_a_payment_that_was_made_by_hand() {
    let scene = Scene::new();
    scene.live(1);
    let (first, second) = (by_hand(&scene, "a"), by_hand(&scene, "c"));
    scene.world().tip = HEIGHT + 100;
    let mut named = Vec::new();
    for _ in 0..2 {
        let said = scene.live(2).unwrap();
        let is_asked = |txid: &&Hash| said.contains(&format!("payouts testcoin known {txid}`"));
        let txid = [first, second].iter().find(is_asked).copied().unwrap();
        assert!(!named.contains(&txid), "{said}");
        assert!(scene.world().sent.is_empty());
        let unknown = known(&scene.pool, scene.path(), &Hash([7; 32])).unwrap_err();
        assert!(unknown.contains("does not know transaction"), "{unknown}");
        known(&scene.pool, scene.path(), &txid).unwrap();
        named.push(txid);
    }
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 1);
    let payout = scene.book().payouts(&PayoutState::ALL).unwrap()[0].txid;
    let refused = known(&scene.pool, scene.path(), &payout).unwrap_err();
    assert!(refused.contains("is a payout of the book"), "{refused}");
}

/// What the software before paid last is in a block after payments saw the chain first.
#[test]
fn what_was_paid_before_an_import_is_settled() {
    for is_imported in [true, false] {
        let scene = Scene::new();
        scene.live(1);
        by_hand(&scene, "c");
        if is_imported {
            let account = Account { name: "c".to_owned(), script: script("c") };
            let balances = vec![("c".to_owned(), account, Amount(50_000))];
            let import = Import { source: "nomp".to_owned(), balances, ..Import::default() };
            scene.book().import(&import, 1).unwrap();
        }
        scene.world().tip = HEIGHT + 100;
        assert_eq!(scene.live(3).is_none(), is_imported);
        assert_eq!(scene.world().sent.len(), usize::from(is_imported));
        assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
    }
}
