//! A wallet without raw transactions: `sendmany`, which cannot be repeated.

use super::*;
use crate::payments::resolve::{Fact, resolve};
use crate::sys::clock::unix_ms;

/// Longer than any call may still be on its way.
const LATER: u64 = 601_000;

fn without_raw() -> Scene {
    let scene = Scene::new();
    scene.world().no_raw = true;
    scene.world().tip = HEIGHT + 100;
    scene
}

fn error(code: i64, message: &str) -> String {
    json!({"code": code, "message": message}).to_string()
}

fn decide(scene: &Scene, mark: &str, fact: Fact, after: u64) -> Result<String, String> {
    // As in a recovery: payments are off meanwhile.
    let mut pool = scene.pool.clone();
    pool.idle_payments = pool.payments.take();
    let now = unix_ms() + after;
    resolve(&pool, scene.path(), &mut scene.book(), (mark, fact), now)
}

fn open_mark(scene: &Scene) -> Option<String> {
    scene.book().open_intent().unwrap().map(|intent| intent.mark)
}

/// `c` has all but some units that are dust; it was paid them once, and the book knows.
fn paid_once(scene: &Scene, context: &str) {
    scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = 6);
    assert_eq!(scene.live(2), None, "{context}");
    let book = scene.book();
    let audit = book.audit(true).unwrap();
    assert_eq!(audit.wrong, Vec::<String>::new(), "{context}");
    let paid = scene.world().paid().get(&script("c")).copied().unwrap_or(0);
    assert_eq!(book.balance("c").unwrap().unwrap().paid.0, paid, "{context}");
    assert_eq!(i128::from(paid) + audit.owed + audit.held, i128::from(VALUE), "{context}");
    assert!(paid > VALUE - 100, "{context}: {audit:?}");
    assert_eq!(audit.in_flight, 0, "{context}");
    assert_eq!(book.open_intent().unwrap(), None, "{context}");
    let confirmed = book.payouts(&[PayoutState::Confirmed]).unwrap();
    assert_eq!((confirmed.len(), confirmed[0].fee), (1, Amount(2_000)), "{context}");
}

/// M1, M2, M3: at every call, before it and after it. An operator is asked only where the payer died
/// between the book and the wallet.
#[test]
fn whenever_the_payer_dies_nobody_is_paid_twice_or_forgotten() {
    let (mut deaths, mut asked) = (0, 0);
    for death in [Death::Before, Death::After] {
        for at in 0.. {
            let scene = without_raw();
            scene.world().death = Some((at, death));
            scene.live(6);
            let context = format!("{death:?} {at}");
            if let Some(mark) = open_mark(&scene) {
                let said = scene.live(1).unwrap();
                assert!(said.contains("knows no transaction with its mark"), "{context}: {said}");
                assert!(said.contains(&format!("payouts testcoin resolve {mark}")), "{said}");
                assert!(scene.world().sent.is_empty(), "{context}: another one was made");
                assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
                decide(&scene, &mark, Fact::Unsent, LATER).unwrap();
                assert_eq!(scene.live(3), None, "{context}");
                asked += 1;
            }
            scene.world().sent.values_mut().for_each(|(_, confirmations)| *confirmations = 6);
            scene.live(2);
            let was_alive = scene.world().calls <= at;
            scene.world().death = None;
            paid_once(&scene, &context);
            if was_alive {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "the payer died {deaths} times");
    assert_eq!(asked, 1, "only the call itself, and only before it");
}

/// M4, M12: an answer that says that nothing was sent gives the balances back at once.
#[test]
fn a_refusal_leaves_nothing_behind() {
    for (code, words) in [
        (-6, "Insufficient funds"),
        (-4, "Transaction creation failed"),
        (-13, "is locked: unlock it"),
        (-32601, "Method not found"),
        (-28, "Loading wallet"),
    ] {
        let scene = without_raw();
        scene.world().refusals.insert("sendmany", error(code, words));
        let said = scene.live(4).unwrap_or_default();
        assert!(said.contains(words), "{code}: {said}");
        let book = scene.book();
        assert_eq!(book.intents().unwrap(), [], "{code}");
        assert!(book.balance("c").unwrap().unwrap().unpaid.0 > VALUE - 100, "{code}");
        assert_eq!(book.audit(true).unwrap().wrong, Vec::<String>::new(), "{code}");
        drop(book);
        scene.world().refusals.clear();
        assert_eq!(scene.live(3), None, "{code}");
        paid_once(&scene, words);
    }
}

/// What an error leaves open is looked for; only the operator says that it was not sent, and only
/// when no wallet can prove him wrong.
#[test]
fn what_may_have_been_sent_is_not_sent_again() {
    let scene = without_raw();
    scene.world().refusals.insert("sendmany", error(-4, "Transaction commit failed"));
    let said = scene.live(5).unwrap();
    assert!(said.contains("knows no transaction with its mark"), "{said}");
    scene.world().refusals.clear();
    let mark = open_mark(&scene).unwrap();
    assert!(scene.live(3).unwrap().contains(&mark));
    assert!(scene.world().sent.is_empty());
    let in_flight = scene.book().balance("c").unwrap().unwrap().in_flight.0;
    assert!(in_flight > VALUE - 100);

    let refused = |fact, after, words: &str| {
        let said = decide(&scene, &mark, fact, after).unwrap_err();
        assert!(said.contains(words), "{said}");
        assert_eq!(open_mark(&scene).as_ref(), Some(&mark));
    };
    refused(Fact::Unsent, 0, "still be on its way: try again in 600 s");
    scene.world().uptime = LATER / 1000 + 300;
    refused(Fact::Unsent, LATER, "restart it first");
    scene.world().uptime = 5;
    scene.world().is_theirs = true;
    refused(Fact::Unsent, LATER, "does not own the pool's address");
    scene.world().is_theirs = false;
    refused(Fact::Txid(Hash([5; 32])), 0, "does not know transaction");
    refused(Fact::Txid(coinbase()), 0, "does not pay what the book says");
    let other = decide(&scene, "romp-other", Fact::Unsent, LATER).unwrap_err();
    assert!(other.contains("no open payout romp-other"), "{other}");
    decide(&scene, &mark, Fact::Unsent, LATER).unwrap();
    assert!(decide(&scene, &mark, Fact::Unsent, LATER).is_err(), "it is settled");
    assert!(scene.book().intents().unwrap().iter().all(|intent| !intent.is_open));
    assert_eq!(scene.live(3), None);
    assert!(scene.world().marks.values().all(|other| *other != mark), "a new mark each time");
    paid_once(&scene, "resolved");
}

/// bitcoin/bitcoin#19708, NOMP's M3: the wallet has sent it, and says something else.
#[test]
fn what_was_sent_is_found_by_its_mark() {
    let scene = without_raw();
    scene.world().lies.insert("sendmany", error(-4, "Transaction commit failed"));
    scene.live(2);
    // The wallet knows better than the operator.
    scene.world().refusals.insert("listsinceblock", error(-28, "Loading wallet"));
    assert!(scene.live(3).unwrap().contains("Loading wallet"));
    scene.world().refusals.clear();
    let mark = open_mark(&scene).unwrap();
    let said = decide(&scene, &mark, Fact::Unsent, LATER).unwrap_err();
    assert!(said.contains("it was sent: the wallet has it as transaction"), "{said}");
    assert_eq!(scene.live(2), None);
    paid_once(&scene, "adopted");

    // Its mark is gone, as after a wallet was restored from keys: the operator knows the id.
    let scene = without_raw();
    scene.world().lies.insert("sendmany", error(-1, "disk"));
    scene.live(2);
    let marks = scene.world().marks.clone();
    scene.world().marks.values_mut().for_each(|mark| *mark = "another note".to_owned());
    let said = scene.live(2).unwrap();
    assert!(said.contains("knows no transaction with its mark"), "{said}");
    let (txid, mark) = marks.into_iter().next().unwrap();
    let txid = Hash::from_display(&txid).unwrap();
    let said_unsent = decide(&scene, &mark, Fact::Unsent, LATER).unwrap_err();
    assert!(said_unsent.contains(&format!("has it as transaction {txid}")), "{said_unsent}");
    decide(&scene, &mark, Fact::Txid(txid), 0).unwrap();
    assert_eq!(scene.live(2), None);
    paid_once(&scene, "by its id");
}

/// Bitcoin before 0.9, whose `gettransaction` has no `hex`.
#[test]
fn a_wallet_that_tells_no_bytes_pays_only_where_the_daemon_tells_them() {
    let scene = without_raw();
    scene.world().no_hex = true;
    scene.world().refusals.insert("getrawtransaction", error(-5, "No information available"));
    let said = scene.live(3).unwrap();
    assert!(said.contains("-txindex") && said.contains("nothing was sent"), "{said}");
    assert!(scene.world().sent.is_empty());
    assert_eq!(scene.book().intents().unwrap(), []);
    scene.world().refusals.clear();
    assert_eq!(scene.live(3), None);
    paid_once(&scene, "by getrawtransaction");
}

#[test]
fn two_transactions_with_one_mark_are_nobodys_guess() {
    let scene = without_raw();
    scene.world().refusals.insert("sendmany", error(-4, "Transaction commit failed"));
    scene.live(2);
    let mark = open_mark(&scene).unwrap();
    for number in [5_u8, 6] {
        let txid = Hash([number; 32]).to_string();
        scene.world().marks.insert(txid, mark.clone());
    }
    let said = scene.live(2).unwrap();
    assert!(said.contains("several transactions with its mark"), "{said}");
    assert!(scene.world().sent.is_empty());
    // One that pays something else is not taken for it either.
    scene.world().marks.clear();
    let twin = Transaction::parse(&paying(&[])).unwrap();
    scene.world().bytes.insert(twin.txid.to_string(), paying(&[]));
    scene.world().marks.insert(twin.txid.to_string(), mark.clone());
    scene.world().sent.insert(twin.txid.to_string(), (twin, 1));
    let said = scene.live(2).unwrap();
    assert!(said.contains("does not pay what the book says of it"), "{said}");
    assert_eq!(open_mark(&scene), Some(mark));
    assert_eq!(scene.book().audit(true).unwrap().wrong, Vec::<String>::new());
}

/// M9: addresses that the wallet refuses do not hold up the others.
#[test]
fn one_whom_the_wallet_refuses_is_set_aside_and_all_others_are_paid() {
    let scene = without_raw();
    let names: Vec<String> = (0..37).map(|n| format!("miner{n}")).collect();
    let mut work: BTreeMap<String, u64> = names.iter().map(|name| (name.clone(), 1)).collect();
    work.extend([("refused".to_owned(), 1), ("tiny".to_owned(), 1)]);
    let second = BlockFound { hash: Hash([2; 32]), ..block() };
    scene.book().take_in(&second, &work, 100).unwrap();
    assert_eq!(scene.live(3), None);
    let paid = scene.world().paid();
    assert!(names.iter().all(|name| paid.contains_key(&script(name))));
    let held = scene.book().held().unwrap();
    for (name, words) in [("refused", "Invalid address"), ("tiny", "amount too small")] {
        let one = held.iter().find(|held| held.name == name).unwrap();
        assert!(one.reason.contains(words) && one.balance.0 > 0, "{one:?}");
    }
    let book = scene.book();
    assert_eq!(book.intents().unwrap(), []);
    assert!(names.iter().all(|name| book.balance(name).unwrap().unwrap().unpaid.0 == 0));
    assert_eq!(book.audit(true).unwrap().wrong, Vec::<String>::new());
}
