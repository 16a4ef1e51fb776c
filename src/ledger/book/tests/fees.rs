//! Fees that are credited to an account, which may be a miner's.

use super::*;

/// Fees as a history may have them: none, kept, of an account of its own, of a miner's.
pub(super) fn some_fee(number: u8) -> Fee {
    let account = match number {
        0 => return Fee::default(),
        1 => None,
        2 => Some(Account { name: "fees".into(), script: vec![7] }),
        // `B` is the same script as `b`, by another name.
        _ => Some(Account { name: "B".into(), script: vec![2] }),
    };
    Fee { ppm: 12_345, account }
}

#[test]
fn a_fee_is_credited_once_and_paid_like_any_other_account() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1)]), 100).unwrap();
    let fee = Fee { ppm: 20_000, ..some_fee(2) };
    scene.mature_with(1, &fee, 200);
    // A second verdict, and a fee that was changed meanwhile.
    scene.book().credit(&Hash([1; 32]), &owners(), &some_fee(3), 210).unwrap();
    let value = 4_999_999_999;
    let taken = value / 50;
    assert_eq!((scene.owed("fees"), scene.owed("a")), (taken, value - taken));
    let audit = scene.balanced();
    assert_eq!((audit.fees, audit.fees_credited), (i128::from(taken), i128::from(taken)));
    assert_eq!(audit.owed, i128::from(value));
    let due = scene.book().due(Amount(1)).unwrap();
    let outputs: Vec<_> =
        due.iter().map(|due| (due.account, due.script.clone(), due.balance)).collect();
    assert!(outputs.iter().any(|(_, script, amount)| *script == [7] && amount.0 == taken));
    scene.book().sign(&paying(&outputs, 1), 300).unwrap();
    scene.book().settle(1, PayoutState::Confirmed, 6, "", 400).unwrap();
    assert_eq!(scene.book().balance("fees").unwrap().unwrap().paid.0, taken);
    scene.balanced();
    // The record of the work has no line for the fee.
    let record = scene.book().record(&Hash([1; 32])).unwrap().unwrap();
    assert_eq!((record.fee.0, record.lines.len(), record.is_fair()), (taken, 1, true));
}

#[test]
fn the_account_of_the_fee_may_be_a_miners() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1), ("b", 1)]), 100).unwrap();
    scene.book().take_in(&found(2, 110), &round(&[("a", 1)]), 110).unwrap();
    scene.book().take_in(&found(3, 120), &round(&[("a", 1)]), 120).unwrap();
    let of_b = Fee { ppm: 500_000, ..some_fee(3) };
    scene.mature_with(1, &of_b, 200);
    scene.mature_with(2, &of_b, 210);
    scene.mature_with(3, &Fee::kept(500_000), 220);
    // Half of the first reward's rest for work, and the fees of two rewards.
    let (first, second) = (4_999_999_999_u64, 4_999_999_998_u64);
    let work = (first - first / 2) / 2;
    assert_eq!(scene.owed("b"), first / 2 + second / 2 + work);
    let audit = scene.balanced();
    assert_eq!(audit.fees_credited, i128::from(first / 2 + second / 2));
    assert_eq!(audit.fees - audit.fees_credited, 4_999_999_997 / 2);
}

#[test]
fn the_audit_sees_fees_that_were_changed_by_hand() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 1)]), 100).unwrap();
    scene.book().take_in(&found(2, 100), &round(&[("a", 1)]), 100).unwrap();
    scene.mature_with(1, &some_fee(2), 200);
    scene.balanced();
    for sql in [
        "UPDATE block SET fee_account = NULL",
        "UPDATE block SET fee_account = 77",
        "UPDATE block SET fee_account = 1 WHERE fee IS NULL",
        "UPDATE block SET fee_account = (SELECT id FROM account WHERE name = 'a')",
        "UPDATE account SET balance = balance - 1 WHERE name = 'fees'",
        "UPDATE block SET fee = fee - 1 WHERE fee IS NOT NULL",
    ] {
        let book = scene.book();
        book.connection.execute_batch("SAVEPOINT hand").unwrap();
        book.connection.execute_batch(sql).unwrap();
        assert!(!add_up_here(book).is_empty(), "{sql}");
        book.connection.execute_batch("ROLLBACK TO hand; RELEASE hand").unwrap();
    }
    scene.balanced();
}
