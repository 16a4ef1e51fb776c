#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
//! Every way in which a daemon can answer wrongly (reliability F37, D2, D3), against a stub.

use super::*;
use crate::daemon::stub::{self, Answer};
use crate::daemon::{BlockInfo, block_info, chain_info, script_of};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// For calls that are answered, however busy the machine is.
const PATIENT: Duration = Duration::from_secs(20);
/// For calls that must run out of time.
const DEADLINE: Duration = Duration::from_millis(400);

fn ask(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Result<String, CallError> {
    ask_for(PATIENT, answer)
}

fn ask_for(
    deadline: Duration,
    answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
) -> Result<String, CallError> {
    let client = Client::new(&stub::daemon(answer), deadline);
    client.call("getbestblockhash", json!([])).map(|result| result.get().to_owned())
}

fn http(status: u16, body: &str) -> Result<String, CallError> {
    let body = body.to_owned();
    ask(move |_, _| Answer::Http(status, body.clone()))
}

fn raw(bytes: &str) -> Result<String, CallError> {
    let bytes = bytes.as_bytes().to_vec();
    ask(move |_, _| Answer::Raw(bytes.clone()))
}

#[test]
fn gives_the_result_with_auth_and_id() {
    assert_eq!(ask(|_, _| Answer::Result("null".into())).unwrap(), "null");
    assert_eq!(ask(|_, _| Answer::Result("{\"a\": [1]}".into())).unwrap(), "{\"a\": [1]}");
    assert_eq!(base64(b"user:hunter2-secret"), "dXNlcjpodW50ZXIyLXNlY3JldA==");
    assert_eq!(base64(b"a"), "YQ==");
    assert_eq!(base64(b"abc"), "YWJj");
    assert_eq!(base64(b""), "");
}

#[test]
fn sorts_statuses_without_json() {
    let work_queue = http(500, "Work queue depth exceeded").unwrap_err();
    assert_eq!(work_queue.fault, Fault::Http(500, "Work queue depth exceeded".into()));
    assert!(work_queue.to_string().contains("rpcworkqueue"), "{work_queue}");
    assert_eq!(http(401, "").unwrap_err().fault, Fault::Auth(401));
    assert_eq!(http(403, "nope").unwrap_err().fault, Fault::Auth(403));
    assert_eq!(http(404, "").unwrap_err().fault, Fault::Http(404, String::new()));
    assert_eq!(http(503, "<html>").unwrap_err().fault, Fault::Http(503, "<html>".into()));
    let moved = "HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(raw(moved).unwrap_err().fault, Fault::Http(301, String::new()));
}

#[test]
fn reads_rpc_errors_under_any_status() {
    let error = ask(|_, _| Answer::Error("{\"code\":-10,\"message\":\"downloading\"}".into()));
    let error = error.unwrap_err();
    assert_eq!(error.fault, Fault::Rpc { code: -10, message: "downloading".into() });
    assert!(error.is_not_ready());
    let body = r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#;
    assert!(http(404, body).unwrap_err().is_unknown_method());
    assert!(http(200, body).unwrap_err().is_unknown_method());
    // A request that the daemon could not read has no id.
    let body = r#"{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}"#;
    assert_eq!(http(500, body).unwrap_err().code(), Some(-32700));
}

#[test]
fn refuses_what_is_no_reply_to_the_call() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "true",
        "<html><body>It works!</body></html>",
        r#"{"result": {"version": 1"#,
        r#"{"id":1}"#,
        r#"{"result":1}"#,
        r#"{"result":1,"error":null,"id":2}"#,
        r#"{"result":1,"error":null,"id":"1"}"#,
        r#"{"result":1,"error":null,"id":null}"#,
        r#"{"result":1,"error":{"code":-1,"message":"x"},"id":1}"#,
        r#"{"result":null,"error":"text","id":1}"#,
        r#"{"result":null,"error":{"code":"-1"},"id":1}"#,
        r#"{"result":1,"error":null,"id":1} trailing"#,
        "\u{0}\u{1}\u{2}",
    ] {
        let error = http(200, body).unwrap_err();
        assert!(matches!(error.fault, Fault::Garbage(_)), "{body:?}: {error}");
    }
    assert!(matches!(raw("SSH-2.0-OpenSSH\r\n").unwrap_err().fault, Fault::Garbage(_)));
}

#[test]
fn mends_the_nan_of_old_daemons() {
    let body = r#"{"result":{"difficulty":-nan,"x":1},"error":null,"id":1}"#;
    assert_eq!(http(200, body).unwrap(), r#"{"difficulty":0,"x":1}"#);
    let body = r#"{"result":{"difficulty":-nan},"error":null,"id":1}"#;
    assert_eq!(http(200, body).unwrap(), r#"{"difficulty":0}"#);
}

#[test]
fn limits_what_it_reads() {
    let huge = |method: &'static str| {
        let body = format!("{{\"result\":\"{}\",\"error\":null,\"id\":1}}", "x".repeat(1 << 20));
        let daemon = stub::daemon(move |_, _| Answer::Http(200, body.clone()));
        Client::new(&daemon, Duration::from_secs(20)).call(method, json!([]))
    };
    let error = huge("getblockchaininfo").unwrap_err();
    assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
    assert!(huge("getblocktemplate").is_ok());
    // A length that promises 100 MB is not waited for, and not reserved.
    let promise = "HTTP/1.1 200 X\r\nContent-Length: 104857600\r\n\r\n{\"result\":";
    assert!(raw(promise).is_err());
}

#[test]
fn lengths_and_encodings_that_lie() {
    let head = "HTTP/1.1 200 X\r\n";
    let body = r#"{"result":1,"error":null,"id":1}"#;
    // Shorter than the body: cut JSON. Longer: the connection ends too early.
    for (what, answer) in [
        ("short", format!("{head}Content-Length: 9\r\n\r\n{body}")),
        ("long", format!("{head}Content-Length: 900\r\n\r\n{body}")),
        ("negative", format!("{head}Content-Length: -1\r\n\r\n{body}")),
        ("broken chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}")),
        ("no last chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n20\r\n{body}\r\n")),
        (
            "gzip",
            format!("{head}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}\u{1}\u{8}\0"),
        ),
        ("endless header", format!("{head}X: {}", "y".repeat(1 << 20))),
    ] {
        let error = ask_for(Duration::from_secs(2), {
            let answer = answer.into_bytes();
            move |_, _| Answer::Raw(answer.clone())
        });
        assert!(error.is_err(), "{what}: {error:?}");
    }
    // Without a length the end of the connection is the end of the body.
    assert_eq!(raw(&format!("{head}Connection: close\r\n\r\n{body}")).unwrap(), "1");
}

/// A body without an end, as fast as it comes: reading stops at the limit, or at the deadline.
#[test]
fn a_body_without_an_end_is_left() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    let endless =
        format!("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(200));
    let error = raw(&endless).unwrap_err();
    assert!(error.to_string().contains("larger than 1048576 bytes"), "{error}");
}

#[test]
fn ends_at_the_deadline() {
    assert_eq!(ask_for(DEADLINE, |_, _| Answer::Drip).unwrap_err().fault, Fault::Timeout(DEADLINE));
    assert_eq!(
        ask_for(DEADLINE, |_, _| Answer::Silence).unwrap_err().fault,
        Fault::Timeout(DEADLINE)
    );
}

#[test]
fn says_when_nobody_is_there() {
    let client = Client::new(&stub::at(stub::closed_port()), DEADLINE);
    let error = client.call("getblockcount", json!([])).unwrap_err();
    assert!(matches!(error.fault, Fault::Unreachable(_)), "{error}");
    assert!(error.to_string().contains(&client.address()), "{error}");
    // Reset after the headers, and cut in the middle of the body.
    for cut in ["", "HTTP/1.1 200 X\r\n", "HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{\"re"] {
        let error = raw(cut).unwrap_err();
        let known = matches!(error.fault, Fault::Unreachable(_) | Fault::Garbage(_));
        assert!(known, "{cut:?}: {error}");
    }
}

#[test]
fn a_late_answer_is_never_taken_for_the_next_one() {
    let deadline = Duration::from_secs(2);
    let calls = Arc::new(AtomicUsize::new(0));
    let daemon = stub::daemon(move |_, _| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        if call == 0 {
            std::thread::sleep(deadline * 2);
        }
        Answer::Result(call.to_string())
    });
    let client = Client::new(&daemon, deadline);
    assert_eq!(client.call("a", json!([])).unwrap_err().fault, Fault::Timeout(deadline));
    assert_eq!(client.call("b", json!([])).unwrap().get(), "1");
}

#[test]
fn errors_hold_no_secrets() {
    let echo = ask(|_, _| {
        let basic = base64(b"user:hunter2-secret");
        Answer::Http(200, format!("you said Basic {basic}, that is {basic}, hunter2-secret"))
    });
    let error = format!("{0} {0:?}", echo.unwrap_err());
    assert!(!error.contains("hunter2") && !error.contains("dXNlcjpodW"), "{error}");
    let client = Client::new(&stub::at(1), DEADLINE);
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn names_and_ipv6_addresses_are_fine() {
    let mut daemon = stub::daemon(|_, _| Answer::Result("1".into()));
    daemon.host = "localhost".to_owned();
    assert!(Client::new(&daemon, Duration::from_secs(5)).call("x", json!([])).is_ok());
    daemon.host = "::1".to_owned();
    let client = Client::new(&daemon, DEADLINE);
    assert_eq!(client.address(), format!("[::1]:{}", daemon.port));
    let fault = client.call("x", json!([])).unwrap_err().fault;
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault}");
    daemon.host = "no such host".to_owned();
    assert!(Client::new(&daemon, DEADLINE).call("x", json!([])).is_err());
}

const HASH: &str = "00000000000000000000000000000000000000000000000000000000000000ab";

#[test]
fn reads_the_chain_of_new_and_old_daemons() {
    let modern = stub::daemon(|_, _| {
        Answer::Result(format!(
            r#"{{"chain":"signet","blocks":7,"headers":9,"bestblockhash":"{HASH}",
                "difficulty":1.5,"initialblockdownload":true}}"#
        ))
    });
    let info = chain_info(&Client::new(&modern, PATIENT), false).unwrap();
    assert_eq!(info.network, Some(crate::chain::Network::Test));
    assert_eq!((info.blocks, info.headers, info.initial_download), (7, 9, true));
    assert_eq!(info.difficulty, Some(1.5));

    // What goes to the log and to `romp status` is short, whatever the daemon says.
    let endless = "x".repeat(1 << 19);
    let named = |chain: String, blocks: String| {
        let daemon = stub::daemon(move |_, _| {
            Answer::Result(format!(
                r#"{{"chain":"{chain}","blocks":{blocks},"bestblockhash":"{HASH}"}}"#
            ))
        });
        chain_info(&Client::new(&daemon, PATIENT), false)
    };
    let info = named(endless.clone(), "7".to_owned()).unwrap();
    assert!(info.network.is_none() && info.chain.len() < 100, "{} bytes", info.chain.len());
    let error = named("main".to_owned(), format!("\"{endless}\"")).unwrap_err().to_string();
    assert!(error.contains("its result") && error.len() < 500, "{} bytes", error.len());

    let old = || {
        stub::daemon(|method, body| match method {
            "getinfo" => Answer::Result(
                r#"{"blocks":5,"testnet":false,"difficulty":{"proof-of-work":2,
                    "proof-of-stake":1}}"#
                    .into(),
            ),
            "getblockhash" => {
                assert!(body.contains("\"params\":[5]"), "the block of that height: {body}");
                Answer::Result(format!("\"{HASH}\""))
            }
            _ => Answer::Error("{\"code\":-32601,\"message\":\"Method not found\"}".into()),
        })
    };
    for flag in [false, true] {
        let info = chain_info(&Client::new(&old(), PATIENT), flag).unwrap();
        assert_eq!(info.network, Some(crate::chain::Network::Main));
        assert_eq!((info.blocks, info.headers, info.proof_of_stake), (5, 5, true));
        assert_eq!(info.difficulty, Some(2.0));
        assert_eq!(info.best.to_string(), HASH);
    }
}

#[test]
fn reads_addresses_and_headers() {
    let script = |answer: &'static str| {
        let daemon = stub::daemon(move |_, _| Answer::Result(answer.into()));
        script_of(&Client::new(&daemon, PATIENT), "addr")
    };
    assert_eq!(script(r#"{"isvalid":false}"#), Ok(None));
    assert_eq!(script(r#"{"isvalid":true,"scriptPubKey":"0014ff"}"#), Ok(Some(vec![0, 20, 255])));
    assert!(script(r#"{"isvalid":true}"#).unwrap_err().to_string().contains("coin file"));
    assert!(script(r#"{"isvalid":true,"scriptPubKey":"xy"}"#).is_err());
    assert!(script("null").is_err());

    let header = |answer: fn() -> Answer| {
        let daemon = stub::daemon(move |_, _| answer());
        block_info(&Client::new(&daemon, PATIENT), &crate::chain::Hash::default())
    };
    let known = |confirmations, height| Ok(Some(BlockInfo { confirmations, height }));
    assert_eq!(header(|| Answer::Result(r#"{"confirmations":-1}"#.into())), known(-1, None));
    let deep = || Answer::Result(r#"{"confirmations":3,"height":7}"#.into());
    assert_eq!(header(deep), known(3, Some(7)));
    let missing = || Answer::Error("{\"code\":-5,\"message\":\"Block not found\"}".into());
    assert_eq!(header(missing), Ok(None));
    assert!(header(|| Answer::Result("{}".into())).is_err());
}
