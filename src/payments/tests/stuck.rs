//! Payouts that can never happen, locks, and what an operator does about them.

use super::super::{account_of, known, replaced, void};
use super::world::spending;
use super::*;
use crate::ledger::book::Payout;
use std::collections::BTreeSet;

pub(super) const START: u64 = HEIGHT + 100;

/// With a payout that is signed, and that no daemon has taken.
pub(super) fn signed() -> Scene {
    let scene = Scene::new();
    scene.world().tip = START;
    let full = json!({"code": -26, "message": "mempool full"}).to_string();
    scene.world().refusals.insert("sendrawtransaction", full);
    assert!(scene.live(2).unwrap().contains("mempool full"));
    scene.world().refusals.clear();
    scene
}

pub(super) fn payout(scene: &Scene) -> Payout {
    scene.book().payouts(&PayoutState::ALL).unwrap().remove(0)
}

pub(super) fn read(payout: &Payout) -> Transaction {
    Transaction::parse(&crate::chain::hex_decode(&payout.hex).unwrap()).unwrap()
}

/// Blocks come, and the payer sees them.
pub(super) fn go_on(scene: &Scene, tip: u64) {
    let from = scene.world().tip;
    for tip in from + 1..=tip {
        scene.world().tip = tip;
        if tip % 10 == 0 {
            scene.live(1);
        }
    }
}

/// Something else spends the money of a payout. Returns the id of what had it.
pub(super) fn spend(scene: &Scene) -> String {
    let input = read(&payout(scene)).inputs[0].0.to_string();
    scene.world().spent.insert(input.clone());
    input
}

pub(super) fn assert_balanced(scene: &Scene) {
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// F48.
#[test]
fn a_payout_whose_money_is_gone_for_a_hundred_blocks_is_void_and_owed_again() {
    let scene = signed();
    let input = read(&payout(&scene)).inputs[0].0.to_string();
    assert_eq!(scene.world().locked, BTreeSet::from([input.clone()]));
    // A daemon that starts anew has forgotten its locks.
    scene.world().locked.clear();
    spend(&scene);
    assert!(scene.live(2).unwrap().contains("it is void at height 207"));
    assert!(scene.world().locked.contains(&input));
    // Back, as after a reorganisation, but the daemon is full: the count begins anew.
    go_on(&scene, START + 99);
    scene.world().spent.clear();
    let full = json!({"code": -26, "message": "mempool full"}).to_string();
    scene.world().refusals.insert("sendrawtransaction", full);
    assert!(!scene.live(2).unwrap().contains("void at"));
    scene.world().refusals.clear();
    spend(&scene);
    assert!(scene.live(2).unwrap().contains("it is void at height 306"));
    go_on(&scene, START + 198);
    scene.live(2);
    assert_eq!(payout(&scene).state, PayoutState::Signed);
    assert!(scene.world().sent.is_empty());
    scene.world().tip = START + 199;
    assert_eq!(scene.live(3), None);
    assert_eq!(payout(&scene).state, PayoutState::Void);
    assert_eq!(scene.world().sent.len(), 1);
    assert!(!scene.world().locked.contains(&input));
    assert_balanced(&scene);
}

/// Nobody knows what was between two looks that are far apart.
#[test]
fn after_a_pause_the_hundred_blocks_begin_anew() {
    let scene = signed();
    spend(&scene);
    assert!(scene.live(1).unwrap().contains("it is void at height 207"));
    go_on(&scene, START + 90);
    assert!(scene.live(1).unwrap().contains("it is void at height 207"));
    // The pool stands still; the operator's look does not fill the gap.
    scene.world().tip = START + 96;
    let rival = Transaction::parse(&paying(&read(&payout(&scene)).outputs)).unwrap();
    let said = replaced(&scene.pool, scene.path(), &payout(&scene).txid, &rival.txid).unwrap_err();
    assert!(said.contains("does not know transaction"), "{said}");
    scene.world().tip = START + 101;
    assert!(scene.live(1).unwrap().contains("it is void at height 308"));
    assert_eq!(payout(&scene).state, PayoutState::Signed);
    go_on(&scene, START + 201);
    assert_eq!(scene.live(3), None);
    assert_eq!(payout(&scene).state, PayoutState::Void);
    assert_balanced(&scene);
}

/// What was not made yet is not there, either; and one daemon that has it is enough.
#[test]
fn a_payout_whose_money_may_come_waits() {
    let unknown = json!({"code": -5, "message": "unknown"}).to_string();
    let scene = signed();
    spend(&scene);
    scene.world().refusals.insert("gettransaction", unknown);
    scene.live(2);
    go_on(&scene, START + 300);
    scene.live(2);
    assert_eq!(payout(&scene).state, PayoutState::Signed);

    let mut scene = signed();
    let daemon = stub::daemon({
        let world = Arc::clone(&scene.world);
        let input = spend(&scene);
        move |method, body| match method {
            "gettxout" if body.contains(&input) => {
                stub::Answer::Result(r#"{"value":1.0}"#.to_owned())
            }
            _ => world.lock().unwrap().answer(method, body),
        }
    });
    scene.pool.daemons.push(daemon);
    scene.live(2);
    go_on(&scene, START + 300);
    let said = scene.live(2).unwrap();
    assert!(said.contains("missing inputs") && !said.contains("void"), "{said}");
    assert_eq!(payout(&scene).state, PayoutState::Signed);
    let refused = void(&scene.pool, scene.path(), &payout(&scene).txid).unwrap_err();
    assert!(refused.contains("can still happen"), "{refused}");
}

/// A fee that was raised by hand: nobody is paid twice by romp, also when the operator gives it up.
#[test]
fn what_pays_the_same_addresses_is_left_to_the_operator() {
    let scene = signed();
    let txid = payout(&scene).txid;
    let ours = read(&payout(&scene));
    let less = Amount(ours.outputs[0].value.0 - 1);
    let output = Output { value: less, ..ours.outputs[0].clone() };
    let bytes = spending(ours.inputs[0], &[output]);
    let twin = Transaction::parse(&bytes).unwrap();
    scene.world().twins.insert(twin.txid.to_string(), twin);
    // A payment to somebody else, of other money.
    let other = Transaction::parse(&paying(&ours.outputs)).unwrap();
    scene.world().twins.insert(other.txid.to_string(), other);
    spend(&scene);
    scene.live(2);
    go_on(&scene, START + 300);
    let said = scene.live(3).unwrap();
    assert!(said.contains(&format!("payouts testcoin void {txid}")), "{said}");
    assert_eq!(payout(&scene).state, PayoutState::Signed);

    let report = void(&scene.pool, scene.path(), &txid).unwrap();
    assert!(report.contains("set aside"), "{report}");
    assert_eq!(payout(&scene).state, PayoutState::Void);
    assert_eq!(scene.book().held().unwrap().len(), 2, "and the one that is no address");
    scene.live(3);
    assert!(scene.world().sent.is_empty());
    assert_balanced(&scene);
}

/// A wallet that was swept, and somebody who pays by hand meanwhile: with other money.
#[test]
fn whoever_was_paid_by_hand_meanwhile_is_not_paid_again_by_itself() {
    // One that cannot be read may have paid anybody.
    for no_hex in [false, true] {
        paid_by_hand(no_hex);
    }
}

fn paid_by_hand(no_hex: bool) {
    let scene = signed();
    scene.world().no_hex = no_hex;
    let ours = read(&payout(&scene));
    let part = Output { value: Amount(5), ..ours.outputs[0].clone() };
    let by_hand = Transaction::parse(&paying(&[part])).unwrap();
    scene.world().twins.insert(by_hand.txid.to_string(), by_hand.clone());
    spend(&scene);
    scene.live(2);
    go_on(&scene, START + 300);
    let said = scene.live(3).unwrap();
    let words = format!("transaction {} pays some of the same addresses", by_hand.txid);
    assert!(said.contains(&words) && said.contains("payouts testcoin known"), "{said}");
    assert_eq!(payout(&scene).state, PayoutState::Signed);
    // That was something else, says the operator.
    known(&scene.pool, scene.path(), &by_hand.txid).unwrap();
    assert_eq!(scene.live(3), None);
    assert_eq!(payout(&scene).state, PayoutState::Void);
    assert_eq!(scene.world().sent.len(), 1);
    assert_balanced(&scene);
}

#[test]
fn the_operator_gives_up_only_what_can_never_happen() {
    let scene = signed();
    let txid = payout(&scene).txid;
    let mut off = scene.pool.clone();
    off.payments = None;
    assert!(void(&off, scene.path(), &txid).unwrap_err().contains("`paymentProcessing`"));
    off.idle_payments = scene.pool.payments.clone();
    let give_up = |scene: &Scene| void(&off, scene.path(), &txid);
    let said = give_up(&scene).unwrap_err();
    let (input, n) = read(&payout(&scene)).inputs[0];
    assert!(said.contains("can still happen"), "{said}");
    assert!(said.contains(&format!("by hand ({input}, `vout` {n};")), "{said}");
    let nothing = void(&scene.pool, scene.path(), &Hash([7; 32])).unwrap_err();
    assert!(nothing.contains("is signed or sent"), "{nothing}");
    spend(&scene);
    scene.world().refusals.insert("gettxout", json!({"code": 1, "message": "x"}).to_string());
    assert!(give_up(&scene).unwrap_err().contains("gettxout"));
    scene.world().refusals.clear();
    assert!(give_up(&scene).unwrap_err().contains("repeat this at height 113"));
    scene.world().tip = START + 5;
    assert!(give_up(&scene).unwrap_err().contains("repeat this at height 113"));
    scene.world().tip = START + 6;
    assert!(give_up(&scene).unwrap().contains("is void"));
    assert!(give_up(&scene).unwrap_err().contains("is signed or sent"));
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 1);
    assert_balanced(&scene);

    // Its money is gone because it is in the chain itself.
    let scene = Scene::new();
    scene.world().tip = START;
    assert_eq!(scene.live(3), None);
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = 1);
    spend(&scene);
    let words = void(&scene.pool, scene.path(), &payout(&scene).txid).unwrap_err();
    assert!(words.contains("is in the chain"), "{words}");
}

#[test]
fn a_retry_pays_at_once_and_tries_those_again_that_were_refused() {
    let mut scene = Scene::new();
    scene.pool.payments.as_mut().unwrap().interval = Duration::from_secs(3600);
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    let work = [("odd".to_owned(), 1), ("held".to_owned(), 1), ("d".to_owned(), 2)].into();
    scene.book().take_in(&second, &work, 100).unwrap();
    let (mut coin, mut book) = (scene.coin(), scene.book());
    coin.cycle(&mut book).unwrap();
    coin.cycle(&mut book).unwrap();
    scene.world().tip = START;
    let due = || {
        let book = Book::open_for_reading(scene.path(), "testcoin").unwrap().unwrap();
        book.due(Amount(10_000)).unwrap().len()
    };
    coin.cycle(&mut book).unwrap();
    assert_eq!(due(), 4, "credited, and the hour is not over");
    let operator = || Book::open_for_operator(scene.path(), "testcoin").unwrap();
    operator().hold("held", Some("by hand"), 1).unwrap();
    assert_eq!(operator().retry(1).unwrap(), Vec::<String>::new());
    coin.cycle(&mut book).unwrap();
    assert_eq!((due(), scene.world().sent.len()), (0, 2));
    scene.world().is_lenient = true;
    assert_eq!(operator().retry(2).unwrap(), ["odd"]);
    coin.cycle(&mut book).unwrap();
    assert_eq!((due(), scene.world().sent.len()), (0, 3));
    assert!(scene.world().paid().contains_key(&script("odd")));
    let held: Vec<String> = book.held().unwrap().into_iter().map(|held| held.name).collect();
    assert_eq!(held, ["?nobody", "held"]);
    assert_eq!(book.audit(true).unwrap().wrong, Vec::<String>::new());
}

#[test]
fn money_of_a_name_that_is_no_address_goes_to_one() {
    let scene = Scene::new();
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    scene.book().take_in(&second, &[("nobody".to_owned(), 1)].into(), 100).unwrap();
    scene.world().tip = START;
    assert_eq!(scene.live(3), None);
    let refused = account_of(&scene.pool, scene.path(), "nobody").unwrap_err();
    assert!(refused.contains("no address of testcoin"), "{refused}");
    let owner = account_of(&scene.pool, scene.path(), "owner").unwrap();
    let moved = scene.book().assign("?nobody", &owner, 5).unwrap().unwrap();
    assert_eq!(scene.book().assign("?nobody", &owner, 5).unwrap(), None);
    assert_eq!(scene.book().assign("c", &owner, 5).unwrap(), None, "it is an address");
    assert_balanced(&scene);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().paid()[&script("owner")], moved.0);
    assert_balanced(&scene);
}

#[test]
fn a_fee_that_the_wallet_does_not_tell_is_not_paid() {
    let scene = Scene::new();
    scene.world().tip = START;
    scene.world().hidden = 5;
    let said = scene.live(3).unwrap();
    assert!(said.contains("costs 0.00001000, but it spends"), "{said}");
    assert!(scene.world().sent.is_empty());
    scene.world().hidden = 0;
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 1);
}
