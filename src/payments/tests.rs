#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! A wallet and a chain that can fail at every call: before it was executed, or after it with the
//! answer lost. Each time the payer is gone, too, and starts anew on what is in the book.

mod claims;
mod fees;
mod replaced;
mod sendmany;
mod stuck;
mod taking;
mod world;

use super::coin::Coin;
use crate::chain::Hash;
use crate::chain::transaction::{Output, Transaction};
use crate::config::{Payments, Pool};
use crate::daemon::stub;
use crate::journal::{BlockFound, Record};
use crate::ledger::Batch;
use crate::ledger::book::{Book, PayoutState, State};
use crate::rewards::Amount;
use crate::rewards::Scheme;
use crate::stratum::Unit;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use world::{Death, HEIGHT, VALUE, World, coinbase, paying, script};

fn block() -> BlockFound {
    BlockFound {
        time: 100,
        hash: Hash([1; 32]),
        height: HEIGHT,
        previous: Hash([0; 32]),
        coinbase_txid: coinbase(),
        coinbase_value: Amount(VALUE),
        pool_value: Amount(VALUE),
        worker: "a".to_owned(),
        difficulty: 1.0,
        stale: false,
        scheme: Scheme::Prop,
    }
}

struct Scene {
    dir: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    pool: Pool,
}

impl Scene {
    /// With a block in the book.
    fn new() -> Self {
        let scene = Self::bare();
        let work = [("a", 1), ("a.rig", 1), ("b", 1), ("nobody", 1), ("c", 100_000_000_000)];
        let work = work.map(|(name, weight)| (name.to_owned(), weight)).into();
        scene.book().take_in(&block(), &work, 100).unwrap();
        scene
    }

    fn bare() -> Self {
        let world =
            Arc::new(Mutex::new(World { tip: HEIGHT, money: 10 * VALUE, ..World::default() }));
        let answers = Arc::clone(&world);
        let daemon = stub::daemon(move |method, body| answers.lock().unwrap().answer(method, body));
        let mut pool = crate::templates::tests::pool(vec![daemon.clone()]);
        pool.daemon_timeout = Duration::from_secs(20);
        pool.payments = Some(Payments {
            wallet: daemon,
            interval: Duration::ZERO,
            minimum: Amount(10_000),
            reserve: Amount(0),
            fee_ppm: 0,
            fee_account: None,
            minimums: BTreeMap::new(),
        });
        Self { dir: tempfile::tempdir().unwrap(), world, pool }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn book(&self) -> Book {
        crate::ledger::book::tests::open(self.path(), "testcoin")
    }

    fn coin(&self) -> Coin {
        Coin::new(&self.pool, self.pool.payments.as_ref().unwrap(), self.path())
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Cycles of one payer; whoever dies is replaced. What the last one said, if it was in trouble.
    fn live(&self, cycles: usize) -> Option<String> {
        let mut alive = (self.coin(), self.book());
        let mut said = None;
        for _ in 0..cycles {
            said = alive.0.cycle(&mut alive.1).err().map(|trouble| trouble.to_string());
            if std::mem::take(&mut self.world().died) {
                drop(alive);
                alive = (self.coin(), self.book());
            }
        }
        said
    }
}

/// M1, M2, M3: at every call, before it and after it.
#[test]
fn whenever_the_payer_dies_everybody_is_paid_once() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for at in 0.. {
            let scene = Scene::new();
            scene.world().death = Some((at, death));
            scene.live(1);
            scene.world().tip = HEIGHT + 100;
            scene.live(4);
            scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = 6);
            scene.live(2);
            let mut book = scene.book();
            let audit = book.audit(true).unwrap();
            assert_eq!(audit.wrong, Vec::<String>::new(), "{death:?} {at}");
            let names = ["a", "b", "c"];
            let paid: i128 = names
                .iter()
                .map(|name| {
                    let balance = book.balance(name).unwrap().unwrap();
                    let paid = scene.world().paid().get(&script(name)).copied().unwrap_or(0);
                    assert_eq!(balance.paid.0, paid, "{death:?} {at}: {name}");
                    i128::from(paid)
                })
                .sum();
            // Dust of `a` and `b` waits; what nobody owns is set aside.
            assert_eq!(paid + audit.owed + audit.held, i128::from(VALUE), "{death:?} {at}");
            assert!(paid > 2_499_999_000, "{death:?} {at}: {audit:?}");
            assert_eq!(book.payouts(&PayoutState::OPEN).unwrap(), []);
            assert!(!book.hold("?nobody", None, 1).unwrap());
            if scene.world().calls <= at {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "the payer died {deaths} times");
}

/// M4, M12: nothing is destroyed when the wallet refuses, and all is paid when it does not.
#[test]
fn a_wallet_that_refuses_is_waited_for_in_words() {
    let scene = Scene::new();
    scene.world().tip = HEIGHT + 100;
    scene.live(3);
    assert_eq!(scene.world().sent.len(), 1);
    for (method, code, words) in [
        ("getbalance", -18, "Requested wallet does not exist"),
        ("signrawtransactionwithwallet", -13, "is locked: unlock it"),
        ("fundrawtransaction", -4, "Insufficient funds"),
        ("gettransaction", -28, "Loading wallet"),
        ("sendrawtransaction", -26, "min relay fee not met"),
    ] {
        let scene = Scene::new();
        scene.world().tip = HEIGHT + 100;
        let refusal = json!({"code": code, "message": words}).to_string();
        scene.world().refusals.insert(method, refusal);
        let said = scene.live(4).unwrap_or_default();
        assert!(said.contains(words) || said.contains("not taken"), "{method}: {said}");
        assert!(scene.world().sent.is_empty(), "{method}");
        scene.world().refusals.clear();
        assert_eq!(scene.live(4), None, "{method}");
        assert_eq!(scene.world().sent.len(), 1, "{method}");
        assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
    }
}

#[test]
fn what_the_wallet_does_not_cover_waits_and_is_named() {
    let scene = Scene::new();
    scene.world().tip = HEIGHT + 100;
    scene.world().money = VALUE / 2;
    let said = scene.live(2).unwrap();
    assert!(said.contains("more are owed and wait"), "{said}");
    let part = scene.world().paid()[&script("c")];
    assert_eq!(part, VALUE / 2 - 1_000_000, "a debt is paid as far as the money goes");
    scene.world().money = 0;
    assert!(scene.live(2).unwrap().contains("more are owed and wait"));
    scene.world().money = 2 * VALUE;
    assert_eq!(scene.live(3), None);
    assert_eq!(scene.world().sent.len(), 2);
    assert!(scene.world().paid()[&script("c")] > VALUE - 100);
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// M9: one whom the network does not let be paid, or not so little.
#[test]
fn one_who_cannot_be_paid_is_set_aside_and_all_others_are_paid() {
    for (name, words) in [("odd", "scriptpubkey"), ("dusty", "dust"), ("tiny", "too small")] {
        set_aside_alone(name, words);
    }
}

fn set_aside_alone(name: &str, words: &str) {
    let scene = Scene::new();
    let names: Vec<String> = (0..37).map(|n| format!("miner{n}")).collect();
    let mut work: BTreeMap<String, u64> = names.iter().map(|name| (name.clone(), 1)).collect();
    work.insert(name.to_owned(), 1);
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    scene.book().take_in(&second, &work, 100).unwrap();
    scene.world().tip = HEIGHT + 100;
    assert_eq!(scene.live(3), None);
    let paid = scene.world().paid();
    assert!(names.iter().all(|name| paid.contains_key(&script(name))) && paid.len() == 38);
    let held = scene.book().held().unwrap();
    let odd = held.iter().find(|held| held.name == name).unwrap();
    assert!(odd.reason.contains(words) && odd.balance.0 > 0, "{odd:?}");
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// A daemon that cannot be asked (before 0.17, Dogecoin), and does not relay to Taproot: what it
/// never takes does not get into the book.
#[test]
fn nobody_whom_an_old_daemon_never_pays_gets_into_the_book() {
    let scene = Scene::new();
    let unknown = json!({"code": -32601, "message": "Method not found"}).to_string();
    scene.world().refusals.insert("testmempoolaccept", unknown);
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    let work = [("taproot".to_owned(), 1), ("d".to_owned(), 1)].into();
    scene.book().take_in(&second, &work, 100).unwrap();
    scene.world().tip = HEIGHT + 100;
    assert_eq!(scene.live(3), None);
    let paid = scene.world().paid();
    assert!(paid.contains_key(&script("d")) && !paid.contains_key(&script("taproot")), "{paid:?}");
    let held = scene.book().held().unwrap();
    let late = held.iter().find(|held| held.name == "taproot").unwrap();
    assert!(late.reason.contains("older than addresses of its kind"), "{late:?}");
    // A newer one pays him.
    scene.world().refusals.clear();
    scene.book().retry(1).unwrap();
    assert_eq!(scene.live(3), None);
    assert!(scene.world().paid().contains_key(&script("taproot")));
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// A tally whose one round was closed by the block.
fn tally(dir: &Path) {
    let mut batch = Batch::new(Unit(0));
    let share = Record::Share { time: 1, worker: "a".to_owned(), weight: 5, scheme: Scheme::Prop };
    assert!(batch.add("s", 0, 10, share));
    assert!(batch.add("s", 10, 20, Record::Block(Box::new(block()))));
    crate::ledger::open_sqlite(dir, "testcoin").unwrap().apply(&batch).unwrap();
}

/// A book that was lost, or payments that are switched on late: what was paid by hand is not paid
/// again.
#[test]
fn a_new_book_asks_before_it_takes_in_old_blocks() {
    for without_old in [false, true] {
        let scene = Scene::bare();
        tally(scene.path());
        scene.world().tip = HEIGHT + 100;
        let said = scene.live(3).unwrap();
        assert!(
            said.contains("the book is new") && said.contains("payouts testcoin begin"),
            "{said}"
        );
        assert_eq!(scene.book().block_count().unwrap(), 0);
        if without_old {
            scene.book().pass_over(&block(), 1).unwrap();
        }
        // Old debts were paid by hand since payments saw the chain first.
        by_hand(&scene, "a");
        scene.book().begin(super::BEGUN, "by hand").unwrap();
        assert_eq!(scene.live(3), None);
        assert_eq!(scene.world().sent.len(), usize::from(!without_old));
        assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
    }
}

/// Somebody pays by hand from the pool's wallet.
fn by_hand(scene: &Scene, name: &str) -> Hash {
    let output = Output { value: Amount(5), script: script(name) };
    let paid = Transaction::parse(&paying(&[output])).unwrap();
    let txid = paid.txid;
    scene.world().twins.insert(txid.to_string(), paid);
    txid
}

/// F48: what took the place of a payout decides whether it is owed again.
#[test]
fn a_payout_is_void_only_when_nothing_else_has_paid_it() {
    for same_people in [true, false] {
        let scene = Scene::new();
        scene.world().tip = HEIGHT + 100;
        assert_eq!(scene.live(3), None);
        let outputs = match same_people {
            true => scene.world().sent.values().next().unwrap().0.outputs.clone(),
            false => vec![Output { value: Amount(5), script: script("somebody") }],
        };
        let twin = Transaction::parse(&paying(&outputs)).unwrap();
        scene.world().twins.insert(twin.txid.to_string(), twin);
        scene.world().twin_depth = Some(5);
        scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -99);
        scene.live(2);
        assert_eq!(scene.world().sent.len(), 1);
        assert_eq!(scene.book().payouts(&[PayoutState::Sent]).unwrap().len(), 1);
        scene.world().twin_depth = None;
        scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = -100);
        scene.live(3);
        let void = scene.book().payouts(&[PayoutState::Void]).unwrap().len();
        assert_eq!((void, scene.world().sent.len()), if same_people { (0, 1) } else { (1, 2) });
        let confirmed = scene.book().payouts(&[PayoutState::Confirmed]).unwrap().len();
        assert_eq!(confirmed, usize::from(same_people), "the other one is the payout");
        assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
    }
}

/// M13: the wrong wallet, and a chain that is not the book's.
#[test]
fn a_foreign_wallet_or_chain_pays_and_decides_nothing() {
    let scene = Scene::new();
    scene.live(2);
    scene.world().is_theirs = true;
    scene.world().tip = HEIGHT + 100;
    let said = scene.live(3).unwrap();
    assert!(said.contains("does not own the pool's address"), "{said}");
    let chain = json!({"code": -5, "message": "another chain"}).to_string();
    scene.world().is_theirs = false;
    scene.world().refusals.insert("getblockhash", chain);
    assert!(scene.live(2).is_some());
    assert!(scene.world().sent.is_empty());
    scene.world().refusals.clear();
    assert_eq!(scene.live(2), None);
    assert_eq!(scene.world().sent.len(), 1);
}

/// M8, M13; F45: no early verdict, and a block that comes back.
#[test]
fn a_block_is_an_orphan_only_when_another_one_is_deep() {
    let scene = Scene::new();
    let state = || scene.book().blocks(&State::ALL).unwrap()[0].state;
    scene.live(2);
    assert_eq!(state(), State::Immature);
    scene.world().gone = true;
    scene.world().tip = HEIGHT + 99;
    scene.live(2);
    assert_eq!(state(), State::Immature);
    scene.world().tip = HEIGHT + 100;
    scene.live(1);
    assert_eq!(state(), State::Orphaned);
    scene.world().gone = false;
    // Back, and then credited by its own work.
    scene.live(3);
    assert_eq!(state(), State::Mature);
    scene.world().gone = true;
    scene.live(1);
    assert_eq!(state(), State::Lost);
    let audit = scene.book().audit(true).unwrap();
    assert_eq!((audit.lost, audit.wrong), (i128::from(VALUE), Vec::new()));
}
