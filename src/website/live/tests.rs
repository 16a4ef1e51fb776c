//! Live numbers, without sockets.

use super::*;
use crate::chain::Hash;
use crate::config::Config;
use crate::journal::BlockFound;
use crate::ledger::{BlockRow, BlockState};
use crate::rewards::{Amount, Scheme};
use crate::website::coin::{CoinView, HistoryView, Ledger, WorkerView};
use crate::website::reply::{Kind, Prepared};
use crate::website::rigs::Rigs;
use crate::website::snapshot::Kept;
use crate::website::tests::{config, settings};

const MINER: &str = "one";

fn site() -> Site {
    let config = Config { website: Some(settings([1, 1, 1])), ..config() };
    Site::new(Arc::new(config), "").unwrap()
}

fn kept<T>(value: T) -> Kept<T> {
    Kept { value: Some(Arc::new(value)), at: 1, trouble: None }
}

fn row(height: u64, state: BlockState) -> BlockRow {
    let found = BlockFound {
        time: 1000,
        hash: Hash([u8::try_from(height).unwrap(); 32]),
        height,
        previous: Hash([0; 32]),
        coinbase_txid: Hash([0; 32]),
        coinbase_value: Amount(1),
        pool_value: Amount(1_250_000_000),
        worker: "<b>finder".to_owned(),
        difficulty: 1.0,
        stale: false,
        scheme: Scheme::Prop,
    };
    BlockRow { found, state, answers: Vec::new() }
}

/// A coin with blocks, and a miner with so many shares.
fn snapshot(at: u64, blocks: Vec<BlockRow>, shares: u64) -> Snapshot {
    let mut ledger = Ledger::default();
    ledger.overview.blocks_found = blocks.len() as u64;
    ledger.overview.blocks = blocks;
    let worker = WorkerView { shares, ..WorkerView::default() };
    let names = ["one.rig", "one.other", "onetwo.rig"];
    let workers = names.map(|name| (name.to_owned(), worker)).into();
    let history = HistoryView { workers, ..HistoryView::default() };
    let mut coin =
        CoinView { ledger: kept(ledger), history: kept(Some(history)), ..CoinView::default() };
    coin.rigs = Arc::new(Rigs::of(&coin));
    let coins = [("litecoin".to_owned(), coin)].into();
    let stats = Prepared::new(Kind::Json, format!("{{\"n\":{at}}}"));
    Snapshot { at, coins, stats, ..Snapshot::default() }
}

fn wants(topics: &str, miner: Option<&str>) -> Wants {
    let (topics, miner) = (Some(topics.to_owned()), miner.map(str::to_owned));
    Asked { topics, miner, coin: None }.wants().unwrap()
}

fn text(message: &Bytes) -> String {
    String::from_utf8(message.to_vec()).unwrap()
}

#[test]
fn who_does_not_listen_is_dropped_and_who_does_hears_all() {
    let site = site();
    let listen = || site.live.listen(&site, Wants::nomp()).unwrap();
    let (mut good, mut bad) = (listen(), listen());
    assert_eq!(good.try_recv().unwrap(), "\n");
    for number in 1..=6 {
        site.publish(snapshot(number, Vec::new(), 0));
        assert_eq!(good.try_recv().unwrap(), format!("data: {{\"n\":{number}}}\n\n"));
    }
    let heard = std::iter::from_fn(|| bad.try_recv().ok()).count();
    assert_eq!(heard, WAITING, "what had been sent before it was dropped");
    assert!(bad.is_closed());
    let mut late = listen();
    assert_eq!(late.try_recv().unwrap(), "\n");
    assert_eq!(late.try_recv().unwrap(), "data: {\"n\":6}\n\n", "the last numbers at once");
    site.live.beat();
    assert_eq!(late.try_recv().unwrap(), ": \n\n");
}

#[test]
fn listeners_share_what_is_written_and_hear_what_they_asked_for() {
    let site = site();
    site.publish(snapshot(1, Vec::new(), 0));
    let listen = |wants| {
        let mut told = site.live.listen(&site, wants).unwrap();
        while told.try_recv().is_ok() {}
        told
    };
    let mut same = [0; 2].map(|_| listen(wants("numbers,pools", None)));
    let mut miner = listen(wants("miner", Some("one.any")));
    let mut block = listen(wants("block", None));
    site.publish(snapshot(2, vec![row(7, BlockState::Accepted)], 5));
    let [first, second] = [0, 1].map(|n| same.get_mut(n).unwrap().try_recv().unwrap());
    assert_eq!(first.as_ptr(), second.as_ptr(), "one text for all");
    let said = text(&first);
    assert!(said.starts_with("event: pools\ndata: {\""), "{said}");
    assert!(said.ends_with("event: numbers\ndata: {\"time\":2}\n\n"), "{said}");
    let said = text(&miner.try_recv().unwrap());
    let data = said.strip_prefix("event: miner\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&data["address"], &data["shares"]), (&json!(MINER), &json!(10)), "{said}");
    assert_eq!(data["workers"].as_array().unwrap().len(), 2, "no other address: {said}");
    let said = text(&block.try_recv().unwrap());
    assert!(said.contains("\"event\":\"found\"") && said.contains("\"height\":7"), "{said}");
    assert!(!said.contains('<'), "{said}");
    site.publish(snapshot(3, vec![row(7, BlockState::Accepted)], 5));
    assert!(block.try_recv().is_err(), "nothing happened to it");
}

#[test]
fn blocks_are_news_once_and_old_ones_are_none() {
    let quiet = Snapshot::default();
    let one = snapshot(1, vec![row(1, BlockState::Found)], 0);
    assert_eq!(blocks(&quiet, &one), "", "what was there at the first look");
    let two = snapshot(2, vec![row(2, BlockState::Found), row(1, BlockState::Rejected)], 0);
    let said = blocks(&one, &two);
    let heights = ["\"event\":\"orphaned\"", "\"event\":\"found\""].map(|it| said.find(it));
    assert!(heights[0].is_some() && heights[0] < heights[1], "in their order: {said}");
    assert_eq!(said.matches("event: block").count(), 2, "{said}");
    assert_eq!(blocks(&two, &two), "");
    // The ledger was away, and comes back with all of them.
    let mut away = two.clone();
    away.coins.get_mut("litecoin").unwrap().ledger = Kept::default();
    assert_eq!(blocks(&away, &two), "");
}

#[test]
fn what_cannot_be_listened_to_is_refused_in_words() {
    for (topics, miner) in [("miner", None), ("nothing", None), ("", None)] {
        let asked = Asked { topics: Some(topics.to_owned()), miner, coin: None };
        assert!(asked.wants().is_err(), "{topics}");
    }
    let long = Asked { topics: None, miner: Some("x".repeat(LONGEST + 1)), coin: None };
    assert!(long.wants().is_err());
    let site = site();
    let all: Vec<_> = (0..LISTENERS).map(|_| site.live.listen(&site, Wants::nomp())).collect();
    assert!(all.iter().all(Option::is_some));
    assert!(site.live.listen(&site, Wants::nomp()).is_none(), "there are too many");
    drop(all);
    assert!(site.live.listen(&site, Wants::nomp()).is_some(), "and they have gone");
}
