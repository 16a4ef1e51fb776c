//! Who may pay: one book of a coin, on whatever machine.

use super::coin::{Coin, Trouble, now};
use crate::ledger::book::{Book, Turn};
use crate::ledger::{self, Claim, Claimed};

impl Coin {
    /// Claims the coin for this book, before anything new is paid: another machine's book, a copy of
    /// this one, or this one as it was before it was set back, does not pay beside it. Without a
    /// tally nobody pays.
    pub(super) fn claim(&self, book: &mut Book) -> Result<(), Trouble> {
        let Turn { own, superseded } = book.next_claim()?;
        if let Some(other) = superseded {
            return Err(self.gives_way(own, other));
        }
        let mut tally = ledger::open(&self.pool, &self.data_dir)?;
        match tally.claim(own)? {
            Claimed::Ours => Ok(()),
            Claimed::Theirs(other) => {
                book.give_way(other, now())?;
                Err(self.gives_way(own, other))
            }
        }
    }

    fn gives_way(&self, own: Claim, other: Claim) -> Trouble {
        let id = self.id();
        Trouble::Words(if own.book == other.book {
            format!(
                "this book is older than what was paid by it, or a copy of it pays: bring the \
                 newest one back and delete all others. Is there none, settle by hand what the \
                 wallet paid since, then run `romp payouts {id} adopt`"
            )
        } else {
            format!(
                "another book (fence {}) pays this coin. Run `romp payouts {id} adopt` here only \
                 when payments on the other machine are stopped for good",
                other.fence
            )
        })
    }
}
