#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
//! The table of reliability 4.2.3, and all pairs of two daemons (F41).

use super::*;
use crate::daemon::stub::{self, Answer as Stub};
use Verdict::{Accepted, Rejected, Unknown};

fn error(fault: Fault) -> Result<Box<RawValue>, CallError> {
    Err(CallError { daemon: "d:1".to_owned(), method: "submitblock".to_owned(), fault })
}

fn rpc(code: i64) -> Result<Box<RawValue>, CallError> {
    said(code, "")
}

fn said(code: i64, message: &str) -> Result<Box<RawValue>, CallError> {
    error(Fault::Rpc { code, message: message.to_owned() })
}

fn result(json: &str) -> Result<Box<RawValue>, CallError> {
    Ok(RawValue::from_string(json.to_owned()).unwrap())
}

#[test]
fn classifies_each_answer() {
    for (answer, verdict) in [
        (result("null"), Accepted),
        (result("\"duplicate\""), Accepted),
        (result("\"inconclusive\""), Unknown),
        (result("\"duplicate-inconclusive\""), Unknown),
        (result("\"inconclusive-not-best-prevblk\""), Unknown),
        (result("\"duplicate-invalid\""), Rejected),
        (result("\"high-hash\""), Rejected),
        (result("\"rejected\""), Rejected),
        (result("\"bad-txnmrklroot\""), Rejected),
        (result("\"bad-cb-amount\""), Rejected),
        (result("\"time-too-old\""), Rejected),
        (result("\"time-too-new\""), Rejected),
        (result("\"something else\""), Unknown),
        (result("\"\""), Unknown),
        (result("true"), Unknown),
        (result("{\"capabilities\":[]}"), Unknown),
        (result("0"), Unknown),
        (rpc(-22), Rejected),
        (rpc(-25), Rejected),
        (rpc(-1), Rejected),
        (said(-100, "SubmitBlock: Unable to sign block, wallet locked?"), Unknown),
        (said(-100, "Block failed CheckBlock() function."), Rejected),
        (rpc(-28), Unknown),
        (rpc(-10), Unknown),
        (rpc(-9), Unknown),
        (rpc(-32601), Unknown),
        (error(Fault::Auth(401)), Unknown),
        (error(Fault::Http(500, String::new())), Unknown),
        (error(Fault::Garbage(String::new())), Unknown),
        (error(Fault::Timeout(Duration::from_secs(1))), Unknown),
        (error(Fault::Unreachable(String::new())), Unknown),
    ] {
        assert_eq!(classify(&answer).0, verdict, "{answer:?}");
    }
}

#[test]
fn one_that_has_it_is_enough_and_silence_is_no_refusal() {
    let answer = |verdict| Answer { daemon: String::new(), verdict, words: String::new() };
    for a in [Accepted, Rejected, Unknown] {
        for b in [Accepted, Rejected, Unknown] {
            let expected = match (a, b) {
                (Accepted, _) | (_, Accepted) => Accepted,
                (Rejected, Rejected) => Rejected,
                _ => Unknown,
            };
            assert_eq!(overall(&[answer(a), answer(b)]), expected, "{a:?} {b:?}");
        }
    }
    assert_eq!(overall(&[]), Unknown);
}

/// F41, NOMP M7: a block is taken in every pair of answers in which any daemon has it, and refused
/// only when both refuse it.
#[test]
fn every_pair_of_two_daemons_answers() {
    type Make = fn() -> Result<Box<RawValue>, CallError>;
    let table: [(Make, Verdict); 15] = [
        (|| result("null"), Accepted),
        (|| result("\"duplicate\""), Accepted),
        (|| result("\"inconclusive\""), Unknown),
        (|| result("\"duplicate-inconclusive\""), Unknown),
        (|| result("\"duplicate-invalid\""), Rejected),
        (|| result("\"high-hash\""), Rejected),
        (|| result("\"bad-txnmrklroot\""), Rejected),
        (|| result("\"time-too-new\""), Rejected),
        (|| rpc(-22), Rejected),
        (|| rpc(-28), Unknown),
        (|| error(Fault::Auth(401)), Unknown),
        (|| error(Fault::Http(500, "Work queue depth exceeded".to_owned())), Unknown),
        (|| error(Fault::Garbage("cut".to_owned())), Unknown),
        (|| error(Fault::Timeout(Duration::from_secs(30))), Unknown),
        (|| error(Fault::Unreachable("reset".to_owned())), Unknown),
    ];
    for (first, a) in table {
        for (second, b) in table {
            let answers = [first(), second()].map(|answer| {
                let (verdict, words) = classify(&answer);
                Answer { daemon: String::new(), verdict, words }
            });
            let expected = match (a, b) {
                (Accepted, _) | (_, Accepted) => Accepted,
                (Rejected, Rejected) => Rejected,
                _ => Unknown,
            };
            assert_eq!(overall(&answers), expected, "{answers:?}");
        }
    }
}

#[test]
fn asks_all_and_reports_each_in_order() {
    let takes = stub::daemon(|method, body| {
        assert_eq!(method, "submitblock");
        assert!(body.contains("\"00ff10\""), "{body}");
        Stub::Result("null".to_owned())
    });
    let refuses = stub::daemon(|_, _| Stub::Result("\"high-hash\"".to_owned()));
    let old = stub::daemon(|method, body| match method {
        "getblocktemplate" if body.contains("\"mode\":\"submit\"") => {
            Stub::Result("\"duplicate\"".to_owned())
        }
        _ => Stub::Error("{\"code\":-32601,\"message\":\"Method not found\"}".to_owned()),
    });
    let gone = stub::at(stub::closed_port());
    let daemons = [takes, refuses, old, gone];
    let answers = everywhere(&daemons, &[0, 255, 16], Duration::from_secs(2));
    let verdicts: Vec<_> = answers.iter().map(|answer| answer.verdict).collect();
    assert_eq!(verdicts, [Accepted, Rejected, Accepted, Unknown]);
    assert_eq!(answers[0].daemon, format!("127.0.0.1:{}", daemons[0].port));
    assert_eq!(answers[1].words, "high-hash");
    assert_eq!(overall(&answers), Accepted);
}

#[test]
fn a_hanging_daemon_ends_with_the_deadline() {
    let hangs = stub::daemon(|_, _| Stub::Silence);
    let answers = everywhere(&[hangs], &[1], Duration::from_millis(300));
    assert_eq!(overall(&answers), Unknown);
}

#[test]
fn a_daemon_that_starts_up_is_asked_again() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let starting =
        stub::daemon(move |_, _| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Stub::Error("{\"code\":-28,\"message\":\"Loading block index...\"}".to_owned()),
            _ => Stub::Result("null".to_owned()),
        });
    let answers = everywhere(&[starting], &[1], Duration::from_secs(20));
    assert_eq!(overall(&answers), Accepted);
}
