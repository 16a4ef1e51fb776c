//! Every worker that is known now, ordered once for all who ask. Pure.

use super::coin::{CoinView, WorkerView, owner};
use std::collections::BTreeMap;

/// A worker.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// Its name.
    pub(super) name: String,
    /// What it did within `hashrateWindow`.
    pub(super) window: WorkerView,
    /// Work in the current round, as difficulty.
    pub(super) round: f64,
}

/// All workers of an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Owner {
    /// Places of its workers in [`Rigs::all`].
    pub(super) rigs: Vec<usize>,
    /// Their sum; `last` and `difficulty` are those of the latest share.
    pub(super) window: WorkerView,
    /// Their work in the current round, as difficulty.
    pub(super) round: f64,
}

/// Workers of the window and of the current round.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rigs {
    /// By name.
    pub(super) all: Vec<Known>,
    /// Places in `all`, the fastest first.
    pub(super) by_rate: Vec<usize>,
    /// By address.
    pub(super) owners: BTreeMap<String, Owner>,
}

impl WorkerView {
    /// Adds another worker's.
    pub(super) fn add(&mut self, more: &Self) {
        self.work += more.work;
        self.shares = self.shares.saturating_add(more.shares);
        self.rejected = self.rejected.saturating_add(more.rejected);
        self.rate += more.rate;
        self.reasons.add(&more.reasons);
        if more.last > self.last {
            (self.last, self.difficulty) = (more.last, more.difficulty);
        }
    }
}

impl Rigs {
    /// Those of a coin.
    pub(super) fn of(coin: &CoinView) -> Self {
        let mut rigs = Self::default();
        for (name, window) in coin.workers() {
            let (place, round) = (rigs.all.len(), coin.in_round(name));
            let address = owner(name);
            let one = match rigs.owners.get_mut(address) {
                Some(known) => known,
                None => rigs.owners.entry(address.to_owned()).or_default(),
            };
            one.rigs.push(place);
            one.window.add(&window);
            one.round += round;
            rigs.all.push(Known { name: name.to_owned(), window, round });
        }
        let mut order: Vec<(usize, f64)> =
            rigs.all.iter().map(|rig| rig.window.rate).enumerate().collect();
        // Names are in order already, and the sort keeps it.
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        rigs.by_rate = order.into_iter().map(|(place, _)| place).collect();
        rigs
    }

    /// The workers of an address, by name.
    pub(super) fn owned(&self, address: &str) -> impl Iterator<Item = &Known> {
        let places = self.owners.get(address).map(|owner| &owner.rigs[..]).unwrap_or_default();
        places.iter().filter_map(|&place| self.all.get(place))
    }

    /// All workers, the fastest first.
    pub(super) fn fastest(&self) -> impl Iterator<Item = &Known> {
        self.by_rate.iter().filter_map(|&place| self.all.get(place))
    }
}
