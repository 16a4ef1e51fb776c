//! What is said when.

use super::*;

fn facts(whole: bool, serving: bool, status: &str) -> Facts {
    Facts { stopping: None, whole, serving, status: status.to_owned() }
}

#[test]
fn ready_is_said_once_and_the_status_when_it_changes() {
    let mut said = Said { since: 1000, ..Said::default() };
    let mut turn = |facts: Facts, now| said.turn(None, false, || facts, now);
    assert!(turn(facts(false, true, "a"), 1000).is_empty());
    let ready = turn(facts(true, true, "a"), 1200);
    let pid = std::process::id();
    assert_eq!(ready, [format!("READY=1\nMAINPID={pid}\nSTATUS=a")]);
    assert!(turn(facts(true, true, "b"), 1400).is_empty(), "not every turn");
    assert_eq!(turn(facts(true, true, "b"), 11_200), ["STATUS=b"]);
    assert!(turn(facts(true, true, "b"), 21_300).is_empty(), "nothing new");
}

#[test]
fn serving_miners_is_enough_in_the_end() {
    let mut said = Said { since: 1000, ..Said::default() };
    assert!(said.turn(None, false, || facts(false, true, ""), 15_900).is_empty());
    assert!(said.turn(None, false, || facts(false, false, ""), 16_000).is_empty());
    assert_eq!(said.turn(None, false, || facts(false, true, ""), 16_000).len(), 1);
}

#[test]
fn a_reload_ends_with_ready() {
    let mut said = Said { ready: true, ..Said::default() };
    assert!(said.reloading(5000).starts_with("RELOADING=1\nMONOTONIC_USEC=5000000\nSTATUS="));
    assert!(said.turn(None, false, || facts(false, true, "x"), 5100).is_empty());
    let ready = said.turn(None, false, || facts(true, true, "x"), 5200);
    assert!(ready.concat().starts_with("READY=1\n"), "{ready:?}");
}

#[test]
fn the_watchdog_hears_at_half_of_its_time_also_while_stopping() {
    let mut said = Said { ready: true, looked: 10_000, alive: 10_000, ..Said::default() };
    let stop = Facts { stopping: Some(5000), ..facts(true, true, "") };
    let mut heard = Vec::new();
    for now in (10_000..20_000).step_by(500) {
        let is_stopping = now >= 15_000;
        let now_facts = || if is_stopping { stop.clone() } else { facts(true, true, "") };
        heard.extend(
            said.turn(Some(4000), is_stopping, now_facts, now).into_iter().map(|it| (now, it)),
        );
    }
    let alive: Vec<u64> =
        heard.iter().filter(|(_, it)| it == "WATCHDOG=1").map(|(now, _)| *now).collect();
    assert_eq!(alive, [12_000, 14_000, 16_000, 18_000]);
    let other: Vec<_> = heard.iter().filter(|(_, it)| it != "WATCHDOG=1").collect();
    let words = "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000\nSTATUS=stopping".to_owned();
    assert_eq!(other, [&(15_000, words)]);
}

#[test]
fn names_are_such_as_systemd_takes() {
    assert_eq!(name(([127, 0, 0, 1], 3032).into()), "127.0.0.1_3032");
    assert_eq!(name("[::]:3032".parse().unwrap_or(([0, 0, 0, 0], 0).into())), "[__]_3032");
}
