//! Which book pays a coin: a claim that stands in the tally, where all machines see it. Pure.

/// Largest number in a claim: Redis' scripts count in doubles, which are exact up to 2^53.
pub(super) const MOST: u64 = (1 << 53) - 1;

/// What a book says of itself before it pays. All numbers are below 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Random number of the book.
    pub book: u64,
    /// Whoever has the higher one pays; an operator raises it.
    pub fence: u64,
    /// Number of this claim among the book's own. Each is made once, so that a copy of a book, or
    /// one that was set back, shows.
    pub number: u64,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It stands.
    Ours,
    /// This one stands, and stays.
    Theirs(Claim),
}

impl Claim {
    /// Whether it takes the place of what stands. In a tally that was emptied or set back it does.
    pub(super) const fn beats(self, stored: Option<Self>) -> bool {
        match stored {
            None => true,
            Some(stored) => {
                stored.fence < self.fence
                    || (stored.book == self.book
                        && stored.fence == self.fence
                        && stored.number < self.number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_higher_fence_or_the_books_own_next_number_beats_what_stands() {
        let claim = |book, fence, number| Claim { book, fence, number };
        let stored = claim(7, 2, 5);
        assert!(claim(8, 1, 1).beats(None));
        for (claim, beats) in [
            (claim(7, 2, 6), true),
            (claim(7, 2, 5), false),
            (claim(7, 2, 4), false),
            (claim(7, 1, 6), false),
            (claim(8, 2, 6), false),
            (claim(8, 3, 1), true),
            (claim(7, 3, 1), true),
        ] {
            assert_eq!(claim.beats(Some(stored)), beats, "{claim:?}");
        }
    }
}
