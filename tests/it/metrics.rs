//! `/metrics` and `/ready` of a real pool.

use crate::harness::{Client, Pool, Romp, Stub, alone, free_port, seconds, wait_for, wait_until};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// An answer to somebody: status and body.
fn get(port: u16, path: &str, address: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(seconds(20))).ok()?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: pool\r\nX-Forwarded-For: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[test]
fn metrics_tell_how_long_miners_wait_to_those_who_may_know() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stratum, port) = (free_port(), free_port());
    let pool = Pool::new("bitcoin", stratum, json!({"diff": 1e-9}), stub.daemons())
        .with("validateWorkerUsername", json!(false));
    let mut romp = Romp::prepare(2, &[&pool]);
    romp.set(
        "website",
        Some(json!({
            "enabled": true, "port": port, "stats": {"updateInterval": 5},
            "metricsAllow": ["192.0.2.0/24"],
        })),
    );
    romp.run();
    romp.wait_ready(2);
    wait_until("readiness", seconds(30), || {
        get(port, "/ready", "192.0.2.1").is_some_and(|(status, _)| status == 200)
    });
    let mut client = Client::login(stratum, "me").expect("login");
    for _ in 0..7 {
        assert!(client.mine().expect("an answer").0);
    }
    // A new block: one worker has a miner, and one time.
    let before = client.job.as_ref().expect("a job").previous.clone();
    stub.new_tip();
    while client.job.as_ref().is_some_and(|job| job.previous == before) {
        client.pump(seconds(20)).expect("the miner stays connected");
    }
    let sum = |page: &str, name: &str| {
        let of_it = page.lines().filter(|line| line.starts_with(name));
        of_it.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    let page = wait_for("the times", seconds(60), || {
        let (_, page) = get(port, "/metrics", "192.0.2.1")?;
        let replies = sum(&page, "romp_share_reply_seconds_count");
        let changes = sum(&page, "romp_block_change_seconds_count");
        (replies == 7.0 && changes >= 1.0).then_some(page)
    });
    assert!(sum(&page, "romp_share_reply_seconds_sum") > 0.0, "{page}");
    for role in ["master", "worker", "templates", "bookkeeper", "website"] {
        let memory = format!("romp_process_resident_memory_bytes{{role=\"{role}\"");
        assert!(sum(&page, &memory) > 1e6, "{role}: {page}");
    }
    assert_eq!(sum(&page, "romp_build_info{version=\"0.1.0\"}"), 1.0);
    let (status, words) = get(port, "/metrics", "198.51.100.1").expect("an answer");
    assert_eq!(status, 403, "{words}");
    assert!(words.contains("website.metricsAllow"), "{words}");
}
