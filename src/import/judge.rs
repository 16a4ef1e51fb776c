//! What of the foreign records is taken, and why the rest is not. Pure, but for its witness.

use super::decimal::{Decimal, DecimalError, Rounded};
use super::nomp::Nomp;
use super::record::{Fields, shown};
use super::witness::Witness;
use crate::ledger::book::{Account, Import, ImportKind, Imported};
use crate::rewards::Amount;
use crate::stratum::Unit;

/// In what a source counts money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Money {
    /// Coins.
    Coins,
    /// The smallest unit.
    Satoshis,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It goes into the book.
    Taken,
    /// It is in the book already.
    Before,
    /// There is nothing in it to take.
    Nothing,
    /// It is not taken, and somebody should look at it.
    Refused,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Taken, Self::Before, Self::Nothing, Self::Refused];

    /// Its name, in JSON too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Before => "taken before",
            Self::Nothing => "nothing in it",
            Self::Refused => "refused",
        }
    }
}

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: ImportKind,
    /// What the source calls it.
    pub key: String,
    /// Whose it is, as this pool names accounts.
    pub account: Option<String>,
    /// The smallest unit of money, or weight of work; where that could be read.
    pub value: Option<u64>,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Why, where that has to be said.
    pub words: String,
}

/// All that would be imported, and what becomes of each record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// For the book.
    pub import: Import,
    /// Record by record.
    pub lines: Vec<Line>,
    /// What is below the smallest unit in new balances, in 10^-18 of it.
    pub dropped: u128,
    /// What the source owes later, in the smallest unit: not taken.
    pub later: u128,
}

/// The judge of one source.
pub(super) struct Judge<'a> {
    pub(super) before: &'a Imported,
    pub(super) witness: &'a mut dyn Witness,
    pub(super) draft: Draft,
    /// All new balances, so that their sum fits the book.
    sum: u64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(source: &str, before: &'a Imported, witness: &'a mut dyn Witness) -> Self {
        let import = Import { source: source.to_owned(), ..Import::default() };
        Self { before, witness, draft: Draft { import, ..Draft::default() }, sum: 0 }
    }

    pub(super) fn done(self) -> Draft {
        self.draft
    }

    pub(super) fn line(
        &mut self,
        kind: ImportKind,
        key: &str,
        value: Option<u64>,
        outcome: Outcome,
        words: impl Into<String>,
    ) {
        let (key, words) = (key.to_owned(), words.into());
        self.draft.lines.push(Line { kind, key, account: None, value, outcome, words });
    }

    /// A record that may be taken by a later import, when what is wrong has been put right.
    pub(super) fn refuse(&mut self, kind: ImportKind, key: &str, words: impl Into<String>) {
        self.line(kind, key, None, Outcome::Refused, words);
        self.draft.import.refused.push((kind, key.to_owned()));
    }

    /// Whether a key may be taken: nothing of the source was, or this was refused then.
    pub(super) fn is_open(&self, kind: ImportKind, key: &str) -> bool {
        let refused = |key: &str| self.before.keys.get(&(kind, key.to_owned())) == Some(&None);
        self.before.since.is_none() || refused(key) || refused("")
    }

    /// Money of workers.
    fn money(&mut self, kind: ImportKind, fields: &Result<Fields, String>, money: Money) {
        let fields = match fields {
            Ok(fields) => fields,
            Err(words) => return self.refuse(kind, "", words),
        };
        for (name, words) in &fields.odd {
            self.line(kind, name, None, Outcome::Refused, words);
        }
        for (worker, text) in &fields.good {
            if let Some(rounded) = self.read(kind, worker, text, money) {
                self.amount(kind, worker, rounded, |witness| witness.owner(worker));
            }
        }
    }

    /// Money of an account that has an address, or none.
    pub(super) fn account(
        &mut self,
        kind: ImportKind,
        name: &str,
        address: Option<&str>,
        text: &str,
    ) {
        let Some(rounded) = self.read(kind, name, text, Money::Coins) else { return };
        self.amount(kind, name, rounded, |witness| {
            let address = address.ok_or("it has no address of this coin")?;
            let account = witness.owner(address)?;
            match account.script.is_empty() {
                true => Err(format!("`{}` is no address of this coin", shown(address))),
                false => Ok(account),
            }
        });
    }

    /// What a source owes later: only added up.
    pub(super) fn later(&mut self, key: &str, text: &str, money: Money) {
        if let Ok(rounded) = decimal(text, money) {
            self.draft.later += u128::from(rounded.amount.0);
        } else {
            let words = format!("what is not confirmed, `{}`, is no amount", shown(text));
            self.line(ImportKind::Balance, key, None, Outcome::Refused, words);
        }
    }

    fn read(&mut self, kind: ImportKind, key: &str, text: &str, money: Money) -> Option<Rounded> {
        match decimal(text, money) {
            Ok(rounded) => Some(rounded),
            Err(error) => {
                self.refuse(kind, key, format!("`{}`: {error}", shown(text)));
                None
            }
        }
    }

    fn amount(
        &mut self,
        kind: ImportKind,
        key: &str,
        rounded: Rounded,
        owner: impl FnOnce(&mut dyn Witness) -> Result<Account, String>,
    ) {
        let value = rounded.amount.0;
        match self.before.keys.get(&(kind, key.to_owned())) {
            Some(Some(was)) if *was == value => {
                return self.line(kind, key, Some(value), Outcome::Before, "");
            }
            Some(Some(was)) => {
                let words = format!(
                    "{} was taken before, and now it is {}: does the old pool still run?",
                    Amount(*was),
                    rounded.amount
                );
                return self.line(kind, key, Some(value), Outcome::Refused, words);
            }
            _ => {}
        }
        let is_balance = kind == ImportKind::Balance;
        if value == 0 {
            self.draft.dropped += if is_balance { rounded.dropped } else { 0 };
            return self.line(kind, key, Some(0), Outcome::Nothing, "");
        }
        if !self.is_open(kind, key) {
            let words = "it was not there when this source was imported: does the old pool still \
                         run?";
            return self.line(kind, key, Some(value), Outcome::Refused, words);
        }
        let account = match owner(self.witness) {
            Ok(account) => account,
            Err(words) => {
                self.refuse(kind, key, words);
                if let Some(line) = self.draft.lines.last_mut() {
                    line.value = Some(value);
                }
                return;
            }
        };
        let import = &mut self.draft.import;
        if is_balance {
            let sum = self.sum.saturating_add(value);
            if i64::try_from(sum).is_err() {
                return self.refuse(kind, key, "all balances together would be beyond 63 bits");
            }
            self.sum = sum;
            self.draft.dropped += rounded.dropped;
            import.balances.push((key.to_owned(), account.clone(), rounded.amount));
        } else {
            import.paid.push((key.to_owned(), account.clone(), rounded.amount));
        }
        let words = if account.script.is_empty() { "set aside: it is no address" } else { "" };
        self.line(kind, key, Some(value), Outcome::Taken, words);
        if let Some(line) = self.draft.lines.last_mut() {
            line.account = Some(account.name);
        }
    }
}

fn decimal(text: &str, money: Money) -> Result<Rounded, DecimalError> {
    Decimal::parse(text)?.money(money == Money::Coins)
}

/// In what NOMP's balances are, if nobody says: coins, but in the earliest versions, as long as
/// none has a fraction.
#[must_use]
pub fn assumed(nomp: &Nomp) -> Money {
    let fraction = |text: &String| text.contains(['.', 'e', 'E']);
    let whole = nomp.balances.iter().all(|fields| !fields.good.values().any(fraction));
    match nomp.style {
        super::Style::Underscore if whole => Money::Satoshis,
        _ => Money::Coins,
    }
}

/// Judges all that NOMP has of a coin. `unit`: in which the pool counts work.
pub fn draft(
    nomp: &Nomp,
    money: Money,
    unit: Unit,
    before: &Imported,
    witness: &mut dyn Witness,
) -> Draft {
    let mut judge = Judge::new(&nomp.source, before, witness);
    judge.money(ImportKind::Balance, &nomp.balances, money);
    judge.money(ImportKind::Paid, &nomp.payouts, money);
    let news = judge.blocks(nomp, unit);
    judge.open_round(nomp, unit, news);
    judge.done()
}
