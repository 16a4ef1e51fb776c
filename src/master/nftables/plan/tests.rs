//! What is said for bans of all kinds, and nothing that is not needed.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::net::bans::Ban;

const NOW: u64 = 1_000_000;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn bans(of: &[(&str, u64)]) -> Bans {
    let mut bans = Bans::new(0);
    for (network, until) in of {
        bans.add(net(network), Ban { until: *until, offences: 1, reason: String::new() });
    }
    bans
}

fn lines<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(word)).collect()
}

#[test]
fn the_whole_table_replaces_what_is_there_and_has_all_that_is_banned() {
    let bans = bans(&[
        ("192.0.2.1/32", NOW + 1500),
        ("192.0.2.2/32", u64::MAX),
        ("192.0.2.3/32", NOW),
        ("2001:db8:1:2::/64", NOW + 600_000),
        ("198.51.100.0/24", NOW + 5000),
        ("2001:db8::1/128", u64::MAX),
        ("192.0.2.4/32", NOW + 1000 * 366 * 86_400 * 1000),
    ]);
    let frame = Frame {
        table: "romp".to_owned(),
        ports: BTreeSet::from([3333, 443]),
        exempt: vec![net("127.0.0.0/8"), net("::1/128")],
    };
    let text = whole(&frame, &bans, &wide(&bans, NOW), NOW);
    assert!(text.starts_with("add table inet romp\ndelete table inet romp\ntable inet romp {\n"));
    assert_eq!(
        lines(&text, "add element"),
        [
            "add element inet romp ports { 443 }",
            "add element inet romp ports { 3333 }",
            "add element inet romp exempt4 { 127.0.0.0/8 }",
            "add element inet romp exempt6 { ::1/128 }",
            "add element inet romp hosts4 { 192.0.2.2 }",
            "add element inet romp hosts4 { 192.0.2.4 timeout 31536000s }",
            "add element inet romp hosts6 { 2001:db8:1:2:: timeout 600s }",
            "add element inet romp hosts4 { 192.0.2.1 timeout 2s }",
            "add element inet romp nets4 { 198.51.100.0/24 timeout 5s }",
            "add element inet romp nets6 { 2001:db8::1/128 }",
        ]
    );
}

#[test]
fn a_change_is_of_what_has_changed_and_works_whatever_is_there() {
    let bans = bans(&[("192.0.2.1/32", NOW + 60_000), ("192.0.2.9/32", u64::MAX)]);
    let changed = BTreeSet::from([net("192.0.2.1/32"), net("2001:db8:1:2::/64")]);
    let none = Wide::new();
    let text = change("romp", &changed, &bans, (&none, &none), NOW);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "add element inet romp hosts4 { 192.0.2.1 }",
            "delete element inet romp hosts4 { 192.0.2.1 }",
            "add element inet romp hosts4 { 192.0.2.1 timeout 60s }",
            "add element inet romp hosts6 { 2001:db8:1:2:: }",
            "delete element inet romp hosts6 { 2001:db8:1:2:: }",
        ]
    );
}

#[test]
fn of_intervals_the_outermost_are_told_and_the_inner_when_the_outer_end() {
    let bans = bans(&[
        ("198.51.100.128/25", u64::MAX),
        ("198.51.0.0/16", NOW + 5000),
        ("198.51.100.7/32", u64::MAX),
        ("203.0.113.0/24", NOW + 5000),
    ]);
    let before = wide(&bans, NOW);
    let expected = [("198.51.0.0/16", NOW + 5000), ("203.0.113.0/24", NOW + 5000)];
    assert_eq!(before, expected.map(|(text, until)| (net(text), until)).into());
    let after = wide(&bans, NOW + 5000);
    assert_eq!(after, [(net("198.51.100.128/25"), u64::MAX)].into());
    let changed = BTreeSet::from([net("203.0.113.0/24")]);
    assert_eq!(change("romp", &changed, &bans, (&before, &before), NOW), "", "told already");
    let text = change("romp", &BTreeSet::new(), &bans, (&before, &after), NOW + 5000);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "flush set inet romp nets4",
            "flush set inet romp nets6",
            "add element inet romp nets4 { 198.51.100.128/25 }",
        ]
    );
}
