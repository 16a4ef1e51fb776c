//! Payouts that another transaction stands in the place of.

use super::super::{replaced, void};
use super::stuck::{START, assert_balanced, go_on, payout, read, signed, spend};
use super::world::spending;
use super::*;

/// With a payout that was sent, and another transaction of the same money, six blocks deep.
fn displaced(outputs: &dyn Fn(Vec<Output>) -> Vec<Output>, no_raw: bool) -> (Scene, Transaction) {
    let scene = Scene::new();
    scene.world().no_raw = no_raw;
    scene.world().tip = START;
    assert_eq!(scene.live(3), None);
    let ours = read(&payout(&scene));
    let bytes = spending(ours.inputs[0], &outputs(ours.outputs.clone()));
    let twin = Transaction::parse(&bytes).unwrap();
    scene.world().twins.insert(twin.txid.to_string(), twin.clone());
    scene.world().twin_depth = Some(6);
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -6);
    spend(&scene);
    (scene, twin)
}

fn with_change(mut outputs: Vec<Output>) -> Vec<Output> {
    let change = Output { value: Amount(7), script: script("change") };
    outputs.insert(0, change.clone());
    outputs.push(change);
    outputs
}

/// F48: a fee that was raised by hand.
#[test]
fn what_pays_just_the_same_is_the_payout_from_then_on() {
    // By `sendmany` its outputs are where the wallet has put them.
    for no_raw in [false, true] {
        raise_the_fee(no_raw);
    }
}

fn raise_the_fee(no_raw: bool) {
    let (scene, twin) = displaced(&with_change, no_raw);
    scene.world().twin_depth = Some(5);
    assert_eq!(scene.live(1), None);
    let old = payout(&scene);
    assert!(old.words.contains("six blocks deep it is the payout"), "{}", old.words);
    // A payer that starts anew meanwhile does not take it for one that the book has forgotten.
    let work = [("d".to_owned(), 1)].into();
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    scene.book().take_in(&second, &work, 100).unwrap();
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 2);
    scene.world().twin_depth = Some(6);
    assert_eq!(scene.live(1), None);
    let new = payout(&scene);
    assert_eq!((new.id, new.txid, new.state), (old.id, twin.txid, PayoutState::Sent));
    scene.live(1);
    assert_eq!(payout(&scene).state, PayoutState::Confirmed);
    let paid = scene.book().balance("c").unwrap().unwrap();
    assert!(paid.paid.0 > VALUE - 100 && paid.in_flight.0 == 0, "{paid:?}");
    assert_balanced(&scene);
    // The wallet knows the old one still.
    let third = BlockFound { hash: Hash([3; 32]), ..block() };
    scene.book().take_in(&third, &[("e".to_owned(), 1)].into(), 100).unwrap();
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 3);
    assert_balanced(&scene);
}

/// The wallet is one daemon; the others have to see it as deep.
#[test]
fn a_daemon_that_does_not_see_the_other_one_is_waited_for() {
    let (mut scene, _) = displaced(&with_change, false);
    let world = Arc::clone(&scene.world);
    let behind = stub::daemon(move |method, body| match method {
        "getblockheader" if body.contains(&Hash([0xb0; 32]).to_string()) => {
            stub::Answer::Result(r#"{"confirmations":5}"#.to_owned())
        }
        _ => world.lock().unwrap().answer(method, body),
    });
    scene.pool.daemons.push(behind);
    let txid = payout(&scene).txid;
    scene.live(2);
    assert_eq!(payout(&scene).txid, txid);
    scene.pool.daemons.truncate(1);
    scene.live(1);
    assert_ne!(payout(&scene).txid, txid);
}

/// Other money, as when the wallet was swept and somebody paid by hand: only the operator knows.
#[test]
fn an_operator_names_what_has_paid_a_payout() {
    let scene = signed();
    let old = payout(&scene);
    let bytes = paying(&with_change(read(&old).outputs));
    let twin = Transaction::parse(&bytes).unwrap();
    let other = Transaction::parse(&paying(&[])).unwrap();
    for one in [&twin, &other] {
        scene.world().twins.insert(one.txid.to_string(), one.clone());
    }
    let say = |new: &Hash| replaced(&scene.pool, scene.path(), &old.txid, new);
    let refused = |new: &Hash, words: &str| {
        let said = say(new).unwrap_err();
        assert!(said.contains(words), "{said}");
        assert_eq!(payout(&scene).txid, old.txid);
    };
    refused(&twin.txid, "can still happen");
    spend(&scene);
    refused(&twin.txid, "repeat this at height 113");
    scene.world().tip = START + 6;
    scene.world().twin_depth = Some(5);
    refused(&twin.txid, "has 5 confirmations");
    scene.world().twin_depth = None;
    refused(&other.txid, "does not pay all that");
    refused(&Hash([7; 32]), "does not know transaction");
    let said = say(&twin.txid).unwrap();
    assert!(said.contains("is the payout now"), "{said}");
    assert!(say(&twin.txid).unwrap_err().contains("is signed or sent"));
    assert_eq!(scene.live(2), None);
    assert_eq!(payout(&scene).state, PayoutState::Confirmed);
    assert_eq!(scene.world().sent.len(), 0);
    assert_balanced(&scene);
}

/// What pays only some of them, or less, is left to the operator; who gives it up is told whom it
/// has paid.
#[test]
fn what_pays_less_is_not_taken_for_the_payout() {
    let (scene, twin) = displaced(
        &|mut outputs| {
            outputs[0].value.0 -= 1;
            outputs
        },
        false,
    );
    let txid = payout(&scene).txid;
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -100);
    assert_eq!(scene.live(2), None);
    let words = payout(&scene).words;
    assert!(words.contains(&format!("replaced {txid} {}", twin.txid)), "{words}");
    assert!(words.contains(&format!("void {txid}")), "{words}");
    let said = replaced(&scene.pool, scene.path(), &txid, &twin.txid).unwrap_err();
    assert!(said.contains("does not pay all that"), "{said}");
    let said = void(&scene.pool, scene.path(), &txid).unwrap();
    assert!(said.contains("c is set aside"), "{said}");
    assert_balanced(&scene);
}

/// A payout that spends the change of another one, whose fee was raised: the wallet names nothing in
/// its place.
#[test]
fn what_lost_its_money_with_another_payout_is_void_and_owed_again() {
    let scene = Scene::new();
    scene.world().tip = START;
    assert_eq!(scene.live(3), None);
    let txid = payout(&scene).txid;
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -1);
    spend(&scene);
    scene.live(1);
    let words = payout(&scene).words;
    assert!(words.contains("void at height 207"), "{words}");
    go_on(&scene, START + 99);
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -150);
    scene.live(2);
    assert_eq!(payout(&scene).state, PayoutState::Sent);
    scene.world().tip = START + 100;
    assert_eq!(scene.live(3), None);
    assert_eq!((payout(&scene).txid, payout(&scene).state), (txid, PayoutState::Void));
    assert_eq!(scene.world().sent.len(), 2);
    assert_balanced(&scene);
}
