//! Lists in parts.

use super::super::*;

/// Every part, by asking on from the last place.
fn all<T>(mut ask: impl FnMut(Place) -> Vec<T>, place: impl Fn(&T) -> Place) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    let mut at = Place { height: u64::MAX, hash: None };
    loop {
        let part = ask(at);
        let Some(last) = part.last() else { return found };
        at = place(last);
        found.extend(part);
    }
}

#[test]
fn every_entry_comes_once_whatever_the_parts_are() {
    let mut scene = Scene::new();
    for number in 1..=7_u8 {
        let work = round(&[("a.rig", 3), ("b", 1)]);
        let mut block = found(number, u64::from(number) * 1000);
        // Three of one height, two of another.
        block.height = [1, 1, 2, 2, 2, 6, 7][usize::from(number) - 1];
        scene.book().take_in(&block, &work, 1).unwrap();
    }
    let wanted = scene.book().blocks_below(u64::MAX, 10).unwrap();
    assert_eq!(wanted.len(), 7);
    for most in 1..=8 {
        let place = |block: &BookBlock| Place { height: block.height, hash: Some(block.hash) };
        let blocks = all(|at| scene.book().blocks_after(at, most).unwrap(), place);
        assert_eq!(blocks, wanted, "{most} at once");
        let rounds =
            all(|at| scene.book().rounds_after(at, most).unwrap(), |round| place(&round.block));
        assert_eq!(rounds.iter().map(|it| it.block.clone()).collect::<Vec<_>>(), wanted);
        assert_eq!(rounds[0].from, Some(6000));
        assert!(rounds.iter().all(|it| it.workers == 2 && it.weight > 0.0));
    }
    let after = scene.book().blocks_after(Place { height: 2, hash: None }, 10).unwrap();
    assert_eq!(after.iter().map(|it| it.height).collect::<Vec<_>>(), [1, 1]);

    for number in [1, 6, 7] {
        scene.mature(number, 10_000, 10);
    }
    let wanted = scene.book().earned_by("a", 10).unwrap();
    assert_eq!(wanted.len(), 3);
    let place = |it: &Earned| Place { height: it.height, hash: Some(it.hash) };
    assert_eq!(all(|at| scene.book().earned_after("a", at, 2).unwrap(), place), wanted);
    assert_eq!(all(|at| scene.book().earned_after("nobody", at, 2).unwrap(), place), []);

    let due = scene.book().due(Amount(1)).unwrap();
    for number in 1..=3_u8 {
        let outputs = [(due[0].account, due[0].script.clone(), Amount(1000))];
        scene.book().sign(&paying(&outputs, number), u64::from(number)).unwrap();
    }
    let paid = scene.book().paid_to(&due[0].name, 10).unwrap();
    let first = scene.book().paid_to_below(&due[0].name, i64::MAX, 2).unwrap();
    let rest = scene.book().paid_to_below(&due[0].name, first[1].0, 2).unwrap();
    let both: Vec<_> = first.into_iter().chain(rest).map(|(_, paid)| paid).collect();
    assert_eq!((both.len(), both), (3, paid));
}
