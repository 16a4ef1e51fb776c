//! Proves vardiff: the product's own session, vardiff and memory of starts against miners of all
//! sizes for simulated days. The figures are the tables of docs/vardiff.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it saw"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds of some days"
)]

mod pool;
mod random;
mod rig;
mod scenarios;
mod sim;
mod stats;
mod table;

/// Writes the tables into docs/vardiff.md, or checks that they stand there.
#[test]
fn the_tables_of_the_documentation_are_what_the_code_gives() {
    let tables = table::tables();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/vardiff.md");
    let before = std::fs::read_to_string(path).expect("docs/vardiff.md");
    let mut after = before.clone();
    for (mark, table) in tables {
        let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->"));
        let from = after.find(&begin).expect("the mark before the table") + begin.len();
        let to = after.find(&end).expect("the mark after the table");
        after.replace_range(from..to, &format!("\n{table}\n"));
    }
    if std::env::var_os("ROMP_WRITE_DOCS").is_some() {
        std::fs::write(path, &after).expect("docs/vardiff.md");
    } else {
        assert!(
            before == after,
            "docs/vardiff.md is not what vardiff does now:\n{after}\n\
            write it anew with: ROMP_WRITE_DOCS=1 cargo test --test vardiff"
        );
    }
}
