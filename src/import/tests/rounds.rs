//! Pending blocks and the open round, over any number of imports.

use super::*;

/// M6: NOMP has one round a height; keys of a wrong type.
#[test]
fn a_round_goes_to_the_block_in_the_chain_and_oddities_are_told() {
    let mut nomp = empty();
    nomp.pending = pending(&[(1, 10), (2, 20), (3, 20), (4, 30), (5, 40), (6, 50), (7, 60)]);
    let members = nomp.pending.as_mut().unwrap();
    members.insert(format!("{}:5000000000", member(1, 10)));
    members.insert("undefined:undefined:NaN".to_owned());
    nomp.rounds = BTreeMap::from([
        (10, fields(&[("La.1", "32"), ("Lb", "0.5"), ("Lc", "-4"), ("Ld", "0")])),
        (20, fields(&[("La", "1")])),
        (30, Ok(Fields::default())),
        (40, Err("it is a list".to_owned())),
        (50, fields(&[("La", "1")])),
        (60, fields(&[("La", "1")])),
    ]);
    let mut fake = Fake {
        chain: BTreeSet::from([1, 3, 4, 5]),
        branch: BTreeSet::from([2]),
        own: BTreeSet::from([7]),
    };
    let draft = judge(&nomp, &Imported::default(), &mut fake);
    let name = |number: u8| Hash([number; 32]).to_string();
    let names = [1, 2, 3, 4, 5, 6, 7].map(name);
    assert_eq!(
        lines(&draft),
        [
            ("block", &*names[0], None, Outcome::Nothing),
            ("block", "undefined:undefined:NaN", None, Outcome::Refused),
            ("work", "Lc", None, Outcome::Refused),
            ("block", &names[0], Some(VALUE), Outcome::Taken),
            ("block", &names[2], Some(VALUE), Outcome::Taken),
            ("block", &names[1], None, Outcome::Nothing),
            ("block", &names[3], None, Outcome::Refused),
            ("block", &names[4], None, Outcome::Refused),
            ("block", &names[5], None, Outcome::Refused),
            ("block", &names[6], None, Outcome::Before),
        ]
    );
    let work = BTreeMap::from([("La.1".to_owned(), 32 << 10), ("Lb".to_owned(), 512)]);
    assert_eq!(draft.import.blocks[0].1, work);
    assert_eq!(draft.import.blocks.len(), 2);

    nomp.balances = Err("`x` is a list, not a hash".to_owned());
    nomp.current = nomp.balances.clone();
    nomp.pending = Err("`x` is a list, not a set".to_owned());
    let draft = judge(&nomp, &Imported::default(), &mut fake);
    assert_eq!(
        lines(&draft),
        [
            ("balance", "", None, Outcome::Refused),
            ("block", "", None, Outcome::Refused),
            ("work", "", None, Outcome::Refused),
        ]
    );
}

/// Each share counts once: in the block that NOMP found, or in the round of this pool's next one,
/// whichever import sees it.
#[test]
fn work_of_rounds_counts_once_over_several_imports() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = open(dir.path(), "coin");
    let mut fake = Fake { chain: BTreeSet::from([1]), ..Fake::default() };
    let mut nomp = empty();
    nomp.pending = pending(&[(1, 10)]);
    nomp.rounds.insert(10, fields(&[("La", "3"), ("Lb", "1")]));
    nomp.current = fields(&[("La", "2")]);
    apply(&mut book, &nomp, &mut fake);

    // The old pool goes on for a while, and finds two blocks, of which one is not known yet.
    nomp.pending = pending(&[(1, 10), (2, 20), (3, 30)]);
    nomp.rounds.insert(20, fields(&[("La", "5"), ("Lb", "1")]));
    nomp.rounds.insert(30, fields(&[("Lb", "4")]));
    nomp.current = fields(&[("Lb", "8")]);
    fake.chain.insert(3);
    let draft = apply(&mut book, &nomp, &mut fake);
    assert_eq!(draft.import.open_round, None);
    fake.chain.insert(2);
    apply(&mut book, &nomp, &mut fake);
    // Both again, with a little more.
    nomp.current = fields(&[("Lb", "8.5")]);
    for _ in 0..2 {
        apply(&mut book, &nomp, &mut fake);
    }
    let work = |book: &Book, number: u8| book.work_of(&Hash([number; 32])).unwrap();
    let of = |pairs: &[(&str, u128)]| {
        pairs.iter().map(|&(name, weight)| (name.to_owned(), weight)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(work(&book, 1), of(&[("La", 3 << 10), ("Lb", 1 << 10)]));
    assert_eq!(work(&book, 2), of(&[("La", 3 << 10), ("Lb", 1 << 10)]));
    assert_eq!(work(&book, 3), of(&[("Lb", 4 << 10)]));

    // This pool's own block gets what was open: 2 of La, 8.5 of Lb. It becomes an orphan, and all
    // of it goes on to the next one.
    let own = |number: u8| BlockFound { time: 2000 + u64::from(number), ..fake_block(number) };
    let round = BTreeMap::from([("Lc".to_owned(), 512_u64)]);
    // Found before the import: it gets nothing.
    book.take_in(&BlockFound { time: 999, ..fake_block(8) }, &round, 3000).unwrap();
    assert_eq!(work(&book, 8), of(&[("Lc", 512)]));
    // Passed over: it keeps nothing.
    book.pass_over(&own(7), 3000).unwrap();
    book.take_in(&own(9), &round, 3000).unwrap();
    let opened = of(&[("La", 2 << 10), ("Lb", 17 << 9), ("Lc", 512)]);
    assert_eq!(work(&book, 9), opened);
    assert_eq!(book.block_count().unwrap(), 3);
    book.move_to(&Hash([9; 32]), State::Orphaned, 2005).unwrap();
    book.take_in(&own(10), &round, 3000).unwrap();
    assert_eq!(work(&book, 10), of(&[("La", 2 << 10), ("Lb", 17 << 9), ("Lc", 1024)]));

    // A block of the old pool is credited as one of this pool's.
    for number in [1, 10] {
        let hash = Hash([number; 32]);
        book.move_to(&hash, State::Immature, 4000).unwrap();
        let owners = owners(&work(&book, number));
        book.credit(&hash, &owners, &Fee::kept(0), 4000).unwrap();
    }
    let audit = book.audit(true).unwrap();
    assert_eq!(audit.wrong, Vec::<String>::new());
    assert_eq!(audit.credits, i128::from(2 * VALUE));
}

fn fake_block(number: u8) -> BlockFound {
    let mut fake = Fake { chain: BTreeSet::from([number]), ..Fake::default() };
    let pending = Pending {
        hash: Hash([number; 32]),
        transaction: Hash([number ^ 0x80; 32]),
        height: u64::from(number) * 100,
    };
    fake.block(&pending).unwrap().0
}
