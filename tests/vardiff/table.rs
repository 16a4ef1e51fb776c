//! Runs the scenarios, holds them to what is promised, and writes the tables.

use crate::scenarios::{DAYS, Scenario, cheats, honest};
use crate::sim::Sim;
use crate::stats::{Found, Stats};
use std::fmt::Write as _;

/// Searches: so many runs of so many milliseconds.
const SEARCHES: u64 = 12;
const SEARCH_MS: u64 = 3 * 3_600_000;
const DAY: u64 = 24 * 3_600_000;

/// The tables, by the name of their place in docs/vardiff.md.
pub(crate) fn tables() -> [(&'static str, String); 2] {
    [("miners", miners()), ("cheats", cheaters())]
}

fn run(scenario: &Scenario, seed: u64, ms: u64) -> Stats {
    let stats = Sim::new(scenario.rules.clone(), scenario.rig.clone(), seed).run(ms);
    let name = scenario.name;
    // What is promised whatever the miner does.
    assert_eq!(stats.refused, 0, "{name}: shares of the present tip were refused (seed {seed})");
    assert_eq!(stats.miscredited, 0, "{name}: credit is not what was worked for (seed {seed})");
    stats
}

/// The value below which a part of them lies.
fn quantile<T: Copy>(sorted: &[T], part: f64) -> Option<T> {
    sorted.get((sorted.len() as f64 * part) as usize).or(sorted.last()).copied()
}

fn time(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

fn miners() -> String {
    let mut table = String::from(
        "| miner | to half or twice: median, worst | to `variancePercent`: median | shares until \
         then: median, most | most in a second | rate of 10 min: 5 %, median, 95 % | within half and \
         twice | changes an hour | refused | credit for work |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (number, scenario) in honest().into_iter().enumerate() {
        row(&scenario, number as u64, &mut table);
    }
    table
}

fn row(scenario: &Scenario, number: u64, table: &mut String) {
    let name = scenario.name;
    let mut found: Vec<Found> = Vec::new();
    let mut most = 0;
    for seed in 0..SEARCHES {
        let stats = run(scenario, number * 100 + seed, SEARCH_MS);
        assert!(!stats.is_lost(), "{name}: never arrived (seed {seed})");
        most = most.max(stats.most_in_a_second);
        found.extend(stats.found);
    }
    let mut long = run(scenario, number * 100 + 99, DAYS);
    most = most.max(long.most_in_a_second);
    found.append(&mut long.found);
    let sorted = |values: Vec<u64>| {
        let mut values = values;
        values.sort_unstable();
        values
    };
    let near = sorted(found.iter().map(|it| it.near_ms.unwrap_or(it.ms)).collect());
    let times = sorted(found.iter().map(|it| it.ms).collect());
    let shares = sorted(found.iter().map(|it| u64::from(it.shares)).collect());
    long.rates.sort_by(f64::total_cmp);
    let rate = |part| quantile(&long.rates, part).unwrap_or(0.0);
    let credit = long.credit();
    // Five standard deviations of the count of shares, of which some count for more than others.
    let chance = 10.0 / (long.shares as f64).sqrt();
    assert!((credit - 1.0).abs() < chance, "{name}: {credit} of the work was credited");
    assert!(near.last().is_some_and(|worst| *worst <= 1_800_000), "{name}: not near in 30 minutes");
    assert!(long.close() > 0.9, "{name}: {:.3} of the time within half and twice", long.close());
    let _ = writeln!(
        table,
        "| {name} | {}, {} | {} | {}, {} | {most} | {:.2}, {:.2}, {:.2} | {:.1} % | {:.1} | 0 | \
         {credit:.3} |",
        time(quantile(&near, 0.5).unwrap_or(0)),
        time(quantile(&near, 1.0).unwrap_or(0)),
        time(quantile(&times, 0.5).unwrap_or(0)),
        quantile(&shares, 0.5).unwrap_or(0),
        quantile(&shares, 1.0).unwrap_or(0),
        rate(0.05),
        rate(0.5),
        rate(0.95),
        long.close() * 100.0,
        long.changes_an_hour(),
    );
}

fn cheaters() -> String {
    let mut table = String::from(
        "| miner | connections a day | shares a day | most in a second |\n|---|---|---|---|\n",
    );
    let mut honest = None;
    let mut most_gained = 0.0_f64;
    for scenario in cheats() {
        let stats = run(&scenario, 7, DAY);
        let shares = stats.shares as f64;
        let honest = *honest.get_or_insert(shares);
        if !scenario.rig.is_forgotten {
            most_gained = most_gained.max(shares / honest);
        }
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} |",
            scenario.name, stats.connections, stats.shares, stats.most_in_a_second
        );
    }
    // What a miner may be off anyway: `variancePercent`.
    assert!(most_gained < 1.43, "{most_gained} times the shares of who stays:\n{table}");
    table
}
