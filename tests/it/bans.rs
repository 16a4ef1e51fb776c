//! A ban holds at every worker, also at one that was not there when it was spoken.

use crate::harness::{ADDRESS, Client, Pool, Romp, Stub, alone, free_port, seconds, wait_until};
use serde_json::json;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// An address of this machine that is not loopback, which is never banned.
pub(crate) fn own_address() -> Option<IpAddr> {
    // Nothing is sent: connecting a datagram socket only chooses a route.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn a_ban_holds_everywhere_and_outlives_a_worker() {
    let Some(address) = own_address() else {
        eprintln!("skipped: this machine has no address besides loopback");
        return;
    };
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1e6}), stub.daemons()).with(
        "banning",
        json!({"enabled": true, "time": 600, "invalidPercent": 50, "checkThreshold": 10,
            "purgeInterval": 300}),
    );
    let mut romp = Romp::prepare(3, &[&pool]);
    romp.set("limits", Some(json!({"connectionsPerAddress": 12, "connectsPerSecond": 0})));
    romp.run();
    romp.wait_ready(3);
    let connect = || Client::connect_to(SocketAddr::from((address, port)));
    let is_served = || connect().and_then(|mut client| client.subscribe()).is_ok();
    // Without a proxy, too, an address has so many connections.
    let enter = || connect().and_then(|mut client| client.subscribe().map(|()| client)).ok();
    let crowd: Vec<Client> = (0..20).filter_map(|_| enter()).collect();
    assert_eq!(crowd.len(), 12);
    drop(crowd);
    wait_until("the crowd to have left", seconds(20), is_served);
    let mut client = connect().and_then(|client| client.logged_in(ADDRESS)).expect("login");
    let job = client.job.as_ref().expect("work").id.clone();
    let sent = (0..50).take_while(|nonce| {
        let share = json!([ADDRESS, job, "00000001", "00000000", format!("{nonce:08x}")]);
        client.request("mining.submit", &share).is_ok()
    });
    assert!(sent.count() < 50, "50 bad shares and no ban");
    // Whichever worker takes a newcomer: a row of thirty refusals has met all three.
    let mut refused = 0;
    wait_until("the ban to reach every worker", seconds(30), || {
        refused = if is_served() { 0 } else { refused + 1 };
        refused >= 30
    });
    romp.kill_child("worker");
    for _ in 0..30 {
        assert!(!is_served(), "a new worker does not know the ban");
    }
}
