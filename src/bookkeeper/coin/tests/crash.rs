//! Histories of committed shares, dying writers and lost replies: the sums stay the journals'.

use super::faulty::Faulty;
use super::*;
use crate::ledger::BlockRow;
use crate::ledger::tests::Server;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
enum Step {
    Share(usize, u64),
    Block(usize),
    Commit(usize),
    /// kill -9 of a worker: what is not committed is gone, its file may end in half a frame.
    KillWorker(usize, bool),
    Turn(u64),
    KillBookkeeper,
    Fault(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = 0..3_usize;
    let step = prop_oneof![
        8 => (slot.clone(), 1..100_u64).prop_map(|(slot, weight)| Step::Share(slot, weight)),
        1 => slot.clone().prop_map(Step::Block),
        4 => slot.clone().prop_map(Step::Commit),
        1 => (slot, any::<bool>()).prop_map(|(slot, torn)| Step::KillWorker(slot, torn)),
        3 => (0..20_u64).prop_map(Step::Turn),
        1 => Just(Step::KillBookkeeper),
        2 => (1..=2_u8).prop_map(Step::Fault),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Lives through the steps and compares the tally with what was committed.
fn live(steps: &[Step], dir: &Path, open: &Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync>) {
    let faults = Arc::new(Mutex::new(VecDeque::new()));
    let new_coin = || {
        let (open, faults) = (Arc::clone(open), Arc::clone(&faults));
        let opener = move || {
            let faults = Arc::clone(&faults);
            let next = move |call: &str| match call {
                "apply" => faults.lock().unwrap().pop_front().unwrap_or(0),
                _ => 0,
            };
            Ok(Faulty::around(open(), next))
        };
        Coin::with("litecoin".to_owned(), dir.to_owned(), 1, UNIT, Box::new(opener))
    };
    let mut coin = new_coin();
    let mut writers: Vec<Writer> = (0..3).map(|slot| writer(dir, slot)).collect();
    let mut pushed: Vec<(u64, Weight, u64)> = vec![(0, 0, 0); 3];
    let (mut shares, mut weight, mut blocks) = (0, 0, 0);
    for (time, step) in (0..).zip(steps) {
        match *step {
            Step::Share(slot, work) => {
                writers[slot].push(&share(time, &format!("w{}", work % 4), work));
                pushed[slot].0 += 1;
                pushed[slot].1 += work;
            }
            Step::Block(slot) => {
                writers[slot].push(&block(time, time));
                pushed[slot].2 += 1;
            }
            Step::Commit(slot) => {
                writers[slot].commit().unwrap();
                let (some, work, found) = std::mem::take(&mut pushed[slot]);
                shares += some;
                weight += work;
                blocks += found;
            }
            Step::KillWorker(slot, torn) => {
                pushed[slot] = (0, 0, 0);
                let name = writers[slot].stream().unwrap().to_owned();
                writers[slot] = writer(dir, slot);
                if torn {
                    let path = journal::path(dir, "litecoin", &name);
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes.extend_from_slice(&[20, 0, !20, !0, 1, 2, 3]);
                    std::fs::write(&path, bytes).unwrap();
                }
            }
            Step::Turn(back) => {
                let _ = coin.turn(START + time.saturating_sub(back), 0);
            }
            Step::KillBookkeeper => coin = new_coin(),
            Step::Fault(fault) => faults.lock().unwrap().push_back(fault),
        }
    }
    faults.lock().unwrap().clear();
    add_all(&mut coin);
    let mut tally = open();
    let all = tally.overview(u32::MAX).unwrap();
    let mut sum: Weight = all.round.miners.values().sum();
    for BlockRow { found, .. } in &all.blocks {
        sum += tally.round(&found.hash).unwrap().values().sum::<Weight>();
    }
    let minutes: Weight = all.minutes.values().map(|minute| minute.weight).sum();
    assert_eq!((all.accepted, sum, minutes, all.blocks_found), (shares, weight, weight, blocks));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_committed_share_counts_once_in_sqlite(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        let open: Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync> =
            Arc::new(move || sqlite(&folder).unwrap());
        live(&steps, dir.path(), &open);
    }
}

#[test]
fn every_committed_share_counts_once_in_redis() {
    let Some(server) = Server::start().map(Arc::new) else { return };
    let case = std::sync::atomic::AtomicU32::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&steps(), |steps| {
        let dir = tempfile::tempdir().unwrap();
        let server = Arc::clone(&server);
        let name = format!("c{}", case.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let open: Arc<dyn Fn() -> Box<dyn Tally> + Send + Sync> =
            Arc::new(move || server.tally(&name));
        live(&steps, dir.path(), &open);
        Ok(())
    });
    result.unwrap();
}

/// How fast journals are added: `cargo test --lib throughput -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn throughput() {
    const FRAMES: u64 = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let mut one = writer(dir.path(), 0);
    for time in 0..FRAMES {
        one.push(&share(time / 10, &format!("ltc1qsomebody{}.rig", time % 100), 5));
    }
    one.commit().unwrap();
    let measure = |what: &str, coin: &mut Coin| {
        let start = std::time::Instant::now();
        add_all(coin);
        let seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let rate = FRAMES as f64 / seconds;
        eprintln!("{what}: {rate:.0} frames/s");
    };
    measure("SQLite", &mut coin(dir.path()));
    if let Some(server) = Server::start() {
        let folder = dir.path().to_owned();
        let opener = move || Ok(server.tally("litecoin"));
        measure("Redis", &mut Coin::with("litecoin".into(), folder, 1, UNIT, Box::new(opener)));
    }
}
