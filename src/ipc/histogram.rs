//! How long things took, in shared memory: counts in fixed buckets. Adding one costs two additions
//! and no memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets, microseconds: from less than one share's hash to longer than any
/// miner waits. What took longer is in one more.
pub const BOUNDS_US: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
/// Buckets.
const BUCKETS: usize = BOUNDS_US.len() + 1;

/// Durations on the board. Written by one process.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Microseconds.
    sum: AtomicU64,
}

/// What a histogram had counted when it was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// How many took at most the bound of the same place in [`BOUNDS_US`], and more than the one
    /// before; the last: longer than all bounds.
    pub buckets: [u64; BUCKETS],
    /// Microseconds of all together.
    pub sum_us: u64,
}

impl Histogram {
    /// Adds so many that took so many microseconds each.
    pub fn add(&self, us: u64, count: u64) {
        let place = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(count, Ordering::Relaxed);
        }
        self.sum.fetch_add(us.saturating_mul(count), Ordering::Relaxed);
    }

    /// What it has counted. One that is being added just now may be in the sum and not in its
    /// bucket, or the other way round.
    #[must_use]
    pub fn read(&self) -> Times {
        Times {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)),
            sum_us: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl Times {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_the_bucket_below() {
        let histogram = Histogram::default();
        for (us, place) in [(0, 0), (50, 0), (51, 1), (1_000, 4), (10_000_000, 16)] {
            let before = histogram.read();
            histogram.add(us, 3);
            let after = histogram.read();
            assert_eq!(after.buckets[place], before.buckets[place] + 3, "{us}");
            assert_eq!(after.count(), before.count() + 3);
        }
        histogram.add(u64::MAX, 1);
        assert_eq!(histogram.read().buckets[BOUNDS_US.len()], 1);
        assert!(BOUNDS_US.is_sorted());
    }
}
