//! NOMP's pending blocks with their rounds, and its open round. Pure, but for the judge's witness.

use super::decimal::Decimal;
use super::judge::{Judge, Outcome};
use super::nomp::Nomp;
use super::record::{Fields, Pending, shown};
use crate::chain::Hash;
use crate::journal::BlockFound;
use crate::ledger::book::ImportKind;
use crate::stratum::{Unit, Weight};
use std::collections::{BTreeMap, BTreeSet};

type Round = BTreeMap<String, Weight>;

/// What has come to pending blocks since the import before this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The first new block is taken: it has closed the round that was open then.
    closed: bool,
    /// A new block is not taken.
    missing: bool,
}

impl News {
    /// Whether the next new block is the first one.
    fn is_none(self) -> bool {
        !self.closed && !self.missing
    }
}

impl Judge<'_> {
    /// Pending blocks, lowest first.
    pub(super) fn blocks(&mut self, nomp: &Nomp, unit: Unit) -> News {
        let kind = ImportKind::Block;
        let members = match &nomp.pending {
            Ok(members) => members,
            Err(words) => {
                self.refuse(kind, "", words);
                return News::default();
            }
        };
        let (mut heights, mut seen) = (BTreeMap::<u64, Vec<Pending>>::new(), BTreeSet::new());
        for member in members {
            match Pending::parse(member) {
                Err(words) => self.line(kind, &shown(member), None, Outcome::Refused, words),
                Ok(pending) if !seen.insert(pending.hash.0) => {
                    let name = pending.hash.to_string();
                    self.line(kind, &name, None, Outcome::Nothing, "it is there twice");
                }
                Ok(pending) => heights.entry(pending.height).or_default().push(pending),
            }
        }
        let mut news = News::default();
        let none = Ok(Fields::default());
        for (height, blocks) in heights {
            let round = nomp.rounds.get(&height).unwrap_or(&none);
            self.height(&blocks, round, unit, &mut news);
        }
        news
    }

    /// The blocks of one height, for which NOMP has one round: it goes to the one in the chain.
    fn height(
        &mut self,
        blocks: &[Pending],
        round: &Result<Fields, String>,
        unit: Unit,
        news: &mut News,
    ) {
        let kind = ImportKind::Block;
        let mut owner: Option<Hash> = None;
        let mut sound: Vec<(BlockFound, bool)> = Vec::new();
        for pending in blocks {
            let name = pending.hash.to_string();
            if let Some(&Some(value)) = self.before.keys.get(&(kind, name.clone())) {
                owner = Some(pending.hash);
                self.line(kind, &name, Some(value), Outcome::Before, "");
            } else if self.witness.has(&pending.hash) {
                self.line(kind, &name, None, Outcome::Before, "this pool's own book has it");
            } else {
                match self.witness.block(pending) {
                    Ok(block) => sound.push(block),
                    Err(words) => self.missing(&name, words, news),
                }
            }
        }
        // The one in the chain first; the others in the order of their hashes, as they came.
        sound.sort_by_key(|(_, in_chain)| !in_chain);
        for (found, _) in sound {
            let name = found.hash.to_string();
            if let Some(owner) = owner {
                let words = format!("the work of its height is that of block {owner}");
                self.line(kind, &name, None, Outcome::Nothing, words);
                continue;
            }
            let mut work = match round {
                Ok(fields) => self.work(&format!("round {}", found.height), fields, unit),
                Err(words) => {
                    self.missing(&name, words.clone(), news);
                    continue;
                }
            };
            // This block has closed the round that was taken when it was open.
            let closes = !self.is_open(kind, &name) && news.is_none();
            if closes {
                for (worker, weight) in &mut work {
                    let key = (ImportKind::Work, worker.clone());
                    let taken = self.before.keys.get(&key).copied().flatten().unwrap_or(0);
                    *weight = weight.saturating_sub(taken);
                }
            }
            work.retain(|_, weight| *weight > 0);
            if work.is_empty() {
                let words = "its round has no work, so nobody could be credited";
                self.missing(&name, words.to_owned(), news);
                continue;
            }
            news.closed |= closes;
            owner = Some(found.hash);
            self.line(kind, &name, Some(found.pool_value.0), Outcome::Taken, "");
            self.draft.import.blocks.push((found, work));
        }
    }

    /// A block that is not taken. One that came after the first import stays news until it is.
    fn missing(&mut self, name: &str, words: String, news: &mut News) {
        let kind = ImportKind::Block;
        if self.is_open(kind, name) {
            self.refuse(kind, name, words);
        } else {
            self.line(kind, name, None, Outcome::Refused, words);
            news.missing = true;
        }
    }

    /// Work by worker. What cannot be read is left out, and told.
    fn work(&mut self, round: &str, fields: &Fields, unit: Unit) -> Round {
        for (name, words) in &fields.odd {
            self.line(ImportKind::Work, name, None, Outcome::Refused, format!("{round}: {words}"));
        }
        let mut work = Round::new();
        for (worker, text) in &fields.good {
            match Decimal::parse(text).and_then(|number| number.weight(unit)) {
                Ok(weight) => drop(work.insert(worker.clone(), weight)),
                Err(error) => {
                    let words = format!("{round}: `{}`: {error}", shown(text));
                    self.line(ImportKind::Work, worker, None, Outcome::Refused, words);
                }
            }
        }
        work
    }

    /// The round that is open. What was taken of it before does not count again.
    pub(super) fn open_round(&mut self, nomp: &Nomp, unit: Unit, news: News) {
        let kind = ImportKind::Work;
        let fields = match &nomp.current {
            Ok(fields) => fields,
            Err(words) => return self.refuse(kind, "", words),
        };
        let work = self.work("open round", fields, unit);
        if news.missing {
            self.draft.import.open_round = news.closed.then(Round::new);
            if !work.is_empty() {
                let words = "the open round waits until the pending blocks before it are taken";
                self.line(kind, "", None, Outcome::Refused, words);
            }
            return;
        }
        let mut taken = Round::new();
        if !news.closed {
            let before = self.before.keys.iter().filter(|((it, _), _)| *it == kind);
            let known = before.filter_map(|((_, key), weight)| Some((key.clone(), (*weight)?)));
            taken.extend(known);
        }
        for (worker, weight) in work {
            let was = taken.get(&worker).copied().unwrap_or(0);
            match weight.checked_sub(was) {
                Some(0) => {
                    let outcome = if weight == 0 { Outcome::Nothing } else { Outcome::Before };
                    self.line(kind, &worker, Some(weight), outcome, "");
                }
                Some(more) => {
                    self.line(kind, &worker, Some(more), Outcome::Taken, "");
                    self.draft.import.work.insert(worker.clone(), more);
                    taken.insert(worker, weight);
                }
                None => {
                    let words = "there is less than was taken before: a block has closed the \
                                 round, and is not among the pending ones";
                    self.line(kind, &worker, Some(weight), Outcome::Refused, words);
                }
            }
        }
        self.draft.import.open_round = Some(taken);
    }
}
