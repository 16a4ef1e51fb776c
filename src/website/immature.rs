//! What blocks that are not ripe will bring to each address, about: read once for each block.

use super::coin::owner;
use crate::chain::Hash;
use crate::config::Pool;
use crate::ledger::book::{Book, BookBlock, BookError, State};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks that the estimate looks at, the newest.
const BLOCKS: usize = 100;
/// Blocks whose work is read in one look: each may have many thousand workers.
const A_LOOK: usize = 20;

/// What one block brings, by number of the owner.
type Parts = Vec<(usize, u128)>;

/// Shares in blocks that are not ripe.
#[derive(Debug, Default)]
pub(super) struct Immature {
    /// Numbers of owners.
    numbers: BTreeMap<String, usize>,
    blocks: BTreeMap<[u8; 32], Parts>,
    /// What it was made of: blocks that were carried, and the fee.
    of: (u64, u32),
}

impl Immature {
    /// How many blocks it is over.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Looks which blocks are immature; by owner, when that has changed.
    pub(super) fn read(
        &mut self,
        book: &Book,
        pool: &Pool,
    ) -> Result<Option<BTreeMap<String, u128>>, BookError> {
        let fee = pool.payments.as_ref().map_or(0, |payments| payments.fee_ppm);
        // An orphan's work may have been carried into a block, or been taken back.
        let of = (book.carried()?, fee);
        let immature = book.blocks(&[State::Immature])?;
        let wanted: BTreeMap<[u8; 32], &BookBlock> =
            immature.iter().rev().take(BLOCKS).map(|block| (block.hash.0, block)).collect();
        let before = self.blocks.len();
        if self.of != of || wanted.is_empty() {
            *self = Self { of, ..Self::default() };
        }
        self.blocks.retain(|hash, _| wanted.contains_key(hash));
        let mut changed = self.blocks.len() != before;
        let new: Vec<_> = wanted
            .iter()
            .filter(|(hash, _)| !self.blocks.contains_key(*hash))
            .take(A_LOOK)
            .collect();
        for (hash, block) in new {
            let parts = self.parts(&book.work_of(&Hash(*hash))?, block, fee);
            self.blocks.insert(*hash, parts);
            changed = true;
        }
        if changed {
            self.forget();
        }
        Ok(changed.then(|| self.sums()))
    }

    fn parts(&mut self, work: &BTreeMap<String, u128>, block: &BookBlock, fee: u32) -> Parts {
        let mut owners: BTreeMap<&str, u128> = BTreeMap::new();
        for (name, weight) in work {
            *owners.entry(owner(name)).or_default() += weight;
        }
        if work.values().all(|&weight| weight == 0) {
            owners = BTreeMap::from([(owner(&block.finder), 1)]);
        }
        let all: u128 = owners.values().sum();
        let rest =
            u128::from(block.value.0) * u128::from(1_000_000 - fee.min(1_000_000)) / 1_000_000;
        let part = |weight: u128| rest.saturating_mul(weight).checked_div(all).unwrap_or(0);
        owners.into_iter().map(|(name, weight)| (self.number(name), part(weight))).collect()
    }

    fn number(&mut self, name: &str) -> usize {
        let next = self.numbers.len();
        match self.numbers.get(name) {
            Some(known) => *known,
            None => *self.numbers.entry(name.to_owned()).or_insert(next),
        }
    }

    /// Forgets owners that have nothing immature any more: the others are numbered anew.
    fn forget(&mut self) {
        let used: BTreeSet<usize> = self.blocks.values().flatten().map(|part| part.0).collect();
        if used.len() == self.numbers.len() {
            return;
        }
        let anew: BTreeMap<usize, usize> = used.into_iter().zip(0..).collect();
        let parts = self.blocks.values_mut().flatten().map(|part| &mut part.0);
        for number in parts.chain(self.numbers.values_mut()) {
            // Who has none is not used.
            *number = anew.get(number).copied().unwrap_or(usize::MAX);
        }
        self.numbers.retain(|_, number| *number != usize::MAX);
    }

    fn sums(&self) -> BTreeMap<String, u128> {
        let mut sums = vec![0_u128; self.numbers.len()];
        for (number, part) in self.blocks.values().flatten() {
            if let Some(sum) = sums.get_mut(*number) {
                *sum = sum.saturating_add(*part);
            }
        }
        let of = |(name, number): (&String, &usize)| {
            Some((name.clone(), *sums.get(*number).filter(|&&sum| sum > 0)?))
        };
        self.numbers.iter().filter_map(of).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What a block brings, of so many owners from the first on.
    fn add(immature: &mut Immature, hash: u8, first: u32, count: u32) {
        let owners = (first..first + count).map(|n| (format!("owner{n}"), u128::from(n) + 1));
        let parts = owners.map(|(name, part)| (immature.number(&name), part)).collect();
        immature.blocks.insert([hash; 32], parts);
    }

    #[test]
    fn who_has_nothing_immature_any_more_is_forgotten() {
        let mut immature = Immature::default();
        for hash in 0..200_u8 {
            // Half of the owners of a block are those of the one before.
            let block = u32::from(hash);
            add(&mut immature, hash, block * 5, 10);
            immature.blocks.remove(&[hash.wrapping_sub(3); 32]);
            immature.forget();
            let known = block.min(2);
            assert_eq!(immature.numbers.len(), 10 + known as usize * 5);
            let sums = immature.sums();
            let wanted = ((block - known) * 5..block * 5 + 10).map(|n| {
                let first = (block - known) * 5;
                let twice = n >= first + 5 && n < block * 5 + 5;
                (format!("owner{n}"), (u128::from(n) + 1) * if twice { 2 } else { 1 })
            });
            assert_eq!(sums, wanted.collect::<BTreeMap<_, _>>());
        }
    }
}
