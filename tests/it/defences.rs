//! Keeps docs/defences.md true: every known attack has its row, and every test named there exists.

use std::collections::BTreeSet;
use std::path::Path;

/// Why a row may be without a test.
const REASONS: [&str; 1] = ["switching of coins, not built yet"];
/// Rows that must be there.
const ROWS: &str = "S1 S2 S3 S4 S5 S6 S7 S8 S10 A1 A2 A3 A4 A5 A6 A7 A8 A10 A11 A12 A13 A15 A16 A17 \
    A18 M7 M8 O1 O2 O3 O5 O6 O7 O8 O10 \
    in-S1 in-S2 in-S3 in-S5 in-S6 in-S7 in-S9 in-S10 in-S11 in-S13 in-S14 in-S15 in-S17 in-S18 \
    in-S19 in-S21 in-S22 in-S23 in-S25 in-S26 in-S27 in-S29 in-S30 \
    in-M1 in-M3 in-M4 in-M5 in-M7 in-M8 in-M9 in-M11 in-M12 in-M13 in-M15 in-M16 in-M17 in-M19 \
    in-M20 in-M21 in-M23 in-M24 in-M25 in-M27 in-M28 in-M29 in-M31 in-M32 in-M33 in-M35 in-M36 \
    in-M37 in-M39 in-M40 \
    in-C1 in-C3 in-C4 in-C5 in-C7 in-C8 in-C9 in-C11 in-C12 in-C13 in-C15 in-C16 in-C17 in-C19 \
    in-C20 in-C21 in-C23 \
    in-B1 in-B2 in-B3 in-B5 in-B6 in-B7 in-B9 in-B10 in-I1 in-I3 in-I4 in-I5 \
    in-D2 in-D3 in-D4 in-D6 in-D7 in-D8 in-D10 in-D11 in-D12 in-D14 in-D15 in-D16 in-D18 in-P1 \
    in-R1";

/// What is wrong with a test that is named, if anything: `file::name`, or a file or folder alone.
fn fault(root: &Path, named: &str) -> Option<String> {
    let (file, name) =
        named.split_once("::").map_or((named, None), |(file, name)| (file, Some(name)));
    let path = root.join(file);
    let Some(name) = name else {
        return (!path.exists()).then(|| format!("there is no {file}"));
    };
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Some(format!("there is no {file}"));
    };
    let head = format!("fn {name}(");
    let is_test = text.match_indices(&head).any(|(at, _)| {
        let before = text[..at].rsplit("\n\n").next().unwrap_or_default();
        before.contains("#[test]")
    });
    (!is_test).then(|| format!("{file} has no test `{name}`"))
}

#[test]
fn every_known_attack_has_a_row_and_every_row_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/defences.md")).expect("docs/defences.md");
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let rows = text.lines().enumerate().filter(|(_, line)| line.starts_with("| "));
    for (number, line) in rows {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let mut told =
            |what: String| findings.push(format!("docs/defences.md:{}: {what}", number + 1));
        let [id, tried, done, tests] = cells[..] else {
            told(format!("four cells, not {}", cells.len()));
            continue;
        };
        if id == "id" {
            continue;
        }
        if !seen.insert(id.to_owned()) {
            told(format!("{id} twice"));
        }
        if tried.is_empty() || done.is_empty() {
            told(format!("{id}: an empty cell"));
        }
        if REASONS.iter().any(|reason| tests.starts_with(reason)) {
            continue;
        }
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            told(format!("{id}: no test and no reason"));
        }
        for name in named {
            if let Some(fault) = fault(root, name) {
                told(format!("{id}: {fault}"));
            }
        }
    }
    for id in ROWS.split_whitespace().filter(|id| !seen.contains(*id)) {
        findings.push(format!("docs/defences.md: no row {id}"));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
