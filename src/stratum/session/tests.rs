//! What the transcripts cannot show: limits, bounds, and any bytes at all.

use super::*;
use crate::stratum::foreign::HTTP;
use crate::stratum::issue::{JOBS, JOBS_REMEMBERED};
use crate::stratum::transcripts::rules;
use crate::stratum::{Authorize, Inserted, JobId};
use proptest::prelude::*;

const NOTIFY: &[u8] = b"{\"id\":null,\"method\":\"mining.notify\",\"params\":[]}\n";

fn job(number: u32) -> JobId {
    JobId { lane: 1, number }
}

fn receive(session: &mut Session, line: &str) -> (Vec<Action>, String) {
    let mut out = Vec::new();
    let actions = session.receive(line.as_bytes(), &rules(), 1000, &mut out);
    (actions, String::from_utf8(out).unwrap())
}

/// A session that mines under the name `wk`, before its first job.
fn mining() -> Session {
    let mut session = Session::new([0, 0, 0, 1], &rules(), 0);
    receive(&mut session, "{\"id\":1,\"method\":\"mining.subscribe\"}");
    let request = Authorize { id: "2".into(), name: "wk".into(), password: String::new() };
    session.authorized(&request, Ok(()), &rules(), 1000, &mut Vec::new());
    session
}

fn offer(session: &mut Session, number: u32, clean: bool) -> String {
    let mut out = Vec::new();
    session.offer(job(number), NOTIFY, clean, &rules(), 1000, &mut out);
    String::from_utf8(out).unwrap()
}

fn share(session: &mut Session, line: &str) -> Submit {
    match receive(session, line).0.pop() {
        Some(Action::Submit(submit)) => submit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_offered_before_the_subscription() {
    let mut session = Session::new([0, 0, 0, 1], &rules(), 0);
    assert_eq!(offer(&mut session, 1, true), "");
    assert_eq!(session.difficulty_of(job(1)), None);
}

#[test]
fn clean_forgets_shares_and_makes_jobs_stale() {
    let mut session = mining();
    assert!(session.needs_clean());
    offer(&mut session, 1, true);
    assert!(!session.needs_clean());
    assert_eq!(session.seen().insert(7), Inserted::New);
    offer(&mut session, 2, false);
    assert!(!session.is_stale(job(1)));
    assert_eq!(session.seen().insert(7), Inserted::Duplicate);
    offer(&mut session, 3, true);
    assert!(session.is_stale(job(1)) && session.is_stale(job(2)) && !session.is_stale(job(3)));
    assert!(session.difficulty_of(job(1)).is_some(), "a late block still has its difficulty");
    assert_eq!(session.seen().insert(7), Inserted::New);
}

#[test]
fn a_repeated_job_cannot_be_credited_again() {
    let mut session = mining();
    offer(&mut session, 1, true);
    session.seen().insert(7);
    session.difficulty = Difficulty { weight: 9, ..session.difficulty };
    let bound = session.difficulty_of(job(1));
    assert_eq!(offer(&mut session, 1, true).as_bytes(), NOTIFY);
    assert_eq!(session.seen().insert(7), Inserted::Duplicate);
    assert_eq!(session.difficulty_of(job(1)), bound);
    assert!(!session.is_stale(job(1)));
}

#[test]
fn issued_jobs_are_bounded() {
    let mut session = mining();
    for number in 0..500 {
        offer(&mut session, number, false);
    }
    assert_eq!(session.jobs.len(), JOBS_REMEMBERED);
    assert_eq!(session.difficulty_of(job(1)), None);
    assert!(session.is_stale(job(499 - JOBS as u32)) && !session.is_stale(job(500 - JOBS as u32)));
}

#[test]
fn one_set_difficulty_for_each_notify_and_only_when_it_changed() {
    let mut session = mining();
    assert_eq!(offer(&mut session, 1, true).matches("set_difficulty").count(), 1);
    assert_eq!(offer(&mut session, 2, false).matches("set_difficulty").count(), 0);
    for wanted in [100.0, 200.0, 300.0] {
        session.want(Difficulty::nearest(wanted, rules().unit), &rules());
    }
    let told = offer(&mut session, 3, false);
    assert_eq!(told.matches("set_difficulty").count(), 1);
    assert!(told.contains("[300]") && told.ends_with(std::str::from_utf8(NOTIFY).unwrap()));
}

#[test]
fn a_notification_is_executed_and_never_answered() {
    let mut session = mining();
    offer(&mut session, 1, true);
    let submit = share(
        &mut session,
        "{\"id\":null,\"method\":\"mining.submit\",\"params\":[\"wk\",\"011\",\"00000000\",\"53724dff\",\"1\"]}",
    );
    let mut out = Vec::new();
    session.answer(&submit, Ok(()), &rules(), 2000, &mut out);
    session.answer(&submit, Err(Reject::Duplicate), &rules(), 2000, &mut out);
    assert!(out.is_empty());
    for line in
        ["{\"method\":\"mining.foo\"}", "{\"id\":null,\"method\":\"mining.authorize\"}", "{}"]
    {
        assert_eq!(receive(&mut session, line).1, "", "{line}");
    }
}

#[test]
fn names_subscriptions_and_refusals_are_bounded() {
    let mut session = mining();
    let authorize = |name: &str| {
        format!("{{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"{name}\"]}}")
    };
    let asked = (0..100)
        .filter(|number| {
            let (actions, _) = receive(&mut session, &authorize(&format!("w{number}")));
            // One name too many is no reason to cut the others off.
            assert!(!matches!(actions.first(), Some(Action::Close(_))));
            matches!(actions.first(), Some(Action::Authorize(_)))
        })
        .count();
    assert_eq!(asked, 63);

    let mut session = mining();
    let long = "x".repeat(256);
    for name in [long.as_str(), "a\\u0007", "\\n", ""] {
        let (actions, out) = receive(&mut session, &authorize(name));
        assert!(actions.is_empty() && out.contains("\"result\":false"), "{name}");
    }
    for _ in 0..5 {
        assert!(receive(&mut session, &authorize("")).0.is_empty());
    }
    assert!(matches!(receive(&mut session, &authorize(" ")).0[..], [Action::Close(_)]));

    let mut session = Session::new([0; 4], &rules(), 0);
    let again = "{\"id\":1,\"method\":\"mining.subscribe\"}";
    for _ in 0..SUBSCRIPTIONS {
        assert_eq!(receive(&mut session, again).0, [Action::SendWork]);
    }
    assert_eq!(receive(&mut session, again).0, [Action::BadLine]);
}

#[test]
fn a_name_asked_for_twice_at_once_is_one_name() {
    let mut session = mining();
    let request = Authorize { id: "3".into(), name: "wk.2".into(), password: String::new() };
    for _ in 0..2 {
        session.authorized(&request, Ok(()), &rules(), 1000, &mut Vec::new());
    }
    assert_eq!(session.workers().collect::<Vec<_>>(), ["wk", "wk.2"]);
}

#[test]
fn a_flood_of_requests_is_cut_but_shares_are_not() {
    let mut session = mining();
    offer(&mut session, 1, true);
    for nonce in 0..1000 {
        share(
            &mut session,
            &format!(
                "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"wk\",\"011\",\"00000000\",\"53724dff\",\"{nonce:08x}\"]}}"
            ),
        );
    }
    let ping = "{\"id\":1,\"method\":\"mining.ping\"}";
    let mut allowed = 0;
    while !receive(&mut session, ping).1.is_empty() {
        allowed += 1;
        assert!(allowed <= 300);
    }
    let mut out = Vec::new();
    for _ in 0..100 {
        session.receive(ping.as_bytes(), &rules(), 2000, &mut out);
    }
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 100, "a second gives a hundred");
}

/// Reliability F56: what is no message costs the sender nothing, so it is counted as one.
#[test]
fn a_flood_of_line_ends_is_cut() {
    let mut session = mining();
    let mut ends = 0;
    while receive(&mut session, "").0.is_empty() {
        ends += 1;
        assert!(ends <= 10_000);
    }
    assert_eq!(ends, 10_000);
    assert_eq!(receive(&mut session, " \r").0, [Action::Close(Cause::RequestRate)]);
}

#[test]
fn a_shorter_extranonce2_needs_a_miner_that_can_change() {
    let wider = PortRules { extranonce2_size: 8, ..rules() };
    let mut session = mining();
    assert!(matches!(session.change_rules(&wider, 0)[..], [Action::Close(_)]));
    let mut session = mining();
    session.knows_extranonce = true;
    offer(&mut session, 1, true);
    assert_eq!(session.change_rules(&wider, 0), [Action::SendWork]);
    assert!(session.needs_clean() && session.is_stale(job(1)));
    let mut out = Vec::new();
    session.offer(job(2), NOTIFY, true, &wider, 0, &mut out);
    assert!(
        String::from_utf8(out).unwrap().contains("set_extranonce\",\"params\":[\"00000001\",8]")
    );
}

#[test]
fn new_bounds_come_with_a_new_job() {
    let mut session = mining();
    offer(&mut session, 1, true);
    assert_eq!(session.change_rules(&rules(), 0), []);
    let unit = rules().unit;
    let higher = Difficulty::nearest(2048.0, unit);
    let mut raised = rules();
    raised.var_diff.as_mut().unwrap().min = higher;
    assert_eq!(session.change_rules(&raised, 0), [Action::SendWork]);
    assert_eq!(session.difficulty(), higher);
    let fixed = PortRules { var_diff: None, ..rules() };
    assert_eq!(session.change_rules(&fixed, 0), [Action::SendWork]);
    assert_eq!(session.difficulty(), rules().start);
}

#[test]
fn the_agent_is_cut_and_cleaned() {
    let mut session = Session::new([0; 4], &rules(), 0);
    let long = "y".repeat(100);
    receive(
        &mut session,
        &format!("{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"\\u001b[31m{long}\"]}}"),
    );
    assert_eq!(session.agent(), format!("[31m{}", "y".repeat(60)));
}

#[test]
fn messages_are_whole_lines() {
    let mut out = Vec::new();
    Session::message("back \"soon\"\n", &mut out);
    Session::reconnect(Some(("pool.example", 3334)), 5, &mut out);
    Session::reconnect(None, 5, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"back \\\"soon\\\"\\n\"]}\n\
         {\"id\":null,\"method\":\"client.reconnect\",\"params\":[\"pool.example\",3334,5]}\n\
         {\"id\":null,\"method\":\"client.reconnect\",\"params\":[]}\n"
    );
}

/// Lines of real clients, to be damaged.
const LINES: [&str; 12] = [
    "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"cgminer/4\",null]}",
    "{\"id\":\"auth\",\"method\":\"mining.authorize\",\"params\":[\"wk%2e1\",\"d=12;x\"]}",
    "{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"wk\",\"011\",\"00000000\",\"53724dff\",\"00000001\",\"00c00000\"]}",
    "{\"id\":null,\"method\":\"mining.submit\",\"params\":[\"wk\",\"011\",\"00000000\",\"53724dff\",\"1\"]}",
    "{\"id\":2,\"method\":\"mining.configure\",\"params\":[[\"version-rolling\",\"minimum-difficulty\"],{\"version-rolling.mask\":\"ffffffff\",\"minimum-difficulty.value\":9}]}",
    "{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[0.00015]}",
    "{\"id\":3,\"method\":\"mining.suggest_difficulty(1000)\",\"params\":[]}",
    "{\"id\":null,\"method\":\"mining.suggest_target\",\"params\":[\"00ffff\"]}",
    "{\"id\":5,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}",
    "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{}}",
    "{\"id\":6,\"result\":\"pong\",\"error\":null}",
    "GET / HTTP/1.1",
];

/// A line of a client with a piece replaced by any bytes, or any bytes alone.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (0..LINES.len(), any::<(u16, u8)>(), prop::collection::vec(any::<u8>(), 0..6));
    let damaged = damaged.prop_map(|(index, (at, length), piece)| {
        let mut line = LINES[index].as_bytes().to_vec();
        let from = usize::from(at) % line.len();
        let to = line.len().min(from + usize::from(length % 8));
        line.splice(from..to, piece);
        line
    });
    let sound = (0..LINES.len()).prop_map(|index| LINES[index].as_bytes().to_vec());
    prop_oneof![2 => damaged, 2 => sound, 1 => prop::collection::vec(any::<u8>(), 0..80)]
}

proptest! {
    /// Any lines: no panic, whole JSON lines, no answer to a null id, no second answer; and the
    /// session that went through text behaves the same.
    #[test]
    fn any_lines_are_survived(lines in prop::collection::vec(line(), 1..40)) {
        let rules = rules();
        let mut session = mining();
        offer(&mut session, 1, true);
        for (number, line) in lines.iter().enumerate() {
            let now = 1000 + number as u64 * 700;
            let text = serde_json::to_string(&session).unwrap();
            let mut twin: Session = serde_json::from_str(&text).unwrap();
            let (mut out, mut twins) = (Vec::new(), Vec::new());
            let mut actions = session.receive(line, &rules, now, &mut out);
            prop_assert_eq!(&actions, &twin.receive(line, &rules, now, &mut twins));
            let answers = out.iter().filter(|&&byte| byte == b'\n').count();
            prop_assert!(answers <= 1 || out == HTTP.as_bytes());
            for action in actions.split_off(0) {
                match action {
                    Action::Authorize(request) => {
                        session.authorized(&request, Ok(()), &rules, now, &mut out);
                        twin.authorized(&request, Ok(()), &rules, now, &mut twins);
                    }
                    Action::Submit(submit) => {
                        session.answer(&submit, Ok(()), &rules, now, &mut out);
                        twin.answer(&submit, Ok(()), &rules, now, &mut twins);
                    }
                    Action::SendWork => {
                        let clean = session.needs_clean();
                        let id = job(2 + number as u32);
                        session.offer(id, NOTIFY, clean, &rules, now, &mut out);
                        twin.offer(id, NOTIFY, clean, &rules, now, &mut twins);
                    }
                    _ => {}
                }
            }
            let ticked = session.tick(&rules, now, &mut out);
            prop_assert_eq!(ticked, twin.tick(&rules, now, &mut twins));
            prop_assert_eq!(&out, &twins);
            if out == HTTP.as_bytes() {
                continue;
            }
            prop_assert!(out.is_empty() || out.ends_with(b"\n"));
            for written in out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                let value: serde_json::Value = serde_json::from_slice(written).unwrap();
                let fields = value.as_object().unwrap();
                let is_answer = fields.contains_key("result") && fields.contains_key("error");
                prop_assert_eq!(is_answer, !fields.contains_key("method"));
                prop_assert_eq!(is_answer, !fields["id"].is_null());
            }
        }
    }
}

/// Late work never bans anybody (A10), but a flood of it ends the connection; what was the pool's
/// own fault does not.
#[test]
fn floods_end_a_connection() {
    let line = |id: u32| {
        format!(
            "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"wk\",\"001\",\"00000000\",\
             \"53724dff\",\"{id:08x}\"]}}"
        )
    };
    let refused = rules().limits.refused.burst;
    let flood = |reject: Reject| {
        let mut session = mining();
        let answered = (0..2 * refused).take_while(|id| {
            let submit = share(&mut session, &line(*id));
            let actions = session.answer(&submit, Err(reject), &rules(), 1000, &mut Vec::new());
            !actions.contains(&Action::Close(Cause::RefusedRate))
        });
        u32::try_from(answered.count()).unwrap()
    };
    assert_eq!(flood(Reject::Stale), refused);
    assert_eq!(flood(Reject::UnknownJob), refused);
    assert_eq!(flood(Reject::LowDifficulty), refused);
    assert_eq!(flood(Reject::Storage), 2 * refused);

    let mut session = Session::new([0; 4], &rules(), 0);
    let unsubscribed = (0..2 * refused).take_while(|id| {
        !receive(&mut session, &line(*id)).0.contains(&Action::Close(Cause::RefusedRate))
    });
    assert_eq!(u32::try_from(unsubscribed.count()).unwrap(), refused, "refused at the door, too");

    let mut session = mining();
    let count = |session: &mut Session, line: &str, cause: Cause| {
        (0..20_000)
            .take_while(|_| !receive(session, line).0.contains(&Action::Close(cause)))
            .count()
    };
    assert_eq!(count(&mut session, &line(1), Cause::SubmitRate), 10_000);
    let mut session = mining();
    let ping = "{\"id\":1,\"method\":\"mining.ping\"}";
    // The subscription was one.
    assert_eq!(count(&mut session, ping, Cause::RequestRate), 299);
    let mut session = mining();
    let authorize = "{\"id\":1,\"method\":\"mining.authorize\",\"params\":[\"wk\"]}";
    assert_eq!(count(&mut session, authorize, Cause::RequestRate), 100, "M13");
}
