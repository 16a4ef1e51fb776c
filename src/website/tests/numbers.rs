//! Numbers that are worked out once a look: workers by owner, luck, earnings, what holds a payout.

use super::*;
use crate::chain::Hash;
use crate::history::{Mined, Reasons};
use crate::journal::BlockFound;
use crate::ledger::book::Balance;
use crate::ledger::{BlockRow, BlockState};
use crate::rewards::{Amount, Scheme};
use crate::website::luck::{Luck, Network, Rounds};
use crate::website::payday::{Hold, holds};
use crate::website::rigs::Rigs;

fn worker(rate: f64, last: Option<u64>) -> WorkerView {
    let reasons = Reasons::of(Reject::Stale, 2);
    let (work, difficulty) = (rate / 2.0, last.map(|at| at as f64));
    WorkerView { work, shares: 3, rejected: 2, rate, reasons, last, difficulty }
}

#[test]
fn workers_are_ordered_by_owner_and_by_rate_once() {
    let workers = [
        ("a.slow", worker(1.0, Some(5))),
        ("a.fast", worker(9.0, Some(4))),
        ("b_rig", worker(4.0, None)),
    ];
    let history = HistoryView {
        workers: workers.map(|(name, view)| (name.to_owned(), view)).into(),
        ..HistoryView::default()
    };
    let round = [("a.fast".to_owned(), 2.0), ("c".to_owned(), 7.0)].into();
    let coin = CoinView {
        ledger: kept(Ledger { round, ..Ledger::default() }),
        history: kept(Some(history)),
        ..CoinView::default()
    };
    let rigs = Rigs::of(&coin);
    let names = |rigs: Vec<&crate::website::rigs::Known>| -> Vec<String> {
        rigs.into_iter().map(|rig| rig.name.clone()).collect()
    };
    assert_eq!(names(rigs.fastest().collect()), ["a.fast", "b_rig", "a.slow", "c"]);
    assert_eq!(names(rigs.owned("a").collect()), ["a.fast", "a.slow"]);
    assert_eq!(rigs.owned("nobody").count(), 0);
    assert_eq!(rigs.owners.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let owner = &rigs.owners["a"];
    assert_eq!((owner.window.rate, owner.window.shares, owner.round), (10.0, 6, 2.0));
    assert_eq!(owner.window.reasons.total(), 4);
    assert_eq!((owner.window.last, owner.window.difficulty), (Some(5), Some(5.0)));
    assert_eq!(rigs.owners["c"].round, 7.0);
}

fn block(number: u8, scheme: Scheme, value: u64) -> BlockRow {
    let found = BlockFound {
        time: u64::from(number) * 1000,
        hash: Hash([number; 32]),
        height: number.into(),
        previous: Hash([0; 32]),
        coinbase_txid: Hash([0; 32]),
        coinbase_value: Amount(value),
        pool_value: Amount(value),
        worker: "a.1".to_owned(),
        difficulty: 2.0,
        stale: false,
        scheme,
    };
    BlockRow { found, state: BlockState::Accepted, answers: Vec::new() }
}

/// Three blocks of which history knows the work of two.
fn mined() -> CoinView {
    let pplns = Scheme::Pplns { window: 1 };
    let overview = Overview {
        blocks: vec![block(3, pplns, 100), block(2, Scheme::Solo, 90), block(1, pplns, 80)],
        ..Overview::default()
    };
    let of = |number: u8, work| Mined {
        hash: Hash([number; 32]),
        height: number.into(),
        time: 0,
        difficulty: 2.0,
        work,
    };
    let history = HistoryView {
        // Each unit is 2^32 hashes.
        hashes: 32_f64.exp2(),
        mined: vec![of(3, Some(1)), of(2, Some(5)), of(1, None)],
        ..HistoryView::default()
    };
    CoinView {
        ledger: kept(Ledger { overview, ..Ledger::default() }),
        history: kept(Some(history)),
        ..CoinView::default()
    }
}

#[test]
fn luck_is_what_blocks_take_over_what_they_took() {
    let config = config();
    let pool = &config.pools["litecoin"];
    let luck = Luck::of(&mined(), &Rounds::default(), pool);
    assert_eq!(luck.effort(&Hash([3; 32])), Some(50.0));
    assert_eq!(luck.effort(&Hash([2; 32])), Some(250.0));
    assert_eq!(luck.effort(&Hash([1; 32])), None);
    assert_eq!(luck.over(1), Some((200.0, 1)));
    assert_eq!(luck.over(100), Some((2.0 / 3.0 * 100.0, 2)));
    assert_eq!(Luck::default().over(5), None);
}

/// Nothing is known of them but that they were taken, and when.
#[test]
fn blocks_of_a_pool_that_does_not_pay_were_found_one_after_the_other() {
    let mut coin = mined();
    let ledger = coin.ledger.value.as_mut().and_then(Arc::get_mut).unwrap();
    ledger.overview.blocks_found = 9;
    ledger.overview.blocks[1].state = BlockState::Rejected;
    let pending = |then| coin.blocks_until(then).pending;
    assert_eq!([999, 1000, 2999, 3000].map(pending), [6, 7, 7, 8]);
    assert_eq!(coin.blocks().pending, 8);
}

/// Refused blocks were none: luck is over what was found for all the work that was done.
#[test]
fn the_work_of_refused_blocks_is_effort_of_the_next() {
    let config = config();
    let pool = &config.pools["litecoin"];
    let luck = |work| {
        let mut coin = mined();
        let history = coin.history.value.as_mut().and_then(Arc::get_mut).unwrap();
        history.as_mut().unwrap().mined[2].work = work;
        let ledger = coin.ledger.value.as_mut().and_then(Arc::get_mut).unwrap();
        ledger.overview.blocks[2].state = BlockState::Rejected;
        Luck::of(&coin, &Rounds::default(), pool)
    };
    let known = luck(Some(4));
    assert_eq!(known.effort(&Hash([1; 32])), None);
    assert_eq!(known.effort(&Hash([3; 32])), Some(200.0 + 50.0));
    assert_eq!(known.effort(&Hash([2; 32])), Some(250.0), "a solo miner's has its own work");
    assert_eq!(known.over(1), Some((40.0, 1)));
    assert_eq!(known.over(100), Some((40.0, 2)));
    let unknown = luck(None);
    assert_eq!(unknown.effort(&Hash([3; 32])), None, "too little is not said");
    assert_eq!(unknown.over(100), Some((40.0, 1)));
}

#[test]
fn earnings_are_the_share_of_the_blocks_that_a_rate_finds() {
    let mut config = config();
    let pool = config.pools.get_mut("litecoin").unwrap();
    let mut coin = mined();
    coin.network = Network::of(pool, &json!({"difficulty": 86_400.0, "height": 7}));
    // 150 s a block.
    assert_eq!(coin.network.rate, Some(86_400.0 * 32_f64.exp2() / 150.0));
    assert_eq!(coin.daily(pool, 32_f64.exp2()), None, "what a block brings is not known");
    coin.luck = Arc::new(Luck::of(&coin, &Rounds::default(), pool));
    assert_eq!(coin.daily(pool, 32_f64.exp2()), Some(100), "a block a day, of the newest value");
    pool.payments = Some(paying());
    assert_eq!(coin.daily(pool, 32_f64.exp2() * 10.0), Some(990), "the fee is off");
    assert_eq!(coin.daily(pool, -1.0), Some(0));
    coin.network = Network::of(pool, &Value::Null);
    assert_eq!((coin.network.rate, coin.daily(pool, 1.0)), (None, None));
}

pub(super) fn paying() -> crate::config::Payments {
    serde_json::from_value(json!({
        "wallet": {"host": "127.0.0.1", "port": 1, "user": "u", "password": "hush"},
        "interval": {"secs": 600, "nanos": 0}, "minimum": 1000, "reserve": 0, "fee_ppm": 10_000,
        "fee_account": null, "minimums": {}
    }))
    .unwrap()
}

#[test]
fn what_holds_a_payout_is_said() {
    let mut config = config();
    let pool = config.pools.get_mut("litecoin").unwrap();
    let none = Value::Null;
    assert_eq!(holds(pool, None, None, 5, &none), [Hold::Off]);
    pool.payments = Some(paying());
    let owed = |unpaid, in_flight, held: Option<&str>| Balance {
        unpaid: Amount(unpaid),
        in_flight: Amount(in_flight),
        paid: Amount(0),
        held: held.map(str::to_owned),
    };
    let of = |balance: &Balance, immature, waits: &Value| -> Vec<&'static str> {
        let holds = holds(pool, Some(balance), None, immature, waits);
        holds.iter().map(Hold::name).collect()
    };
    assert_eq!(holds(pool, None, None, 0, &none), [Hold::Nothing]);
    assert_eq!(holds(pool, None, None, 5, &none), [Hold::Ripening { about: 5 }]);
    let below = holds(pool, Some(&owed(400, 0, None)), Some(Amount(500)), 0, &none);
    let missing = Hold::BelowMinimum { missing: Amount(100), minimum: Amount(500) };
    assert_eq!(below, [missing]);
    assert_eq!(
        below[0].words(pool),
        "0.00000100 LTC are missing to the 0.00000500 LTC from which on you are paid."
    );
    assert_eq!(of(&owed(400, 7, None), 5, &none), ["in-flight", "below-minimum", "ripening"]);
    assert_eq!(of(&owed(1000, 0, None), 0, &none), ["due"]);
    let waits = json!({"payments": "no money"});
    assert_eq!(of(&owed(1000, 0, None), 0, &waits), ["payments-waiting"]);
    assert_eq!(of(&owed(1000, 0, Some("why")), 0, &none), ["held"]);
    let held = Hold::Held.words(pool);
    assert!(!held.contains("why") && held.contains("operator"), "{held}");
}
