//! Found blocks as the site shows them: those of the book, and before them the ledger's, which has
//! a block seconds before payments has taken it into the book.

use super::coin::CoinView;
use crate::chain::Hash;
use crate::ledger::book::{BookBlock, State};
use crate::ledger::{BlockRow, BlockState};
use crate::rewards::Amount;
use std::collections::BTreeSet;

/// Blocks of a coin that are shown.
pub(super) const MOST: usize = 50;

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Submitted; no daemon has taken it yet.
    Submitted,
    /// A daemon took it.
    Found,
    /// In the chain, its reward not yet to be spent.
    Immature,
    /// Its reward is credited.
    Mature,
    /// Another block holds its height.
    Orphaned,
    /// No daemon took it.
    Refused,
}

impl Fate {
    /// In words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Found => "found",
            Self::Immature => "maturing",
            Self::Mature => "confirmed",
            Self::Orphaned => "orphaned",
            Self::Refused => "refused",
        }
    }

    /// Whether it brings nothing.
    pub(super) const fn is_lost(self) -> bool {
        matches!(self, Self::Orphaned | Self::Refused)
    }
}

impl From<State> for Fate {
    fn from(state: State) -> Self {
        match state {
            State::Found | State::Before => Self::Found,
            State::Immature => Self::Immature,
            State::Mature => Self::Mature,
            State::Orphaned | State::Lost => Self::Orphaned,
        }
    }
}

impl From<BlockState> for Fate {
    fn from(state: BlockState) -> Self {
        match state {
            BlockState::Found | BlockState::Unknown => Self::Submitted,
            BlockState::Accepted => Self::Found,
            BlockState::Rejected => Self::Refused,
        }
    }
}

/// A found block.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) height: u64,
    pub(super) hash: Hash,
    /// When, unix ms.
    pub(super) time: u64,
    pub(super) fate: Fate,
    /// Confirmations, where they are known.
    pub(super) depth: Option<u64>,
    pub(super) value: Amount,
    pub(super) finder: String,
}

fn booked(block: &BookBlock) -> Found {
    Found {
        height: block.height,
        hash: block.hash,
        time: block.time,
        fate: block.state.into(),
        depth: Some(block.depth),
        value: block.value,
        finder: block.finder.clone(),
    }
}

fn tallied(row: &BlockRow) -> Found {
    let found = &row.found;
    Found {
        height: found.height,
        hash: found.hash,
        time: found.time,
        fate: row.state.into(),
        depth: None,
        value: found.pool_value,
        finder: found.worker.clone(),
    }
}

/// The newest blocks of a coin, the highest first.
pub(super) fn newest(coin: &CoinView) -> Vec<Found> {
    let book = coin.booked().map(|book| &book.blocks[..]).unwrap_or_default();
    let known: BTreeSet<_> = book.iter().map(|block| block.hash).collect();
    // Older ones that the book does not list are those that it has no room to list.
    let lowest = match book.len() < MOST {
        true => 0,
        false => book.last().map_or(0, |block| block.height),
    };
    let rows = coin.ledger.value.iter().flat_map(|ledger| &ledger.overview.blocks);
    let rows = rows.filter(|row| row.found.height >= lowest && !known.contains(&row.found.hash));
    let mut all: Vec<Found> = book.iter().map(booked).chain(rows.take(MOST).map(tallied)).collect();
    all.sort_by(|a, b| b.height.cmp(&a.height).then(b.time.cmp(&a.time)));
    all.truncate(MOST);
    all
}
