//! User names that are no payout address are refused in words, and odd ones that are one are not.

use crate::harness::{ADDRESS, Client, Pool, Romp, Stub, alone, free_port};
use serde_json::json;

#[test]
fn only_names_that_begin_with_an_address_may_mine() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let pool = Pool::new("bitcoin", port, json!({"diff": 1}), stub.daemons())
        .with("paymentProcessing", json!({"enabled": true}));
    let _romp = Romp::start(1, &[&pool]);
    let mut client = Client::connect(port).expect("connect");
    client.subscribe().expect("subscribe");
    let mut authorize = |name: &str| {
        let answer = client.request("mining.authorize", &json!([name, "x"])).expect("an answer");
        (answer["result"] == json!(true), answer["error"][1].to_string())
    };
    // NOMP took each name of 40 characters for a key.
    let pad = "x".repeat(40 - ADDRESS.len() - 1);
    let other_case = ADDRESS.to_uppercase();
    for (name, welcome) in [
        (ADDRESS.to_owned(), true),
        (format!("{ADDRESS}.{pad}"), true),
        (format!("{ADDRESS}.__proto__"), true),
        (format!("{ADDRESS}.<script>alert(1)</script>"), true),
        (format!("{ADDRESS}_rig/2"), true),
        // Witness versions 1 and 2: the network pays only to the first.
        ("bcrt1pqqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0sj9hjuh".to_owned(), true),
        ("bcrt1zqqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0s6cwaju".to_owned(), false),
        (String::new(), false),
        (" ".to_owned(), false),
        (".".to_owned(), false),
        (".rig".to_owned(), false),
        ("z".repeat(40), false),
        ("constructor".to_owned(), false),
        (format!("{ADDRESS},{ADDRESS}"), false),
        (format!("{other_case}x"), false),
    ] {
        let (accepted, words) = authorize(&name);
        assert_eq!(accepted, welcome, "{name:?}: {words}");
        assert!(accepted || words.len() > 10, "{name:?} was refused without a word: {words}");
    }
}
