//! The pool as a whole, and each of its processes.

use super::super::machine::Machine;
use super::family::Family;
use super::{list, number, object, seconds, yes};
use serde_json::Value;

/// What the master's status says of the fleet.
pub(super) fn write(out: &mut String, status: &Value) {
    let each: [(&str, &str, &str, &str); 4] = [
        ("romp_uptime_seconds", "gauge", "Age of the master.", "uptime_seconds"),
        ("romp_generation", "gauge", "Configurations that were loaded since.", "generation"),
        ("romp_bans", "gauge", "Living bans.", "bans"),
        (
            "romp_wrong_passwords_total",
            "counter",
            "Block notices with a wrong password.",
            "wrong_passwords",
        ),
    ];
    let alone = |value| std::iter::once(([], value));
    for (name, kind, help, key) in each {
        Family::new(out, name, kind, help).put_each(alone(number(status, key)));
    }
    let help = "Most files that a process may have open.";
    let limit = status.get("nofile").and_then(|it| number(it, "soft"));
    Family::new(out, "romp_open_files_limit", "gauge", help).put_each(alone(limit));
    let help = "Connections refused or ended, by cause.";
    let mut family = Family::new(out, "romp_refused_connections_total", "counter", help);
    for (cause, count) in object(status, "refused") {
        family.put(&[("cause", cause)], count.as_f64().unwrap_or_default());
    }
    processes(out, list(status, "children"));
}

fn processes(out: &mut String, children: &[Value]) {
    let text = |child: &Value, key: &str| match child.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let children: Vec<(String, String, &Value)> =
        children.iter().map(|child| (text(child, "role"), text(child, "slot"), child)).collect();
    let mut family = Family::new(out, "romp_process_up", "gauge", "Whether a process serves.");
    for (role, slot, child) in &children {
        let ready = text(child, "state") == "ready";
        family.put(&[("role", role), ("slot", slot)], yes(ready));
    }
    // Name, kind, help, key, unit in that of the metric, of workers only.
    let each: [(&str, &str, &str, &str, f64, bool); 7] = [
        ("romp_process_miners", "gauge", "Connected miners of a worker.", "miners", 1.0, true),
        (
            "romp_process_accepted_shares_total",
            "counter",
            "Accepted shares of a worker.",
            "accepted",
            1.0,
            true,
        ),
        (
            "romp_process_rejected_shares_total",
            "counter",
            "Refused shares of a worker.",
            "rejected",
            1.0,
            true,
        ),
        (
            "romp_process_restarts_total",
            "counter",
            "How often it was started again.",
            "restarts",
            1.0,
            false,
        ),
        ("romp_process_generation", "gauge", "Its configuration.", "generation", 1.0, false),
        ("romp_process_uptime_seconds", "gauge", "Its age.", "uptime_seconds", 1.0, false),
        (
            "romp_process_turn_age_seconds",
            "gauge",
            "Since its last turn; it has two a second at least.",
            "tick_ms_ago",
            0.001,
            false,
        ),
    ];
    for (name, kind, help, key, unit, workers) in each {
        let all = children.iter().filter(|(role, ..)| !workers || role == "worker");
        Family::new(out, name, kind, help).put_each(all.map(|(role, slot, child)| {
            let value = number(child, key).map(|value| value * unit);
            ([("role", role.as_str()), ("slot", slot.as_str())], value)
        }));
    }
}

/// What the board and the kernel say.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub(super) fn write_machine(out: &mut String, machine: &Machine) {
    // The master has no slot.
    let slot = |slot: Option<usize>| slot.map(|slot| slot.to_string()).unwrap_or_default();
    let costs: Vec<_> =
        machine.costs.iter().map(|(role, at, cost)| (*role, slot(*at), cost)).collect();
    let help = "Bytes in memory, those shared with other processes included.";
    let mut family = Family::new(out, "romp_process_resident_memory_bytes", "gauge", help);
    for (role, slot, cost) in &costs {
        family.put(&[("role", role), ("slot", slot)], cost.resident as f64);
    }
    let help = "Seconds of processor.";
    let mut family = Family::new(out, "romp_process_cpu_seconds_total", "counter", help);
    for (role, slot, cost) in &costs {
        family.put(&[("role", role), ("slot", slot)], seconds(cost.cpu));
    }
    let mut family = Family::new(out, "romp_process_open_files", "gauge", "Open files.");
    for (role, slot, cost) in &costs {
        if let Some(files) = cost.files {
            family.put(&[("role", role), ("slot", slot)], files as f64);
        }
    }
    let help = "From the event that a share can be read until its answer is written.";
    let mut family = Family::new(out, "romp_share_reply_seconds", "histogram", help);
    for (slot, times) in &machine.replies {
        family.put_times(&[("slot", &slot.to_string())], times);
    }
    let help = "From the first word of a new block until a worker's last miner has new work.";
    let mut family = Family::new(out, "romp_block_change_seconds", "histogram", help);
    for (coin, slot, times) in &machine.changes {
        family.put_times(&[("coin", coin), ("slot", &slot.to_string())], times);
    }
}
