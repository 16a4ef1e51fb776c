//! Conversations with pools of several tempers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn client() -> Client {
    let mut client = Client::new(Algorithm::Scrypt, ("pool.example", "user.rig", "x"), 7);
    let events =
        client.receive(r#"{"id":1,"result":[[["mining.notify","a"]],"0800",4],"error":null}"#);
    let [Event::Send(line)] = events.as_slice() else { panic!("{events:?}") };
    assert!(line.contains("mining.authorize") && line.contains(r#"["user.rig","x"]"#));
    client
}

fn notify(id: &str, previous: &str, clean: bool) -> String {
    format!(
        r#"{{"id":null,"method":"mining.notify","params":["{id}","{previous}","01","02",[],"20000000","207fffff","53724dff",{clean}]}}"#
    )
}

fn job(client: &mut Client, id: &str, previous: &str, clean: bool) -> Arc<Job> {
    match client.receive(&notify(id, previous, clean)).as_slice() {
        [Event::Job(job)] => Arc::clone(job),
        events => panic!("{events:?}"),
    }
}

fn say(client: &mut Client, method: &str, params: &Value) -> Vec<Event> {
    client.receive(&json!({"id": null, "method": method, "params": params}).to_string())
}

#[test]
fn login_and_a_share() {
    let mut client = client();
    let events = client.receive(r#"{"id":2,"result":true,"error":null}"#);
    assert_eq!(events.first(), Some(&Event::Authorized));
    let job = job(&mut client, "0a1", ZEROS, true);
    assert_eq!(job.sequence, 7);
    let line = client.submit(&job, &[0, 0, 0, 9], 0xbeef).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["id"], 10);
    assert_eq!(line["params"], json!(["user.rig", "0a1", "00000009", "53724dff", "0000beef"]));
    assert_eq!(client.unanswered(), 1);
    assert_eq!(client.receive(r#"{"id":10,"result":true,"error":null}"#), [Event::Accepted]);
    // A second answer, and one to nothing we asked, count for nothing.
    assert_eq!(client.receive(r#"{"id":10,"result":true,"error":null}"#), []);
    assert_eq!(client.receive(r#"{"id":99,"result":true,"error":null}"#), []);
    assert_eq!(client.unanswered(), 0);
}

#[test]
fn rejections_keep_the_pools_words() {
    for (error, words) in [
        (json!([23, "low difficulty share", null]), "low difficulty share"),
        (json!({"code": 21, "message": "job not found"}), "job not found"),
        (json!("stale\u{1b}[2J"), "stale[2J"),
        (Value::Null, "no reason given"),
    ] {
        let mut client = client();
        let job = job(&mut client, "1", ZEROS, true);
        client.submit(&job, &[0; 4], 1).unwrap();
        let answer = json!({"id": 10, "result": null, "error": error}).to_string();
        assert_eq!(client.receive(&answer), [Event::Rejected(words.to_owned())]);
    }
}

#[test]
fn a_difficulty_is_for_the_next_job() {
    let mut client = client();
    let first = job(&mut client, "1", ZEROS, true);
    assert!(say(&mut client, "mining.set_difficulty", &json!([0.5])).is_empty());
    let second = job(&mut client, "2", ZEROS, false);
    assert_eq!(first.target, target(1.0, Algorithm::Scrypt));
    assert_eq!(second.target, target(0.5, Algorithm::Scrypt));
    for strange in [json!([0]), json!([-1]), json!(["x"]), json!([]), Value::Null] {
        let events = say(&mut client, "mining.set_difficulty", &strange);
        assert!(matches!(events.as_slice(), [Event::Say(_)]), "{strange}");
    }
    assert_eq!(job(&mut client, "3", ZEROS, false).target, second.target);
}

#[test]
fn clean_jobs_make_older_shares_worthless() {
    let mut client = client();
    let first = job(&mut client, "1", ZEROS, true);
    let second = job(&mut client, "2", ZEROS, false);
    assert!(client.submit(&first, &[0; 4], 1).is_some());
    let third = job(&mut client, "3", ZEROS, true);
    assert!(client.submit(&second, &[0; 4], 1).is_none());
    // Another tip cleans even when the pool does not say so.
    let fourth = job(&mut client, "4", ONES, false);
    assert!(fourth.clean && client.submit(&third, &[0; 4], 1).is_none());
    assert!(client.submit(&fourth, &[0; 4], 1).is_some());
    // Nothing lives on over a connection.
    let names = ("pool.example", "user", "x");
    let mut next = Client::new(Algorithm::Scrypt, names, client.next_sequence());
    assert!(next.submit(&fourth, &[0; 4], 1).is_none());
}

#[test]
fn a_new_extranonce_is_used_from_the_next_job() {
    let mut client = client();
    let old = job(&mut client, "1", ZEROS, true);
    assert!(say(&mut client, "mining.set_extranonce", &json!(["0bad", 2])).is_empty());
    assert!(client.submit(&old, &[0; 4], 1).is_none());
    let new = job(&mut client, "2", ZEROS, false);
    assert_eq!(new.extranonce, Extranonce::new("0bad", 2).unwrap());
    assert!(new.clean && client.submit(&new, &[0; 2], 1).is_some());
    let events = say(&mut client, "mining.set_extranonce", &json!(["xyz", 2]));
    assert!(matches!(events.as_slice(), [Event::Hopeless(_)]));
}

#[test]
fn only_the_pools_own_host_may_send_us_elsewhere() {
    let mut client = client();
    for (params, wanted) in [
        (json!([]), Event::Reconnect { port: None, wait: 0 }),
        (json!(["", 0, 3]), Event::Reconnect { port: None, wait: 3 }),
        (json!(["Pool.example", "3334", "600"]), Event::Reconnect { port: Some(3334), wait: 60 }),
    ] {
        assert_eq!(say(&mut client, "client.reconnect", &params), [wanted], "{params}");
    }
    let events = say(&mut client, "client.reconnect", &json!(["thief.example", 3333, 0]));
    assert!(matches!(events.as_slice(), [Event::Say(_)]));
}

#[test]
fn requests_are_answered_and_notifications_are_not() {
    let mut client = client();
    let events = client.receive(r#"{"id":"p","method":"mining.ping","params":[]}"#);
    assert_eq!(events, [Event::Send(r#"{"error":null,"id":"p","result":"pong"}"#.to_owned())]);
    assert!(say(&mut client, "mining.ping", &json!([])).is_empty());
    let events = client.receive(r#"{"id":5,"method":"client.get_version","params":[]}"#);
    assert!(matches!(events.as_slice(), [Event::Send(line)] if line.contains(AGENT)));
    let events = client.receive(r#"{"id":5,"method":"client.dance","params":[]}"#);
    assert!(matches!(events.as_slice(), [Event::Send(line)] if line.contains("Not supported")));
    let events = say(&mut client, "client.show_message", &json!(["be\u{7}ware"]));
    assert_eq!(events, [Event::Say("message of the pool: beware".to_owned())]);
}

#[test]
fn hopeless_pools_are_left() {
    for line in [
        "HTTP/1.1 400 Bad Request",
        r#"{"id":2,"result":false,"error":null}"#,
        r#"{"id":1,"result":null,"error":[20,"full",null]}"#,
        r#"{"id":1,"result":[[],"00",16],"error":null}"#,
    ] {
        let mut client = Client::new(Algorithm::Sha256, ("pool.example", "user", "x"), 0);
        let events = client.receive(line);
        assert!(matches!(events.as_slice(), [Event::Hopeless(_)]), "{line}: {events:?}");
    }
    let mut early = Client::new(Algorithm::Sha256, ("pool.example", "user", "x"), 0);
    let events = early.receive(&notify("1", ZEROS, true));
    assert!(matches!(events.as_slice(), [Event::Hopeless(_)]));
}
