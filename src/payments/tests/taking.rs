//! Found blocks on their way from the tally into the book.

use super::*;
use crate::ledger::{Tally, checkpoint};

/// A tally with blocks at these numbers, each with a share before it unless it is `bare`.
fn found(tally: &mut dyn Tally, numbers: std::ops::Range<u8>, bare: Option<u8>) {
    for number in numbers {
        let mut batch = Batch::new(Unit(0));
        let (stream, time) = (format!("s{number}"), u64::from(number));
        let (worker, scheme) = ("a".to_owned(), Scheme::Prop);
        if bare != Some(number) {
            assert!(batch.add(&stream, 0, 10, Record::Share { time, worker, weight: 5, scheme }));
        } else {
            assert!(batch.add(&stream, 0, 10, Record::Retarget { time, worker, weight: 5 }));
        }
        let found = BlockFound { hash: Hash([number; 32]), time, ..block() };
        assert!(batch.add(&stream, 10, 20, Record::Block(Box::new(found))));
        tally.apply(&batch).unwrap();
    }
}

fn open(scene: &Scene) -> Box<dyn Tally> {
    crate::ledger::open_sqlite(scene.path(), "testcoin").unwrap()
}

/// More came than a look at the newest shows, beside a book that was set back.
#[test]
fn blocks_that_come_late_are_all_taken_in() {
    let scene = Scene::bare();
    scene.book().note_once(crate::payments::BEGUN, "test").unwrap();
    found(&mut *open(&scene), 0..20, None);
    scene.live(1);
    assert_eq!(scene.book().block_count().unwrap(), 20);
    let path = crate::ledger::book::path(scene.path(), "testcoin");
    let old = std::fs::read(&path).unwrap();
    found(&mut *open(&scene), 20..240, None);
    scene.live(1);
    assert_eq!(scene.book().block_count().unwrap(), 240);
    std::fs::write(&path, old).unwrap();
    scene.live(1);
    assert_eq!(scene.book().block_count().unwrap(), 240);
}

#[test]
fn a_block_that_lost_its_round_is_named_and_holds_up_no_other() {
    let scene = Scene::bare();
    scene.book().note_once(crate::payments::BEGUN, "test").unwrap();
    found(&mut *open(&scene), 0..9, Some(4));
    let said = scene.live(2).unwrap();
    assert!(said.contains(&format!("block {}", Hash([4; 32]))), "{said}");
    assert_eq!(scene.book().block_count().unwrap(), 8);
}

/// It is emptied, and the bookkeeper is about to fill it again: no time to begin a book.
#[test]
fn a_ledger_that_was_emptied_does_not_begin_a_book() {
    let scene = Scene::bare();
    let mut tally = open(&scene);
    found(&mut *tally, 0..3, None);
    let there = tally.positions().unwrap();
    assert!(checkpoint::write(scene.path(), "testcoin", &mut *tally, &there, 1).unwrap());
    drop(tally);
    crate::ledger::set_sqlite_aside(scene.path(), "testcoin").unwrap();
    for _ in 0..2 {
        let said = scene.live(1).unwrap();
        assert!(said.contains("the ledger has 3 blocks from before"), "{said}");
        drop(open(&scene)); // an empty one
    }
    found(&mut *open(&scene), 0..3, None);
    assert!(scene.live(1).unwrap().contains("the book is new"));
    assert_eq!(scene.book().block_count().unwrap(), 0);
}
