//! What nft(8) is told, in its words. Pure.
//!
//! One address (or IPv6 /64), which is what workers ban, is a key of a hash table: looked up and
//! changed in the same time however many there are. Networks of other lengths, which operators ban,
//! are intervals, few; these may not overlap, so that only the outermost are told.

use crate::net::bans::Bans;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Longest time that a ban is told for, s: a year. The kernel knows no more than a few.
const LONGEST: u64 = 365 * 86_400;

/// What the table is about, besides bans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its name.
    pub(super) table: String,
    /// Ports that bans are about.
    pub(super) ports: BTreeSet<u16>,
    /// Networks that are never banned.
    pub(super) exempt: Vec<IpNet>,
}

/// Networks that are intervals and are told, and when their bans end.
pub(super) type Wide = BTreeMap<IpNet, u64>;

/// The whole table, in place of whatever is there.
pub(super) fn whole(frame: &Frame, bans: &Bans, wide: &Wide, now: u64) -> String {
    let table = &frame.table;
    let mut text = removal(table);
    // A closing brace stands on its own line: nft wants it so after a semicolon.
    let _ = write!(
        text,
        "table inet {table} {{\n\
         \tset ports {{\n\t\ttype inet_service\n\t}}\n\
         \tset exempt4 {{\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\tauto-merge\n\t}}\n\
         \tset exempt6 {{\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\tauto-merge\n\t}}\n\
         \tset hosts4 {{\n\t\ttype ipv4_addr\n\t\tflags timeout\n\t}}\n\
         \tset hosts6 {{\n\t\ttype ipv6_addr\n\t\tflags timeout\n\t}}\n\
         \tset nets4 {{\n\t\ttype ipv4_addr\n\t\tflags interval,timeout\n\t}}\n\
         \tset nets6 {{\n\t\ttype ipv6_addr\n\t\tflags interval,timeout\n\t}}\n\
         \tchain input {{\n\
         \t\ttype filter hook input priority filter - 10; policy accept;\n\
         \t\ttcp dport != @ports accept\n\
         \t\ttcp flags & (fin | syn | rst | ack) != syn accept\n\
         \t\tip saddr @exempt4 accept\n\
         \t\tip6 saddr @exempt6 accept\n\
         \t\tip saddr @hosts4 counter drop\n\
         \t\tip6 saddr & ffff:ffff:ffff:ffff:: @hosts6 counter drop\n\
         \t\tip saddr @nets4 counter drop\n\
         \t\tip6 saddr @nets6 counter drop\n\
         \t}}\n}}\n"
    );
    for port in &frame.ports {
        let _ = writeln!(text, "add element inet {table} ports {{ {port} }}");
    }
    for network in &frame.exempt {
        let set = if network.addr().is_ipv4() { "exempt4" } else { "exempt6" };
        let _ = writeln!(text, "add element inet {table} {set} {{ {network} }}");
    }
    for (network, ban) in bans.living(now) {
        if let Some(host) = host(network) {
            host.add(table, ban.until, now, &mut text);
        }
    }
    intervals(table, wide, now, &mut text);
    text
}

/// Takes the table away, whether it is there or not.
pub(super) fn removal(table: &str) -> String {
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// What is new of some networks, and all intervals, if they are not those that were told.
pub(super) fn change(
    table: &str,
    networks: &BTreeSet<IpNet>,
    bans: &Bans,
    (told, wide): (&Wide, &Wide),
    now: u64,
) -> String {
    let mut text = String::new();
    for network in networks {
        let Some(host) = host(network) else { continue };
        // There is no word for "if it is there" that all kernels know. And a time that is told for
        // what is there already is not taken.
        host.add(table, u64::MAX, now, &mut text);
        let _ = writeln!(text, "delete element inet {table} {} {{ {} }}", host.set, host.key);
        if let Some(until) = bans.until(network, now) {
            host.add(table, until, now, &mut text);
        }
    }
    if told != wide {
        for set in ["nets4", "nets6"] {
            let _ = writeln!(text, "flush set inet {table} {set}");
        }
        intervals(table, wide, now, &mut text);
    }
    text
}

/// Banned networks that are intervals and in no other one.
pub(super) fn wide(bans: &Bans, now: u64) -> Wide {
    let others = bans.living(now).filter(|(network, _)| host(network).is_none());
    let mut others: Vec<(IpNet, u64)> = others.map(|(net, ban)| (*net, ban.until)).collect();
    others.sort_unstable_by_key(|(network, _)| network.prefix_len());
    let mut outermost = Wide::new();
    for (network, until) in others {
        if !outermost.keys().any(|outer| outer.contains(&network)) {
            outermost.insert(network, until);
        }
    }
    outermost
}

fn intervals(table: &str, wide: &Wide, now: u64, text: &mut String) {
    for (network, until) in wide {
        let set = if network.addr().is_ipv4() { "nets4" } else { "nets6" };
        Element { set, key: network.to_string() }.add(table, *until, now, text);
    }
}

/// An element of a set.
struct Element {
    set: &'static str,
    key: String,
}

/// The element of a network that is a key.
fn host(network: &IpNet) -> Option<Element> {
    let set = match (network, network.prefix_len()) {
        (IpNet::V4(_), 32) => "hosts4",
        (IpNet::V6(_), 64) => "hosts6",
        _ => return None,
    };
    Some(Element { set, key: network.addr().to_string() })
}

impl Element {
    fn add(&self, table: &str, until: u64, now: u64, text: &mut String) {
        let _ = write!(text, "add element inet {table} {} {{ {}", self.set, self.key);
        if until < u64::MAX {
            let left = until.saturating_sub(now).div_ceil(1000);
            let _ = write!(text, " timeout {}s", left.clamp(1, LONGEST));
        }
        text.push_str(" }\n");
    }
}

#[cfg(test)]
mod tests;
