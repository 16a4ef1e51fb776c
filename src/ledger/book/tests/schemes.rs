//! What is carried, by scheme.

use super::*;

const WINDOW: Scheme = Scheme::Pplns { window: 9 };

fn of(scheme: Scheme, number: u8, time: u64) -> BlockFound {
    BlockFound { scheme, ..found(number, time) }
}

fn work_of(scene: &mut Scene, number: u8) -> BTreeMap<String, u128> {
    scene.book().work_of(&Hash([number; 32])).unwrap()
}

fn orphan(scene: &mut Scene, block: &BlockFound, work: &[(&str, u64)]) {
    scene.book().take_in(block, &round(work), block.time).unwrap();
    scene.book().move_to(&block.hash, State::Orphaned, block.time + 1).unwrap();
}

#[test]
fn a_solo_block_takes_nobodys_work_along() {
    let mut scene = Scene::new();
    orphan(&mut scene, &found(1, 100), &[("a", 5)]);
    scene.book().take_in(&of(Scheme::Solo, 2, 200), &round(&[("b", 1)]), 200).unwrap();
    assert_eq!(work_of(&mut scene, 2), [("b".to_owned(), 1)].into());
    // The next one that others share in does, whatever its scheme.
    scene.book().take_in(&of(WINDOW, 3, 300), &round(&[("b", 7)]), 300).unwrap();
    assert_eq!(work_of(&mut scene, 3), [("a".to_owned(), 5), ("b".to_owned(), 7)].into());
    scene.mature(2, 0, 400);
    scene.mature(3, 0, 400);
    assert_eq!(scene.owed("b") + scene.owed("B") + scene.owed("a"), 2 * 5_000_000_000 - 5);
    scene.balanced();
}

#[test]
fn only_rounds_are_carried_windows_and_finders_are_not() {
    let mut scene = Scene::new();
    orphan(&mut scene, &of(WINDOW, 1, 100), &[("a", 5)]);
    orphan(&mut scene, &of(Scheme::Solo, 2, 110), &[("x", 1)]);
    scene.book().take_in(&found(3, 200), &round(&[("b", 7)]), 200).unwrap();
    assert_eq!(work_of(&mut scene, 3), [("b".to_owned(), 7)].into());
    // One that comes back has its own window still.
    scene.book().move_to(&Hash([1; 32]), State::Immature, 300).unwrap();
    scene.mature(1, 0, 400);
    scene.mature(3, 0, 400);
    assert_eq!(scene.owed("a"), 4_999_999_999);
    scene.balanced();
}

#[test]
fn what_a_window_took_along_goes_on_when_its_block_is_an_orphan() {
    let mut scene = Scene::new();
    orphan(&mut scene, &found(1, 100), &[("a", 5)]);
    orphan(&mut scene, &of(WINDOW, 2, 200), &[("b", 7)]);
    scene.book().take_in(&of(WINDOW, 3, 300), &round(&[("b", 8)]), 300).unwrap();
    assert_eq!(work_of(&mut scene, 3), [("a".to_owned(), 5), ("b".to_owned(), 8)].into());
    // The first comes back, and has its own.
    scene.book().move_to(&Hash([1; 32]), State::Immature, 310).unwrap();
    assert_eq!(work_of(&mut scene, 3), [("b".to_owned(), 8)].into());
    assert_eq!(work_of(&mut scene, 1), [("a".to_owned(), 5)].into());
}

#[test]
fn a_verdict_from_the_future_holds_nobodys_work_back() {
    let mut scene = Scene::new();
    scene.book().take_in(&found(1, 100), &round(&[("a", 5)]), 100).unwrap();
    scene.book().move_to(&Hash([1; 32]), State::Orphaned, 1_000_000).unwrap();
    scene.book().take_in(&found(2, 200), &round(&[("b", 7)]), 210).unwrap();
    assert_eq!(work_of(&mut scene, 2), [("a".to_owned(), 5), ("b".to_owned(), 7)].into());
}
