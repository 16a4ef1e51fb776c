//! Found blocks: from the tally into the book, and after the chain's word to their credits.

use super::coin::{Chain, Coin, Trouble, now};
use super::fate::{Fate, View, fate};
use crate::chain::Hash;
use crate::daemon::block_info;
use crate::daemon::wallet::{self, Mined};
use crate::ledger::book::{Account, Book, BookBlock, Fee, State};
use crate::ledger::{BlockRow, checkpoint, open_for_reading};
use crate::sys::failpoint::{point, point_if};
use std::collections::BTreeMap;

/// Blocks on top of a height after which a reward may be spent, and an orphan is one for good:
/// Bitcoin's coinbase maturity.
const BURIED: u64 = 100;
/// A settled block is watched until it is so deep.
const WATCHED: u64 = 2 * BURIED;
/// An orphan is watched for so long, ms: three days.
const ORPHAN_WATCHED: u64 = 3 * 86_400_000;
/// A credited block that the chain has left is watched for so long, ms: thirty days.
const LOST_WATCHED: u64 = 30 * 86_400_000;
/// Newest blocks that are looked at in each cycle.
const NEWEST: u32 = 100;
/// What is noted in the book when it has begun.
pub const BEGUN: &str = "begun";
/// What is noted when all blocks are taken in: how many the tally has found since ever.
const FOUND: &str = "found";

impl Coin {
    /// Takes blocks with their rounds from the tally into the book: from then on no money depends
    /// on the tally. A new book begins by itself only beside a tally without blocks: whether those
    /// that are there were paid already, an operator knows.
    pub(super) fn take_in(&self, book: &mut Book) -> Result<(), Trouble> {
        let Some(mut tally) = open_for_reading(&self.pool, &self.data_dir)? else {
            return self.begin(book, 0);
        };
        let newest = tally.overview(NEWEST)?;
        self.begin(book, newest.blocks_found)?;
        let noted = book.noted(FOUND)?.and_then(|text| text.parse::<u64>().ok());
        let mut new = Self::unknown(book, newest.blocks)?;
        // Older ones than the newest: after a pause, of another machine, or beside another tally.
        let known = noted.unwrap_or(0).checked_add(new.len() as u64);
        if known != Some(newest.blocks_found) {
            new = Self::unknown(book, tally.overview(u32::MAX)?.blocks)?;
        }
        // Oldest first: an orphan's work goes into the round after it.
        let mut lacking = None;
        for row in new.into_iter().rev() {
            let round = tally.round(&row.found.hash)?;
            // The finder's own share is in it, unless it came too late. Others do not wait for it.
            if round.is_empty() && !row.found.stale {
                lacking = Some(row.found);
                continue;
            }
            point("payments.taking-in");
            book.take_in(&row.found, &round, now())?;
            point("payments.taken-in");
        }
        if let Some(found) = lacking {
            return Err(Trouble::Words(format!(
                "block {} at {} has no round in the ledger: it lost a part; see `romp rebuild {}`",
                found.hash,
                found.height,
                self.id()
            )));
        }
        if noted != Some(newest.blocks_found) {
            book.note_anew(FOUND, &newest.blocks_found.to_string())?;
        }
        Ok(())
    }

    /// Begins a new book beside a tally without blocks. One that was emptied, and is about to be
    /// filled again, is none.
    fn begin(&self, book: &mut Book, found: u64) -> Result<(), Trouble> {
        if book.noted(BEGUN)?.is_some() {
            return Ok(());
        }
        let copied =
            checkpoint::read(&self.data_dir, self.id())?.map_or(0, |copy| copy.sums.blocks);
        match found.max(copied) {
            0 => Ok(book.note_once(BEGUN, "empty")?),
            before => Err(Trouble::Words(format!(
                "the book is new, and the ledger has {before} blocks from before. Were they never \
                 paid, run `romp payouts {} begin`; were they paid by hand, or by another \
                 machine, add `--without-old`",
                self.id()
            ))),
        }
    }

    /// Those that the book does not have.
    fn unknown(book: &Book, rows: Vec<BlockRow>) -> Result<Vec<BlockRow>, Trouble> {
        let mut new = Vec::new();
        for row in rows {
            if !book.has_block(&row.found.hash)? {
                new.push(row);
            }
        }
        Ok(new)
    }

    /// Asks the chain about every block that is not settled for good.
    pub(super) fn follow(&self, book: &mut Book) -> Result<(), Trouble> {
        let open = book.blocks(&[State::Found, State::Immature])?;
        let since = |watched| now().saturating_sub(watched);
        let watched = book.watched(WATCHED, since(ORPHAN_WATCHED), since(LOST_WATCHED))?;
        let blocks: Vec<BookBlock> = open.into_iter().chain(watched).collect();
        if blocks.is_empty() {
            return Ok(());
        }
        let chain = self.chain(book)?;
        let mut mature = Vec::new();
        for block in &blocks {
            match (block.state, self.fate_of(block, &chain)?) {
                (State::Found | State::Orphaned, Fate::InChain(_)) => {
                    point("payments.seen");
                    book.move_to(&block.hash, State::Immature, now())?;
                    point("payments.immature");
                }
                (State::Found | State::Immature, Fate::Gone) => {
                    let further = match block.scheme.as_str() {
                        "prop" => "its work goes into the next block's round",
                        "pplns" => {
                            "its work counts for the next blocks as long as it is in the window"
                        }
                        _ => "it was its finder's alone",
                    };
                    let (id, hash, height) = (self.id(), block.hash, block.height);
                    log::warn!("{id}: block {hash} at {height} is an orphan; {further}");
                    book.move_to(&block.hash, State::Orphaned, now())?;
                }
                (State::Immature, Fate::InChain(depth)) => {
                    let (ready, words) = self.wallets_word(block)?;
                    if block.words != words && !words.is_empty() {
                        log::warn!("{}: block {} waits: {words}", self.id(), block.hash);
                    }
                    book.note(&block.hash, depth, &words)?;
                    point_if(ready && depth > BURIED, "payments.ready");
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
                (_, Fate::InChain(depth)) => book.note(&block.hash, depth, "")?,
                (State::Found | State::Immature, Fate::Unsure) => {
                    let words = "not in the chain of every daemon, and not too deep to come back";
                    book.note(&block.hash, 0, words)?;
                }
                _ => {}
            }
        }
        let fee = if mature.is_empty() { Fee::default() } else { self.fee(&chain)? };
        for hash in mature {
            let owners = self.owners_of(book, &hash, &chain)?;
            point("payments.crediting");
            book.credit(&hash, &owners, &fee, now())?;
            point("payments.credited");
            log::info!("{}: the reward of block {hash} is credited", self.id());
        }
        Ok(())
    }

    fn fate_of(&self, block: &BookBlock, chain: &Chain<'_>) -> Result<Fate, Trouble> {
        let (mut views, mut silent) = (Vec::new(), None);
        for (client, info) in &chain.daemons {
            match block_info(client, &block.hash) {
                Ok(block) => views.push(View { tip: info.blocks, block }),
                Err(error) => silent = Some(error),
            }
        }
        if let Some(error) = silent.filter(|_| views.is_empty()) {
            return Err(error.into());
        }
        Ok(fate(&views, block.height, BURIED))
    }

    /// Whether the wallet can spend the block's whole reward; what it waits for, if not.
    fn wallets_word(&self, block: &BookBlock) -> Result<(bool, String), Trouble> {
        if block.value.0 == 0 {
            return Ok((true, String::new()));
        }
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
        let (ripe, green) = (sum(Mined::Generate), sum(Mined::Immature));
        if let Some(wrong) = other_unit(ripe.max(green), block.value.0) {
            let words = format!(
                "{wrong} by the wallet at {}: it does not count in 100,000,000ths of a coin, as \
                 romp does; nothing of this coin can be paid",
                self.wallet.address()
            );
            return Ok((false, words));
        }
        if ripe >= block.value.0 {
            return Ok((true, String::new()));
        }
        let words = match green >= block.value.0 {
            true => String::new(),
            false => "the wallet does not see the whole reward".to_owned(),
        };
        Ok((false, words))
    }

    /// Who owns the work of a block.
    fn owners_of(
        &self,
        book: &Book,
        hash: &Hash,
        chain: &Chain<'_>,
    ) -> Result<BTreeMap<String, Account>, Trouble> {
        let (client, _) = chain.first()?;
        let mut owners = BTreeMap::new();
        for worker in book.work_of(hash)?.into_keys().chain(book.finder(hash)?) {
            let mut known = self.owners.borrow_mut();
            let account = known.of(&worker, &chain.rules, chain.network, client)?;
            owners.insert(worker, account);
        }
        Ok(owners)
    }
}

/// The reward in words, when the wallet's is the block's with the point moved: some coins have six
/// decimals, and what is asked of their wallets would be a hundred times too much or too little.
/// One place is not taken for that: it is the wallet's own share beside recipients of nine tenths.
/// Nor is a wallet right that has fifty times the reward: recipients of its own are in the sum.
fn other_unit(wallets: u64, blocks: u64) -> Option<String> {
    let moved = |small: u64, large: u64| {
        (2..=8).any(|places| small.checked_mul(10_u64.pow(places)) == Some(large))
    };
    let large = wallets / 50 >= blocks;
    let wrong = wallets > 0 && blocks > 0 && (large || moved(wallets, blocks));
    wrong.then(|| format!("a block's reward of {blocks} units is {wallets}"))
}

#[cfg(test)]
mod tests {
    use super::other_unit;

    #[test]
    fn a_moved_point_is_another_unit() {
        for (wallets, blocks) in
            [(5_000_000_000, 50_000_000), (5_075_000_000, 50_000_000), (50, 5000), (7, 700_000_000)]
        {
            assert!(other_unit(wallets, blocks).is_some(), "{wallets} {blocks}");
        }
        for (wallets, blocks) in [(5, 5), (0, 50), (50, 0), (6, 5), (51, 5), (50, 5), (0, 0)] {
            assert!(other_unit(wallets, blocks).is_none(), "{wallets} {blocks}");
        }
    }
}
