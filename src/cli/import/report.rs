//! What an import says that it has done, or would do.

use super::super::shares::{print, print_json, printable};
use super::super::{DONE, FAILED};
use super::Shared;
use crate::config::Pool;
use crate::import::{Draft, Line, Money, Outcome, dropped_units};
use crate::ledger::book::ImportKind;
use crate::rewards::Amount;
use crate::stratum::Unit;
use serde_json::{Value, json};

/// What is told of an import.
pub(super) struct Report {
    coin: String,
    symbol: String,
    source: String,
    draft: Draft,
    applied: bool,
    /// In which work is counted.
    pub(super) unit: Unit,
    /// In what balances were read, and whether that was only assumed.
    pub(super) balances_in: Option<(Money, bool)>,
    /// What was only counted.
    pub(super) counted: Vec<(&'static str, u64)>,
    /// What an operator should know.
    pub(super) notes: Vec<String>,
}

/// How many, and their sum.
type Sum = (usize, u128);

impl Report {
    pub(super) fn new(pool: &Pool, source: &str, draft: Draft, applied: bool) -> Self {
        Self {
            coin: pool.coin.id.clone(),
            symbol: pool.coin.symbol.clone(),
            source: source.to_owned(),
            draft,
            applied,
            unit: pool.unit,
            balances_in: None,
            counted: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Prints it. Returns the exit code.
    pub(super) fn show(&self, shared: &Shared) -> u8 {
        if shared.json {
            print_json(&self.json());
        } else {
            self.print(shared.verbose);
        }
        if self.draft.lines.iter().any(|line| line.outcome == Outcome::Refused) {
            FAILED
        } else {
            DONE
        }
    }

    fn sum(&self, kind: ImportKind, outcome: Option<Outcome>) -> Sum {
        let lines = self.draft.lines.iter().filter(|line| line.kind == kind);
        let lines = lines.filter(|line| outcome.is_none_or(|outcome| line.outcome == outcome));
        lines.fold((0, 0), |(count, sum), line| {
            (count + 1, sum + u128::from(line.value.unwrap_or_default()))
        })
    }

    /// What was imported of money that somebody is owed, now and before: the wallet needs it.
    fn owed(&self) -> u128 {
        let sum = |outcome| self.sum(ImportKind::Balance, Some(outcome)).1;
        sum(Outcome::Taken) + sum(Outcome::Before)
    }

    fn amount(&self, kind: ImportKind, sum: u128) -> String {
        if kind == ImportKind::Work {
            #[expect(clippy::cast_precision_loss, reason = "for display")]
            let difficulty = sum as f64 * self.unit.as_f64();
            return format!("{difficulty} difficulty");
        }
        format!("{} {}", coins(sum), self.symbol)
    }

    fn print(&self, verbose: bool) {
        let what = if self.applied { "imported" } else { "dry run, nothing is written" };
        print(&format!("{}: {what}; from {}", self.coin, printable(&self.source)));
        if let Some((money, assumed)) = self.balances_in {
            let unit = match money {
                Money::Coins => "coins",
                Money::Satoshis => "the smallest unit",
            };
            let why = if assumed { " (assumed; --balances-in decides)" } else { "" };
            print(&format!("balances are in {unit}{why}"));
        }
        for kind in ImportKind::ALL {
            let (count, sum) = self.sum(kind, None);
            if count == 0 {
                continue;
            }
            print(&format!("{:<16} {count:>7}  {:>28}", title(kind), self.amount(kind, sum)));
            for outcome in Outcome::ALL {
                let (count, sum) = self.sum(kind, Some(outcome));
                if count > 0 {
                    let (name, sum) = (outcome.name(), self.amount(kind, sum));
                    print(&format!("  {name:<14} {count:>7}  {sum:>28}"));
                }
            }
        }
        for (name, count) in &self.counted {
            print(&format!("{name:<16} {count:>7}  only counted"));
        }
        for line in self.draft.lines.iter().filter(|line| verbose || !line.words.is_empty()) {
            print(&self.line(line));
        }
        for note in &self.notes {
            print(&format!("note: {}", printable(note)));
        }
        if self.draft.dropped > 0 {
            let dropped = dropped_units(self.draft.dropped);
            print(&format!("rounded down: {dropped} of the smallest unit in all"));
        }
        if self.draft.later > 0 {
            let later = coins(self.draft.later);
            print(&format!("not confirmed there yet, and not taken: {later} {}", self.symbol));
        }
        let owed = coins(self.owed());
        print(&format!("the wallet must hold {owed} {} for what was imported", self.symbol));
        if !self.applied {
            print("add --apply to write this into the book");
        }
    }

    fn line(&self, line: &Line) -> String {
        let value = line.value.map(|value| self.amount(line.kind, value.into()));
        let account = line.account.as_ref().filter(|account| **account != line.key);
        let account = account.map(|account| format!(" -> {account}")).unwrap_or_default();
        let words = if line.words.is_empty() { String::new() } else { format!(": {}", line.words) };
        let (outcome, kind) = (line.outcome.name(), line.kind.name());
        let value = value.map(|value| format!(" {value}")).unwrap_or_default();
        let key = if line.key.is_empty() { "all" } else { &line.key };
        printable(&format!("{outcome}: {kind}{value} {key}{account}{words}"))
    }

    fn json(&self) -> Value {
        let sum = |(count, sum): Sum| json!({"count": count, "sum": sum.to_string()});
        let kinds = ImportKind::ALL.map(|kind| {
            let outcome = |outcome| sum(self.sum(kind, Some(outcome)));
            json!({
                "kind": kind.name(), "found": sum(self.sum(kind, None)),
                "taken": outcome(Outcome::Taken), "before": outcome(Outcome::Before),
                "nothing": outcome(Outcome::Nothing), "refused": outcome(Outcome::Refused),
            })
        });
        let lines = self.draft.lines.iter().map(|line| {
            json!({
                "kind": line.kind.name(), "key": line.key, "account": line.account,
                "value": line.value, "outcome": line.outcome.name(), "words": line.words,
            })
        });
        let balances_in = self.balances_in.map(|(money, _)| match money {
            Money::Coins => "coins",
            Money::Satoshis => "satoshis",
        });
        json!({
            "coin": self.coin, "source": self.source, "applied": self.applied,
            "balances_in": balances_in,
            "assumed": self.balances_in.is_some_and(|(_, assumed)| assumed),
            "unit": self.unit, "kinds": kinds, "lines": lines.collect::<Vec<_>>(),
            "counted": self.counted.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            "dropped": dropped_units(self.draft.dropped), "later": self.draft.later.to_string(),
            "wallet_must_hold": self.owed().to_string(), "notes": self.notes,
        })
    }
}

/// A sum of amounts, which may be beyond the range of one.
fn coins(sum: u128) -> String {
    u64::try_from(sum)
        .map_or_else(|_| format!("{sum} of the smallest unit"), |sum| Amount(sum).to_string())
}

const fn title(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Balance => "balances",
        ImportKind::Paid => "paid before",
        ImportKind::Block => "pending blocks",
        ImportKind::Work => "open work",
    }
}
