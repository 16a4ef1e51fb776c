#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
//! The whole role against stub daemons, over a real channel.

use super::*;
use crate::chain::Work;
use crate::config::{Config, Daemon, Forks, LogLevel, Logging, Pool, Store};
use crate::daemon::stub::{self, Answer};
use crate::ipc::board::Board;
use crate::ipc::{Channel, CoinStatus, Role, TipState};
use crate::journal::{BlockFound, vault as blocks};
use crate::rewards::Scheme;
use crate::sys::memfd;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

mod chain;
mod faults;

pub(super) use chain::{Chain, hash_at};

pub(crate) fn pool(daemons: Vec<Daemon>) -> Pool {
    let coin = crate::config::Coin {
        id: "testcoin".to_owned(),
        name: "Testcoin".to_owned(),
        symbol: "TST".to_owned(),
        algorithm: crate::pow::Algorithm::Sha256,
        ids: crate::pow::ids::Ids::default(),
        addresses: BTreeMap::new(),
        magic: BTreeMap::new(),
        tx_messages: false,
        proof_of_stake: None,
        payees: Vec::new(),
        has_get_info: false,
        mpos_multiplier: 1.0,
        template_rules: vec!["segwit".to_owned()],
        template_algorithm: None,
        several_algorithms: false,
        version_mask: u32::MAX,
        block_time: None,
        explorer: BTreeMap::new(),
    };
    Pool {
        coin,
        file: "testcoin.json".to_owned(),
        address: "pool-address".to_owned(),
        recipients: Vec::new(),
        ports: BTreeMap::new(),
        daemons,
        store: Store::Sqlite,
        unit: crate::stratum::Unit(0),
        block_refresh: Duration::from_millis(50),
        job_refresh: Duration::from_secs(3_600),
        stale_work: Duration::from_secs(7_200),
        connection_timeout: Duration::from_secs(600),
        validate_username: false,
        banning: None,
        proxy_protocol: false,
        extranonce2_size: 4,
        version_mask: 0,
        tag: "/romp/".to_owned(),
        daemon_timeout: Duration::from_millis(500),
        p2p: None,
        long_poll: true,
        payments: None,
        idle_payments: None,
        doctor: true,
        mpos: None,
    }
}

fn config(dir: &Path, pool: Pool) -> Config {
    Config {
        limits: crate::config::Limits::default(),
        nftables: None,
        website: None,
        tls: None,
        notifications: None,
        historical_retention: Duration::ZERO,
        dir: dir.to_owned(),
        data_dir: dir.to_owned(),
        logging: Logging { level: LogLevel::Debug, colors: false, file: None, json: false },
        forks: Forks::Count(1),
        bind: std::net::Ipv4Addr::LOCALHOST.into(),
        notify: Vec::new(),
        user: None,
        group: None,
        instance: 0,
        fsync: false,
        template_fallback: Duration::from_secs(1),
        shutdown_timeout: Duration::from_secs(1),
        pools: BTreeMap::from([(pool.coin.id.clone(), pool)]),
    }
}

/// The role on a thread, and the master's end of its channel.
struct Master {
    channel: Channel,
    works: Vec<(Work, Vec<u8>)>,
    statuses: Vec<CoinStatus>,
    ready: bool,
    role: Option<std::thread::JoinHandle<u8>>,
}

impl Master {
    fn start(dir: &Path, pool: Pool) -> Self {
        let (channel, far) = Channel::pair().unwrap();
        let seat = Seat {
            role: Role::Templates,
            slot: 0,
            lane: 0,
            generation: 1,
            channel: far,
            board: Board::new().unwrap(),
            config: Arc::new(config(dir, pool)),
            listeners: Vec::new(),
            opens: true,
            remembered: String::new(),
        };
        let role = Some(std::thread::spawn(move || run(seat)));
        Self { channel, works: Vec::new(), statuses: Vec::new(), ready: false, role }
    }

    /// Reads messages until something is true.
    fn until<T>(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = done(self) {
                return found;
            }
            assert!(Instant::now() < end, "{what}: {:?}", self.statuses.last());
            match self.channel.receive().unwrap() {
                Received::Message(message, fds) => match *message {
                    Message::Ready => self.ready = true,
                    Message::Work { work, .. } => {
                        let body = memfd::contents(fds[0].as_fd()).unwrap();
                        self.works.push((*work, body));
                    }
                    Message::CoinStatus(status) => self.statuses.push(status),
                    other => panic!("{other:?}"),
                },
                Received::Nothing => std::thread::sleep(Duration::from_millis(2)),
                Received::Closed => panic!("{what}: the role has ended"),
            }
        }
    }

    fn work_on(&mut self, previous: Hash) -> Work {
        self.until("work", |master| {
            let mut works = master.works.iter();
            works.find(|(work, _)| work.previous == previous).map(|(work, _)| work.clone())
        })
    }

    fn status(&mut self, what: &str, wanted: impl Fn(&CoinStatus) -> bool) -> CoinStatus {
        self.until(what, |master| master.statuses.last().filter(|s| wanted(s)).cloned())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let (near, _) = Channel::pair().unwrap();
        drop(std::mem::replace(&mut self.channel, near));
        let code = self.role.take().unwrap().join();
        if !std::thread::panicking() {
            assert_eq!(code.unwrap(), 0, "the end of the channel is the end of the role");
        }
    }
}

#[test]
fn gives_work_and_follows_the_chain() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let work = master.work_on(hash_at(100));
    assert!(master.ready && work.clean);
    assert_eq!((work.height, work.plan.network), (101, crate::chain::Network::Regtest));
    assert_eq!(work.plan.pool_script.len(), 22);
    let tip = chain.mine();
    assert!(master.work_on(tip).clean);
    let status = master.status("fresh", |status| status.height == Some(101));
    assert_eq!(status.state, TipState::Fresh);
    assert_eq!(status.tip, Some(tip));
    assert!(status.daemons[0].chosen && status.daemons[0].fresh);
    assert_eq!(status.noticed, BTreeMap::from([("poll".to_owned(), 1)]));
}

#[test]
fn a_notice_is_faster_than_the_poll() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    // A poll would notice after an hour.
    let slow = Pool { block_refresh: Duration::from_secs(3_600), ..pool(vec![chain.daemon()]) };
    let mut master = Master::start(dir.path(), slow);
    master.work_on(hash_at(100));
    for source in ["blocknotify", "block-found"] {
        let (coin, hash) = ("testcoin".to_owned(), chain.mine());
        let message = match source {
            "blocknotify" => Message::Blocknotify { coin, hash: None },
            _ => Message::BlockFound { coin, hash, height: 0 },
        };
        master.channel.send(&message, &[]).unwrap();
        master.work_on(hash);
        master.status(source, |status| status.noticed.get(source) == Some(&1));
    }
}

#[test]
fn without_polling_a_coin_is_not_busier_than_with_it() {
    let calm = |every: u64| {
        let block_refresh = Duration::from_millis(every);
        coin::calm(&Pool { block_refresh, ..pool(Vec::new()) }).as_millis()
    };
    assert_eq!([0, 10, 100, 1_000].map(calm), [500, 10, 50, 500]);
}

#[test]
fn new_transactions_make_a_job_that_is_not_clean() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let often = Pool { job_refresh: Duration::from_millis(1), ..pool(vec![chain.daemon()]) };
    let mut master = Master::start(dir.path(), often);
    master.until("two jobs", |master| (master.works.len() >= 2).then_some(()));
    assert_eq!(
        master.works.iter().map(|(work, _)| work.clean).take(2).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_hanging_daemon_is_left_for_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Chain::new(100), Chain::new(100));
    let mut master = Master::start(dir.path(), pool(vec![first.daemon(), second.daemon()]));
    master.work_on(hash_at(100));
    master.status("both", |status| status.daemons.iter().all(|daemon| daemon.fresh));
    first.change(|state| state.silent = true);
    let tip = second.mine();
    master.work_on(tip);
    let status = master.status("moved", |status| status.daemons[1].chosen);
    assert!(!status.daemons[0].fresh, "{status:?}");
    assert!(status.daemons[0].problem.is_some());
    // And taken back when it is well again.
    first.change(|state| state.silent = false);
    first.mine();
    master.status("back", |status| status.daemons[0].fresh);
}

#[test]
fn a_lone_daemon_that_dies_makes_the_coin_stale() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    master.work_on(hash_at(100));
    chain.change(|state| state.silent = true);
    master.status("stale", |status| matches!(status.state, TipState::Stale { since } if since > 0));
    chain.change(|state| state.silent = false);
    let tip = chain.mine();
    master.work_on(tip);
    master.status("fresh", |status| status.state == TipState::Fresh);
}

#[test]
fn waits_for_a_syncing_daemon_and_starts_by_itself() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    chain.change(|state| state.headers = 400);
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let syncing = TipState::Syncing { blocks: 100, headers: 400 };
    master.status("syncing", |status| status.state == syncing);
    assert!(master.works.is_empty());
    chain.change(|state| state.height = 400);
    master.work_on(hash_at(400));
}

#[test]
fn says_why_a_daemon_gives_no_template() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let no_peers = r#"{"code":-9,"message":"Testcoin is not connected!"}"#;
    chain.change(|state| state.template = Some(no_peers));
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let told = |status: &CoinStatus| {
        status.daemons[0].problem.as_deref().is_some_and(|words| words.contains("peers"))
    };
    let status = master.status("no peers", told);
    assert_eq!(status.state, TipState::Waiting);
    chain.change(|state| state.template = None);
    master.work_on(hash_at(100));
}

#[test]
fn no_work_for_an_address_of_another_network() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    chain.change(|state| state.address = r#"{"isvalid":false}"#);
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let told = |status: &CoinStatus| {
        let problem = status.daemons[0].problem.as_deref();
        problem.is_some_and(|words| words.contains("pool-address") && words.contains("regtest"))
    };
    let status = master.status("address", told);
    assert_eq!(status.state, TipState::Waiting);
    assert!(master.works.is_empty());
}

#[test]
fn a_payee_without_a_script_is_asked_for_once() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let more = r#","masternode":{"payee":"payee-address","amount":258}"#;
    chain.change(|state| state.more = more);
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let mut output = vec![2, 1, 0, 0, 0, 0, 0, 0, 22, 0, 20];
    output.extend(0_u8..20);
    for _ in 0..3 {
        let height = chain.0.lock().unwrap().height;
        let work = master.work_on(hash_at(height));
        assert!(work.coinbase_after.windows(output.len()).any(|part| part == output));
        chain.mine();
    }
    let asked = chain.0.lock().unwrap().asked.clone();
    assert_eq!(asked.iter().filter(|body| body.contains("payee-address")).count(), 1, "{asked:?}");
}

#[test]
fn a_block_left_in_the_vault_is_submitted_again_and_settled() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Chain::new(100));
    let candidate = |hash: Hash, previous: Hash| blocks::Candidate {
        coin: "testcoin".to_owned(),
        found: BlockFound {
            time: 1_700_000_000_000,
            hash,
            height: 101,
            previous,
            coinbase_txid: Hash::default(),
            coinbase_value: crate::rewards::Amount(1),
            pool_value: crate::rewards::Amount(1),
            worker: "someone".to_owned(),
            difficulty: 1.0,
            stale: false,
            scheme: Scheme::Prop,
        },
        block: vec![0xab, 0xcd],
    };
    // One on the tip, one far below it (its daemon shall say what that is worth), one that the
    // chain has.
    let near = Hash([1; 32]);
    let deep = Hash([2; 32]);
    for (hash, previous) in [(near, hash_at(100)), (deep, hash_at(90)), (hash_at(99), hash_at(98))]
    {
        blocks::store(dir.path(), &candidate(hash, previous)).unwrap();
    }
    let mut master = Master::start(dir.path(), pool(vec![chain.daemon()]));
    let folder = blocks::folder(dir.path(), "testcoin");
    let in_folder = |name: String| folder.join("accepted").join(name).exists();
    let settled = |hash: Hash| in_folder(format!("{hash}.json"));
    master.until("settled", |_| {
        (settled(near) && settled(deep) && settled(hash_at(99))).then_some(())
    });
    let submitted = chain.0.lock().unwrap().submitted.clone();
    assert_eq!(submitted.len(), 2, "not what the chain has: {submitted:?}");
    assert!(submitted[0].contains("\"abcd\""));
    assert!(blocks::pending(dir.path(), "testcoin").unwrap().is_empty());
    assert!(!crate::journal::streams(dir.path(), "testcoin").unwrap().is_empty());
}
