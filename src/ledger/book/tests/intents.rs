//! Payouts whose transactions are not known yet.

use super::*;

type Outputs = Vec<(i64, Vec<u8>, Amount)>;

fn credited() -> (Scene, Outputs) {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1), ("b", 1)]), 100).unwrap();
    scene.mature_with(1, &fees::some_fee(2), 200);
    let due = scene.book().due(Amount(1)).unwrap();
    let outputs = due.iter().map(|due| (due.account, due.script.clone(), due.balance)).collect();
    (scene, outputs)
}

/// The transaction of a wallet that pays these in the opposite order, with change behind the first.
pub(super) fn made(outputs: &[(i64, Vec<u8>, Amount)], salt: u8) -> Made {
    let mut ordered: Outputs = outputs.iter().rev().cloned().collect();
    ordered.insert(1, (0, vec![99], Amount(3)));
    let new = paying(&ordered, salt);
    let last = outputs.len();
    let places = (0..last).map(|n| if n + 1 == last { 0 } else { last - n }).collect();
    Made { txid: new.txid, bytes: new.bytes, fee: Amount(2), places }
}

/// Something becomes of the open intent, if there is one.
pub(super) fn decide(scene: &mut Scene, salt: u8, now: u64) {
    let Some(intent) = scene.book().open_intent().unwrap() else { return };
    let outputs = scene.book().outputs(intent.id).unwrap();
    match salt % 4 {
        0 => scene.book().refused(intent.id, "no", now).unwrap(),
        1 => assert!(scene.book().give_up(intent.id, "no", now).unwrap()),
        _ => {
            let outputs: Outputs =
                outputs.into_iter().map(|output| (0, output.script, output.value)).collect();
            // The same bytes twice are refused.
            let _ = scene.book().fulfil(intent.id, &made(&outputs, salt), now);
        }
    }
}

#[test]
fn an_intent_takes_its_amounts_once_and_becomes_a_payout() {
    let (mut scene, outputs) = credited();
    let tip = Hash([5; 32]);
    let intent = scene.book().intend(&outputs, &tip, 300).unwrap();
    assert!(scene.book().intend(&outputs, &tip, 300).is_err(), "one at a time");
    assert!(intent.is_open && intent.mark.starts_with("romp-") && intent.tip == tip);
    assert_eq!((scene.owed("a"), intent.amount.0), (0, 4_999_999_999));
    assert_eq!(scene.book().payouts(&PayoutState::ALL).unwrap(), [], "it has no transaction yet");
    assert_eq!(scene.balanced().in_flight, 4_999_999_999);
    scene.book().note_intent(intent.id, "silence").unwrap();
    scene.reopen();
    assert_eq!(scene.book().open_intent().unwrap().unwrap().words, "silence");

    // Not all of its outputs have a place.
    let whole = made(&outputs, 1);
    let short = Made { places: whole.places[1..].to_vec(), ..whole.clone() };
    assert!(scene.book().fulfil(intent.id, &short, 400).is_err());
    assert!(scene.book().fulfil(intent.id, &whole, 400).unwrap());
    assert!(!scene.book().fulfil(intent.id, &made(&outputs, 2), 400).unwrap(), "it is known");
    assert!(!scene.book().give_up(intent.id, "late", 400).unwrap());
    scene.book().refused(intent.id, "late", 400).unwrap();
    assert_eq!(scene.book().open_intent().unwrap(), None);
    let payouts = scene.book().payouts(&[PayoutState::Sent]).unwrap();
    assert_eq!((payouts[0].txid, payouts[0].fee), (whole.txid, Amount(2)));
    scene.balanced();
    scene.book().settle(intent.id, PayoutState::Confirmed, 6, "", 500).unwrap();
    assert_eq!(scene.balanced().paid, 4_999_999_999);
    // A payout's rows say which output each is, whatever the order.
    let sql = "UPDATE output SET n = n + 10; UPDATE output SET n = 12 - n";
    scene.book().connection.execute_batch(sql).unwrap();
    assert!(!add_up_here(scene.book()).is_empty());
}

#[test]
fn what_was_not_sent_is_owed_again() {
    let (mut scene, outputs) = credited();
    let tip = Hash([5; 32]);
    let first = scene.book().intend(&outputs, &tip, 300).unwrap();
    scene.book().refused(first.id, "no funds", 310).unwrap();
    assert_eq!(scene.balanced().owed, 4_999_999_999);
    assert_eq!(scene.book().intents().unwrap(), [], "a refusal a minute would fill the book");
    let second = scene.book().intend(&outputs, &tip, 320).unwrap();
    assert_ne!(first.mark, second.mark, "the number alone may come again");
    assert!(scene.book().give_up(second.id, "by hand", 330).unwrap());
    assert!(!scene.book().fulfil(second.id, &made(&outputs, 1), 340).unwrap());
    let kept = scene.book().intents().unwrap();
    assert_eq!((kept.len(), kept[0].is_open, kept[0].words.as_str()), (1, false, "by hand"));
    assert_eq!(scene.balanced().owed, 4_999_999_999);
    // Held meanwhile: nothing is intended for it.
    scene.book().hold("a", Some("by hand"), 350).unwrap();
    assert!(scene.book().intend(&outputs, &tip, 360).is_err());
    assert_eq!(scene.book().open_intent().unwrap(), None);
    scene.balanced();
}

#[test]
fn the_audit_sees_intents_that_were_changed_by_hand() {
    let (mut scene, outputs) = credited();
    scene.book().intend(&outputs, &Hash([5; 32]), 300).unwrap();
    for sql in ["UPDATE payout SET state = 'void'", "DELETE FROM payout", "DELETE FROM output"] {
        let book = scene.book();
        book.connection.execute_batch("SAVEPOINT hand").unwrap();
        book.connection.execute_batch(sql).unwrap();
        assert!(!add_up_here(book).is_empty(), "{sql}");
        book.connection.execute_batch("ROLLBACK TO hand; RELEASE hand").unwrap();
    }
    for sql in ["UPDATE payout SET state = 'sent'", "UPDATE payout SET txid = 'aa'"] {
        assert!(scene.book().connection.execute_batch(sql).is_err(), "{sql}");
    }
    scene.balanced();
}
