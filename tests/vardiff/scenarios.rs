//! Who mines where.

use crate::rig::Rig;
use romp::stratum::{Difficulty, PortRules, Unit, VarDiffRules};

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;
/// How long the long run lasts: three days.
pub(crate) const DAYS: u64 = 72 * HOUR;

/// One row of the table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) rules: PortRules,
    pub(crate) rig: Rig,
}

/// Hashes for a share of difficulty 1.
const SHA256D: f64 = 4_294_967_296.0;
const SCRYPT: f64 = 65_536.0;

fn port(start: f64, min: f64, max: f64) -> PortRules {
    let unit = Unit::for_smallest(min.min(start));
    let exact = |difficulty| Difficulty::nearest(difficulty, unit);
    PortRules {
        unit,
        shift: 0,
        start: exact(start),
        var_diff: Some(VarDiffRules {
            min: exact(min),
            max: exact(max),
            target_time: 15.0,
            retarget_time: 90.0,
            variance_percent: 30.0,
            x2_mode: false,
        }),
        extranonce2_size: 4,
        version_mask: 0,
        connection_timeout_ms: 600_000,
        limits: romp::stratum::SessionLimits::default(),
    }
}

/// The settings that docs/vardiff.md recommends for sha256d and for scrypt.
fn sha256d() -> PortRules {
    port(8192.0, 0.00001, 3e7)
}

fn scrypt() -> PortRules {
    port(1024.0, 0.1, 1e8)
}

/// NOMP's own example.
fn nomp() -> PortRules {
    port(32.0, 8.0, 512.0)
}

fn with(mut rules: PortRules, change: impl FnOnce(&mut VarDiffRules)) -> PortRules {
    change(rules.var_diff.as_mut().expect("a port with vardiff"));
    rules
}

/// A steady rig, `speed` in difficulty per second.
fn steady(speed: f64) -> Rig {
    Rig {
        latency: 60,
        lag: 500,
        speed: vec![(0, speed)],
        reconnects: None,
        cheats: None,
        is_forgotten: false,
    }
}

/// One that goes through factors of its speed, each for a time, again and again.
fn cycle(speed: f64, phases: &[(u64, f64)]) -> Rig {
    let mut steps = Vec::new();
    let mut at = 0;
    while at < DAYS {
        for (ms, factor) in phases {
            steps.push((at, speed * factor));
            at += ms;
        }
    }
    Rig { speed: steps, ..steady(speed) }
}

pub(crate) fn honest() -> Vec<Scenario> {
    let asic = 100e12 / SHA256D;
    let row = |name, rules, rig| Scenario { name, rules, rig };
    let fixed = PortRules { var_diff: None, ..port(asic * 15.0, 1.0, 1e7) };
    // Rigs of a farm that come and go: between 5 and 20 of them.
    let farm: Vec<(u64, f64)> =
        (0..96_u64).map(|hour| (HOUR, 0.05 * (5 + hour * 7919 % 16) as f64)).collect();
    vec![
        row("no vardiff, exactly right: chance alone", fixed, steady(asic)),
        row("CPU 5 kH/s (start 5e8 times too high)", sha256d(), steady(5e3 / SHA256D)),
        row("Bitaxe 1.2 TH/s", sha256d(), steady(1.2e12 / SHA256D)),
        row("ASIC 100 TH/s", sha256d(), steady(asic)),
        row("rental proxy 5 PH/s", sha256d(), steady(5e15 / SHA256D)),
        row("scrypt: CPU 5 kH/s", scrypt(), steady(5e3 / SCRYPT)),
        row("scrypt: ASIC 9.5 GH/s", scrypt(), steady(9.5e9 / SCRYPT)),
        row("NOMP's example port, 1 MH/s", nomp(), steady(1e6 / SCRYPT)),
        row("NOMP's example port, 10 MH/s: at `maxDiff`", nomp(), steady(1e7 / SCRYPT)),
        row("start 1e6 times too low", port(asic * 15e-6, 0.001, 3e7), steady(asic)),
        row("start 1e6 times too high", port(asic * 15e6, 0.5, 1e12), steady(asic)),
        row(
            "rental: x100 for 1 h of 6",
            sha256d(),
            cycle(asic, &[(4 * HOUR, 1.0), (HOUR, 100.0), (HOUR, 1.0)]),
        ),
        row("sleeps 8 h of 24", sha256d(), cycle(asic, &[(16 * HOUR, 1.0), (8 * HOUR, 0.0)])),
        row(
            "flaps by 30 % each 10 min",
            sha256d(),
            cycle(asic, &[(10 * MINUTE, 1.3), (10 * MINUTE, 0.7)]),
        ),
        row("farm of 5 to 20 rigs on one connection", sha256d(), cycle(asic, &farm)),
        row(
            "connects again each 5 min",
            sha256d(),
            Rig { reconnects: Some(5 * MINUTE), ..steady(asic) },
        ),
        row(
            "2 s from the pool, 3 s to switch",
            sha256d(),
            Rig { latency: 2000, lag: 3000, ..steady(asic) },
        ),
        row("`x2mode`", with(sha256d(), |rules| rules.x2_mode = true), steady(asic)),
        row(
            "`variancePercent` 0",
            with(sha256d(), |rules| rules.variance_percent = 0.0),
            steady(asic),
        ),
        row(
            "`targetTime` 5, `retargetTime` 30",
            with(sha256d(), |rules| (rules.target_time, rules.retarget_time) = (5.0, 30.0)),
            steady(asic),
        ),
        row("`minDiff` = `maxDiff`", port(4096.0, 4096.0, 4096.0), steady(4096.0 / 15.0)),
    ]
}

/// Miners who leave to be given the easy start again, each beside one who stays.
pub(crate) fn cheats() -> Vec<Scenario> {
    let speed = 100e12 / SHA256D;
    let row = |name, cheats, is_forgotten| {
        let rig = Rig { cheats, is_forgotten, ..steady(speed) };
        Scenario { name, rules: sha256d(), rig }
    };
    vec![
        row("stays", None, false),
        row("leaves after each share", Some(1), false),
        row("leaves after 3 shares", Some(3), false),
        row("leaves after 5 shares", Some(5), false),
        row("leaves after 20 shares", Some(20), false),
        row("leaves after 5 shares, were nothing remembered", Some(5), true),
    ]
}
