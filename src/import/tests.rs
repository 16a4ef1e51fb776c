//! What is taken of NOMP's and MPOS's records, once, whatever stands in them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod chain;
mod rounds;

use super::nomp::Nomp;
use super::*;
use crate::chain::Hash;
use crate::config;
use crate::journal::BlockFound;
use crate::ledger::book::{Account, Book, Fee, ImportKind, Imported, State, tests::open};
use crate::mpos::{AccountRow, Balances};
use crate::rewards::{Amount, Scheme};
use crate::stratum::{Unit, address_part};
use std::collections::{BTreeMap, BTreeSet};

const UNIT: Unit = Unit(-10);
const VALUE: u64 = 5_000_000_000;

/// Blocks by their first byte: in the chain, on another branch, or unknown. Names that begin with
/// `L` are addresses.
#[derive(Default)]
struct Fake {
    chain: BTreeSet<u8>,
    branch: BTreeSet<u8>,
    own: BTreeSet<u8>,
}

impl Witness for Fake {
    fn owner(&mut self, worker: &str) -> Result<Account, String> {
        let address = address_part(worker);
        Ok(match address.starts_with('L') {
            true => Account { name: address.to_owned(), script: address.as_bytes().to_vec() },
            false => Account { name: format!("?{worker}"), script: Vec::new() },
        })
    }

    fn block(&mut self, pending: &Pending) -> Result<(BlockFound, bool), String> {
        let number = pending.hash.0[0];
        let in_chain = self.chain.contains(&number);
        if !in_chain && !self.branch.contains(&number) {
            return Err("unknown".to_owned());
        }
        let found = BlockFound {
            time: u64::from(number),
            hash: pending.hash,
            height: pending.height,
            previous: Hash([0; 32]),
            coinbase_txid: pending.transaction,
            coinbase_value: Amount(VALUE),
            pool_value: Amount(VALUE),
            worker: String::new(),
            difficulty: 0.0,
            stale: false,
            scheme: Scheme::Prop,
        };
        Ok((found, in_chain))
    }

    fn has(&mut self, block: &Hash) -> bool {
        self.own.contains(&block.0[0])
    }
}

fn fields(pairs: &[(&str, &str)]) -> Result<Fields, String> {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.add(name.as_bytes(), value.as_bytes());
    }
    Ok(fields)
}

fn empty() -> Nomp {
    Nomp {
        source: "nomp test".to_owned(),
        style: Style::Colon,
        balances: fields(&[]),
        payouts: fields(&[]),
        current: fields(&[]),
        pending: Ok(BTreeSet::new()),
        rounds: BTreeMap::new(),
        counted: Vec::new(),
        notes: Vec::new(),
    }
}

fn member(number: u8, height: u64) -> String {
    format!("{}:{}:{height}", Hash([number; 32]), Hash([number ^ 0x80; 32]))
}

fn pending(blocks: &[(u8, u64)]) -> Result<BTreeSet<String>, String> {
    Ok(blocks.iter().map(|&(number, height)| member(number, height)).collect())
}

fn judge(nomp: &Nomp, before: &Imported, witness: &mut Fake) -> Draft {
    draft(nomp, assumed(nomp), UNIT, before, witness)
}

/// Kind, key, value, outcome of each record, in order.
fn lines(draft: &Draft) -> Vec<(&str, &str, Option<u64>, Outcome)> {
    let all = draft.lines.iter();
    all.map(|line| (line.kind.name(), line.key.as_str(), line.value, line.outcome)).collect()
}

fn apply(book: &mut Book, nomp: &Nomp, witness: &mut Fake) -> Draft {
    let before = book.imported(&nomp.source).unwrap();
    let draft = judge(nomp, &before, witness);
    book.import(&draft.import, 1000).unwrap();
    assert_eq!(book.audit(true).unwrap().wrong, Vec::<String>::new());
    draft
}

fn owed(book: &Book, name: &str) -> u64 {
    book.balance(name).unwrap().map_or(0, |balance| balance.unpaid.0)
}

fn account(worker: &str) -> Account {
    Fake::default().owner(worker).unwrap()
}

fn owners(work: &BTreeMap<String, u128>) -> BTreeMap<String, Account> {
    work.keys().map(|worker| (worker.clone(), account(worker))).collect()
}

/// M5, M9, M10, M11: what NOMP leaves in its balances.
#[test]
fn balances_are_taken_once_and_rigs_are_one_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = open(dir.path(), "coin");
    let mut nomp = empty();
    nomp.balances = fields(&[
        ("La.rig1", "1.5"),
        ("La.rig2", "1e-7"),
        ("Lb", "0.123456789"),
        ("Lc", "-2.5"),
        ("Ld", "NaN"),
        ("Le", "-0.00000000000000001"),
        ("Lf", "1e300"),
        ("http://x:80", "2"),
        ("Lz", "0"),
    ]);
    nomp.payouts = fields(&[("La.rig1", "70"), ("La.rig2", "0.5")]);
    for round in 0..2 {
        let draft = apply(&mut book, &nomp, &mut Fake::default());
        let taken = if round == 0 { Outcome::Taken } else { Outcome::Before };
        // The book itself takes no key twice.
        book.import(&draft.import, 2000).unwrap();
        assert_eq!(
            lines(&draft),
            [
                ("balance", "La.rig1", Some(150_000_000), taken),
                ("balance", "La.rig2", Some(10), taken),
                ("balance", "Lb", Some(12_345_678), taken),
                ("balance", "Lc", None, Outcome::Refused),
                ("balance", "Ld", None, Outcome::Refused),
                ("balance", "Le", Some(0), Outcome::Nothing),
                ("balance", "Lf", None, Outcome::Refused),
                ("balance", "Lz", Some(0), Outcome::Nothing),
                ("balance", "http://x:80", Some(200_000_000), taken),
                ("paid", "La.rig1", Some(7_000_000_000), taken),
                ("paid", "La.rig2", Some(50_000_000), taken),
            ]
        );
        assert_eq!(owed(&book, "La"), 150_000_010);
        assert_eq!(owed(&book, "?http://x:80"), 200_000_000);
        assert_eq!(book.paid_before("La").unwrap(), Amount(7_050_000_000));
        let audit = book.audit(true).unwrap();
        assert_eq!(audit.imported, 362_345_688);
        assert_eq!(audit.held, 200_000_000);
        assert_eq!((audit.credits, audit.paid), (0, 0));
        if round == 0 {
            assert_eq!(dropped_units(draft.dropped), "0.9");
        }
    }
    assert_eq!(book.due(Amount(1)).unwrap().len(), 2);
    assert_eq!(book.import_sources().unwrap(), ["nomp test"]);
}

#[test]
fn what_changes_after_an_import_is_told_and_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = open(dir.path(), "coin");
    let mut nomp = empty();
    nomp.balances = fields(&[("La", "1"), ("Lb", "NaN")]);
    apply(&mut book, &nomp, &mut Fake::default());
    // La was paid or earned on, Lc is new; Lb was refused, and is put right.
    nomp.balances = fields(&[("La", "3"), ("Lb", "2"), ("Lc", "5")]);
    let draft = apply(&mut book, &nomp, &mut Fake::default());
    assert_eq!(
        lines(&draft),
        [
            ("balance", "La", Some(300_000_000), Outcome::Refused),
            ("balance", "Lb", Some(200_000_000), Outcome::Taken),
            ("balance", "Lc", Some(500_000_000), Outcome::Refused),
        ]
    );
    assert_eq!(["La", "Lb", "Lc"].map(|name| owed(&book, name)), [100_000_000, 200_000_000, 0]);
}

#[test]
fn early_versions_counted_in_the_smallest_unit() {
    let mut nomp = empty();
    nomp.style = Style::Underscore;
    nomp.balances = fields(&[("La", "150000000")]);
    assert_eq!(assumed(&nomp), Money::Satoshis);
    let value =
        |nomp: &Nomp| judge(nomp, &Imported::default(), &mut Fake::default()).lines[0].value;
    assert_eq!(value(&nomp), Some(150_000_000));
    nomp.balances = fields(&[("La", "1.5"), ("Lb", "3")]);
    assert_eq!(assumed(&nomp), Money::Coins);
    assert_eq!(value(&nomp), Some(150_000_000));
    nomp.style = Style::Colon;
    nomp.balances = fields(&[("La", "3")]);
    assert_eq!(assumed(&nomp), Money::Coins);
}

#[test]
fn a_key_of_a_wrong_type_is_taken_when_it_is_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = open(dir.path(), "coin");
    let mut nomp = empty();
    nomp.balances = Err("`x` is a list, not a hash".to_owned());
    apply(&mut book, &nomp, &mut Fake::default());
    nomp.balances = fields(&[("La", "1")]);
    apply(&mut book, &nomp, &mut Fake::default());
    // ... and then no more.
    nomp.balances = fields(&[("La", "1"), ("Lb", "1")]);
    apply(&mut book, &nomp, &mut Fake::default());
    assert_eq!((owed(&book, "La"), owed(&book, "Lb")), (100_000_000, 0));
}

#[test]
fn accounts_of_mpos_need_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = open(dir.path(), "coin");
    let row = |name: &str, address: Option<&str>, confirmed: &str| AccountRow {
        name: name.to_owned(),
        address: address.map(str::to_owned),
        confirmed: confirmed.to_owned(),
        unconfirmed: "0.5000".to_owned(),
        paid: "7".to_owned(),
    };
    let balances = Balances {
        accounts: vec![
            row("alice", Some("Lalice"), "12.345678901000000000000000000000"),
            row("bob", None, "1"),
            row("carol", Some("nowhere"), "1"),
            row("dave", Some("Lalice"), "1"),
            row("eve", Some("Leve"), "-1"),
            row("", None, "1"),
        ],
        requested: 0,
    };
    for round in 0..2 {
        let before = book.imported("mpos test").unwrap();
        let draft = mpos::draft("mpos test", &balances, &before, &mut Fake::default());
        book.import(&draft.import, 1000).unwrap();
        assert_eq!(draft.later, 250_000_000);
        let taken = if round == 0 { Outcome::Taken } else { Outcome::Before };
        let balance = |line: &&(&str, &str, Option<u64>, Outcome)| line.0 == "balance";
        let lines: Vec<_> = lines(&draft).iter().filter(balance).copied().collect();
        assert_eq!(
            lines,
            [
                ("balance", "alice", Some(1_234_567_890), taken),
                ("balance", "bob", Some(100_000_000), Outcome::Refused),
                ("balance", "carol", Some(100_000_000), Outcome::Refused),
                ("balance", "dave", Some(100_000_000), taken),
                ("balance", "eve", None, Outcome::Refused),
                ("balance", "", None, Outcome::Refused),
            ]
        );
        assert_eq!(owed(&book, "Lalice"), 1_334_567_890);
        assert_eq!(book.paid_before("Lalice").unwrap(), Amount(1_400_000_000));
        assert_eq!(book.audit(true).unwrap().wrong, Vec::<String>::new());
    }
}

#[test]
fn a_refusal_of_all_balances_together_is_no_crash() {
    let mut nomp = empty();
    nomp.balances = fields(&[("La", "92233720368.54775807"), ("Lb", "0.00000001")]);
    let draft = judge(&nomp, &Imported::default(), &mut Fake::default());
    assert_eq!(draft.lines[0].outcome, Outcome::Taken);
    assert_eq!(draft.lines[1].outcome, Outcome::Refused);
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), "coin").import(&draft.import, 1).unwrap();
}

#[test]
fn the_source_is_named_without_its_password() {
    let mpos = config::Mpos {
        host: "h".to_owned(),
        port: 3306,
        user: "u".to_owned(),
        password: config::Secret::new("hunter2".to_owned()),
        database: "d".to_owned(),
        auth: config::MposAuth::None,
        auto_create: false,
        multiplier: 1.0,
    };
    assert_eq!(mpos::source(&mpos), "mpos h:3306/d");
    assert!(ImportKind::ALL.iter().all(|kind| kind.name() != "source"));
}
