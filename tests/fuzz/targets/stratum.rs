//! One line from a miner, and how bytes become lines.

use super::miners::{is_answer, lines, read, rules, work};
use romp::chain::hex_encode;
use romp::net::lines::{Lines, Next};
use romp::stratum::{Action, JobId, PortRules, Session, Submit, notify_line};
use serde_json::Value;

/// Longest line, as workers have it for authorised miners.
const LONGEST: usize = 16 * 1024;
/// Most bytes that one line may make the pool write: a name that is echoed, and codes of
/// `mining.configure` (16 of 64 bytes, at worst six bytes each when escaped).
const MOST_OUTPUT: usize = 16 * 1024;

/// Any bytes as what one miner sends.
pub(crate) fn target(data: &[u8]) {
    let expected = by_hand(data);
    for size in [usize::MAX, 1, 7, 64] {
        assert_eq!(by_lines(data, size), expected, "in pieces of {size} bytes");
        if data.len() > 4096 {
            break;
        }
    }
    let rules = rules(0);
    let ready = ready(&rules);
    let strange = Session::new([8, 0, 0, 1], &rules, 1000);
    for line in expected.iter().take(16) {
        one(line, &strange, &rules);
        one(line, &ready, &rules);
    }
}

/// A session that may submit: two names, a mask, two jobs.
fn ready(rules: &PortRules) -> Session {
    let mut session = Session::new([8, 0, 0, 1], rules, 1000);
    let mut out = Vec::new();
    for line in [
        r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}"#,
        r#"{"id":2,"method":"mining.subscribe","params":["fuzz"]}"#,
        r#"{"id":3,"method":"mining.authorize","params":["w","x"]}"#,
        r#"{"id":4,"method":"mining.authorize","params":["w.2","x"]}"#,
    ] {
        for action in session.receive(line.as_bytes(), rules, 1000, &mut out) {
            if let Action::Authorize(request) = action {
                session.authorized(&request, Ok(()), rules, 1000, &mut out);
            }
        }
    }
    for number in 1..=2 {
        let id = JobId { lane: 0x0a, number };
        session.offer(id, &notify_line(id, &work(4), false), false, rules, 1000, &mut out);
    }
    assert_eq!(session.workers().count(), 2, "the session is not ready");
    session
}

/// The lines up to the first that is too long, split by hand.
fn by_hand(data: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    pieces.pop();
    let short = pieces.into_iter().take_while(|line| line.len() <= LONGEST);
    short.map(|line| line.trim_ascii().to_vec()).collect()
}

/// The same with the pool's buffer, which gets the bytes in pieces.
fn by_lines(data: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut buffer = Lines::default();
    let mut found = Vec::new();
    for piece in data.chunks(size.min(data.len().max(1))) {
        buffer.push(piece);
        loop {
            match buffer.next(LONGEST) {
                Next::Line(line) => found.push(line.to_vec()),
                Next::Nothing => break,
                Next::TooLong => return found,
            }
        }
        assert!(buffer.len() <= LONGEST, "what has no end is kept");
    }
    found
}

/// What one line led to.
struct Outcome {
    actions: Vec<Action>,
    told: Vec<Value>,
}

fn send(line: &[u8], session: &Session, rules: &PortRules) -> Outcome {
    let mut session = session.clone();
    let mut out = Vec::new();
    let actions = session.receive(line, rules, 1000, &mut out);
    assert!(out.len() <= MOST_OUTPUT, "{} bytes for a line of {}", out.len(), line.len());
    // HTTP, TLS and other protocols get a farewell in words of their own.
    let foreign = actions.iter().any(|action| matches!(action, Action::Close(_)));
    let told = if foreign { Vec::new() } else { lines(&out) };
    Outcome { actions, told }
}

fn one(line: &[u8], session: &Session, rules: &PortRules) {
    let outcome = send(line, session, rules);
    assert!(outcome.actions.len() <= 3, "{:?}", outcome.actions);
    let answers = outcome.told.iter().filter(|line| is_answer(line)).count();
    let submits: Vec<&Submit> = outcome.actions.iter().filter_map(as_submit).collect();
    let asks = outcome.actions.iter().any(|action| matches!(action, Action::Authorize(_)));
    assert!(answers + submits.len() + usize::from(asks) <= 1, "one line, several answers");
    let Some(meaning) = std::str::from_utf8(line).ok().and_then(read) else {
        assert!(submits.is_empty() && !asks, "a share or a name out of what is no JSON");
        return;
    };
    for answer in outcome.told.iter().filter(|line| is_answer(line)) {
        assert_eq!(answer["id"], meaning["id"], "the id is echoed");
        assert!(!meaning["id"].is_null(), "a notification was answered");
        assert!(answer.get("result").is_some() && answer.get("error").is_some());
    }
    for submit in submits {
        check_submit(submit, &meaning, session);
    }
    if is_sound_submit(&meaning, session) && outcome.actions != [Action::BadLine] {
        let taken = outcome.actions.iter().any(|action| as_submit(action).is_some());
        assert!(taken, "a sound share was refused: {:?} {:?}", outcome.actions, outcome.told);
    }
    compare_rewritten(&outcome, &meaning, line, session, rules);
}

fn as_submit(action: &Action) -> Option<&Submit> {
    match action {
        Action::Submit(submit) => Some(submit),
        _ => None,
    }
}

/// The text of a parameter.
fn param(meaning: &Value, index: usize) -> &str {
    meaning["params"][index].as_str().unwrap_or_default()
}

/// A share that goes to the judge stands for exactly what was written.
fn check_submit(submit: &Submit, meaning: &Value, session: &Session) {
    assert_eq!(meaning["method"], "mining.submit");
    assert!(session.workers().any(|name| name == submit.name), "not one of the miner's names");
    assert_eq!(param(meaning, 1).to_lowercase(), submit.job.to_string());
    assert_eq!(submit.extranonce2.as_bytes().len(), 4);
    assert_eq!(param(meaning, 2).to_lowercase(), hex_encode(submit.extranonce2.as_bytes()));
    assert_eq!(param(meaning, 3).to_lowercase(), format!("{:08x}", submit.time));
    let nonce = param(meaning, 4);
    assert!((1..=8).contains(&nonce.len()), "{nonce}");
    assert_eq!(format!("{nonce:0>8}").to_lowercase(), format!("{:08x}", submit.nonce));
    let bits = submit.version_bits.unwrap_or(0);
    assert_eq!(bits & !session.version_mask(), 0, "bits outside the mask");
    let written = param(meaning, 5);
    match submit.version_bits {
        Some(bits) => assert_eq!(written.to_lowercase(), format!("{bits:08x}")),
        None => assert_eq!(written, "", "the version bits are lost"),
    }
}

/// Whether this is a share that must reach the judge, as a miner of no fault writes it.
fn is_sound_submit(meaning: &Value, session: &Session) -> bool {
    let hex = |index: usize, digits: usize| {
        let text = param(meaning, index);
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let Some(params) = meaning["params"].as_array() else { return false };
    meaning["method"] == "mining.submit"
        && params.len() == 5
        && session.workers().any(|name| name == param(meaning, 0))
        && ["0a1", "0a2"].contains(&param(meaning, 1))
        && session.is_subscribed()
        && hex(2, 8)
        && hex(3, 8)
        && hex(4, 8)
        && meaning["id"].is_u64()
}

/// A request that is written anew by another program means the same.
fn compare_rewritten(
    first: &Outcome,
    meaning: &Value,
    line: &[u8],
    session: &Session,
    rules: &PortRules,
) {
    // Refused for what only the writing has: a key twice, a long id, deep nesting.
    let refused = first.told.is_empty() && first.actions.contains(&Action::BadLine);
    // A number that is too long to be looked at may be short when written anew.
    let numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
    let long = line.split(|byte| !numeric(byte)).any(|digits| digits.len() > 40);
    let odd = serde_json::from_slice::<Value>(line).is_err();
    if refused || long || odd || !meaning.is_object() || meaning["id"].is_f64() {
        return;
    }
    let rewritten = serde_json::to_vec(meaning).expect("JSON");
    let second = send(&rewritten, session, rules);
    let nameless = |actions: &[Action]| -> Vec<Action> {
        let mut actions = actions.to_vec();
        for action in &mut actions {
            match action {
                Action::Submit(submit) => submit.id.clear(),
                Action::Authorize(request) => request.id.clear(),
                _ => {}
            }
        }
        actions
    };
    // A password may be a number, and is kept as it was written.
    let password = meaning["method"] == "mining.authorize" && meaning["params"][1].is_number();
    if !password {
        assert_eq!(nameless(&first.actions), nameless(&second.actions));
    }
    assert_eq!(first.told, second.told);
}
