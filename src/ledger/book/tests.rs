//! What the book holds, through all that happens to blocks and payouts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod fees;
mod intents;
mod show;
mod thresholds;
pub(crate) mod year;

use super::*;
use crate::chain::Hash;
use crate::chain::transaction::{Output, Transaction, unfunded};
use crate::journal::BlockFound;
use crate::rewards::Scheme;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn found(number: u8, time: u64) -> BlockFound {
    BlockFound {
        time,
        hash: Hash([number; 32]),
        height: u64::from(number),
        previous: Hash([0; 32]),
        coinbase_txid: Hash([number ^ 0x80; 32]),
        coinbase_value: Amount(5_000_000_000),
        pool_value: Amount(5_000_000_000 - u64::from(number)),
        worker: "finder".to_owned(),
        difficulty: 1.0,
        stale: false,
        scheme: Scheme::Prop,
    }
}

fn round(work: &[(&str, u64)]) -> BTreeMap<String, u64> {
    work.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect()
}

/// Rigs of `a` and `b` are theirs; `x` is no address.
fn owners() -> BTreeMap<String, Account> {
    let account = |name: &str, script: &[u8]| Account { name: name.into(), script: script.into() };
    BTreeMap::from([
        ("a".to_owned(), account("a", &[1])),
        ("a.rig".to_owned(), account("a", &[1])),
        ("b".to_owned(), account("b", &[2])),
        // Another spelling of the same script (M10).
        ("B".to_owned(), account("B", &[2])),
        ("finder".to_owned(), account("b", &[2])),
        ("x".to_owned(), account("?x", &[])),
    ])
}

/// A transaction that pays these, as a wallet would sign it: with one input, whose script is `salt`.
fn paying(outputs: &[(i64, Vec<u8>, Amount)], salt: u8) -> NewPayout {
    let plain: Vec<Output> = outputs
        .iter()
        .map(|(_, script, value)| Output { value: *value, script: script.clone() })
        .collect();
    let mut bytes = unfunded(&plain);
    bytes.splice(4..5, [vec![1], vec![9; 36], vec![1, salt], vec![255; 4]].concat());
    let txid = Transaction::parse(&bytes).unwrap().txid;
    NewPayout { txid, bytes, fee: Amount(1000), outputs: outputs.to_vec() }
}

/// Opens a book that another test's child may have in its hands for the moment between `fork` and
/// `exec`.
pub(crate) fn open(data_dir: &Path, coin: &str) -> Book {
    let end = std::time::Instant::now() + BUSY;
    loop {
        match Book::open(data_dir, coin) {
            Err(BookError::Taken(_)) if std::time::Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened.unwrap(),
        }
    }
}

struct Scene {
    dir: tempfile::TempDir,
    book: Option<Book>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let book = Some(open(dir.path(), "coin"));
        Self { dir, book }
    }

    fn book(&mut self) -> &mut Book {
        self.book.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.book = None;
        self.book = Some(open(self.dir.path(), "coin"));
    }

    fn mature(&mut self, number: u8, ppm: u32, now: u64) {
        self.mature_with(number, &Fee::kept(ppm), now);
    }

    fn mature_with(&mut self, number: u8, fee: &Fee, now: u64) {
        let hash = Hash([number; 32]);
        self.book().move_to(&hash, State::Immature, now).unwrap();
        self.book().credit(&hash, &owners(), fee, now).unwrap();
    }

    fn owed(&mut self, name: &str) -> u64 {
        self.book().balance(name).unwrap().map_or(0, |balance| balance.unpaid.0)
    }

    fn balanced(&mut self) -> audit::Audit {
        let audit = self.book().audit(true).unwrap();
        assert_eq!(audit.wrong, Vec::<String>::new());
        audit
    }
}

#[test]
fn a_round_is_credited_once_and_rigs_go_to_their_address() {
    let mut scene = Scene::new();
    let work = round(&[("a", 1), ("a.rig", 2), ("B", 1), ("b", 2), ("x", 4)]);
    for _ in 0..2 {
        scene.book().take_in(&found(1, 100), &work, 100).unwrap();
    }
    scene.mature(1, 10_000, 200);
    scene.reopen();
    // A second verdict does not credit again.
    scene.book().credit(&Hash([1; 32]), &owners(), &Fee::kept(10_000), 300).unwrap();
    let audit = scene.balanced();
    assert_eq!((audit.rewards, audit.fees), (4_999_999_999, 49_999_999));
    assert_eq!(scene.owed("a"), 1_485_000_000);
    assert_eq!(scene.owed("b") + scene.owed("B"), 1_485_000_000);
    assert_eq!(scene.owed("?x"), 1_980_000_000);
    // What is no address is set aside, and the others are due.
    let due = scene.book().due(Amount(1)).unwrap();
    assert_eq!(due.iter().map(|due| due.name.as_str()).collect::<Vec<_>>(), ["a", "B"]);
    assert_eq!(scene.book().held().unwrap()[0].name, "?x");
    assert!(!scene.book().hold("?x", None, 300).unwrap(), "nothing can be paid to it");
}

#[test]
fn an_orphans_work_goes_into_the_next_round_exactly_once() {
    let mut scene = Scene::new();
    // Fractions that NOMP's HINCRBY lost (M5), two orphans of one height (M6).
    scene.book().take_in(&found(1, 100), &round(&[("a", 1), ("b", 3)]), 100).unwrap();
    scene.book().take_in(&found(2, 110), &round(&[("b", 5)]), 110).unwrap();
    scene.book().move_to(&Hash([1; 32]), State::Orphaned, 200).unwrap();
    scene.book().move_to(&Hash([2; 32]), State::Orphaned, 200).unwrap();
    // Found before the verdict: its round was closed already.
    scene.book().take_in(&found(3, 150), &round(&[("a", 7)]), 210).unwrap();
    scene.book().take_in(&found(4, 250), &round(&[("a", 1)]), 250).unwrap();
    scene.book().take_in(&found(5, 260), &round(&[("a", 1)]), 260).unwrap();
    let work = |scene: &mut Scene, number| scene.book().work_of(&Hash([number; 32])).unwrap();
    assert_eq!(work(&mut scene, 3), BTreeMap::from([("a".to_owned(), 7)]));
    assert_eq!(work(&mut scene, 4), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 8)]));
    assert_eq!(work(&mut scene, 5), BTreeMap::from([("a".to_owned(), 1)]));
    // The block that took them is orphaned, too: all of it goes on.
    scene.book().move_to(&Hash([4; 32]), State::Orphaned, 300).unwrap();
    scene.book().take_in(&found(6, 350), &round(&[]), 350).unwrap();
    assert_eq!(work(&mut scene, 6), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 8)]));
    // One orphan comes back while nobody was credited for it: it takes its work with it.
    scene.book().move_to(&Hash([1; 32]), State::Immature, 400).unwrap();
    assert_eq!(work(&mut scene, 6), BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 5)]));
    scene.mature(6, 0, 500);
    // Another one comes back after that: its reward is split over its own work.
    scene.mature(2, 0, 600);
    assert_eq!(scene.balanced().rewards, i128::from(5_000_000_000_u64 * 2 - 6 - 2));
}

#[test]
fn a_payout_takes_its_amounts_once_and_gives_them_back_only_when_void() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1), ("b", 1)]), 100).unwrap();
    scene.mature(1, 0, 200);
    let due = scene.book().due(Amount(1)).unwrap();
    let outputs: Vec<_> =
        due.iter().map(|due| (due.account, due.script.clone(), due.balance)).collect();
    let payout = paying(&outputs, 1);
    scene.book().hold("a", Some("by hand"), 290).unwrap();
    assert!(scene.book().sign(&payout, 300).is_err(), "one of them is set aside");
    scene.book().hold("a", None, 290).unwrap();
    scene.book().sign(&payout, 300).unwrap();
    assert!(scene.book().sign(&payout, 300).is_err(), "the same bytes twice");
    assert!(scene.book().sign(&paying(&outputs, 2), 300).is_err(), "more than is owed");
    assert_eq!(scene.owed("a"), 0);
    scene.balanced();
    scene.book().settle(1, PayoutState::Sent, 0, "", 400).unwrap();
    let sent = scene.book().payouts(&PayoutState::OPEN).unwrap().remove(0);
    let other = Payout { txid: Hash([7; 32]), ..sent.clone() };
    assert!(!scene.book().void(&other, "spent elsewhere", 500).unwrap(), "not this transaction");
    assert!(scene.book().void(&sent, "spent elsewhere", 500).unwrap());
    assert!(!scene.book().void(&sent, "spent elsewhere", 500).unwrap(), "once");
    scene.book().settle(1, PayoutState::Sent, 0, "", 500).unwrap();
    assert_eq!(scene.owed("a") + scene.owed("b"), 4_999_999_999);
    scene.balanced();
    scene.book().sign(&paying(&outputs, 3), 600).unwrap();
    scene.book().settle(2, PayoutState::Confirmed, 6, "", 700).unwrap();
    let balance = scene.book().balance("a").unwrap().unwrap();
    assert_eq!((balance.unpaid.0, balance.in_flight.0, balance.paid.0), (0, 0, 2_500_000_000));
    scene.balanced();
}

#[test]
fn the_audit_sees_what_was_changed_by_hand() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1), ("b", 1)]), 100).unwrap();
    scene.mature(1, 0, 200);
    let due = scene.book().due(Amount(1)).unwrap();
    let outputs: Vec<_> =
        due.iter().map(|due| (due.account, due.script.clone(), due.balance)).collect();
    scene.book().sign(&paying(&outputs[..1], 1), 300).unwrap();
    scene.balanced();
    for sql in [
        "UPDATE account SET balance = balance + 1",
        "UPDATE credit SET amount = amount + 1",
        "UPDATE block SET value = value - 1",
        "UPDATE block SET state = 'immature'",
        "UPDATE output SET amount = amount - 1",
        "UPDATE payout SET bytes = '00' || bytes",
        "UPDATE payout SET txid = hash FROM block",
        "DELETE FROM output",
        "DELETE FROM block",
        "INSERT INTO transfer (time, source, target, amount) VALUES (1, 1, 2, 5)",
        "INSERT INTO transfer (time, source, target, amount) VALUES (1, 99, 98, 5)",
    ] {
        let book = scene.book();
        book.connection.execute_batch("SAVEPOINT hand").unwrap();
        book.connection.execute_batch(sql).unwrap();
        let audit = add_up_here(book);
        assert!(!audit.is_empty(), "{sql}");
        book.connection.execute_batch("ROLLBACK TO hand; RELEASE hand").unwrap();
    }
    scene.balanced();
}

fn add_up_here(book: &Book) -> Vec<String> {
    audit::add_up(&book.connection, true).unwrap().wrong
}

#[test]
fn settled_blocks_are_watched_for_a_while() {
    let mut scene = Scene::new();
    for number in 1..=4 {
        scene.book().take_in(&found(number, 100), &round(&[("a", 1)]), 100).unwrap();
    }
    for number in 1..=3 {
        scene.mature(number, 0, 200);
        scene.book().note(&Hash([number; 32]), 90 + u64::from(number), "").unwrap();
    }
    scene.book().lose(&Hash([3; 32]), true, 300).unwrap();
    scene.book().move_to(&Hash([4; 32]), State::Orphaned, 400).unwrap();
    for (depth, orphaned, lost, watched) in [
        (93, 400, 300, vec![1, 2, 3, 4]),
        (92, 400, 300, vec![1, 3, 4]),
        (93, 401, 300, vec![1, 2, 3]),
        (93, 400, 301, vec![1, 2, 4]),
    ] {
        let blocks = scene.book().watched(depth, orphaned, lost).unwrap();
        assert_eq!(blocks.iter().map(|block| block.hash.0[0]).collect::<Vec<_>>(), watched);
    }
}

#[test]
fn one_process_writes_and_others_read() {
    let scene = Scene::new();
    let dir = scene.dir.path();
    assert!(matches!(Book::open(dir, "coin"), Err(BookError::Taken(_))));
    assert!(Book::open_for_reading(dir, "coin").unwrap().is_some());
    assert!(Book::open_for_reading(dir, "other").unwrap().is_none());
}

/// What befalls a pool.
#[derive(Debug, Clone)]
enum Event {
    Found(u8, u8),
    Orphan(u8),
    Back(u8),
    /// And who has the fee.
    Mature(u8, u8),
    Lose(u8, bool),
    Pay(u8),
    Intend,
    /// What becomes of the open intent.
    Decide(u8),
    Settle(i64, bool),
    Assign,
    Restart,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let block = 0_u8..12;
    let event = prop_oneof![
        3 => (block.clone(), 0_u8..5).prop_map(|(number, work)| Event::Found(number, work)),
        2 => block.clone().prop_map(Event::Orphan),
        1 => block.clone().prop_map(Event::Back),
        3 => (block.clone(), 0_u8..4).prop_map(|(number, fee)| Event::Mature(number, fee)),
        1 => (block, any::<bool>()).prop_map(|(number, lost)| Event::Lose(number, lost)),
        2 => any::<u8>().prop_map(Event::Pay),
        1 => Just(Event::Intend),
        2 => any::<u8>().prop_map(Event::Decide),
        2 => (1_i64..5, any::<bool>()).prop_map(|(id, void)| Event::Settle(id, void)),
        1 => Just(Event::Assign),
        1 => Just(Event::Restart),
    ];
    proptest::collection::vec(event, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens in whatever order: the book balances, and each satoshi of each reward has
    /// one owner.
    #[test]
    fn any_history_balances(history in events()) {
        let mut scene = Scene::new();
        for (step, event) in history.into_iter().enumerate() {
            let now = 1000 + step as u64;
            let state_of = |scene: &mut Scene, number: u8| {
                let blocks = scene.book().blocks(&State::ALL).unwrap();
                blocks.into_iter().find(|block| block.hash == Hash([number; 32])).map(|it| it.state)
            };
            match event {
                Event::Found(number, work) => {
                    let names = ["a", "a.rig", "b", "x"];
                    let work: BTreeMap<String, u64> = names
                        .iter()
                        .take(usize::from(work))
                        .map(|name| ((*name).to_owned(), u64::from(number) * 7 + 1))
                        .collect();
                    scene.book().take_in(&found(number, now), &work, now).unwrap();
                }
                Event::Orphan(number) => {
                    if matches!(state_of(&mut scene, number), Some(State::Found | State::Immature)) {
                        scene.book().move_to(&Hash([number; 32]), State::Orphaned, now).unwrap();
                    }
                }
                Event::Back(number) => {
                    if state_of(&mut scene, number) == Some(State::Orphaned) {
                        scene.book().move_to(&Hash([number; 32]), State::Immature, now).unwrap();
                    }
                }
                Event::Mature(number, fee) => {
                    if matches!(state_of(&mut scene, number), Some(State::Found | State::Immature)) {
                        scene.mature_with(number, &fees::some_fee(fee), now);
                    }
                }
                Event::Lose(number, lost) => scene.book().lose(&Hash([number; 32]), lost, now).unwrap(),
                Event::Pay(salt) => {
                    let due = scene.book().due(Amount(1)).unwrap();
                    let outputs: Vec<_> = due
                        .iter()
                        .map(|due| (due.account, due.script.clone(), due.balance))
                        .collect();
                    if !outputs.is_empty() {
                        // Repeated bytes are refused, and change nothing.
                        let _ = scene.book().sign(&paying(&outputs, salt), now);
                    }
                }
                Event::Intend => {
                    let due = scene.book().due(Amount(1)).unwrap();
                    let outputs: Vec<_> = due
                        .iter()
                        .map(|due| (due.account, due.script.clone(), due.balance))
                        .collect();
                    if !outputs.is_empty() {
                        // A second one is refused.
                        let _ = scene.book().intend(&outputs, &Hash([0; 32]), now);
                    }
                }
                Event::Decide(salt) => intents::decide(&mut scene, salt, now),
                Event::Settle(id, void) => {
                    let open = scene.book().payouts(&PayoutState::OPEN).unwrap();
                    match open.iter().find(|payout| payout.id == id) {
                        Some(payout) if void => {
                            assert!(scene.book().void(payout, "", now).unwrap());
                        }
                        Some(_) => {
                            let state = PayoutState::Confirmed;
                            scene.book().settle(id, state, 1, "", now).unwrap();
                        }
                        None => {}
                    }
                }
                Event::Assign => {
                    scene.book().assign("?x", &owners()["b"], now).unwrap();
                }
                Event::Restart => scene.reopen(),
            }
            scene.balanced();
        }
        // Work is never lost: what is in no credited round is carried, or still to come.
        let audit = scene.balanced();
        let kept = audit.fees - audit.fees_credited;
        prop_assert_eq!(audit.rewards, kept + audit.owed + audit.held + audit.in_flight + audit.paid);
    }
}

mod schemes;
