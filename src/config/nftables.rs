//! `nftables` of `config.json`: whether the kernel is told of bans.

use super::diagnostics::shown;
use super::raw::RawNftables;
use super::values::{Judge, Keys};
use serde::{Deserialize, Serialize};

/// How the kernel is told of bans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// The table of the family inet that is made, and made anew, for this alone.
    pub table: String,
    /// Nothing is changed: what would be told is logged, and checked by the program.
    pub dry_run: bool,
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: String,
}

/// What a table's name begins with: whatever it holds is deleted, and nobody's firewall is to be.
const OURS: &str = "romp";
/// Letters of a name that the kernel takes.
const LONGEST: usize = 31;

/// Checks it; `None`: it is off.
pub(super) fn nftables(
    raw: &RawNftables,
    keys: &Keys<'_>,
    judge: &mut Judge<'_>,
) -> Option<Nftables> {
    let table = raw.table.as_deref().unwrap_or(OURS);
    let fine = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !table.starts_with(OURS) || table.len() > LONGEST || !table.chars().all(fine) {
        let title = format!("`{}` is no table that romp makes", shown(table));
        let hint = "must begin with `romp`, then letters, digits and `_`, 31 in all: the table is \
                    deleted and made anew at each start";
        judge.report.error(&keys.at(&["nftables", "table"]), &title, hint);
    }
    let program = raw.program.as_deref().unwrap_or("nft");
    if program.is_empty() || program.contains('\0') {
        let hint = "must be the path of `nft`, or its name";
        judge.report.error(&keys.at(&["nftables", "program"]), "no program", hint);
    }
    raw.enabled.unwrap_or(false).then(|| Nftables {
        table: table.to_owned(),
        dry_run: raw.dry_run.unwrap_or(false),
        program: program.to_owned(),
    })
}
