//! What the web site shows of the book.

mod paged;

use super::*;

#[test]
fn the_site_sees_what_the_book_says_in_pages() {
    let mut scene = Scene::new();
    let mut sums = Sums::default();
    for number in 1..=5_u8 {
        let work = round(&[("a.rig", 3), ("b", 1), ("x", 1)]);
        scene.book().take_in(&found(number, u64::from(number) * 1000), &work, 1).unwrap();
    }
    for number in 1..=3 {
        scene.mature(number, 10_000, 10);
    }
    scene.book().move_to(&Hash([4; 32]), State::Orphaned, 10).unwrap();

    let counts = scene.book().counts().unwrap();
    assert_eq!(
        counts,
        [("found", 1), ("mature", 3), ("orphaned", 1)].map(|(n, c)| (n.to_owned(), c)).into()
    );
    let heights = |blocks: Vec<BookBlock>| blocks.iter().map(|it| it.height).collect::<Vec<_>>();
    assert_eq!(heights(scene.book().blocks_below(u64::MAX, 2).unwrap()), [5, 4]);
    assert_eq!(heights(scene.book().blocks_below(4, 2).unwrap()), [3, 2]);
    let found = scene.book().found_since(4000).unwrap();
    assert_eq!(found, [(4000, State::Orphaned), (5000, State::Found)]);

    // All that was credited is owed or set aside.
    let credited: u64 = ["a", "b", "?x"].into_iter().map(|name| scene.owed(name)).sum();
    let totals = scene.book().totals(&mut sums).unwrap();
    assert_eq!((totals.owed + totals.held, totals.holders), (u128::from(credited), 1));
    assert_eq!(totals.held, u128::from(scene.owed("?x")));

    let due = scene.book().due(Amount(1)).unwrap();
    let outputs: Vec<_> = due
        .iter()
        .map(|due| (due.account, due.script.clone(), Amount(due.balance.0 / 2)))
        .collect();
    let (first, second) = (paying(&outputs, 1), paying(&outputs[..1], 2));
    scene.book().sign(&first, 20).unwrap();
    scene.book().sign(&second, 30).unwrap();
    let payouts = scene.book().payouts_below(i64::MAX, 10).unwrap();
    assert_eq!(payouts.iter().map(|it| it.txid).collect::<Vec<_>>(), [second.txid, first.txid]);
    let older = scene.book().payouts_below(payouts[0].id, 10).unwrap();
    assert_eq!(older, payouts[1..]);
    let sum: u128 = outputs.iter().map(|(_, _, amount)| u128::from(amount.0)).sum();
    assert_eq!(scene.book().paid_by(older[0].id).unwrap(), (2, sum));
    scene.book().settle(older[0].id, PayoutState::Confirmed, 6, "", 40).unwrap();
    let totals = scene.book().totals(&mut sums).unwrap();
    assert_eq!((totals.paid, totals.in_flight), (sum, u128::from(outputs[0].2.0)));
    assert_eq!(totals.owed + totals.held + totals.paid + totals.in_flight, u128::from(credited));

    assert_eq!(totals.open, 1);

    let paid = scene.book().paid_to(&due[0].name, 10).unwrap();
    let seen: Vec<_> = paid.iter().map(|it| (it.txid, it.state, it.time, it.amount)).collect();
    let half = outputs[0].2;
    let wanted = [
        (second.txid, PayoutState::Signed, 30, half),
        (first.txid, PayoutState::Confirmed, 20, half),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(scene.book().paid_to("?x", 10).unwrap(), []);
    let earned = scene.book().earned_by("a", 2).unwrap();
    assert_eq!(
        earned.iter().map(|it| (it.height, it.time)).collect::<Vec<_>>(),
        [(3, 3000), (2, 2000)]
    );
    let whole: u64 = scene.book().earned_by("a", 10).unwrap().iter().map(|it| it.amount.0).sum();
    let balance = scene.book().balance("a").unwrap().unwrap();
    assert_eq!(whole, balance.unpaid.0 + balance.in_flight.0 + balance.paid.0);
}
