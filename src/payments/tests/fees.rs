//! The account of the fee, and addresses with minimums of their own.

use super::*;
use crate::config::FeeAccount;

/// A scene whose fee of a tenth belongs to an account.
fn with_fee(address: &str, threshold: u64) -> Scene {
    let mut scene = Scene::new();
    let payments = scene.pool.payments.as_mut().unwrap();
    payments.fee_ppm = 100_000;
    let threshold = Amount(threshold);
    payments.fee_account = Some(FeeAccount { address: address.to_owned(), threshold });
    scene.world().tip = HEIGHT + 100;
    scene
}

fn audited(scene: &Scene) -> crate::ledger::book::audit::Audit {
    let audit = scene.book().audit(true).unwrap();
    assert_eq!(audit.wrong, Vec::<String>::new());
    audit
}

#[test]
fn a_fee_is_paid_from_its_own_threshold_on() {
    let fee = VALUE / 10;
    let mut scene = with_fee("fees", fee + 1);
    assert_eq!(scene.live(3), None);
    let paid = scene.world().paid();
    assert!(paid.contains_key(&script("c")) && !paid.contains_key(&script("fees")));
    assert_eq!(audited(&scene).fees_credited, i128::from(fee));
    scene.pool.payments.as_mut().unwrap().fee_account.as_mut().unwrap().threshold = Amount(fee);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().paid()[&script("fees")], fee);
    audited(&scene);
}

#[test]
fn a_miner_may_have_the_fee_and_nobody_gets_one_that_cannot_be_paid() {
    let scene = with_fee("c", 10_000);
    assert_eq!(scene.live(3), None);
    let paid = scene.world().paid();
    let audit = audited(&scene);
    assert_eq!(paid.len(), 1);
    assert!(paid[&script("c")] > VALUE - 100, "work and fee in one output: {paid:?}");
    assert_eq!(audit.fees_credited, i128::from(VALUE / 10));

    // `nobody` is no address to the daemon: nothing is credited until that is put right.
    let mut scene = with_fee("nobody", 10_000);
    let said = scene.live(3).unwrap();
    assert!(said.contains("the fee's address `nobody`"), "{said}");
    assert_eq!(audited(&scene).rewards, 0);
    scene.pool.payments.as_mut().unwrap().fee_account = None;
    assert_eq!(scene.live(3), None);
    let audit = audited(&scene);
    assert_eq!((audit.fees, audit.fees_credited), (i128::from(VALUE / 10), 0));
}

#[test]
fn single_addresses_have_minimums_of_their_own() {
    let mut scene = Scene::new();
    scene.world().tip = HEIGHT + 100;
    // `c` is owed nearly all of it; `a` some units.
    let payments = scene.pool.payments.as_mut().unwrap();
    payments.minimums =
        BTreeMap::from([("c".to_owned(), Amount(2 * VALUE)), ("nobody".to_owned(), Amount(1))]);
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 0);
    // What is set in the book comes before the file.
    scene.book().set_minimum("c", Some(Amount(VALUE / 2)), 1).unwrap();
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().paid().into_keys().collect::<Vec<_>>(), [script("c")]);
    audited(&scene);
}
