//! Token buckets: so many at once, and so many a minute.

use serde::{Deserialize, Serialize};

/// What one token is made of: a bucket gains `per_minute` of these in a millisecond.
const TOKEN: u64 = 60_000;

/// How much of something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// So many a minute in the long run; 0: as many as one likes.
    pub per_minute: u32,
    /// So many at once.
    pub burst: u32,
}

impl Rate {
    /// So many a second.
    #[must_use]
    pub const fn per_second(count: u32, burst: u32) -> Self {
        Self { per_minute: count.saturating_mul(60), burst }
    }

    const fn full(self) -> u64 {
        self.burst as u64 * TOKEN
    }
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// 60,000ths of a token that were used and have not come back.
    used: u64,
    /// Millisecond at which that was so.
    at: u64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(now: u64) -> Self {
        Self { used: 0, at: now }
    }

    /// Takes one token; `false` when there is none.
    pub fn take(&mut self, rate: Rate, now: u64) -> bool {
        if rate.per_minute == 0 {
            return true;
        }
        let gained = now.saturating_sub(self.at).saturating_mul(u64::from(rate.per_minute));
        self.at = now;
        self.used = self.used.saturating_sub(gained);
        let allowed = self.used.saturating_add(TOKEN) <= rate.full();
        if allowed {
            self.used += TOKEN;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_then_a_burst_again() {
        let rate = Rate::per_second(10, 30);
        let mut bucket = Bucket::new(1000);
        let mut taken = |now| (0..1000).filter(|_| bucket.take(rate, now)).count();
        assert_eq!(taken(1000), 30);
        assert_eq!(taken(1099), 0);
        assert_eq!(taken(1100), 1);
        assert_eq!(taken(1300), 2);
        assert_eq!(taken(500), 0, "a clock that goes back gives nothing");
        assert_eq!(taken(1_000_000), 30, "never more than the burst");
    }

    #[test]
    fn slow_rates_lose_nothing_to_rounding() {
        let rate = Rate { per_minute: 1, burst: 1 };
        let mut bucket = Bucket::new(0);
        let taken = (0..600_000).step_by(7).filter(|now| bucket.take(rate, *now)).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn no_rate_is_no_limit() {
        let mut bucket = Bucket::new(0);
        assert!((0..10_000).all(|_| bucket.take(Rate { per_minute: 0, burst: 0 }, 0)));
    }
}
