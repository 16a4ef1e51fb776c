//! Found blocks: from the tally into the book, and after the chain's word to their credits.

use super::coin::{Chain, Coin, Trouble, now};
use super::fate::{Fate, View, fate};
use crate::chain::Hash;
use crate::daemon::block_info;
use crate::daemon::wallet::{self, Mined};
use crate::ledger::book::{Book, BookBlock, State};
use crate::ledger::open_for_reading;
use std::collections::BTreeMap;

/// Blocks on top of a height after which a reward may be spent, and an orphan is one for good:
/// Bitcoin's coinbase maturity.
const BURIED: u64 = 100;
/// A settled block is watched until it is so deep.
const WATCHED: u64 = 2 * BURIED;
/// An orphan is watched for so long, ms: three days.
const ORPHAN_WATCHED: u64 = 3 * 86_400_000;
/// Newest blocks that are looked at in each cycle.
const NEWEST: u32 = 100;

impl Coin {
    /// Takes blocks with their rounds from the tally into the book: from then on no money depends
    /// on the tally.
    pub(super) fn take_in(&self, book: &mut Book) -> Result<(), Trouble> {
        let Some(mut tally) = open_for_reading(&self.pool, &self.data_dir)? else { return Ok(()) };
        let mut count = NEWEST;
        loop {
            let rows = tally.overview(count)?.blocks;
            let all = rows.len() < count as usize;
            let mut new = Vec::new();
            for row in &rows {
                if !book.has_block(&row.found.hash)? {
                    new.push(row);
                }
            }
            // Were all of them new, older ones may be, too.
            if new.len() == rows.len() && !all {
                count = u32::MAX;
                continue;
            }
            // Oldest first: an orphan's work goes into the round after it.
            for row in new.into_iter().rev() {
                let round = tally.round(&row.found.hash)?;
                book.take_in(&row.found, &round, now())?;
            }
            return Ok(());
        }
    }

    /// Asks the chain about every block that is not settled for good.
    pub(super) fn follow(&mut self, book: &mut Book) -> Result<(), Trouble> {
        let open = book.blocks(&[State::Found, State::Immature])?;
        let settled = book.blocks(&[State::Mature, State::Orphaned, State::Lost])?;
        let watched = settled.into_iter().filter(|block| match block.state {
            State::Orphaned => now().saturating_sub(block.since) < ORPHAN_WATCHED,
            _ => block.depth < WATCHED,
        });
        let blocks: Vec<BookBlock> = open.into_iter().chain(watched).collect();
        if blocks.is_empty() {
            return Ok(());
        }
        let chain = self.chain()?;
        let mut mature = Vec::new();
        for block in &blocks {
            match (block.state, self.fate_of(block, &chain)?) {
                (State::Found | State::Orphaned, Fate::InChain(_)) => {
                    book.move_to(&block.hash, State::Immature, now())?;
                }
                (State::Found | State::Immature, Fate::Gone) => {
                    log::warn!(
                        "{}: block {} at {} is an orphan; its work goes into the next block's round",
                        self.id(),
                        block.hash,
                        block.height
                    );
                    book.move_to(&block.hash, State::Orphaned, now())?;
                }
                (State::Immature, Fate::InChain(depth)) => {
                    let (ready, words) = self.wallets_word(block)?;
                    if block.words != words && !words.is_empty() {
                        log::warn!("{}: block {} waits: {words}", self.id(), block.hash);
                    }
                    book.note(&block.hash, depth, &words)?;
                    if ready && depth > BURIED {
                        mature.push(block.hash);
                    }
                }
                (State::Mature, Fate::Gone) => {
                    log::error!(
                        "{}: block {} at {} has left the chain after it was credited; its {} are \
                         the pool's loss",
                        self.id(),
                        block.hash,
                        block.height,
                        block.value
                    );
                    book.lose(&block.hash, true, now())?;
                }
                (State::Lost, Fate::InChain(_)) => book.lose(&block.hash, false, now())?,
                (_, Fate::InChain(depth)) => drop(book.note(&block.hash, depth, "")?),
                (State::Found | State::Immature, Fate::Unsure) => {
                    let words = "not in the chain of every daemon, and not too deep to come back";
                    book.note(&block.hash, 0, words)?;
                }
                _ => {}
            }
        }
        let credits = self.credits(book, mature, &chain)?;
        for (hash, owners) in credits {
            book.credit(&hash, &owners, self.payments.fee_ppm, now())?;
            log::info!("{}: the reward of block {hash} is credited", self.id());
        }
        Ok(())
    }

    fn fate_of(&self, block: &BookBlock, chain: &Chain<'_>) -> Result<Fate, Trouble> {
        let mut views = Vec::new();
        for (client, info) in &chain.daemons {
            views.push(View { tip: info.blocks, block: block_info(client, &block.hash)? });
        }
        Ok(fate(&views, block.height, BURIED))
    }

    /// Whether the wallet can spend the block's whole reward; what it waits for, if not.
    fn wallets_word(&self, block: &BookBlock) -> Result<(bool, String), Trouble> {
        let Some(known) = wallet::transaction(&self.wallet, &block.coinbase)? else {
            let words = format!(
                "the wallet at {} does not know its reward: is it the pool's wallet, and has it \
                 scanned the chain?",
                self.wallet.address()
            );
            return Ok((false, words));
        };
        let sum = |category| {
            let mined = known.mined.iter().filter(|(it, _)| *it == category);
            mined.fold(0_u64, |sum, (_, amount)| sum.saturating_add(amount.0))
        };
        if sum(Mined::Generate) >= block.value.0 {
            return Ok((true, String::new()));
        }
        let words = match sum(Mined::Immature) >= block.value.0 {
            true => String::new(),
            false => "the wallet does not see the whole reward".to_owned(),
        };
        Ok((false, words))
    }

    /// Who owns the work of each block.
    #[expect(clippy::type_complexity, reason = "blocks, and accounts by worker")]
    fn credits(
        &self,
        book: &Book,
        blocks: Vec<Hash>,
        chain: &Chain<'_>,
    ) -> Result<Vec<(Hash, BTreeMap<String, crate::ledger::book::Account>)>, Trouble> {
        let mut owners = self.owners.borrow_mut();
        let mut credits = Vec::with_capacity(blocks.len());
        for hash in blocks {
            let mut by_worker = BTreeMap::new();
            let finder = book.finder(&hash)?;
            for worker in book.work_of(&hash)?.into_keys().chain(finder) {
                let client = chain.daemons.first().map_or(&self.wallet, |(client, _)| client);
                let account = owners.of(&worker, &chain.rules, chain.network, client)?;
                by_worker.insert(worker, account);
            }
            credits.push((hash, by_worker));
        }
        Ok(credits)
    }
}
