//! How fast the site answers with 5,000 workers and a year of history, and what memory it takes:
//! `cargo test --release --lib site_speed -- --ignored --nocapture`.

#![allow(clippy::print_stderr)]

use super::*;
use crate::ipc::board::Board;
use crate::journal::Record;
use crate::ledger::{self, Batch};
use crate::rewards::Scheme;
use crate::sys::clock::unix_ms;
use crate::website::forwarded::Peer;
use crate::website::gather::Gatherer;
use crate::website::routes::{Site, router};
use axum::body::{Body, HttpBody};
use axum::http::Request;
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Instant;
use tower_service::Service;

/// A round with work of all workers.
fn round(dir: &Path, now: u64) {
    let mut tally = ledger::open_sqlite(dir, "litecoin").unwrap();
    let mut batch = Batch::new(Unit(-10));
    for worker in 0..5000_u64 {
        let (worker, scheme) = (format!("{}.{worker}", worker / 2), Scheme::Prop);
        let share = Record::Share { time: now, worker, weight: 5000, scheme };
        assert!(batch.add("s", batch.records as u64, batch.records as u64 + 1, share));
    }
    tally.apply(&batch).unwrap();
}

fn memory(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    eprintln!("{what}: {}, {}", line("VmRSS"), line("VmHWM"));
}

#[test]
#[ignore = "a measurement"]
fn site_speed() {
    let dir = tempfile::tempdir().unwrap();
    let now = unix_ms();
    crate::history::tests::year(dir.path(), now / 1000);
    crate::ledger::book::tests::year::year(dir.path(), now);
    round(dir.path(), now);
    let mut config = config();
    config.data_dir = dir.path().to_owned();
    config.website = Some(settings([15, 365 * 86_400, 300]));
    config.pools.get_mut("litecoin").unwrap().payments = Some(numbers::paying());
    let site = Arc::new(Site::new(Arc::new(config), "").unwrap());
    let mut gatherer = Gatherer::new(site.clone(), Board::new().unwrap());
    memory("before");
    for _ in 0..8 {
        let begun = Instant::now();
        gatherer.look(unix_ms());
        eprintln!("a look: {:?}", begun.elapsed());
    }
    memory("after the looks");
    let known = site.now();
    let coin = &known.coins["litecoin"];
    assert_eq!((coin.rigs.all.len(), coin.rigs.owners.len()), (5000, 2500));
    assert_eq!((coin.ripening, coin.immature.len()), (100, 2500));
    assert_eq!(coin.booked().unwrap().totals.paid, 365 * 2500 * 5000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut router = router(site);
    for path in [
        "/",
        "/stats",
        "/workers",
        "/miner/M",
        "/api/stats",
        "/api/pool_stats",
        "/api/v1/pools",
        "/api/v1/pools/litecoin/miners?limit=500",
        "/api/v1/pools/litecoin/miners/M",
    ] {
        let mut times = Vec::new();
        let mut size = 0;
        for number in 0..1000_u32 {
            // Another miner each time.
            let path = path.replace('M', &(number * 7 % 2500).to_string());
            let request = Request::get(path).header("accept-encoding", "gzip");
            // Each of an address of its own: one alone would be told to wait.
            let peer = Peer { address: IpAddr::from(number.to_be_bytes()), tls: false };
            let request = request.extension(peer).body(Body::empty()).unwrap();
            let begun = Instant::now();
            runtime.block_on(async {
                let response = router.call(request).await.unwrap();
                assert!(response.status().is_success());
                let mut body = response.into_body();
                size = 0;
                while let Some(frame) =
                    poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
                {
                    size += frame.unwrap().data_ref().map_or(0, |bytes| bytes.len());
                }
            });
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        eprintln!("{path}: {size} bytes, median {:?}, p99 {:?}", times[500], times[990]);
    }
    memory("after the requests");
}
