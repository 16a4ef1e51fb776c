//! Tests of where blocks are told; what is refused stands in `tests/configs/broken`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::config::tests::over_base;
use crate::config::{Endpoint, Pool, load};

/// The base pool with these settings, and what was said of it.
fn pool(daemon: &str, more: &str) -> (Pool, String) {
    let text = format!(
        r#"{{"enabled": true, "coin": "litecoin.json", "ports": {{"3032": {{"diff": 32}}}},
            "address": "mi4iBXbBsydtcc5yFmsff2zCFVX4XG7qJc", "daemons": [
                {{"host": "10.0.0.9", "port": 19332, "user": "u", "password": "p"{daemon}}}]{more}}}"#
    );
    let dir = over_base(&[("pool_configs/litecoin.json", &text)]);
    let loaded = load(dir.path());
    let config = loaded.config.unwrap();
    (config.pools["litecoin"].clone(), loaded.warnings.join("\n"))
}

#[test]
fn nothing_is_set_up_unless_asked_for() {
    let (pool, _) = pool("", r#", "p2p": {"enabled": false, "host": "127.0.0.1", "port": 19333}"#);
    assert_eq!((pool.p2p, pool.daemons[0].zmq.as_ref()), (None, None));
    assert!(pool.long_poll);
    let (pool, _) = self::pool("", r#", "longPoll": false"#);
    assert!(!pool.long_poll);
}

#[test]
fn a_peer_is_at_the_first_daemon_and_hears_no_transactions() {
    let (pool, said) = pool("", r#", "p2p": {"enabled": true, "port": 19333}"#);
    let p2p = pool.p2p.unwrap();
    assert_eq!(p2p.peer, Endpoint { host: "10.0.0.9".to_owned(), port: 19333 });
    assert_eq!((p2p.magic, p2p.version, p2p.transactions), (None, None, false));
    assert!(said.contains("has the network's message start"), "{said}");
}

#[test]
fn nomps_settings_of_a_peer_count() {
    let p2p = r#", "p2p": {"enabled": true, "host": "[::1]", "port": 19333, "magic": "fcc1b7dc",
        "protocolVersion": 70002, "disableTransactions": false}"#;
    let p2p = pool("", p2p).0.p2p.unwrap();
    assert_eq!(p2p.peer, Endpoint { host: "::1".to_owned(), port: 19333 });
    assert_eq!(p2p.magic, Some([0xfc, 0xc1, 0xb7, 0xdc]));
    assert_eq!((p2p.version, p2p.transactions), (Some(70_002), true));
}

#[test]
fn the_rpc_port_is_no_peer() {
    let (_, said) = pool("", r#", "p2p": {"enabled": true, "port": 19332}"#);
    assert!(said.contains("the daemon's RPC port"), "{said}");
}

#[test]
fn a_publisher_is_written_as_the_daemon_writes_it() {
    for (text, host) in [("tcp://127.0.0.1:28332", "127.0.0.1"), ("tcp://[::1]:28332", "::1")] {
        let (pool, _) = pool(&format!(r#", "zmq": "{text}""#), "");
        let zmq = Endpoint { host: host.to_owned(), port: 28332 };
        assert_eq!(pool.daemons[0].zmq, Some(zmq));
    }
}
